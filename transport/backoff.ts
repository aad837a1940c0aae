/** The waits between attempts to reach somebody. */
export interface BackoffLimits {
  /** First wait, in milliseconds. */
  readonly leastMs: number
  /** Longest wait, in milliseconds. */
  readonly mostMs: number
}

/** 0.1 s doubling to 30 s, the interval at which the Replication service of Exchange 2007 tries a failed copy again. */
export const RECONNECT_BACKOFF: BackoffLimits = { leastMs: 100, mostMs: 30_000 }

/**
 * How long to wait before the next attempt: doubles with each failure, capped, and spread over its upper half by chance, so
 * that the copies of a source that comes back do not all knock at the same moment.
 *
 * @param failures failed attempts since the last success, from 1 on
 * @param random a number in `[0, 1)`
 * @returns milliseconds in `[wait / 2, wait]`; the end is reached where the sum is rounded
 */
export function backoffMs(failures: number, random: number, limits: BackoffLimits = RECONNECT_BACKOFF): number {
  // 2^30 is beyond every cap in use; without the bound a long outage would end in Infinity, and half of that is no time.
  const doublings = Math.min(Math.max(failures, 1) - 1, 30)
  const wait = Math.min(limits.mostMs, limits.leastMs * 2 ** doublings)
  return wait / 2 + (wait / 2) * random
}
