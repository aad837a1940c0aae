import { ReplicationError } from '../engine/error.ts'
import type { Generation } from '../engine/generation.ts'
import { type Asked, refusedAnswer, wrongAnswer } from './client-fault.ts'
import { LogFetch, type LogSink, type ResumePoint, SinkFailure } from './log-fetch.ts'
import type { FetchedLog } from './log-head.ts'
import type { ShareDocument } from './log-share-app.ts'
import { readShareDocument } from './share-document.ts'
import { logPath, sharePath } from './share-paths.ts'
import { type ClientLimits, documentText, readJson, SourceExchange } from './source-exchange.ts'
import type { SourceUrl } from './source-url.ts'
import { readSurrogateAnswer, type SurrogateAnswer, type SurrogateAsk, surrogatePath } from './surrogate-backup.ts'

/** What a fetch may be told besides what to fetch. */
export interface FetchOptions {
  readonly signal?: AbortSignal
  /** Goes on where an earlier fetch stopped. */
  readonly from?: ResumePoint
}

/** How a watch goes on after a failure. */
export interface WatchOptions {
  readonly signal: AbortSignal
  /**
   * Waits before the next attempt; `failures` counts those since the last good answer, from 1 on. What it throws ends the
   * watch.
   */
  readonly waitBeforeRetry: (error: ReplicationError, failures: number) => Promise<void>
}

/** Times that one fetch asks for the rest; each resumption must have been preceded by some progress. */
const RESUMPTIONS_MAX = 8
/** What a long poll waits for news, in milliseconds; the source allows up to 25 s. */
const POLL_WAIT_MS = 20_000

/**
 * The client of a source's plain HTTP side: for tools, for `--once` runs without frames, and for a look before a copy is
 * made. `close` when done with it.
 */
export class LogShareClient {
  readonly #exchange: SourceExchange
  readonly #pollWaitMs: number

  constructor(limits: Partial<ClientLimits & { readonly pollWaitMs: number }> = {}) {
    this.#exchange = new SourceExchange(limits)
    this.#pollWaitMs = limits.pollWaitMs ?? POLL_WAIT_MS
  }

  /**
   * What the source says of a share now.
   *
   * Errors: `SHARE_UNKNOWN`, `NODE_UNREACHABLE`, `TRANSFER_TIMEOUT`, `WIRE_PROTOCOL`, `LOG_FORMAT_INVALID`.
   */
  async describeShare(source: SourceUrl, signal: AbortSignal = new AbortController().signal): Promise<ShareDocument> {
    return await this.#document(source, { path: sharePath(source.share), waitMs: 0, signal })
  }

  /**
   * Fetches one log into a sink, asking for the rest when the connection breaks after some progress. Resolves when the sink
   * has taken the last byte; whether the bytes have the checksum is for the sink's owner to say.
   *
   * Errors: `LOG_MISSING`, `LOG_CHANGED` (not the bytes that were begun), `NODE_UNREACHABLE`, `TRANSFER_TIMEOUT`,
   * `WIRE_PROTOCOL`, and what the sink throws.
   */
  async fetchLog(
    source: SourceUrl,
    generation: Generation,
    into: FetchOptions & { readonly sink: LogSink },
  ): Promise<FetchedLog> {
    const fetch = new LogFetch({ source, generation, sink: into.sink }, into.from)
    const signal = into.signal ?? new AbortController().signal
    for (let resumptions = 0; ; resumptions += 1) {
      const before = fetch.position
      const call = {
        asked: () => fetch.asked(),
        path: logPath(source.share, generation),
        headers: fetch.headers(),
        signal,
      }
      try {
        return await this.#exchange.ask(call, (answer) => fetch.take(answer, this.#exchange.limits))
      } catch (error) {
        if (error instanceof SinkFailure) throw error.thrown
        // Without progress another attempt is a matter of backoff, which is the caller's.
        if (!fetch.mayResume(error) || resumptions >= RESUMPTIONS_MAX || fetch.position === before) throw error
      }
    }
  }

  /**
   * Reads the first bytes of a closed log, and no more. Errors: `LOG_MISSING`, `SHARE_UNKNOWN`, `NODE_UNREACHABLE`, `TRANSFER_TIMEOUT`,
   * `WIRE_PROTOCOL`.
   */
  async readLogStart(
    source: SourceUrl,
    of: { generation: Generation; bytes: number },
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const asked: Asked = { what: `the start of log ${of.generation} of ${source.share}`, origin: source.origin }
    const path = logPath(source.share, of.generation)
    const call = { asked: () => asked, path, headers: { range: `bytes=0-${of.bytes - 1}` }, signal }
    return await this.#exchange.ask(call, async (answer) => {
      if (answer.status !== 206) throw refusedAnswer(asked, answer.status, await documentText(answer, asked))
      const start = new Uint8Array(of.bytes)
      let length = 0
      for await (const piece of answer.body) {
        if (length + piece.length > of.bytes) throw wrongAnswer(asked, `more than ${of.bytes} bytes`)
        start.set(piece, length)
        length += piece.length
      }
      return start.subarray(0, length)
    })
  }

  /**
   * Says something about a backup or a seed of a copy. Errors: those of the source (`STATE_REFUSED` with the engine's number in the field `eseError`),
   * `SHARE_UNKNOWN`, `NODE_UNREACHABLE`, `TRANSFER_TIMEOUT`, `WIRE_PROTOCOL`.
   */
  async askBackup(source: SourceUrl, body: SurrogateAsk, signal: AbortSignal): Promise<SurrogateAnswer> {
    const asked = askedOf(source)
    const call = { path: surrogatePath(source.share), body, signal, asked: () => asked }
    return await this.#exchange.ask(call, async (answer) => {
      return readSurrogateAnswer(await readJson(answer, asked), asked)
    })
  }

  /**
   * Yields what the source says of a share, at once and then each time that it changes, until the signal fires. Failures go
   * to `waitBeforeRetry`; announcements that come faster than they are taken are skipped, the latest says it all.
   */
  async *watchAnnouncements(source: SourceUrl, options: WatchOptions): AsyncGenerator<ShareDocument> {
    const { signal } = options
    let known: ShareDocument | null = null
    for (let failures = 0; !signal.aborted; ) {
      try {
        // After a failure the source may be another run of itself: ask what is, not what is new.
        const told: ShareDocument = await (failures > 0 || known === null
          ? this.describeShare(source, signal)
          : this.#nextAnnouncement(source, known, signal))
        failures = 0
        if (known !== null && JSON.stringify(told) === JSON.stringify(known)) continue
        known = told
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof ReplicationError)) throw error
        failures += 1
        await options.waitBeforeRetry(error, failures)
        continue
      }
      yield known
    }
  }

  async close(): Promise<void> {
    await this.#exchange.close()
  }

  async #nextAnnouncement(source: SourceUrl, known: ShareDocument, signal: AbortSignal): Promise<ShareDocument> {
    const waitMs = this.#pollWaitMs
    const path = `${sharePath(source.share)}/announcements?after=${known.announcementNumber}&waitMs=${waitMs}`
    const sinceMs = performance.now()
    const told = await this.#document(source, { path, waitMs, signal })
    // "Nothing new" at once instead of after the wait would make this loop spin.
    if (told.announcementNumber === known.announcementNumber && performance.now() - sinceMs < waitMs / 2)
      throw wrongAnswer(askedOf(source), 'no news, and too soon')
    return told
  }

  async #document(
    source: SourceUrl,
    call: { readonly path: string; readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<ShareDocument> {
    const asked = askedOf(source)
    const told = await this.#exchange.ask({ ...call, asked: () => asked }, async (answer) =>
      readShareDocument(await readJson(answer, asked)),
    )
    if (told.share === source.share) return told
    throw wrongAnswer(asked, `it is about ${told.share}`)
  }
}

function askedOf(source: SourceUrl): Asked {
  return { what: `share ${source.share}`, origin: source.origin }
}
