import {
  type FetchedStretch,
  SEED_TIMEOUTS,
  SeedConnection,
  type SeedStretch,
  type SeedTimeouts,
} from './seed-connection.ts'
import { seedPath } from './seed-source.ts'
import type { SourceUrl } from './source-url.ts'

/** Connections to a source at a time: while the bytes of one are taken, the other's come. */
const CONNECTIONS = 2

/** Reads the database of a source for the seed of a copy, piece by piece. `close` when done with it. */
export class SeedClient {
  readonly #source: SourceUrl
  readonly #path: string
  readonly #timeouts: SeedTimeouts
  #connections: SeedConnection[] = []

  constructor(source: SourceUrl, session: number, timeouts: Partial<SeedTimeouts> = {}) {
    this.#source = source
    this.#path = seedPath(source.share, session)
    this.#timeouts = { ...SEED_TIMEOUTS, ...timeouts }
  }

  /** How long the database is now. Errors: as {@link read}. */
  async sizeBytes(signal: AbortSignal): Promise<number> {
    const { fileBytes } = await this.read({ position: 0, length: 1, into: new Uint8Array(1) }, signal)
    return fileBytes
  }

  /**
   * Reads a stretch as it is at this moment. Several may be under way; an abort ends them all. Errors: `STATE_REFUSED` when the seed is not
   * under way any more, `SHARE_UNKNOWN`, `NODE_UNREACHABLE`, `TRANSFER_TIMEOUT`, `WIRE_PROTOCOL`, the signal's reason.
   */
  async read(stretch: SeedStretch, signal: AbortSignal): Promise<FetchedStretch> {
    signal.throwIfAborted()
    const end = (): void => this.#endAll(signal.reason)
    signal.addEventListener('abort', end, { once: true })
    try {
      return await this.#connection().read(stretch)
    } finally {
      signal.removeEventListener('abort', end)
    }
  }

  close(): void {
    this.#endAll(new Error('must hold: nothing is read any more when a client is closed'))
  }

  /** The one on which the least waits. */
  #connection(): SeedConnection {
    this.#connections = this.#connections.filter((connection) => !connection.hasEnded)
    const idle = this.#connections.find(({ waiting }) => waiting === 0)
    if (idle === undefined && this.#connections.length < CONNECTIONS)
      this.#connections.push(new SeedConnection(this.#source, this.#path, this.#timeouts))
    return this.#connections.reduce((least, connection) => (connection.waiting < least.waiting ? connection : least))
  }

  #endAll(why: unknown): void {
    for (const connection of this.#connections.splice(0)) connection.close(why)
  }
}
