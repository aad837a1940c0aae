// The store of a copy with real logs of a mailbox store, and a replay worker over it.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StoreStream } from '../../bench/store-stream.ts'
import { PAGE_BYTES } from '../../engine/database/page.ts'
import { digestPage, type PageDigest } from '../../engine/database/page-digest.ts'
import { asGeneration } from '../../engine/generation.ts'
import { eseLogName } from '../../engine/log-format.ts'
import type { KeptDatabase, ReplayCommand, ReplayEvent } from '../../workers/messages.ts'
import { type ReplayWorkerOptions, startReplayWorker, type WorkerHandle } from '../../workers/pool.ts'

/** Logs of a size that keeps a test short. */
const LOG_BYTES = 131_072
/** When the source closed log 1, and how much later each further one: milliseconds since 1970. */
const FIRST_LOG_MS = 1_200_000_000_000
const LOG_APART_MS = 60_000

const streams = new Map<number, StoreStream>()

/** The closed logs of a mailbox store, from log 1 on; the same ones each time. */
export function logsOfStore(count: number, random = 1): readonly Uint8Array[] {
  const stream = streams.get(random) ?? new StoreStream({ logBytes: LOG_BYTES, random })
  streams.set(random, stream)
  while (stream.closedLogs.length < count)
    stream.write({ messages: 40, bytes: 3000, mailboxes: 7, deleteEvery: 5, firstId: stream.written + 1 })
  return stream.closedLogs.slice(0, count)
}

/** The logs of a store that has gone another way behind its log `shared`, from the first one on. */
export function divergedLogs(count: number, shared: number): readonly Uint8Array[] {
  const stream = new StoreStream({ logBytes: LOG_BYTES, random: 1 })
  const load = { messages: 40, mailboxes: 7, deleteEvery: 5 }
  while (stream.closedCount < count) {
    // The log that is open then is the last one that both have, as far as its header says.
    if (stream.closedCount >= shared) stream.lateMs = 3_600_000
    stream.write({ ...load, bytes: stream.lateMs === 0 ? 3000 : 2500, firstId: stream.written + 1 })
  }
  return stream.closedLogs.slice(0, count)
}

/** The directories of a copy's store. */
export class CopyOnDisk {
  readonly root: string

  constructor(root: string = mkdtempSync(join(tmpdir(), 'ccr-replay-'))) {
    this.root = root
    for (const directory of ['logs/inspector', 'logs/IgnoredLogs', 'database'])
      mkdirSync(join(root, directory), { recursive: true })
  }

  get kept(): KeptDatabase {
    return { root: this.root, format: { kind: 'ese', baseName: 'E00' } }
  }

  get databasePath(): string {
    return join(this.root, 'database', 'priv1.edb')
  }

  /** Lets logs in, as the inspector does it. */
  putLogs(first: number, last: number, random?: number): void {
    for (const [index, bytes] of logsOfStore(last, random).entries())
      if (index + 1 >= first) this.putLog(index + 1, bytes)
  }

  putLog(generation: number, bytes: Uint8Array): void {
    const path = this.logPath(generation)
    writeFileSync(path, bytes)
    const seconds = (FIRST_LOG_MS + LOG_APART_MS * generation) / 1000
    utimesSync(path, seconds, seconds)
  }

  logPath(generation: number): string {
    return join(this.root, 'logs', eseLogName('E00', asGeneration(generation)))
  }

  /** Turns one bit of a log or of the database. */
  turnBit(path: string, byte: number): void {
    const bytes = readFileSync(path)
    bytes[byte] = (bytes[byte] ?? 0) ^ 1
    writeFileSync(path, bytes)
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** How long the worker of a rig waits before it writes out what waits; a person would wait longer. */
const IDLE_MS = 20

const CACHE_BYTES = 4_194_304

/** A replay worker that keeps one copy. */
export class ReplayRig {
  readonly disk: CopyOnDisk
  readonly #options: Partial<ReplayWorkerOptions>
  #worker: WorkerHandle<ReplayCommand>
  #events: ReplayEvent[] = []
  #wake: () => void = () => undefined
  #crash: string | null = null

  constructor(disk: CopyOnDisk = new CopyOnDisk(), options: Partial<ReplayWorkerOptions> = {}) {
    this.disk = disk
    this.#options = options
    this.#worker = this.#start()
  }

  post(command: ReplayCommand): void {
    this.#worker.send(command)
  }

  /** The next event, which has to come. */
  async next(): Promise<ReplayEvent> {
    for (;;) {
      const event = this.#events.shift()
      if (event !== undefined) return event
      if (this.#crash !== null) throw new Error(this.#crash)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Ends the worker without a settling, and starts another one. */
  async restart(): Promise<void> {
    await this.#worker.close()
    this.#events = []
    this.#worker = this.#start()
  }

  async close(): Promise<void> {
    await this.#worker.close()
    this.disk.remove()
  }

  #start(): WorkerHandle<ReplayCommand> {
    return startReplayWorker({
      idleMs: IDLE_MS,
      cacheBytes: CACHE_BYTES,
      ...this.#options,
      onEvent: (event) => {
        this.#events.push(event)
        this.#wake()
      },
      onCrash: ({ message }) => {
        this.#crash = message
        this.#wake()
      },
    })
  }
}

/** The pages of a database file. */
export function pagesOfFile(path: string): PageDigest[] {
  const bytes = readFileSync(path)
  const digests: PageDigest[] = []
  for (let page = 1; (page + 2) * PAGE_BYTES <= bytes.length; page++) {
    const lo = (page + 1) * PAGE_BYTES
    const digest = digestPage(page, new Uint8Array(bytes.subarray(lo, lo + PAGE_BYTES)))
    if (digest !== null) digests.push(digest)
  }
  return digests
}

/** The pages after a replay of logs 1 to `last` in one go, on another disk. */
export async function pagesFromScratch(last: number): Promise<PageDigest[]> {
  const other = new ReplayRig()
  try {
    other.disk.putLogs(1, last)
    await opened(other)
    await replayed(other, 1, last)
    await stopped(other)
    return pagesOfFile(other.disk.databasePath)
  } finally {
    await other.close()
  }
}

/** The answer to an opening. */
export async function opened(of: ReplayRig, session = 1): Promise<ReplayEvent> {
  of.post({ kind: 'open-database', copy: 0, session, kept: of.disk.kept })
  return await of.next()
}

/** The event with which a batch ends. */
export async function replayed(of: ReplayRig, first: number, last: number, session = 1): Promise<ReplayEvent> {
  const range = { first: asGeneration(first), last: asGeneration(last) }
  of.post({ kind: 'replay-logs', copy: 0, session, range })
  let event = await of.next()
  while (event.kind === 'checkpoint-moved' || (event.kind === 'logs-replayed' && event.progress.replayedThrough < last))
    event = await of.next()
  return event
}

/** The answer to a stop. */
export async function stopped(of: ReplayRig): Promise<ReplayEvent> {
  of.post({ kind: 'stop-replaying', copy: 0 })
  let event = await of.next()
  while (event.kind !== 'replay-stopped') event = await of.next()
  return event
}
