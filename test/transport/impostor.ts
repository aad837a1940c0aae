import { createServer, type Socket } from 'node:net'
import { ReplicationError } from '../../engine/error.ts'
import type { LogSink } from '../../transport/log-fetch.ts'
import type { FetchedLog } from '../../transport/log-head.ts'
import { LogShareClient } from '../../transport/log-share-client.ts'
import type { ClientLimits } from '../../transport/source-exchange.ts'
import { asSourceUrl, type SourceUrl } from '../../transport/source-url.ts'
import { type RunningShare, ShareWorld, startShare } from './share-world.ts'

/** Short enough for a test of time-outs. */
export const SHORT: Partial<ClientLimits> = {
  connectMs: 300,
  headersMs: 150,
  bodyIdleMs: 100,
  bodyBaseMs: 400,
  logBytesMax: 10_000,
}

/** Clients, sources and impostors of one test, closed together after it. */
export class Stage {
  readonly #closers: (() => Promise<unknown>)[] = []

  client(limits: Partial<ClientLimits & { readonly pollWaitMs: number }>): LogShareClient {
    const made = new LogShareClient(limits)
    this.#closers.push(() => made.close())
    return made
  }

  async share(world: ShareWorld = new ShareWorld()): Promise<RunningShare> {
    const running = await startShare(world)
    this.#closers.push(() => running.app.close())
    return running
  }

  /** A server that does `behave` for each piece of a request that comes, on connection 0, 1, …; says where it listens. */
  async impostor(behave: (socket: Socket, request: string, connection: number) => void): Promise<SourceUrl> {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      const connection = sockets.size
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('data', (bytes) => behave(socket, bytes.toString(), connection))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    this.#closers.push(async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    })
    const address = server.address()
    return asSourceUrl(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/shares/SG1`)
  }

  async close(): Promise<void> {
    await Promise.all(this.#closers.splice(0).map((close) => close()))
  }
}

/** Collects what a fetch delivers. */
export class Collected implements LogSink {
  readonly begun: FetchedLog[] = []
  bytes = Buffer.alloc(0)
  readonly positions: number[] = []

  begin(log: FetchedLog): void {
    this.begun.push(log)
  }

  write(piece: Uint8Array, position: number): void {
    this.positions.push(position)
    this.bytes = Buffer.concat([this.bytes, piece])
  }
}

/** The error of ours that a promise rejects with; anything else fails the test. */
export async function failure(work: Promise<unknown>): Promise<ReplicationError> {
  const error = await work.then(
    (value) => new Error(`succeeded with ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  )
  if (error instanceof ReplicationError) return error
  throw error
}

/** The head of a log of 8 bytes, as it is agreed. */
export const HEAD = {
  'content-length': '8',
  'x-ccr-checksum': '0123456789abcdef',
  'x-ccr-log-name': 'E0000000001.log',
  'x-ccr-log-time': '2007-06-14T16:42:01.000Z',
  etag: '"0123456789abcdef-8"',
}

/** An answer as bytes; a header with null is left out. */
export function answer(status: string, headers: Readonly<Record<string, string | null>>, body = ''): string {
  const lines = Object.entries(headers).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]))
  return [`HTTP/1.1 ${status}`, ...lines, '', body].join('\r\n')
}
