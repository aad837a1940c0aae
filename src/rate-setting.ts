import { ReplicationError } from '../engine/error.ts'
import { minutesToNext, type RateEntry, type RateTimetable, rateAt } from '../engine/link/rate-timetable.ts'
import type { SeedRateDocument } from '../transport/management-seed-documents.ts'
import type { SharedRate } from '../workers/shared-rate.ts'
import type { Clock } from './clock.ts'
import { parseSize } from './format-size.ts'

/** Entries of a timetable: one for each hour of a day, and some more. */
const ENTRIES_MAX = 48
/** Below this a piece would take seconds. Bytes in a second. */
const RATE_MIN = 16_384
const MINUTE_MS = 60_000

/**
 * Reads a bound of the rate: `25M`, `off`, or a timetable of the day such as `08:00,5M 19:00,off`, in the time zone of this machine. Errors:
 * `USAGE`.
 */
export function parseRateSetting(text: string): RateTimetable {
  const parts = text.trim().split(/\s+/)
  const isTimetable = text.includes(',')
  if (!isTimetable) return [{ minute: 0, bytesPerSecond: rateOf(text.trim()) }]
  const entries = parts.map(entryOf).sort((a, b) => a.minute - b.minute)
  if (entries.length > ENTRIES_MAX)
    throw noSetting(text, `it has ${entries.length} entries, at most ${ENTRIES_MAX} are taken`)
  const twice = entries.find(({ minute }, index) => entries[index + 1]?.minute === minute)
  if (twice !== undefined) throw noSetting(text, 'one time stands in it twice')
  return entries
}

function entryOf(part: string): RateEntry {
  const [, hours, minutes, rate] = /^([01]?\d|2[0-3]):([0-5]\d),(\S+)$/.exec(part) ?? []
  if (hours === undefined || minutes === undefined || rate === undefined)
    throw noSetting(part, 'it is no time and rate')
  return { minute: Number(hours) * 60 + Number(minutes), bytesPerSecond: rateOf(rate) }
}

function rateOf(text: string): number | null {
  if (/^off$/i.test(text)) return null
  const bytes = bytesIn(text)
  if (bytes >= RATE_MIN) return bytes
  throw noSetting(text, 'below 16K a second nothing would ever come to an end; off lifts the bound')
}

/** Errors: `USAGE`, which tells of rates: whoever sets one may not know that it is written as a size. */
function bytesIn(text: string): number {
  try {
    return parseSize(text.replace(/\/s$/i, ''))
  } catch (cause) {
    if (!(cause instanceof ReplicationError)) throw cause
    throw noSetting(text, 'it is no number of bytes')
  }
}

function noSetting(text: string, why: string): ReplicationError {
  return new ReplicationError({
    code: 'USAGE',
    message: `${JSON.stringify(text)} is no rate: ${why}`,
    hint: 'Write a rate as in 25M (binary, in a second), off, or a timetable as in "08:00,5M 19:00,off".',
  })
}

/** Keeps a rate that threads share at what is set, also where a timetable changes it. */
export class RateKeeper {
  readonly #rate: SharedRate
  readonly #clock: Clock
  #setting = 'off'
  #timetable: RateTimetable = [{ minute: 0, bytesPerSecond: null }]
  #cancel: () => void = () => undefined

  constructor(rate: SharedRate, clock: Clock) {
    this.#rate = rate
    this.#clock = clock
  }

  /** What is shown. */
  get document(): SeedRateDocument {
    const next = this.#minutesToNext()
    const changes = next === null ? null : new Date(this.#clock.nowMs() + next * MINUTE_MS).toISOString()
    return { bytesPerSecond: this.#rate.bytesPerSecond, setting: this.#setting, changes }
  }

  /** From now on this holds, also for seeds under way. Errors: `USAGE`. */
  set(setting: string): void {
    this.#timetable = parseRateSetting(setting)
    this.#setting = setting.trim()
    this.#apply()
  }

  /** The bound that a setting would be at this moment; null for none. Errors: `USAGE`. */
  presentOf(setting: string): number | null {
    return rateAt(parseRateSetting(setting), this.#minute())
  }

  /** No timetable changes anything any more. */
  close(): void {
    this.#cancel()
  }

  #apply(): void {
    this.#cancel()
    const rate = rateAt(this.#timetable, this.#minute())
    if (rate !== this.#rate.bytesPerSecond) this.#rate.set(rate)
    const next = this.#minutesToNext()
    if (next !== null) this.#cancel = this.#clock.wakeAfter(next * MINUTE_MS, () => this.#apply())
  }

  #minutesToNext(): number | null {
    return minutesToNext(this.#timetable, this.#minute())
  }

  /** Of the day, in the time zone of this machine. */
  #minute(): number {
    const now = new Date(this.#clock.nowMs())
    return now.getHours() * 60 + now.getMinutes() + now.getSeconds() / 60
  }
}
