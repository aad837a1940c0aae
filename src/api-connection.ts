import { Agent, type Dispatcher, errors, request } from 'undici'
import { ReplicationError } from '../engine/error.ts'
import { errorOfProblem } from '../transport/problem.ts'

/** How to reach a management API. */
export interface ApiConnectionOptions {
  /** `http://HOST:PORT` of the management listener. */
  readonly server: string
  /** How long to wait for the head, and again for the body, of an answer, in milliseconds. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** How long a connection may take on loopback or through a tunnel. */
const CONNECT_TIMEOUT_MS = 5_000
/** The largest answer taken: 1,000 copies of 2 KB, eight times over. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024

/** How long a last word may take, in milliseconds: whoever says it wants to end. */
const LAST_WORD_MS_MAX = 2_000

/**
 * Connections to one management API, kept for the next request. Every call ends: in an answer, in the service's own error, or in
 * `NODE_UNREACHABLE`, `WAIT_TIMED_OUT` or `WIRE_PROTOCOL`. `close` when done with it.
 */
export class ApiConnection {
  readonly origin: string
  readonly #options: ApiConnectionOptions
  readonly #agent: Agent
  /** For answers that are read piece by piece, and may be of any length. */
  readonly #streamAgent: Agent

  /** Errors: `URL_INVALID`. */
  constructor(options: ApiConnectionOptions) {
    this.#options = options
    this.origin = originOf(options.server)
    const limits = {
      connect: { timeout: CONNECT_TIMEOUT_MS },
      headersTimeout: options.timeoutMs,
      bodyTimeout: options.timeoutMs,
    }
    this.#agent = new Agent({ ...limits, maxResponseSize: ANSWER_BYTES_MAX })
    this.#streamAgent = new Agent(limits)
  }

  /** What a request answers, as JSON; null where it is none. */
  async json(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    const headers = {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    const answer = await this.#send(path, { method, headers, ...sent })
    return parsedJson(await answer.body.text().catch((error: unknown) => Promise.reject(this.#told(error))))
  }

  /** Posts a last word when the connection's own signal has fired; a node that does not hear it is gone. */
  async lastWord(path: string): Promise<void> {
    await fetch(`${this.origin}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
      signal: AbortSignal.timeout(LAST_WORD_MS_MAX),
    }).catch(() => undefined)
  }

  /** The bytes that a path answers, or null where it is refused with this code. */
  async bytesUnless(code: string, path: string): Promise<Uint8Array | null> {
    try {
      const answer = await this.#send(path, { method: 'GET', headers: { accept: 'application/octet-stream' } })
      return await answer.body.bytes().catch((error: unknown) => Promise.reject(this.#told(error)))
    } catch (error) {
      if (error instanceof ReplicationError && error.code === code) return null
      throw error
    }
  }

  /** The pieces of an answer as they come; a pause in them is no fault where it is endless. */
  async *stream(
    path: string,
    { headers, endless }: { readonly headers: Readonly<Record<string, string>>; readonly endless: boolean },
  ): AsyncGenerator<Uint8Array> {
    const dispatcher = this.#streamAgent
    const answer = await this.#send(path, {
      method: 'GET',
      headers,
      dispatcher,
      ...(endless ? { bodyTimeout: 0 } : {}),
    })
    try {
      for await (const piece of answer.body) yield piece
    } catch (error) {
      throw this.#told(error)
    } finally {
      answer.body.destroy()
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#agent.destroy(), this.#streamAgent.destroy()])
  }

  /** The answer of a request that succeeded; any other is thrown as the error that its problem document tells. */
  async #send(path: string, call: Call): Promise<Dispatcher.ResponseData> {
    try {
      const answer = await request(new URL(path, this.origin), {
        dispatcher: this.#agent,
        ...call,
        signal: this.#options.signal,
      })
      if (answer.statusCode < 300) return answer
      throw refusalOf(answer.statusCode, await answer.body.text(), this.origin)
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
        message: `${this.origin} did not answer within ${this.#options.timeoutMs} ms`,
        hint: 'What was asked may still be done: look with ccr status. client.timeout in the configuration sets how long to wait.',
        cause: error,
      })
    return unreachable(this.origin, error)
  }
}

interface Call {
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly dispatcher?: Agent
  /** In milliseconds; 0 where a pause in the body is no fault. */
  readonly bodyTimeout?: number
}

/** What a text is as JSON; null, which no reader of answers takes, where it is none. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function refusalOf(status: number, text: string, origin: string): ReplicationError {
  const told = errorOfProblem(parsedJson(text))
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
