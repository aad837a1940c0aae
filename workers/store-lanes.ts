import { unreachable } from '../engine/assert.ts'
import type { StoreAnswer, StoreMachine } from '../engine/database/store-machine.ts'
import type { DatabaseOrder, LogOrder, StoreFact, StoreOrder, StoreQuestion } from '../engine/database/store-order.ts'
import type { StoreWork } from '../engine/database/store-start.ts'
import type { StoreFiles } from '../storage/store-files.ts'

/** The part of a store's files that its lanes need. */
type LaneFiles = Pick<StoreFiles, 'orderLog' | 'orderDatabase' | 'ask'>

/** An order that a machine waits for. */
interface Awaited {
  readonly fact: 'log-written' | 'database-written'
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

/**
 * The way from a store to the lanes of its files: first for a recovery, which waits for each of its orders, then for the engine, which
 * numbers its bundles anew.
 */
export class StoreLanes {
  readonly #files: LaneFiles
  /** Bundles that the recovery gave. */
  #before = 0
  #awaited: Awaited | null = null
  #failure: unknown = null

  constructor(files: LaneFiles) {
    this.#files = files
  }

  /** Runs a machine to its end. `onAsked` hears of each question. Rejects with the error of the files. */
  async run<Result>(machine: StoreMachine<Result>, onAsked: (question: StoreQuestion) => void): Promise<Result> {
    let answer: StoreAnswer = null
    for (;;) {
      const next = machine.next(answer)
      if (next.done === true) return next.value
      const step = next.value
      if (isQuestion(step)) {
        onAsked(step)
        answer = await this.#files.ask(step)
      } else {
        await this.#execute(step)
        answer = null
      }
    }
  }

  /** Gives the engine's bundles to the lanes. */
  give({ log, database }: StoreWork): void {
    if (log !== null) this.#files.orderLog({ ...log, sequence: log.sequence + this.#before })
    if (database !== null) this.#files.orderDatabase({ ...database, sequence: database.sequence + this.#before })
  }

  /** A fact as the engine numbers it; null for one that only the recovery waited for. */
  translate(fact: StoreFact): StoreFact | null {
    if (fact.fact !== 'log-written' && fact.fact !== 'database-written') return fact
    if (fact.sequence > this.#before) return { ...fact, sequence: fact.sequence - this.#before }
    if (this.#awaited?.fact === fact.fact && fact.sequence === this.#before) this.#awaited.done()
    return null
  }

  /** The files have ended. */
  fail(error: unknown): void {
    this.#failure ??= error
    this.#awaited?.failed(error)
  }

  async #execute(order: StoreOrder): Promise<void> {
    if (this.#failure !== null) throw this.#failure
    this.#before += 1
    const sequence = this.#before
    try {
      await new Promise<void>((done, failed) => {
        this.#awaited = { fact: isLogOrder(order) ? 'log-written' : 'database-written', done, failed }
        if (isLogOrder(order)) this.#files.orderLog({ sequence, orders: [order] })
        else this.#files.orderDatabase({ sequence, orders: [order] })
      })
    } finally {
      this.#awaited = null
    }
  }
}

function isQuestion(step: StoreOrder | StoreQuestion): step is StoreQuestion {
  return step.order === 'read-page' || step.order === 'read-log' || step.order === 'read-saved-pages'
}

function isLogOrder(order: LogOrder | DatabaseOrder): order is LogOrder {
  switch (order.order) {
    case 'write-log':
    case 'roll-log':
    case 'prepare-log':
    case 'mend-log':
    case 'discard-logs':
      return true
    case 'create-database':
    case 'save-pages':
    case 'write-pages':
    case 'sync-database':
    case 'write-header':
    case 'write-checkpoint':
    case 'delete-logs':
      return false
    default:
      return unreachable(order)
  }
}
