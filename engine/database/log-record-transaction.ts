import { DBTIME_BYTES, readDbtime, writeDbtime } from './dbtime.ts'
import type { LogBytes } from './log-bytes.ts'
import { RECORD } from './log-record-table.ts'

/** Bytes of Begin0 and of Commit0. */
export const OUTER_TRANSACTION_BYTES = 8
/** Bytes of Begin, of Commit and of Rollback. */
export const INNER_TRANSACTION_BYTES = 4
/** Bytes of MacroBegin, of MacroCommit and of MacroAbort. */
export const MACRO_BYTES = 11

const SESSION = 1
const LEVELS = 3
const TRANSACTION = 4
const MACRO_DBTIME = 3

/** A session that goes deeper: from `level`, by `levels` at once, 1 or more. */
interface Deeper {
  readonly session: number
  readonly level: number
  readonly levels: number
}

/** Begin0: session `session` opens transaction `id`, `levels` deep. Returns where the next record goes; so do all below. */
export function writeBegin0(
  log: LogBytes,
  at: number,
  transaction: { readonly session: number; readonly id: number; readonly levels: number },
): number {
  const { session, id, levels } = transaction
  return writeOuter(log, at, { type: RECORD.begin0, session, levels: levels << 4, id }) // from level 0
}

/** Commit0: the outermost transaction of `session` is committed, as commit number `id`. */
export function writeCommit0(
  log: LogBytes,
  at: number,
  transaction: { readonly session: number; readonly id: number },
): number {
  const { session, id } = transaction
  return writeOuter(log, at, { type: RECORD.commit0, session, levels: 0, id }) // to level 0
}

/** Begin: `session`, which has a transaction open, goes deeper. */
export function writeBegin(log: LogBytes, at: number, deeper: Deeper): number {
  const { session, level, levels } = deeper
  return writeInner(log, at, { type: RECORD.begin, session, levels: (levels << 4) | level })
}

/** Commit: `session` comes back to `level`, which is 1 or more; only {@link writeCommit0} makes anything durable. */
export function writeCommit(
  log: LogBytes,
  at: number,
  inner: { readonly session: number; readonly level: number },
): number {
  return writeInner(log, at, { type: RECORD.commit, session: inner.session, levels: inner.level })
}

/** Rollback: `session` leaves `levels` levels, undone; what it had changed was undone by the records before. */
export function writeRollback(
  log: LogBytes,
  at: number,
  inner: { readonly session: number; readonly levels: number },
): number {
  return writeInner(log, at, { type: RECORD.rollback, session: inner.session, levels: inner.levels })
}

/** What a macro of a session says at its begin and at its end. */
interface Macro {
  readonly session: number
  /** The dbtime that every page of the macro gets; a macro that is aborted has it too. */
  readonly dbtime: number
}

/** MacroBegin: the records of `session` from here to its end are redone together or not at all. */
export function writeMacroBegin(log: LogBytes, at: number, macro: Macro): number {
  return writeMacro(log, at, { type: RECORD.macroBegin, session: macro.session, dbtime: macro.dbtime })
}

/** MacroCommit: the records of the macro are redone now. */
export function writeMacroCommit(log: LogBytes, at: number, macro: Macro): number {
  return writeMacro(log, at, { type: RECORD.macroCommit, session: macro.session, dbtime: macro.dbtime })
}

/** MacroAbort: the records of the macro are dropped. */
export function writeMacroAbort(log: LogBytes, at: number, macro: Macro): number {
  return writeMacro(log, at, { type: RECORD.macroAbort, session: macro.session, dbtime: macro.dbtime })
}

/** The session of a transaction, macro or page record at `at`. */
export function sessionOf(view: DataView, at: number): number {
  return view.getUint16(at + SESSION, true)
}

/** The transaction that a Begin0 at `at` opens, or the commit number of a Commit0. */
export function transactionOf(view: DataView, at: number): number {
  return view.getUint32(at + TRANSACTION, true)
}

/** The level that a Begin or Begin0 at `at` comes from. */
export function levelBefore(view: DataView, at: number): number {
  return view.getUint8(at + LEVELS) & 0x0f
}

/** How many levels a Begin or Begin0 at `at` opens. */
export function levelsOpened(view: DataView, at: number): number {
  return view.getUint8(at + LEVELS) >>> 4
}

/** The level that a Commit or Commit0 at `at` leads to, or how many levels a Rollback leaves. */
export function levelsOf(view: DataView, at: number): number {
  return view.getUint8(at + LEVELS)
}

/** The dbtime of a macro record at `at`. */
export function macroDbtimeOf(view: DataView, at: number): number {
  return readDbtime(view, at + MACRO_DBTIME)
}

function writeOuter(
  log: LogBytes,
  at: number,
  record: { type: number; session: number; levels: number; id: number },
): number {
  writeInner(log, at, record)
  log.view.setUint32(at + TRANSACTION, record.id, true)
  return at + OUTER_TRANSACTION_BYTES
}

function writeInner(log: LogBytes, at: number, record: { type: number; session: number; levels: number }): number {
  log.view.setUint8(at, record.type)
  log.view.setUint16(at + SESSION, record.session, true)
  log.view.setUint8(at + LEVELS, record.levels)
  return at + INNER_TRANSACTION_BYTES
}

function writeMacro(log: LogBytes, at: number, macro: Macro & { type: number }): number {
  log.view.setUint8(at, macro.type)
  log.view.setUint16(at + SESSION, macro.session, true)
  writeDbtime(log.view, at + MACRO_DBTIME, macro.dbtime)
  return at + MACRO_DBTIME + DBTIME_BYTES
}
