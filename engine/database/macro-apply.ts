import { NO_DBTIME } from './dbtime.ts'
import type { LogRecord } from './log-record.ts'
import { readMerge2 } from './log-record-merge.ts'
import { databaseIdOf, pageOf } from './log-record-page.ts'
import { RECORD } from './log-record-table.ts'
import { readSplit2 } from './log-record-tree.ts'
import { type OpenMacro, recordsOfMacro } from './open-macros.ts'
import { type Page, pageDbtime, setPageDbtime } from './page.ts'
import { changesOwnPage } from './page-changer.ts'
import { touchesPages, visitPages } from './page-reference.ts'
import { isRedoFault } from './redo.ts'
import { judgePage, type RedoContext } from './redo-context.ts'
import { APPLIED, faultStep, pageNeeded, type RedoStep, SKIPPED } from './redo-step.ts'
import { changeByMerge, changeBySplit, type TreeFault } from './tree-change.ts'

/** A macro whose MacroCommit is met. */
interface MacroWork {
  readonly redo: RedoContext
  readonly macro: OpenMacro
  /** Of the MacroCommit. */
  readonly dbtime: number
  /** Its pages by number; null for one that has the change already. */
  readonly pages: Map<number, Page | null>
}

/**
 * Redoes the records of a macro as one change of all their pages. Each page is judged once, by the first record that names it,
 * and takes the dbtime of the macro; so some pages may have the change while others lack it, and each is right afterwards.
 *
 * @param dbtime of the MacroCommit
 */
export function applyMacro(redo: RedoContext, macro: OpenMacro, dbtime: number): RedoStep {
  const work: MacroWork = { redo, macro, dbtime, pages: new Map() }
  return judgePages(work) ?? changePages(work)
}

/** Judges every page of the macro. Nothing is changed yet; what is wrong or missing ends it here. */
function judgePages(work: MacroWork): RedoStep | null {
  const { redo, macro } = work
  const { view } = macro.log
  const cursor = recordsOfMacro(macro)
  let stop: RedoStep | null = null
  const visit = (page: number, dbtimeBefore: number): void => {
    if (stop === null && !work.pages.has(page)) stop = judgeOne(work, page, dbtimeBefore)
  }
  while (stop === null && cursor.next()) {
    if (!isOurs(work, cursor)) continue
    if (!isKnown(cursor.type)) return faultStep('unknown-change', pageOf(view, cursor.at), redo.change)
    visitPages(view, cursor, visit)
  }
  return stop
}

/** Whether a record is about pages of this database. */
function isOurs({ redo, macro }: MacroWork, { type, at }: LogRecord): boolean {
  return touchesPages(type) && databaseIdOf(macro.log.view, at) === redo.databaseId
}

function isKnown(type: number): boolean {
  return type === RECORD.split2 || type === RECORD.merge2 || changesOwnPage(type)
}

function judgeOne({ redo, dbtime, pages }: MacroWork, number: number, dbtimeBefore: number): RedoStep | null {
  const page = redo.pool.find(number)
  if (page === null) return pageNeeded(number, dbtimeBefore === NO_DBTIME)
  const verdict = judgePage(redo, { pageDbtime: pageDbtime(page), dbtimeBefore, dbtime })
  if (isRedoFault(verdict)) return faultStep(verdict, number, redo.change)
  pages.set(number, verdict === 'apply' || verdict === 'apply-new' ? page : null)
  return null
}

/** Makes the changes on the pages that lack them. */
function changePages(work: MacroWork): RedoStep {
  const { redo, macro, dbtime, pages } = work
  const cursor = recordsOfMacro(macro)
  while (cursor.next()) {
    const fault = isOurs(work, cursor) ? changeByRecord(work, cursor) : null
    if (fault !== null) return faultStep(fault, pageOf(macro.log.view, cursor.at), redo.change)
  }
  let applied = false
  for (const [number, page] of pages) {
    if (page === null) continue
    setPageDbtime(page, dbtime)
    redo.pool.changed(number, macro.begin)
    applied = true
  }
  return applied ? APPLIED : SKIPPED
}

function changeByRecord({ redo, macro, pages }: MacroWork, record: LogRecord): TreeFault | null {
  const { log } = macro
  const lookup = (number: number): Page | null => pages.get(number) ?? null
  if (record.type === RECORD.split2) return changeBySplit(readSplit2(log, record.at), lookup, redo.image)
  if (record.type === RECORD.merge2) return changeByMerge(readMerge2(log, record.at), lookup)
  const page = lookup(pageOf(log.view, record.at))
  return page === null ? null : redo.changer.change(page, log, record)
}
