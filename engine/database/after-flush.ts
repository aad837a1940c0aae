import { comparePositions, type LogPosition } from './log-position.ts'

/**
 * What is to be done when the log is durable up to an end.
 *
 * A class, since it waits.
 */
export class AfterFlush {
  /** Ascending by end. */
  readonly #waiting: { readonly end: LogPosition; readonly act: () => void }[] = []

  /** Has something done when the log is durable up to `end`, which is never before that of the call before. */
  add(end: LogPosition, act: () => void): void {
    this.#waiting.push({ end, act })
  }

  /** Does what has become due, and says whether something had. What is done may add to what waits. */
  run(durable: LogPosition): boolean {
    let hasRun = false
    for (;;) {
      const [first] = this.#waiting
      if (first === undefined || comparePositions(durable, first.end) < 0) return hasRun
      this.#waiting.shift()
      first.act()
      hasRun = true
    }
  }
}
