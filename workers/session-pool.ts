/** Sessions that work on a store at the same time: more make no commit share a flush that would not share it anyway. */
const SESSIONS_MAX = 64

/** The sessions of a store, each lent to one request at a time, in the order in which the requests come. */
export class SessionPool {
  readonly #free: number[] = Array.from({ length: SESSIONS_MAX }, (_, index) => SESSIONS_MAX - index)
  readonly #waiting: ((session: number) => void)[] = []
  #atRest: (() => void)[] = []

  /** Lends a session, as soon as one is free. */
  take(): Promise<number> {
    const session = this.#free.pop()
    if (session !== undefined) return Promise.resolve(session)
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  /** A session is free again. */
  give(session: number): void {
    const next = this.#waiting.shift()
    if (next !== undefined) {
      next(session)
      return
    }
    this.#free.push(session)
    if (this.#free.length === SESSIONS_MAX) for (const resolve of this.#atRest.splice(0)) resolve()
  }

  /** Resolves when no session is lent, and nobody waits for one. */
  rest(): Promise<void> {
    if (this.#free.length === SESSIONS_MAX) return Promise.resolve()
    return new Promise((resolve) => {
      this.#atRest.push(resolve)
    })
  }
}
