import { assert } from '../assert.ts'

/** From a time of the day on, every day, bytes go at this rate. */
export interface RateEntry {
  /** Minutes since midnight, 0 to 1,439. */
  readonly minute: number
  /** Bytes in a second, above 0; null for no bound. */
  readonly bytesPerSecond: number | null
}

/** Rates by the time of the day: at least one, in ascending order, no two of one minute. */
export type RateTimetable = readonly RateEntry[]

/** Minutes of a day. */
const DAY_MINUTES = 1_440

/**
 * The rate at a time of the day: that of the latest entry at or before it, of the day before where there is none.
 *
 * @param minute minutes since midnight, with fractions
 */
export function rateAt(timetable: RateTimetable, minute: number): number | null {
  const present = timetable.findLast((entry) => entry.minute <= minute) ?? timetable.at(-1)
  assert(present !== undefined, 'a timetable has an entry')
  return present.bytesPerSecond
}

/** Minutes from a time of the day until the timetable's next entry, above 0; null where there is one entry only, which never changes. */
export function minutesToNext(timetable: RateTimetable, minute: number): number | null {
  if (timetable.length < 2) return null
  const later = timetable.find((entry) => entry.minute > minute)
  const first = timetable[0]
  assert(first !== undefined, 'a timetable has an entry')
  return later === undefined ? first.minute + DAY_MINUTES - minute : later.minute - minute
}
