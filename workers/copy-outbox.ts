import type { CopyEvent } from './messages.ts'

/**
 * Collects the events of one turn of the event loop into one message: a message costs the main thread a wake-up, and at full
 * speed several logs end in the same turn.
 */
export class CopyOutbox {
  readonly #post: (events: readonly CopyEvent[]) => void
  #events: CopyEvent[] = []

  constructor(post: (events: readonly CopyEvent[]) => void) {
    this.#post = post
  }

  add(event: CopyEvent): void {
    this.#events.push(event)
    if (this.#events.length === 1) setImmediate(() => this.flush())
  }

  /** Sends what there is. */
  flush(): void {
    if (this.#events.length === 0) return
    const events = this.#events
    this.#events = []
    this.#post(events)
  }
}
