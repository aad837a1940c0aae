import type { LogBytes } from './log-bytes.ts'
import { FORMAT_8, type LogHeader } from './log-header.ts'
import { shapeOfRecord } from './log-record-table.ts'
import { kindOfSegment, SEGMENT_BYTES, SEGMENT_HEADER_BYTES } from './log-segment.ts'

/** A record as a walk meets it. `at` counts bytes from the start of the file. A visitor that keeps one copies it: see below. */
export interface LogRecord {
  readonly type: number
  readonly at: number
  readonly bytes: number
}

/**
 * Why a cursor stands still: `end` of the range; `cut`, a record of a known type that would pass the end; `unknown`, a type
 * that the format does not have.
 */
type WalkStop = 'end' | 'cut' | 'unknown'

/** What a walk found: how many records, and why it stopped, `''` at the end of the log. */
export interface WalkVerdict {
  readonly records: number
  readonly fault: string
}

/** Where a walk ends, and who looks on. Padding and checksum records are visited like any other. */
export interface WalkOptions {
  /** The end of the verified body. */
  readonly endByte: number
  /** The record is the same object each time, so that a walk makes no garbage. */
  readonly visit?: (record: LogRecord) => void
}

/**
 * A place among records that are laid end to end, moved by {@link next}. It is itself the record it stands on, so a walk over
 * a million records makes one object.
 */
export interface RecordCursor extends LogRecord {
  /** Records met so far, padding not counted. */
  readonly records: number
  /** Why the last {@link next} was false; `end` before that. `at` is then where the first byte lies that is no whole record. */
  readonly stop: WalkStop
  /** Steps to the next record, over padding. False where there is none. */
  next(): boolean
}

/** The bytes `[lo, hi)` of a log that hold records, and the highest type that its format has. */
interface RecordRange {
  readonly lo: number
  readonly hi: number
  readonly typeMax: number
}

/** The record type of padding: a single zero byte. */
const NOP = 0
const FRAGMENT_BEGIN = 76
const FRAGMENT = 77
/** What may follow an unfinished fragment at the start of a segment: a recovery that cut the log goes on there. */
const AFTER_CUT: readonly number[] = [17, 36, 51]
/** The highest record type of format 7,3704: PageMove. */
const TYPE_MAX_7 = 65
/** The highest record type of format 8,4000 whose length is known. */
const TYPE_MAX_8 = 101

/**
 * Visits every record of a verified log: its type must be known to the format, its length must end inside the log (inside the
 * segment in 8,4000), and fragments must add up. Payloads are not read.
 *
 * Call it after the checksums passed: it then finds what a wrong writer did, not what a wrong disk did.
 */
export function walkRecords(log: LogBytes, header: LogHeader, options: WalkOptions): WalkVerdict {
  if (header.version.major === FORMAT_8.major) return walkSegments(log, header, options)
  const cursor = openRecords(log, header, options.endByte)
  while (cursor.next()) options.visit?.(cursor)
  return { records: cursor.records, fault: faultOf(log, cursor) }
}

/**
 * A cursor before the first record of a format 7,3704 log, whose body is proved up to `endByte`.
 *
 * Format 8,4000 has none: its segments are walked by {@link walkRecords}.
 */
export function openRecords(
  log: LogBytes,
  header: Pick<LogHeader, 'headerSectors' | 'sectorBytes'>,
  endByte: number,
): RecordCursor {
  return new Cursor(log, { lo: header.headerSectors * header.sectorBytes, hi: endByte, typeMax: TYPE_MAX_7 })
}

class Cursor implements RecordCursor {
  type = NOP
  at: number
  bytes = 0
  records = 0
  stop: WalkStop = 'end'
  readonly #log: LogBytes
  readonly #range: RecordRange

  constructor(log: LogBytes, range: RecordRange) {
    this.#log = log
    this.#range = range
    this.at = range.lo
  }

  next(): boolean {
    const { bytes } = this.#log
    const { hi } = this.#range
    let at = this.at + this.bytes
    this.bytes = 0
    while (at < hi && bytes[at] === NOP) at++
    this.at = at
    this.stop = 'end'
    if (at >= hi) return false
    return this.#enter(bytes[at] ?? NOP)
  }

  /** Takes the length of the record at `at`, whose type is `type`. */
  #enter(type: number): boolean {
    const { at } = this
    const { hi, typeMax } = this.#range
    const shape = type <= typeMax ? shapeOfRecord(type) : null
    this.type = type
    if (shape === null) return this.#halt('unknown')
    if (at + shape.fixed > hi) return this.#halt('cut')
    const length = shape.fixed + (shape.variable === null ? 0 : shape.variable(this.#log.view, at))
    if (at + length > hi) return this.#halt('cut')
    this.bytes = length
    this.records++
    return true
  }

  #halt(stop: WalkStop): false {
    this.stop = stop
    return false
  }
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
    const cursor = new Cursor(log, { lo, hi: start + SEGMENT_BYTES, typeMax: TYPE_MAX_8 })
    while (cursor.next()) onRecord(cursor, cursor.at === lo)
    records += cursor.records
    if (cursor.stop !== 'end') return { records, fault: faultOf(log, cursor) }
    if (fault !== '') return { records, fault }
  }
  return { records, fault }
}

/** What keeps a cursor from the end of its range, for an operator; `''` when it came there. */
function faultOf(log: LogBytes, cursor: RecordCursor): string {
  if (cursor.stop === 'end') return ''
  const type = log.bytes[cursor.at] ?? NOP
  const shape = shapeOfRecord(type)
  return shape === null
    ? `no record has the type ${type} at byte ${cursor.at}`
    : `record ${shape.name} at byte ${cursor.at} does not fit`
}
