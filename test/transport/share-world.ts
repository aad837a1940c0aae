import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { ReplicationError } from '../../engine/error.ts'
import type { Announcement } from '../../engine/fact.ts'
import { asGeneration } from '../../engine/generation.ts'
import {
  createLogShareApp,
  type LogShareAppOptions,
  type ServedLogs,
  type ServedShare,
} from '../../transport/log-share-app.ts'
import type { ServedLog } from '../../transport/log-transfer.ts'
import { type BoundAddress, listenOnLoopback } from '../../transport/loopback.ts'
import type { SeededDatabase } from '../../transport/seed-source.ts'
import { asSourceUrl, type SourceUrl } from '../../transport/source-url.ts'

/** An announcement of logs 1 to `last`. */
function announcementThrough(last: number): Announcement {
  return {
    lowest: asGeneration(last === 0 ? 0 : 1),
    closedThrough: asGeneration(last),
    generated: asGeneration(last),
    missing: asGeneration(0),
    truncatedBelow: asGeneration(0),
    stream: 0,
    logTimeMs: 1_181_839_321_000,
  }
}

/** The bytes of log `generation`: different for each, the same every time. */
export function logBytes(generation: number, sizeBytes: number): Uint8Array {
  const block = createHash('sha512').update(`log ${generation}`).digest()
  const bytes = new Uint8Array(sizeBytes)
  for (let at = 0; at < sizeBytes; at += 1) bytes[at] = (block[at % block.length] ?? 0) ^ (at >> 6)
  return bytes
}

/** A source in memory: one share, SG1, with logs of one size. Counts what is done to it. */
export class ShareWorld implements ServedLogs {
  readonly opened: number[] = []
  closedLogs = 0
  readonly served: { readonly generation: number; readonly bytes: number }[] = []
  readonly faults: unknown[] = []
  readonly upgrades: { readonly request: IncomingMessage; readonly socket: Duplex; readonly head: Buffer }[] = []
  readonly sizeBytes: number
  /** Where reads of a log end, for a file that was shortened; its stated size stays. */
  readableBytes: number
  announcementNumber = 1_000
  /** Pieces of the database that were not given back. */
  lent = 0
  #share: ServedShare | null
  #waiting = new Set<() => void>()

  constructor(options: { readonly last?: number; readonly sizeBytes?: number } = {}) {
    this.sizeBytes = options.sizeBytes ?? 4_096
    this.readableBytes = this.sizeBytes
    this.#share = this.#shareThrough(options.last ?? 5)
  }

  /** Everything that a request could have changed. */
  get digest(): string {
    return JSON.stringify([this.opened, this.served, this.faults.map(String), this.upgrades.length, this.#share])
  }

  /** Polls and streams that wait for an announcement. */
  get waiting(): number {
    return this.#waiting.size
  }

  announce(last: number): void {
    this.announcementNumber += 1
    this.#share = this.#shareThrough(last)
    this.#tellAll()
  }

  removeShare(): void {
    this.#share = null
    this.#tellAll()
  }

  names(): readonly string[] {
    return this.#share === null ? [] : ['SG1']
  }

  describe(share: string): ServedShare | null {
    return share === 'SG1' ? this.#share : null
  }

  whenAnnounced(share: string, afterNumber: number, signal: AbortSignal): Promise<void> {
    if (this.describe(share)?.announcementNumber !== afterNumber || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const told = () => {
        this.#waiting.delete(told)
        resolve()
      }
      this.#waiting.add(told)
      signal.addEventListener('abort', told, { once: true })
    })
  }

  async openLog(share: string, generation: number): Promise<ServedLog> {
    this.opened.push(generation)
    if (generation === 4)
      throw new ReplicationError({ code: 'LOG_MISSING', message: `log 4 of ${share} is gone`, hint: 'Put it back.' })
    const bytes = logBytes(generation, this.sizeBytes)
    return {
      name: `E00${String(generation).padStart(8, '0')}.log`,
      sizeBytes: this.sizeBytes,
      logTimeMs: 1_181_839_321_000,
      checksumHex: createHash('sha256').update(bytes).digest('hex').slice(0, 16),
      read: async (buffer, position) => {
        const piece = bytes.subarray(position, Math.min(this.readableBytes, position + buffer.length))
        buffer.set(piece)
        return piece.length
      },
      close: () => {
        this.closedLogs += 1
      },
    }
  }

  seededDatabase(share: string, session: number): SeededDatabase {
    if (session !== 1)
      throw new ReplicationError({
        code: 'STATE_REFUSED',
        message: `no seed ${session} of ${share}`,
        hint: 'Begin it.',
      })
    return {
      sizeBytes: async () => this.sizeBytes,
      read: async (position, length) => {
        const bytes = logBytes(0, this.sizeBytes).subarray(position, position + length)
        this.lent += 1
        return { bytes, release: () => (this.lent -= 1) }
      },
    }
  }

  #shareThrough(last: number): ServedShare {
    const { announcementNumber } = this
    const announcement = announcementThrough(last)
    return { format: { kind: 'ese', baseName: 'E00' }, store: 'external', announcement, announcementNumber }
  }

  #tellAll(): void {
    for (const told of [...this.#waiting]) told()
  }
}

/** A listening log share over a world in memory. */
export interface RunningShare {
  readonly world: ShareWorld
  readonly app: FastifyInstance
  readonly at: BoundAddress
  readonly source: SourceUrl
}

/** Starts a log share on a free port. The caller closes `app`. */
export async function startShare(world: ShareWorld, options: Partial<LogShareAppOptions> = {}): Promise<RunningShare> {
  const app = createLogShareApp(world, {
    onUpgrade: (request, socket, head) => {
      world.upgrades.push({ request, socket, head })
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ccr-log-stream/1\r\n\r\n')
    },
    onBackup: () => Promise.resolve({ session: 1 }),
    onServed: (_share, generation, bytes) => world.served.push({ generation, bytes }),
    onSeeded: (_share, bytes) => world.served.push({ generation: 0, bytes }),
    onFault: (fault) => world.faults.push(fault),
    ...options,
  })
  const at = await listenOnLoopback(app, { host: '127.0.0.1', port: 0 })
  return { world, app, at, source: asSourceUrl(`${at.origin}/shares/SG1`) }
}
