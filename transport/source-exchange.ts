import { Agent, type Dispatcher, request } from 'undici'
import { type Asked, faultOfExchange, parsedJson, refusedAnswer, timedOut, wrongAnswer } from './client-fault.ts'

/** Limits of a client. Times in milliseconds. */
export interface ClientLimits {
  /** Until a connection stands. */
  readonly connectMs: number
  /** Until the whole head of an answer has come, counted from when the connection stands. */
  readonly headersMs: number
  /** Without a byte in the middle of a body. */
  readonly bodyIdleMs: number
  /** Granted to a whole body, however short. */
  readonly bodyBaseMs: number
  /** Bytes per second that a long body must come at: idle limits alone are evaded by one byte now and then. */
  readonly bodyRateMin: number
  /** Bytes of a log. */
  readonly logBytesMax: number
}

/** Limits for the links that we know: 50 ms of delay, half a megabit of rate. */
const CLIENT_LIMITS: ClientLimits = {
  connectMs: 5_000, // three retransmitted SYNs
  headersMs: 10_000, // the source hashes a log once before it answers for it
  bodyIdleMs: 10_000, // as long as the source's own idle limit
  bodyBaseMs: 30_000,
  bodyRateMin: 65_536,
  logBytesMax: 1024 ** 3, // PostgreSQL's largest segment
}

/** Bytes of an answer's head: ours take 700. */
const HEAD_BYTES_MAX = 16_384
/** Bytes of a JSON answer or a problem document: a share takes 400. */
const DOCUMENT_BYTES_MAX = 65_536
/** Connections to one source at a time. Plain HTTP is the small way; copies multiplex one upgraded connection. */
const CONNECTIONS_MAX = 8
/** Shorter than the 5 s after which a source closes an idle connection, so that a request seldom meets the closing. */
const KEEP_ALIVE_MS = 3_000

/** One request to a source. Paths hold no secrets; there is nothing else to send. */
export interface SourceCall {
  /** Names the thing in messages at the moment of the fault (a body that is half there says so). */
  readonly asked: () => Asked
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Makes it a POST with this document. */
  readonly body?: object
  /** The head may take this much longer: a long poll waits by agreement. */
  readonly waitMs?: number
  readonly signal: AbortSignal
}

/** The head and body of an answer, and the deadline that it is read under. */
export interface SourceAnswer {
  readonly status: number
  readonly headers: Dispatcher.ResponseData['headers']
  readonly body: AsyncIterable<Uint8Array>
  readonly deadline: Deadline
}

/**
 * Plain GET to sources, and the few POSTs that they take, strict about what comes back: no redirects, no encodings, no answer without an end in time. Every
 * call ends, with what `read` returns or with `NODE_UNREACHABLE`, `TRANSFER_TIMEOUT`, `WIRE_PROTOCOL` or what `read` throws;
 * an aborted one with the signal's reason.
 */
export class SourceExchange {
  readonly #agent: Agent
  readonly limits: ClientLimits

  constructor(limits: Partial<ClientLimits> = {}) {
    this.limits = { ...CLIENT_LIMITS, ...limits }
    this.#agent = new Agent({
      connect: { timeout: this.limits.connectMs },
      connections: CONNECTIONS_MAX,
      pipelining: 1,
      bodyTimeout: this.limits.bodyIdleMs,
      maxHeaderSize: HEAD_BYTES_MAX,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
    })
  }

  /** Asks, and hands the answer to `read` while its deadline runs. */
  async ask<T>(call: SourceCall, read: (answer: SourceAnswer) => Promise<T>): Promise<T> {
    const { connectMs, headersMs } = this.limits
    const deadline = new Deadline(connectMs + headersMs + (call.waitMs ?? 0))
    try {
      return await this.#answered(call, deadline, read)
    } catch (error) {
      if (call.signal.aborted) throw call.signal.reason
      if (deadline.passed) throw timedOut(call.asked(), error)
      throw faultOfExchange(error, call.asked())
    } finally {
      deadline.end()
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  async #answered<T>(call: SourceCall, deadline: Deadline, read: (answer: SourceAnswer) => Promise<T>): Promise<T> {
    const { statusCode, headers, body } = await request(`${call.asked().origin}${call.path}`, {
      dispatcher: this.#agent,
      method: call.body === undefined ? 'GET' : 'POST',
      headers: { 'accept-encoding': 'identity', ...jsonHeaders(call.body), ...call.headers },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      headersTimeout: this.limits.headersMs + (call.waitMs ?? 0),
      signal: AbortSignal.any([call.signal, deadline.signal]),
    })
    // A body that is dropped half read reports an abort that nobody waits for.
    body.on('error', () => undefined)
    try {
      const encoding = headers['content-encoding']
      if (encoding !== undefined && encoding !== 'identity') throw wrongAnswer(call.asked(), `encoded as ${encoding}`)
      return await read({ status: statusCode, headers, body, deadline })
    } finally {
      body.destroy()
    }
  }
}

function jsonHeaders(body: object | undefined): Record<string, string> {
  return body === undefined ? {} : { 'content-type': 'application/json' }
}

/** Reads an answer that must be a JSON document with status 200. */
export async function readJson(answer: SourceAnswer, asked: Asked): Promise<unknown> {
  const text = await documentText(answer, asked)
  if (answer.status !== 200) throw refusedAnswer(asked, answer.status, text)
  const document = parsedJson(text)
  if (document === undefined) throw wrongAnswer(asked, 'not JSON')
  return document
}

/** The text of a small answer. Errors: `WIRE_PROTOCOL` for one that goes on and on. */
export async function documentText(answer: SourceAnswer, asked: Asked): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of answer.body) {
    bytes += piece.length
    if (bytes > DOCUMENT_BYTES_MAX) throw wrongAnswer(asked, `more than ${DOCUMENT_BYTES_MAX} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

/** A time limit that can be set anew when the next phase begins. */
export class Deadline {
  readonly #controller = new AbortController()
  #timer: NodeJS.Timeout

  constructor(ms: number) {
    this.#timer = this.#started(ms)
  }

  /** Aborted when the time is over. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get passed(): boolean {
    return this.#controller.signal.aborted
  }

  /** The next phase may take this long from now on. */
  restart(ms: number): void {
    clearTimeout(this.#timer)
    if (!this.passed) this.#timer = this.#started(ms)
  }

  end(): void {
    clearTimeout(this.#timer)
  }

  #started(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#controller.abort(), ms)
  }
}
