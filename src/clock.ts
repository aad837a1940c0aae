/** The time and the waiting that a service is given; tests give it their own. */
export interface Clock {
  /** Milliseconds since 1970, UTC. May jump when somebody sets the machine's clock. */
  nowMs(): number
  /** Calls `act` once, after at least this many milliseconds. Returns what cancels it; cancelling twice is harmless. */
  wakeAfter(delayMs: number, act: () => void): () => void
}

/** The longest wait that a timer of Node takes (2^31 - 1 ms, 24.8 days); above it, it would fire at once. */
const DELAY_MS_MAX = 2 ** 31 - 1

/** The machine's clock and timers. */
export function systemClock(): Clock {
  return {
    nowMs: () => Date.now(),
    wakeAfter: (delayMs, act) => {
      const timer = setTimeout(act, Math.min(Math.max(0, delayMs), DELAY_MS_MAX))
      return () => clearTimeout(timer)
    },
  }
}

/** Waits; ends early, without an error, when the signal fires. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const end = (): void => {
      cancel()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const cancel = clock.wakeAfter(delayMs, end)
    signal.addEventListener('abort', end, { once: true })
  })
}

/** Waits for the work, but no longer than this. Answers whether it is done; what it rejects with is passed on. */
export async function doneWithin(clock: Clock, delayMs: number, work: Promise<unknown>): Promise<boolean> {
  const enough = new AbortController()
  try {
    return await Promise.race([work.then(() => true), pause(clock, delayMs, enough.signal).then(() => false)])
  } finally {
    enough.abort()
  }
}
