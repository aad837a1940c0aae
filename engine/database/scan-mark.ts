import { assert } from '../assert.ts'
import { type LogTime, readLogTime, UNSET_LOG_TIME, writeLogTime } from './log-time.ts'

/** Where the passes of online maintenance over the pages of a database stand, as its header keeps it. */
export interface ScanMark {
  /** When the last pass that came to the end came there; unset before the first. */
  readonly previousEnd: LogTime
  /** When the pass under way began; unset where none is. */
  readonly start: LogTime
  /** The highest page that the pass under way has seen; 0 where none is. */
  readonly highestPage: number
}

/** A database that no pass was ever made over. */
export const NO_SCAN: ScanMark = { previousEnd: UNSET_LOG_TIME, start: UNSET_LOG_TIME, highestPage: 0 }

/** Byte offsets in what the header has from byte 476 on: 516, 524 and 532 of the file. Source: the header of later versions. */
const AT = { previousEnd: 40, start: 48, highestPage: 56 } as const
const END = 60

/** Reads the mark from what a header says from byte 476 on, which may end anywhere: the rest is zero. */
export function readScanMark(later: Uint8Array): ScanMark {
  const view = viewOf(whole(later))
  return {
    previousEnd: readLogTime(view, AT.previousEnd),
    start: readLogTime(view, AT.start),
    highestPage: view.getUint32(AT.highestPage, true),
  }
}

/** What a header says from byte 476 on, with another mark. */
export function withScanMark(later: Uint8Array, mark: ScanMark): Uint8Array {
  assert(Number.isInteger(mark.highestPage) && mark.highestPage >= 0, 'a page has a number')
  const bytes = whole(later)
  const view = viewOf(bytes)
  writeLogTime(view, AT.previousEnd, mark.previousEnd)
  writeLogTime(view, AT.start, mark.start)
  view.setUint32(AT.highestPage, mark.highestPage, true)
  return bytes
}

function whole(later: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.max(END, later.byteLength))
  bytes.set(later)
  return bytes
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}
