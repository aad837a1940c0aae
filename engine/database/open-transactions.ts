import type { LogPosition } from './log-position.ts'
import { positionOf } from './log-position.ts'
import type { LogRecord } from './log-record.ts'
import { RECORD } from './log-record-table.ts'
import { levelsOf, levelsOpened, sessionOf } from './log-record-transaction.ts'
import type { RedoLog } from './record-apply.ts'

/** Who follows the transactions of a stream while it is redone. */
export interface TransactionWatch {
  /** Where the oldest transaction began that is open still, or null. An undo needs the log from there on. */
  readonly oldestBegin: LogPosition | null
  /** The next record, whatever it is. Records may begin in the middle of a transaction, of which nothing is known then. */
  note(source: RedoLog, record: LogRecord): void
}

/** A transaction of a session, by how deep it is. */
interface OpenTransaction {
  readonly begin: LogPosition
  level: number
}

/**
 * Which transactions are open, and no more: enough for a copy, which undoes nothing.
 *
 * A class, since it follows a stream from log to log.
 */
export class OpenTransactions implements TransactionWatch {
  readonly #bySession = new Map<number, OpenTransaction>()

  get oldestBegin(): LogPosition | null {
    // They are opened in the order of the log, and a map keeps that order.
    for (const { begin } of this.#bySession.values()) return begin
    return null
  }

  note({ header, log }: RedoLog, { type, at }: LogRecord): void {
    if (type < RECORD.begin || type > RECORD.commit0) return
    const session = sessionOf(log.view, at)
    const open = this.#bySession.get(session)
    if (type === RECORD.begin0) {
      this.#bySession.delete(session)
      this.#bySession.set(session, { begin: positionOf(header, at), level: levelsOpened(log.view, at) })
    } else if (type === RECORD.commit0) this.#bySession.delete(session)
    else if (open === undefined) return
    else if (type === RECORD.begin) open.level += levelsOpened(log.view, at)
    else if (type === RECORD.commit) open.level = levelsOf(log.view, at)
    else if (type === RECORD.rollback) this.#leave(session, open, levelsOf(log.view, at))
  }

  #leave(session: number, open: OpenTransaction, levels: number): void {
    open.level -= levels
    if (open.level <= 0) this.#bySession.delete(session)
  }
}
