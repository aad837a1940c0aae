/** Lets a limited number of others work at once; the rest wait, first come, first served. */
export class Turns {
  #free: number
  readonly #waiting: (() => void)[] = []

  /** @param atOnce how many may have a turn at the same time, 1 or more */
  constructor(atOnce: number) {
    this.#free = atOnce
  }

  /** Resolves when it is the caller's turn, which he ends with `give`, exactly once. */
  async take(): Promise<void> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  give(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free += 1
    else next()
  }
}
