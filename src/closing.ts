/** What a service has opened, to be closed in the reverse order. */
export class Closing {
  readonly #closers: (() => Promise<void>)[] = []
  #closed: Promise<void> | null = null

  /** Remembers how to close something; answers it. */
  add<Opened extends { close(): Promise<void> }>(opened: Opened): Opened {
    this.#closers.push(() => opened.close())
    return opened
  }

  /** Closes everything, the latest first. May be called twice. */
  all(): Promise<void> {
    this.#closed ??= this.#all()
    return this.#closed
  }

  async #all(): Promise<void> {
    for (const close of this.#closers.reverse()) await close()
  }
}
