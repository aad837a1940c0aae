import type { CopyCondition, CopyReport } from '../fact.ts'
import type { ReplicaOrder } from '../order.ts'
import { replayedThrough } from './replayer.ts'
import { draftOf, type ReplicaState } from './replica-state.ts'

/** Tells the source how the copy stands, when that is another report than the last; not while the copy is frozen. */
export function report(state: ReplicaState, nowMs: number): readonly [ReplicaState, readonly ReplicaOrder[]] {
  if (state.phase === 'unstarted' || !state.connected || state.frozen) return [state, []]
  const condition = conditionOf(state)
  const old = state.reported
  const replayed = replayedThrough(state)
  const requiredLow = state.database?.progress.requiredLow ?? null
  const isKnown = old !== null && old.replayed === replayed && old.requiredLow === requiredLow
  const isTold = isKnown && old.stream === state.stream
  if (isTold && old.inspected === state.inspected && old.condition === condition) return [state, []]
  const sinceMs = old !== null && old.condition === condition ? old.sinceMs : sinceOf(state, nowMs)
  const { inspected, stream } = state
  const told: CopyReport = { inspected, replayed, requiredLow, condition, stream, sinceMs }
  const fresh: CopyReport = state.lag === null ? told : { ...told, kind: 'scr' }
  const next = draftOf(state)
  next.reported = fresh
  return [next, [{ kind: 'report-progress', report: fresh }]]
}

function conditionOf(state: ReplicaState): CopyCondition {
  if (state.suspension !== null) return 'suspended'
  return state.failure !== null ? 'failed' : 'running'
}

function sinceOf(state: ReplicaState, nowMs: number): number {
  return state.suspension?.sinceMs ?? state.failure?.sinceMs ?? nowMs
}
