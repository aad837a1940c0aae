/** Restarts of a crashed worker within {@link RESTART_WINDOW_MS}; one more means that it crashes by itself. */
const RESTARTS_MAX = 5
/** The window in which restarts are counted, in milliseconds. */
export const RESTART_WINDOW_MS = 60_000

/** Decides whether a worker that crashed may be started again. */
export class RestartBudget {
  #restartsAtMs: number[] = []

  /** Counts a restart at `nowMs` and allows it, or refuses it. */
  mayRestart(nowMs: number): boolean {
    this.#restartsAtMs = this.#restartsAtMs.filter((atMs) => nowMs - atMs < RESTART_WINDOW_MS)
    if (this.#restartsAtMs.length >= RESTARTS_MAX) return false
    this.#restartsAtMs.push(nowMs)
    return true
  }
}
