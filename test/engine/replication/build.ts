import type { Announcement, CopiedLog, Fault, ReplicaFact } from '../../../engine/fact.ts'
import { asGeneration, type Generation, NO_GENERATION, previousGeneration } from '../../../engine/generation.ts'
import type { LogIdentity } from '../../../engine/log-identity.ts'
import type { ReplicaOrder } from '../../../engine/order.ts'
import { stepReplica } from '../../../engine/replication/replica-instance.ts'
import { type ReplicaState, startReplica } from '../../../engine/replication/replica-state.ts'

/** What the source says when it holds every log from `lowest` to `generated`. */
export function announcing(lowest: number, generated: number, change: Partial<Announcement> = {}): Announcement {
  return {
    lowest: asGeneration(lowest),
    closedThrough: asGeneration(generated),
    generated: asGeneration(generated),
    missing: NO_GENERATION,
    truncatedBelow: NO_GENERATION,
    stream: 0,
    logTimeMs: timeOf(generated),
    ...change,
  }
}

/** When the log `generation` was closed, in milliseconds: each has a time of its own. */
export function timeOf(generation: number): number {
  return generation * 1_000
}

/** A log that arrived sound and continues the one before it. */
export function aCopiedLog(generation: number, change: Partial<CopiedLog> = {}): CopiedLog {
  return {
    generation: asGeneration(generation),
    name: `E00${generation}.log`,
    arrivingName: `${generation}.1`,
    identity: identityOf(asGeneration(generation)),
    logTimeMs: timeOf(generation),
    rejection: null,
    ...change,
  }
}

/** A log that does not continue the one before it, as only its neighbour shows. */
export function aForeignLog(generation: number): CopiedLog {
  const log = aCopiedLog(generation)
  return { ...log, identity: { ...log.identity, signature: 'ff' } }
}

/** A copy at work on a store that holds the logs from 1 to `inspected`; its source is connected and has said nothing yet. */
export function aCopy(inspected: number, change: Partial<ReplicaState> = {}): ReplicaState {
  const last = asGeneration(inspected)
  const run = inspected === 0 ? null : { first: asGeneration(1), last }
  const identity = inspected === 0 ? null : identityOf(last)
  const contents = { run, identity, logTimeMs: timeOf(inspected) }
  const copy = play(startReplica('SG1'), { kind: 'copy-started', nowMs: 0, contents, suspension: null, stream: 0 })
  return { ...play(copy, { kind: 'source-connected', nowMs: 0 }), ...change }
}

/** A fault as an adapter tells it. */
export function aFault(code: Fault['code'], message = `it was ${code}`): Fault {
  return { code, message }
}

/** The state after these facts. */
export function play(state: ReplicaState, ...facts: readonly ReplicaFact[]): ReplicaState {
  return facts.reduce((now, fact) => stepReplica(now, fact)[0], state)
}

/** What the last of these facts makes the copy do. */
export function ordersOf(state: ReplicaState, ...facts: readonly ReplicaFact[]): readonly ReplicaOrder[] {
  const last = facts.at(-1)
  if (last === undefined) throw new Error('a fact makes the copy do something')
  return stepReplica(play(state, ...facts.slice(0, -1)), last)[1]
}

/** The orders of one kind. */
export function only<Kind extends ReplicaOrder['kind']>(
  orders: readonly ReplicaOrder[],
  kind: Kind,
): readonly Extract<ReplicaOrder, { kind: Kind }>[] {
  return orders.filter((order): order is Extract<ReplicaOrder, { kind: Kind }> => order.kind === kind)
}

/** The ranges that are asked for, as `[first, last]`. */
export function asked(orders: readonly ReplicaOrder[]): readonly (readonly [number, number])[] {
  return only(orders, 'copy-logs').map(({ range }) => [range.first, range.last])
}

function identityOf(generation: Generation): LogIdentity {
  const before = previousGeneration(generation)
  return { generation, signature: 'aa', createTime: `t${generation}`, previousCreateTime: `t${before}` }
}
