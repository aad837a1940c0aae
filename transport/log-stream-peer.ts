import type { Duplex } from 'node:stream'
import { ReplicationError } from '../engine/error.ts'
import type { Announcement, CopyReport, Fault } from '../engine/fact.ts'
import type { Generation } from '../engine/generation.ts'
import { FrameReader } from './frame-reader.ts'
import { LogSender, type OutgoingPiece, type StreamedLog } from './log-sender.ts'
import type { PiecePlace, PlaceHolder, PlaceQueue } from './place-queue.ts'
import { FRAME_HEADER_BYTES, wireFault, writeFrameHeader } from './wire.ts'
import { type CopyFrame, encodeFrame, type ShareOffer, type SourceFrame } from './wire-frame.ts'

/** What one copy has subscribed to. */
export interface PeerSubscription {
  readonly number: number
  readonly share: string
  readonly copyId: string
  readonly label: string
}

/** What a peer tells the server that it belongs to. */
export interface PeerPorts {
  /** A copy wants to subscribe: {@link LogStreamPeer.accept} or {@link LogStreamPeer.refuse} answers it. */
  readonly subscribing: (subscription: PeerSubscription) => void
  readonly reported: (subscription: PeerSubscription, report: CopyReport) => void
  /** The subscription is over, by the copy's own will or with the connection. */
  readonly left: (subscription: PeerSubscription) => void
  readonly unreadable: (subscription: PeerSubscription, generation: Generation, fault: Fault) => void
  readonly served: (subscription: PeerSubscription, bytes: number) => void
  readonly openLog: (subscription: PeerSubscription, generation: Generation) => Promise<StreamedLog>
  readonly closed: (fault: ReplicationError) => void
}

/** Limits of one connection at the source. Times in milliseconds. */
export interface PeerLimits {
  readonly subscriptionsMax: number
  /** Pieces read and not yet taken by the socket. */
  readonly piecesMax: number
  readonly pingMs: number
  readonly deadMs: number
  /** A piece that the peer does not take in this time: it does not read. */
  readonly stalledMs: number
  /** How long the disk may take for one piece. */
  readonly readMs: number
  readonly checkMs: number
}

/** Limits with their reasons. */
export const PEER_LIMITS: PeerLimits = {
  subscriptionsMax: 4_096, // a thousand storage groups of one source, and room to grow
  piecesMax: 3, // one in the socket, one behind it, one being read
  pingMs: 5_000, // three pings fit into the time below
  deadMs: 15_000, // a flap of some seconds is carried by TCP
  stalledMs: 26_000, // 10 s, and 1 MiB at half a megabit
  readMs: 8_000, // less than the copy's patience, so that it learns which side is slow
  checkMs: 500,
}

/** Control frames that the peer has not taken: beyond the first, announcements wait; beyond the second it is cut off. */
const UNSENT_ANNOUNCEMENTS_BYTES_MAX: number = 64 * 1024
const UNSENT_BYTES_MAX: number = 1024 * 1024

interface Entry {
  readonly subscription: PeerSubscription
  readonly sender: LogSender
  accepted: boolean
}

/** The source's end of one connection. Nothing that the peer does or leaves undone makes it hold more than its limits. */
export class LogStreamPeer implements PlaceHolder {
  held = 0
  closed = false
  readonly heldMax: number
  readonly #socket: Duplex
  readonly #ports: PeerPorts
  readonly #limits: PeerLimits
  readonly #places: PlaceQueue
  readonly #reader = new FrameReader((frame) => this.#take(frame))
  readonly #entries = new Map<number, Entry>()
  /** The latest announcement of each subscription that waits for the peer to read. */
  readonly #waiting = new Map<number, Announcement>()
  /** Places whose bytes the socket has not taken. */
  readonly #unflushed = new Set<PiecePlace>()
  readonly #check: NodeJS.Timeout
  #unsentBytes = 0
  #receivedAt: number
  #pingedAt = 0
  #flushedAt = 0

  constructor(socket: Duplex, setup: { ports: PeerPorts; limits: PeerLimits; places: PlaceQueue }) {
    this.#socket = socket
    this.#ports = setup.ports
    this.#limits = setup.limits
    this.#places = setup.places
    this.heldMax = setup.limits.piecesMax
    this.#receivedAt = performance.now()
    this.#check = setInterval(() => this.#checkTimes(), setup.limits.checkMs)
    socket.on('data', (bytes: Buffer) => this.receive(bytes))
    socket.on('error', (cause) => this.#end(lost(String(cause))))
    socket.on('end', () => this.#end(lost('the copy closed the connection')))
    socket.on('close', () => this.#end(lost('the connection is gone')))
  }

  /** Bytes from the copy; also those that came together with its request for the upgrade. */
  receive(bytes: Uint8Array): void {
    if (this.closed) return
    this.#receivedAt = performance.now()
    try {
      this.#reader.push(bytes)
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error
      this.close(error)
    }
  }

  /** Takes a subscribing copy in. */
  accept(number: number, offer: ShareOffer): void {
    const entry = this.#entries.get(number)
    if (entry === undefined || entry.accepted) return
    entry.accepted = true
    this.#send({ kind: 'subscribed', subscription: number, offer })
  }

  /** Ends a subscription with a reason; the copy asks again later. */
  refuse(number: number, fault: Fault): void {
    this.#entries.get(number)?.sender.cancel()
    this.#entries.delete(number)
    this.#send({ kind: 'refused', subscription: number, fault })
  }

  /** Tells a subscribed copy; of several announcements that the peer is too slow for, it gets the latest. */
  announce(number: number, announcement: Announcement): void {
    const entry = this.#entries.get(number)
    if (entry?.accepted !== true) return
    if (this.#unsentBytes > UNSENT_ANNOUNCEMENTS_BYTES_MAX) this.#waiting.set(number, announcement)
    else this.#send({ kind: 'announce', subscription: number, announcement })
    entry.sender.announced(announcement.closedThrough)
  }

  /** Says why, and closes. Idempotent. */
  close(fault: ReplicationError): void {
    if (this.closed) return
    this.#send({ kind: 'bye', fault: { code: fault.code, message: fault.message } })
    this.#end(fault)
  }

  #take(frame: CopyFrame): void {
    if (frame.kind === 'subscribe') this.#subscribe(frame)
    else if (frame.kind === 'ping') this.#send({ kind: 'pong' })
    else if (frame.kind === 'bye') this.#end(lost(`the copy said goodbye: ${frame.fault.message}`))
    else if (frame.kind !== 'pong') this.#takeForSubscription(frame)
  }

  #takeForSubscription(frame: Exclude<CopyFrame, { kind: 'subscribe' | 'ping' | 'pong' | 'bye' }>): void {
    const entry = this.#entries.get(frame.subscription)
    // The subscription may have been refused while the frame was on its way.
    if (frame.kind === 'unsubscribe' || frame.kind === 'cancel') this.#cancel(frame, entry)
    else if (entry === undefined) return
    else if (!entry.accepted) throw wireFault(`a frame ${frame.kind} before the subscription was answered`)
    else if (frame.kind === 'request') entry.sender.request(frame.session, frame.range)
    else if (frame.kind === 'grant') entry.sender.grant(frame.pieces)
    else this.#ports.reported(entry.subscription, frame.report)
  }

  #subscribe(frame: Extract<CopyFrame, { kind: 'subscribe' }>): void {
    const { subscription: number, share, copyId, label } = frame
    if (this.#entries.has(number)) throw wireFault(`subscription ${number} exists`)
    if (this.#entries.size >= this.#limits.subscriptionsMax)
      throw wireFault(`more than ${this.#limits.subscriptionsMax} subscriptions`)
    const subscription: PeerSubscription = { number, share, copyId, label }
    const sender = this.#senderFor(subscription)
    this.#entries.set(number, { subscription, sender, accepted: false })
    this.#ports.subscribing(subscription)
  }

  #senderFor(subscription: PeerSubscription): LogSender {
    const { number } = subscription
    return new LogSender({
      open: (generation) => this.#ports.openLog(subscription, generation),
      acquire: () => this.#places.acquire(this),
      acquireSpare: () => this.#places.acquireSpare(this),
      release: (place) => this.#places.release(this, place),
      send: (piece) => this.#sendPiece(number, piece),
      served: (bytes) => this.#ports.served(subscription, bytes),
      unavailable: (session, generation, fault) => {
        this.#ports.unreadable(subscription, generation, fault)
        this.#send({ kind: 'log-unavailable', subscription: number, session, generation, fault })
      },
      readMs: this.#limits.readMs,
    })
  }

  #cancel(frame: { kind: 'unsubscribe' | 'cancel'; subscription: number }, entry: Entry | undefined): void {
    entry?.sender.cancel()
    this.#send({ kind: 'cancelled', subscription: frame.subscription })
    if (frame.kind === 'cancel' || entry === undefined) return
    this.#entries.delete(frame.subscription)
    this.#ports.left(entry.subscription)
  }

  #sendPiece(number: number, piece: OutgoingPiece): void {
    const { place, length } = piece
    if (this.closed) {
      if (place !== null) this.#places.release(this, place)
      return
    }
    this.#socket.cork() // head, piece and tail go in one system call
    if (piece.head !== null) this.#send({ kind: 'log-head', subscription: number, head: piece.head })
    if (place !== null) this.#writePlace(number, place, length)
    if (piece.checksum !== null) this.#send({ kind: 'log-tail', subscription: number, checksum: piece.checksum })
    this.#socket.uncork()
  }

  #writePlace(number: number, place: PiecePlace, length: number): void {
    const header = new Uint8Array(FRAME_HEADER_BYTES)
    writeFrameHeader(header, 0, { type: 'log-piece', subscription: number, length })
    if (this.#unflushed.size === 0) this.#flushedAt = performance.now()
    this.#unflushed.add(place)
    this.#socket.write(header)
    // The place is used again only when the kernel has its bytes.
    this.#socket.write(place.bytes.subarray(0, length), () => this.#flushed(place))
  }

  #flushed(place: PiecePlace): void {
    if (!this.#unflushed.delete(place)) return
    this.#flushedAt = performance.now()
    this.#places.release(this, place)
  }

  #send(frame: SourceFrame): void {
    if (this.closed) return
    const bytes = encodeFrame(frame)
    this.#unsentBytes += bytes.length
    this.#socket.write(bytes, () => {
      this.#unsentBytes -= bytes.length
      this.#sendWaiting()
    })
    if (this.#unsentBytes > UNSENT_BYTES_MAX) this.#end(wireFault('the copy takes no frames any more'))
  }

  #sendWaiting(): void {
    for (const [number, announcement] of this.#waiting) {
      if (this.#unsentBytes > UNSENT_ANNOUNCEMENTS_BYTES_MAX) return
      this.#waiting.delete(number)
      this.announce(number, announcement)
    }
  }

  #checkTimes(): void {
    const now = performance.now()
    const { pingMs, deadMs, stalledMs } = this.#limits
    const silentMs = now - this.#receivedAt
    if (this.#unflushed.size > 0 && now - this.#flushedAt > stalledMs)
      this.#end(wireFault(`the copy did not take a piece in ${stalledMs} ms`, 'TRANSFER_TIMEOUT'))
    else if (silentMs > deadMs) this.#end(wireFault(`no sign of life in ${deadMs} ms`, 'TRANSFER_TIMEOUT'))
    else if (silentMs > pingMs && now - this.#pingedAt > pingMs) {
      this.#pingedAt = now
      this.#send({ kind: 'ping' })
    }
  }

  #end(fault: ReplicationError): void {
    if (this.closed) return
    this.closed = true
    clearInterval(this.#check)
    // What was corked or queued goes out as far as the kernel takes it at once; nobody waits for the rest.
    this.#socket.destroy()
    for (const place of this.#unflushed) this.#places.release(this, place)
    this.#unflushed.clear()
    for (const { sender } of this.#entries.values()) sender.cancel()
    this.#places.sweep()
    for (const { subscription } of this.#entries.values()) this.#ports.left(subscription)
    this.#entries.clear()
    this.#ports.closed(fault)
  }
}

function lost(message: string): ReplicationError {
  return new ReplicationError({
    code: 'NODE_UNREACHABLE',
    message: `a copy's connection: ${message}`,
    hint: 'The copy connects again by itself.',
  })
}
