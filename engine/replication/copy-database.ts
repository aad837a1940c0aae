import type { DatabaseProgress } from '../fact.ts'
import { type Generation, type GenerationRange, NO_GENERATION } from '../generation.ts'

/** The database of a copy as its instance knows it. */
export interface CopyDatabase {
  /**
   * `closed` until it is opened in the present session, `opening` meanwhile, `open` when logs may be replayed; `failed` when
   * only an operator can help.
   */
  readonly phase: 'closed' | 'opening' | 'open' | 'failed'
  /** What was told last, kept while the database is closed; all zeros before the first word. */
  readonly progress: DatabaseProgress
  /** The logs being replayed now, or null. Never beyond what is inspected. */
  readonly batch: GenerationRange | null
  /** What went wrong last, until a log is replayed again; null when nothing did. */
  readonly trouble: ReplayTrouble | null
  /** The log that proved damaged after its inspection, and how often; null when none did. */
  readonly damaged: { readonly generation: Generation; readonly times: number } | null
}

/** A replay that failed and is tried again. */
interface ReplayTrouble {
  readonly message: string
  readonly sinceMs: number
  /** Failures without a replayed log between them; sets how long the next wait is. */
  readonly faults: number
  /** Whether nothing but a seed helps: RTM tries again all the same. */
  readonly isFinal: boolean
}

/** A database of which nothing is known yet. */
export const UNSEEN_DATABASE: CopyDatabase = {
  phase: 'closed',
  progress: { replayedThrough: NO_GENERATION, logTimeMs: 0, requiredLow: NO_GENERATION, requiredHigh: NO_GENERATION },
  batch: null,
  trouble: null,
  damaged: null,
}

/** Whether nothing but a new baseline helps, as far as the copy has met it. */
export function mustBeSeeded(database: CopyDatabase | null): boolean {
  return database !== null && (database.phase === 'failed' || database.trouble?.isFinal === true)
}

/** The same database after everything under way was given up: it has to be opened again, unless that is of no use. */
export function closedDatabase(database: CopyDatabase): CopyDatabase {
  return { ...database, phase: database.phase === 'failed' ? 'failed' : 'closed', batch: null }
}

/** The same database after an operator asked for another look at it: what went wrong before is forgotten. */
export function unjudgedDatabase(database: CopyDatabase): CopyDatabase {
  return { ...UNSEEN_DATABASE, progress: database.progress }
}
