import type {
  Announcement,
  BackupFact,
  CopyReport,
  DatabaseProgress,
  Fault,
  ReplicaFact,
  SourceFact,
  StoreContents,
} from '../engine/fact.ts'
import type { GenerationRange } from '../engine/generation.ts'
import type { ReplicaOrder, SourceOrder } from '../engine/order.ts'
import type { BackupHistory, BackupRequest } from '../engine/source/backup-session.ts'

/** A fact in one line: its kind, then what matters of it. Stable: stories and hashes of traces rest on it. */
export function factLine(fact: ReplicaFact | SourceFact): string {
  const rest = factRest(fact)
  return rest === '' ? fact.kind : `${fact.kind} ${rest}`
}

/** An order in one line. Stable, as {@link factLine}. */
export function orderLine(order: ReplicaOrder | SourceOrder): string {
  const rest = orderRest(order)
  return rest === '' ? order.kind : `${order.kind} ${rest}`
}

/** A range of generations: `7` or `7-9`. */
function rangeText({ first, last }: GenerationRange): string {
  return first === last ? `${first}` : `${first}-${last}`
}

function factRest(fact: ReplicaFact | SourceFact): string {
  switch (fact.kind) {
    case 'copy-started':
      return fact.contents === null ? 'suspended, store not read' : contentsText(fact.contents)
    case 'store-checked':
      return `session ${fact.session} ${contentsText(fact.contents)}`
    case 'log-copied': {
      const verdict = fact.log.rejection === null ? '' : ` refused ${fact.log.rejection.reason}`
      return `${fact.log.generation} session ${fact.session}${verdict}`
    }
    case 'copy-failed':
      return `${fact.generation} session ${fact.session} ${faultText(fact.fault)}`
    case 'logs-inspected':
      return `${rangeText(fact.range)} session ${fact.session}`
    case 'store-failed':
    case 'inspection-failed':
      return `session ${fact.session} ${faultText(fact.fault)}`
    case 'source-lost':
    case 'source-refused':
    case 'directory-lost':
      return faultText(fact.fault)
    case 'logs-announced':
      return announcementText(fact.announcement)
    case 'logs-deleted':
      return `${rangeText(fact.range)}${fact.alreadyMissing === 0 ? '' : ` (${fact.alreadyMissing} missing)`}`
    case 'deletion-failed':
      return `${rangeText(fact.range)} ${faultText(fact.fault)}`
    case 'database-opened':
    case 'logs-replayed':
    case 'checkpoint-moved':
      return `${progressText(fact.progress)} session ${fact.session}`
    case 'replay-stopped':
      return progressText(fact.progress)
    case 'replay-failed':
      return `${fact.fault.generation} session ${fact.session} ${fact.fault.eseError} ${faultText(fact.fault)}`
    default:
      return shortFactRest(fact)
  }
}

type LongFact =
  | 'copy-started'
  | 'store-checked'
  | 'log-copied'
  | 'copy-failed'
  | 'logs-inspected'
  | 'store-failed'
  | 'inspection-failed'
  | 'source-lost'
  | 'source-refused'
  | 'directory-lost'
  | 'logs-announced'
  | 'logs-deleted'
  | 'deletion-failed'
  | 'database-opened'
  | 'logs-replayed'
  | 'checkpoint-moved'
  | 'replay-stopped'
  | 'replay-failed'

function shortFactRest(fact: Exclude<ReplicaFact | SourceFact, { kind: LongFact }>): string {
  switch (fact.kind) {
    case 'source-connected':
    case 'database-wanted':
    case 'time-passed':
      return ''
    case 'operator-suspended':
      return fact.comment === null ? 'without comment' : JSON.stringify(fact.comment)
    case 'operator-resumed':
    case 'operator-froze':
    case 'operator-thawed':
    case 'operator-began-seed':
      return `request ${fact.requestId}`
    case 'seed-pinned':
      return `from ${fact.from}`
    case 'seed-completed':
      return `required ${rangeText(fact.required)}, stream ${fact.stream}${fact.resumes ? ', resumes' : ''}`
    case 'seed-ended':
      return fact.fault === null ? 'elsewhere' : faultText(fact.fault)
    case 'share-started':
      return `enrolled ${fact.enrolled.length}, disabled ${fact.disabled.length}, mark ${fact.mark?.through ?? 0}, truncated below ${fact.truncatedBelow}`
    case 'directory-scanned':
      return `lowest ${fact.closed.lowest}, through ${fact.closed.closedThrough}, generated ${fact.closed.generated}`
    case 'copy-enrolled':
      return fact.copy.label
    case 'copy-reported':
      return `${fact.copyId} ${reportText(fact.report)}`
    case 'copy-lost':
      return fact.copyId
    case 'store-checkpointed':
      return `required ${fact.required}`
    case 'copy-disabled':
      return fact.copyId
    case 'backup-completed':
      return `through ${fact.through}`
    case 'log-identified':
      return `${fact.generation} ${fact.identity === null ? 'unknown' : 'known'} session ${fact.session}`
    case 'log-matched':
      return `${fact.log.generation} ${fact.isSame ? 'same' : 'other bytes'} session ${fact.session}`
    case 'stream-restored':
      return `lowest ${fact.closed.lowest}, generated ${fact.closed.generated}`
    default:
      return backupFactRest(fact)
  }
}

function backupFactRest(fact: BackupFact): string {
  switch (fact.kind) {
    case 'backup-asked':
      return requestText(fact.request)
    case 'backup-logs-wanted':
    case 'backup-continued':
    case 'backup-recorded':
      return `backup ${fact.session}`
    case 'backup-prepared':
      return `backup ${fact.session} closed ${fact.closed}, checkpoint ${fact.checkpoint}`
    case 'backup-thawed':
      return `backup ${fact.session} after ${fact.frozenMs} ms${fact.timedOut ? ', timed out' : ''}`
    case 'backup-ended':
      return `backup ${fact.session} ${fact.outcome}${fact.logsRead ? '' : ', not all logs read'}${fact.reason === '' ? '' : `: ${fact.reason}`}`
    case 'backup-broken':
      return `backup ${fact.session} ${faultText(fact.fault)}`
    case 'backups-known':
      return historyText(fact.history)
  }
}

function requestText({ scope, method, surrogate, seed }: BackupRequest): string {
  if (seed !== undefined) return `seed of ${seed.copyId} from ${seed.from}`
  const of =
    surrogate === null
      ? 'active'
      : `${surrogate.copyId} ${rangeText(surrogate.range)} required from ${surrogate.required}`
  return `${scope} ${method} of ${of}`
}

/** The newest backup of each scope, as stories show them: `full 1-8 streaming`. */
export function historyText(history: BackupHistory): string {
  const told = Object.values(history).flatMap((backup) =>
    backup === null
      ? []
      : [`${backup.scope} ${rangeText(backup.range)} ${backup.method}${backup.surrogate ? ' of the passive' : ''}`],
  )
  return told.join(', ') || 'none'
}

function orderRest(order: ReplicaOrder | SourceOrder): string {
  switch (order.kind) {
    case 'copy-logs':
      return `${rangeText(order.range)} session ${order.session}`
    case 'inspect-logs':
      return `${order.logs.map((log) => log.generation).join(' ')} session ${order.session}`
    case 'quarantine-log':
      return `${order.log.generation} ${order.reason}: ${order.detail}`
    case 'check-store':
    case 'open-database':
      return `session ${order.session}`
    case 'replay-logs':
      return `${rangeText(order.range)} session ${order.session}`
    case 'set-aside-log':
      return `${order.generation} ${order.reason}: ${order.detail}`
    case 'record-suspension':
      return order.suspension === null ? 'none' : JSON.stringify(order.suspension.comment)
    case 'report-progress':
      return reportText(order.report)
    case 'announce':
      return announcementText(order.announcement)
    case 'truncate-logs':
      return rangeText(order.range)
    case 'raise-event':
      return `${order.id} ${order.values.join(', ')}`.trimEnd()
    case 'answer-operator':
      return answerText(order)
    default:
      return shortOrderRest(order)
  }
}

type LongOrder =
  | 'copy-logs'
  | 'inspect-logs'
  | 'quarantine-log'
  | 'check-store'
  | 'open-database'
  | 'replay-logs'
  | 'set-aside-log'
  | 'record-suspension'
  | 'report-progress'
  | 'announce'
  | 'truncate-logs'
  | 'raise-event'
  | 'answer-operator'

function shortOrderRest(order: Exclude<ReplicaOrder | SourceOrder, { kind: LongOrder }>): string {
  switch (order.kind) {
    case 'stop-copying':
    case 'stop-replaying':
    case 'abandon-database':
    case 'scan-directory':
      return ''
    case 'record-mark':
      return `through ${order.mark.through}`
    case 'record-enrolment':
      return order.copy.label
    case 'accept-copy':
    case 'record-disablement':
      return order.copyId
    case 'refuse-copy':
      return `${order.copyId}: ${order.message}`
    case 'record-truncation':
      return `below ${order.below}`
    case 'identify-log':
    case 'compare-log':
      return `${order.generation} session ${order.session}`
    case 'match-log':
    case 'discard-log':
      return `${order.log.generation}`
    case 'set-aside-diverged':
      return `${rangeText(order.range)} session ${order.session}`
    case 'record-stream':
      return order.stream === null ? 'none' : `${order.stream}`
    case 'record-restore':
      return `${order.stream}`
    case 'wake-at':
      return `${order.atMs}`
    case 'prepare-backup':
      return `backup ${order.session.id}`
    case 'record-backup':
      return `backup ${order.session} ${order.backup.scope} ${rangeText(order.backup.range)}`
    case 'release-backup':
      return `backup ${order.session}`
  }
}

function answerText({ refusal, remark }: Extract<ReplicaOrder, { kind: 'answer-operator' }>): string {
  if (refusal !== null) return `refused ${refusal.code}: ${refusal.message}`
  return remark === '' ? 'done' : `done: ${remark}`
}

function faultText({ code, message }: Fault): string {
  return `${code} (${message})`
}

function contentsText({ run }: StoreContents): string {
  return run === null ? 'empty store' : `holds ${rangeText(run)}`
}

function announcementText(announcement: Announcement): string {
  const { lowest, closedThrough, generated, missing, truncatedBelow, stream } = announcement
  const gap = missing === 0 ? '' : `, missing ${missing}`
  const edge = truncatedBelow === 0 ? '' : `, truncated below ${truncatedBelow}`
  const moved = announcement.takenOver === undefined ? '' : ` of another node since log ${announcement.takenOver.after}`
  const restored = stream === 0 ? '' : `, stream ${stream}${moved}`
  return `lowest ${lowest}, through ${closedThrough}, generated ${generated}${gap}${edge}${restored}`
}

function reportText(report: CopyReport): string {
  const restored = report.stream === 0 ? '' : `, stream ${report.stream ?? 'unknown'}`
  const kind = report.kind === 'scr' ? ', standby' : ''
  return `${processedText(report)}, ${report.condition}${kind}${restored}`
}

/** How far a copy is as stories show it: what concerns a database only where there is one. */
export function processedText({ inspected, replayed, requiredLow }: CopyReport): string {
  const database = requiredLow === null ? '' : `, replayed ${replayed}, required from ${requiredLow}`
  return `inspected ${inspected}${database}`
}

function progressText({ replayedThrough, requiredLow, requiredHigh }: DatabaseProgress): string {
  return `through ${replayedThrough}, required ${requiredLow}-${requiredHigh}`
}
