import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Release } from '../engine/release.ts'
import { explainCopyTruncation } from '../engine/replication/explain-truncation.ts'
import type { StandbyOptions } from '../engine/replication/standby-lag.ts'
import { nodeFileOperations } from '../storage/node-file-operations.ts'
import type { CopiesPort } from '../transport/management-copies.ts'
import { asSourceUrl } from '../transport/source-url.ts'
import type { CopyCommand, CopyEvent, ReplayCommand, ReplayEvent } from '../workers/messages.ts'
import { removalThread } from '../workers/removal-thread.ts'
import { SharedRate } from '../workers/shared-rate.ts'
import { type Clock, doneWithin } from './clock.ts'
import type { CopyInstance } from './copy-instance.ts'
import { openCopyInstance } from './copy-opening.ts'
import type { EventLog } from './event-log.ts'
import type { RandomBytes } from './fresh-id.ts'
import { type Metrics, serviceMetrics } from './metrics.ts'
import { RateKeeper } from './rate-setting.ts'
import { ReplayHost } from './replay-host.ts'
import type { ConnectReplayer } from './replay-work.ts'
import { hereAlready, tooManyHere, unknownHere } from './service-faults.ts'
import type { ServiceLog } from './service-log.ts'
import { type StartWorker, SupervisedWorker } from './supervised-worker.ts'
import { startPacedCopyWorker } from './worker-tasks.ts'

/** What a {@link CopyHost} is started with. */
export interface CopyHostOptions {
  readonly events: EventLog
  readonly log: ServiceLog
  readonly clock: Clock
  readonly random: RandomBytes
  /** Worker threads; each keeps its share of the copies. */
  readonly workers: number
  /** How a worker thread is started, where it is not the usual way. */
  readonly startWorker?: StartWorker<CopyCommand, CopyEvent>
  /** The release that the copies behave as; `sp1` by default. */
  readonly release?: Release
  /** Memory for pages of each database that is replayed into, in bytes. */
  readonly cacheBytes?: number
  /** The same for a thread that replays. */
  readonly startReplayer?: StartWorker<ReplayCommand, ReplayEvent>
  /** The most that the logs of all copies take together, as `copy.rate`; no bound by default. */
  readonly rate?: string
  /** Where its figures go; metrics of its own by default. */
  readonly metrics?: Metrics
  /** A rule of the program broke: the process must not go on as if nothing were. */
  readonly onCrash: (error: unknown) => void
}

/** One copy to be kept. */
export interface CopyRequest {
  /** `http://HOST:PORT/shares/SG1`. */
  readonly sourceUrl: string
  /** Path of the store. */
  readonly store: string
  /** What people call this copy; host name and path without it. */
  readonly label?: string
  /** False where the caller holds a lock that covers the store; a lock costs a renewal every few seconds. */
  readonly lock?: boolean
  /**
   * True where an operator wants the logs replayed, whatever their source says of them; from then on the copy has a database. By
   * default a copy has one whose source has a mailbox store.
   */
  readonly replay?: boolean
  /** The lags of a standby target, which are fixed when the store is made; absent for a copy that is to stay what it is. */
  readonly standby?: StandbyOptions
  /** Who replays the logs into the database, where it is not a worker of this host. */
  readonly replayer?: ConnectReplayer
  /** Called once, when the directories of a new store are made. */
  readonly onStoreMade?: () => Promise<void>
}

/**
 * Between two looks whether the directories of the stores are still there, in milliseconds: a copy whose disk is gone must not
 * be called Healthy for half a minute.
 */
const DIRECTORY_CHECK_MS = 15_000

/** Memory for pages of a database unless it is set, in bytes: what the pages take that a batch of 32 logs changes. */
const CACHE_BYTES_DEFAULT = 64 * 1024 * 1024

/** Copies of one process. Each holds two descriptors, and a process has 4,096 or more of them by default limits of services. */
const COPIES_PER_PROCESS_MAX = 2_000

/**
 * How long the copies may take to stop, in milliseconds. What a disk that does not answer holds up is given up then: the next
 * start looks at the disk anew, and a service stops within 10 s in all.
 */
const CLOSE_MS_MAX = 4_000

/** Keeps any number of copies in one process: their instances here, their bytes in worker threads. */
export class CopyHost {
  readonly metrics: Metrics
  readonly #options: CopyHostOptions
  readonly #removal = removalThread()
  readonly #files = { ...nodeFileOperations({ shortCalls: 'pooled' }), unlinkInOrder: this.#removal.unlinkInOrder }
  readonly #workers: readonly SupervisedWorker<CopyCommand, CopyEvent>[]
  readonly #replayers: ReplayHost
  readonly #copies = new Map<number, CopyInstance>()
  readonly #names = new Map<string, CopyInstance | null>()
  readonly #shared = new SharedRate()
  readonly #rate: RateKeeper
  #lastNumber = -1
  #cancelCheck: () => void = () => {}
  #checking: Promise<void> = Promise.resolve()
  #closing = false

  constructor(options: CopyHostOptions) {
    this.#options = options
    this.metrics = options.metrics ?? serviceMetrics({ copies: () => this.#copies.values(), shares: () => [] })
    const { log, clock, workers, cacheBytes = CACHE_BYTES_DEFAULT, startReplayer } = options
    const startWorker = startReplayer === undefined ? {} : { startWorker: startReplayer }
    this.#replayers = new ReplayHost({ log, clock, workers, cacheBytes, ...startWorker })
    this.#rate = new RateKeeper(this.#shared, clock)
    this.#rate.set(options.rate ?? 'off')
    this.#workers = Array.from({ length: options.workers }, (_, index) => this.#worker(index))
  }

  /** Starts the worker threads. */
  async start(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.start()))
    this.#scheduleCheck()
  }

  /** Every copy, in the order in which they were added. */
  get copies(): readonly CopyInstance[] {
    return [...this.#copies.values()]
  }

  /** Whether every worker thread runs. */
  get isReady(): boolean {
    return !this.#closing && this.#workers.every((worker) => worker.isRunning) && this.#replayers.isReady
  }

  /** The copy of a storage group. Errors: `STORAGE_GROUP_UNKNOWN`. */
  named(name: string): CopyInstance {
    const copy = this.#names.get(name)
    if (copy === undefined || copy === null) throw unknownHere('copy', name)
    return copy
  }

  /** What the management API shows and does. */
  get port(): CopiesPort {
    const found = (name: string): CopyInstance => this.named(name)
    return {
      list: () => this.copies.map((copy) => copy.status),
      get: (name) => this.#names.get(name)?.status ?? null,
      suspend: async (name, comment) => found(name).suspend(comment),
      resume: async (name) => found(name).resume(),
      explain: (name) => explainCopyTruncation(found(name).state, this.#options.clock.nowMs()),
      digestPages: (name) => (through, signal) => found(name).digestPages(through, signal),
    }
  }

  /**
   * Adds a copy and starts it. Errors: `URL_INVALID`, `NAME_INVALID`, `BIND_REFUSED`, `STATE_REFUSED` when the storage group has a
   * copy here already, and those of `openCopyInstance`.
   */
  async add(request: CopyRequest): Promise<CopyInstance> {
    const source = asSourceUrl(request.sourceUrl)
    if (this.#names.has(source.share)) throw hereAlready('copy', source.share)
    if (this.#names.size >= COPIES_PER_PROCESS_MAX) throw tooManyHere('copies', COPIES_PER_PROCESS_MAX)
    this.#names.set(source.share, null)
    this.#lastNumber += 1
    const copy = this.#lastNumber
    try {
      const { log, clock, random, events, onCrash, release = 'sp1' } = this.#options
      const root = resolve(request.store)
      const instance = await openCopyInstance({
        copy,
        source,
        root,
        label: request.label ?? `${hostname()}:${root}`,
        lock: request.lock ?? true,
        files: this.#files,
        log,
        clock,
        random,
        events,
        onCrash,
        metrics: this.metrics,
        post: (command) => this.#workerOf(copy).post(command),
        replay: request.replay ?? false,
        release,
        standby: request.standby ?? null,
        replayer: request.replayer ?? this.#replayers.connect,
        onStoreMade: request.onStoreMade ?? (() => Promise.resolve()),
        onOpened: (opened) => this.#copies.set(copy, opened),
      })
      this.#names.set(source.share, instance)
      return instance
    } catch (error) {
      this.#copies.delete(copy)
      this.#names.delete(source.share)
      throw error
    }
  }

  /** Stops a copy and gives its store back. */
  async remove(instance: CopyInstance): Promise<void> {
    await instance.close()
    this.#names.delete(instance.name)
    this.#copies.delete(instance.number)
  }

  /** Stops every copy, then the threads. May be called twice. */
  async close(): Promise<void> {
    this.#closing = true
    this.#rate.close()
    this.#cancelCheck()
    const { clock, log } = this.#options
    const closed = Promise.all([this.#checking, ...this.copies.map((copy) => copy.close())])
    if (!(await doneWithin(clock, CLOSE_MS_MAX, closed))) log.warn({ withinMs: CLOSE_MS_MAX }, 'copies-did-not-stop')
    const { close } = this.#removal
    await Promise.all([...this.#workers.map((worker) => worker.close()), this.#replayers.close(), close()])
  }

  #worker(index: number): SupervisedWorker<CopyCommand, CopyEvent> {
    const { startWorker = startPacedCopyWorker(this.#shared.memory), clock, log } = this.#options
    const mine = (): readonly CopyInstance[] =>
      this.copies.filter((copy) => copy.number % this.#workers.length === index)
    return new SupervisedWorker<CopyCommand, CopyEvent>({
      name: `copy worker ${index}`,
      start: startWorker,
      stop: { kind: 'stop' },
      onReport: (event) => {
        if (event.kind !== 'stopped') this.#copies.get(event.copy)?.take(event)
      },
      onStarted: () => {
        for (const copy of mine()) copy.openAtWorker()
      },
      onLost: (fault) => {
        for (const copy of mine()) copy.workerLost(fault)
      },
      clock,
      log,
    })
  }

  #workerOf(copy: number): SupervisedWorker<CopyCommand, CopyEvent> {
    const worker = this.#workers[copy % this.#workers.length]
    if (worker === undefined) throw new Error('must hold: a host has at least one worker')
    return worker
  }

  #scheduleCheck(): void {
    if (this.#closing) return
    this.#cancelCheck = this.#options.clock.wakeAfter(DIRECTORY_CHECK_MS, () => {
      this.#checking = this.#checkDirectories()
        .catch(this.#options.onCrash)
        .then(() => this.#scheduleCheck())
    })
  }

  /** One after the other: an idle process must not ask for a thousand look-ups at once. */
  async #checkDirectories(): Promise<void> {
    for (const copy of this.copies) {
      if (this.#closing) return
      await copy.checkDirectory()
    }
  }
}
