import type { LogBytes } from './log-bytes.ts'
import { xorRange } from './range-xor.ts'

/** Where the body of a format 7,3704 log lies, and the generation that all its checksums contain. */
export interface BodyGeometry {
  readonly sectorBytes: number
  /** Sectors of the header: the body begins after them. */
  readonly headerSectors: number
  readonly fileSectors: number
  readonly generation: number
}

/**
 * LRCHECKSUM: a record that covers the bytes around it. One opens each flush; together they cover the body without a gap,
 * each pointing to the next.
 */
export interface ChecksumRecord {
  /** Bytes before the record in its own sector that it covers: the offset in the sector, or 0. */
  readonly backwards: number
  /** Bytes after the record that it covers. */
  readonly forwards: number
  /** From the end of the record to the next one; 0 in the last. */
  readonly next: number
  /** Over the whole range. */
  readonly checksum: number
  /** Over the part in the record's own sector; 0 when the range ends there. */
  readonly shortChecksum: number
  /** {@link SHORT_CHECKSUM_ON} or {@link SHORT_CHECKSUM_OFF}, when the record is whole. */
  readonly shortMark: number
}

/** Bytes of an LRCHECKSUM record. */
export const CHECKSUM_RECORD_BYTES = 22
/** The record type of an LRCHECKSUM. */
const CHECKSUM_RECORD_TYPE = 42
/** Marks a range of several sectors, whose first sector has a checksum of its own. */
export const SHORT_CHECKSUM_ON = 0x9a
/** Marks a range that ends in the record's own sector. */
export const SHORT_CHECKSUM_OFF = 0xd1
/** XORed into the full checksum of a shadow, so that a shadow is never taken for the sector itself. */
export const SHADOW_MARK: number = 0x5ad05ec7

const FULL_SEED = 0xfeedbeaf | 0
const SHORT_SEED = 0xdeadc0de | 0

/** What is wrong with a record and its range; `null` is nothing. */
export type ChecksumFault = 'structure' | 'short' | 'full' | null

/** Reads the record at `at`, or null when its type is another or it would pass the end of the bytes. */
export function readChecksumRecord(log: LogBytes, at: number): ChecksumRecord | null {
  const { view } = log
  if (at + CHECKSUM_RECORD_BYTES > view.byteLength || view.getUint8(at) !== CHECKSUM_RECORD_TYPE) return null
  return {
    backwards: view.getUint32(at + 1, true),
    forwards: view.getUint32(at + 5, true),
    next: view.getUint32(at + 9, true),
    checksum: view.getInt32(at + 13, true),
    shortChecksum: view.getInt32(at + 17, true),
    shortMark: view.getUint8(at + 21),
  }
}

/** Writes the record at `at`. */
export function writeChecksumRecord(log: LogBytes, at: number, record: ChecksumRecord): void {
  const { view } = log
  view.setUint8(at, CHECKSUM_RECORD_TYPE)
  view.setUint32(at + 1, record.backwards, true)
  view.setUint32(at + 5, record.forwards, true)
  view.setUint32(at + 9, record.next, true)
  view.setInt32(at + 13, record.checksum, true)
  view.setInt32(at + 17, record.shortChecksum, true)
  view.setUint8(at + 21, record.shortMark)
}

/**
 * Checks the record at `at`: first that its numbers make sense together, then its checksums. The rules on the numbers are what
 * makes every single flipped bit of a record show, since a wrong length would be summed over a wrong range.
 */
export function faultOfChecksum(log: LogBytes, at: number, geometry: BodyGeometry): ChecksumFault {
  const record = readChecksumRecord(log, at)
  if (record === null || !hasSoundStructure(record, at, geometry)) return 'structure'
  const end = firstSectorEnd(at, geometry)
  if (
    record.shortMark === SHORT_CHECKSUM_ON &&
    shortChecksum(log, at, { record, end, geometry }) !== record.shortChecksum
  )
    return 'short'
  return fullChecksum(log, at, { record, geometry }) === record.checksum ? null : 'full'
}

/**
 * Whether the sector after that of `at` holds a sound shadow: a second image of the sector of `at`, written while that was only
 * partly full. The record lies at the same offset in both.
 *
 * @param at where the record lies, or should lie, in the first of the two sectors
 */
export function hasShadow(log: LogBytes, at: number, geometry: BodyGeometry): boolean {
  const shadowAt = at + geometry.sectorBytes
  const record = readChecksumRecord(log, shadowAt)
  if (record === null || record.shortMark !== SHORT_CHECKSUM_OFF || record.next !== 0) return false
  // The reserved last sector exists for shadows, so here a range may end with the file.
  const withLastSector = { ...geometry, fileSectors: geometry.fileSectors + 1 }
  if (!hasSoundStructure(record, shadowAt, withLastSector)) return false
  return (fullChecksum(log, shadowAt, { record, geometry }) ^ SHADOW_MARK) === record.checksum
}

/** The checksum of the whole range of a record at `at`: the stored one is not read. */
export function fullChecksum(
  log: LogBytes,
  at: number,
  range: { record: ChecksumRecord; geometry: BodyGeometry },
): number {
  const lo = at + CHECKSUM_RECORD_BYTES
  const { record } = range
  const sum = xorRange(log, at - record.backwards, at) ^ xorRange(log, lo, lo + record.forwards)
  return FULL_SEED ^ sum ^ fieldSum(record, range.geometry)
}

/** The checksum of the part of a range that lies in the record's own sector, which ends at `end`. */
export function shortChecksum(
  log: LogBytes,
  at: number,
  range: { record: ChecksumRecord; end: number; geometry: BodyGeometry },
): number {
  const sum = xorRange(log, at - range.record.backwards, at) ^ xorRange(log, at + CHECKSUM_RECORD_BYTES, range.end)
  return SHORT_SEED ^ sum ^ fieldSum(range.record, range.geometry)
}

/** Where the sector of the record at `at` ends. */
export function firstSectorEnd(at: number, geometry: BodyGeometry): number {
  return at - (at % geometry.sectorBytes) + geometry.sectorBytes
}

/**
 * Where the checksum record of a flush lies whose first byte would be at `at`: there, or where too little of the sector is left
 * for it, at the start of the next one.
 */
export function checksumPlace(at: number, sectorBytes: number): number {
  const left = sectorBytes - (at % sectorBytes)
  return left < CHECKSUM_RECORD_BYTES ? at + left : at
}

/** The generation goes in, so that the body of a log that is used again under another number does not pass. */
function fieldSum(record: ChecksumRecord, geometry: BodyGeometry): number {
  return record.backwards ^ record.forwards ^ record.next ^ record.shortMark ^ geometry.generation
}

function hasSoundStructure(record: ChecksumRecord, at: number, geometry: BodyGeometry): boolean {
  const { sectorBytes } = geometry
  const offset = at % sectorBytes
  if (offset > sectorBytes - CHECKSUM_RECORD_BYTES) return false
  if (record.backwards !== 0 && record.backwards !== offset) return false
  const span = offset + CHECKSUM_RECORD_BYTES + record.forwards
  // The last sector is reserved, so that the shadow of the last partial sector always finds room.
  if (at - offset + span > (geometry.fileSectors - 1) * sectorBytes) return false
  return hasSoundMark(record, span, sectorBytes) && hasSoundNext(record, { at, offset, span }, sectorBytes)
}

function hasSoundMark(record: ChecksumRecord, span: number, sectorBytes: number): boolean {
  if (record.shortMark === SHORT_CHECKSUM_OFF) return record.shortChecksum === 0 && span <= sectorBytes
  return record.shortMark === SHORT_CHECKSUM_ON && span > sectorBytes && span % sectorBytes === 0
}

function hasSoundNext(
  record: ChecksumRecord,
  place: { at: number; offset: number; span: number },
  sectorBytes: number,
): boolean {
  if (record.next === 0) return true
  const nextAt = place.at + CHECKSUM_RECORD_BYTES + record.next
  // The next record's sector begins where the span ends, so a span that leads on is whole sectors.
  return nextAt - (nextAt % sectorBytes) === place.at - place.offset + place.span
}
