import { NO_DBTIME } from './dbtime.ts'

/** A change that a record tells of, and the page that it is for, as redo meets them. */
export interface RedoChange {
  /** Whether the database was attached where the record lies, in the life that its header tells of. */
  readonly attached: boolean
  /** Whether the record lies in a generation above the highest that the database says it needs. */
  readonly beyondRequired: boolean
  /** The dbtime that the page has now; 0 for a page that was never written. */
  readonly pageDbtime: number
  /** The dbtime that the record found; `NO_DBTIME` where that does not count: the page is new. */
  readonly dbtimeBefore: number
  /** The dbtime that the record leaves. */
  readonly dbtime: number
}

/**
 * What redo does with a change.
 *
 * | verdict | what it means | ESE's number |
 * |---|---|---|
 * | `apply` | the page is as the record found it | |
 * | `apply-new` | the page is new, whatever lies there is older | |
 * | `already-applied` | the page has this change or a later one: skip | |
 * | `not-attached` | the record belongs to an earlier life of the database: skip | |
 * | `too-old` | a change between is missing: a lost write, or the log of another history | -566 |
 * | `too-new` | the page has a change that this history has not | -567 |
 * | `from-the-future` | the page has the change, although the database says that it cannot | -625 |
 */
export type RedoVerdict =
  | 'apply'
  | 'apply-new'
  | 'already-applied'
  | 'not-attached'
  | 'too-old'
  | 'too-new'
  | 'from-the-future'

/** The verdicts that end a replay. */
export type RedoFault = Extract<RedoVerdict, 'too-old' | 'too-new' | 'from-the-future'>

/** ESE's error number for each. */
export const ESE_ERROR_OF_REDO: Readonly<Record<RedoFault, number>> = {
  'too-old': -566,
  'too-new': -567,
  'from-the-future': -625,
}

/**
 * The rule of redo: a page knows by its dbtime which changes it has, so a log may be replayed from any earlier point, twice
 * or after a crash in the middle, and each change takes effect once. Source: the engine's rule, checked on real databases.
 */
export function judgeRedo(change: RedoChange): RedoVerdict {
  const { pageDbtime, dbtimeBefore, dbtime } = change
  if (!change.attached) return 'not-attached'
  if (pageDbtime >= dbtime) return change.beyondRequired ? 'from-the-future' : 'already-applied'
  if (dbtimeBefore === NO_DBTIME) return 'apply-new'
  if (pageDbtime === dbtimeBefore) return 'apply'
  return pageDbtime < dbtimeBefore ? 'too-old' : 'too-new'
}

/** Whether a verdict ends the replay. */
export function isRedoFault(verdict: RedoVerdict): verdict is RedoFault {
  return verdict in ESE_ERROR_OF_REDO
}
