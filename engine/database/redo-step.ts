import { ESE_ERROR_OF_REDO, type RedoChange, type RedoFault } from './redo.ts'
import type { TreeFault } from './tree-change.ts'

/**
 * What came of one record.
 *
 * | kind | what it means |
 * |---|---|
 * | `applied` | at least one page was changed |
 * | `skipped` | nothing to do: the pages have it, or it is not about pages of this database |
 * | `held` | it belongs to a macro that is open; it is done with the MacroCommit |
 * | `page-needed` | nothing was changed: read that page and give the same record again |
 * | `fault` | the record does not fit the page; nothing may be replayed after it |
 */
export type RedoStep =
  | { readonly kind: 'applied' | 'skipped' | 'held' }
  | PageNeeded
  | ({ readonly kind: 'fault' } & RedoStepFault)

/** A page that must be in memory before the record can be redone. */
export interface PageNeeded {
  readonly kind: 'page-needed'
  readonly page: number
  /**
   * The record makes the page new. A page that was never written, lies behind the end of the file or cannot be read is given as
   * one of zeros then; one that can be read is given as it is, since it may have the change already.
   */
  readonly isNew: boolean
}

/**
 * A record that does not fit. Beside the faults of redo: `no-such-line` and `page-full`, the page is not what the record found
 * although its dbtime says so; `bad-image`, a split carries no page that makes sense; `unknown-change`, a type or kind of
 * record that our engine never writes; `macro-too-long`.
 */
export interface RedoStepFault {
  readonly fault: RedoFault | TreeFault | 'macro-too-long'
  /** ESE's number. */
  readonly error: number
  readonly page: number
  readonly pageDbtime: number
  readonly dbtimeBefore: number
  readonly dbtime: number
}

/** `applied`; one object for all records, as are the two below. */
export const APPLIED: RedoStep = { kind: 'applied' }
/** `skipped`. */
export const SKIPPED: RedoStep = { kind: 'skipped' }
/** `held`. */
export const HELD: RedoStep = { kind: 'held' }

/** The log holds what cannot be. */
const LOG_CORRUPT = -501
/** The log is of a format that this engine does not redo. */
const BAD_LOG_VERSION = -514
/** The pages hold what cannot be. */
const DATABASE_CORRUPT = -1206

/** ESE's number for each fault. */
const ESE_ERROR_OF: Readonly<Record<RedoStepFault['fault'], number>> = {
  ...ESE_ERROR_OF_REDO,
  'no-such-line': DATABASE_CORRUPT,
  'page-full': DATABASE_CORRUPT,
  'bad-image': LOG_CORRUPT,
  'unknown-change': BAD_LOG_VERSION,
  'macro-too-long': LOG_CORRUPT,
}

/** The step that asks for a page. */
export function pageNeeded(page: number, isNew: boolean): PageNeeded {
  return { kind: 'page-needed', page, isNew }
}

/** The step that ends a replay; `change` is what was judged, of `page`. */
export function faultStep(
  fault: RedoStepFault['fault'],
  page: number,
  { pageDbtime, dbtimeBefore, dbtime }: Pick<RedoChange, 'pageDbtime' | 'dbtimeBefore' | 'dbtime'>,
): RedoStep {
  return { kind: 'fault', fault, error: ESE_ERROR_OF[fault], page, pageDbtime, dbtimeBefore, dbtime }
}
