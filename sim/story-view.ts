import { eventText } from '../engine/event-catalogue.ts'
import { formatGeneration } from '../engine/generation.ts'
import type { EventOrder } from '../engine/order.ts'
import { type CopyStatus, copyStatus } from '../engine/replication/copy-status.ts'
import { explainCopyInWords, explainCopyTruncation } from '../engine/replication/explain-truncation.ts'
import type { ReplicaState } from '../engine/replication/replica-state.ts'
import { sessionInWords } from '../engine/source/backup-session.ts'
import { explainInWords, explainTruncation } from '../engine/source/explain-truncation.ts'
import type { SourceState } from '../engine/source/source-state.ts'
import type { CopyDisk } from './copy-disk.ts'
import type { SourceDisk } from './source-disk.ts'
import type { ToyDatabase } from './toy-database.ts'
import { historyText, processedText } from './trace.ts'

/** A copy's status as an operator reads it: the summary and queues in one line, messages below. */
export function statusLines(state: ReplicaState): string[] {
  const status = copyStatus(state)
  const counters = [
    status.lastLogGenerated,
    status.lastLogCopyNotified,
    status.lastLogCopied,
    status.lastLogInspected,
    status.lastLogReplayed,
  ]
  const lines = [
    `${status.storageGroup}: ${status.summary}, copy queue ${status.copyQueueLength}${replayText(status)}; generated, notified, copied, inspected, replayed: ${counters.join(' ')}; ${status.connected ? 'connected' : 'not connected'}`,
  ]
  if (status.suspended) lines.push(`  suspended: ${JSON.stringify(status.suspendComment)}`)
  if (status.remark !== '') lines.push(`  remark: ${status.remark}`)
  if (status.failedMessage !== '') lines.push(`  failed: ${status.failedMessage}`)
  return lines
}

function replayText({ requiredLogs, replayQueueLength, replayBatch }: CopyStatus): string {
  if (requiredLogs === null) return ''
  const batch = replayBatch.size === 0 ? '' : ` (batch of ${replayBatch.size}, ${replayBatch.remaining} remaining)`
  return `, replay queue ${replayQueueLength}${batch}`
}

/** Why each closed log is still on the source. */
export function explanationLines(state: SourceState): string[] {
  const explanation = explainTruncation(state)
  const lines = explanation.held.flatMap((held) => [
    explainInWords(explanation.storageGroup, held),
    ...held.reasons.map(({ rule, release }) => `  ${rule}: released by ${release}`),
  ])
  if (explanation.lastFailure !== '') lines.push(`last failure: ${explanation.lastFailure}`)
  return lines.length === 0 ? ['no closed log is on the source'] : lines
}

/** Why each log is still on a copy. */
export function copyExplanationLines(state: ReplicaState, nowMs: number): string[] {
  const { storageGroup, held } = explainCopyTruncation(state, nowMs)
  const lines = held.flatMap((run) => [
    explainCopyInWords(storageGroup, run),
    ...run.reasons.map(({ rule, release }) => `  ${rule}: released by ${release}`),
  ])
  return lines.length === 0 ? ['no log is on the copy'] : lines
}

/** Events as the event log shows them. */
export function eventLines(events: readonly { readonly who: string; readonly order: EventOrder }[]): string[] {
  if (events.length === 0) return ['no events']
  return events.map(({ who, order }) => `${order.id} ${who}: ${eventText(order.id, 'SG1', order.values)}`)
}

/** The source as its operator sees it. */
export function shareLines(state: SourceState): string[] {
  const { closed, generated, mark, truncatedBelow, copies, disabled, backups, session } = state
  const range = closed === null || closed.lowest === 0 ? 'no closed logs' : `logs ${closed.lowest}-${closed.generated}`
  const lines = [
    `${range}, contiguous through ${closed?.closedThrough ?? 0}, generated ${generated}, marked ${mark?.through ?? 0}, truncated below ${truncatedBelow}`,
  ]
  const history = historyText(backups)
  if (history !== 'none') lines.push(`  backups: ${history}`)
  if (session !== null)
    lines.push(`  ${sessionInWords(session)} is ${session.phase}, pins logs from ${session.pinnedFrom}`)
  for (const { label, connected, report } of copies) {
    const told = report === null ? 'has not reported' : `${report.condition}, ${processedText(report)}`
    lines.push(`  ${label}: ${connected ? 'connected' : 'not connected'}, ${told}`)
  }
  for (const copyId of disabled) lines.push(`  ${copyId}: disabled`)
  return lines
}

/** What lies on a disk, as programs see it. */
export function fileLines(disk: CopyDisk | SourceDisk): string[] {
  const logs = disk.logs.sortedNames().map(formatGeneration)
  const lines = [`logs: ${logs.join(' ') || 'none'}`]
  if ('inspector' in disk) {
    lines.push(`inspector: ${disk.inspector.sortedNames().join(' ') || 'empty'}`)
    const refused = disk.quarantine.map((log) => formatGeneration(log.generation))
    lines.push(`quarantine: ${refused.join(' ') || 'empty'}`)
    if (disk.database !== null) lines.push(`database: ${databaseText(disk.database)}`)
  }
  return lines
}

function databaseText({ isLost, content, header }: ToyDatabase): string {
  return isLost ? 'gone' : `holds logs through ${content}, requires ${header.low}-${header.high}`
}
