import { formatGeneration } from '../generation.ts'
import type { ReplicaOrder } from '../order.ts'
import { missingOnSource, retryDelayMs } from './copier.ts'
import type { Failure, ReplicaState } from './replica-state.ts'
import { stopUntilRetry } from './restart.ts'

type Stepped = readonly [ReplicaState, readonly ReplicaOrder[]]

/**
 * A log that the source lacks although it has higher ones blocks the copy. With SP1 it is Failed until the log is put back, and goes on
 * then at once. With RTM the instance stops, and is started again and again to meet the same.
 */
export function watchForMissing(state: ReplicaState, nowMs: number): Stepped {
  if (!state.connected || state.trial !== null) return [state, []]
  const missing = missingOnSource(state)
  if (missing === 0) return state.failure?.kind === 'missing' ? [foundAgain(state, nowMs), []] : [state, []]
  if (state.failure !== null && state.failure.kind !== 'transient') return [state, []]
  const message = `log ${formatGeneration(missing)} is missing on the source`
  const event = { kind: 'raise-event', id: 2059, values: [formatGeneration(missing)] } as const
  const failure: Failure = { kind: 'missing', message, sinceMs: nowMs }
  if (state.release === 'sp1') return [{ ...state, failure }, [event]]
  const faults = state.faults + 1
  const [stopped, orders] = stopUntilRetry(state, { failure, retryAtMs: nowMs + retryDelayMs(faults), orders: [event] })
  return [{ ...stopped, faults }, orders]
}

/** The log was put back: what was postponed because of it is asked for at once. */
function foundAgain(state: ReplicaState, nowMs: number): ReplicaState {
  const attempts = state.attempts.map((attempt) => (attempt.retryAtMs > 0 ? { ...attempt, retryAtMs: nowMs } : attempt))
  return { ...state, failure: null, attempts }
}
