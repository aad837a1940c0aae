import type { BodyVerdict } from './log-body.ts'
import type { LogBytes } from './log-bytes.ts'
import { type LogPosition, readLogPosition } from './log-position.ts'
import { pageChecksum } from './page-checksum.ts'

/** What a walk over the segments of an 8,4000 log found. */
export interface SegmentsVerdict extends BodyVerdict {
  /** XOR of the checksums of all sound segments: the header of the next log repeats it (from update 13 on). */
  readonly accumulatedChecksum: bigint
}

/** How one segment is meant. */
export type SegmentKind = 'live' | 'shadow' | 'empty' | 'left-over' | 'damaged'

/** Bytes of a segment, and so of a sector in format 8,4000. */
export const SEGMENT_BYTES = 4096
/** Bytes of the header of a segment: checksum, position, time, reserved, flags. */
export const SEGMENT_HEADER_BYTES = 40

const POSITION_OFFSET = 8
const FLAGS_OFFSET = 36
/** Says that the checksum is an XE checksum, the only kind that segments have. */
const FLAG_NEW_CHECKSUM = 0x2000

/**
 * Verifies every segment of an 8,4000 log: live ones first, the shadow of the last of them perhaps, and after them only empty
 * ones or what an earlier use of the file left there. A live segment after that, or one that is ahead of its place, is damage.
 *
 * @param log the whole file
 */
export function verifySegments(log: LogBytes, generation: number): SegmentsVerdict {
  const segments = Math.floor(log.view.byteLength / SEGMENT_BYTES)
  const sums = { xor: 0, ecc: 0 }
  let live = 0
  let ended = false
  for (let segment = 1; segment < segments; segment++) {
    const kind = kindOfSegment(log, segment, generation)
    if (kind === 'damaged') return damaged({ segment, live, sums }, 'its checksum does not fit')
    if (kind !== 'live') {
      // A shadow is only written for the segment before it; anywhere else it proves that a segment is lost.
      if (kind === 'shadow' && (ended || segment === 1)) return damaged({ segment, live, sums }, 'stray shadow')
      ended = true
      continue
    }
    if (ended) return damaged({ segment, live, sums }, 'it is live after the end of the log')
    const position = segmentPosition(log, segment)
    if (position.generation !== generation || position.sector !== segment)
      return damaged({ segment, live, sums }, 'it says that it belongs elsewhere')
    sums.xor ^= log.view.getInt32(segment * SEGMENT_BYTES, true)
    sums.ecc ^= log.view.getInt32(segment * SEGMENT_BYTES + 4, true)
    live++
  }
  const endByte = (live + 1) * SEGMENT_BYTES
  return {
    state: 'sound',
    endByte,
    checksums: live,
    checksumAt: null,
    sector: live,
    detail: '',
    accumulatedChecksum: accumulated(sums),
  }
}

/** What segment `segment` of a log of `generation` is, by its checksum and the position that it states. */
export function kindOfSegment(log: LogBytes, segment: number, generation: number): SegmentKind {
  const start = segment * SEGMENT_BYTES
  if (isEmpty(log, start)) return 'empty'
  if ((log.view.getUint32(start + FLAGS_OFFSET, true) & FLAG_NEW_CHECKSUM) === 0) return 'damaged'
  const computed = pageChecksum(log, start, { bytes: SEGMENT_BYTES, number: segment })
  const stored = log.view.getInt32(start, true)
  if (computed.ecc !== log.view.getInt32(start + 4, true)) return 'damaged'
  const position = segmentPosition(log, segment)
  if (computed.xor === stored) return position.generation < generation ? 'left-over' : 'live'
  // A shadow is a copy of the segment before it, number and all. Its own position must say so too: one flipped bit of the
  // stored checksum could else make a live segment look like a shadow, and drop it.
  if ((computed.xor ^ segment ^ (segment - 1)) !== stored) return 'damaged'
  if (position.generation < generation) return 'left-over'
  return position.generation === generation && position.sector === segment - 1 ? 'shadow' : 'damaged'
}

/** Where segment `segment` says that it lies. */
function segmentPosition(log: LogBytes, segment: number): LogPosition {
  return readLogPosition(log.view, segment * SEGMENT_BYTES + POSITION_OFFSET)
}

function isEmpty(log: LogBytes, start: number): boolean {
  const end = (start + SEGMENT_BYTES) >>> 2
  for (let at = start >>> 2; at < end; at++) {
    if (log.words[at] !== 0) return false
  }
  return true
}

function damaged(
  found: { segment: number; live: number; sums: { xor: number; ecc: number } },
  why: string,
): SegmentsVerdict {
  return {
    state: 'corrupt',
    endByte: (found.live + 1) * SEGMENT_BYTES,
    checksums: found.live,
    checksumAt: null,
    sector: found.segment,
    detail: `segment ${found.segment}: ${why}`,
    accumulatedChecksum: accumulated(found.sums),
  }
}

function accumulated(sums: { xor: number; ecc: number }): bigint {
  return (BigInt(sums.ecc >>> 0) << 32n) | BigInt(sums.xor >>> 0)
}
