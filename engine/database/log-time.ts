import { hexOf, openLogBytes } from './log-bytes.ts'

/**
 * LOGTIME: a calendar time of eight bytes. Two neighbours in a stream are compared byte by byte, so the file's own bytes, not
 * this reading of them, are what a {@link LogIdentity} keeps.
 */
export interface LogTime {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  /** 0 to 999; formats before 8,4000 write 0. */
  readonly millisecond: number
  /** Whether the time says of itself that it is UTC. Real logs of format 7,3704,15 set it. */
  readonly utc: boolean
  /** A mark of older products in backup times: taken by an operating system's snapshot. */
  readonly snapshot: boolean
}

/** Bytes of a LOGTIME in a file. */
export const LOG_TIME_BYTES = 8

/** Eight zero bytes: no time. They read as year 1900, month 0, and eseutil prints them so. */
export const UNSET_LOG_TIME: LogTime = {
  year: 1900,
  month: 0,
  day: 0,
  hour: 0,
  minute: 0,
  second: 0,
  millisecond: 0,
  utc: false,
  snapshot: false,
}

const EPOCH_YEAR = 1900
const DAY_MS = 86_400_000
/** Days from 1 March of year 0 to 1 January 1970, in the proleptic Gregorian calendar. */
const DAYS_TO_1970 = 719_468
/** Days in the 400 years after which the calendar repeats. */
const DAYS_PER_ERA = 146_097

/** A LOGTIME as 16 hexadecimal digits, which is how a `LogIdentity` keeps it. */
export function digitsOfTime(time: LogTime): string {
  const { bytes, view } = openLogBytes(new Uint8Array(LOG_TIME_BYTES))
  writeLogTime(view, 0, time)
  return hexOf(bytes, 0, LOG_TIME_BYTES)
}

/** Reads the LOGTIME at `offset`. Any eight bytes are a time; nothing is checked. */
export function readLogTime(view: DataView, offset: number): LogTime {
  const low = view.getUint8(offset + 6)
  const high = view.getUint8(offset + 7)
  return {
    second: view.getUint8(offset),
    minute: view.getUint8(offset + 1),
    hour: view.getUint8(offset + 2),
    day: view.getUint8(offset + 3),
    month: view.getUint8(offset + 4),
    year: view.getUint8(offset + 5) + EPOCH_YEAR,
    millisecond: (low >>> 1) | (((high >>> 1) & 7) << 7),
    utc: (low & 1) === 1,
    snapshot: (high & 1) === 1,
  }
}

/** Writes `time` at `offset`: the inverse of {@link readLogTime} for all but the four bits that no version uses. */
export function writeLogTime(view: DataView, offset: number, time: LogTime): void {
  view.setUint8(offset, time.second)
  view.setUint8(offset + 1, time.minute)
  view.setUint8(offset + 2, time.hour)
  view.setUint8(offset + 3, time.day)
  view.setUint8(offset + 4, time.month)
  view.setUint8(offset + 5, time.year - EPOCH_YEAR)
  view.setUint8(offset + 6, (time.utc ? 1 : 0) | ((time.millisecond & 0x7f) << 1))
  view.setUint8(offset + 7, (time.snapshot ? 1 : 0) | ((time.millisecond >>> 7) << 1))
}

/**
 * The LOGTIME of a moment, in UTC and, as format 7,3704 has it, in whole seconds.
 *
 * @param unixMs milliseconds since 1970, within the years 1900 to 2155 that a byte can count
 */
export function logTimeAt(unixMs: number): LogTime {
  const days = Math.floor(unixMs / DAY_MS)
  const seconds = Math.floor((unixMs - days * DAY_MS) / 1000)
  return {
    ...dateOfDay(days),
    hour: Math.floor(seconds / 3600),
    minute: Math.floor(seconds / 60) % 60,
    second: seconds % 60,
    millisecond: 0,
    utc: true,
    snapshot: false,
  }
}

/** The moment of a LOGTIME in milliseconds since 1970, read as UTC, or null for an unset or impossible date. */
export function unixMsOf(time: LogTime): number | null {
  if (time.month < 1 || time.month > 12 || time.day < 1 || time.day > 31) return null
  // A year that begins in March has its leap day at the end, so that the lengths of its months follow one rule.
  const year = time.month <= 2 ? time.year - 1 : time.year
  const era = Math.floor(year / 400)
  const yearOfEra = year - era * 400
  const dayOfYear = Math.floor((153 * ((time.month + 9) % 12) + 2) / 5) + time.day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  const days = era * DAYS_PER_ERA + dayOfEra - DAYS_TO_1970
  return days * DAY_MS + ((time.hour * 60 + time.minute) * 60 + time.second) * 1000 + time.millisecond
}

/** `MM/DD/YYYY hh:mm:ss`, as Exchange 2007's eseutil prints a LOGTIME; `00/00/1900 00:00:00` when unset. */
export function formatLogTime(time: LogTime): string {
  const two = (value: number): string => value.toString().padStart(2, '0')
  const date = `${two(time.month)}/${two(time.day)}/${time.year.toString().padStart(4, '0')}`
  return `${date} ${two(time.hour)}:${two(time.minute)}:${two(time.second)}`
}

function dateOfDay(daysSince1970: number): { year: number; month: number; day: number } {
  const days = daysSince1970 + DAYS_TO_1970
  const era = Math.floor(days / DAYS_PER_ERA)
  const dayOfEra = days - era * DAYS_PER_ERA
  // Takes the leap days out of the day number: one in 1,460 days, none in 36,524, one more in 146,096.
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1,
  }
}
