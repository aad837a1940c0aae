import { setTimeout as delay } from 'node:timers/promises'
import { Agent, type Dispatcher, errors, request } from 'undici'
import { ReplicationError } from '../engine/error.ts'
import { errorOfProblem } from '../transport/problem.ts'
import {
  type EventDocument,
  listOf,
  readEvent,
  readShare,
  readStatus,
  readTruncation,
  type ShareDocument,
  type StatusDocument,
  shapeOf,
  type TruncationDocument,
} from './api-answer.ts'
import { readEventStream } from './event-stream.ts'

/** How to reach a management API. */
export interface ApiClientOptions {
  /** `http://HOST:PORT` of the management listener. */
  readonly server: string
  /** How long to wait for the head, and again for the body, of an answer, in milliseconds. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** What an operator's request came to: the state after it, and what a person should know although it succeeded. */
export interface Done<State> {
  readonly state: State
  /** `''` for nothing. */
  readonly remark: string
}

/** Which events are wanted. */
export interface EventsWanted {
  /** Only events after this number; undefined: the newest ones. */
  readonly after?: number | undefined
  readonly limit?: number | undefined
  readonly storageGroup?: string | undefined
}

/** How long a connection may take on loopback or through a tunnel. */
const CONNECT_TIMEOUT_MS = 5_000
/** The largest answer taken: 1,000 copies of 2 KB, eight times over. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024
/** How long a follower waits before it connects again; longer than a service needs to restart. */
const FOLLOW_AGAIN_MS = 1_000

/**
 * The client of the management API of one service. Every call ends: in an answer, in the service's own error, or in
 * `NODE_UNREACHABLE`, `WAIT_TIMED_OUT` or `WIRE_PROTOCOL`. `close` when done with it.
 */
export class ApiClient {
  readonly #options: ApiClientOptions
  readonly #origin: string
  readonly #agent: Agent

  /** Errors: `URL_INVALID`. */
  constructor(options: ApiClientOptions) {
    this.#options = options
    this.#origin = originOf(options.server)
    this.#agent = new Agent({
      connect: { timeout: CONNECT_TIMEOUT_MS },
      headersTimeout: options.timeoutMs,
      bodyTimeout: options.timeoutMs,
      maxResponseSize: ANSWER_BYTES_MAX,
    })
  }

  async copies(): Promise<StatusDocument[]> {
    const answer = await this.#call('GET', '/api/v1/copies')
    return listOf(shapeOf(answer, 'the answer', { copies: 'object' })['copies'], 'copies').map(readStatus)
  }

  async copy(storageGroup: string): Promise<StatusDocument> {
    return readStatus(await this.#call('GET', `/api/v1/copies/${encodeURIComponent(storageGroup)}`))
  }

  /** Returns when the suspension is durable and no more I/O touches the copy. `comment` null leaves the one that stands. */
  async suspend(storageGroup: string, comment: string | null): Promise<Done<StatusDocument>> {
    const body = comment === null ? {} : { comment }
    return statusDone(await this.#call('POST', `/api/v1/copies/${encodeURIComponent(storageGroup)}/suspend`, body))
  }

  async resume(storageGroup: string): Promise<Done<StatusDocument>> {
    return statusDone(await this.#call('POST', `/api/v1/copies/${encodeURIComponent(storageGroup)}/resume`, {}))
  }

  async share(storageGroup: string): Promise<ShareDocument> {
    return readShare(await this.#call('GET', `/api/v1/shares/${encodeURIComponent(storageGroup)}`))
  }

  async truncation(storageGroup: string): Promise<TruncationDocument> {
    return readTruncation(await this.#call('GET', `/api/v1/shares/${encodeURIComponent(storageGroup)}/truncation`))
  }

  async markBackup(storageGroup: string, through: number): Promise<Done<TruncationDocument>> {
    const path = `/api/v1/shares/${encodeURIComponent(storageGroup)}/backup-mark`
    const answer = await this.#call('POST', path, { through })
    const { explanation, remark } = shapeOf(answer, 'the answer', { explanation: 'object', remark: 'string' })
    return { state: readTruncation(explanation), remark: String(remark) }
  }

  async disableCopy(storageGroup: string, copyId: string): Promise<Done<ShareDocument>> {
    const path = `/api/v1/shares/${encodeURIComponent(storageGroup)}/disable-copy`
    const answer = await this.#call('POST', path, { copyId })
    const { share, remark } = shapeOf(answer, 'the answer', { share: 'object', remark: 'string' })
    return { state: readShare(share), remark: String(remark) }
  }

  async events(wanted: EventsWanted): Promise<EventDocument[]> {
    const answer = await this.#call('GET', `/api/v1/events${queryOf(wanted)}`)
    return listOf(shapeOf(answer, 'the answer', { events: 'object' })['events'], 'events').map(readEvent)
  }

  /** Events as they are raised, until the signal fires; a connection that is lost is made again where it broke off. */
  async *followEvents(wanted: EventsWanted): AsyncGenerator<EventDocument> {
    let after = wanted.after
    for (;;) {
      try {
        for await (const event of this.#eventStream({ ...wanted, after })) {
          after = event.sequence
          yield event
        }
      } catch (error) {
        if (after === undefined || !(error instanceof ReplicationError) || !error.retriable) throw error
      }
      // Rejects when the signal fires, which ends the following.
      await delay(FOLLOW_AGAIN_MS, undefined, { signal: this.#options.signal })
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  async *#eventStream(wanted: EventsWanted): AsyncGenerator<EventDocument> {
    const headers = {
      accept: 'text/event-stream',
      ...(wanted.after === undefined ? {} : { 'last-event-id': String(wanted.after) }),
    }
    const answer = await this.#send(`/api/v1/events${queryOf(wanted)}`, { method: 'GET', headers, endless: true })
    try {
      for await (const message of readEventStream(answer.body)) yield readEvent(parsed(message.data))
    } catch (error) {
      throw this.#told(error)
    } finally {
      answer.body.destroy()
    }
  }

  async #call(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    const headers = {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    const answer = await this.#send(path, { method, headers, ...sent })
    return parsed(await textOf(answer).catch((error: unknown) => Promise.reject(this.#told(error))))
  }

  /** The answer of a request that succeeded; any other is thrown as the error that its problem document tells. */
  async #send(path: string, call: Call): Promise<Dispatcher.ResponseData> {
    const { endless = false, ...sent } = call
    try {
      const answer = await request(new URL(path, this.#origin), {
        ...sent,
        dispatcher: this.#agent,
        signal: this.#options.signal,
        ...(endless ? { bodyTimeout: 0 } : {}),
      })
      if (answer.statusCode < 300) return answer
      throw refusalOf(answer.statusCode, await textOf(answer), this.#origin)
    } catch (error) {
      throw this.#told(error)
    }
  }

  /** A fault of the connection in our own words. */
  #told(error: unknown): unknown {
    if (error instanceof ReplicationError || this.#options.signal.aborted) return error
    if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError)
      return new ReplicationError({
        code: 'WAIT_TIMED_OUT',
        message: `${this.#origin} did not answer within ${this.#options.timeoutMs} ms`,
        hint: 'What was asked may still be done: look with ccr status. client.timeout in the configuration sets how long to wait.',
        cause: error,
      })
    return unreachable(this.#origin, error)
  }
}

interface Call {
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Whether the body has no end, so that a pause in it is no fault. */
  readonly endless?: boolean
}

function statusDone(answer: unknown): Done<StatusDocument> {
  const { status, remark } = shapeOf(answer, 'the answer', { status: 'object', remark: 'string' })
  return { state: readStatus(status), remark: String(remark) }
}

function queryOf(wanted: EventsWanted): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(wanted)) if (value !== undefined) query.set(name, String(value))
  return query.size === 0 ? '' : `?${query}`
}

async function textOf(answer: Dispatcher.ResponseData): Promise<string> {
  return await answer.body.text()
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null // no object, so the reader of the answer refuses it
  }
}

function refusalOf(status: number, text: string, origin: string): ReplicationError {
  const told = errorOfProblem(parsed(text))
  if (told !== null) return told
  return new ReplicationError({
    code: 'WIRE_PROTOCOL',
    message: `${origin} answered ${status} without a problem document`,
    hint: 'Check with --server that the address is the management address of ccr share or ccr copy.',
  })
}

function unreachable(origin: string, cause: unknown): ReplicationError {
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  return new ReplicationError({
    code: 'NODE_UNREACHABLE',
    message: `no service answers at ${origin} (${reason})`,
    hint: 'Start it with ccr copy or ccr share, or give its management address with --server or CCR_SERVER.',
    cause,
  })
}

function originOf(server: string): string {
  const url = URL.canParse(server) ? new URL(server) : null
  if (url?.protocol === 'http:' && url.pathname === '/' && url.username === '') return url.origin
  throw new ReplicationError({
    code: 'URL_INVALID',
    message: `${JSON.stringify(server)} is no management address`,
    hint: 'Write http://HOST:PORT, for example http://127.0.0.1:7702.',
  })
}
