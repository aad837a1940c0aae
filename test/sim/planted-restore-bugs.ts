import type { ReplicaFact } from '../../engine/fact.ts'
import { asGeneration, previousGeneration } from '../../engine/generation.ts'
import type { ReplicaOrder } from '../../engine/order.ts'
import type { ReplicaState } from '../../engine/replication/replica-state.ts'
import { ENGINE_RULES, type Rules } from '../../sim/rules.ts'

const { stepReplica } = ENGINE_RULES

type Stepped = ReturnType<Rules['stepReplica']>

/** Bugs of divergence that somebody could have made; played in worlds whose source is restored. Every one has to be caught. */
export const PLANTED_RESTORE_BUGS: Readonly<Record<string, Rules>> = {
  'diverged logs are set aside whatever the database has of them': replica((state, fact) => {
    const [after, orders] = stepReplica(withoutDatabase(state, fact), fact)
    return [{ ...after, database: after.database ?? closed(state) }, orders]
  }),
  'one log too many is set aside': replica((state, fact) => mapOrders(stepReplica(state, fact), oneMore)),
  'memory is kept when logs are set aside': replica((state, fact) => {
    const [after, orders] = stepReplica(state, fact)
    return [after, orders.filter(({ kind }) => kind !== 'abandon-database')]
  }),
  'what is inspected is replayed before the copy has looked': replica((state, fact) => {
    const [after, orders] = stepReplica(state, fact)
    const more = replayOf(after)
    return more === null ? [after, orders] : [{ ...after, database: withBatch(after, more) }, [...orders, more]]
  }),
  'logs that are set aside are still counted': replica((state, fact) => {
    const [after, orders] = stepReplica(state, fact)
    const isGivenUp = orders.some(({ kind }) => kind === 'set-aside-diverged')
    return isGivenUp ? [{ ...after, stream: after.announcement.stream }, orders] : [after, orders]
  }),
}

type ReplayOrder = Extract<ReplicaOrder, { kind: 'replay-logs' }>

function replica(step: (state: ReplicaState, fact: ReplicaFact) => Stepped): Rules {
  return { ...ENGINE_RULES, stepReplica: step }
}

function mapOrders([after, orders]: Stepped, change: (order: ReplicaOrder) => ReplicaOrder): Stepped {
  return [after, orders.map(change)]
}

/** While logs are compared, the copy forgets that it has a database. */
function withoutDatabase(state: ReplicaState, { kind }: ReplicaFact): ReplicaState {
  const isComparing = state.look === 'asked' && (kind === 'log-copied' || kind === 'log-identified')
  return isComparing ? { ...state, database: null } : state
}

function closed({ database }: ReplicaState): ReplicaState['database'] {
  return database === null ? null : { ...database, phase: 'closed', batch: null }
}

function oneMore(order: ReplicaOrder): ReplicaOrder {
  if (order.kind !== 'set-aside-diverged' || order.range.first <= 1) return order
  return { ...order, range: { ...order.range, first: previousGeneration(order.range.first) } }
}

function replayOf({ look, database, inspected, lowest, session }: ReplicaState): ReplayOrder | null {
  if (look !== 'asked' || database?.phase !== 'open' || database.batch !== null) return null
  const first = asGeneration(database.progress.replayedThrough + 1)
  return first > inspected || first < lowest ? null : { kind: 'replay-logs', session, range: { first, last: first } }
}

function withBatch({ database }: ReplicaState, { range }: ReplayOrder): ReplicaState['database'] {
  return database === null ? null : { ...database, batch: range }
}
