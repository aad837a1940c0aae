import { bytesOfTransactions } from '../engine/database/mailbox-session.ts'
import type { ReplicationError } from '../engine/error.ts'
import { RequestBudget } from '../workers/request-budget.ts'
import type { StoreAnswers, StoreQuery } from '../workers/store-messages.ts'

type Answer = StoreAnswers[keyof StoreAnswers]

interface Pending {
  /** What it takes of the budget; null for nothing. */
  readonly bytes: number | null
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: ReplicationError) => void
}

/** There is one of them at a time, and the one that thaws a store must not be refused for those that wait for the thaw. */
const OF_BACKUPS: ReadonlySet<StoreQuery['ask']> = new Set([
  'begin-backup',
  'prepare-backup',
  'freeze',
  'thaw',
  'end-backup',
])

/** The requests that a store worker has not answered yet, within a budget. */
export class StoreRequests {
  readonly #budget = new RequestBudget()
  readonly #pending = new Map<number, Pending>()
  #last = 0

  /** Sends a request under a number of its own; resolves with its answer. Errors: `STORE_BUSY`, and what it is refused with. */
  async send<Query extends StoreQuery>(
    query: Query,
    post: (request: number) => void,
  ): Promise<StoreAnswers[Query['ask']]> {
    const bytes = budgetOf(query)
    if (bytes !== null) this.#budget.take(bytes)
    this.#last += 1
    const request = this.#last
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#pending.set(request, { bytes, resolve, reject })
      post(request)
    })
    return answer as StoreAnswers[Query['ask']] // the worker answers each question with its own kind of answer
  }

  answered(request: number, answer: Answer): void {
    this.#settle(request)?.resolve(answer)
  }

  refused(request: number, error: ReplicationError): void {
    this.#settle(request)?.reject(error)
  }

  /** None of them is answered any more. */
  failAll(error: ReplicationError): void {
    for (const request of [...this.#pending.keys()]) this.refused(request, error)
  }

  #settle(request: number): Pending | undefined {
    const pending = this.#pending.get(request)
    this.#pending.delete(request)
    if (pending !== undefined && pending.bytes !== null) this.#budget.give(pending.bytes)
    return pending
  }
}

function budgetOf(query: StoreQuery): number | null {
  if (OF_BACKUPS.has(query.ask)) return null
  return query.ask === 'transact' ? bytesOfTransactions(query.transactions) : 0
}
