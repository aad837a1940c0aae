import { assert } from '../assert.ts'
import type { LogBuffer } from './log-buffer.ts'
import type { LogBytes } from './log-bytes.ts'
import { type LogPosition, positionOf } from './log-position.ts'
import type { NodeChange } from './log-record-page.ts'
import { RECORD } from './log-record-table.ts'
import { MACRO_BYTES, writeMacroBegin, writeMacroCommit } from './log-record-transaction.ts'
import type { Page } from './page.ts'
import { touchesPages } from './page-reference.ts'
import { applyRecord } from './record-apply.ts'
import type { RedoContext } from './redo-context.ts'
import { type PageNeeded, pageNeeded } from './redo-step.ts'

/**
 * Why a step cannot be made now. What it lacks is for its owner to get; then the same step is made once more. `log-full`: so many
 * bytes of records must fit into the open log, so it has to be rolled. `memory-needed`: the pool has no memory for a new page.
 */
export type Blocked =
  | PageNeeded
  | { readonly kind: 'log-full'; readonly bytes: number }
  | { readonly kind: 'memory-needed'; readonly page: number }

/** A record to write: its length, and how it is laid. */
export interface RecordDraft {
  readonly bytes: number
  readonly lay: (log: LogBytes, at: number) => number
}

/** What a writer begins with. */
interface WriterStart {
  readonly redo: RedoContext
  readonly log: LogBuffer
  /** The highest dbtime that was ever given; 0 in a new database. */
  readonly dbtime: number
}

/** What a change of a tree's own making says of its author: no session, no transaction, no version. */
export const NO_AUTHOR: Pick<NodeChange, 'session' | 'transaction' | 'level' | 'flags' | 'version'> = {
  session: 0,
  transaction: 0,
  level: 0,
  flags: 0,
  version: 0,
}

/** Split2 and Merge2 came with this update of format 7,3704: Exchange 2007 SP1 wrote 12. */
const UPDATE_MIN = 11
/** A split carries one page; with this many even the smallest logs have room for it beside their header. */
const LOG_PAGES_MIN = 6

/**
 * Writes records into the open log and applies them at once, by the function that redo uses: there is no other way to change a
 * page. It gives out the dbtimes.
 *
 * A class, since the log and the dbtime go on from one record to the next.
 */
export class ChangeWriter {
  readonly redo: RedoContext
  #log: LogBuffer
  #dbtime: number

  constructor({ redo, log, dbtime }: WriterStart) {
    this.redo = redo
    this.#log = this.#checked(log)
    this.#dbtime = dbtime
  }

  /** The highest dbtime given out so far: what a header of a log or of the database says. */
  get dbtime(): number {
    return this.#dbtime
  }

  /** The size of the database's pages. */
  get pageBytes(): number {
    return this.redo.image.bytes.byteLength
  }

  /** Where the next record would begin, or the last one has ended. */
  get position(): LogPosition {
    return positionOf(this.#log.header, this.#log.end)
  }

  /** The owner has rolled the log: records go into the next one from now on. */
  continueIn(log: LogBuffer): void {
    this.#log = this.#checked(log)
  }

  /** A page that must be in memory. */
  find(number: number): Page | PageNeeded {
    return this.redo.pool.find(number) ?? pageNeeded(number, false)
  }

  /** Null where records of so many bytes fit into the open log. */
  lacksRoom(bytes: number): Blocked | null {
    return bytes <= this.#log.room ? null : { kind: 'log-full', bytes }
  }

  /** Memory for a page that was never written, as zeros; null where there is. The log must have room for the change before. */
  makePage(number: number): Blocked | null {
    const page = this.redo.pool.make(number)
    if (page === null) return { kind: 'memory-needed', page: number }
    page.bytes.fill(0)
    return null
  }

  /** The dbtime of the next change. */
  nextDbtime(): number {
    this.#dbtime += 1
    return this.#dbtime
  }

  /** Writes a record and applies it. Its pages are in memory and the log has room for it: that was looked up before. */
  write({ bytes, lay }: RecordDraft): void {
    const log = this.#log
    const at = log.reserve(bytes)
    const end = lay(log.log, at)
    assert(end === at + bytes, 'a record has the length that was reserved')
    const type = log.log.view.getUint8(at)
    const { kind } = applyRecord(this.redo, log, { type, at, bytes })
    const isChange = touchesPages(type) || type === RECORD.macroCommit
    assert(kind === 'applied' || kind === 'held' || !isChange, 'a record fits the pages that it was made for')
  }

  /** Writes records as one macro, at `dbtime`. */
  writeMacro(dbtime: number, records: readonly RecordDraft[]): void {
    const macro = { session: NO_AUTHOR.session, dbtime }
    this.write({ bytes: MACRO_BYTES, lay: (log, at) => writeMacroBegin(log, at, macro) })
    for (const record of records) this.write(record)
    this.write({ bytes: MACRO_BYTES, lay: (log, at) => writeMacroCommit(log, at, macro) })
  }

  #checked(log: LogBuffer): LogBuffer {
    assert(log.header.version.update >= UPDATE_MIN, 'the log is of update 11 or later, which has Split2 and Merge2')
    assert(log.log.bytes.byteLength >= LOG_PAGES_MIN * this.pageBytes, 'an empty log has room for any macro')
    return log
  }
}

/** Bytes of a macro with these records. */
export function macroBytes(records: readonly Pick<RecordDraft, 'bytes'>[]): number {
  return records.reduce((sum, { bytes }) => sum + bytes, 2 * MACRO_BYTES)
}

/** The kinds of {@link Blocked}; no other answer has one of them. */
const BLOCKED_KINDS: ReadonlySet<unknown> = new Set<Blocked['kind']>(['page-needed', 'log-full', 'memory-needed'])

/** Whether an answer says what is lacking; any other is what was asked for. */
export function isBlocked(answer: unknown): answer is Blocked {
  return typeof answer === 'object' && answer !== null && 'kind' in answer && BLOCKED_KINDS.has(answer.kind)
}
