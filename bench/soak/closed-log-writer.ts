import { createHash } from 'node:crypto'
import { closeSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { composeStream } from '../log-files.ts'
import type { TrueLog } from './store-verifier.ts'

/** Small ESE logs: a header, some sectors of body, the reserved one. What is under test goes by logs, not by bytes. */
const LOG_BYTES = 16_384
/** More than any number of rounds writes. */
const LOGS_MAX = 1_000_000

/**
 * Closes ESE logs as a store does, by rename, and keeps what it closed: the only witness of what the truth is. It lives in the
 * process that kills, never in one that is killed.
 */
export class ClosedLogWriter {
  /** Every log closed so far. */
  readonly truth: TrueLog[] = []
  readonly #directory: string
  readonly #staging: string
  readonly #stream: Generator<{ name: string; bytes: Uint8Array }>
  #timer: NodeJS.Timeout | null = null

  constructor(directory: string, staging: string, seed: number) {
    mkdirSync(directory, { recursive: true })
    mkdirSync(staging, { recursive: true })
    this.#directory = directory
    this.#staging = staging
    this.#stream = composeStream({ count: LOGS_MAX, seed, sizeBytes: LOG_BYTES })
  }

  /** Closes one log. */
  close(): TrueLog {
    const next = this.#stream.next()
    if (next.done === true) throw new Error(`the writer ends after ${LOGS_MAX} logs`)
    const { name, bytes } = next.value
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const open = join(this.#staging, name)
    const file = openSync(open, 'wx')
    writeSync(file, bytes)
    closeSync(file)
    const log = { generation: this.truth.length + 1, name, sha256 }
    this.truth.push(log)
    renameSync(open, join(this.#directory, name))
    return log
  }

  /** Closes a log every `intervalMs` until {@link stop}. */
  start(intervalMs: number): void {
    this.#timer = setInterval(() => this.close(), intervalMs)
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }
}
