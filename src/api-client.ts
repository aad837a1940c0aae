import { setTimeout as delay } from 'node:timers/promises'
import { ReplicationError } from '../engine/error.ts'
import {
  type CopyTruncationDocument,
  type EventDocument,
  type JsonObject,
  listOf,
  readCopyTruncation,
  readEvent,
  readShare,
  readStatus,
  readTruncation,
  type ShareDocument,
  type StatusDocument,
  shapeOf,
  type TruncationDocument,
} from './api-answer.ts'
import { ApiConnection, type ApiConnectionOptions, parsedJson } from './api-connection.ts'
import { readEventStream } from './event-stream.ts'

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

/** How long a follower waits before it connects again; longer than a service needs to restart. */
const FOLLOW_AGAIN_MS = 1_000

/**
 * The client of the management API of one service. Every call ends: in an answer, in the service's own error, or in
 * `NODE_UNREACHABLE`, `WAIT_TIMED_OUT` or `WIRE_PROTOCOL`. `close` when done with it.
 */
export class ApiClient {
  readonly #connection: ApiConnection
  readonly #signal: AbortSignal

  /** Errors: `URL_INVALID`. */
  constructor(options: ApiConnectionOptions) {
    this.#connection = new ApiConnection(options)
    this.#signal = options.signal
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

  /** The status of a store as its node tells it: `state`, `openGeneration`, `transactions` and the rest. */
  async store(storageGroup: string): Promise<JsonObject> {
    const answer = await this.#call('GET', `/api/v1/stores/${encodeURIComponent(storageGroup)}`)
    return shapeOf(answer, 'a store', { state: 'string' })
  }

  async share(storageGroup: string): Promise<ShareDocument> {
    return readShare(await this.#call('GET', `/api/v1/shares/${encodeURIComponent(storageGroup)}`))
  }

  async truncation(storageGroup: string): Promise<TruncationDocument> {
    return readTruncation(await this.#call('GET', `/api/v1/shares/${encodeURIComponent(storageGroup)}/truncation`))
  }

  async copyTruncation(storageGroup: string): Promise<CopyTruncationDocument> {
    return readCopyTruncation(await this.#call('GET', `/api/v1/copies/${encodeURIComponent(storageGroup)}/truncation`))
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
      await delay(FOLLOW_AGAIN_MS, undefined, { signal: this.#signal })
    }
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  async *#eventStream(wanted: EventsWanted): AsyncGenerator<EventDocument> {
    const headers = {
      accept: 'text/event-stream',
      ...(wanted.after === undefined ? {} : { 'last-event-id': String(wanted.after) }),
    }
    const pieces = this.#connection.stream(`/api/v1/events${queryOf(wanted)}`, { headers, endless: true })
    for await (const message of readEventStream(pieces)) yield readEvent(parsedJson(message.data))
  }

  #call(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
    return this.#connection.json(method, path, body)
  }
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
