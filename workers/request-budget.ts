import { ReplicationError } from '../engine/error.ts'

/** Requests that wait for a store, or are under way, at most: sixteen for each session. */
const REQUESTS_MAX = 1024
/** Bytes that they bring, at most: 64 MiB, a second's work of a fast disk. One larger request alone is let in. */
const BYTES_MAX = 64 * 1024 * 1024

/** Bounds what waits for a store: who comes when too much waits is refused, and tries again. */
export class RequestBudget {
  #requests = 0
  #bytes = 0

  /** Lets a request in that brings so many bytes. Errors: `STORE_BUSY`. */
  take(bytes: number): void {
    if (this.#requests >= REQUESTS_MAX) throw busy(`${REQUESTS_MAX} requests wait`)
    if (this.#requests > 0 && this.#bytes + bytes > BYTES_MAX)
      throw busy(`${this.#bytes} bytes wait to be written, and ${bytes} more are too many`)
    this.#requests += 1
    this.#bytes += bytes
  }

  /** A request that was let in has ended. */
  give(bytes: number): void {
    this.#requests -= 1
    this.#bytes -= bytes
  }
}

function busy(why: string): ReplicationError {
  return new ReplicationError({
    code: 'STORE_BUSY',
    message: `the store takes no further request: ${why}`,
    hint: 'Wait for answers before sending more. Nothing of this request was done.',
  })
}
