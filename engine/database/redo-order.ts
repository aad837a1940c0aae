import { writeDbtime } from './dbtime.ts'
import { type LogBytes, openLogBytes } from './log-bytes.ts'
import type { LogRecord } from './log-record.ts'
import { PAGE_DBTIME } from './log-record-page.ts'
import { RECORD } from './log-record-table.ts'
import { macroDbtimeOf, sessionOf } from './log-record-transaction.ts'
import { touchesPages } from './page-reference.ts'

/** Takes the next record that redo has to look at. Neither of the two may be kept. */
export type VisitRecord = (log: LogBytes, record: LogRecord) => void

/** A record of an open macro, copied out of a log whose memory may hold the next log when the macro ends. */
interface HeldRecord {
  readonly log: LogBytes
  readonly record: LogRecord
}

/**
 * Brings the records of a stream into the order in which redo takes them: each when it is met, but those of a macro when that
 * commits, and those of an aborted macro never, nor those of one that a crash has cut, which the recovery drops. A macro may begin
 * in one log and end in a later one, so one of these goes through the whole stream.
 *
 * A class, since it owns the records of the macros that are open.
 */
export class RedoOrder {
  /** By session. */
  readonly #macros = new Map<number, HeldRecord[]>()

  /** How many macros are open: what they hold is lost when the stream ends here. */
  get openMacros(): number {
    return this.#macros.size
  }

  /** Takes the next record of the stream, and visits what is to be redone now: nothing, it, or all of a macro. */
  take(log: LogBytes, record: LogRecord, visit: VisitRecord): void {
    const { type } = record
    if (type === RECORD.macroBegin) this.#macros.set(sessionOf(log.view, record.at), [])
    else if (type === RECORD.macroAbort) this.#macros.delete(sessionOf(log.view, record.at))
    else if (type === RECORD.recoveryUndo2) this.#macros.clear()
    else if (type === RECORD.macroCommit) this.#commit(log, record, visit)
    else {
      const held =
        this.#macros.size > 0 && touchesPages(type) ? this.#macros.get(sessionOf(log.view, record.at)) : undefined
      if (held === undefined) visit(log, record)
      else held.push(copyOf(log, record))
    }
  }

  /** Every page of a macro gets the dbtime of the macro, whatever its records say. */
  #commit(log: LogBytes, record: LogRecord, visit: VisitRecord): void {
    const session = sessionOf(log.view, record.at)
    const dbtime = macroDbtimeOf(log.view, record.at)
    const held = this.#macros.get(session) ?? []
    this.#macros.delete(session)
    for (const each of held) {
      writeDbtime(each.log.view, PAGE_DBTIME, dbtime)
      visit(each.log, each.record)
    }
  }
}

function copyOf(log: LogBytes, record: LogRecord): HeldRecord {
  const { type, at, bytes } = record
  return { log: openLogBytes(log.bytes.slice(at, at + bytes)), record: { type, at: 0, bytes } }
}
