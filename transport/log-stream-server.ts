import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Announcement, CopyReport, Fault } from '../engine/fact.ts'
import type { Generation } from '../engine/generation.ts'
import type { StreamedLog } from './log-sender.ts'
import {
  LogStreamPeer,
  PEER_LIMITS,
  type PeerLimits,
  type PeerPorts,
  type PeerSubscription,
} from './log-stream-peer.ts'
import { type PiecePlaces, PlaceQueue } from './place-queue.ts'
import { endWithProblem, problemOf, requestInvalid } from './problem.ts'
import { chooseLogStreamProtocol, wireFault } from './wire.ts'
import type { ShareOffer } from './wire-frame.ts'

/** What the source serves over the log stream. */
export interface StreamedShares {
  /** Null for a share that is not there. The announcement is null until the directory was read. */
  describe(share: string): ShareOffer | null
  /** Opens a closed log. Errors: `LOG_MISSING`, `FILE_NOT_REGULAR`, `READ_FAILED`, `FILE_HELD`, `LOG_CHANGED`. */
  open(share: string, generation: Generation): Promise<StreamedLog>
}

/** Whom the server tells what its copies do. A copy is told as lost only after it was told as subscribed. */
export interface LogStreamServerPorts {
  /** {@link LogStreamServer.acceptCopy} or {@link LogStreamServer.refuseCopy} answers it. */
  readonly subscribed: (share: string, copyId: string, label: string) => void
  readonly reported: (share: string, copyId: string, report: CopyReport) => void
  readonly lost: (share: string, copyId: string) => void
  readonly unreadable: (share: string, generation: Generation, fault: Fault) => void
  readonly served: (share: string, bytes: number) => void
}

/** What a server is built from. */
export interface LogStreamServerOptions {
  readonly shares: StreamedShares
  readonly places: PiecePlaces
  readonly ports: LogStreamServerPorts
  readonly limits?: Partial<ServerPeerLimits>
}

/** The limits of all connections together, and those of each. */
export interface ServerPeerLimits extends PeerLimits {
  readonly connectionsMax: number
}

/** Upgraded connections: one for each holding process, and one more while it replaces a dead one. */
const CONNECTIONS_MAX = 64

/** A copy that is subscribed, or waits for its enrolment. */
interface Holder {
  readonly peer: LogStreamPeer
  readonly subscription: PeerSubscription
}

/**
 * The source's end of all log streams: who is subscribed to what. A copy (share and copyId) is subscribed at most once; when it
 * comes again, by a new connection after a dead one, the newest counts.
 */
export class LogStreamServer {
  readonly #shares: StreamedShares
  readonly #ports: LogStreamServerPorts
  readonly #limits: ServerPeerLimits
  readonly #places: PlaceQueue
  readonly #peers = new Set<LogStreamPeer>()
  /** Holders by share, then by copyId. */
  readonly #holders = new Map<string, Map<string, Holder>>()

  constructor(options: LogStreamServerOptions) {
    this.#shares = options.shares
    this.#ports = options.ports
    this.#limits = { ...PEER_LIMITS, connectionsMax: CONNECTIONS_MAX, ...options.limits }
    this.#places = new PlaceQueue(options.places)
  }

  /** Connections at the moment. */
  get connections(): number {
    return this.#peers.size
  }

  /** Takes over a connection that asked for the upgrade; everything but the protocol has been checked. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const protocol = chooseLogStreamProtocol(request.headers.upgrade)
    if (protocol === null) turnAway(socket, 426, 'no such protocol')
    else if (this.#peers.size >= this.#limits.connectionsMax) turnAway(socket, 503, 'too many log streams')
    else {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`)
      const peer = this.#addPeer(socket)
      if (head.length > 0) peer.receive(head)
    }
  }

  /** The copy is enrolled: its subscription is answered, and logs are served to it. */
  acceptCopy(share: string, copyId: string): void {
    const holder = this.#holders.get(share)?.get(copyId)
    const described = this.#shares.describe(share)
    if (holder === undefined || described === null) return
    holder.peer.accept(holder.subscription.number, described)
  }

  /** The copy may not subscribe, or not any more. */
  refuseCopy(share: string, copyId: string, fault: Fault): void {
    const holder = this.#holders.get(share)?.get(copyId)
    if (holder === undefined) return
    this.#forget(share, copyId)
    holder.peer.refuse(holder.subscription.number, fault)
  }

  /** Tells all copies of a share. */
  announce(share: string, announcement: Announcement): void {
    for (const { peer, subscription } of this.#holders.get(share)?.values() ?? [])
      peer.announce(subscription.number, announcement)
  }

  /** Refuses all copies of a share that is served no more. */
  closeShare(share: string): void {
    for (const copyId of [...(this.#holders.get(share)?.keys() ?? [])])
      this.refuseCopy(share, copyId, { code: 'SHARE_UNKNOWN', message: `${share} is not shared any more` })
  }

  /** Says goodbye to all peers. Idempotent. */
  close(): void {
    for (const peer of [...this.#peers]) peer.close(wireFault('the source stops', 'NODE_UNREACHABLE'))
  }

  #addPeer(socket: Duplex): LogStreamPeer {
    const ports: PeerPorts = {
      subscribing: (subscription) => this.#subscribing(peer, subscription),
      reported: ({ share, copyId }, report) => this.#ports.reported(share, copyId, report),
      left: (subscription) => this.#left(peer, subscription),
      unreadable: ({ share }, generation, fault) => this.#ports.unreadable(share, generation, fault),
      served: ({ share }, bytes) => this.#ports.served(share, bytes),
      openLog: ({ share }, generation) => this.#shares.open(share, generation),
      closed: () => {
        this.#peers.delete(peer)
      },
    }
    const peer: LogStreamPeer = new LogStreamPeer(socket, { ports, limits: this.#limits, places: this.#places })
    this.#peers.add(peer)
    return peer
  }

  #subscribing(peer: LogStreamPeer, subscription: PeerSubscription): void {
    const { share, copyId, label, number } = subscription
    if (this.#shares.describe(share) === null) {
      peer.refuse(number, { code: 'SHARE_UNKNOWN', message: `no share named ${JSON.stringify(share)}` })
      return
    }
    const before = this.#holders.get(share)?.get(copyId)
    before?.peer.refuse(before.subscription.number, {
      code: 'STATE_REFUSED',
      message: 'the same copy has subscribed again',
    })
    const copies = this.#holders.get(share) ?? new Map<string, Holder>()
    copies.set(copyId, { peer, subscription })
    this.#holders.set(share, copies)
    this.#ports.subscribed(share, copyId, label)
  }

  #left(peer: LogStreamPeer, { share, copyId, number }: PeerSubscription): void {
    const holder = this.#holders.get(share)?.get(copyId)
    if (holder?.peer !== peer || holder.subscription.number !== number) return // another connection has it now
    this.#forget(share, copyId)
    this.#ports.lost(share, copyId)
  }

  #forget(share: string, copyId: string): void {
    const copies = this.#holders.get(share)
    copies?.delete(copyId)
    if (copies?.size === 0) this.#holders.delete(share)
  }
}

function turnAway(socket: Duplex, status: number, message: string): void {
  endWithProblem(
    socket,
    problemOf(requestInvalid(message, 'Run the same version on both sides, or try later.'), status),
  )
}
