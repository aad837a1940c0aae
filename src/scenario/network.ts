import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { LOG_BYTES_2007 } from '../../engine/database/prepared-log.ts'

/** Bytes after which the content of a log is certain to be on its way: everything else that the source says is shorter. */
const WITHIN_A_LOG_BYTES = 64 * 1024
/** A source that is being started again is tried as often, in milliseconds, before the connection ends. */
const CONNECT_MS = 50
const CONNECTS_MAX = 3

/** The network between the active and one copy: a relay on loopback that can be cut, and that damages what it is told to. */
export class Network {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #sourcePort = 0
  #isCut = false
  /** Transfers that still have to be damaged. */
  #damages = 0

  private constructor() {
    this.#server = createServer((down) => void this.#join(down))
  }

  /** Begins to listen at a free port of 127.0.0.1. */
  static async open(): Promise<Network> {
    const network = new Network()
    network.#server.listen({ host: '127.0.0.1', port: 0 })
    await once(network.#server, 'listening')
    return network
  }

  /** `HOST:PORT` that the copy connects to, as long as the network is there. */
  get address(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('a network that is open has a port')
    return `127.0.0.1:${address.port}`
  }

  /** Where the source listens from now on; 0 for nowhere. */
  leadTo(port: number): void {
    this.#sourcePort = port
  }

  /** Ends every connection, and takes no new one until {@link heal}. */
  cut(): void {
    this.#isCut = true
    this.#breakAll()
  }

  heal(): void {
    this.#isCut = false
  }

  /** Turns a bit of each of the next logs that come from the source. */
  damageNext(transfers: number): void {
    this.#damages = transfers
  }

  async close(): Promise<void> {
    this.#breakAll()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  #breakAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async #join(down: Socket): Promise<void> {
    this.#take(down)
    const up = this.#isCut ? null : await this.#connect()
    if (up === null || this.#isCut || down.destroyed) {
      down.destroy()
      up?.destroy()
      return
    }
    down.once('close', () => up.destroy())
    up.once('close', () => down.destroy())
    down.pipe(up)
    this.#passOn(up, down)
  }

  #take(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  async #connect(): Promise<Socket | null> {
    for (let tries = 0; tries < CONNECTS_MAX; tries++) {
      const up = connect(this.#sourcePort, '127.0.0.1')
      this.#take(up)
      // A cut destroys it without an error.
      const isOpen = await new Promise<boolean>((resolve) => {
        up.once('connect', () => resolve(true))
        up.once('close', () => resolve(false))
      })
      if (isOpen) return up
      await delay(CONNECT_MS)
    }
    return null
  }

  #passOn(up: Socket, down: Socket): void {
    let sinceArmed = 0
    up.on('data', (bytes: Buffer) => {
      if (this.#damages === 0) sinceArmed = 0
      else {
        sinceArmed += bytes.length
        if (sinceArmed >= WITHIN_A_LOG_BYTES) {
          const middle = bytes.length >> 1
          bytes[middle] = (bytes[middle] ?? 0) ^ 1
          this.#damages--
          // The same place of the next log: a second bit in this one would be no second damage.
          sinceArmed = WITHIN_A_LOG_BYTES - LOG_BYTES_2007
        }
      }
      if (down.write(bytes)) return
      up.pause()
      down.once('drain', () => up.resume())
    })
  }
}
