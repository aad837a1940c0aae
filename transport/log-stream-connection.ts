import { connect, type Socket } from 'node:net'
import { ReplicationError } from '../engine/error.ts'
import { FrameLanding, type LandingPorts } from './frame-landing.ts'
import { authorityOf } from './loopback.ts'
import { SHARES_PATH } from './share-paths.ts'
import { ANSWER_HEAD_BYTES_MAX, acceptedProtocol, readUpgradeAnswer, upgradeRequest } from './upgrade-answer.ts'
import { LOG_STREAM_PROTOCOLS, wireFault } from './wire.ts'
import { type CopyFrame, encodeFrame } from './wire-frame.ts'

/** How long a copy waits for its source, in milliseconds. */
export interface ConnectionTimeouts {
  readonly connectMs: number
  readonly upgradeMs: number
  /** Nothing received for so long: ask for a sign of life. */
  readonly pingMs: number
  /** Nothing received for so long: the source is dead or cut off. */
  readonly deadMs: number
  /** No byte of any log for so long although logs were asked for and there is room for them. */
  readonly progressMs: number
  /** A piece that began has this long, and the time that its size takes at the least rate. */
  readonly pieceMs: number
  readonly rateBytesPerSecondMin: number
  /** How often the times are looked at: each may fire so much late. */
  readonly checkMs: number
}

/** Times for a source in the same house or beyond a slow line; each with its reason. */
export const CONNECTION_TIMEOUTS: ConnectionTimeouts = {
  connectMs: 5_000, // three retransmissions of a SYN
  upgradeMs: 5_000, // the source answers from memory
  pingMs: 5_000, // three pings fit into the time below
  deadMs: 15_000, // a flap of some seconds is carried by TCP
  progressMs: 10_000, // the source gives up on its own disk after 8 s and says so
  pieceMs: 10_000, // one byte now and then would evade a limit on idleness alone
  rateBytesPerSecondMin: 65_536, // half a megabit: a log of 1 MiB in 16 s
  checkMs: 500,
}

/** What a connection tells its owner. After `closed` nothing comes any more. */
export interface ConnectionPorts extends LandingPorts {
  /** The source switched to frames. */
  readonly opened: () => void
  /** Whether logs were asked for and room for them was granted: then bytes must come. */
  readonly expectsLogs: () => boolean
  /** Told once, whether or not it was ever opened. */
  readonly closed: (fault: ReplicationError) => void
}

/** Where a source listens, and how long to wait for it. */
export interface ConnectionTarget {
  readonly host: string
  readonly port: number
  readonly timeouts: ConnectionTimeouts
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/** Bytes of frames that the source has not taken yet. They are small: more means that it has stopped reading. */
const UNSENT_BYTES_MAX: number = 1024 * 1024

/**
 * One connection to a source, from dialling to its end. The socket's own buffer is never used: `onread` puts the bytes where
 * {@link FrameLanding} says.
 */
export class LogStreamConnection {
  readonly #target: ConnectionTarget
  readonly #ports: ConnectionPorts
  readonly #landing: FrameLanding
  readonly #socket: Socket
  readonly #check: NodeJS.Timeout
  #phase: 'connecting' | 'upgrading' | 'open' | 'closed' = 'connecting'
  #answer = new Uint8Array(ANSWER_HEAD_BYTES_MAX)
  #answerBytes = 0
  #phaseSince: number
  #receivedAt: number
  #pingedAt = 0
  #progressAt = 0
  /** When the piece under way began and how long it is; 0 when there is none. */
  #pieceSince = 0
  #pieceBytes = 0

  constructor(target: ConnectionTarget, ports: ConnectionPorts) {
    this.#target = target
    this.#ports = ports
    this.#phaseSince = this.#receivedAt = target.now()
    this.#landing = new FrameLanding({
      ...ports,
      openPiece: (subscription, length) => this.#openPiece(subscription, length),
      closePiece: (subscription, length) => this.#closePiece(subscription, length),
    })
    this.#socket = connect({
      host: target.host,
      port: target.port,
      noDelay: true,
      onread: { buffer: () => this.#place(), callback: (count) => this.#received(count) },
    })
    this.#socket.on('connect', () => this.#requestUpgrade())
    this.#socket.on('error', (cause) => this.#end(unreachable(target, cause)))
    this.#socket.on('end', () => this.#end(unreachable(target, 'the source closed the connection')))
    this.#socket.on('close', () => this.#end(unreachable(target, 'the connection is gone')))
    this.#check = setInterval(() => this.#checkTimes(), target.timeouts.checkMs)
  }

  /** Sends frames together. Without effect before `opened` and after the end. */
  send(...frames: readonly CopyFrame[]): void {
    if (this.#phase !== 'open') return
    const bytes = frames.map(encodeFrame)
    if (this.#socket.writableLength > UNSENT_BYTES_MAX) this.#end(timeout('the source takes no frames any more'))
    else this.#socket.write(bytes.length === 1 ? (bytes[0] ?? '') : Buffer.concat(bytes))
  }

  /** Closes at once; tells `closed` with the fault given. */
  close(fault: ReplicationError): void {
    this.#end(fault)
  }

  #requestUpgrade(): void {
    const { host, port, now } = this.#target
    this.#phase = 'upgrading'
    this.#phaseSince = this.#receivedAt = now()
    const authority = authorityOf({ host, port })
    this.#socket.write(upgradeRequest(SHARES_PATH, authority, LOG_STREAM_PROTOCOLS))
  }

  #place(): Uint8Array {
    return this.#phase === 'open' ? this.#landing.place() : this.#answer.subarray(this.#answerBytes)
  }

  /** Answers whether to go on reading. */
  #received(count: number): boolean {
    if (this.#phase === 'closed') return false
    this.#receivedAt = this.#target.now()
    try {
      if (this.#phase !== 'open') this.#readAnswer(count)
      else {
        if (this.#landing.insidePiece) this.#progressAt = this.#receivedAt
        this.#landing.landed(count)
      }
      return true
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error
      this.#end(error)
      return false
    }
  }

  #readAnswer(count: number): void {
    this.#answerBytes += count
    const answer = readUpgradeAnswer(this.#answer.subarray(0, this.#answerBytes))
    if (answer === null) return
    acceptedProtocol(answer, LOG_STREAM_PROTOCOLS)
    this.#phase = 'open'
    this.#progressAt = this.#receivedAt
    this.#ports.opened()
    this.#landing.feed(answer.rest)
  }

  #openPiece(subscription: number, length: number): Uint8Array {
    const memory = this.#ports.openPiece(subscription, length)
    this.#pieceSince = this.#progressAt = this.#receivedAt
    this.#pieceBytes = length
    return memory
  }

  #closePiece(subscription: number, length: number): void {
    this.#pieceSince = 0
    this.#ports.closePiece(subscription, length)
  }

  #checkTimes(): void {
    const fault = this.#overdue(this.#target.now())
    if (fault !== null) this.#end(timeout(fault))
  }

  #overdue(now: number): string | null {
    const { connectMs, upgradeMs } = this.#target.timeouts
    if (this.#phase === 'connecting')
      return now - this.#phaseSince > connectMs ? `no connection after ${connectMs} ms` : null
    if (this.#phase === 'upgrading')
      return now - this.#phaseSince > upgradeMs ? `no answer to the upgrade after ${upgradeMs} ms` : null
    return this.#overdueLog(now) ?? this.#overdueSign(now)
  }

  #overdueLog(now: number): string | null {
    const { progressMs, pieceMs, rateBytesPerSecondMin } = this.#target.timeouts
    if (!this.#ports.expectsLogs()) this.#progressAt = now
    if (now - this.#progressAt > progressMs) return `no byte of the logs asked for in ${progressMs} ms`
    const pieceLimitMs = pieceMs + (this.#pieceBytes / rateBytesPerSecondMin) * 1000
    if (this.#pieceSince === 0 || now - this.#pieceSince <= pieceLimitMs) return null
    return `a piece of ${this.#pieceBytes} bytes did not end in ${Math.round(pieceLimitMs)} ms`
  }

  #overdueSign(now: number): string | null {
    const { pingMs, deadMs } = this.#target.timeouts
    const silentMs = now - this.#receivedAt
    if (silentMs > deadMs) return `no sign of life in ${deadMs} ms`
    if (silentMs > pingMs && now - this.#pingedAt > pingMs) {
      this.#pingedAt = now
      this.send({ kind: 'ping' })
    }
    return null
  }

  #end(fault: ReplicationError): void {
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    clearInterval(this.#check)
    this.#socket.destroy()
    this.#ports.closed(fault)
  }
}

/** A source that cannot be reached, or not any more. */
function unreachable(target: ConnectionTarget, cause: unknown): ReplicationError {
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  return new ReplicationError({
    code: 'NODE_UNREACHABLE',
    message: `source ${target.host}:${target.port}: ${reason}`,
    hint: 'Check that "ccr share" runs there and that the URL is right; the copy tries again by itself.',
    cause,
  })
}

function timeout(what: string): ReplicationError {
  return wireFault(what, 'TRANSFER_TIMEOUT')
}
