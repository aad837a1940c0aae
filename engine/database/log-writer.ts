import { assert } from '../assert.ts'
import { formatGeneration } from '../generation.ts'
import { fillWithPattern } from './fill-pattern.ts'
import type { LogAttachment } from './log-attachment.ts'
import { type LogBytes, openLogBytes } from './log-bytes.ts'
import { type BodyGeometry, CHECKSUM_RECORD_BYTES } from './log-checksum.ts'
import type { LogEnvironment } from './log-environment.ts'
import { FORMAT_7, LOG_FILE_TYPE, LOG_HEADER_BYTES, type LogHeader, writeLogHeader } from './log-header.ts'
import {
  INNER_TRANSACTION_BYTES,
  INSERT_FIXED_BYTES,
  INSERT_KEY_BYTES,
  OUTER_TRANSACTION_BYTES,
  writeBegin,
  writeBegin0,
  writeCommit,
  writeCommit0,
  writeCreateDatabase,
  writeInit2,
  writeInsertAround,
  writeTrace,
} from './log-record-writer.ts'
import { sealChain } from './log-seal.ts'
import type { LogSignature } from './log-signature.ts'
import type { LogStream } from './log-stream.ts'
import { formatLogTime } from './log-time.ts'

/** A log to compose: its place in a stream, the seed of its content, and where the defaults do not fit, its layout. */
export interface LogPlan extends LogStream {
  /** 32 bits that decide all of the content: the same plan gives the same bytes. */
  readonly seed: number
  /** 512 (the default, as on the disks of 2007) to 4,096. */
  readonly sectorBytes?: number
  /** A whole number of sectors, at most 65,535; 1 MiB by default, as every log of Exchange 2007. */
  readonly sizeBytes?: number
  /** Bytes from the start of the file after which the log is rolled, full or not; the rest keeps the fill pattern. */
  readonly usedBytes?: number
  /** Update of format 7,3704: 10 (the default) is Exchange 2007, 12 its first service pack. */
  readonly update?: number
  readonly environment?: LogEnvironment
  readonly database?: LogDatabase
  /** Memory of exactly `sizeBytes`, on a multiple of four, to compose in; a writer of many logs gives the same each time. */
  readonly target?: Uint8Array
}

/** The database whose changes a stream holds. */
interface LogDatabase {
  readonly path: string
  readonly signature: LogSignature
}

/** The length of every log of Exchange 2007: 1,024 KiB. */
export const LOG_BYTES_2007 = 1_048_576

const SECTOR_BYTES_2007 = 512
/** Exchange 2007 as released. */
const UPDATE_2007 = 10
const PAGE_BYTES_2007 = 8192
/** Bytes of data in one Insert record: below a page. */
const DATA_BYTES_MIN = 100
const DATA_BYTES_MASK = 0x7ff
/** Inserts in one transaction: 1 to 8. */
const INSERTS_MASK = 7
/** The most that one Insert takes inside its Begin and Commit. */
const CHANGE_BYTES_MAX =
  INSERT_FIXED_BYTES + INSERT_KEY_BYTES + DATA_BYTES_MIN + DATA_BYTES_MASK + 2 * INNER_TRANSACTION_BYTES
/** A session of the store; any will do. */
const SESSION = 8

const ENVIRONMENT_2007: LogEnvironment = {
  systemPath: '',
  logPath: '',
  circularLogging: false,
  sessions: 8192,
  openTables: 28_000,
  versionPages: 18_080,
  cursors: 27_500,
  logBuffers: 2048,
  logFileSectors: 0,
  cacheSizeMax: 262_144,
}

/**
 * Composes a complete closed log of format 7,3704: header, transactions of Insert records with pseudo-random payload (so the
 * log does not compress), one checksum record per flush, the reserved last sector. {@link verifyLog} accepts it with its walk.
 *
 * The records are real layouts and their dbtimes ascend, but they are no redo of any real database.
 *
 * @returns `target`, or new memory when none was given
 */
export function composeLog(plan: LogPlan): Uint8Array {
  const sectorBytes = plan.sectorBytes ?? SECTOR_BYTES_2007
  const target = plan.target ?? new Uint8Array(plan.sizeBytes ?? LOG_BYTES_2007)
  const sizeBytes = plan.sizeBytes ?? target.byteLength
  assert(target.byteLength === sizeBytes && target.byteOffset % 4 === 0, 'the target has the log’s length, on a word')
  assert(sizeBytes % sectorBytes === 0 && sizeBytes / sectorBytes <= 0xffff, 'a log is at most 65,535 whole sectors')
  const header = headerOf(plan, { sectorBytes, fileSectors: sizeBytes / sectorBytes })
  const log = openLogBytes(target)
  const endByte = endOfBody(plan, header)
  fillAtRandom(log.words, { first: LOG_HEADER_BYTES / 4, end: endByte / 4 }, plan.seed)
  writeBody(log, { plan, header, endByte })
  fillWithPattern(target, endByte, sizeBytes)
  writeLogHeader(target, header)
  return target
}

function headerOf(plan: LogPlan, sectors: { sectorBytes: number; fileSectors: number }): LogHeader {
  const headerSectors = LOG_HEADER_BYTES / sectors.sectorBytes
  assert(sectors.fileSectors >= headerSectors + 3, 'a log has two sectors of body and the reserved one')
  return {
    ...sectors,
    generation: plan.generation,
    headerSectors,
    pageBytes: PAGE_BYTES_2007,
    createTime: plan.createTime,
    previousCreateTime: plan.previousCreateTime,
    version: { major: FORMAT_7.major, minor: FORMAT_7.minor, update: plan.update ?? UPDATE_2007, updateMinor: 0 },
    signature: plan.signature,
    environment: { ...(plan.environment ?? ENVIRONMENT_2007), logFileSectors: sectors.fileSectors },
    flags: { reserveLog: false, circularNow: false, circularEarlier: false },
    checkpoint: { generation: plan.generation, sector: headerSectors, byte: 0 },
    diskSectorMismatch: 0,
    previousSegmentsChecksum: 0n,
    engineFormatVersion: 0,
    fileType: LOG_FILE_TYPE,
    attachments: plan.generation === 1 ? [] : attachmentsOf(plan, headerSectors),
  }
}

/** From generation 2 on the header lists the database, so that a replay may begin with any log. */
function attachmentsOf(plan: LogPlan, headerSectors: number): LogAttachment[] {
  if (plan.database === undefined) return []
  return [
    {
      databaseId: 1,
      sparse: false,
      dbtime: BigInt(plan.generation) << 32n,
      objectIdLast: 10,
      databasePagesMax: 0,
      attach: { generation: 1, sector: headerSectors, byte: 0 },
      consistent: { generation: 0, sector: 0, byte: 0 },
      signature: plan.database.signature,
      path: plan.database.path,
      unicode: true,
    },
  ]
}

/** The body ends with a sector: at the reserved last one, or where the log was rolled. */
function endOfBody(plan: LogPlan, header: LogHeader): number {
  const lastUsable = (header.fileSectors - 1) * header.sectorBytes
  const rolled = Math.ceil((plan.usedBytes ?? lastUsable) / header.sectorBytes) * header.sectorBytes
  return Math.max(Math.min(rolled, lastUsable), LOG_HEADER_BYTES + 2 * header.sectorBytes)
}

function writeBody(log: LogBytes, body: { plan: LogPlan; header: LogHeader; endByte: number }): void {
  const { plan, header, endByte } = body
  const places: number[] = [LOG_HEADER_BYTES]
  let at = writeOpening(log.view, LOG_HEADER_BYTES + CHECKSUM_RECORD_BYTES, { plan, header, endByte })
  let change = 1
  for (let transaction = 1; changesThatFit(at, body) > 0; transaction++) {
    // The payload is already there, so its own first bytes are as good a choice as another random number.
    const inserts = Math.min(1 + (log.view.getUint8(at) & INSERTS_MASK), changesThatFit(at, body))
    at = writeTransaction(log.view, at, { plan, transaction, change, inserts })
    change += inserts
    at = openFlush(log, header, { at, places })
  }
  log.bytes.fill(0, at, endByte) // NOP records
  sealChain(log, header, { places, endByte })
}

/** How many Inserts a transaction at `at` may have and still end, with the flush after it, before the body does. */
function changesThatFit(at: number, body: { header: LogHeader; endByte: number }): number {
  const flushBytesMax = 2 * CHECKSUM_RECORD_BYTES // the record itself, and less than another one of padding before it
  const left = body.endByte - at - 2 * OUTER_TRANSACTION_BYTES - flushBytesMax
  return Math.max(0, Math.floor(left / CHANGE_BYTES_MAX))
}

/** What stands at the start: the start of the engine in generation 1, a trace for people in the others. */
function writeOpening(view: DataView, at: number, body: { plan: LogPlan; header: LogHeader; endByte: number }): number {
  const { plan, header } = body
  if (plan.generation > 1)
    return writeTrace(view, at, `[${formatLogTime(plan.createTime)}] log ${formatGeneration(plan.generation)}`)
  const next = writeInit2(view, at, { environment: header.environment, time: plan.createTime })
  const opened = plan.database === undefined ? next : writeCreateDatabase(view, next, plan.database)
  assert(opened <= body.endByte, 'the first log has room for the records that begin a stream')
  return opened
}

function writeTransaction(
  view: DataView,
  start: number,
  work: { plan: LogPlan; transaction: number; change: number; inserts: number },
): number {
  const { plan, transaction, change } = work
  const outer = { session: SESSION, id: transaction }
  let at = writeBegin0(view, start, outer)
  for (let index = 0; index < work.inserts; index++) {
    at = writeBegin(view, at, SESSION)
    at = writeInsertAround(view, at, {
      session: SESSION,
      transaction,
      page: plan.generation,
      line: index,
      generation: plan.generation,
      change: change + index,
      dataBytes: DATA_BYTES_MIN + (view.getUint16(at, true) & DATA_BYTES_MASK),
    })
    at = writeCommit(view, at, SESSION)
  }
  return writeCommit0(view, at, outer)
}

/** A flush begins: a checksum record at the current end, unless the newest one is still in the same sector. */
function openFlush(log: LogBytes, geometry: BodyGeometry, flush: { at: number; places: number[] }): number {
  const { sectorBytes } = geometry
  const { places } = flush
  let { at } = flush
  const newest = places[places.length - 1] ?? 0
  if (Math.floor(newest / sectorBytes) === Math.floor(at / sectorBytes)) return at
  const left = sectorBytes - (at % sectorBytes)
  if (left < CHECKSUM_RECORD_BYTES) {
    log.bytes.fill(0, at, at + left) // NOP records: a checksum record may not cross a sector
    at += left
  }
  places.push(at)
  return at + CHECKSUM_RECORD_BYTES
}

/** Fills words with xorshift32: not for secrets, but it does not compress, and 1 MiB takes less than a millisecond. */
function fillAtRandom(words: Int32Array, range: { first: number; end: number }, seed: number): void {
  // 0 is the one state that xorshift never leaves; the odd factor spreads neighbouring seeds apart.
  let state = Math.imul(seed, 0x9e3779b1) || 1
  for (let at = range.first; at < range.end; at++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[at] = state
  }
}
