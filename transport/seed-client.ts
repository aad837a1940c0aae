import { ReplicationError } from '../engine/error.ts'
import { type Asked, refusedAnswer, wrongAnswer } from './client-fault.ts'
import { seedPath } from './seed-source.ts'
import { CHECKSUM_HEADER } from './share-paths.ts'
import { type ClientLimits, documentText, type SourceAnswer, SourceExchange } from './source-exchange.ts'
import type { SourceUrl } from './source-url.ts'

/** A stretch of a database, and where it goes. */
export interface SeedStretch {
  readonly position: number
  readonly length: number
  /** At least as long. */
  readonly into: Uint8Array
}

/** What came of a stretch. */
export interface FetchedStretch {
  /** Fewer than asked where the file ends. */
  readonly bytes: number
  /** xxh64 of them, as the source says it: 16 lower-case hexadecimal digits. */
  readonly checksumHex: string
  /** How long the file was then. */
  readonly fileBytes: number
}

/** Reads the database of a source for the seed of a copy, piece by piece. `close` when done with it. */
export class SeedClient {
  readonly #exchange: SourceExchange
  readonly #source: SourceUrl
  readonly #session: number

  constructor(source: SourceUrl, session: number, limits: Partial<ClientLimits> = {}) {
    this.#exchange = new SourceExchange(limits)
    this.#source = source
    this.#session = session
  }

  /** How long the database is now. Errors: as {@link read}. */
  async sizeBytes(signal: AbortSignal): Promise<number> {
    const { fileBytes } = await this.read({ position: 0, length: 1, into: new Uint8Array(1) }, signal)
    return fileBytes
  }

  /**
   * Reads a stretch as it is at this moment. Errors: `STATE_REFUSED` when the seed is not under way any more, `SHARE_UNKNOWN`,
   * `NODE_UNREACHABLE`, `TRANSFER_TIMEOUT`, `WIRE_PROTOCOL`.
   */
  async read(stretch: SeedStretch, signal: AbortSignal): Promise<FetchedStretch> {
    const { position, length } = stretch
    const { share, origin } = this.#source
    const asked: Asked = { what: `bytes ${position} to ${position + length - 1} of the database of ${share}`, origin }
    const call = {
      asked: () => asked,
      path: seedPath(share, this.#session),
      headers: { range: `bytes=${position}-${position + length - 1}` },
      signal,
    }
    return await this.#exchange.ask(call, (answer) => taken(answer, asked, stretch))
  }

  async close(): Promise<void> {
    await this.#exchange.close()
  }
}

async function taken(
  answer: SourceAnswer,
  asked: Asked,
  { position, length, into }: SeedStretch,
): Promise<FetchedStretch> {
  if (answer.status === 416) {
    await documentText(answer, asked)
    return { bytes: 0, checksumHex: '', fileBytes: totalOf(answer, asked) }
  }
  if (answer.status !== 206) throw refusedAnswer(asked, answer.status, await documentText(answer, asked))
  const fileBytes = totalOf(answer, asked)
  const checksumHex = answer.headers[CHECKSUM_HEADER]
  if (typeof checksumHex !== 'string' || !/^[0-9a-f]{16}$/.test(checksumHex))
    throw wrongAnswer(asked, 'it has no checksum')
  let bytes = 0
  for await (const chunk of answer.body) {
    if (bytes + chunk.length > length) throw wrongAnswer(asked, `more than ${length} bytes`)
    into.set(chunk, bytes)
    bytes += chunk.length
  }
  const expected = Math.min(length, Math.max(0, fileBytes - position))
  if (bytes !== expected) throw cutShort(asked, bytes, expected)
  return { bytes, checksumHex, fileBytes }
}

function totalOf({ headers }: SourceAnswer, asked: Asked): number {
  const told = /\/(\d{1,15})$/.exec(String(headers['content-range'] ?? ''))
  if (told === null) throw wrongAnswer(asked, 'it does not say how long the database is')
  return Number(told[1])
}

/** Somebody in between has shortened it: it is asked for again. */
function cutShort({ what, origin }: Asked, bytes: number, expected: number): ReplicationError {
  return new ReplicationError({
    code: 'TRANSFER_TIMEOUT',
    message: `${origin} sent ${bytes} of the ${expected} bytes of ${what}`,
    hint: 'It is asked for again by itself.',
  })
}
