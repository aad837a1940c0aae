import type { ReplicationError } from '../engine/error.ts'
import type { Announcement, CopyReport, Fault } from '../engine/fact.ts'
import type { Generation, GenerationRange } from '../engine/generation.ts'
import { CONNECTION_TIMEOUTS, type ConnectionTimeouts, type LogStreamConnection } from './log-stream-connection.ts'
import { wireFault } from './wire.ts'
import type { CopyFrame, LogHead, ShareOffer, SourceFrame } from './wire-frame.ts'

/** How one copy introduces itself to its source. */
export interface Introduction {
  readonly share: string
  readonly copyId: string
  readonly label: string
}

/** What one subscription tells. The methods that end in a log may throw `WIRE_PROTOCOL`, which closes the connection. */
export interface SubscriptionPorts {
  /** The source took the copy in; logs may be asked for. False turns the offer down: asked again as after a refusal. */
  readonly subscribed: (offer: ShareOffer) => boolean
  /** The connection is gone: nothing that was asked for comes any more. Also told when it could not be made. */
  readonly lost: (fault: Fault, retryInMs: number) => void
  /** The source said no; asked again after a while. */
  readonly refused: (fault: Fault) => void
  readonly announced: (announcement: Announcement) => void
  readonly logBegun: (head: LogHead) => void
  readonly openPiece: (length: number) => Uint8Array
  readonly closePiece: (length: number) => void
  readonly logEnded: (checksum: bigint) => void
  readonly logUnavailable: (log: { session: number; generation: Generation; fault: Fault }) => void
  /** After `cancel` or `end`: nothing of before comes any more, and no room is granted. */
  readonly cancelled: () => void
  /** Whether the source owes a log: asked for, with room granted. */
  readonly expectsLogs: () => boolean
}

/** Logs to be sent, ascending, at most `REQUESTED_LOGS_MAX` of them. */
export interface LogRequest {
  readonly session: number
  readonly range: GenerationRange
}

/** One copy's part of a connection. Calls without a connection have no effect: `lost` was told, `subscribed` will be. */
export interface Subscription {
  /** Asks for logs and grants room for pieces, in one message. Either may be nothing. */
  ask(requests: readonly LogRequest[], pieces: number): void
  cancel(): void
  /** The latest report is kept and sent again after each reconnection. */
  report(report: CopyReport): void
  /**
   * Ends the subscription. What was granted may still come: `openPiece` and `closePiece` are called until the last call of all,
   * `cancelled`.
   */
  end(): void
}

/** The times of a connection, and those of what is asked over it, in milliseconds. */
export interface ClientTimeouts extends ConnectionTimeouts {
  readonly subscribedMs: number
  /** A source confirms a cancellation within this. */
  readonly cancelledMs: number
  /** A refused copy asks again after this. */
  readonly refusedMs: number
}

/** Times for real sources. */
export const CLIENT_TIMEOUTS: ClientTimeouts = {
  ...CONNECTION_TIMEOUTS,
  subscribedMs: 10_000, // an enrolment waits for one sync of the source's journal
  cancelledMs: 10_000, // it is behind the pieces that are on their way: some MiB
  refusedMs: 30_000, // an operator has to act; Exchange's own restart interval
}

/** What a member needs of the client that it belongs to. */
export interface MemberOwner {
  readonly timeouts: ClientTimeouts
  readonly send: LogStreamConnection['send']
  /** The number is free again. */
  readonly ended: (number: number) => void
  /** The source does not keep to the protocol: the connection has to go. */
  readonly giveUp: (fault: ReplicationError) => void
}

type SubscriptionFrame = Extract<SourceFrame, { readonly subscription: number }>

/** One subscription of a client, through all its connections. */
export class Member implements Subscription {
  readonly number: number
  readonly ports: SubscriptionPorts
  readonly #introduction: Introduction
  readonly #owner: MemberOwner
  #phase: 'idle' | 'asking' | 'subscribed' | 'refused' | 'ending' = 'idle'
  #timer: NodeJS.Timeout | null = null
  #report: CopyReport | null = null

  constructor(number: number, introduction: Introduction, ports: SubscriptionPorts, owner: MemberOwner) {
    this.number = number
    this.#introduction = introduction
    this.ports = ports
    this.#owner = owner
  }

  /** Subscribes over the connection that has just been opened. */
  begin(): void {
    this.#phase = 'asking'
    this.#owner.send({ kind: 'subscribe', subscription: this.number, ...this.#introduction })
    const { subscribedMs } = this.#owner.timeouts
    const what = `no answer to the subscription of ${this.#introduction.share} in ${subscribedMs} ms`
    this.#wait(subscribedMs, () => this.#owner.giveUp(wireFault(what, 'TRANSFER_TIMEOUT')))
  }

  /** The connection is gone, and with it everything that was asked for. */
  connectionLost(fault: Fault, retryInMs: number): void {
    this.#wait(0, null)
    if (this.#phase === 'ending') this.#ended()
    else {
      this.#phase = 'idle'
      this.ports.lost(fault, retryInMs)
    }
  }

  ask(requests: readonly LogRequest[], pieces: number): void {
    const subscription = this.number
    if (this.#phase !== 'subscribed' || requests.length + pieces === 0) return
    const frames: CopyFrame[] = requests.map((request) => ({ kind: 'request', subscription, ...request }))
    if (pieces > 0) frames.push({ kind: 'grant', subscription, pieces })
    this.#owner.send(...frames)
  }

  cancel(): void {
    if (this.#phase !== 'subscribed') return
    this.#owner.send({ kind: 'cancel', subscription: this.number })
    this.#awaitCancelled()
  }

  report(report: CopyReport): void {
    this.#report = report
    if (this.#phase === 'subscribed') this.#owner.send({ kind: 'report', subscription: this.number, report })
  }

  end(): void {
    if (this.#phase === 'ending') return
    this.#wait(0, null)
    const connected = this.#phase === 'subscribed' || this.#phase === 'asking'
    this.#phase = 'ending'
    if (connected) {
      this.#owner.send({ kind: 'unsubscribe', subscription: this.number })
      this.#awaitCancelled()
    } else this.#ended()
  }

  /** A frame for this subscription. Errors: `WIRE_PROTOCOL`. */
  take(frame: SubscriptionFrame): void {
    if (frame.kind === 'cancelled') this.#cancelled()
    else if (this.#phase === 'ending') return
    else if (frame.kind === 'subscribed') this.#subscribed(frame.offer)
    else if (frame.kind === 'refused') this.#refused(frame.fault)
    else if (this.#phase !== 'subscribed') throw wireFault(`a frame ${frame.kind} without a subscription`)
    else if (frame.kind === 'announce') this.ports.announced(frame.announcement)
    else if (frame.kind === 'log-head') this.ports.logBegun(frame.head)
    else if (frame.kind === 'log-tail') this.ports.logEnded(frame.checksum)
    else this.ports.logUnavailable(frame)
  }

  #subscribed(offer: ShareOffer): void {
    if (this.#phase !== 'asking') throw wireFault('subscribed without having been asked')
    this.#phase = 'subscribed'
    this.#wait(0, null)
    if (!this.ports.subscribed(offer)) {
      this.#owner.send({ kind: 'unsubscribe', subscription: this.number })
      this.#askLater()
    } else if (this.#report !== null) this.report(this.#report)
  }

  #refused(fault: Fault): void {
    this.#askLater()
    this.ports.refused(fault)
  }

  #askLater(): void {
    this.#phase = 'refused'
    this.#wait(this.#owner.timeouts.refusedMs, () => this.begin())
  }

  /** Until the source confirms, it may send what was granted: slots are held for that, and not for ever. */
  #awaitCancelled(): void {
    const { cancelledMs } = this.#owner.timeouts
    const what = `no confirmation of the end of ${this.#introduction.share} in ${cancelledMs} ms`
    this.#wait(cancelledMs, () => this.#owner.giveUp(wireFault(what, 'TRANSFER_TIMEOUT')))
  }

  #cancelled(): void {
    if (this.#phase === 'ending') this.#ended()
    // After an offer that was turned down the confirmation is of no interest, and the timer another one.
    if (this.#phase !== 'subscribed') return
    this.#wait(0, null)
    this.ports.cancelled()
  }

  #ended(): void {
    this.#wait(0, null)
    this.#owner.ended(this.number)
    this.ports.cancelled()
  }

  #wait(ms: number, then: (() => void) | null): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = then === null ? null : setTimeout(then, ms)
  }
}
