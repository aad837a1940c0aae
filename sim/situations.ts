import type { ReplicaFact, SourceFact } from '../engine/fact.ts'
import { GENERATION_MAX } from '../engine/generation.ts'
import type { ReplicaOrder, SourceOrder } from '../engine/order.ts'
import { missingOnSource } from '../engine/replication/copier.ts'
import { mustBeSeeded } from '../engine/replication/copy-database.ts'
import { copyStatus } from '../engine/replication/copy-status.ts'
import { REPLAY_BATCH_LOGS_MAX } from '../engine/replication/replayer.ts'
import type { ReplicaState } from '../engine/replication/replica-state.ts'
import type { SourceState } from '../engine/source/source-state.ts'
import type { Step } from '../engine/step.ts'
import { FAULT_NAMES } from './fault.ts'
import { MOVED_COPY_SITUATIONS, NOTED_MOVE_SITUATIONS } from './move-situations.ts'
import { NOTED_SEED_SITUATIONS, SEEDED_COPY_SITUATIONS, SEEDING_SOURCE_SITUATIONS } from './seed-situations.ts'

type ReplicaStep = Step<ReplicaState, ReplicaFact, ReplicaOrder>
type SourceStep = Step<SourceState, SourceFact, SourceOrder>

/**
 * Situations that a long run has to meet at least once: proof that the toy world tests what it claims to. Each is a predicate
 * over one step.
 */
const REPLICA_SITUATIONS: Readonly<Record<string, (step: ReplicaStep) => boolean>> = {
  'a log is refused for the first time': ({ after }) => after.attempts.some(({ rejected }) => rejected === 1),
  'a log is refused for the second time': ({ after }) => after.attempts.some(({ rejected }) => rejected === 2),
  'a log is refused for the third time': ({ after }) => after.failure?.kind === 'permanent',
  'a log refused before is inspected': ({ before, fact }) =>
    fact.kind === 'logs-inspected' &&
    before.attempts.some(({ rejected, generation }) => rejected > 0 && generation <= fact.range.last),
  'logs arrive out of order': ({ after }) => after.arrived.length > 0,
  'several logs are inspected at once': ({ orders }) =>
    orders.some((order) => order.kind === 'inspect-logs' && order.logs.length > 1),
  'the outcome of an older session comes late': ({ fact, before }) =>
    'session' in fact && fact.session !== before.session,
  'a copy is suspended with logs under way': ({ fact, before }) =>
    fact.kind === 'operator-suspended' && before.suspension === null && before.requested > before.inspected,
  'a copy is suspended while its store is checked': ({ fact, before }) =>
    fact.kind === 'operator-suspended' && before.phase === 'checking',
  'a copy is suspended while it waits for its disk': ({ fact, before }) =>
    fact.kind === 'operator-suspended' && before.phase === 'waiting',
  'a failed copy is suspended': ({ fact, before }) => fact.kind === 'operator-suspended' && before.failure !== null,
  'a comment is replaced': ({ fact, before, after }) =>
    fact.kind === 'operator-suspended' && before.suspension !== null && before.suspension !== after.suspension,
  'a suspended copy is suspended again': ({ fact, before, after }) =>
    fact.kind === 'operator-suspended' && before.suspension !== null && before.suspension === after.suspension,
  'a copy starts suspended': ({ fact }) => fact.kind === 'copy-started' && fact.suspension !== null,
  'a copy that is not suspended is resumed': ({ fact, before }) =>
    fact.kind === 'operator-resumed' && before.suspension === null,
  'resuming heals a failed copy': ({ fact, before }) =>
    fact.kind === 'operator-resumed' && before.suspension !== null && before.failure !== null,
  'a copy misses a log in the middle': ({ after }) =>
    after.failure?.kind === 'missing' && after.announcement.missing > 0,
  'a copy misses a log at the lower edge': ({ after }) =>
    after.failure?.kind === 'missing' && after.inspected + 1 < after.announcement.lowest,
  'a missing log was put back': ({ before, after }) => before.failure?.kind === 'missing' && after.failure === null,
  'a store fails twice in a row': ({ after }) => after.faults >= 2,
  'a store works again after a fault': ({ fact, before }) => fact.kind === 'store-checked' && before.faults > 0,
  'a scan finds less than was inspected': ({ fact, before, after }) =>
    fact.kind === 'store-checked' && after.inspected < before.inspected,
  'a scan finds more than was inspected': ({ fact, before, after }) =>
    fact.kind === 'store-checked' && after.inspected > before.inspected,
  'a copy deletes after its source': ({ orders }) => orders.some((order) => order.kind === 'truncate-logs'),
  'a request is postponed': ({ after }) => after.attempts.some(({ postponed }) => postponed > 0),
  'a request is postponed three times': ({ after }) => after.attempts.some(({ postponed }) => postponed > 2),
  'the window is full': ({ after }) => after.requested - after.inspected >= 24,
  'a copy is healthy': ({ after }) => copyStatus(after).summary === 'Healthy',
  'a copy is initializing': ({ after }) => copyStatus(after).summary === 'Initializing',
  'a copy is resynchronizing': ({ after }) => copyStatus(after).summary === 'Resynchronizing',
  'a log of the copy differs from its source': ({ before, after }) => before.search === null && after.search !== null,
  'logs that diverged are set aside': ({ orders }) => orders.some((order) => order.kind === 'set-aside-diverged'),
  'an incremental reseed is done': ({ fact, before, after }) =>
    (fact.kind === 'log-matched' || fact.kind === 'logs-replayed') && before.stream === null && after.stream !== null,
  'a copy has diverged beyond repair': ({ before, after }) =>
    before.search !== null && after.failure?.kind === 'permanent' && after.stream === null,
  'a copy is frozen with logs under way': ({ fact, before, after }) =>
    fact.kind === 'operator-froze' && after.frozen && before.requested > before.inspected,
  'a freeze is refused': ({ fact, after }) => fact.kind === 'operator-froze' && !after.frozen,
  'a frozen copy is suspended': ({ fact, before }) => fact.kind === 'operator-suspended' && before.frozen,
  'a copy is turned away': ({ fact }) => fact.kind === 'source-refused',
  'several logs are replayed in a batch': ({ orders }) =>
    orders.some((order) => order.kind === 'replay-logs' && order.range.last > order.range.first),
  'a batch is as long as it may be': ({ orders }) =>
    orders.some(
      (order) => order.kind === 'replay-logs' && order.range.last - order.range.first + 1 === REPLAY_BATCH_LOGS_MAX,
    ),
  'progress is told in the middle of a batch': ({ fact, after }) =>
    fact.kind === 'logs-replayed' && after.database?.batch !== null,
  'a copy is suspended while it replays': ({ fact, before }) =>
    fact.kind === 'operator-suspended' && (before.database?.batch ?? null) !== null,
  'a copy is suspended while its database is opened': ({ fact, before }) =>
    fact.kind === 'operator-suspended' && before.database?.phase === 'opening',
  'replay comes to rest with more than was told': ({ fact, before }) =>
    fact.kind === 'replay-stopped' &&
    fact.progress.replayedThrough > (before.database?.progress.replayedThrough ?? GENERATION_MAX),
  'a crash lost what was replayed and not in the file': ({ fact }) =>
    fact.kind === 'database-opened' && fact.progress.requiredHigh > fact.progress.replayedThrough,
  'a replay that failed goes on': ({ before, after }) =>
    before.database?.trouble?.faults !== undefined && after.database?.trouble === null,
  'a replay fails twice in a row': ({ after }) => (after.database?.trouble?.faults ?? 0) >= 2,
  'a log that decayed is copied again': ({ orders }) => orders.some((order) => order.kind === 'set-aside-log'),
  'a database has to be seeded': ({ after }) => mustBeSeeded(after.database),
  'a database is built from the first log': ({ fact, after }) =>
    fact.kind === 'database-opened' && fact.progress.requiredLow === 1 && after.inspected === 0,
  'logs that the database needs were lost below others': ({ fact, before }) =>
    fact.kind === 'database-opened' && before.lowest > fact.progress.requiredLow,
  'RTM is started again and forgets why it failed': ({ before, after }) =>
    before.trial === null && after.trial !== null,
  'RTM calls a copy Healthy that misses a log': ({ after }) => isCalledHealthy(after) && missingOnSource(after) !== 0,
  'RTM calls a copy Healthy whose database is bad': ({ after }) =>
    isCalledHealthy(after) && mustBeSeeded(after.database),
  'RTM calls a failed copy Healthy because it is idle': ({ after }) => isCalledHealthy(after) && after.failure !== null,
  'RTM meets a bad log again': ({ before, after }) =>
    after.release === 'rtm' &&
    (after.database?.trouble?.faults ?? 0) > Math.max(1, before.database?.trouble?.faults ?? 0),
  'a standby target waits for the time': ({ after }) => (after.lag?.wakeAtMs ?? 0) > 0,
  'a standby target replays because the time has come': ({ fact, before, orders }) =>
    fact.kind === 'time-passed' && before.lag !== null && orders.some((order) => order.kind === 'replay-logs'),
  'a standby target deletes because the time has come': ({ fact, before, orders }) =>
    fact.kind === 'time-passed' && before.lag !== null && orders.some((order) => order.kind === 'truncate-logs'),
  'a copy keeps logs that its source has truncated, because its database needs them': ({ after }) =>
    after.database?.phase === 'open' && after.announcement.truncatedBelow > after.database.progress.requiredLow,
}

const BACKUP_SITUATIONS: Readonly<Record<string, (step: SourceStep) => boolean>> = {
  'a full backup lets logs go': ({ fact, before, orders }) =>
    fact.kind === 'backup-recorded' &&
    before.session?.request.scope === 'full' &&
    orders.some((order) => order.kind === 'truncate-logs'),
  'an incremental backup completes': ({ fact, before }) =>
    fact.kind === 'backup-recorded' && before.session?.request.scope === 'incremental',
  'a backup of the passive completes': ({ fact, before }) =>
    fact.kind === 'backup-recorded' && before.session !== null && before.session.request.surrogate !== null,
  'a backup of a passive that lags takes the mark back': ({ fact, before, after }) =>
    fact.kind === 'backup-recorded' && (after.mark?.through ?? 0) < (before.mark?.through ?? 0),
  'a backup is refused because another one runs': ({ fact, before, orders }) =>
    fact.kind === 'backup-asked' && before.session !== null && wasRefused(orders),
  'a backup is refused because it builds on nothing': ({ orders }) =>
    orders.some((order) => order.kind === 'raise-event' && order.id === 206),
  'a backup is refused because logs are gone': ({ orders }) =>
    orders.some((order) => order.kind === 'raise-event' && order.id === 459),
  'a backup begins while logs are being deleted': ({ fact, before, after }) =>
    fact.kind === 'backup-asked' && before.truncating !== null && after.session !== before.session,
  'a backup of the passive is silent for too long': ({ fact, before, after }) =>
    fact.kind === 'time-passed' && before.session !== null && after.session === null,
  'a backup is said to be complete twice': ({ fact, before, orders }) =>
    fact.kind === 'backup-ended' && before.session?.phase === 'recording' && wasRefused(orders),
  'a backup breaks because the log cannot be rolled': ({ fact, before }) =>
    fact.kind === 'backup-broken' && before.session !== null,
}

const SOURCE_SITUATIONS: Readonly<Record<string, (step: SourceStep) => boolean>> = {
  'a mark is refused': ({ fact, orders }) => fact.kind === 'backup-completed' && wasRefused(orders),
  'a mark does not go back': ({ fact, before, after, orders }) =>
    fact.kind === 'backup-completed' && before.mark === after.mark && !wasRefused(orders),
  'truncation is deferred': ({ orders }) => orders.some((order) => order.kind === 'raise-event' && order.id === 225),
  'truncation happens later, by a report': ({ fact, orders }) =>
    fact.kind === 'copy-reported' && orders.some((order) => order.kind === 'truncate-logs'),
  'a suspended copy holds truncation': ({ after }) =>
    after.copies.some(
      ({ report }) => report?.condition === 'suspended' && report.inspected < (after.mark?.through ?? 0),
    ),
  'an unreachable copy holds truncation': ({ after }) =>
    after.copies.some(
      ({ connected, report }) => !connected && report !== null && report.inspected < (after.mark?.through ?? 0),
    ),
  'an unheard copy holds truncation': ({ after }) =>
    after.mark !== null && after.copies.some(({ report }) => report === null),
  'disabling a copy releases logs': ({ fact, orders }) =>
    fact.kind === 'copy-disabled' && orders.some((order) => order.kind === 'truncate-logs'),
  'disabling an unknown copy is refused': ({ fact, orders }) => fact.kind === 'copy-disabled' && wasRefused(orders),
  'a copy comes while logs are being deleted': ({ fact, before }) =>
    fact.kind === 'copy-enrolled' && before.truncating !== null,
  'a deletion fails': ({ fact }) => fact.kind === 'deletion-failed',
  'a deletion finds logs already missing': ({ fact }) => fact.kind === 'logs-deleted' && fact.alreadyMissing > 0,
  'all closed logs are truncated': ({ after }) => after.truncatedBelow > 0 && after.closed?.lowest === 0,
  'a log closes late, within the grace': ({ before, after }) =>
    before.gap !== null && after.gap === null && before.announced?.missing === 0,
  'a log is announced as missing': ({ after }) => (after.announced?.missing ?? 0) > 0,
  'a source starts with a truncation unfinished': ({ fact, before, after }) =>
    fact.kind === 'directory-scanned' &&
    before.closed === null &&
    fact.closed.lowest > 0 &&
    fact.closed.lowest < after.truncatedBelow,
  'the directory of the source is lost': ({ fact }) => fact.kind === 'directory-lost',
  'a copy that has not replayed holds truncation': ({ after }) =>
    after.copies.some(({ report }) => report !== null && holdsBy(after, report.inspected, report.replayed)),
  'a copy that has replayed but requires logs holds truncation': ({ after }) =>
    after.copies.some(
      ({ report }) => report !== null && holdsBy(after, report.replayed, (report.requiredLow ?? 0) - 1),
    ),
}

/** Everything that 10,000 runs must have met: each fault, and each named situation. */
export const SITUATIONS: readonly string[] = [
  ...FAULT_NAMES,
  ...Object.keys(REPLICA_SITUATIONS),
  ...Object.keys(SOURCE_SITUATIONS),
  ...Object.keys(BACKUP_SITUATIONS),
  ...Object.keys(SEEDED_COPY_SITUATIONS),
  ...Object.keys(SEEDING_SOURCE_SITUATIONS),
  ...NOTED_SEED_SITUATIONS,
  ...Object.keys(MOVED_COPY_SITUATIONS),
  ...NOTED_MOVE_SITUATIONS,
]

// Arrays, since these are walked at every step.
const REPLICA_LIST = Object.entries({ ...REPLICA_SITUATIONS, ...SEEDED_COPY_SITUATIONS, ...MOVED_COPY_SITUATIONS })
const SOURCE_LIST = Object.entries({ ...SOURCE_SITUATIONS, ...BACKUP_SITUATIONS, ...SEEDING_SOURCE_SITUATIONS })

/** Notes the situations that a step of a copy meets. */
export function sawReplicaStep(seen: Set<string>, step: ReplicaStep): void {
  for (const [name, isMet] of REPLICA_LIST) if (!seen.has(name) && isMet(step)) seen.add(name)
}

/** Notes the situations that a step of the source meets. */
export function sawSourceStep(seen: Set<string>, step: SourceStep): void {
  for (const [name, isMet] of SOURCE_LIST) if (!seen.has(name) && isMet(step)) seen.add(name)
}

function isCalledHealthy(state: ReplicaState): boolean {
  return state.release === 'rtm' && copyStatus(state).summary === 'Healthy'
}

/** Whether a copy with a database has done with less than it could, and the mark asks for more. */
function holdsBy(state: SourceState, done: number, edge: number): boolean {
  return state.options.passiveGate === 'replayed' && edge > 0 && edge < done && edge < (state.mark?.through ?? 0)
}

function wasRefused(orders: readonly SourceOrder[]): boolean {
  return orders.some((order) => order.kind === 'answer-operator' && order.refusal !== null)
}
