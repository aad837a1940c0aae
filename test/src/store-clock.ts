import { type Clock, systemClock } from '../../src/clock.ts'

/** Between two looks at what is waited for, in milliseconds. */
const LOOK_MS = 5

/** The machine's clock, of which a test may end all waits at once. */
export class StoreClock implements Clock {
  readonly #machine = systemClock()
  readonly #waiting = new Map<() => void, () => void>()

  nowMs(): number {
    return this.#machine.nowMs()
  }

  wakeAfter(delayMs: number, act: () => void): () => void {
    const cancel = this.#machine.wakeAfter(delayMs, () => {
      this.#waiting.delete(cancel)
      act()
    })
    this.#waiting.set(cancel, act)
    return () => {
      this.#waiting.delete(cancel)
      cancel()
    }
  }

  /** Ends every wait that is under way. */
  wakeAll(): void {
    for (const [cancel, act] of [...this.#waiting]) {
      this.#waiting.delete(cancel)
      cancel()
      act()
    }
  }

  /** Resolves when it is so; the test's own limit of time ends a wait for what never comes. */
  async waitFor(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}
