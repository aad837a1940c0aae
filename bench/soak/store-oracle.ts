import { readCheckpointFile } from '../../engine/database/checkpoint-file.ts'
import { readDatabaseHeader } from '../../engine/database/database-header-copies.ts'
import { PAGE_BYTES } from '../../engine/database/page.ts'
import { digestHeader } from '../../engine/database/saved-page-file.ts'
import type { DatabaseOrder, LogOrder, SavedPage } from '../../engine/database/store-order.ts'
import type { FileOperations } from '../../storage/file-operations.ts'
import { SavedPages } from '../../storage/saved-pages.ts'
import { DATABASE_SCRIPT, freshLog, LOG_BYTES } from './store-script.ts'

/** What lies in the directories of a store. */
export interface StoreContents {
  /** By name: what lies among the logs. */
  readonly logs: ReadonlyMap<string, Uint8Array>
  /** Discarded logs, whatever their names. */
  readonly kept: readonly Uint8Array[]
  readonly database: Uint8Array | null
  /** By number: the images of pages that a recovery would see. */
  readonly saved: ReadonlyMap<number, SavedPage>
}

/** A disk as an auditor reads it: files alone, with however many names. */
export interface RawDisk {
  /** Names of the regular files of a directory; none where there is no directory. */
  list(directory: string): readonly string[]
  read(path: string): Uint8Array
  readonly files: FileOperations
}

/** Reads a whole store. */
export async function contentsOf(disk: RawDisk, root: string): Promise<StoreContents> {
  const logs = `${root}/logs`
  const outOfDate = `${logs}/IgnoredLogs/E00OutOfDate`
  const database = `${root}/database`
  const saved = new SavedPages({ files: disk.files, directory: database, name: 'priv1.edb.saved', newId: () => '' })
  const images = await saved.read()
  return {
    logs: new Map(disk.list(logs).map((name) => [name, disk.read(`${logs}/${name}`)])),
    kept: disk.list(outOfDate).map((name) => disk.read(`${outOfDate}/${name}`)),
    database: disk.list(database).includes('priv1.edb') ? disk.read(`${database}/priv1.edb`) : null,
    saved: new Map(images.map((image) => [image.number, image])),
  }
}

/** What the log lane has made so far, in the simplest form. */
export interface LogTwin {
  readonly open: number
  readonly closed: readonly number[]
  readonly contents: ReadonlyMap<number, Uint8Array>
}

/** Before the first order. */
export const NOTHING: LogTwin = { open: 0, closed: [], contents: new Map() }

/** What is there when an order has ended. */
export function afterOrder(twin: LogTwin, order: LogOrder): LogTwin {
  const contents = new Map(twin.contents)
  switch (order.order) {
    case 'write-log': {
      const next = (contents.get(order.generation) ?? new Uint8Array()).slice()
      next.set(order.bytes, order.at)
      return { ...twin, contents: contents.set(order.generation, next) }
    }
    case 'roll-log': {
      if (twin.open === order.opens) return twin
      const closed = order.closes === null ? twin.closed : [...twin.closed, order.closes]
      return { open: order.opens, closed, contents: contents.set(order.opens, freshLog(order.opens)) }
    }
    case 'prepare-log':
      return { ...twin, closed: twin.closed.filter((generation) => generation !== order.reuse) }
    case 'mend-log':
      return { ...twin, contents: contents.set(order.generation, order.bytes) }
    case 'discard-logs':
      return { ...twin, open: 0, closed: twin.closed.filter((generation) => generation < order.from) }
  }
}

/** Where the log's lane stood. */
export interface LogPromise {
  readonly before: LogTwin
  /** The order that may be half done; null for none. */
  readonly order: LogOrder | null
  /** Logs that an order in the background may have taken by now, or not yet. */
  readonly reused: ReadonlySet<number>
}

/** What lies there among the logs and breaks a promise. */
export function judgeLogs(found: StoreContents, { before, order, reused }: LogPromise): string[] {
  const next = order === null ? before : afterOrder(before, order)
  const open = found.logs.get('E00.log')
  const faults: string[] = []
  for (const generation of new Set([...before.closed, ...next.closed])) {
    const log = found.logs.get(logName(generation))
    const mayBeKept = !next.closed.includes(generation) && isKept(found, generation, before)
    const mayBeOpen = !before.closed.includes(generation) && open !== undefined && generationIn(open) === generation
    if (log === undefined && !reused.has(generation) && !mayBeKept && !mayBeOpen)
      faults.push(`log ${generation} is missing`)
    if (log !== undefined && !isBetween(log, generation, { before, next }))
      faults.push(`log ${generation} is not whole`)
  }
  const known = new Set([...before.closed, ...next.closed, ...reused].map(logName))
  for (const name of found.logs.keys())
    if (/^E00[0-9A-F]{8}\.log$/.test(name) && !known.has(name)) faults.push(`${name} is there`)
  return [...faults, ...judgeOpenLog(found, { before, next })]
}

function judgeOpenLog(found: StoreContents, of: { before: LogTwin; next: LogTwin }): string[] {
  const { before, next } = of
  const open = found.logs.get('E00.log')
  if (open !== undefined) {
    const generation = generationIn(open)
    if (generation !== before.open && generation !== next.open) return [`log ${generation} is open`]
    return isBetween(open, generation, of) ? [] : [`the open log ${generation} is torn`]
  }
  if (before.open === 0) return []
  const isRolled = before.open !== next.open && found.logs.get('E00tmp.log')?.length === LOG_BYTES
  return isRolled || (next.open === 0 && isKept(found, before.open, before)) ? [] : ['the open log is missing']
}

/** Whether a discarded log lies where the operator finds it, whole. */
function isKept({ kept }: StoreContents, generation: number, { contents }: LogTwin): boolean {
  const log = Buffer.from(contents.get(generation) ?? [])
  return kept.some((bytes) => log.equals(bytes))
}

/** 0 for a file that a cut left shorter than a header. */
function generationIn(log: Uint8Array): number {
  return log.length < 8 ? 0 : new DataView(log.buffer, log.byteOffset).getInt32(4, true)
}

function logName(generation: number): string {
  return `E00${generation.toString(16).toUpperCase().padStart(8, '0')}.log`
}

/** Whether each sector of a log is what it was before the order or what it is to be after it. */
function isBetween(log: Uint8Array, generation: number, of: { before: LogTwin; next: LogTwin }): boolean {
  const versions = [of.before, of.next].flatMap(({ contents }) => contents.get(generation) ?? [])
  if (log.length !== LOG_BYTES) return false
  for (let at = 0; at < LOG_BYTES; at += 512) {
    const sector = Buffer.from(log.subarray(at, at + 512))
    if (!versions.some((version) => sector.equals(version.subarray(at, at + 512)))) return false
  }
  return true
}

/** What lies there of the database and breaks a promise, when so many orders of its script have ended. */
export function judgeDatabase(found: StoreContents, ended: number): string[] {
  if (found.database === null) return ended > 0 ? ['the database is missing'] : []
  const { durable, underWay } = promisedPages(ended)
  const header = readDatabaseHeader(found.database)
  const headerDigest = header.verdict === 'read' ? digestHeader(header.header) : null
  const faults: string[] = []
  for (let number = 1; number <= PAGES_MAX; number++) {
    const bytes = Buffer.alloc(PAGE_BYTES)
    bytes.set(found.database.subarray((number + 1) * PAGE_BYTES, (number + 2) * PAGE_BYTES))
    const old = durable.get(number) ?? NO_PAGE
    const next = underWay.get(number) ?? old
    const saved = found.saved.get(number)
    // Only this one goes over a page that looks sound.
    const image = saved?.headerDigest === headerDigest ? saved.bytes : NO_PAGE
    if (!bytes.equals(old) && !bytes.equals(next) && !(next !== old && next.equals(image)))
      faults.push(`page ${number} is neither old nor new, and has no image`)
    if (image !== NO_PAGE && dbtimeOf(image) < dbtimeOf(old)) faults.push(`page ${number} is newer than its image`)
  }
  return [...faults, ...judgeHeaders(found, ended)]
}

/** The highest page of the script. */
const PAGES_MAX = 9
/** What lies where no page was written. */
const NO_PAGE: Buffer = Buffer.alloc(PAGE_BYTES)

/** Pages of the script are full of it. */
function dbtimeOf(bytes: Uint8Array): number {
  return bytes[100] ?? 0
}

type Pages = Map<number, Buffer>

/** Each page that is durable, and each that may be under way, when so many orders have ended. */
function promisedPages(ended: number): { durable: Pages; underWay: Pages } {
  const durable: Pages = new Map()
  const underWay: Pages = new Map()
  for (const [index, order] of DATABASE_SCRIPT.slice(0, ended + 1).entries()) {
    if (order.order === 'write-pages')
      for (const { number, bytes } of order.pages) underWay.set(number, Buffer.from(bytes.buffer))
    // Every other order ends with all pages durable.
    if (order.order === 'create-database' || order.order === 'write-pages' || index === ended) continue
    for (const [number, bytes] of underWay) durable.set(number, bytes)
    underWay.clear()
  }
  return { durable, underWay }
}

function judgeHeaders(found: StoreContents, ended: number): string[] {
  const read = readDatabaseHeader(found.database ?? new Uint8Array())
  if (read.verdict === 'rejected') return ['no header is whole']
  const headers = newest(ended, (order) => ('header' in order ? Number(order.header.dbtime) : null))
  const faults = headers.includes(Number(read.header.dbtime)) ? [] : [`the header is of ${read.header.dbtime}`]
  const bytes = found.logs.get('E00.chk')
  const file = bytes === undefined ? null : readCheckpointFile(bytes)
  const at = file?.verdict === 'read' ? file.checkpoint.checkpoint.generation : file === null ? null : Number.NaN
  const checkpoints = newest(ended, (order) => ('checkpoint' in order ? order.checkpoint.checkpoint.generation : null))
  return checkpoints.includes(at) ? faults : [...faults, `the checkpoint is at ${at}`]
}

/** What `of` said last of the orders that have ended, and of the one under way, if it says anything. */
function newest(ended: number, of: (order: DatabaseOrder) => number | null): (number | null)[] {
  const said = DATABASE_SCRIPT.slice(0, ended).flatMap((order) => of(order) ?? [])
  const underWay = DATABASE_SCRIPT[ended]
  return [said.at(-1) ?? null, ...(underWay === undefined ? [] : [of(underWay)].filter((value) => value !== null))]
}
