import type { JsonObject, StatusDocument } from '../api-answer.ts'
import { formatRate } from '../format-size.ts'
import { formatDuration } from '../format-time.ts'
import type { CheckResult, LatencyResult } from './copy-check.ts'

/** Where everything of a demonstration is. */
export interface DemoPlaces {
  readonly data: string
  /** Whether the data is removed at the end. */
  readonly temporary: boolean
  readonly sourceLogs: string
  readonly store: string
  readonly shareUrl: string
  readonly shareManagement: string
  readonly copyManagement: string
  readonly logs: readonly string[]
}

/** One moment of a demonstration. */
export interface DemoMoment {
  readonly elapsedMs: number
  readonly written: number
  readonly lastWritten: number
  /** Logs closed per second and bytes inspected per second since the moment before. */
  readonly logsPerSecond: number
  readonly bytesPerSecond: number
  readonly status: StatusDocument | null
  /** Lowest log still on the source; 0 when unknown. */
  readonly lowest: number
  readonly check: CheckResult
  readonly latency: LatencyResult | null
  /** What the writer waits for; `''` when it writes. */
  readonly waiting: string
}

/** How a demonstration ended. */
export interface DemoSummary {
  readonly elapsedMs: number
  readonly written: number
  readonly inspectedThrough: number
  readonly lastWritten: number
  readonly bytes: number
  readonly check: CheckResult
  readonly latency: LatencyResult | null
  readonly summaryCopyStatus: string
}

/** The first lines: what is where, and what to try. */
export function introLines(places: DemoPlaces): string[] {
  const keep = places.temporary ? ' (removed at the end; --data DIR keeps it)' : ''
  const server = portIsDefault(places.copyManagement, 7702) ? '' : ` --server ${places.copyManagement}`
  const source = portIsDefault(places.shareManagement, 7701) ? '' : ` --server ${places.shareManagement}`
  return [
    'A log-shipping demonstration: a store writes logs, one process shares them, another copies them over HTTP.',
    '',
    `  active   logs       ${places.sourceLogs}`,
    `           serves     ${places.shareUrl}`,
    `           management ${places.shareManagement}`,
    `  passive  store      ${places.store}`,
    `           management ${places.copyManagement}`,
    `  services log to     ${places.logs.join(', ')}`,
    `  data                ${places.data}${keep}`,
    '',
    'In another terminal:',
    `  npx ccr status --watch${server}`,
    `  npx ccr suspend SG1 --comment "look, a queue"${server}   then   npx ccr resume SG1${server}`,
    `  npx ccr explain truncation SG1${source}`,
    `  npx ccr events --follow${server}`,
    '',
    'Ctrl-C stops it cleanly.',
    '',
  ]
}

/** The block that is redrawn on a terminal. */
export function momentBlock(moment: DemoMoment): string[] {
  const { status, check, latency, waiting } = moment
  const comment = String(status?.['SuspendComment'] ?? '')
  return [
    `  ${formatDuration(moment.elapsedMs)}${waiting === '' ? '' : `   the writer waits: ${waiting}`}`,
    `  active    closed through ${named(moment.lastWritten)}   on disk from ${named(moment.lowest)}   ${moment.logsPerSecond.toFixed(1)} logs/s`,
    `  passive   inspected through ${named(numberIn(status, 'LastLogInspected'))}   ${formatRate(moment.bytesPerSecond)}   ${status?.SummaryCopyStatus ?? 'ServiceDown'}${comment === '' ? '' : ` (${comment})`}`,
    `  queues    copy ${status?.CopyQueueLength ?? '?'}   replay ${status?.ReplayQueueLength ?? '?'}`,
    `  checked   ${check.verified} logs the same byte for byte${check.different.length === 0 ? '' : `, ${check.different.length} DIFFERENT`}`,
    `  latency   ${latency === null ? 'not measured yet' : latencyText(latency)}`,
  ]
}

/** The same moment on one line. */
export function momentLine(moment: DemoMoment): string {
  const { status, check, latency, waiting } = moment
  return [
    `${(moment.elapsedMs / 1000).toFixed(0).padStart(4)} s`,
    (status?.SummaryCopyStatus ?? 'ServiceDown').padEnd(15),
    `closed ${moment.lastWritten}`,
    `inspected ${numberIn(status, 'LastLogInspected')}`,
    `copy queue ${status?.CopyQueueLength ?? '?'}`,
    `replay queue ${status?.ReplayQueueLength ?? '?'}`,
    `${moment.logsPerSecond.toFixed(1)} logs/s`,
    formatRate(moment.bytesPerSecond),
    `same ${check.verified}`,
    `on disk from ${moment.lowest}`,
    ...(latency === null ? [] : [`p50 ${latency.p50Ms.toFixed(1)} ms`]),
    ...(waiting === '' ? [] : [`writer waits: ${waiting}`]),
  ].join('  ')
}

/** Whether the copy has everything, the same. */
export function isWhole({ lastWritten, inspectedThrough, written, check }: DemoSummary): boolean {
  return inspectedThrough >= lastWritten && check.different.length === 0 && check.verified === written
}

/** The last lines. */
export function summaryLines(summary: DemoSummary): string[] {
  const { written, check, latency, elapsedMs, bytes } = summary
  const seconds = Math.max(1, elapsedMs) / 1000
  return [
    '',
    `${written} logs written in ${formatDuration(elapsedMs)}: ${(written / seconds).toFixed(1)} logs/s, ${formatRate(bytes / seconds)}`,
    `${check.verified} logs copied, inspected, and the same byte for byte on both sides`,
    ...(latency === null
      ? []
      : [`latency from the rename on the active to the log's name in the copy's directory: ${latencyText(latency)}`]),
    isWhole(summary)
      ? 'the copy is whole'
      : `THE COPY IS NOT WHOLE: status ${summary.summaryCopyStatus}, inspected through ${summary.inspectedThrough} of ${summary.lastWritten}${check.different.length === 0 ? '' : `, different: ${check.different.slice(0, 5).join(', ')}`}`,
  ]
}

/** A whole number that a document says, 0 where it does not. */
export function numberIn(document: JsonObject | null, member: string): number {
  const value = document?.[member]
  return typeof value === 'number' ? value : 0
}

function latencyText({ p50Ms, p99Ms, samples }: LatencyResult): string {
  return `p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms (${samples} logs)`
}

function named(generation: number): string {
  return `${generation.toString(16).toUpperCase().padStart(8, '0')} (${generation})`
}

function portIsDefault(url: string, port: number): boolean {
  return url.endsWith(`:${port}`)
}
