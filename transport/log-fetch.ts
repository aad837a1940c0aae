import { ReplicationError } from '../engine/error.ts'
import { formatGeneration, type Generation } from '../engine/generation.ts'
import { type Asked, refusedAnswer, wrongAnswer } from './client-fault.ts'
import { type FetchedLog, logChanged, readLogHead } from './log-head.ts'
import { type ClientLimits, documentText, type SourceAnswer } from './source-exchange.ts'
import type { SourceUrl } from './source-url.ts'

/** Where the bytes of a log go. What a sink throws ends the fetch and comes out of it unchanged. */
export interface LogSink {
  /** Called once, before the first byte. */
  begin(log: FetchedLog): Promise<void> | void
  /** Called for each piece in order; the bytes are the sink's until it returns. The next piece waits for it. */
  write(piece: Uint8Array, position: number): Promise<void> | void
}

/** Where an earlier fetch of the same log stopped. */
export interface ResumePoint {
  /** Bytes that are there already: at least 1, fewer than the log has. */
  readonly offset: number
  /** The tag that the earlier fetch was told. */
  readonly etag: string
}

/** The state of fetching one log, over as many answers as it takes. */
export class LogFetch {
  readonly #source: SourceUrl
  readonly #generation: Generation
  readonly #sink: LogSink
  #position: number
  #etag: string | null
  #log: FetchedLog | null = null
  #sinkFailed = false

  constructor(
    target: { readonly source: SourceUrl; readonly generation: Generation; readonly sink: LogSink },
    from?: ResumePoint,
  ) {
    this.#source = target.source
    this.#generation = target.generation
    this.#sink = target.sink
    this.#position = from?.offset ?? 0
    this.#etag = from?.etag ?? null
  }

  /** The bytes that the sink has taken, counted from the beginning of the log. */
  get position(): number {
    return this.#position
  }

  /** What is fetched, in words that say how far it got. */
  asked(): Asked {
    const came = this.#log === null ? '' : ` (${this.#position} of ${this.#log.sizeBytes} bytes came)`
    const what = `log ${formatGeneration(this.#generation)} of ${this.#source.share}${came}`
    return { what, origin: this.#source.origin }
  }

  /** Asks for the rest of the very log that was begun, or for all of one that was not. */
  headers(): Record<string, string> {
    if (this.#etag === null || this.#position === 0) return {}
    return { range: `bytes=${this.#position}-`, 'if-range': this.#etag }
  }

  /** Takes one answer: the head is checked against what is known, then the bytes go to the sink. */
  async take(answer: SourceAnswer, limits: ClientLimits): Promise<FetchedLog> {
    const log = await this.#head(answer, limits)
    const left = log.sizeBytes - this.#position
    answer.deadline.restart(limits.bodyBaseMs + (left / limits.bodyRateMin) * 1_000)
    if (this.#log === null) await this.#guarded(() => this.#sink.begin(log))
    this.#log = log
    for await (const piece of answer.body) {
      if (this.#position + piece.length > log.sizeBytes) throw wrongAnswer(this.asked(), 'more bytes than announced')
      await this.#guarded(() => this.#sink.write(piece, this.#position))
      this.#position += piece.length
    }
    if (this.#position < log.sizeBytes) throw wrongAnswer(this.asked(), 'fewer bytes than announced')
    return log
  }

  /**
   * Whether the rest may be asked for at once after this failure: a connection broke, and neither the sink nor a rule. After
   * a time-out it may not: who drips would get a new deadline each time.
   */
  mayResume(error: unknown): boolean {
    if (this.#sinkFailed || this.#log === null) return false
    return error instanceof ReplicationError && error.code === 'NODE_UNREACHABLE'
  }

  async #head(answer: SourceAnswer, limits: ClientLimits): Promise<FetchedLog> {
    const asked = this.asked()
    const resumed = this.#position > 0
    // What no longer has the bytes that were begun answers with the whole other log, or with no such range.
    if (resumed && answer.status === 416) throw logChanged(asked)
    if (answer.status !== 200 && !(resumed && answer.status === 206))
      throw refusedAnswer(asked, answer.status, await documentText(answer, asked))
    const expected = { asked, generation: this.#generation, offset: this.#position, logBytesMax: limits.logBytesMax }
    const log = readLogHead(answer, expected)
    if (this.#etag !== null && log.etag !== this.#etag) throw logChanged(asked)
    if (this.#log !== null && !isSameLog(log, this.#log)) throw logChanged(asked)
    if (resumed && answer.status === 200) throw wrongAnswer(asked, 'the whole log instead of its rest')
    this.#etag = log.etag
    return log
  }

  async #guarded(work: () => Promise<void> | void): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#sinkFailed = true
      throw error instanceof ReplicationError ? error : new SinkFailure(error)
    }
  }
}

/** Carries what a sink threw past the mapping of connection faults, whatever errno it has. */
export class SinkFailure extends Error {
  override readonly name = 'SinkFailure'
  readonly thrown: unknown

  constructor(thrown: unknown) {
    super('the sink of a fetched log failed')
    this.thrown = thrown
  }
}

function isSameLog(one: FetchedLog, other: FetchedLog): boolean {
  return one.checksumHex === other.checksumHex && one.sizeBytes === other.sizeBytes && one.name === other.name
}
