import type { ReplicaOrder } from '../order.ts'
import { abandonWork, type Failure, type ReplicaState, stopOrders } from './replica-state.ts'

type Stepped = readonly [ReplicaState, readonly ReplicaOrder[]]

/**
 * How long an instance of RTM that was started again takes itself for Healthy, in milliseconds: it works meanwhile, but neither
 * complains of a missing log nor replays one again that could not be replayed. Ours: long enough to be seen by a person who looks every few seconds, short beside the
 * 30 s after which a Failed instance is started again.
 */
export const TRIAL_MS = 5_000

/** An instance of RTM that was started again: it takes itself for Healthy and has yet to meet what is wrong. */
export interface Trial {
  /** In milliseconds since 1970. */
  readonly untilMs: number
  /** Message of the failure that it had before. */
  readonly forgot: string
}

/** What an instance stops for, and when it is started again. */
interface Stop {
  readonly failure: Failure | null
  readonly retryAtMs: number
  /** What is ordered once all work has stopped. */
  readonly orders: readonly ReplicaOrder[]
}

/** Stops everything; at `retryAtMs`, in milliseconds since 1970, the instance is started again by {@link startAgain}. */
export function stopUntilRetry(state: ReplicaState, { failure, retryAtMs, orders }: Stop): Stepped {
  return [
    { ...abandonWork(state), phase: 'waiting', failure, retryAtMs },
    [...stopOrders(state), ...orders, { kind: 'wake-at', atMs: retryAtMs }],
  ]
}

/**
 * Starts an instance again that had stopped: the store is looked at anew. With SP1 it stays Failed until the cause is seen to be gone.
 * With RTM it forgets why it had failed and is on trial: Healthy until it meets the same again, for ever.
 *
 * Source: what SP1 changed in Get-StorageGroupCopyStatus (Microsoft bb629521).
 */
export function startAgain(state: ReplicaState, nowMs: number): Stepped {
  const { session, failure, connected } = state
  const next: ReplicaState = { ...state, phase: 'checking' }
  const check = { kind: 'check-store', session } as const
  if (failure === null || !isForgotten(state, failure)) return [next, [check]]
  const untilMs = nowMs + TRIAL_MS
  const { sinceMs } = failure
  const lost: Failure = { kind: 'transient', message: 'the source cannot be reached', sinceMs }
  return [
    { ...next, failure: connected ? null : lost, trial: { untilMs, forgot: failure.message } },
    [check, { kind: 'wake-at', atMs: untilMs }],
  ]
}

/** The same once the trial is over: from here on the instance meets what is wrong. */
export function endTrial(state: ReplicaState, nowMs: number): ReplicaState {
  const { trial } = state
  return trial === null || nowMs < trial.untilMs ? state : { ...state, trial: null }
}

/** A refused log and a diverged stream stay what they are with RTM too. */
function isForgotten({ release, database }: ReplicaState, { kind, message }: Failure): boolean {
  return release === 'rtm' && (kind === 'transient' || kind === 'missing' || message === database?.trouble?.message)
}
