import { assert } from '../assert.ts'

/**
 * A token bucket as arithmetic: when the next bytes may go. It counts by deadlines and not by refills, so that a rate is kept to the
 * byte however late its owner wakes. A value: each call answers the next one.
 */
export interface Throttle {
  /** Bytes in a second, above 0; null for no bound. */
  readonly rateBytesPerSecond: number | null
  /** When everything that was let go is paid for, in milliseconds of the owner's clock. */
  readonly paidAtMs: number
}

/**
 * How far a throttle that was idle may run ahead, in milliseconds of its rate: what a late wake-up lost is made good, but no pause
 * becomes a burst. In every window the rate is passed by this much at most.
 */
const BURST_MS = 50

/** A throttle that owes nothing. Null lets everything go at once. */
export function startThrottle(rateBytesPerSecond: number | null, nowMs: number): Throttle {
  assert(rateBytesPerSecond === null || rateBytesPerSecond > 0, 'a rate is above 0, or there is none')
  return { rateBytesPerSecond, paidAtMs: nowMs }
}

/** Whether bytes may go now, and how long to wait until they may, in milliseconds; 0 is now. Takes nothing. */
export function throttleWaitMs(throttle: Throttle, nowMs: number): number {
  return throttle.rateBytesPerSecond === null ? 0 : Math.max(0, throttle.paidAtMs - nowMs)
}

/** The throttle after so many bytes have gone. They may be more than the rate lets go in a second; the next ones wait for as long. */
export function takeBytes(throttle: Throttle, bytes: number, nowMs: number): Throttle {
  const { rateBytesPerSecond, paidAtMs } = throttle
  if (rateBytesPerSecond === null) return { rateBytesPerSecond, paidAtMs: nowMs }
  const from = Math.max(paidAtMs, nowMs - BURST_MS)
  return { rateBytesPerSecond, paidAtMs: from + (bytes * 1000) / rateBytesPerSecond }
}

/** The throttle with another rate from now on. What is still owed is paid at the new one. */
export function withRate(throttle: Throttle, rateBytesPerSecond: number | null, nowMs: number): Throttle {
  const next = startThrottle(rateBytesPerSecond, nowMs)
  if (rateBytesPerSecond === null || throttle.rateBytesPerSecond === null) return next
  const owedBytes = (throttleWaitMs(throttle, nowMs) * throttle.rateBytesPerSecond) / 1000
  return { rateBytesPerSecond, paidAtMs: nowMs + (owedBytes * 1000) / rateBytesPerSecond }
}
