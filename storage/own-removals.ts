import { setImmediate } from 'node:timers/promises'

/**
 * Names that we remove ourselves. The watch tells each of them once, and that event needs no look: what it would find is known.
 * Any other event of the same name is somebody else's and is looked at as ever.
 */
export class OwnRemovals {
  readonly #names = new Set<string>()
  #lost = false

  /** The name is about to be removed. */
  expect(name: string): void {
    // The queue of the system holds no more events; those of the oldest names will not come.
    if (this.#names.size >= NAMES_MAX) {
      this.#names.clear()
      this.#lost = true
    }
    this.#names.add(name)
  }

  /** The name was not there, or could not be removed: no event comes of it. */
  withdraw(name: string): void {
    this.#names.delete(name)
  }

  /** Whether an event of this name tells what is known already; true once for each removal. */
  take(name: string): boolean {
    return this.#names.delete(name)
  }

  /**
   * To be called after the removals. Waits until the events that stood in the queue by then are told, expects nothing more, and answers
   * whether all of them were: if not, the system has dropped events, maybe of others too, and only a scan tells the truth.
   */
  async settle(): Promise<boolean> {
    // The event loop reads all that is in the queue once per round, between two of these.
    await setImmediate()
    await setImmediate()
    const complete = !this.#lost && this.#names.size === 0
    this.#names.clear()
    this.#lost = false
    return complete
  }
}

/** The length of the queue of events: fs.inotify.max_queued_events is 16,384 unless it was set. */
const NAMES_MAX = 16_384
