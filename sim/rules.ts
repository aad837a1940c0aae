import type { ReplicaFact, SourceFact } from '../engine/fact.ts'
import type { ReplicaOrder, SourceOrder } from '../engine/order.ts'
import { stepReplica } from '../engine/replication/replica-instance.ts'
import type { ReplicaState } from '../engine/replication/replica-state.ts'
import { stepSource } from '../engine/source/source-instance.ts'
import type { SourceState } from '../engine/source/source-state.ts'

/** The rules of the holding side. */
type StepReplica = (state: ReplicaState, fact: ReplicaFact) => readonly [ReplicaState, readonly ReplicaOrder[]]

/** The rules of the source side. */
export type StepSource = (state: SourceState, fact: SourceFact) => readonly [SourceState, readonly SourceOrder[]]

/** Syncs that a careless store or database leaves out, and the place aside in which a careful seed reads its pages. */
export type LeftOut = 'content-sync' | 'directory-sync' | 'scan-sync' | 'database-flush' | 'seed-aside'

/** The rules that a world plays. Tests plant bugs by wrapping the engine's, or by leaving out a sync of the store. */
export interface Rules {
  readonly stepReplica: StepReplica
  readonly stepSource: StepSource
  readonly leftOut: ReadonlySet<LeftOut>
}

/** The engine's own, over a store that syncs as it has to. */
export const ENGINE_RULES: Rules = { stepReplica, stepSource, leftOut: new Set() }
