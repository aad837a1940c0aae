import { type Generation, type GenerationRange, higherOf, nextGeneration } from '../generation.ts'
import { type Attempt, chainEnd, draftOf, isLooking, mayCopy, nextNeeded, type ReplicaState } from './replica-state.ts'

/**
 * How many logs may be asked for beyond the last inspected one. Wide enough that the logs which are published do not hold up
 * those on the wire, and that one sync of the directory serves many (24 reached 1,030 MB/s where 48 to 192 reached 1,200, at a
 * tenth less CPU); narrow enough to bound what a suspension throws away. Bytes in memory are bounded by the copy worker's slots.
 */
export const COPY_WINDOW_LOGS = 64
/** Copies and inspections of one log before it counts as irrecoverable. Source: "will do this three times" (Exchange 2007). */
export const ATTEMPTS_MAX = 3
/** First wait before a postponed copy or a failed store is tried again, in milliseconds; doubles each time. */
const RETRY_MS_MIN = 1_000
/** Longest wait, in milliseconds: the 30 s after which the Replication service of Exchange restarts a failed instance. */
const RETRY_MS_MAX = 30_000

/** How long to wait before try number `failures` (from 1 on), in milliseconds: 1 s, 2 s, 4 s … 30 s. */
export function retryDelayMs(failures: number): number {
  return Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(failures - 1, 5))
}

/** What the copier wants next: ranges to ask for, and the state in which they are asked for. */
export interface CopyPlan {
  readonly ranges: readonly GenerationRange[]
  readonly state: ReplicaState
}

/**
 * Plans the next requests: first the failed logs whose wait is over, then new ones as far as the window and the announcement
 * reach. Strictly ascending; never a log that is already asked for or has arrived, and nothing while a missing log blocks all.
 */
export function planCopying(state: ReplicaState, nowMs: number): CopyPlan {
  const isBlocked = state.failure?.kind === 'missing' || (state.trial !== null && missingOnSource(state) !== 0)
  const isHeldUp = isLooking(state) || isBlocked
  if (!state.connected || !mayCopy(state) || isHeldUp) return { ranges: [], state }
  const due = state.attempts.filter((attempt) => isDue(state, attempt, nowMs))
  const fresh = freshRange(state)
  if (due.length === 0 && fresh === null) return { ranges: [], state }
  const retried = due.map(({ generation }) => ({ first: generation, last: generation }))
  const next = draftOf(state)
  next.attempts = state.attempts.map((attempt) => (due.includes(attempt) ? { ...attempt, retryAtMs: 0 } : attempt))
  if (fresh !== null) next.requested = fresh.last
  return { ranges: fresh === null ? retried : [...retried, fresh], state: next }
}

/**
 * The generation that blocks copying because the source does not hold it although it holds higher ones, or 0. Asked only while
 * the source is connected. Source: event 2059, "missing on the production copy".
 */
export function missingOnSource(state: ReplicaState): Generation | 0 {
  const { announcement } = state
  const next = nextNeeded(state)
  if (next > announcement.generated) return 0
  if (next < announcement.lowest) return next
  const isNothingThere = announcement.lowest === 0 && (announcement.missing > 0 || next < announcement.truncatedBelow)
  return announcement.missing === next || isNothingThere ? next : 0
}

/** The generations that are asked for and have neither arrived nor failed, ascending. */
export function outstandingLogs(state: ReplicaState): readonly Generation[] {
  const held = new Set<Generation>(state.arrived.map((log) => log.generation))
  for (const attempt of state.attempts) if (attempt.retryAtMs > 0) held.add(attempt.generation)
  const outstanding: Generation[] = []
  for (let g = nextGeneration(chainEnd(state).generation); g <= state.requested; g = nextGeneration(g)) {
    if (!held.has(g)) outstanding.push(g)
  }
  return outstanding
}

function freshRange(state: ReplicaState): GenerationRange | null {
  const next = nextNeeded(state)
  const first = higherOf(nextGeneration(state.requested), next)
  const windowEnd = next + COPY_WINDOW_LOGS - 1
  const last = Math.min(windowEnd, reach(state)) as Generation // the lower of two generations
  return first <= last ? { first, last } : null
}

/**
 * What may be asked for: logs that follow each other on the source. A hole that lies wholly below what is needed next (somebody
 * deleted a log that is here already) stops nothing; what is not there above it is told by the source log by log.
 */
function reach(state: ReplicaState): Generation {
  const { lowest, closedThrough, generated } = state.announcement
  return lowest > 0 && nextNeeded(state) > nextGeneration(closedThrough) ? generated : closedThrough
}

/** Its wait is over and it is still closed: a source that came back may announce less than before. */
function isDue(state: ReplicaState, { generation, retryAtMs }: Attempt, nowMs: number): boolean {
  return retryAtMs > 0 && retryAtMs <= nowMs && generation <= reach(state)
}
