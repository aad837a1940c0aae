import { setTimeout as delay } from 'node:timers/promises'
import { ReplicationError } from '../../engine/error.ts'
import type { StoreClient } from './store-client.ts'

/** What a wait for a store needs. */
export interface StoreReturnOptions {
  readonly client: StoreClient
  /** How long a store may be away, in milliseconds. */
  readonly patienceMs: number
  /** Ends the wait quietly. */
  readonly ending: AbortSignal
  /** Hears when the store has gone and when it is back, in milliseconds. */
  readonly onAway: (why: string) => void
  readonly onBack: (awayMs: number) => void
}

/** How often a store that is away is looked at, in milliseconds: a restart takes a second or more. */
const LOOK_MS = 250

/** Waits for a store that has gone away. Clients that notice it at the same time wait together. */
export class StoreReturn {
  readonly #options: StoreReturnOptions
  #waiting: Promise<void> | null = null

  constructor(options: StoreReturnOptions) {
    this.#options = options
  }

  /**
   * Resolves when the store runs again, or the load is to end. Errors: `cause` where that is nothing that passes, or the store does
   * not come back in time.
   */
  wait(cause: unknown): Promise<void> {
    if (!mayPass(cause)) return Promise.reject(cause)
    this.#waiting ??= this.#untilBack(cause).finally(() => {
      this.#waiting = null
    })
    return this.#waiting
  }

  /** Waits for a store that does not run when the load is to begin. Errors: `WAIT_TIMED_OUT`, and those of the connection. */
  async untilRunning(storageGroup: string): Promise<void> {
    const { state } = await this.#options.client.status()
    if (state === 'running') return
    await this.wait(
      new ReplicationError({
        code: 'WAIT_TIMED_OUT',
        message: `the store of ${storageGroup} is ${state}`,
        hint: 'Look at the events of its node with ccr events; wait longer with --patience.',
      }),
    )
  }

  async #untilBack(cause: unknown): Promise<void> {
    const { patienceMs, ending, onAway, onBack } = this.#options
    const sinceMs = performance.now()
    if (await this.#isRunning()) {
      await this.#pause() // it is there and was too busy, or has come back already
      return
    }
    onAway(cause instanceof Error ? cause.message : String(cause))
    while (!ending.aborted) {
      await this.#pause()
      if (await this.#isRunning()) {
        onBack(performance.now() - sinceMs)
        return
      }
      if (performance.now() - sinceMs > patienceMs) throw cause
    }
  }

  async #pause(): Promise<void> {
    await delay(LOOK_MS, undefined, { signal: this.#options.ending }).catch(() => undefined)
  }

  async #isRunning(): Promise<boolean> {
    try {
      return (await this.#options.client.status()).state === 'running'
    } catch (error) {
      if (!mayPass(error)) throw error
      return false
    }
  }
}

function mayPass(error: unknown): boolean {
  return error instanceof ReplicationError && error.retriable && error.code !== 'WIRE_PROTOCOL'
}
