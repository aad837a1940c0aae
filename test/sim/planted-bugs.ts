import type { ReplicaFact, SourceFact } from '../../engine/fact.ts'
import { asGeneration, nextGeneration } from '../../engine/generation.ts'
import type { ReplicaOrder, SourceOrder } from '../../engine/order.ts'
import { chainEnd, type ReplicaState } from '../../engine/replication/replica-state.ts'
import type { SourceState } from '../../engine/source/source-state.ts'
import { ENGINE_RULES, type LeftOut, type Rules } from '../../sim/rules.ts'

const { stepReplica, stepSource } = ENGINE_RULES

type ReplicaStepped = ReturnType<Rules['stepReplica']>
type SourceStepped = ReturnType<Rules['stepSource']>

/** Bugs that somebody could have made, each as a change of the engine's rules. Every one has to be caught in every run. */
export const PLANTED_BUGS: Readonly<Record<string, Rules>> = {
  'the verdict of the inspection is skipped': replica((state, fact) =>
    stepReplica(state, fact.kind === 'log-copied' ? { ...fact, log: { ...fact.log, rejection: null } } : fact),
  ),
  'the chain is not checked': replica((state, fact) => stepReplica(state, asContinuation(state, fact))),
  'suspending only answers': replica((state, fact) => {
    const [after, orders] = stepReplica(state, fact)
    return fact.kind === 'operator-suspended' ? [state, only(orders, 'answer-operator')] : [after, orders]
  }),
  'suspending does not stop the work under way': replica((state, fact) => {
    const [after, orders] = stepReplica(state, fact)
    return [after, fact.kind === 'operator-suspended' ? without(orders, 'stop-copying') : orders]
  }),
  'a suspension is kept in memory only': replica((state, fact) => dropReplica(state, fact, 'record-suspension')),
  'a suspension is answered before it is durable': replica((state, fact) => {
    const [after, orders] = stepReplica(state, fact)
    return [after, [...only(orders, 'answer-operator'), ...without(orders, 'answer-operator')]]
  }),
  'a comment is never replaced': replica((state, fact) =>
    stepReplica(
      state,
      fact.kind === 'operator-suspended' && state.suspension !== null ? { ...fact, comment: null } : fact,
    ),
  ),
  'what is copied is reported as inspected': replica((state, fact) => {
    const [after, orders] = stepReplica(state, fact)
    return [after, orders.map((order) => reporting(order, after.copied))]
  }),
  'resuming does not look at the store': replica((state, fact) => {
    const [after, orders] = stepReplica(state, fact)
    if (fact.kind !== 'operator-resumed') return [after, orders]
    return [{ ...after, phase: 'running' }, without(orders, 'check-store')]
  }),
  'a store that failed is used again unseen': replica((state, fact) => {
    const [after, orders] = stepReplica(state, fact)
    if (fact.kind !== 'time-passed' || after.phase !== 'checking') return [after, orders]
    return [{ ...after, phase: 'running', failure: null }, without(orders, 'check-store')]
  }),
  'outcomes of an older session are believed': replica((state, fact) =>
    stepReplica(state, 'session' in fact ? { ...fact, session: state.session } : fact),
  ),
  'the copy deletes its newest log too': replica((state, fact) => {
    const [after, orders] = stepReplica(state, fact)
    return [after, orders.map((order) => deletingThrough(order, after.inspected))]
  }),
  'nothing is ever tried again': replica((state, fact) => dropReplica(state, fact, 'wake-at')),
  'a refused log goes on without its quarantine': replica((state, fact) => dropReplica(state, fact, 'quarantine-log')),
  'truncation asks for the mark only': source((state, fact) =>
    stepSource(state, fact.kind === 'copy-reported' ? { ...fact, report: { ...fact.report, inspected: ALL } } : fact),
  ),
  'truncation goes one log too far': source((state, fact) => {
    const [after, orders] = stepSource(state, fact)
    return [after, orders.map((order) => deletingThrough(order, 1))]
  }),
  'a lost copy no longer holds truncation': source((state, fact) => {
    const [after, orders] = stepSource(state, fact)
    if (fact.kind !== 'copy-lost') return [after, orders]
    return [{ ...after, copies: after.copies.filter(({ copyId }) => copyId !== fact.copyId) }, orders]
  }),
  'a suspended copy no longer holds truncation': source((state, fact) => {
    if (fact.kind !== 'copy-reported' || fact.report.condition !== 'suspended') return stepSource(state, fact)
    return stepSource(state, { ...fact, report: { ...fact.report, inspected: ALL } })
  }),
  'enrolment is kept in memory only': source((state, fact) => dropSource(state, fact, 'record-enrolment')),
  'a mark is kept in memory only': source((state, fact) => dropSource(state, fact, 'record-mark')),
  'a disablement is kept in memory only': source((state, fact) => dropSource(state, fact, 'record-disablement')),
  'the edge of truncation is kept in memory only': source((state, fact) =>
    dropSource(state, fact, 'record-truncation'),
  ),
  'a deletion that failed is thought to be under way for ever': source((state, fact) => {
    const [after, orders] = stepSource(state, fact)
    return fact.kind === 'deletion-failed' ? [{ ...after, truncating: state.truncating }, orders] : [after, orders]
  }),
  'a mark goes back': source((state, fact) =>
    stepSource(fact.kind === 'backup-completed' ? { ...state, mark: null } : state, fact),
  ),
  'logs above a hole are announced as closed': source((state, fact) => {
    const [after, orders] = stepSource(state, fact)
    return [after, orders.map(announcingAll)]
  }),
  'the store does not sync the content of logs': store('content-sync'),
  'the store does not sync the directory': store('directory-sync'),
  'the store believes a directory that was never synced': store('scan-sync'),
}

/** Above every generation of a world. */
const ALL = asGeneration(1_000_000)

function replica(step: (state: ReplicaState, fact: ReplicaFact) => ReplicaStepped): Rules {
  return { ...ENGINE_RULES, stepReplica: step }
}

function source(step: (state: SourceState, fact: SourceFact) => SourceStepped): Rules {
  return { ...ENGINE_RULES, stepSource: step }
}

function store(leftOut: LeftOut): Rules {
  return { ...ENGINE_RULES, leftOut: new Set([leftOut]) }
}

function dropReplica(state: ReplicaState, fact: ReplicaFact, kind: ReplicaOrder['kind']): ReplicaStepped {
  const [after, orders] = stepReplica(state, fact)
  return [after, without(orders, kind)]
}

function dropSource(state: SourceState, fact: SourceFact, kind: SourceOrder['kind']): SourceStepped {
  const [after, orders] = stepSource(state, fact)
  return [after, without(orders, kind)]
}

function only<Order extends { readonly kind: string }>(orders: readonly Order[], kind: Order['kind']): Order[] {
  return orders.filter((order) => order.kind === kind)
}

function without<Order extends { readonly kind: string }>(orders: readonly Order[], kind: Order['kind']): Order[] {
  return orders.filter((order) => order.kind !== kind)
}

function asContinuation(state: ReplicaState, fact: ReplicaFact): ReplicaFact {
  if (fact.kind !== 'log-copied') return fact
  const end = chainEnd(state)
  if (end.identity === null || fact.log.generation !== nextGeneration(end.generation)) return fact
  const { generation } = fact.log
  const { signature, createTime } = end.identity
  const identity = { ...fact.log.identity, generation, signature, previousCreateTime: createTime }
  return { ...fact, log: { ...fact.log, identity } }
}

function reporting(order: ReplicaOrder, inspected: ReplicaState['copied']): ReplicaOrder {
  return order.kind === 'report-progress' ? { ...order, report: { ...order.report, inspected } } : order
}

function deletingThrough<Order extends ReplicaOrder | SourceOrder>(order: Order, beyond: number): Order {
  if (order.kind !== 'truncate-logs') return order
  const last = asGeneration(beyond === 1 ? order.range.last + 1 : beyond)
  return { ...order, range: { ...order.range, last } }
}

function announcingAll(order: SourceOrder): SourceOrder {
  if (order.kind !== 'announce') return order
  const { announcement } = order
  return { ...order, announcement: { ...announcement, closedThrough: announcement.generated } }
}
