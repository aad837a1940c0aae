import { type CheckpointFile, newCheckpointFile } from '../../engine/database/checkpoint-file.ts'
import { type DatabaseHeader, newDatabaseHeader } from '../../engine/database/database-header.ts'
import { beginStream, type LogStream, nextInStream } from '../../engine/database/log-stream.ts'
import { digitsOfTime, logTimeAt } from '../../engine/database/log-time.ts'
import { initialisePage, openPage, PAGE_BYTES } from '../../engine/database/page.ts'
import { sealPage } from '../../engine/database/page-seal.ts'
import { headerOfNewLog, prepareLog } from '../../engine/database/prepared-log.ts'
import { digestHeader } from '../../engine/database/saved-page-file.ts'
import type { DatabaseOrder, LogOrder, PageImage } from '../../engine/database/store-order.ts'
import { asGeneration } from '../../engine/generation.ts'

/** The smallest log: eight sectors of header, four of body and the reserved one. */
export const LOG_BYTES: number = 13 * 512
/** Where the body of a log begins. */
export const BODY = 4096

/** 15 December 2006: a moment of the time when Exchange 2007 was new. */
const MOMENT_MS = 1_166_140_800_000
const SIGNATURE = { random: 0xcafe1234, createTime: logTimeAt(MOMENT_MS), computer: '' } as const

/** The header of a generation, sealed. */
export function logHeader(generation: number): Uint8Array {
  return freshLog(generation).subarray(0, BODY)
}

/** A log before its first write. */
export function freshLog(generation: number): Uint8Array {
  return prepareLog(headerOfNewLog(placeOf(generation), { sizeBytes: LOG_BYTES }))
}

/** The order for a roll. */
export function roll(closes: number | null, opens: number): Extract<LogOrder, { order: 'roll-log' }> {
  return {
    order: 'roll-log',
    closes: closes === null ? null : asGeneration(closes),
    opens: asGeneration(opens),
    header: logHeader(opens),
    fileBytes: LOG_BYTES,
  }
}

/** The order to prepare. */
export function prepare(reuse: number | null = null): LogOrder {
  return { order: 'prepare-log', fileBytes: LOG_BYTES, reuse: reuse === null ? null : asGeneration(reuse) }
}

/** A write of two sectors, full of `value`, into the body. */
export function write(generation: number, sector: number, value: number): Extract<LogOrder, { order: 'write-log' }> {
  const bytes = new Uint8Array(1024).fill(value)
  return { order: 'write-log', generation: asGeneration(generation), at: BODY + sector * 512, bytes }
}

/** A sealed page whose every sector differs from that of another dbtime. */
export function aPage(number: number, dbtime: number): PageImage {
  const page = openPage(new Uint8Array(PAGE_BYTES))
  initialisePage(page, { objectId: 10, flags: 2, dbtime, previous: 0, next: 0 })
  for (let at = 40; at < PAGE_BYTES - 4; at++) page.bytes[at] = dbtime
  sealPage(page, 0, { bytes: PAGE_BYTES, number })
  return { number, bytes: page.bytes }
}

/** A header that differs from others in both of its sectors that count. */
export function databaseHeader(dbtime: number): DatabaseHeader {
  return {
    ...newDatabaseHeader({ ...SIGNATURE, random: 17 }, SIGNATURE),
    state: 'dirty-shutdown',
    required: {
      minRequired: asGeneration(1),
      maxRequired: asGeneration(1),
      maxCommitted: asGeneration(1),
      committedCreateTime: digitsOfTime(SIGNATURE.createTime),
    },
    dbtime: BigInt(dbtime),
    later: Uint8Array.from({ length: 150 }, (_, at) => (at >= 191 && at < 195 ? 0 : dbtime + at)),
  }
}

/** A checkpoint at a generation. */
export function checkpointAt(generation: number): CheckpointFile {
  const log = headerOfNewLog(placeOf(1), { sizeBytes: LOG_BYTES })
  return newCheckpointFile(log, { generation, sector: 8, byte: 0 })
}

/** The place of a generation in a stream whose logs are a second apart. */
function placeOf(generation: number): LogStream {
  let stream = beginStream(SIGNATURE)
  for (let next = 2; next <= generation; next++) stream = nextInStream(stream, logTimeAt(MOMENT_MS + next * 1000))
  return stream
}

/** What the mended log of the script holds. */
const MENDED = freshLog(4).fill(0x44, BODY, BODY + 512)

/** Every order of the log's lane, in an order that makes sense. Two rolls find nothing prepared; log 1 is reused. */
export const LOG_SCRIPT: readonly LogOrder[] = [
  prepare(),
  roll(null, 1),
  write(1, 0, 0x11),
  write(1, 0, 0x12),
  prepare(),
  write(1, 1, 0x13),
  roll(1, 2),
  write(2, 0, 0x21),
  roll(2, 3),
  prepare(1),
  write(3, 0, 0x31),
  roll(3, 4),
  { order: 'mend-log', generation: asGeneration(4), bytes: MENDED },
  write(4, 1, 0x45),
  prepare(),
  { order: 'discard-logs', from: asGeneration(3) },
  roll(null, 3),
  write(3, 0, 0x39),
]

/** Batches with other pages each time, shorter and longer ones, with holes. The number is the dbtime of all of them. */
const BATCHES: readonly (readonly number[])[] = [[1, 2, 3, 4, 7], [2, 3, 9], [1, 2, 3, 4, 5, 6, 7], [4]]

/** The dbtime of the header that lies there when a batch is saved: that of the batch before, but that the second one writes none. */
function headerBefore(index: number): number {
  return index === 2 ? 20 : 19 + index
}

function batchOrders(index: number): DatabaseOrder[] {
  const dbtime = 20 + index
  const pages = (BATCHES[index] ?? []).map((number) => aPage(number, dbtime))
  const written: DatabaseOrder[] = [
    { order: 'save-pages', pages, headerDigest: digestHeader(databaseHeader(headerBefore(index))) },
    { order: 'write-pages', pages },
  ]
  // The second batch is not synced by itself: saving the third one must do it.
  if (index === 1) return written
  return [
    ...written,
    { order: 'sync-database' },
    { order: 'write-header', header: databaseHeader(dbtime) },
    { order: 'write-checkpoint', checkpoint: checkpointAt(dbtime) },
  ]
}

/** Begins the script. */
export const CREATE: DatabaseOrder = { order: 'create-database', header: databaseHeader(19) }
/** Every order of the database's lane but the deletion of logs. */
export const DATABASE_SCRIPT: readonly DatabaseOrder[] = [CREATE, ...BATCHES.flatMap((_, index) => batchOrders(index))]
