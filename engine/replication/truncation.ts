import { type Generation, type GenerationRange, lowerOf, NO_GENERATION, previousGeneration } from '../generation.ts'
import type { ReplicaState } from './replica-state.ts'
import { lagReleasesThrough } from './standby-lag.ts'

/**
 * What the copy may delete: logs that the source has truncated, and never the newest inspected one, whose header the next log
 * is checked against after a restart, nor one that its database needs to recover. Null when nothing may go or a deletion is under way.
 * A standby target keeps them for its lag besides. Asked only of a copy that may work.
 *
 * Source: the truncate deletor acts per copy, so that both sides end with the same lower edge, a short time apart.
 */
export function planCopyTruncation(state: ReplicaState, nowMs: number): GenerationRange | null {
  if (state.deleting || state.lowest === 0) return null
  const last = lowerOf(releasedThrough(state), lagReleasesThrough(state, nowMs))
  return last >= state.lowest ? { first: state.lowest, last } : null
}

/** Everything through here may go whatever the time is. */
export function releasedThrough(state: ReplicaState): Generation {
  const released = lowerOf(previousGeneration(state.announcement.truncatedBelow), previousGeneration(state.inspected))
  return lowerOf(released, unrequiredThrough(state))
}

/** Everything through here may go as far as the database is concerned; 0 while it was not opened. */
function unrequiredThrough({ database, inspected }: ReplicaState): Generation {
  if (database === null) return inspected
  return database.phase === 'open' ? previousGeneration(database.progress.requiredLow) : NO_GENERATION
}
