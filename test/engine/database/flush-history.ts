import { LogBuffer, type LogWrite } from '../../../engine/database/log-buffer.ts'
import { type LogBytes, openLogBytes } from '../../../engine/database/log-bytes.ts'
import type { LogHeader } from '../../../engine/database/log-header.ts'
import { openRecords } from '../../../engine/database/log-record.ts'
import { INSERT_FIXED_BYTES, writeInsert } from '../../../engine/database/log-record-node.ts'
import { RECORD } from '../../../engine/database/log-record-table.ts'
import { headerOfNewLog, prepareLog } from '../../../engine/database/prepared-log.ts'
import { place } from './build.ts'

/** What is laid and flushed: for each flush the lengths of the data of its records. */
export interface FlushHistory {
  readonly sectorBytes: number
  readonly flushes: readonly (readonly number[])[]
  /** Whether the log is closed in the end. */
  readonly closed: boolean
}

/** A flush as it was ordered. */
interface PlayedFlush {
  readonly writes: readonly LogWrite[]
  /** How many records were laid until it was made. */
  readonly records: number
}

/** What a history left behind. */
export interface PlayedHistory {
  readonly buffer: LogBuffer
  readonly header: LogHeader
  readonly flushes: readonly PlayedFlush[]
}

const KEY = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
const FILE_BYTES = 65_536

/** Lays one Insert whose data no two records share. Returns false where it does not fit. */
export function layRecord(buffer: LogBuffer, dataBytes: number): boolean {
  const bytes = INSERT_FIXED_BYTES + KEY.length + dataBytes
  if (bytes > buffer.room) return false
  const at = buffer.reserve(bytes)
  const data = Uint8Array.from({ length: dataBytes }, (_, index) => Math.imul(at + index * index, 0x9e3779b1) >>> 24)
  writeInsert(buffer.log, at, { ...anInsertAt(at), key: KEY, data })
  return true
}

function anInsertAt(at: number) {
  return {
    session: 8,
    databaseId: 1,
    page: 5,
    dbtime: at,
    dbtimeBefore: at - 1,
    transaction: 1,
    level: 1,
    line: 0,
    flags: 1,
    version: at,
    rootPage: 5,
    objectId: 10,
  }
}

/** Plays a history; what does not fit into the log any more is left out. The writes are copied, as a disk keeps them. */
export function play(history: FlushHistory): PlayedHistory {
  const header = headerOfNewLog(place(5), { sectorBytes: history.sectorBytes, sizeBytes: FILE_BYTES })
  const buffer = new LogBuffer(header)
  const flushes: PlayedFlush[] = []
  let records = 0
  const keep = (writes: readonly LogWrite[]): void => {
    flushes.push({ writes: writes.map(({ at, bytes }) => ({ at, bytes: bytes.slice() })), records })
  }
  for (const lengths of history.flushes) {
    for (const dataBytes of lengths) if (layRecord(buffer, dataBytes)) records++
    keep(buffer.seal())
  }
  if (history.closed) keep(buffer.close())
  return { buffer, header, flushes }
}

/**
 * The disk after each sector of each write, and how many records were promised by then. `disk` is the same memory.
 *
 * @param seed decides the order in which the sectors of one write come to the disk; 0 is the order in which they lie
 */
export function* crashes(
  { header, flushes }: PlayedHistory,
  seed = 0,
): Generator<{ readonly disk: LogBytes; readonly promised: number }> {
  const disk = openLogBytes(prepareLog(header))
  const { sectorBytes } = header
  let promised = 0
  yield { disk, promised }
  for (const flush of flushes) {
    for (const { lo, bytes } of sectorsOf(flush.writes, { sectorBytes, seed })) {
      disk.bytes.set(bytes, lo)
      yield { disk, promised }
    }
    promised = flush.records
  }
  yield { disk, promised }
}

/** The sectors of some writes, in an order in which they may come to the disk; `lo` is a byte of the file. */
export function* sectorsOf(
  writes: readonly LogWrite[],
  { sectorBytes, seed }: { readonly sectorBytes: number; readonly seed: number },
): Generator<{ readonly lo: number; readonly bytes: Uint8Array }> {
  for (const { at, bytes } of writes) {
    for (const sector of orderOf(bytes.length / sectorBytes, seed)) {
      const lo = sector * sectorBytes
      yield { lo: at + lo, bytes: bytes.subarray(lo, lo + sectorBytes) }
    }
  }
}

function orderOf(sectors: number, seed: number): number[] {
  const order = [...Array(sectors).keys()]
  if (seed !== 0) order.sort((a, b) => Math.imul(a + seed, 0x9e3779b1) - Math.imul(b + seed, 0x9e3779b1))
  return order
}

/** Where the Inserts of a log lie, up to its end. */
export function insertsOf(log: LogBytes, header: LogHeader, endByte: number): number[] {
  const cursor = openRecords(log, header, endByte)
  const places: number[] = []
  while (cursor.next()) if (cursor.type === RECORD.insert) places.push(cursor.at)
  return places
}
