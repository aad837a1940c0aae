import type { LoadFinding } from '../../engine/load/ledger-check.ts'
import { formatRate, formatSize } from '../format-size.ts'
import { formatDuration } from '../format-time.ts'
import type { LatencyFigures } from './latency.ts'
import type { LoadSummary } from './load-figures.ts'

const COUNTS = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** How a load goes, for a person who watches: since the look before, and in all. */
export function liveLines(storageGroup: string, before: LoadSummary, now: LoadSummary): readonly string[] {
  const seconds = Math.max(now.durationMs - before.durationMs, 1) / 1000
  const messages = (actionsOf(now) - actionsOf(before)) / seconds
  const commits = (now.commits - before.commits) / seconds
  const bytes = (now.bytesWritten - before.bytesWritten) / seconds
  return [
    `${storageGroup}  ${formatDuration(now.durationMs)}  log ${now.lastGeneration}  ${actionsOf(now)} messages  in doubt ${now.inDoubt}`,
    `${count(messages)} messages/s  ${count(commits)} commits/s  ${formatRate(bytes)}  ${latencyText('commit', now.commitMs)}`,
  ]
}

/** What a load came to, as text. */
export function summaryLines(storageGroup: string, summary: LoadSummary): readonly string[] {
  const seconds = Math.max(summary.durationMs, 1) / 1000
  const { delivered, replaced, deleted, read, commits, bytesWritten, firstGeneration, lastGeneration } = summary
  const refused = Object.entries(summary.refused)
  return [
    `${storageGroup}: ${count(actionsOf(summary))} messages in ${formatDuration(summary.durationMs)} (${count(actionsOf(summary) / seconds)}/s): ${delivered} delivered, ${replaced} replaced, ${deleted} deleted, ${read} read`,
    `  ${count(commits)} commits (${count(commits / seconds)}/s), ${formatSize(bytesWritten)} written (${formatRate(bytesWritten / seconds)}), logs ${firstGeneration} to ${lastGeneration}`,
    `  ${latencyText('commit', summary.commitMs)}; ${latencyText('read', summary.readMs)}`,
    ...(summary.outages === 0
      ? []
      : [`  the store was away ${summary.outages} times, ${formatDuration(summary.outageMs)} in all`]),
    ...(summary.inDoubt === 0 ? [] : [`  ${summary.inDoubt} transactions were not answered, and are in doubt`]),
    ...(refused.length === 0 ? [] : [`  refused: ${refused.map(([code, times]) => `${code} ${times}`).join(', ')}`]),
    ...faultLines(summary.faults, summary.firstFaults),
  ]
}

/** What a check has found, as text. */
export function findingLines(findings: readonly LoadFinding[], toldMax: number): readonly string[] {
  return faultLines(findings.length, findings.slice(0, toldMax).map(findingText))
}

function faultLines(faults: number, told: readonly string[]): readonly string[] {
  if (faults === 0) return []
  const more = faults - told.length
  return [`  FAULTS: ${faults}`, ...told.map((text) => `    ${text}`), ...(more > 0 ? [`    and ${more} more`] : [])]
}

function findingText(finding: LoadFinding): string {
  if (finding.kind === 'half-transaction')
    return `mailbox ${finding.mailbox}: half a transaction is there: made for ${finding.made.join(', ')}, not for ${finding.notMade.join(', ')}`
  return `message ${finding.id} of mailbox ${finding.mailbox} ${FINDING_TEXT[finding.kind]}`
}

const FINDING_TEXT: Readonly<Record<Exclude<LoadFinding['kind'], 'half-transaction'>, string>> = {
  missing: 'was acknowledged, and is missing',
  resurrected: 'is there, though it was deleted or never committed',
  'never-sent': 'is there, though the ledger has never heard of it',
  'wrong-content': 'has other bytes than were acknowledged',
}

function actionsOf({ delivered, replaced, deleted, read }: LoadSummary): number {
  return delivered + replaced + deleted + read
}

function latencyText(what: string, figures: LatencyFigures | null): string {
  return figures === null ? `no ${what} was answered` : `${what} p50 ${figures.p50} ms, p99 ${figures.p99} ms`
}

function count(value: number): string {
  return COUNTS.format(value)
}
