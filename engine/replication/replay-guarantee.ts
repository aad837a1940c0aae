import type { ReplicaFact } from '../fact.ts'
import type { ReplicaOrder } from '../order.ts'
import { type Guarantee, guarantee, type Step } from '../step.ts'
import { planReplay, REPLAY_BATCH_LOGS_MAX } from './replayer.ts'
import { isAtRest, type ReplicaState } from './replica-state.ts'
import { STANDBY_LOGS } from './standby-lag.ts'

type ReplicaStep = Step<ReplicaState, ReplicaFact, ReplicaOrder>

/** What the replayer of a copy promises. */
export const replayGuarantees: readonly Guarantee<ReplicaState, ReplicaFact, ReplicaOrder>[] = [
  guarantee('a suspended or frozen copy replays nothing', true, suspendedReplaysNothing),
  guarantee('a copy that keeps logs only has no work on a database', true, logsOnlyReplaysNothing),
  guarantee('only what is inspected is replayed', true, replayIsInspected),
  guarantee('a batch follows what is replayed, one at a time, and is bounded', true, batchFollows),
  guarantee('logs are replayed only when recovery could begin again', true, recoveryIsPossible),
  guarantee('what is replayed never goes back while the database is open', true, replayedGrows),
  guarantee('required logs of the copy are never deleted', true, requiredLogsStay),
  guarantee(
    'a log that decayed is taken out of the log directory before that is looked at again',
    true,
    decayedIsSetAside,
  ),
  guarantee('a standby target replays and deletes nothing before its lag', true, lagIsKept),
  guarantee('what can be replayed is being replayed', false, replayerIsNotIdle),
]

/** Facts that tell what is there, after a crash or a close too: pages in memory may be lost then. */
const LOOKS_AT_DATABASE: readonly ReplicaFact['kind'][] = [
  'copy-started',
  'database-opened',
  'replay-stopped',
  'seed-pinned',
  'seed-completed',
]

const WORK_ON_DATABASE: readonly ReplicaOrder['kind'][] = ['open-database', 'replay-logs']

function suspendedReplaysNothing({ after, orders }: ReplicaStep): string | null {
  if (!isAtRest(after)) return null
  if (after.database?.batch) return `a batch through ${after.database.batch.last} is under way while suspended`
  const work = orders.find((order) => WORK_ON_DATABASE.includes(order.kind))
  return work === undefined ? null : `${work.kind} while suspended`
}

function logsOnlyReplaysNothing({ after, orders }: ReplicaStep): string | null {
  if (after.database !== null) return null
  const work = orders.find((order) => WORK_ON_DATABASE.includes(order.kind))
  return work === undefined ? null : `${work.kind} without a database`
}

function replayIsInspected({ after, orders }: ReplicaStep): string | null {
  for (const { range } of batchesIn(orders)) {
    if (range.last > after.inspected) return `log ${range.last} is replayed, inspected is ${after.inspected}`
    if (range.first < after.lowest) return `log ${range.first} is replayed, the lowest here is ${after.lowest}`
  }
  return null
}

function batchFollows({ before, after, orders }: ReplicaStep): string | null {
  for (const { range, session } of batchesIn(orders)) {
    const replayed = after.database?.progress.replayedThrough ?? 0
    if (session !== after.session) return `replays in session ${session} of ${after.session}`
    if (range.first !== replayed + 1) return `begins at ${range.first}, replayed is ${replayed}`
    if (range.last - range.first >= REPLAY_BATCH_LOGS_MAX) return `${range.last - range.first + 1} logs in one batch`
    const isSame = before.session === after.session && before.database?.batch
    if (isSame && isSame.last > replayed) return `log ${isSame.last} is still being replayed`
  }
  return null
}

function recoveryIsPossible({ after, orders }: ReplicaStep): string | null {
  const required = after.database?.progress.requiredLow ?? 0
  const isGone = batchesIn(orders).length > 0 && required < after.lowest
  return isGone ? `log ${required} is required, the lowest here is ${after.lowest}` : null
}

function replayedGrows({ before, after, fact }: ReplicaStep): string | null {
  const [old, fresh] = [before.database, after.database]
  if (old === null || fresh === null || LOOKS_AT_DATABASE.includes(fact.kind)) return null
  if (fresh.progress.replayedThrough < old.progress.replayedThrough)
    return `from ${old.progress.replayedThrough} to ${fresh.progress.replayedThrough} by ${fact.kind}`
  const isBack = fresh.progress.requiredLow < old.progress.requiredLow
  return isBack ? `log ${fresh.progress.requiredLow} is required again by ${fact.kind}` : null
}

function requiredLogsStay({ after, orders }: ReplicaStep): string | null {
  if (after.database === null) return null
  for (const order of orders) {
    if (order.kind === 'truncate-logs' && order.range.last >= after.database.progress.requiredLow)
      return `log ${order.range.last} is deleted, required are logs from ${after.database.progress.requiredLow} on`
  }
  return null
}

function decayedIsSetAside({ before, after, orders }: ReplicaStep): string | null {
  const damaged = after.database?.damaged ?? null
  if (damaged === null || damaged === before.database?.damaged) return null
  const kinds = orders.map((order) => order.kind)
  const [setAside, checked] = [kinds.indexOf('set-aside-log'), kinds.indexOf('check-store')]
  return setAside >= 0 && setAside < checked ? null : `log ${damaged.generation} decayed and stays where it is`
}

/** Told without the plans: from the times alone. */
function lagIsKept({ after, orders, fact }: ReplicaStep): string | null {
  const { lag, inspected, database } = after
  if (lag === null) return null
  const ageMs = (generation: number): number =>
    fact.nowMs - (lag.logTimes.find(({ through }) => through >= generation)?.timeMs ?? Number.POSITIVE_INFINITY)
  for (const { range } of batchesIn(orders)) {
    if (range.last + STANDBY_LOGS > inspected) return `log ${range.last} is replayed, inspected is ${inspected}`
    if (lag.replayLagMs > 0 && ageMs(range.last) < lag.replayLagMs) return `log ${range.last} is replayed too early`
  }
  for (const order of orders) {
    if (order.kind !== 'truncate-logs') continue
    const { last } = order.range
    const leastMs = lag.replayLagMs + lag.truncationLagMs
    if (leastMs > 0 && ageMs(last) < leastMs) return `log ${last} is deleted too early`
    if (last > (database?.progress.replayedThrough ?? inspected - STANDBY_LOGS))
      return `log ${last} is deleted and not replayed`
  }
  return null
}

function replayerIsNotIdle({ after, fact }: ReplicaStep): string | null {
  if (after.phase !== 'running' || isAtRest(after)) return null
  if (after.database?.phase === 'closed') return 'nobody opens the database'
  const range = planReplay(after, fact.nowMs)
  return range === null ? null : `log ${range.first} is inspected and nobody replays it`
}

function batchesIn(orders: readonly ReplicaOrder[]): readonly Extract<ReplicaOrder, { kind: 'replay-logs' }>[] {
  return orders.filter((order) => order.kind === 'replay-logs')
}
