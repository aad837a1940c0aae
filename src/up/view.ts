import type { JsonObject, StatusDocument } from '../api-answer.ts'
import { formatRate } from '../format-size.ts'
import { formatDuration } from '../format-time.ts'

/** Where everything of a cluster is that `ccr up` has made. */
export interface UpPlaces {
  readonly data: string
  /** Whether the data is removed at the end. */
  readonly temporary: boolean
  readonly config: string
  readonly active: NodePlace
  readonly passive: NodePlace
  /** What the load was told that it wrote, durably. */
  readonly ledger: string
}

/** One node. */
interface NodePlace {
  readonly name: string
  readonly managementUrl: string
  /** The folder of the storage group. */
  readonly folder: string
  /** The file with what the service tells. */
  readonly log: string
}

/** One moment of it. */
export interface UpMoment {
  readonly elapsedMs: number
  /** The active store's status; null while it does not answer. */
  readonly store: JsonObject | null
  readonly copy: StatusDocument | null
  /** Lowest closed log still on the active node; 0 when unknown. */
  readonly lowest: number
  readonly commitsPerSecond: number
  readonly logBytesPerSecond: number
}

/** What it came to. */
export interface UpSummary {
  readonly elapsedMs: number
  /** The last document of the load. */
  readonly load: Readonly<Record<string, unknown>>
  /** Of `ccr load --check`. */
  readonly messages: Verdict
  /** Of `ccr compare`; null where the copy was suspended or failed and cannot be compared. */
  readonly databases: Verdict | null
  readonly summaryCopyStatus: string
}

/** What a check said. */
export interface Verdict {
  readonly sound: boolean
  readonly document: Readonly<Record<string, unknown>>
}

/** The first lines: what is where, and what to try. */
export function introLines(places: UpPlaces): string[] {
  const keep = places.temporary ? ' (removed at the end; --data DIR keeps it)' : ''
  const { active, passive } = places
  const server = portIsDefault(passive.managementUrl, 7702) ? '' : ` --server ${passive.managementUrl}`
  const source = portIsDefault(active.managementUrl, 7701) ? '' : ` --server ${active.managementUrl}`
  return [
    'Two nodes, each a process: a store under a mail load on the active one, a copy that replays its logs on the passive one.',
    '',
    ...nodeLines('active ', active),
    ...nodeLines('passive', passive),
    `  data     ${places.data}${keep}`,
    '',
    'In another terminal:',
    `  npx ccr status --watch${server}`,
    `  npx ccr suspend SG1 --comment "look, a queue"${server}   then   npx ccr resume SG1${server}`,
    `  npx ccr explain truncation SG1${source}`,
    `  npx ccr load SG1 --full-speed --for 10s${source}`,
    `  npx ccr dump database ${passive.folder}/database/priv1.edb`,
    `  npx ccr events --follow${server}`,
    '',
    'Ctrl-C stops it cleanly, and checks both databases first.',
    '',
  ]
}

function nodeLines(role: string, { name, managementUrl, folder, log }: NodePlace): string[] {
  return [
    `  ${role}  ${name}  management ${managementUrl}`,
    `           files in ${folder}`,
    `           tells in ${log}`,
  ]
}

/** The block that is redrawn on a terminal. */
export function momentBlock(moment: UpMoment): string[] {
  const { store, copy } = moment
  const comment = String(copy?.['SuspendComment'] ?? '')
  const summary = copy?.SummaryCopyStatus ?? 'ServiceDown'
  return [
    `  ${formatDuration(moment.elapsedMs)}`,
    `  active    ${String(store?.['state'] ?? 'down')}   log ${named(numberIn(store, 'openGeneration'))} is open, ${named(moment.lowest)} the oldest on disk, checkpoint in ${named(numberIn(store, 'checkpointGeneration'))}`,
    `            ${moment.commitsPerSecond.toFixed(0)} commits/s   ${formatRate(moment.logBytesPerSecond)} of log   ${numberIn(store, 'databasePages')} pages`,
    `  passive   ${summary}${comment === '' ? '' : ` (${comment})`}   inspected ${named(numberIn(copy, 'LastLogInspected'))}   replayed ${named(numberIn(copy, 'LastLogReplayed'))}`,
    `  queues    copy ${copy?.CopyQueueLength ?? '?'}   replay ${copy?.ReplayQueueLength ?? '?'}`,
  ]
}

/** The same moment on one line. */
export function momentLine(moment: UpMoment): string {
  const { store, copy } = moment
  return [
    `${(moment.elapsedMs / 1000).toFixed(0).padStart(4)} s`,
    (copy?.SummaryCopyStatus ?? 'ServiceDown').padEnd(15),
    `log ${numberIn(store, 'openGeneration')}`,
    `inspected ${numberIn(copy, 'LastLogInspected')}`,
    `replayed ${numberIn(copy, 'LastLogReplayed')}`,
    `copy queue ${copy?.CopyQueueLength ?? '?'}`,
    `replay queue ${copy?.ReplayQueueLength ?? '?'}`,
    `${moment.commitsPerSecond.toFixed(0)} commits/s`,
    `${formatRate(moment.logBytesPerSecond)} of log`,
    `on disk from ${moment.lowest}`,
  ].join('  ')
}

/** Whether everything that was acknowledged is there, on both sides. */
export function isWhole({ messages, databases }: UpSummary): boolean {
  return messages.sound && databases?.sound === true
}

/** The last lines. */
export function summaryLines(summary: UpSummary): string[] {
  const { load, messages, databases, elapsedMs } = summary
  const delivered = numberIn(load, 'delivered')
  const commits = numberIn(load, 'commits')
  return [
    '',
    `${delivered} messages delivered and ${commits} transactions committed in ${formatDuration(elapsedMs)}, in logs ${numberIn(load, 'firstGeneration')} to ${numberIn(load, 'lastGeneration')}`,
    messages.sound
      ? 'every acknowledged message is in the store'
      : `MESSAGES ARE MISSING OR WRONG: ${JSON.stringify(messages.document)}`,
    databaseLine(databases, summary.summaryCopyStatus),
  ]
}

function databaseLine(databases: Verdict | null, status: string): string {
  if (databases === null) return `THE DATABASES WERE NOT COMPARED: the copy is ${status}`
  if (!databases.sound) return `THE DATABASES DIFFER: ${JSON.stringify(databases.document)}`
  const { pages, through } = databases.document
  return `both databases hold the same ${String(pages)} pages as of log ${String(through)}`
}

/** A whole number that a document says, 0 where it does not. */
export function numberIn(document: JsonObject | null, member: string): number {
  const value = document?.[member]
  return typeof value === 'number' ? value : 0
}

function named(generation: number): string {
  return `${generation.toString(16).toUpperCase().padStart(8, '0')} (${generation})`
}

function portIsDefault(url: string, port: number): boolean {
  return url.endsWith(`:${port}`)
}
