import { assert } from '../assert.ts'
import { formatGeneration } from '../generation.ts'
import { fillWithPattern } from './fill-pattern.ts'
import type { LogAttachment } from './log-attachment.ts'
import { type LogBytes, openLogBytes } from './log-bytes.ts'
import { type BodyGeometry, CHECKSUM_RECORD_BYTES, checksumPlace, firstSectorEnd } from './log-checksum.ts'
import { LOG_HEADER_BYTES, type LogHeader, writeLogHeader } from './log-header.ts'
import { writeCreateDatabase } from './log-record-database.ts'
import { writeInit2, writeTrace } from './log-record-engine.ts'
import { INSERT_FIXED_BYTES, writeInsertAround } from './log-record-node.ts'
import { PAGE_FLAG } from './log-record-page.ts'
import {
  INNER_TRANSACTION_BYTES,
  OUTER_TRANSACTION_BYTES,
  writeBegin,
  writeBegin0,
  writeCommit,
  writeCommit0,
} from './log-record-transaction.ts'
import { sealChain } from './log-seal.ts'
import type { LogSignature } from './log-signature.ts'
import type { LogStream } from './log-stream.ts'
import { formatLogTime } from './log-time.ts'
import { headerOfNewLog, LOG_BYTES_2007, type LogLayout, SECTOR_BYTES_2007 } from './prepared-log.ts'

/** A log to compose: its place in a stream, the seed of its content, and where the defaults do not fit, its layout. */
export interface LogPlan extends LogStream, Omit<LogLayout, 'attachments' | 'checkpoint'> {
  /** 32 bits that decide all of the content: the same plan gives the same bytes. */
  readonly seed: number
  /** Bytes from the start of the file after which the log is rolled, full or not; the rest keeps the fill pattern. */
  readonly usedBytes?: number
  readonly database?: LogDatabase
  /** Memory of exactly `sizeBytes`, on a multiple of four, to compose in; a writer of many logs gives the same each time. */
  readonly target?: Uint8Array
}

/** The database whose changes a stream holds. */
interface LogDatabase {
  readonly path: string
  readonly signature: LogSignature
}

/** Bytes of data in one Insert record: below a page. */
const DATA_BYTES_MIN = 100
const DATA_BYTES_MASK = 0x7ff
/** Inserts in one transaction: 1 to 8. */
const INSERTS_MASK = 7
/** Bytes of the key of each. */
const INSERT_KEY_BYTES = 8
/** The tree that they go to: the first object after the catalog's own. */
const OBJECT_ID = 10
/** The most that one Insert takes inside its Begin and Commit. */
const CHANGE_BYTES_MAX =
  INSERT_FIXED_BYTES + INSERT_KEY_BYTES + DATA_BYTES_MIN + DATA_BYTES_MASK + 2 * INNER_TRANSACTION_BYTES
/** A session of the store; any will do. */
const SESSION = 8
/** More changes than any log holds: each of them takes more than 128 of a log's at most 2^28 bytes. */
const CHANGES_PER_GENERATION = 2 ** 21

/**
 * Composes a complete closed log of format 7,3704: header, transactions of Insert records with pseudo-random payload (so the
 * log does not compress), one checksum record per flush, the reserved last sector. {@link verifyLog} accepts it with its walk.
 *
 * The records are real layouts and their dbtimes ascend, but they are no redo of any real database.
 *
 * @returns `target`, or new memory when none was given
 */
export function composeLog(plan: LogPlan): Uint8Array {
  const target = plan.target ?? new Uint8Array(plan.sizeBytes ?? LOG_BYTES_2007)
  const sizeBytes = plan.sizeBytes ?? target.byteLength
  assert(target.byteLength === sizeBytes && target.byteOffset % 4 === 0, 'the target has the log’s length, on a word')
  const header = headerOfNewLog(plan, { ...plan, sizeBytes, attachments: attachmentsOf(plan) })
  const log = openLogBytes(target)
  const endByte = endOfBody(plan, header)
  fillAtRandom(log.words, { first: LOG_HEADER_BYTES / 4, end: endByte / 4 }, plan.seed)
  writeBody(log, { plan, header, endByte })
  fillWithPattern(target, endByte, sizeBytes)
  writeLogHeader(target, header)
  return target
}

/** From generation 2 on the header lists the database, so that a replay may begin with any log. */
function attachmentsOf(plan: LogPlan): LogAttachment[] {
  if (plan.generation === 1 || plan.database === undefined) return []
  const headerSectors = LOG_HEADER_BYTES / (plan.sectorBytes ?? SECTOR_BYTES_2007)
  return [
    {
      databaseId: 1,
      sparse: false,
      dbtime: BigInt(dbtimeOfChange(plan.generation, 0)),
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
  let at = writeOpening(log, LOG_HEADER_BYTES + CHECKSUM_RECORD_BYTES, { plan, header, endByte })
  let change = 1
  for (let transaction = 1; changesThatFit(at, body) > 0; transaction++) {
    // The payload is already there, so its own first bytes are as good a choice as another random number.
    const inserts = Math.min(1 + (log.view.getUint8(at) & INSERTS_MASK), changesThatFit(at, body))
    at = writeTransaction(log, at, { plan, transaction, change, inserts })
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
function writeOpening(log: LogBytes, at: number, body: { plan: LogPlan; header: LogHeader; endByte: number }): number {
  const { plan, header } = body
  if (plan.generation > 1) {
    const text = `[${formatLogTime(plan.createTime)}] log ${formatGeneration(plan.generation)}`
    return writeTrace(log, at, { session: 0, text })
  }
  const next = writeInit2(log, at, { environment: header.environment, time: plan.createTime })
  const { database } = plan
  const opened =
    database === undefined
      ? next
      : writeCreateDatabase(log, next, { ...database, session: 0, databaseId: 1, options: 0, pagesMax: 0 })
  assert(opened <= body.endByte, 'the first log has room for the records that begin a stream')
  return opened
}

function writeTransaction(
  log: LogBytes,
  start: number,
  work: { plan: LogPlan; transaction: number; change: number; inserts: number },
): number {
  const { plan, transaction, change } = work
  const outer = { session: SESSION, id: transaction, levels: 1 }
  const inner = { session: SESSION, level: 1, levels: 1 }
  let at = writeBegin0(log, start, outer)
  for (let index = 0; index < work.inserts; index++) {
    at = writeBegin(log, at, inner)
    at = writeInsertAround(log, at, {
      session: SESSION,
      databaseId: 1,
      page: plan.generation,
      dbtime: dbtimeOfChange(plan.generation, change + index),
      dbtimeBefore: dbtimeOfChange(plan.generation, change + index - 1),
      transaction,
      level: 1,
      line: index,
      flags: PAGE_FLAG.versioned,
      version: change + index,
      rootPage: plan.generation,
      objectId: OBJECT_ID,
      keyBytes: INSERT_KEY_BYTES,
      dataBytes: DATA_BYTES_MIN + (log.view.getUint16(at, true) & DATA_BYTES_MASK),
    })
    at = writeCommit(log, at, inner)
  }
  return writeCommit0(log, at, outer)
}

/** Dbtimes ascend through the stream, each generation from a multiple of its own. */
function dbtimeOfChange(generation: number, change: number): number {
  return generation * CHANGES_PER_GENERATION + change
}

/** A flush begins: a checksum record at the current end, unless the newest one is still in the same sector. */
function openFlush(log: LogBytes, geometry: BodyGeometry, flush: { at: number; places: number[] }): number {
  const { at, places } = flush
  const newest = places[places.length - 1] ?? 0
  if (at < firstSectorEnd(newest, geometry)) return at
  const place = checksumPlace(at, geometry.sectorBytes)
  log.bytes.fill(0, at, place) // NOP records
  places.push(place)
  return place + CHECKSUM_RECORD_BYTES
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
