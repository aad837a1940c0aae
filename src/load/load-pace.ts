import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'

/** How much is done, and how fast. */
export interface LoadPaceOptions {
  /** Actions each second; `Infinity` for as fast as they are answered. */
  readonly rate: number
  /** Actions in all; `Infinity` for no end. */
  readonly count: number
  /** How long, in milliseconds; `Infinity` for no end. */
  readonly forMs: number
  /** Ends it before that. */
  readonly signal: AbortSignal
}

/** A load that fell further behind than this does not try to make up for it: a steady rate is what was asked for. */
const BEHIND_MS_MAX = 1000
/** The longest that a timer of Node waits, in milliseconds. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** The clock of a load: admits its clients one after the other. `close` when done with it. */
export class LoadPace {
  readonly #intervalMs: number
  readonly #ending = new AbortController()
  readonly #stop: () => void
  readonly #signal: AbortSignal
  readonly #timer: NodeJS.Timeout | null
  #left: number
  #dueMs = performance.now()

  constructor({ rate, count, forMs, signal }: LoadPaceOptions) {
    this.#intervalMs = 1000 / rate
    this.#left = count
    this.#signal = signal
    this.#stop = () => this.#ending.abort()
    setMaxListeners(0, this.#ending.signal) // every client waits on it, and there are up to 48
    this.#timer = forMs > TIMER_MS_MAX ? null : setTimeout(this.#stop, forMs)
    if (signal.aborted) this.#stop()
    else signal.addEventListener('abort', this.#stop)
  }

  /** Fires when time is up or the load is to end; not when the count is reached. */
  get ending(): AbortSignal {
    return this.#ending.signal
  }

  /** Waits for the turn of the caller; false when there is none any more. */
  async admit(): Promise<boolean> {
    for (;;) {
      if (this.#left <= 0 || this.#ending.signal.aborted) return false
      const waitMs = this.#dueMs - performance.now()
      if (waitMs <= 0) return true
      await delay(waitMs, undefined, { signal: this.#ending.signal }).catch(() => undefined)
    }
  }

  /** Whether a further turn would begin at once. */
  get isDue(): boolean {
    return this.#left > 0 && performance.now() >= this.#dueMs
  }

  /** Takes so many actions, or as many as are left of the count. Those of the rate become due later. */
  take(actions: number): number {
    const taken = Math.min(actions, this.#left)
    this.#left -= taken
    this.#dueMs = Math.max(this.#dueMs, performance.now() - BEHIND_MS_MAX) + taken * this.#intervalMs
    return taken
  }

  close(): void {
    this.#signal.removeEventListener('abort', this.#stop)
    if (this.#timer !== null) clearTimeout(this.#timer)
  }
}
