import type { DatabaseProgress } from '../fact.ts'
import type { ReplicaOrder } from '../order.ts'
import type { ReplicaState } from './replica-state.ts'
import { lagAfterReplay, lagEndsAtMs } from './standby-lag.ts'
import { releasedThrough } from './truncation.ts'

/** Notes when logs were replayed: the truncation lag of a standby target begins then. */
export function timedReplay(
  state: ReplicaState,
  { progress, nowMs }: { readonly progress: DatabaseProgress; readonly nowMs: number },
): ReplicaState {
  const { lag } = state
  return lag === null ? state : { ...state, lag: lagAfterReplay(lag, progress.replayedThrough, nowMs) }
}

/** Asks once for each moment at which the lag lets something go. */
export function awaitLag(state: ReplicaState, nowMs: number): readonly [ReplicaState, readonly ReplicaOrder[]] {
  const { lag } = state
  const atMs = lagEndsAtMs(state, releasedThrough(state), nowMs)
  if (lag === null || atMs === null || atMs === lag.wakeAtMs) return [state, []]
  return [{ ...state, lag: { ...lag, wakeAtMs: atMs } }, [{ kind: 'wake-at', atMs }]]
}
