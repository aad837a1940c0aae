/** Looks at a state: null while it is not what is waited for; throws when it never will be. */
export type Judge<State, Result> = (state: State) => Result | null

/** Lets callers wait for a state of an instance; told after each step. */
export class StateWatch<State> {
  readonly #looking = new Set<(state: State) => void>()

  /** Shows a state to all who wait. */
  tell(state: State): void {
    for (const look of [...this.#looking]) look(state)
  }

  /**
   * Resolves with what the judge makes of a state, the present one or a later one; rejects with what it throws, or with the
   * reason of the signal.
   */
  until<Result>(present: State, judge: Judge<State, Result>, signal: AbortSignal): Promise<Result> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#looking.delete(look)
        signal.removeEventListener('abort', abort)
      }
      const abort = (): void => {
        end()
        reject(signal.reason)
      }
      const look = (state: State): void => {
        try {
          const result = judge(state)
          if (result === null) return
          end()
          resolve(result)
        } catch (error) {
          end()
          reject(error)
        }
      }
      if (signal.aborted) return reject(signal.reason)
      this.#looking.add(look)
      signal.addEventListener('abort', abort, { once: true })
      look(present)
    })
  }
}
