import { randomInt } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, readFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { LOG_HEADER_BYTES, type LogHeader, readLogHeader } from '../engine/database/log-header.ts'
import { beginStream, type LogStream, nextInStream } from '../engine/database/log-stream.ts'
import { logTimeAt } from '../engine/database/log-time.ts'
import { composeLog } from '../engine/database/log-writer.ts'
import { LOG_BYTES_2007 } from '../engine/database/prepared-log.ts'
import { ReplicationError } from '../engine/error.ts'
import type { Generation } from '../engine/generation.ts'
import { eseLogName, logNameParser } from '../engine/log-format.ts'

/** How a stream of logs is written. */
export interface LogWriterOptions {
  /** Made when it does not exist. A stream that lies there is continued. */
  readonly directory: string
  /** Three letters or digits, as `E00`. */
  readonly baseName: string
  /** Decides the content of every log, and the signature of a new stream; null takes a random one. */
  readonly seed: number | null
  readonly nowMs: () => number
}

/** A log that was closed by the rename to its final name. */
export interface ClosedLogFile {
  readonly generation: Generation
  readonly name: string
  /** When the rename was done, on the clock of `performance.now`. */
  readonly closedAtMs: number
}

/** The range of a 32-bit seed or signature. */
const SEED_RANGE = 2 ** 32

/** Opens a directory for writing logs. Errors: `READ_FAILED`, `WRITE_FAILED`, `LOG_REJECTED`, `LOG_FORMAT_INVALID`. */
export async function openLogWriter(options: LogWriterOptions): Promise<LogWriter> {
  // Refuses a base name that is none before anything is written.
  logNameParser({ kind: 'ese', baseName: options.baseName })
  await mkdir(options.directory, { recursive: true })
  const seed = options.seed ?? randomInt(SEED_RANGE)
  const stream = await streamIn(options, seed)
  const writer = new LogWriter(options, seed, stream)
  await writer.openFirst()
  return writer
}

/**
 * Writes a valid ESE log stream as a store does: `E00.log` is open and being written; when it is full it is closed by the
 * rename to its final name, and the prepared `E00tmp.log` becomes `E00.log`. Logs are not synced: this is a source of load.
 * One writer for each directory and base name; `close` leaves a valid open log behind, from which the next writer goes on.
 */
export class LogWriter {
  readonly #options: LogWriterOptions
  readonly #seed: number
  readonly #target = new Uint8Array(LOG_BYTES_2007)
  #stream: LogStream
  #current: FileHandle | null = null

  constructor(options: LogWriterOptions, seed: number, stream: LogStream) {
    this.#options = options
    this.#seed = seed
    this.#stream = stream
  }

  /** The generation of the open log. */
  get generation(): Generation {
    return this.#stream.generation
  }

  /** Makes the first open log. Called once, by who made the writer. */
  async openFirst(): Promise<void> {
    await this.#prepare()
    await rename(this.#path('tmp.log'), this.#path('.log'))
  }

  /** Fills the open log, closes it by rename and opens the next one. Errors: `WRITE_FAILED`, `FILE_HELD`. */
  async roll(): Promise<ClosedLogFile> {
    const { generation } = this.#stream
    const name = eseLogName(this.#options.baseName, generation)
    await this.#fill()
    this.#stream = nextInStream(this.#stream, logTimeAt(this.#options.nowMs()))
    const closed = this.#current
    await this.#refuseSecondWriter(closed)
    await this.#prepare()
    await closed?.close()
    await rename(this.#path('.log'), join(this.#options.directory, name))
    const closedAtMs = performance.now()
    await rename(this.#path('tmp.log'), this.#path('.log'))
    return { generation, name, closedAtMs }
  }

  /** Ends the open log so that it is valid, and leaves it open for the next writer, as a clean dismount does. */
  async close(): Promise<void> {
    if (this.#current === null) return
    await this.#fill()
    await this.#current.close()
    this.#current = null
  }

  /** Makes the next open log under its temporary name: whole length, the header written, the body to come. */
  async #prepare(): Promise<void> {
    composeLog({ ...this.#stream, seed: (this.#seed ^ this.#stream.generation) >>> 0, target: this.#target })
    const file = await open(this.#path('tmp.log'), 'w').catch((cause: unknown) => Promise.reject(this.#failed(cause)))
    this.#current = file
    await file.truncate(LOG_BYTES_2007)
    await this.#write(file, { lo: 0, hi: LOG_HEADER_BYTES })
  }

  async #fill(): Promise<void> {
    if (this.#current !== null) await this.#write(this.#current, { lo: LOG_HEADER_BYTES, hi: LOG_BYTES_2007 })
  }

  async #write(file: FileHandle, bytes: { readonly lo: number; readonly hi: number }): Promise<void> {
    let at = bytes.lo
    while (at < bytes.hi) {
      const { bytesWritten } = await file
        .write(this.#target, at, bytes.hi - at, at)
        .catch((cause: unknown) => Promise.reject(this.#failed(cause)))
      at += bytesWritten
    }
  }

  /** Two writers in one directory would give two logs one name; the second one's open log is not the first one's. */
  async #refuseSecondWriter(current: FileHandle | null): Promise<void> {
    const named = await stat(this.#path('.log')).catch(() => null)
    const held = await current?.stat()
    if (named !== null && held !== undefined && named.ino === held.ino) return
    throw new ReplicationError({
      code: 'FILE_HELD',
      message: `${this.#path('.log')} was replaced while it was written`,
      hint: 'Another program writes logs of this base name here. Use one writer for each directory, or another --base-name.',
      fields: { path: this.#path('.log') },
    })
  }

  #path(ending: '.log' | 'tmp.log'): string {
    return join(this.#options.directory, `${this.#options.baseName}${ending}`)
  }

  #failed(cause: unknown): ReplicationError {
    const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    return new ReplicationError({
      code: errno === 'ENOSPC' || errno === 'EDQUOT' ? 'DISK_FULL' : 'WRITE_FAILED',
      message: `log ${this.#stream.generation} cannot be written to ${this.#options.directory}: ${errno}`,
      hint: 'Check free space and rights of the directory, then start again: the stream is continued.',
      fields: { path: this.#options.directory, errno },
      cause,
    })
  }
}

/** Where the stream in a directory goes on: at its open log, else after its newest closed one, else at generation 1. */
async function streamIn({ directory, baseName, nowMs }: LogWriterOptions, seed: number): Promise<LogStream> {
  const parse = logNameParser({ kind: 'ese', baseName })
  let newest = { generation: 0, name: '' }
  for (const name of await readdir(directory)) {
    const generation = parse(name)?.generation ?? 0
    if (generation > newest.generation) newest = { generation, name }
  }
  const open = await headerIn(join(directory, `${baseName}.log`))
  if (open !== null && open.generation > newest.generation) return open
  if (newest.generation > 0) {
    const header = await headerIn(join(directory, newest.name))
    if (header === null) throw cannotContinue(join(directory, newest.name))
    return nextInStream(header, logTimeAt(nowMs()))
  }
  return beginStream({ random: seed, createTime: logTimeAt(nowMs()), computer: '' })
}

async function headerIn(path: string): Promise<LogHeader | null> {
  const bytes = await readFile(path).catch(() => null)
  const read = bytes === null ? null : readLogHeader(bytes)
  return read?.verdict === 'read' ? read.header : null
}

function cannotContinue(path: string): ReplicationError {
  return new ReplicationError({
    code: 'LOG_REJECTED',
    message: `${path}, the newest log, has no readable header`,
    hint: 'The stream cannot be continued from it. Run ccr verify on the directory, or write into an empty one.',
    fields: { path },
  })
}
