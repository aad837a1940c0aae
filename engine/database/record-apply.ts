import { NO_DBTIME } from './dbtime.ts'
import type { LogBytes } from './log-bytes.ts'
import type { LogHeader } from './log-header.ts'
import { positionOf } from './log-position.ts'
import type { LogRecord } from './log-record.ts'
import { databaseIdOf, dbtimeBeforeOf, dbtimeOf, pageOf } from './log-record-page.ts'
import { RECORD } from './log-record-table.ts'
import { macroDbtimeOf, sessionOf } from './log-record-transaction.ts'
import { applyMacro } from './macro-apply.ts'
import { pageDbtime, setPageDbtime } from './page.ts'
import { changesOwnPage } from './page-changer.ts'
import { touchesPages } from './page-reference.ts'
import { isRedoFault, judgeRedo } from './redo.ts'
import type { RedoContext } from './redo-context.ts'
import { APPLIED, faultStep, HELD, pageNeeded, type RedoStep, SKIPPED } from './redo-step.ts'

/** The log that a record lies in; a `LogBuffer` is one. */
export interface RedoLog {
  readonly header: Pick<LogHeader, 'generation' | 'sectorBytes'>
  readonly log: LogBytes
}

/**
 * Makes the change that a record tells of, where its pages lack it. This is the only way in which a page of a database changes: a
 * store writes its record and applies it, recovery and replay apply what they read. Records go in in the order of the log, all
 * of them, those of other types and databases too.
 *
 * After `page-needed` nothing is changed; the caller has the page read and gives the same record once more. After `fault` the
 * pages of the record, and of its macro, may be changed in part, and nothing may be redone any more.
 *
 * A node is inserted without flags, whatever the record says of versions: nobody would take the flag away with a logged change.
 *
 * @param record a cursor will do; it is not kept
 */
export function applyRecord(redo: RedoContext, source: RedoLog, record: LogRecord): RedoStep {
  const { type, at } = record
  const { view } = source.log
  if (!touchesPages(type)) return applyMark(redo, source, record)
  if (databaseIdOf(view, at) !== redo.databaseId) return SKIPPED
  if (redo.macros.count > 0 && redo.macros.has(sessionOf(view, at))) return hold(redo, source, record)
  if (!redo.attached) return SKIPPED
  return changesOwnPage(type) ? applyToOwnPage(redo, source, record) : applyAlone(redo, source, record)
}

/** The common case: one record, one page. */
function applyToOwnPage(redo: RedoContext, { header, log }: RedoLog, record: LogRecord): RedoStep {
  const { at } = record
  const { view } = log
  const number = pageOf(view, at)
  const dbtimeBefore = record.type === RECORD.createSingleExtent ? NO_DBTIME : dbtimeBeforeOf(view, at)
  const page = redo.pool.find(number)
  if (page === null) return pageNeeded(number, dbtimeBefore === NO_DBTIME)
  const { change } = redo
  change.attached = true
  change.beyondRequired = header.generation > redo.generationMaxRequired
  change.pageDbtime = pageDbtime(page)
  change.dbtimeBefore = dbtimeBefore
  change.dbtime = dbtimeOf(view, at)
  const verdict = judgeRedo(change)
  if (verdict !== 'apply' && verdict !== 'apply-new')
    return isRedoFault(verdict) ? faultStep(verdict, number, change) : SKIPPED
  const fault = redo.changer.change(page, log, record)
  if (fault !== null) return faultStep(fault, number, change)
  setPageDbtime(page, change.dbtime)
  redo.pool.changed(number, positionOf(header, at))
  return APPLIED
}

/** A record that belongs into a macro of its session. */
function hold({ macros, change }: RedoContext, { log }: RedoLog, record: LogRecord): RedoStep {
  if (macros.keep(sessionOf(log.view, record.at), log, record)) return HELD
  return faultStep('macro-too-long', pageOf(log.view, record.at), change)
}

/** A record that changes several pages is a macro of its own where it lies outside of any. */
function applyAlone(redo: RedoContext, source: RedoLog, record: LogRecord): RedoStep {
  const session = sessionOf(source.log.view, record.at)
  redo.macros.open(session, positionOf(source.header, record.at))
  const held = hold(redo, source, record)
  const step = held === HELD ? commitMacro(redo, source, record) : held
  redo.macros.end(session)
  return step
}

/** Records that name no page: of them, those count that begin and end a macro. */
function applyMark(redo: RedoContext, source: RedoLog, record: LogRecord): RedoStep {
  const { view } = source.log
  const { type, at } = record
  if (type === RECORD.macroBegin) {
    redo.macros.open(sessionOf(view, at), positionOf(source.header, at))
    return HELD
  }
  if (type === RECORD.macroAbort) redo.macros.end(sessionOf(view, at))
  if (type !== RECORD.macroCommit) return SKIPPED
  const step = commitMacro(redo, source, record)
  if (step.kind !== 'page-needed') redo.macros.end(sessionOf(view, at))
  return step
}

/** Redoes the open macro of the session of `record`: its MacroCommit, or the only record that it has. */
function commitMacro(redo: RedoContext, { header, log }: RedoLog, { type, at }: LogRecord): RedoStep {
  const macro = redo.macros.of(sessionOf(log.view, at))
  if (macro === null || !redo.attached) return SKIPPED
  redo.change.attached = true
  redo.change.beyondRequired = header.generation > redo.generationMaxRequired
  const dbtime = type === RECORD.macroCommit ? macroDbtimeOf(log.view, at) : dbtimeOf(log.view, at)
  return applyMacro(redo, macro, dbtime)
}
