import { assert } from '../assert.ts'
import type { DatabaseProgress } from '../fact.ts'
import {
  formatGeneration,
  type Generation,
  type GenerationRange,
  higherOf,
  lowerOf,
  NO_GENERATION,
  nextGeneration,
  previousGeneration,
  rangeLength,
} from '../generation.ts'
import type { ReplicaOrder } from '../order.ts'
import type { CopyDatabase } from './copy-database.ts'
import { isAtRest, isLooking, type ReplicaState } from './replica-state.ts'
import { replayableThrough } from './standby-lag.ts'

type Stepped = readonly [ReplicaState, readonly ReplicaOrder[]]

/**
 * How many logs one replay batch may have. Logs that follow each other change the same pages again, so a page that many of
 * them change is written once for a batch; and a batch ends with one flush and one header. 32 logs of 1 MiB are 32 MiB of redo:
 * so much at most is redone again after a crash, and by so much the lower edge of the required logs, and with it truncation on
 * the source, lags behind. Source: the first service pack of Exchange 2007 replays in batches, which brought the I/O of a
 * passive from two or three times that of its active down to about the same.
 */
export const REPLAY_BATCH_LOGS_MAX = 32

/** How a batch stands: the counters ReplayBatchSize, ReplayGenerationsComplete and ReplayGenerationsRemaining of Exchange. */
export interface ReplayBatch {
  /** Logs in the batch that is being replayed; 0 when none is. */
  readonly size: number
  readonly complete: number
  readonly remaining: number
}

/** How the present batch stands. */
export function replayBatch({ database }: ReplicaState): ReplayBatch {
  const batch = database?.batch ?? null
  if (database === null || batch === null) return { size: 0, complete: 0, remaining: 0 }
  const size = rangeLength(batch)
  const complete = Math.max(0, database.progress.replayedThrough - batch.first + 1)
  return { size, complete, remaining: size - complete }
}

/**
 * Everything through here is replayed: what status and report say. Never more than is inspected: a database may hold the changes
 * of logs that somebody deleted since, and they are inspected anew.
 */
export function replayedThrough({ database, inspected }: ReplicaState): Generation {
  return database === null ? NO_GENERATION : lowerOf(database.progress.replayedThrough, inspected)
}

/** Everything through here is done: replayed, or inspected where nothing is replayed, or later on purpose. */
export function doneThrough(state: ReplicaState): Generation {
  return state.database === null || state.lag !== null ? state.inspected : replayedThrough(state)
}

/** Logs that are inspected and not yet replayed: what a person calls the replay queue. 0 for a copy that keeps logs only. */
export function replayQueueLength(state: ReplicaState): number {
  return state.database === null ? 0 : state.inspected - replayedThrough(state)
}

/**
 * Sets the replayer to work: opens the database, then replays what is inspected, one batch after the other. A failure of the
 * copier does not keep it from replaying what is here; the failure of the replay itself does.
 */
export function driveReplay(state: ReplicaState, nowMs: number): Stepped {
  const { database } = state
  if (database === null || state.phase !== 'running' || isAtRest(state)) return [state, []]
  if (database.phase === 'closed') {
    const order = { kind: 'open-database', session: state.session } as const
    return [{ ...state, database: { ...database, phase: 'opening' } }, [order]]
  }
  const range = planReplay(state, nowMs)
  if (range === null) return [state, []]
  const order = { kind: 'replay-logs', session: state.session, range } as const
  return [{ ...state, database: { ...database, batch: range } }, [order]]
}

/**
 * The next batch, or null when there is nothing to replay or something is being replayed. What is checked before each batch:
 *
 * 1. The first log that recovery needs is here, or not yet there at all: a crash in the middle must leave a database that
 *    can be brought back. ({@link databaseOpened} sees to it that it is copied again.)
 * 2. The batch follows what is replayed, and everything between is inspected: a run without a gap.
 * 3. It ends at the last inspected log at the latest, and on a standby target at the last one that its lag lets go.
 * 4. The copy has looked at its source: logs that its source does not have must not come into the database, where they cannot be
 *    taken out again.
 * 5. An instance of RTM that was started again because a replay failed is past its trial.
 *
 * Signature, checkpoint and the file itself are checked where the database is opened. Source: the replayer of Exchange 2007.
 */
export function planReplay(state: ReplicaState, nowMs: number): GenerationRange | null {
  const { database, lowest } = state
  if (database?.phase !== 'open' || database.batch !== null || mayBeDiverged(state) || isPutOff(state)) return null
  const { replayedThrough: replayed, requiredLow } = database.progress
  const first = nextGeneration(replayed)
  const through = replayableThrough(state, nowMs)
  if (first > through || first < lowest || requiredLow < lowest) return null
  const last = Math.min(through, replayed + REPLAY_BATCH_LOGS_MAX) as Generation // the lower of two generations
  return { first, last }
}

/** Whether what failed is put off to the end of a trial. */
function isPutOff({ trial, database }: ReplicaState): boolean {
  return trial !== null && database !== null && database.trouble !== null
}

/** Whether the logs here may be other ones than those of the source, as far as is known. */
function mayBeDiverged(state: ReplicaState): boolean {
  const { look, stream, announcement } = state
  return isLooking(state) || (look === 'by-next-log' && stream !== announcement.stream)
}

/**
 * The database is open. When it needs logs below those that are here (somebody deleted them, or the database was lost and is
 * built anew), the copy begins again with the first that it needs: the copier asks for it, and what lies above is inspected
 * again as it comes. A log that the source has no more makes the copy Failed by the copier's own rule.
 */
export function databaseOpened(state: ReplicaState, progress: DatabaseProgress): Stepped {
  const database = openDatabase(state)
  checkProgress(progress)
  const opened: ReplicaState = { ...state, database: { ...database, phase: 'open', progress } }
  const event = { kind: 'raise-event', id: 300, values: [formatGeneration(progress.requiredLow)] } as const
  const known = state.lowest > progress.requiredLow ? fromBelow(opened, progress.requiredLow) : opened
  return [nothingLeft(known) ? withoutTrouble(known) : known, [event]]
}

/** Logs are replayed, or fewer of them are required. What went wrong before is over once a log is replayed. */
export function replayProgressed(state: ReplicaState, progress: DatabaseProgress): ReplicaState {
  const { database } = state
  assert(database?.phase === 'open', 'what is replayed goes into an open database')
  const before = database.progress
  checkProgress(progress)
  assert(progress.replayedThrough >= before.replayedThrough, 'what is replayed never goes back')
  assert(progress.requiredLow >= before.requiredLow, 'what is required never goes back')
  const last = database.batch?.last ?? before.replayedThrough
  assert(progress.replayedThrough <= last, 'only what was ordered is replayed')
  const batch = progress.replayedThrough === last ? null : database.batch
  const isPast = (database.damaged?.generation ?? progress.replayedThrough) <= progress.replayedThrough
  const damaged = isPast ? null : database.damaged
  const next: ReplicaState = { ...state, database: { ...database, progress, batch, damaged } }
  return progress.replayedThrough > before.replayedThrough ? withoutTrouble(next) : next
}

/** The database came to rest: what the status says until it is opened again. */
export function replayStopped(state: ReplicaState, progress: DatabaseProgress): ReplicaState {
  const { database } = state
  if (database === null || database.phase !== 'closed') return state
  checkProgress(progress)
  return { ...state, database: { ...database, progress } }
}

/** Nothing waits to be replayed: a database that could be opened then has nothing wrong with it. */
function nothingLeft({ database, inspected }: ReplicaState): boolean {
  return database !== null && database.progress.replayedThrough >= inspected
}

function withoutTrouble(state: ReplicaState): ReplicaState {
  const { database } = state
  return database === null || database.trouble === null ? state : { ...state, database: { ...database, trouble: null } }
}

function fromBelow(state: ReplicaState, requiredLow: Generation): ReplicaState {
  const inspected = previousGeneration(requiredLow)
  return {
    ...state,
    lowest: NO_GENERATION,
    inspected,
    above: higherOf(state.above, state.inspected),
    identity: null,
    inspectedTimeMs: 0,
    copied: inspected,
    copiedTimeMs: 0,
    requested: inspected,
  }
}

function openDatabase({ database }: ReplicaState): CopyDatabase {
  assert(database?.phase === 'opening', 'a database is opened when that was ordered')
  return database
}

function checkProgress({ replayedThrough: replayed, requiredLow, requiredHigh }: DatabaseProgress): void {
  assert(
    requiredLow >= 1 && requiredLow <= replayed + 1,
    'the first required log follows what is replayed, or is below',
  )
  assert(requiredHigh === 0 || requiredHigh + 1 >= requiredLow, 'the required logs are a range')
}
