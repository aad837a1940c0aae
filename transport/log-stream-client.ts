import { assert } from '../engine/assert.ts'
import { ReplicationError } from '../engine/error.ts'
import type { Fault } from '../engine/fact.ts'
import { backoffMs, RECONNECT_BACKOFF } from './backoff.ts'
import { LogStreamConnection } from './log-stream-connection.ts'
import {
  CLIENT_TIMEOUTS,
  type ClientTimeouts,
  type Introduction,
  Member,
  type Subscription,
  type SubscriptionPorts,
} from './log-stream-subscription.ts'
import { wireFault } from './wire.ts'
import type { SourceFrame } from './wire-frame.ts'

/** Where and how to dial. */
export interface LogStreamClientOptions {
  readonly host: string
  readonly port: number
  readonly timeouts?: Partial<ClientTimeouts>
  /** Numbers in `[0, 1)` for the jitter of the backoff. */
  readonly random: () => number
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/**
 * The copy's end of the log stream of one source: keeps one connection, makes it again when it is lost, and subscribes anew
 * after that. All copies of shares of that source go over it.
 */
export class LogStreamClient {
  readonly #options: LogStreamClientOptions
  readonly #timeouts: ClientTimeouts
  readonly #members = new Map<number, Member>()
  #connection: LogStreamConnection | null = null
  #open = false
  #openedAt = 0
  #failures = 0
  #redial: NodeJS.Timeout | null = null
  #lastNumber = 0
  #closed = false

  constructor(options: LogStreamClientOptions) {
    this.#options = options
    this.#timeouts = { ...CLIENT_TIMEOUTS, ...options.timeouts }
  }

  /** Adds a copy; the first one makes the client dial. */
  subscribe(introduction: Introduction, ports: SubscriptionPorts): Subscription {
    assert(!this.#closed, 'a closed client takes no copy')
    this.#lastNumber += 1
    const member = new Member(this.#lastNumber, introduction, ports, {
      timeouts: this.#timeouts,
      send: (...frames) => this.#connection?.send(...frames),
      ended: (number) => this.#members.delete(number),
      giveUp: (fault) => this.#connection?.close(fault),
    })
    this.#members.set(member.number, member)
    if (this.#open) member.begin()
    else if (this.#connection === null && this.#redial === null) this.#dial()
    return member
  }

  /** How many copies it serves. */
  get subscriptions(): number {
    return this.#members.size
  }

  /** Ends everything at once. Idempotent. */
  close(): void {
    this.#closed = true
    if (this.#redial !== null) clearTimeout(this.#redial)
    for (const member of [...this.#members.values()]) member.end()
    this.#connection?.send({ kind: 'bye', fault: { code: 'NODE_UNREACHABLE', message: 'the copy was stopped' } })
    this.#connection?.close(wireFault('closed by this side', 'NODE_UNREACHABLE'))
  }

  #dial(): void {
    const { host, port, now } = this.#options
    this.#redial = null
    this.#connection = new LogStreamConnection(
      { host, port, now, timeouts: this.#timeouts },
      {
        opened: () => this.#opened(),
        closed: (fault) => this.#lost(fault),
        expectsLogs: () => this.#expectsLogs(),
        openPiece: (subscription, length) => this.#memberOf(subscription).ports.openPiece(length),
        closePiece: (subscription, length) => this.#memberOf(subscription).ports.closePiece(length),
        frame: (frame) => this.#take(frame),
      },
    )
  }

  #opened(): void {
    this.#open = true
    this.#openedAt = this.#options.now()
    for (const member of this.#members.values()) member.begin()
  }

  #lost(fault: ReplicationError): void {
    // A connection that has served for a while, or brought a log, was a success: what fails after it fails anew.
    if (this.#open && this.#options.now() - this.#openedAt > RECONNECT_BACKOFF.mostMs) this.#failures = 0
    this.#open = false
    this.#connection = null
    this.#failures += 1
    const retryInMs = backoffMs(this.#failures, this.#options.random())
    for (const member of [...this.#members.values()]) member.connectionLost(faultOf(fault), retryInMs)
    if (this.#members.size > 0 && !this.#closed) this.#redial = setTimeout(() => this.#dial(), retryInMs)
  }

  #expectsLogs(): boolean {
    for (const member of this.#members.values()) if (member.ports.expectsLogs()) return true
    return false
  }

  /** A subscription that ended here may still get what was on its way: such frames go to nobody. */
  #take(frame: SourceFrame): void {
    switch (frame.kind) {
      case 'ping':
        this.#connection?.send({ kind: 'pong' })
        return
      case 'pong':
        return
      case 'bye':
        throw new ReplicationError({
          code: frame.fault.code,
          message: `the source said goodbye: ${frame.fault.message}`,
          hint: 'The copy connects again by itself.',
        })
      default:
        if (frame.kind === 'log-tail') this.#failures = 0
        this.#members.get(frame.subscription)?.take(frame)
    }
  }

  #memberOf(subscription: number): Member {
    const member = this.#members.get(subscription)
    if (member === undefined) throw wireFault(`a piece for subscription ${subscription}, which is none`)
    return member
  }
}

/** A fault of this side or the wire, in the words of facts. */
function faultOf(error: ReplicationError): Fault {
  return { code: error.code, message: error.message }
}
