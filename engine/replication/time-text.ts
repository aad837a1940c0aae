import { formatLogTime, logTimeAt } from '../database/log-time.ts'

const UNITS = [
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const

/** A moment as sentences name it, in UTC and rounded up to the second: `2026-11-22 12:00:00 UTC`. */
export function timeText(atMs: number): string {
  const time = logTimeAt(Math.ceil(atMs / 1_000) * 1_000)
  const [month, day] = [time.month, time.day].map((value) => value.toString().padStart(2, '0'))
  return `${time.year}-${month}-${day} ${formatLogTime(time).slice(-8)} UTC`
}

/** A duration in the largest unit that says it exactly: `24 h`, `90 min`, `1500 ms`, `0`. */
export function durationText(ms: number): string {
  if (ms === 0) return '0'
  const [unit, unitMs] = UNITS.find(([, size]) => ms % size === 0) ?? ['ms', 1]
  return `${ms / unitMs} ${unit}`
}
