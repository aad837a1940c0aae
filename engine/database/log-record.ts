import type { LogBytes } from './log-bytes.ts'
import { FORMAT_8, type LogHeader } from './log-header.ts'
import { type RecordShape, shapeOfRecord } from './log-record-table.ts'
import { kindOfSegment, SEGMENT_BYTES, SEGMENT_HEADER_BYTES } from './log-segment.ts'

/** A record as the walk meets it. `at` counts bytes from the start of the file. */
export interface LogRecord {
  readonly type: number
  readonly at: number
  readonly bytes: number
}

/** What a walk found: how many records, and why it stopped, `''` at the end of the log. */
export interface WalkVerdict {
  readonly records: number
  readonly fault: string
}

/** Where a walk ends, and who looks on. Padding and checksum records are visited like any other. */
export interface WalkOptions {
  /** The end of the verified body. */
  readonly endByte: number
  readonly visit?: (record: LogRecord) => void
}

/** The record type of padding: a single zero byte. */
const NOP = 0
const FRAGMENT_BEGIN = 76
const FRAGMENT = 77
/** What may follow an unfinished fragment at the start of a segment: a recovery that cut the log goes on there. */
const AFTER_CUT: readonly number[] = [17, 36, 51]

/**
 * Visits every record of a verified log: its type must be known to the format, its length must end inside the log (inside the
 * segment in 8,4000), and fragments must add up. Payloads are not read.
 *
 * Call it after the checksums passed: it then finds what a wrong writer did, not what a wrong disk did.
 */
export function walkRecords(log: LogBytes, header: LogHeader, options: WalkOptions): WalkVerdict {
  if (header.version.major === FORMAT_8.major) return walkSegments(log, header, options)
  const first = header.headerSectors * header.sectorBytes
  return walkRange(log, { lo: first, hi: options.endByte, typeMax: TYPE_MAX_7 }, options.visit)
}

/** The highest record type of format 7,3704: PageMove. */
const TYPE_MAX_7 = 65
/** The highest record type of format 8,4000 whose length is known. */
const TYPE_MAX_8 = 101

interface WalkRange {
  readonly lo: number
  readonly hi: number
  readonly typeMax: number
}

/** Walks records that are laid end to end in `[lo, hi)`. */
function walkRange(log: LogBytes, range: WalkRange, visit: ((record: LogRecord) => void) | undefined): WalkVerdict {
  const { bytes } = log
  let records = 0
  let at = range.lo
  while (at < range.hi) {
    const type = bytes[at] ?? NOP
    if (type === NOP) {
      at++
      continue
    }
    const length = lengthOfRecord(log, at, range)
    if (length === 0) return { records, fault: faultAt(type, at) }
    visit?.({ type, at, bytes: length })
    records++
    at += length
  }
  return { records, fault: '' }
}

/** The length of the record at `at`, or 0 when its type is not one of the format or it would pass the end of the range. */
function lengthOfRecord(log: LogBytes, at: number, range: WalkRange): number {
  const type = log.bytes[at] ?? NOP
  const shape = type <= range.typeMax ? shapeOfRecord(type) : null
  if (shape === null || at + shape.fixed > range.hi) return 0
  const length = shape.fixed + (shape.variable === null ? 0 : shape.variable(log.view, at))
  return at + length > range.hi ? 0 : length
}

/** In format 8,4000 no record crosses a segment; one that is too long is cut into fragments. */
function walkSegments(log: LogBytes, header: LogHeader, options: WalkOptions): WalkVerdict {
  let records = 0
  let missing = 0
  let fault = ''
  const onRecord = (record: LogRecord, atSegmentStart: boolean): void => {
    if (record.type === FRAGMENT_BEGIN) missing = log.view.getUint32(record.at + 1, true) - (record.bytes - 7)
    else if (record.type === FRAGMENT) missing -= record.bytes - 3
    else if (missing > 0 && atSegmentStart && AFTER_CUT.includes(record.type)) missing = 0
    else if (missing > 0) fault = `fragment before byte ${record.at} is unfinished`
    if (missing < 0) fault = `fragment at byte ${record.at} is longer than its record`
    options.visit?.(record)
  }
  for (let start = SEGMENT_BYTES; start < options.endByte; start += SEGMENT_BYTES) {
    if (kindOfSegment(log, start / SEGMENT_BYTES, header.generation) !== 'live') continue
    const lo = start + SEGMENT_HEADER_BYTES
    const range = { lo, hi: start + SEGMENT_BYTES, typeMax: TYPE_MAX_8 }
    const walked = walkRange(log, range, (record) => onRecord(record, record.at === lo))
    records += walked.records
    if (walked.fault !== '') return { records, fault: walked.fault }
    if (fault !== '') return { records, fault }
  }
  return { records, fault }
}

function faultAt(type: number, at: number): string {
  const shape: RecordShape | null = shapeOfRecord(type)
  return shape === null
    ? `no record has the type ${type} at byte ${at}`
    : `record ${shape.name} at byte ${at} does not fit`
}
