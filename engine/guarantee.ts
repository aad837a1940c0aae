import { checkContinuation } from './database/log-chain.ts'
import type { ReplicaFact, SourceFact } from './fact.ts'
import type { Generation } from './generation.ts'
import type { ReplicaOrder, SourceOrder } from './order.ts'
import { ATTEMPTS_MAX, COPY_WINDOW_LOGS, outstandingLogs } from './replication/copier.ts'
import { copyStatus } from './replication/copy-status.ts'
import { divergenceGuarantees } from './replication/divergence-guarantee.ts'
import { releaseGuarantees } from './replication/release-guarantee.ts'
import { replayGuarantees } from './replication/replay-guarantee.ts'
import { replayedThrough } from './replication/replayer.ts'
import { isAtRest, isLooking, mayCopy, nextNeeded, type ReplicaState, stopOrders } from './replication/replica-state.ts'
import { backupGuarantees } from './source/backup-guarantee.ts'
import type { SourceState } from './source/source-state.ts'
import { truncatableThrough } from './source/truncation-rule.ts'
import { type Guarantee, guarantee, type Step } from './step.ts'

type ReplicaStep = Step<ReplicaState, ReplicaFact, ReplicaOrder>
type SourceStep = Step<SourceState, SourceFact, SourceOrder>

/** What the holding side of a copy promises. */
export const replicaGuarantees: readonly Guarantee<ReplicaState, ReplicaFact, ReplicaOrder>[] = [
  guarantee('a suspended or frozen copy orders no work on its store', true, restingIsQuiet),
  guarantee('a freeze is answered when everything has stopped, and records nothing', true, freezeIsQuiet),
  guarantee('a suspension is durable before it is answered', true, suspensionIsDurable),
  guarantee('one request per generation is in flight', false, oneRequestEach),
  guarantee('requests stay within the window and the announcement', true, requestsAreBounded),
  guarantee('a copy that is seeded is suspended, and says that it needs no less than before', true, seededIsSuspended),
  guarantee('only logs that continue the chain are inspected, in order', false, chainIsUnbroken),
  guarantee('what is inspected only grows while the store is in use', true, inspectedGrows),
  guarantee('the counters are in order', true, countersAreInOrder),
  guarantee('a log is refused at most three times in a session', false, attemptsAreBounded),
  guarantee('a refused log is kept for the operator', false, refusedIsKept),
  guarantee('the copy deletes only what its source truncated, never its newest log', true, copyTruncationIsBounded),
  guarantee('a report never claims more than is inspected, replayed or no longer required', true, reportIsHonest),
  guarantee('what can be asked for is asked for', false, copierIsNotIdle),
  ...replayGuarantees,
  ...divergenceGuarantees,
  ...releaseGuarantees,
]

/** What the source side promises. */
export const sourceGuarantees: readonly Guarantee<SourceState, SourceFact, SourceOrder>[] = [
  guarantee('nothing is truncated that is not backed up and processed by every copy', true, truncationIsGated),
  guarantee('nothing is truncated that the database of a copy lacks or needs to recover', true, databasesAreSpared),
  guarantee('nothing is truncated at or above the checkpoint of the active database', true, checkpointIsSpared),
  guarantee('truncation starts at the lowest log', true, truncationAscends),
  guarantee('the edge of truncation is durable before the first deletion', true, edgeIsDurable),
  guarantee('a copy is accepted only once its enrolment is durable', true, acceptedIsEnrolled),
  guarantee('what may be truncated is being truncated', false, truncatorIsNotIdle),
  guarantee('an enrolled copy stays until it is disabled', true, copiesStay),
  guarantee('a backup mark goes back by a full backup only', true, markGrows),
  guarantee('what is announced is closed', true, announcementIsHonest),
  ...backupGuarantees,
]

/** The first guarantee that a step breaks, as a sentence; null when all hold. */
export function brokenGuarantee<State, Fact, Order>(
  guarantees: readonly Guarantee<State, Fact, Order>[],
  step: Step<State, Fact, Order>,
): string | null {
  for (const { name, check } of guarantees) {
    const broken = check(step)
    if (broken !== null) return `"${name}" is broken: ${broken}`
  }
  return null
}

const WORK_ON_STORE: readonly ReplicaOrder['kind'][] = [
  'copy-logs',
  'compare-log',
  'discard-log',
  'inspect-logs',
  'quarantine-log',
  'check-store',
  'truncate-logs',
  'set-aside-log',
  'identify-log',
  'match-log',
  'set-aside-diverged',
]

function restingIsQuiet({ after, orders }: ReplicaStep): string | null {
  if (!isAtRest(after)) return null
  const work = orders.find((order) => WORK_ON_STORE.includes(order.kind))
  return work === undefined ? null : `${work.kind} while ${after.frozen ? 'frozen' : 'suspended'}`
}

function freezeIsQuiet({ before, after, orders, fact }: ReplicaStep): string | null {
  if (fact.kind !== 'operator-froze' || before.frozen === after.frozen) return null
  const kinds = orders.map((order) => order.kind)
  const expected = [...stopOrders(before).map(({ kind }) => kind), 'answer-operator']
  return kinds.join() === expected.join() ? null : `orders ${kinds.join(', ')}`
}

function suspensionIsDurable({ before, after, orders, fact }: ReplicaStep): string | null {
  if (fact.kind !== 'operator-suspended' && fact.kind !== 'operator-resumed') return null
  const kinds = orders.map((order) => order.kind)
  const answered = kinds.indexOf('answer-operator')
  if (answered < 0) return 'the operator is not answered'
  if (before.suspension === after.suspension) return null
  const recorded = kinds.indexOf('record-suspension')
  if (recorded < 0 || recorded > answered) return 'answered before it is recorded'
  if (before.suspension !== null || after.suspension === null) return null
  for (const { kind } of stopOrders(before)) {
    const stopped = kinds.indexOf(kind)
    if (stopped < 0 || stopped > recorded) return `recorded before ${kind}`
  }
  return null
}

function seededIsSuspended({ before, fact, after }: ReplicaStep): string | null {
  if (after.seeding !== null && after.suspension === null) return 'it is not suspended'
  if (fact.kind !== 'seed-pinned' || before.database === null || after.database === null) return null
  const [old, fresh] = [before.database.progress.requiredLow, after.database.progress.requiredLow]
  return fresh > old || after.inspected > before.inspected ? `it says that log ${old} is not required any more` : null
}

function oneRequestEach({ before, fact, orders, after }: ReplicaStep): string | null {
  const underWay = before.session === after.session ? new Set(outstandingLogs(before)) : new Set<Generation>()
  // The fact itself may end a request, which then may be made again.
  if (fact.kind === 'copy-failed' && fact.session === before.session) underWay.delete(fact.generation)
  if (fact.kind === 'log-copied' && fact.session === before.session) underWay.delete(fact.log.generation)
  const held = new Set([...after.arrived, ...after.accepted, ...after.inspecting].map((log) => log.generation))
  for (const order of orders) {
    if (order.kind !== 'copy-logs') continue
    if (order.session !== after.session) return `asks in session ${order.session} of ${after.session}`
    for (let g = order.range.first as number; g <= order.range.last; g++) {
      const generation = g as Generation // between two generations
      if (underWay.has(generation)) return `log ${g} is asked for twice`
      if (held.has(generation) || g <= after.inspected) return `log ${g} is asked for although it is here`
      underWay.add(generation)
    }
  }
  return null
}

function requestsAreBounded({ after, orders }: ReplicaStep): string | null {
  for (const order of orders) {
    if (order.kind !== 'copy-logs') continue
    if (order.range.last > after.announcement.generated) return `log ${order.range.last} was never announced`
    if (order.range.last >= nextNeeded(after) + COPY_WINDOW_LOGS) return `log ${order.range.last} is beyond the window`
  }
  return after.arrived.length <= COPY_WINDOW_LOGS ? null : `${after.arrived.length} logs wait`
}

function chainIsUnbroken({ after, orders }: ReplicaStep): string | null {
  for (const order of orders) {
    if (order.kind !== 'inspect-logs') continue
    let previous = after.identity
    for (const log of order.logs) {
      if (log.rejection !== null) return `log ${log.generation} was refused and is inspected`
      if (previous !== null && checkContinuation(previous, log.identity) !== null)
        return `log ${log.generation} breaks the chain`
      previous = log.identity
    }
  }
  return null
}

/** Facts that tell what is there, after somebody has replaced it too. */
const LOOKS_AT_STORE: readonly ReplicaFact['kind'][] = [
  'copy-started',
  'store-checked',
  'database-opened',
  'seed-pinned',
  'seed-completed',
]

function inspectedGrows({ before, after, fact, orders }: ReplicaStep): string | null {
  if (LOOKS_AT_STORE.includes(fact.kind)) return null
  const isGivenUp = orders.some((order) => order.kind === 'set-aside-diverged')
  if (after.inspected < before.inspected && !isGivenUp)
    return `from ${before.inspected} to ${after.inspected} by ${fact.kind}`
  const grew = after.inspected > before.inspected
  return grew && fact.kind !== 'logs-inspected' ? `${fact.kind} moved it to ${after.inspected}` : null
}

function countersAreInOrder({ after }: ReplicaStep): string | null {
  const { lastLogGenerated, lastLogCopyNotified, lastLogCopied, lastLogInspected, lastLogReplayed } = copyStatus(after)
  const ordered =
    lastLogGenerated >= lastLogCopyNotified &&
    lastLogCopyNotified >= lastLogCopied &&
    lastLogCopied >= lastLogInspected &&
    lastLogInspected >= lastLogReplayed
  return ordered
    ? null
    : [lastLogGenerated, lastLogCopyNotified, lastLogCopied, lastLogInspected, lastLogReplayed].join(' ≥ ')
}

function attemptsAreBounded({ after }: ReplicaStep): string | null {
  const over = after.attempts.find((attempt) => attempt.rejected > ATTEMPTS_MAX)
  return over === undefined ? null : `log ${over.generation} was refused ${over.rejected} times`
}

function refusedIsKept({ before, after, orders }: ReplicaStep): string | null {
  for (const { generation, rejected } of after.attempts) {
    const known = before.attempts.find((attempt) => attempt.generation === generation)?.rejected ?? 0
    if (rejected <= known) continue
    const isKept = orders.some((order) => order.kind === 'quarantine-log' && order.log.generation === generation)
    if (!isKept) return `log ${generation} was refused and is not put into quarantine`
  }
  return null
}

function copyTruncationIsBounded({ after, orders }: ReplicaStep): string | null {
  for (const order of orders) {
    if (order.kind !== 'truncate-logs') continue
    if (order.range.last >= after.announcement.truncatedBelow)
      return `log ${order.range.last} is not truncated on the source`
    if (order.range.last >= after.inspected) return `log ${order.range.last} is the newest, or not inspected`
  }
  return null
}

function reportIsHonest({ after, orders }: ReplicaStep): string | null {
  for (const order of orders) {
    if (order.kind !== 'report-progress') continue
    if (order.report.inspected > after.inspected)
      return `reports ${order.report.inspected}, inspected ${after.inspected}`
    if (order.report.replayed > replayedThrough(after))
      return `reports ${order.report.replayed}, replayed ${replayedThrough(after)}`
    if ((order.report.requiredLow ?? 0) > (after.database?.progress.requiredLow ?? 0))
      return `reports that logs below ${order.report.requiredLow} are not required`
    const condition = after.suspension !== null ? 'suspended' : after.failure !== null ? 'failed' : 'running'
    if (order.report.condition !== condition) return `reports ${order.report.condition} when ${condition}`
  }
  return null
}

function copierIsNotIdle({ after }: ReplicaStep): string | null {
  if (!after.connected || !mayCopy(after) || isLooking(after) || after.failure !== null) return null
  const next = nextNeeded(after)
  const isAvailable = next >= after.announcement.lowest && next <= after.announcement.closedThrough
  if (!isAvailable || after.requested >= next || after.inspecting.length + after.accepted.length > 0) return null
  return `log ${next} is closed on the source and nobody asks for it`
}

function truncationIsGated({ after, orders }: SourceStep): string | null {
  for (const order of orders) {
    if (order.kind === 'truncate-logs' && order.range.last > truncatableThrough(after))
      return `log ${order.range.last} is deleted, ${truncatableThrough(after)} is the last that may go`
  }
  return null
}

/** Told without the rules of truncation: the same from what the copies reported, copy by copy. */
function databasesAreSpared({ after, orders }: SourceStep): string | null {
  if (after.options.passiveGate === 'inspected') return null
  for (const order of orders) {
    if (order.kind !== 'truncate-logs') continue
    for (const { copyId, report } of after.copies) {
      // A standby target lags on purpose and asks for nothing that it has inspected.
      if (report === null || report.requiredLow === null || report.kind === 'scr') continue
      if (order.range.last > report.replayed) return `log ${order.range.last} is not replayed by ${copyId}`
      if (order.range.last >= report.requiredLow) return `log ${order.range.last} is required by ${copyId}`
    }
  }
  return null
}

/** Told without the rules of truncation, too. */
function checkpointIsSpared({ after, orders }: SourceStep): string | null {
  if (after.activeRequired === null) return null
  for (const order of orders) {
    if (order.kind !== 'truncate-logs') continue
    if (after.options.active === 'circular') return `log ${order.range.first} is deleted under circular logging`
    if (order.range.last >= after.activeRequired)
      return `log ${order.range.last} is deleted, the active needs its logs from ${after.activeRequired} on`
  }
  return null
}

function truncationAscends({ before, after, orders }: SourceStep): string | null {
  for (const order of orders) {
    if (order.kind !== 'truncate-logs') continue
    if (order.range.first !== after.closed?.lowest)
      return `starts at ${order.range.first}, lowest is ${after.closed?.lowest}`
    if (before.truncating !== null && before.truncating === after.truncating) return 'two deletions at once'
  }
  return null
}

function edgeIsDurable({ before, orders }: SourceStep): string | null {
  let edge = before.truncatedBelow as number
  for (const order of orders) {
    if (order.kind === 'record-truncation') edge = order.below
    if (order.kind === 'truncate-logs' && order.range.last >= edge)
      return `log ${order.range.last} goes, the edge is ${edge}`
  }
  return null
}

function acceptedIsEnrolled({ before, after, orders }: SourceStep): string | null {
  const durable = new Set(before.copies.map(({ copyId }) => copyId))
  for (const order of orders) {
    if (order.kind === 'record-enrolment') durable.add(order.copy.copyId)
    if (order.kind !== 'accept-copy') continue
    if (!durable.has(order.copyId)) return `copy ${order.copyId} is accepted first`
    if (!after.copies.some(({ copyId }) => copyId === order.copyId)) return `copy ${order.copyId} does not hold`
  }
  return null
}

function truncatorIsNotIdle({ after, fact }: SourceStep): string | null {
  if (!after.started || after.closed === null || after.closed.lowest === 0 || after.truncating !== null) return null
  if (fact.nowMs < after.truncateAgainMs || after.closed.lowest > truncatableThrough(after)) return null
  return `log ${after.closed.lowest} may go and nobody deletes it`
}

function copiesStay({ before, after, fact }: SourceStep): string | null {
  if (fact.kind === 'copy-disabled' || fact.kind === 'share-started') return null
  const gone = before.copies.find(({ copyId }) => !after.copies.some((copy) => copy.copyId === copyId))
  return gone === undefined ? null : `copy ${gone.copyId} is gone by ${fact.kind}`
}

/** What a full backup grants is less than before when a passive that lags behind was backed up. */
function markGrows({ before, fact, after }: SourceStep): string | null {
  if (fact.kind === 'backup-recorded' && before.session?.request.scope === 'full') return null
  if (fact.kind === 'stream-restored') return null
  const old = before.mark?.through ?? 0
  const fresh = after.mark?.through ?? 0
  return fresh >= old ? null : `from ${old} to ${fresh}`
}

function announcementIsHonest({ after, orders }: SourceStep): string | null {
  for (const order of orders) {
    if (order.kind !== 'announce') continue
    const { closedThrough, generated, lowest } = order.announcement
    if (closedThrough > generated || lowest > closedThrough)
      return `lowest ${lowest}, closed ${closedThrough}, generated ${generated}`
    if (closedThrough > (after.closed?.closedThrough ?? 0)) return `log ${closedThrough} is not closed`
  }
  return null
}
