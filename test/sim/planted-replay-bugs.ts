import type { DatabaseProgress, ReplicaFact, SourceFact } from '../../engine/fact.ts'
import { asGeneration, type Generation, nextGeneration } from '../../engine/generation.ts'
import type { ReplicaOrder, SourceOrder } from '../../engine/order.ts'
import type { ReplicaState } from '../../engine/replication/replica-state.ts'
import type { SourceState } from '../../engine/source/source-state.ts'
import { ENGINE_RULES, type Rules } from '../../sim/rules.ts'

const { stepReplica, stepSource } = ENGINE_RULES

type ReplicaStepped = ReturnType<Rules['stepReplica']>
type SourceStepped = ReturnType<Rules['stepSource']>

/** Bugs of replay that somebody could have made; played in worlds whose copies have databases. Every one has to be caught. */
export const PLANTED_REPLAY_BUGS: Readonly<Record<string, Rules>> = {
  'the checkpoint of the active is not heeded': source((state, fact) =>
    stepSource(state, fact.kind === 'store-checkpointed' ? { ...fact, required: ALL } : fact),
  ),
  'a batch goes one log beyond what is inspected': replica((state, fact) =>
    mapOrders(stepReplica(state, fact), (order) => replaying(order, (last) => nextGeneration(last))),
  ),
  'a batch leaves out its first log': replica((state, fact) =>
    mapOrders(stepReplica(state, fact), (order) =>
      order.kind === 'replay-logs' && order.range.first < order.range.last
        ? { ...order, range: { ...order.range, first: nextGeneration(order.range.first) } }
        : order,
    ),
  ),
  'suspending does not stop the replay': replica((state, fact) => dropping(stepReplica(state, fact), 'stop-replaying')),
  'a suspended copy goes on replaying': replica((state, fact) => {
    const [after, orders] = stepReplica(state, fact)
    if (fact.kind !== 'operator-suspended' || after.database === null || state.database?.phase !== 'open')
      return [after, orders]
    return [after, [...orders, { kind: 'open-database', session: after.session }]]
  }),
  'the copy deletes logs that its database requires': replica((state, fact) => {
    const [after, orders] = stepReplica(withoutRequirement(state), fact)
    return [{ ...after, database: state.database === null ? null : after.database }, orders]
  }),
  'a batch of another session is believed': replica((state, fact) =>
    stepReplica(
      state,
      'session' in fact && (fact.kind === 'logs-replayed' || fact.kind === 'replay-failed')
        ? { ...fact, session: state.session }
        : fact,
    ),
  ),
  'a replay that failed is never tried again': replica((state, fact) => {
    const stepped = stepReplica(state, fact)
    return fact.kind === 'replay-failed' ? dropping(stepped, 'wake-at') : stepped
  }),
  'a log that decayed stays where it is': replica((state, fact) => dropping(stepReplica(state, fact), 'set-aside-log')),
  'a copy reports that nothing is required': replica((state, fact) =>
    mapOrders(stepReplica(state, fact), (order) => reporting(order, (report) => ({ ...report, requiredLow: ALL }))),
  ),
  'a copy reports what is inspected as replayed': replica((state, fact) =>
    mapOrders(stepReplica(state, fact), (order) =>
      reporting(order, (report) => ({ ...report, replayed: report.inspected })),
    ),
  ),
  'a copy does not say that it has a database': replica((state, fact) =>
    mapOrders(stepReplica(state, fact), (order) => reporting(order, (report) => ({ ...report, requiredLow: null }))),
  ),
  'a moved checkpoint is not reported': replica((state, fact) =>
    fact.kind === 'checkpoint-moved' ? [state, []] : stepReplica(state, fact),
  ),
  'a database that is opened is believed to be where it was': replica((state, fact) => {
    if (fact.kind !== 'database-opened' || state.database === null) return stepReplica(state, fact)
    return stepReplica(state, { ...fact, progress: furtherOf(state.database.progress, fact.progress) })
  }),
  'logs that the database needs below the others are not copied again': replica((state, fact) => {
    const [after, orders] = stepReplica(state, fact)
    if (fact.kind !== 'database-opened') return [after, orders]
    const { lowest, inspected, identity, copied, requested } = state
    return [{ ...after, lowest, inspected, identity, copied, requested }, dropCopying(orders)]
  }),
  'truncation asks only for what is inspected': source((state, fact) =>
    stepSource(
      state,
      fact.kind === 'copy-reported' ? { ...fact, report: { ...fact.report, requiredLow: null } } : fact,
    ),
  ),
  'truncation asks only for what is replayed': source((state, fact) => {
    if (fact.kind !== 'copy-reported' || fact.report.requiredLow === null) return stepSource(state, fact)
    return stepSource(state, { ...fact, report: { ...fact.report, requiredLow: nextGeneration(fact.report.replayed) } })
  }),
  'the header is written before the pages': { ...ENGINE_RULES, leftOut: new Set(['database-flush']) },
}

/** Above every generation of a world. */
const ALL = asGeneration(1_000_000)

function replica(step: (state: ReplicaState, fact: ReplicaFact) => ReplicaStepped): Rules {
  return { ...ENGINE_RULES, stepReplica: step }
}

function source(step: (state: SourceState, fact: SourceFact) => SourceStepped): Rules {
  return { ...ENGINE_RULES, stepSource: step }
}

function mapOrders([after, orders]: ReplicaStepped, change: (order: ReplicaOrder) => ReplicaOrder): ReplicaStepped {
  return [after, orders.map(change)]
}

function dropping([after, orders]: ReplicaStepped, kind: (ReplicaOrder | SourceOrder)['kind']): ReplicaStepped {
  return [after, orders.filter((order) => order.kind !== kind)]
}

function dropCopying(orders: readonly ReplicaOrder[]): readonly ReplicaOrder[] {
  return orders.filter((order) => order.kind !== 'copy-logs')
}

function replaying(order: ReplicaOrder, end: (last: Generation) => Generation): ReplicaOrder {
  return order.kind === 'replay-logs' ? { ...order, range: { ...order.range, last: end(order.range.last) } } : order
}

type Report = Extract<ReplicaOrder, { kind: 'report-progress' }>['report']

function reporting(order: ReplicaOrder, change: (report: Report) => Report): ReplicaOrder {
  return order.kind === 'report-progress' ? { ...order, report: change(order.report) } : order
}

function withoutRequirement(state: ReplicaState): ReplicaState {
  const { database, inspected } = state
  if (database === null || database.phase !== 'open' || database.batch !== null) return state
  const requiredLow = nextGeneration(inspected)
  return { ...state, database: { ...database, progress: { ...database.progress, requiredLow } } }
}

function furtherOf(old: DatabaseProgress, fresh: DatabaseProgress): DatabaseProgress {
  return old.replayedThrough > fresh.replayedThrough ? { ...fresh, replayedThrough: old.replayedThrough } : fresh
}
