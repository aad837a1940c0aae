import type { LogBytes } from './log-bytes.ts'
import type { LogHeader } from './log-header.ts'
import { type LogPosition, positionOf } from './log-position.ts'
import { openRecords, type RecordCursor } from './log-record.ts'
import { databaseIdOf } from './log-record-page.ts'
import { RECORD } from './log-record-table.ts'
import { macroDbtimeOf, sessionOf } from './log-record-transaction.ts'
import { touchesPages, type VisitPage, visitPages } from './page-reference.ts'
import { isRedoFault, judgeRedo, type RedoFault } from './redo.ts'

/** The database whose pages a replay follows, as its header and its pages are before. */
export interface ReplayedDatabase {
  readonly databaseId: number
  /** Where it was attached last: records up to here are of an earlier life. */
  readonly attach: LogPosition
  /** The highest generation that it needs: no page of it can have a change of a later one. `Infinity` where none says so. */
  readonly generationMaxRequired: number
  /** The dbtime of a page as it lies in the file; 0 for one that was never written. Asked once for each page. */
  readonly dbtimeOf: (page: number) => number
}

/** A change that does not fit the page that it is for. */
export interface ReplayFault {
  readonly fault: RedoFault
  readonly page: number
  readonly pageDbtime: number
  readonly dbtimeBefore: number
  readonly dbtime: number
  /** Where the record lies that the change was redone for. */
  readonly position: LogPosition
}

/** What a replay has done so far. */
export interface ReplayCounts {
  /** Pages that records named, each time they did. */
  readonly references: number
  readonly applied: number
  readonly skipped: number
}

/** A page that a record of an open macro names. Its dbtime is the macro's, which is known at the end. */
interface HeldReference {
  readonly page: number
  readonly dbtimeBefore: number
}

/**
 * Replays logs over the dbtimes of a database's pages alone. Nothing of a payload is read, so it follows the logs of any
 * engine of format 7,3704, and proves of them what redo itself relies on: that each change finds its page as the change before
 * has left it.
 *
 * A class, since macros that are open at the end of one log go on in the next.
 */
export class DbtimeReplayer {
  readonly #database: ReplayedDatabase
  readonly #pages = new Map<number, number>()
  /** By session; what is in it takes effect when the macro commits. */
  readonly #macros = new Map<number, HeldReference[]>()
  #references = 0
  #applied = 0
  #fault: ReplayFault | null = null
  /** The log being replayed, and where in it the record lies whose changes are redone. */
  #header: LogHeader | null = null
  #at = 0
  /** The records of this log behind this byte belong to the database's present life. */
  #attachedFrom = 0

  constructor(database: ReplayedDatabase) {
    this.#database = database
  }

  /** The dbtimes of all pages that were named so far. */
  get pages(): ReadonlyMap<number, number> {
    return this.#pages
  }

  /** What was done so far. */
  get counts(): ReplayCounts {
    return { references: this.#references, applied: this.#applied, skipped: this.#references - this.#applied }
  }

  /**
   * Replays one log whose body is proved up to `endByte`, after the logs before it.
   *
   * @returns the first change that does not fit, after which nothing may be replayed, or null
   */
  replayLog(log: LogBytes, header: LogHeader, endByte: number): ReplayFault | null {
    const cursor = openRecords(log, header, endByte)
    this.#header = header
    this.#attachedFrom = attachedFrom(this.#database.attach, header)
    while (this.#fault === null && cursor.next()) {
      this.#at = cursor.at
      this.#replayRecord(log.view, cursor)
    }
    return this.#fault
  }

  #replayRecord(view: DataView, record: RecordCursor): void {
    const { type, at } = record
    if (type === RECORD.macroBegin) this.#macros.set(sessionOf(view, at), [])
    else if (type === RECORD.macroAbort) this.#macros.delete(sessionOf(view, at))
    else if (type === RECORD.macroCommit) this.#commitMacro(sessionOf(view, at), macroDbtimeOf(view, at))
    else if (touchesPages(type) && databaseIdOf(view, at) === this.#database.databaseId)
      visitPages(view, record, this.#visitorFor(sessionOf(view, at)))
  }

  /** Changes of a session that has a macro open are held until it ends. */
  #visitorFor(session: number): VisitPage {
    const held = this.#macros.get(session)
    if (held === undefined) return this.#redo
    return (page, dbtimeBefore) => {
      held.push({ page, dbtimeBefore })
    }
  }

  #commitMacro(session: number, dbtime: number): void {
    const held = this.#macros.get(session) ?? []
    this.#macros.delete(session)
    for (const { page, dbtimeBefore } of held) this.#redo(page, dbtimeBefore, dbtime)
  }

  readonly #redo: VisitPage = (page, dbtimeBefore, dbtime) => {
    const header = this.#header
    if (this.#fault !== null || header === null) return
    const attached = this.#at > this.#attachedFrom
    const beyondRequired = header.generation > this.#database.generationMaxRequired
    const pageDbtime = this.#pages.get(page) ?? this.#database.dbtimeOf(page)
    const verdict = judgeRedo({ attached, beyondRequired, pageDbtime, dbtimeBefore, dbtime })
    this.#references++
    if (isRedoFault(verdict)) {
      const position = positionOf(header, this.#at)
      this.#fault = { fault: verdict, page, pageDbtime, dbtimeBefore, dbtime, position }
      return
    }
    const applies = verdict === 'apply' || verdict === 'apply-new'
    if (applies) this.#applied++
    this.#pages.set(page, applies ? dbtime : pageDbtime)
  }
}

/** Behind which byte of a log its records belong to the life that began at `attach`. */
function attachedFrom(attach: LogPosition, header: LogHeader): number {
  if (header.generation > attach.generation) return -1
  if (header.generation < attach.generation) return Number.POSITIVE_INFINITY
  return attach.sector * header.sectorBytes + attach.byte
}
