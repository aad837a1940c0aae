import { endOfPattern, isUnwritten } from './fill-pattern.ts'
import type { LogBytes } from './log-bytes.ts'
import {
  type BodyGeometry,
  CHECKSUM_RECORD_BYTES,
  type ChecksumFault,
  faultOfChecksum,
  firstSectorEnd,
  hasShadow,
  readChecksumRecord,
} from './log-checksum.ts'

/**
 * What the chain of checksums says of a body. Only `sound` passes in a closed log; in the open log a crash may leave the
 * others, and recovery knows what to do with each:
 *
 * - `shadow`: the last sector is damaged, its shadow is whole: take the shadow;
 * - `torn`: the last write did not finish: cut at `endByte`;
 * - `corrupt`: damage that no crash explains: nothing after `endByte` is proved.
 */
export interface BodyVerdict {
  readonly state: 'sound' | 'shadow' | 'torn' | 'corrupt'
  /** The end of the proved bytes, counted from the start of the file. */
  readonly endByte: number
  /** How many checksum records are sound. */
  readonly checksums: number
  /** Where the newest checksum record lies that proves bytes, by its range or its shadow; null when none does. */
  readonly checksumAt: number | null
  /** The sector at fault; the last one of the body when sound. */
  readonly sector: number
  /** For an operator: what is wrong, `''` when nothing is. */
  readonly detail: string
}

/** How far a walk along the chain has come. */
interface ChainPlace {
  readonly at: number
  /** Where the record before lies; null at the first. */
  readonly previousAt: number | null
  /** Where the range of the record before ends: everything up to here is proved. */
  readonly provedEnd: number
  readonly checksums: number
}

/**
 * Follows the chain of checksums through the body of a format 7,3704 log, verifying every byte up to its end and that nothing
 * was ever written after it.
 *
 * Exempt are, because no live byte lies there: the rest of the last partial sector after its range, and in the sector after it,
 * when that is a shadow, what its own range does not cover.
 *
 * @param log the whole file, exactly `fileSectors * sectorBytes` long
 */
export function verifyBody(log: LogBytes, geometry: BodyGeometry): BodyVerdict {
  const first = geometry.headerSectors * geometry.sectorBytes
  let place: ChainPlace = { at: first, previousAt: null, provedEnd: first, checksums: 0 }
  for (;;) {
    const fault = faultOfChecksum(log, place.at, geometry)
    if (fault !== null) return classifyFault(log, geometry, { ...place, fault })
    const next = afterSoundRecord(log, place)
    if (next === null) return classifyEnd(log, geometry, place)
    // Sound records always lead on: the next one lies in a later sector, so the walk ends with the file at the latest.
    place = next
  }
}

function afterSoundRecord(log: LogBytes, place: ChainPlace): ChainPlace | null {
  const record = readChecksumRecord(log, place.at)
  if (record === null || record.next === 0) return null
  const recordEnd = place.at + CHECKSUM_RECORD_BYTES
  return {
    at: recordEnd + record.next,
    previousAt: place.at,
    provedEnd: recordEnd + record.forwards,
    checksums: place.checksums + 1,
  }
}

/** The chain says that it ends here: what follows must never have been written, or be the shadow of the last sector. */
function classifyEnd(log: LogBytes, geometry: BodyGeometry, place: ChainPlace): BodyVerdict {
  const record = readChecksumRecord(log, place.at)
  const endByte = place.at + CHECKSUM_RECORD_BYTES + (record === null ? 0 : record.forwards)
  const sector = Math.floor((endByte - 1) / geometry.sectorBytes)
  const found = { endByte, checksums: place.checksums + 1, checksumAt: place.at, sector }
  const tail = Math.ceil(endByte / geometry.sectorBytes) * geometry.sectorBytes
  // Only a range of one sector ends in a sector that was written together with its shadow. In a closed log that shadow may be
  // an older image of the sector, so the two are not compared.
  const mayHaveShadow = tail === firstSectorEnd(place.at, geometry)
  const broken = endOfPattern(log, tail, log.view.byteLength)
  if (broken === log.view.byteLength) return { state: 'sound', ...found, detail: '' }
  if (!mayHaveShadow || !hasShadow(log, place.at, geometry)) return afterEnd(geometry, found, broken)
  const later = endOfPattern(log, tail + geometry.sectorBytes, log.view.byteLength)
  if (later !== log.view.byteLength) return afterEnd(geometry, found, later)
  return { state: 'sound', ...found, detail: '' }
}

function afterEnd(
  geometry: BodyGeometry,
  found: { endByte: number; checksums: number; checksumAt: number },
  broken: number,
): BodyVerdict {
  const sector = Math.floor(broken / geometry.sectorBytes)
  const detail = `sector ${sector} is neither unwritten nor a shadow, but the body ends at byte ${found.endByte}`
  return { ...found, state: 'corrupt', sector, detail }
}

/** A record or its range is not sound. Which marks a crash would have left tells a torn write from damage. */
function classifyFault(
  log: LogBytes,
  geometry: BodyGeometry,
  place: ChainPlace & { readonly fault: ChecksumFault },
): BodyVerdict {
  const sector = Math.floor(place.at / geometry.sectorBytes)
  const found = { endByte: place.provedEnd, checksums: place.checksums, checksumAt: place.previousAt, sector }
  const end = firstSectorEnd(place.at, geometry)
  if (place.fault === 'full' && hasSeveralSectors(log, place.at, end)) return classifyLongRange(log, geometry, place)
  if (hasShadow(log, place.at, geometry) && isUnwritten(log, end + geometry.sectorBytes))
    return {
      state: 'shadow',
      ...found,
      checksumAt: place.at,
      detail: `checksum of sector ${sector} is bad, its shadow is whole`,
    }
  if (isUnwritten(log, end - geometry.sectorBytes))
    return { state: 'torn', ...found, detail: `the chain leads to sector ${sector}, which was never written` }
  if (landsOnShadowOfPrevious(log, geometry, place))
    return {
      state: 'torn',
      ...found,
      detail: `the chain leads to sector ${sector}, which still is the shadow before it`,
    }
  return { state: 'corrupt', ...found, detail: `body checksum at sector ${sector} does not fit (${place.fault})` }
}

/** The first sector of the range is proved by the short checksum; the sectors after it are not what was to be written. */
function classifyLongRange(log: LogBytes, geometry: BodyGeometry, place: ChainPlace): BodyVerdict {
  const record = readChecksumRecord(log, place.at)
  const end = firstSectorEnd(place.at, geometry)
  const rangeEnd = place.at + CHECKSUM_RECORD_BYTES + (record === null ? 0 : record.forwards)
  const sector = Math.floor(place.at / geometry.sectorBytes)
  const found = { endByte: end, checksums: place.checksums, checksumAt: place.at, sector }
  const twoSectors = rangeEnd === end + geometry.sectorBytes
  const neverWritten = hasUnwrittenSector(log, geometry, { lo: end, hi: rangeEnd })
  if (isUnwritten(log, rangeEnd) && (neverWritten || (twoSectors && hasShadow(log, place.at, geometry))))
    return { state: 'torn', ...found, detail: `the write that begins in sector ${sector} did not finish` }
  return { state: 'corrupt', ...found, detail: `body checksum of the range from sector ${sector} does not fit (full)` }
}

function hasSeveralSectors(log: LogBytes, at: number, firstEnd: number): boolean {
  const record = readChecksumRecord(log, at)
  return record !== null && at + CHECKSUM_RECORD_BYTES + record.forwards > firstEnd
}

/** The write that would have overwritten the shadow of the sector before has not happened. */
function landsOnShadowOfPrevious(log: LogBytes, geometry: BodyGeometry, place: ChainPlace): boolean {
  if (place.previousAt === null) return false
  const shadowStart = firstSectorEnd(place.previousAt, geometry)
  if (place.at < shadowStart || place.at >= shadowStart + geometry.sectorBytes) return false
  return hasShadow(log, place.previousAt, geometry) && isUnwritten(log, shadowStart + geometry.sectorBytes)
}

function hasUnwrittenSector(log: LogBytes, geometry: BodyGeometry, range: { lo: number; hi: number }): boolean {
  for (let sector = range.lo; sector < range.hi; sector += geometry.sectorBytes) {
    const end = sector + geometry.sectorBytes
    if (endOfPattern(log, sector, end) === end) return true
  }
  return false
}
