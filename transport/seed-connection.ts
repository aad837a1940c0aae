import { connect, type Socket } from 'node:net'
import { ReplicationError } from '../engine/error.ts'
import { type Asked, faultOfExchange, refusedAnswer, timedOut, wrongAnswer } from './client-fault.ts'
import { authorityOf } from './loopback.ts'
import type { SourceUrl } from './source-url.ts'

/** A stretch of a database, and where it goes. */
export interface SeedStretch {
  readonly position: number
  readonly length: number
  /** At least as long. Not to be touched before the answer. */
  readonly into: Uint8Array
}

/** What came of a stretch. */
export interface FetchedStretch {
  /** Fewer than asked where the file ends. */
  readonly bytes: number
  /** How long the file was then. */
  readonly fileBytes: number
}

/** How long a source is waited for, in milliseconds. */
export interface SeedTimeouts {
  readonly connectMs: number
  /** Without a byte although something was asked for. */
  readonly silentMs: number
}

/** As for the logs: three retransmitted SYNs, and the idle limit of the source itself. */
export const SEED_TIMEOUTS: SeedTimeouts = { connectMs: 5_000, silentMs: 10_000 }

/** Bytes of an answer's head: ours take 700. */
const HEAD_BYTES_MAX = 16_384
/** Bytes of a problem document: ours take 500. */
const PROBLEM_BYTES_MAX = 65_536
const HEAD_END = '\r\n\r\n'

interface Pending {
  readonly stretch: SeedStretch
  readonly asked: Asked
  readonly resolve: (fetched: FetchedStretch) => void
  readonly reject: (error: unknown) => void
}

/** The head of the answer whose body comes. */
interface Body {
  readonly status: number
  readonly length: number
  readonly fileBytes: number
  /** Where it goes. */
  readonly into: Uint8Array
  received: number
}

/**
 * One connection over which pieces of a database are asked for, the next ones before the first has come. The bytes of a piece land where they
 * are wanted: the socket's own buffer is never used, which would be a fresh one for every 64 KiB.
 */
export class SeedConnection {
  readonly #source: SourceUrl
  readonly #path: string
  readonly #timeouts: SeedTimeouts
  readonly #socket: Socket
  readonly #pending: Pending[] = []
  readonly #head = new Uint8Array(HEAD_BYTES_MAX)
  #headBytes = 0
  #body: Body | null = null
  #isConnected = false
  #fault: unknown = null
  #timer: NodeJS.Timeout

  /** @param path of the database at the source */
  constructor(source: SourceUrl, path: string, timeouts: SeedTimeouts) {
    this.#source = source
    this.#path = path
    this.#timeouts = timeouts
    this.#timer = setTimeout(() => this.#silent(), timeouts.connectMs)
    this.#socket = connect({
      host: source.host,
      port: source.port,
      noDelay: true,
      onread: { buffer: () => this.#place(), callback: (count) => this.#received(count) },
    })
    this.#socket.on('connect', () => {
      this.#isConnected = true
      this.#rest()
    })
    this.#socket.on('error', (error) => this.#end(error))
    this.#socket.on('close', () =>
      this.#end(Object.assign(new Error('the connection is gone'), { code: 'ECONNRESET' })),
    )
  }

  /** Whether nothing can be asked any more. */
  get hasEnded(): boolean {
    return this.#fault !== null
  }

  /** Stretches that were asked for and have not come. */
  get waiting(): number {
    return this.#pending.length
  }

  /** Asks for a stretch. Errors: those that the source answers, `NODE_UNREACHABLE`, `TRANSFER_TIMEOUT`, `WIRE_PROTOCOL`. */
  read(stretch: SeedStretch): Promise<FetchedStretch> {
    const { position, length } = stretch
    const last = position + length - 1
    const asked = {
      what: `bytes ${position} to ${last} of the database of ${this.#source.share}`,
      origin: this.#source.origin,
    }
    if (this.#fault !== null) return Promise.reject(faultOfExchange(this.#fault, asked))
    return new Promise((resolve, reject) => {
      this.#pending.push({ stretch, asked, resolve, reject })
      const { host, port } = this.#source
      const head = `GET ${this.#path} HTTP/1.1\r\nHost: ${authorityOf({ host, port })}\r\nRange: bytes=${position}-${last}\r\n\r\n`
      this.#socket.write(head, 'latin1')
      if (this.#pending.length === 1) this.#rest()
    })
  }

  /** Ends it: everything that waits is told this. */
  close(why: unknown): void {
    this.#end(why)
  }

  /** Where the next bytes go: into the piece, and nothing of the next head with them. */
  #place(): Uint8Array {
    const body = this.#body
    return body === null ? this.#head.subarray(this.#headBytes) : body.into.subarray(body.received, body.length)
  }

  /** Answers whether to go on reading. */
  #received(count: number): boolean {
    this.#rest()
    try {
      if (this.#body === null) this.#takeHead(count)
      else this.#takeBody(this.#body, count)
      return this.#fault === null
    } catch (error) {
      this.#end(error)
      return false
    }
  }

  #takeHead(count: number): void {
    this.#headBytes += count
    // What stands behind a head may be its whole body, and further heads.
    for (;;) {
      const present = this.#head.subarray(0, this.#headBytes)
      const end = Buffer.from(present.buffer, present.byteOffset, present.length).indexOf(HEAD_END)
      const asked = this.#pending[0]?.asked ?? { what: 'nothing', origin: this.#source.origin }
      if (end < 0) {
        if (this.#headBytes === HEAD_BYTES_MAX) throw wrongAnswer(asked, 'its head has no end')
        return
      }
      const text = Buffer.from(present.buffer, present.byteOffset, end).toString('latin1')
      const body = this.#bodyOf(text, asked)
      const rest = present.subarray(end + HEAD_END.length)
      const taken = Math.min(rest.length, body.length)
      body.into.set(rest.subarray(0, taken))
      body.received = taken
      this.#head.copyWithin(0, end + HEAD_END.length + taken, this.#headBytes)
      this.#headBytes = rest.length - taken
      if (taken < body.length) {
        this.#body = body
        return
      }
      this.#ended(body)
    }
  }

  #takeBody(body: Body, count: number): void {
    body.received += count
    if (body.received < body.length) return
    this.#body = null
    this.#ended(body)
  }

  #bodyOf(text: string, asked: Asked): Body {
    const pending = this.#pending[0]
    if (pending === undefined) throw wrongAnswer(asked, 'nobody asked for it')
    const [first = '', ...lines] = text.split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first)?.[1] ?? Number.NaN)
    const headers = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    )
    const length = wholeIn(headers.get('content-length'))
    if (Number.isNaN(status) || length === null || headers.has('transfer-encoding'))
      throw wrongAnswer(asked, 'its head has no status or no length')
    const fileBytes = wholeIn(/\/(\d{1,15})$/.exec(headers.get('content-range') ?? '')?.[1])
    if (status !== 206) {
      if (length > PROBLEM_BYTES_MAX) throw wrongAnswer(asked, `status ${status}, and ${length} bytes`)
      return { status, length, fileBytes: fileBytes ?? 0, into: new Uint8Array(length), received: 0 }
    }
    const { stretch } = pending
    const expected = fileBytes === null ? null : Math.max(0, Math.min(stretch.length, fileBytes - stretch.position))
    if (fileBytes === null || length !== expected)
      throw wrongAnswer(asked, `${length} bytes of a database of ${fileBytes}`)
    return { status, length, fileBytes, into: stretch.into, received: 0 }
  }

  #ended({ status, length, fileBytes, into }: Body): void {
    const pending = this.#pending.shift()
    if (pending === undefined) return
    if (status === 206) pending.resolve({ bytes: length, fileBytes })
    else if (status === 416) pending.resolve({ bytes: 0, fileBytes })
    else pending.reject(refusedAnswer(pending.asked, status, new TextDecoder().decode(into)))
    this.#rest()
  }

  /** Something came, or everything that was asked for has: the time begins anew, or stands still. */
  #rest(): void {
    clearTimeout(this.#timer)
    if (this.#fault !== null || !this.#isConnected || this.#pending.length === 0) return
    this.#timer = setTimeout(() => this.#silent(), this.#timeouts.silentMs)
  }

  #silent(): void {
    const asked = this.#pending[0]?.asked ?? { what: 'a connection', origin: this.#source.origin }
    this.#end(this.#isConnected ? timedOut(asked) : Object.assign(new Error('no connection'), { code: 'ETIMEDOUT' }))
  }

  #end(why: unknown): void {
    if (this.#fault !== null) return
    this.#fault = why instanceof ReplicationError || why instanceof Error ? why : new Error(String(why))
    clearTimeout(this.#timer)
    this.#socket.destroy()
    for (const { asked, reject } of this.#pending.splice(0)) reject(faultOfExchange(this.#fault, asked))
  }
}

function wholeIn(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null
}
