import { assert } from '../assert.ts'
import type { LogBytes } from './log-bytes.ts'
import {
  type BodyGeometry,
  CHECKSUM_RECORD_BYTES,
  type ChecksumRecord,
  firstSectorEnd,
  fullChecksum,
  SHADOW_MARK,
  SHORT_CHECKSUM_OFF,
  SHORT_CHECKSUM_ON,
  shortChecksum,
  writeChecksumRecord,
} from './log-checksum.ts'

/**
 * Writes the chain of checksum records over a finished body: each covers from its own sector to the end of the sector before
 * the next, the last one to `endByte`. This is the image that a series of flushes leaves on the disk once it is complete.
 *
 * @param places where the records lie, ascending, each in a sector of its own, the first at the start of the body; their 22
 *   bytes are overwritten
 * @param endByte the end of the body; the end of a sector when the last range has several
 */
export function sealChain(
  log: LogBytes,
  geometry: BodyGeometry,
  chain: { places: readonly number[]; endByte: number },
): void {
  for (const [index, at] of chain.places.entries()) {
    const nextAt = chain.places[index + 1]
    const rangeEnd = nextAt === undefined ? chain.endByte : nextAt - (nextAt % geometry.sectorBytes)
    sealRange(log, geometry, { at, rangeEnd, nextAt })
  }
}

/**
 * Writes the shadow of the last, partly filled sector into the sector after it, as each flush does that ends inside a sector:
 * if the next write of the sector tears, the shadow still has what was durable.
 *
 * @param at where the sector's sealed checksum record lies
 */
export function writeShadow(log: LogBytes, geometry: BodyGeometry, at: number): void {
  const start = at - (at % geometry.sectorBytes)
  log.bytes.copyWithin(start + geometry.sectorBytes, start, start + geometry.sectorBytes)
  turnShadow(log, at + geometry.sectorBytes)
}

/** Makes a copy of a sector its shadow, or a shadow the sector again; `at` is where its checksum record lies. */
export function turnShadow(log: LogBytes, at: number): void {
  const checksumAt = at + 13
  log.view.setInt32(checksumAt, log.view.getInt32(checksumAt, true) ^ SHADOW_MARK, true)
}

/**
 * Writes the one checksum record at `at`, whose range ends at `rangeEnd`: anywhere in the record's own sector, or at the end of
 * a later one. `nextAt` is where the next record lies, in the sector that begins there; undefined in the last.
 */
export function sealRange(
  log: LogBytes,
  geometry: BodyGeometry,
  range: { at: number; rangeEnd: number; nextAt: number | undefined },
): void {
  const { at, rangeEnd, nextAt } = range
  const end = firstSectorEnd(at, geometry)
  const recordEnd = at + CHECKSUM_RECORD_BYTES
  assert(
    rangeEnd >= recordEnd && recordEnd <= end,
    'a checksum record lies inside one sector and covers what follows it',
  )
  const long = rangeEnd > end
  const record: ChecksumRecord = {
    backwards: at % geometry.sectorBytes,
    forwards: rangeEnd - recordEnd,
    next: nextAt === undefined ? 0 : nextAt - recordEnd,
    checksum: 0,
    shortChecksum: 0,
    shortMark: long ? SHORT_CHECKSUM_ON : SHORT_CHECKSUM_OFF,
  }
  // The short checksum is not part of the full one: the range begins after the record.
  writeChecksumRecord(log, at, {
    ...record,
    checksum: fullChecksum(log, at, { record, geometry }),
    shortChecksum: long ? shortChecksum(log, at, { record, end, geometry }) : 0,
  })
}
