import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** What the relay does with the bytes of one connection from the source to the copy. */
type Fault = { readonly kind: 'break' | 'stall'; readonly afterBytes: number }

/** Sits between a copy and its source, and breaks one connection after another as it is told. */
export class Relay {
  /** Connections that were broken so far. */
  broken = 0
  /** Connections that fell silent so far. */
  stalled = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Only the next connection that gets so far suffers: one that replaces it is served. */
  #fault: Fault | null = null

  private constructor(sourcePort: number) {
    this.#server = createServer((down) => this.#join(down, connect(sourcePort, '127.0.0.1')))
  }

  /** Starts a relay to a port of 127.0.0.1. */
  static async to(sourcePort: number): Promise<Relay> {
    const relay = new Relay(sourcePort)
    relay.#server.listen(0, '127.0.0.1')
    await once(relay.#server, 'listening')
    return relay
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the relay does not listen')
    return address.port
  }

  /** Ends the next connection abruptly once the source has sent so many bytes on it. */
  breakAfter(afterBytes: number): void {
    this.#fault = { kind: 'break', afterBytes }
  }

  /** Lets nothing more through on the next connection once the source has sent so many bytes, and leaves it open. */
  stallAfter(afterBytes: number): void {
    this.#fault = { kind: 'stall', afterBytes }
  }

  /** No faults on connections to come. */
  behave(): void {
    this.#fault = null
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(down: Socket, up: Socket): void {
    for (const socket of [down, up]) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
    }
    down.once('close', () => up.destroy())
    up.once('close', () => down.destroy())
    down.pipe(up)
    let sentBytes = 0
    let silent = false
    up.on('data', (bytes: Buffer) => {
      if (silent) return
      const fault = this.#fault
      sentBytes += bytes.length
      if (fault === null || sentBytes < fault.afterBytes) {
        if (!down.write(bytes)) {
          up.pause()
          down.once('drain', () => up.resume())
        }
        return
      }
      this.#fault = null
      down.write(bytes.subarray(0, bytes.length - (sentBytes - fault.afterBytes)))
      silent = true
      this.#apply(fault.kind, down)
    })
  }

  #apply(kind: Fault['kind'], down: Socket): void {
    if (kind === 'stall') this.stalled += 1
    else {
      this.broken += 1
      down.destroySoon()
    }
  }
}
