// A source of one database over a real socket, whose answers a test may change byte by byte before they leave.
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import xxhash from 'xxhash-wasm'
import { withCurrent } from '../../engine/database/backup-slot.ts'
import { type DatabaseHeader, newDatabaseHeader } from '../../engine/database/database-header.ts'
import { NOTHING_REQUIRED } from '../../engine/database/lost-log-resilience.ts'
import { asGeneration } from '../../engine/generation.ts'
import { SeedClient } from '../../transport/seed-client.ts'
import { CHECKSUM_HEADER } from '../../transport/share-paths.ts'
import { asSourceUrl } from '../../transport/source-url.ts'
import { SIGNATURE } from '../engine/database/build.ts'
import { aDatabase, DATABASE_SIGNATURE } from '../engine/database/database-build.ts'

/** A piece that was asked for. */
export interface Asked {
  /** From 1 on. */
  readonly number: number
  readonly position: number
  readonly length: number
}

/** What a source does with its answers. */
export interface SeedWirePlan {
  /** The file at this moment. */
  file: Uint8Array
  /** What is read of it; what stands in the file without it. */
  read?: (asked: Asked, bytes: Uint8Array) => Uint8Array
  /** What leaves of an answer, head and body; null breaks the connection there. */
  send?: (asked: Asked, answer: Buffer) => Buffer | null
  /** Length that is told. */
  total?: (asked: Asked) => number
}

const hasher = xxhash()

/** Answers GET of ranges as the share of a source does. */
export class SeedWire {
  readonly plan: SeedWirePlan
  readonly asked: Asked[] = []
  /** Bytes of bodies that left. */
  sentBytes = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(plan: SeedWirePlan) {
    this.plan = plan
    this.#server = createServer((socket) => this.#serve(socket))
  }

  static async open(plan: SeedWirePlan): Promise<SeedWire> {
    const wire = new SeedWire(plan)
    wire.#server.listen(0, '127.0.0.1')
    await once(wire.#server, 'listening')
    return wire
  }

  client(): SeedClient {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('it listens to no port')
    return new SeedClient(asSourceUrl(`http://127.0.0.1:${address.port}/shares/SG1`), 1, { silentMs: 200 })
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    let text = ''
    let turn: Promise<void> = Promise.resolve()
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end)
        text = text.slice(end + 4)
        turn = turn.then(() => this.#answer(socket, head))
      }
    })
  }

  async #answer(socket: Socket, head: string): Promise<void> {
    const [, from = '0', to = '0'] = /range: bytes=(\d+)-(\d+)/i.exec(head) ?? []
    const asked = { number: this.asked.length + 1, position: Number(from), length: Number(to) - Number(from) + 1 }
    this.asked.push(asked)
    const { file, read, send, total } = this.plan
    const size = total?.(asked) ?? file.length
    const present = file.slice(asked.position, asked.position + asked.length)
    const bytes = read?.(asked, present) ?? present
    const range = `bytes ${from}-${asked.position + bytes.length - 1}/${size}`
    const checksum = (await hasher).h64Raw(bytes).toString(16).padStart(16, '0')
    const lines =
      asked.position >= file.length
        ? ['HTTP/1.1 416 Range Not Satisfiable', `content-range: bytes */${size}`, 'content-length: 0']
        : [
            'HTTP/1.1 206 Partial Content',
            'content-type: application/octet-stream',
            `content-range: ${range}`,
            `content-length: ${bytes.length}`,
            `${CHECKSUM_HEADER}: ${checksum}`,
          ]
    const whole = Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes])
    const leaving = send === undefined ? whole : send(asked, whole)
    this.sentBytes += bytes.length
    if (leaving === null) socket.destroy()
    else socket.write(leaving)
  }
}

/** A database in a session of a seed, whose pages need the logs from `first` on; `age` makes its pages other ones. */
export function seededDatabase(pages: number, { first = 3, last = 4, age = 0, random = 17 } = {}): Uint8Array {
  const header: DatabaseHeader = newDatabaseHeader({ ...DATABASE_SIGNATURE, random }, SIGNATURE)
  return aDatabase(
    Array.from({ length: pages }, (_, index) => index + 65 + age),
    {
      ...header,
      state: 'dirty-shutdown',
      backups: withCurrent(header.backups, 'currentFull', {
        mark: { generation: first, sector: 0, byte: 0 },
        markTime: header.attach.time,
        firstGeneration: first,
      }),
      required: {
        ...NOTHING_REQUIRED,
        minRequired: asGeneration(first),
        maxRequired: asGeneration(last),
        maxCommitted: asGeneration(last),
      },
    },
  )
}
