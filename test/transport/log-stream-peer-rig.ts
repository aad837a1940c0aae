import { createServer, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { asGeneration, type Generation } from '../../engine/generation.ts'
import { FrameLanding, LANDING_ROOM_BYTES } from '../../transport/frame-landing.ts'
import type { StreamedLog } from '../../transport/log-sender.ts'
import { LogStreamServer, type ServerPeerLimits } from '../../transport/log-stream-server.ts'
import type { PiecePlace, PiecePlaces } from '../../transport/place-queue.ts'
import { type CopyFrame, encodeFrame, type SourceFrame } from '../../transport/wire-frame.ts'

/** The format and the announcement of every share here. */
const FORMAT = { kind: 'ese', baseName: 'E00' } as const
const MIB = 1_048_576

/** Plain memory in place of a slab. */
class HeapPlaces implements PiecePlaces {
  free: number
  constructor(count: number) {
    this.free = count
  }
  take(): PiecePlace | null {
    if (this.free === 0) return null
    this.free -= 1
    return { bytes: new Uint8Array(MIB + LANDING_ROOM_BYTES) }
  }
  give(): void {
    this.free += 1
  }
}

/** A source without a disk: log g of a share has the size that the test says, and its reads may be held back. */
export class ServerRig {
  readonly places = new HeapPlaces(16)
  readonly lost: string[] = []
  readonly unreadable: string[] = []
  readonly opened: string[] = []
  sizeOf: (share: string, generation: Generation) => number = () => 1000
  /** Awaited before each read. */
  beforeRead: (share: string) => Promise<void> = () => Promise.resolve()
  server: LogStreamServer
  readonly #http: Server
  readonly #peers: RawPeer[] = []

  constructor(limits: Partial<ServerPeerLimits> = {}) {
    this.server = new LogStreamServer({
      shares: { describe: (share) => this.#describe(share), open: (share, g) => this.#open(share, g) },
      places: this.places,
      limits,
      ports: {
        subscribed: (share, copyId) => this.server.acceptCopy(share, copyId),
        reported: () => undefined,
        lost: (share, copyId) => this.lost.push(`${share} ${copyId.slice(0, 2)}`),
        unreadable: (share, generation, fault) => this.unreadable.push(`${share} ${generation} ${fault.code}`),
        served: () => undefined,
      },
    })
    this.#http = createServer()
    this.#http.on('upgrade', (request, socket, head) => this.server.upgrade(request, socket, head))
  }

  listen(): Promise<void> {
    return new Promise((resolve) => {
      this.#http.listen(0, '127.0.0.1', () => resolve())
    })
  }

  /** A connection that has been upgraded. */
  async peer(): Promise<RawPeer> {
    const address = this.#http.address()
    const peer = new RawPeer(typeof address === 'object' && address !== null ? address.port : 0)
    this.#peers.push(peer)
    await peer.upgraded
    return peer
  }

  close(): Promise<void> {
    this.server.close()
    for (const peer of this.#peers) peer.socket.destroy()
    return new Promise((resolve) => {
      this.#http.close(() => resolve())
    })
  }

  #describe(share: string) {
    return share.startsWith('SG') ? { format: FORMAT, store: 'external' as const, announcement: null } : null
  }

  async #open(share: string, generation: Generation): Promise<StreamedLog> {
    this.opened.push(`${share} ${generation}`)
    return {
      name: 'log',
      sizeBytes: this.sizeOf(share, generation),
      logTimeMs: 0,
      read: async (place, _position, length) => {
        await this.beforeRead(share)
        place.bytes.fill(generation, 0, length)
      },
      checksum: () => BigInt(generation),
      close: () => undefined,
    }
  }
}

/** A frame or a piece as a peer got it. */
export type Got = SourceFrame | { readonly kind: 'log-piece'; readonly subscription: number; readonly length: number }

/** A copy's end made by hand. */
export class RawPeer {
  readonly socket: Socket
  readonly got: Got[] = []
  readonly upgraded: Promise<void>
  readonly closed: Promise<void>
  /** Of the answer to the upgrade. */
  status = 0
  #waiting: (() => void)[] = []

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.on('error', () => undefined) // the tests have connections cut
    this.socket.write('GET /shares HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ccr-log-stream/1\r\n\r\n')
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()))
    const landing = new FrameLanding({
      openPiece: (_, length) => new Uint8Array(length + LANDING_ROOM_BYTES),
      closePiece: (subscription, length) => this.#take({ kind: 'log-piece', subscription, length }),
      frame: (frame) => this.#take(frame),
    })
    this.upgraded = new Promise((resolve) => {
      this.socket.once('data', (first) => {
        this.status = Number(first.toString('latin1', 9, 12))
        if (this.status === 101) {
          landing.feed(first.subarray(first.indexOf('\r\n\r\n') + 4))
          this.socket.on('data', (bytes) => landing.feed(bytes))
        } else this.socket.resume()
        resolve()
      })
    })
  }

  send(...frames: CopyFrame[]): void {
    for (const frame of frames) this.socket.write(encodeFrame(frame))
  }

  subscribe(subscription: number, share: string, copyId: string = '0'.repeat(32)): void {
    this.send({ kind: 'subscribe', subscription, share, copyId, label: '' })
  }

  request(subscription: number, first: number, last: number): void {
    const range = { first: asGeneration(first), last: asGeneration(last) }
    this.send({ kind: 'request', subscription, session: 1, range })
  }

  grant(subscription: number, pieces: number): void {
    this.send({ kind: 'grant', subscription, pieces })
  }

  /** Waits until so many frames came that `isThere` holds of. */
  async until(isThere: (got: Got) => boolean, count = 1): Promise<void> {
    while (this.got.filter(isThere).length < count)
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
      })
  }

  #take(got: Got): void {
    if (got.kind === 'ping') this.send({ kind: 'pong' })
    else this.got.push(got)
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
