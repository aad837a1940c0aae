import { connect, createServer, type Server, type Socket } from 'node:net'
import { FrameReader } from '../../transport/frame-reader.ts'
import { FRAME_HEADER_BYTES, writeFrameHeader } from '../../transport/wire.ts'
import { type CopyFrame, encodeFrame, type SourceFrame } from '../../transport/wire-frame.ts'

/** A listener of a test: closes with everything that is connected to it. */
export class FakeListener {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(onConnection: (socket: Socket) => void) {
    this.#server = createServer((socket) => {
      this.keep(socket)
      onConnection(socket)
    })
  }

  /** Counts a socket among those that close with the listener. */
  keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => undefined) // the tests cut connections on purpose
  }

  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () => {
        const address = this.#server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
    })
  }
}

/** What a proxy does with bytes on their way from source to copy: answers what goes on, or null to cut both connections. */
export type Tamper = (bytes: Buffer, offset: number) => Buffer | null

/** A TCP proxy before a source. `tamper` may be exchanged at any time. */
export class TamperingProxy {
  tamper: Tamper = (bytes) => bytes
  connections = 0
  readonly #listener: FakeListener

  constructor(sourcePort: number) {
    this.#listener = new FakeListener((copySide) => {
      this.connections += 1
      const sourceSide = connect(sourcePort, '127.0.0.1')
      this.#listener.keep(sourceSide)
      let offset = 0
      copySide.pipe(sourceSide)
      sourceSide.on('data', (bytes) => {
        const passed = this.tamper(bytes, offset)
        offset += bytes.length
        if (passed === null) copySide.destroy()
        else copySide.write(passed)
      })
      copySide.on('close', () => sourceSide.destroy())
      sourceSide.on('close', () => copySide.destroy())
    })
  }

  listen(): Promise<number> {
    return this.#listener.listen()
  }

  close(): Promise<void> {
    return this.#listener.close()
  }
}

/** The socket of a copy, as a fake source sees it. */
export interface FakePeer {
  readonly socket: Socket
  send(frame: SourceFrame): void
  /** The header of a piece, and as many of its bytes as are given. */
  sendPiece(subscription: number, length: number, bytes: Uint8Array): void
}

/** A source made by hand: it upgrades every connection, then `onFrame` decides. */
export function fakeSource(onFrame: (frame: CopyFrame, peer: FakePeer) => void): FakeListener {
  return new FakeListener((socket) => {
    const peer: FakePeer = {
      socket,
      send: (frame) => void socket.write(encodeFrame(frame)),
      sendPiece: (subscription, length, bytes) => {
        const header = new Uint8Array(FRAME_HEADER_BYTES)
        writeFrameHeader(header, 0, { type: 'log-piece', subscription, length })
        socket.write(header)
        socket.write(bytes)
      },
    }
    const reader = new FrameReader((frame) => onFrame(frame, peer))
    let upgraded = false
    socket.on('data', (bytes) => {
      if (upgraded) return reader.push(bytes)
      upgraded = true
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ccr-log-stream/1\r\n\r\n')
      return undefined
    })
  })
}
