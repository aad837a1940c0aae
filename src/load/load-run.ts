import { assert } from '../../engine/assert.ts'
import { ReplicationError } from '../../engine/error.ts'
import { hasContent } from '../../engine/load/ledger-check.ts'
import type { LoadOperation } from '../../engine/load/load-ledger.ts'
import type { LoadProfile } from '../../engine/load/load-profile.ts'
import { nextTurn } from '../../engine/load/load-stream.ts'
import type { LiveMessage } from '../../engine/load/mailbox-ledger.ts'
import { numberedMessage } from '../../engine/load/message-number.ts'
import type { LedgerFile } from '../../storage/ledger-file.ts'
import { notAnAnswer } from '../api-answer.ts'
import type { LoadFigures } from './load-figures.ts'
import type { LoadPace } from './load-pace.ts'
import type { StoreClient, TransactionAnswer } from './store-client.ts'
import type { StoreReturn } from './store-return.ts'

/** What a load is made of. */
export interface LoadParts {
  readonly client: StoreClient
  readonly ledger: LedgerFile
  readonly profile: LoadProfile
  readonly pace: LoadPace
  readonly figures: LoadFigures
  readonly storeReturn: StoreReturn
  /** How many clients are at work; each has mailboxes of its own, so at most as many as there are mailboxes. */
  readonly clients: number
  /** The most transactions of one request. */
  readonly batch: number
}

/** What a client does next: reads first, then one request. No two are about the same mailbox. */
interface ClientTurn {
  readonly reads: readonly LiveMessage[]
  readonly transactions: readonly (readonly LoadOperation[])[]
}

/** Refusals that a store gives only where it has lost, or kept, what it should not have. */
const REFUSALS_OF_FAULT: readonly string[] = ['MESSAGE_EXISTS', 'MESSAGE_MISSING']
/** The refusal of a whole request of which nothing was done. */
const NOTHING_DONE = 'STORE_BUSY'

/**
 * Runs a load to its end. A store that goes away is waited for; what it had not answered is in doubt. Everything that was sent is
 * answered or in doubt when this resolves, or rejects. Errors: those of the connection and of the ledger's file.
 */
export async function runLoad(parts: LoadParts): Promise<void> {
  const { clients, ledger } = parts
  assert(clients <= ledger.ledger.identity.mailboxes, 'each client has a mailbox')
  const failing = new AbortController()
  const ended = await Promise.allSettled(
    Array.from({ length: clients }, (_, index) =>
      new LoadClient(parts, index, failing.signal).run().catch((error: unknown) => {
        failing.abort() // the others end with what they have under way
        throw error
      }),
    ),
  )
  const failed = ended.find((one) => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

class LoadClient {
  readonly #parts: LoadParts
  readonly #failing: AbortSignal
  readonly #mailboxes: readonly number[]
  /** Reads since the last change, by mailbox. */
  readonly #reads = new Map<number, number>()
  #next = 0

  constructor(parts: LoadParts, index: number, failing: AbortSignal) {
    this.#parts = parts
    this.#failing = failing
    const { mailboxes } = parts.ledger.ledger.identity
    const own = Array.from({ length: mailboxes }, (_, at) => at + 1).filter((one) => one % parts.clients === index)
    this.#mailboxes = own
  }

  async run(): Promise<void> {
    while ((await this.#parts.pace.admit()) && !this.#failing.aborted) {
      const { reads, transactions } = this.#draw()
      for (const message of reads) await this.#read(message)
      if (transactions.length > 0) await this.#commit(transactions)
    }
  }

  #draw(): ClientTurn {
    const { ledger, profile, pace, batch } = this.#parts
    const reads: LiveMessage[] = []
    const transactions: (readonly LoadOperation[])[] = []
    const most = Math.min(batch, this.#mailboxes.length)
    for (let drawn = 0; drawn < most && (drawn === 0 || pace.isDue); drawn++) {
      const mailbox = this.#nextMailbox()
      const read = this.#reads.get(mailbox) ?? 0
      const turn = nextTurn(ledger.ledger, profile, { mailbox, reads: read })
      this.#reads.set(mailbox, turn.kind === 'read' ? read + 1 : 0)
      if (turn.kind === 'read') {
        if (pace.take(1) === 1) reads.push(turn.message)
      } else {
        const operations = turn.operations.slice(0, pace.take(turn.operations.length))
        if (operations.length > 0) transactions.push(operations)
      }
    }
    return { reads, transactions }
  }

  #nextMailbox(): number {
    const mailbox = this.#mailboxes[this.#next % this.#mailboxes.length]
    this.#next += 1
    assert(mailbox !== undefined, 'each client has a mailbox')
    return mailbox
  }

  async #read(message: LiveMessage): Promise<void> {
    const { client, figures, storeReturn } = this.#parts
    const { mailbox } = numberedMessage(message.id)
    const sinceMs = performance.now()
    let bytes: Uint8Array | null
    try {
      bytes = await client.read(mailbox, message.id)
    } catch (error) {
      await storeReturn.wait(error)
      return
    }
    figures.answeredIn('read', performance.now() - sinceMs)
    figures.wasRead(bytes?.byteLength ?? 0)
    if (bytes === null) figures.fault(`message ${message.id} of mailbox ${mailbox} is not there`)
    else if (!hasContent(bytes, message)) figures.fault(`message ${message.id} of mailbox ${mailbox} has other bytes`)
  }

  async #commit(transactions: ClientTurn['transactions']): Promise<void> {
    const { client, ledger, figures, storeReturn } = this.#parts
    const numbers = await ledger.begin(transactions)
    const sinceMs = performance.now()
    let answers: readonly TransactionAnswer[]
    try {
      answers = await client.commit(transactions)
      if (answers.length !== transactions.length) throw notAnAnswer('there is not a result for each transaction')
    } catch (error) {
      const isNothingDone = error instanceof ReplicationError && error.code === NOTHING_DONE
      for (const number of numbers) ledger.end(number, isNothingDone ? 'refused' : 'unknown')
      if (isNothingDone) for (const _ of numbers) figures.refused(NOTHING_DONE)
      else figures.unanswered(numbers.length)
      await storeReturn.wait(error)
      return
    }
    figures.answeredIn('commit', performance.now() - sinceMs)
    for (const [at, answer] of answers.entries()) this.#note(numbers[at], transactions[at], answer)
  }

  #note(number: number | undefined, operations: readonly LoadOperation[] | undefined, answer: TransactionAnswer): void {
    assert(number !== undefined && operations !== undefined, 'there is an answer for each transaction')
    const { ledger, figures } = this.#parts
    ledger.end(number, answer.committed ? 'committed' : 'refused')
    if (answer.committed) {
      figures.committed(operations)
      return
    }
    figures.refused(answer.code)
    if (REFUSALS_OF_FAULT.includes(answer.code)) figures.fault(answer.message)
  }
}
