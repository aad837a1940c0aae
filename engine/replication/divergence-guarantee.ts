import type { ReplicaFact } from '../fact.ts'
import { higherOf } from '../generation.ts'
import type { ReplicaOrder } from '../order.ts'
import { type Guarantee, guarantee, type Step } from '../step.ts'
import { isLooking, type ReplicaState } from './replica-state.ts'

type ReplicaStep = Step<ReplicaState, ReplicaFact, ReplicaOrder>

/** What a copy promises that has diverged from its source, or may have. */
export const divergenceGuarantees: readonly Guarantee<ReplicaState, ReplicaFact, ReplicaOrder>[] = [
  guarantee('no log is set aside as diverged of which the database may have changes', true, filedLogsStay),
  guarantee('logs are set aside down from the newest one, and only after a comparison', true, newestAreSetAside),
  guarantee('memory is given up before logs are set aside, and everything has stopped', true, setAsideAtRest),
  guarantee('diverged logs are never reported as those of a stream', true, divergedCountForNothing),
  guarantee('a copy is said to belong to a stream only when it has looked', true, belongingIsSeen),
  guarantee('nothing is replayed while the copy looks at its source', true, lookingReplaysNothing),
  guarantee('a copy is not Failed for logs that a new active has yet to come to', true, newActiveIsWaitedFor),
]

type SetAside = Extract<ReplicaOrder, { kind: 'set-aside-diverged' }>

/** Told without the rules of the reseed: from the header, log by log. */
function filedLogsStay({ after, orders }: ReplicaStep): string | null {
  const progress = after.database?.progress ?? null
  const order = setAsideIn(orders)
  if (progress === null || order === null) return null
  const { replayedThrough, requiredLow, requiredHigh } = progress
  const { first } = order.range
  if (first <= higherOf(requiredHigh, replayedThrough))
    return `log ${first} is set aside, the database has replayed ${replayedThrough} and requires ${requiredLow} to ${requiredHigh}`
  return first < requiredLow ? `log ${first} is set aside, the database has everything below ${requiredLow}` : null
}

/** Facts that bring what was found on the disk, whatever was known of it before. */
const LOOKS_AT_DISK: ReadonlySet<ReplicaFact['kind']> = new Set(['store-checked', 'database-opened'])

/** Logs above a gap do not count, also where the gap is news, and need no comparison. */
function newestAreSetAside({ before, after, fact, orders }: ReplicaStep): string | null {
  const order = setAsideIn(orders)
  if (order === null) return null
  const { first, last } = order.range
  if (before.look !== 'asked') {
    const isAbove = first > after.inspected && (after.inspected === before.inspected || LOOKS_AT_DISK.has(fact.kind))
    return isAbove ? null : `log ${first} is set aside, and nothing was compared`
  }
  if (last < before.inspected) return `logs through ${last} are set aside, inspected is ${before.inspected}`
  return first < before.lowest ? `log ${first} is set aside, the lowest is ${before.lowest}` : null
}

function setAsideAtRest({ after, orders }: ReplicaStep): string | null {
  const order = setAsideIn(orders)
  if (order === null) return null
  if (order.session !== after.session) return `in session ${order.session} of ${after.session}`
  const before = orders.slice(0, orders.indexOf(order)).map(({ kind }) => kind)
  const needed = after.database === null ? ['stop-copying'] : ['stop-copying', 'abandon-database']
  const missing = needed.find((kind) => !before.some((earlier) => earlier === kind))
  return missing === undefined ? null : `${missing} does not come before it`
}

function divergedCountForNothing({ before, after, orders }: ReplicaStep): string | null {
  if (after.search === null && after.inspected >= before.inspected) return null
  if (after.search === null && setAsideIn(orders) === null) return null
  if (after.stream !== null) return `logs that differ belong to stream ${after.stream}`
  const told = orders.find((order) => order.kind === 'report-progress' && order.report.stream !== null)
  return told === undefined ? null : 'they are reported as those of a stream'
}

function belongingIsSeen({ before, after, orders, fact }: ReplicaStep): string | null {
  const recorded = orders.find((order) => order.kind === 'record-stream')
  if (recorded !== undefined && recorded.stream !== after.stream) return `recorded is ${recorded.stream}`
  if (after.stream === before.stream || fact.kind === 'copy-started') return null
  if (recorded === undefined) return `stream ${after.stream} is not recorded`
  // A seed brings a database of the stream that it was read from, and no log of any other.
  if (fact.kind === 'seed-completed') return null
  return after.stream !== null && isLooking(after) ? `stream ${after.stream} is taken over before the look` : null
}

function lookingReplaysNothing({ after, orders }: ReplicaStep): string | null {
  const work = orders.find((order) => order.kind === 'replay-logs')
  return work !== undefined && isLooking(after) ? `log ${work.range.first} is replayed` : null
}

function newActiveIsWaitedFor({ before, after }: ReplicaStep): string | null {
  const { takenOver, generated, stream } = after.announcement
  const isNews = after.failure?.kind === 'ahead' && before.failure?.kind !== 'ahead'
  if (!isNews || takenOver === undefined || before.stream === stream || generated > takenOver.after) return null
  return `its source has written nothing since log ${takenOver.after}`
}

function setAsideIn(orders: readonly ReplicaOrder[]): SetAside | null {
  return orders.find((order) => order.kind === 'set-aside-diverged') ?? null
}
