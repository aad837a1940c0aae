import type { ReplicaFact } from '../fact.ts'
import type { ReplicaOrder } from '../order.ts'
import { provenByLog } from './divergence.ts'
import { replayFailed } from './replay-failure.ts'
import { databaseOpened, replayProgressed } from './replayer.ts'
import type { ReplicaState } from './replica-state.ts'
import { timedReplay } from './standby.ts'

type Stepped = readonly [ReplicaState, readonly ReplicaOrder[]]
type ReplayFact = Extract<
  ReplicaFact,
  { kind: 'database-opened' | 'logs-replayed' | 'checkpoint-moved' | 'replay-failed' }
>

/** What the replayer tells of the present session. */
export function replayTold(state: ReplicaState, fact: ReplayFact): Stepped {
  switch (fact.kind) {
    case 'database-opened':
      return opened(state, fact)
    case 'logs-replayed':
    case 'checkpoint-moved':
      return progressed(state, fact)
    case 'replay-failed':
      return replayFailed(state, fact)
  }
}

function opened(state: ReplicaState, fact: Extract<ReplicaFact, { kind: 'database-opened' }>): Stepped {
  const [known, orders] = databaseOpened(state, fact.progress)
  return [timedReplay(afterTrouble(state, known), fact), orders]
}

function progressed(
  state: ReplicaState,
  fact: Extract<ReplicaFact, { kind: 'logs-replayed' | 'checkpoint-moved' }>,
): Stepped {
  return provenByLog(state, timedReplay(afterTrouble(state, replayProgressed(state, fact.progress)), fact))
}

/** A replay that goes on again ends the failure that it had set, not one that the copier has set meanwhile. */
function afterTrouble(before: ReplicaState, after: ReplicaState): ReplicaState {
  const trouble = before.database?.trouble ?? null
  const isOver = trouble !== null && after.database?.trouble === null && after.failure?.kind === 'transient'
  return isOver && after.failure?.message === trouble.message ? { ...after, failure: null } : after
}
