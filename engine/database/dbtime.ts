import { assert } from '../assert.ts'

/**
 * The value that stands for "no dbtime": the format has two such marks at the very end of its 64 bits, one for none and one
 * for a page whose time before does not count (an insert that belongs to a split). Neither is ever the time of a page.
 */
export const NO_DBTIME = -1

/** Bytes of a dbtime in a file. */
export const DBTIME_BYTES = 8

/** The lower half of a dbtime, and what its upper half counts. */
const HALF = 2 ** 32
/** Upper halves from here on are above 2^53: no counter comes there, so they are one of the two marks. */
const HIGH_MAX = 2 ** 21

/**
 * Reads the dbtime at `offset`: the counter of changes of one database, that never goes back. A number is exact up to 2^53,
 * which a million changes a second reach after 285 years; anything above reads as {@link NO_DBTIME}.
 */
export function readDbtime(view: DataView, offset: number): number {
  const high = view.getUint32(offset + 4, true)
  return high >= HIGH_MAX ? NO_DBTIME : high * HALF + view.getUint32(offset, true)
}

/** Writes `dbtime` at `offset`; {@link NO_DBTIME} as the mark for none, 64 set bits. */
export function writeDbtime(view: DataView, offset: number, dbtime: number): void {
  assert(dbtime === NO_DBTIME || (Number.isSafeInteger(dbtime) && dbtime >= 0), 'a dbtime is a whole number below 2^53')
  view.setInt32(offset, (dbtime % HALF) | 0, true)
  view.setInt32(offset + 4, Math.floor(dbtime / HALF) | 0, true)
}
