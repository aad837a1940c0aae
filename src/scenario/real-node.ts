import { join } from 'node:path'
import { ReplicationError } from '../../engine/error.ts'
import type { EventDocument } from '../api-answer.ts'
import { ApiClient } from '../api-client.ts'
import { ApiConnection, type ApiConnectionOptions } from '../api-connection.ts'
import { type ChildService, startChild } from '../up/child-service.ts'

/** What a node is started with. */
export interface RealNodeParts {
  /** `active`, `copy1`, … */
  readonly name: string
  /** Its configuration file. */
  readonly config: string
  /** Directory of the whole scenario. */
  readonly data: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
}

/** The one storage group of a scenario. */
export const STORAGE_GROUP = 'SG1'
/** As long as an answer may take, in milliseconds: a truncation of thousands of logs, a start that recovers. */
const ANSWER_MS_MAX = 60_000
/** Events that are fetched at once. */
const EVENTS_MAX = 1000

/** One node of a scenario: a process, and the clients of its management API while it runs. */
export class RealNode {
  readonly name: string
  readonly #parts: RealNodeParts
  #child: ChildService | null = null
  #client: ApiClient | null = null
  #connection: ApiConnection | null = null
  #lastEvent = 0

  constructor(parts: RealNodeParts) {
    this.name = parts.name
    this.#parts = parts
  }

  /** Where its closed logs lie. */
  get logs(): string {
    return join(this.#parts.data, this.name, STORAGE_GROUP, 'logs')
  }

  /** Starts the process, and answers the port at which its logs are shared; null where it shares none. Errors: those of its start. */
  async start(): Promise<number | null> {
    if (this.#child !== null) return null
    await Promise.all([this.#client?.close(), this.#connection?.close()])
    const { name, config, data, env, signal } = this.#parts
    const line = ['node', '--config', config, '--name', name]
    const child = await startChild({ line, logPath: join(data, `${name}.log`), env })
    const options: ApiConnectionOptions = { server: child.started.managementUrl, timeoutMs: ANSWER_MS_MAX, signal }
    this.#child = child
    // One that ends by itself is down as well.
    void child.ended.then(() => {
      if (this.#child === child) this.#child = null
    })
    this.#client = new ApiClient(options)
    this.#connection = new ApiConnection(options)
    const share = child.started.shares[0]
    return share === undefined ? null : Number(new URL(share.url).port)
  }

  /** Ends the process, at once or in order. */
  async end(how: 'crash' | 'stop'): Promise<void> {
    const child = this.#child
    if (child === null) return
    this.#child = null
    await Promise.all([this.#client?.close(), this.#connection?.close()])
    await (how === 'crash' ? child.kill() : child.stop())
  }

  /** Its client. Errors: `NODE_UNREACHABLE` while it is down. */
  get client(): ApiClient {
    if (this.#child !== null && this.#client !== null) return this.#client
    throw this.#down()
  }

  /** For what the client has no words for. Errors: `NODE_UNREACHABLE` while it is down. */
  get connection(): ApiConnection {
    if (this.#child !== null && this.#connection !== null) return this.#connection
    throw this.#down()
  }

  /** The events that were raised since the last call; none while it is down. */
  async newEvents(): Promise<readonly EventDocument[]> {
    const all: EventDocument[] = []
    while (this.#child !== null) {
      const events = await this.client.events({ after: this.#lastEvent, limit: EVENTS_MAX })
      this.#lastEvent = events.at(-1)?.sequence ?? this.#lastEvent
      all.push(...events)
      if (events.length < EVENTS_MAX) break
    }
    return all
  }

  #down(): ReplicationError {
    return new ReplicationError({
      code: 'NODE_UNREACHABLE',
      message: `${this.name} is down`,
      hint: `Start it with a step start: ${this.name}.`,
    })
  }
}
