import { ReplicationError } from '../engine/error.ts'

/** Milliseconds by unit, as durations are written on the command line and in the configuration. */
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Days.Hours:Minutes:Seconds, as Exchange writes a lag: `1.00:00:00`, `0:30:00`. */
const DAYS_AND_CLOCK = /^(?:(\d{1,3})\.)?([01]?\d|2[0-3]):([0-5]\d):([0-5]\d)$/

/** What {@link parseDuration} takes, for JSON Schemas, which know no case that does not matter. */
export const DURATION_PATTERN = '^(\\d+(\\.\\d+)?([mM]?[sS]|[mMhHdD])|(\\d+\\.)?\\d{1,2}:\\d{2}:\\d{2})$'

/** Reads a duration such as `500ms`, `20s`, `2m`, `1.5h`, `1d` or `1.00:00:00` as milliseconds. Errors: `USAGE`. */
export function parseDuration(text: string): number {
  const clock = DAYS_AND_CLOCK.exec(text.trim())
  if (clock !== null) {
    const [days = 0, hours = 0, minutes = 0, seconds = 0] = clock.slice(1).map((part) => Number(part ?? 0))
    return ((days * 24 + hours) * 60 + minutes) * 60_000 + seconds * 1000
  }
  const parts = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/i.exec(text.trim())
  const durationMs = parts === null ? Number.NaN : Number(parts[1]) * (UNIT_MS[(parts[2] ?? '').toLowerCase()] ?? 1)
  if (Number.isSafeInteger(Math.round(durationMs))) return Math.round(durationMs)
  throw new ReplicationError({
    code: 'USAGE',
    message: `${JSON.stringify(text)} is no duration`,
    hint: 'Write a number with ms, s, m, h or d behind it, for example 20s or 500ms, or Days.Hours:Minutes:Seconds.',
  })
}

/** A duration as {@link parseDuration} takes it back: `500ms`, `20s`, `2m`. */
export function formatExactDuration(durationMs: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const unitMs = UNIT_MS[unit] ?? 1
    if (durationMs > 0 && durationMs % unitMs === 0) return `${durationMs / unitMs}${unit}`
  }
  return `${durationMs}ms`
}

/** How long something took, as people read it: `250 ms`, `4.2 s`, `3 min 20 s`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`
  if (durationMs < 60_000) return `${(durationMs / 1000).toFixed(1)} s`
  const seconds = Math.round(durationMs / 1000)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/**
 * A time as the Exchange Management Shell prints it, `6/14/2007 4:42:01 PM`, in the time zone of this machine.
 *
 * @param iso a time in ISO 8601; anything else, such as null for "never", gives `''`
 */
export function formatShellTime(iso: unknown): string {
  const time = typeof iso === 'string' ? new Date(iso) : null
  if (time === null || Number.isNaN(time.getTime())) return ''
  const two = (value: number): string => String(value).padStart(2, '0')
  const hour = time.getHours() % 12 === 0 ? 12 : time.getHours() % 12
  const date = `${time.getMonth() + 1}/${time.getDate()}/${time.getFullYear()}`
  return `${date} ${hour}:${two(time.getMinutes())}:${two(time.getSeconds())} ${time.getHours() < 12 ? 'AM' : 'PM'}`
}
