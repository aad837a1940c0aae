import { join, resolve } from 'node:path'
import { ReplicationError } from '../engine/error.ts'
import type { Fault } from '../engine/fact.ts'
import { type LogFormat, logNameParser } from '../engine/log-format.ts'
import type { ActiveStore, PassiveGate } from '../engine/source/source-state.ts'
import { asStorageGroupName } from '../engine/storage-group.ts'
import type { StoreKind } from '../engine/store-kind.ts'
import { nodeFileOperations } from '../storage/node-file-operations.ts'
import { authorityOf, type ListenAddress } from '../transport/loopback.ts'
import type { SharedGroup } from '../transport/management-documents.ts'
import type { SharesPort } from '../transport/management-shares.ts'
import type { ShareCommand, ShareReport } from '../workers/messages.ts'
import { removalThread } from '../workers/removal-thread.ts'
import type { ActiveBackups } from './backup/share-backups.ts'
import { type Clock, doneWithin } from './clock.ts'
import type { EventLog } from './event-log.ts'
import type { RandomBytes } from './fresh-id.ts'
import { type Metrics, serviceMetrics } from './metrics.ts'
import { hereAlready, tooManyHere, unknownHere } from './service-faults.ts'
import type { ServiceLog } from './service-log.ts'
import type { ShareInstance } from './share-instance.ts'
import { openShareInstance } from './share-opening.ts'
import { type StartWorker, SupervisedWorker } from './supervised-worker.ts'
import { startShareWorker } from './worker-tasks.ts'

/** What a {@link ShareHost} is started with. */
export interface ShareHostOptions {
  /** Where the replication listener binds. */
  readonly listen: ListenAddress
  readonly events: EventLog
  readonly log: ServiceLog
  readonly clock: Clock
  readonly random: RandomBytes
  /** How the share worker is started with a listener at this address, where it is not the usual way. */
  readonly startWorker?: (listen: ListenAddress) => StartWorker<ShareCommand, ShareReport>
  /** Where its figures go; metrics of its own by default. */
  readonly metrics?: Metrics
  readonly onCrash: (error: unknown) => void
}

/** One log directory to be shared. */
export interface ShareRequest {
  /** Path of the log directory. */
  readonly logs: string
  /** Name of the storage group. */
  readonly name: string
  readonly format: LogFormat
  /** Whose logs these are, which decides whether copies replay them; `external` by default. */
  readonly store?: StoreKind
  /** Who writes them, as far as truncation is concerned; `external` by default. What a store needs is told by `storeNeeds`. */
  readonly active?: ActiveStore
  /** What the store does for backups; absent where another program writes the logs. */
  readonly backups?: ActiveBackups
  /** Path of the directory with the journal; `.ccr` in the log directory without it. */
  readonly state?: string
  /** Copies that must be enrolled before anything is truncated. */
  readonly copiesExpected: number
  /** What a copy with a database must have done with a log before it may go; `replayed` by default. */
  readonly passiveGate?: PassiveGate
  /** Between two readings of the whole directory, in milliseconds. */
  readonly scanIntervalMs?: number
  /** False where the caller holds a lock that covers the state directory. */
  readonly lock?: boolean
}

/** Where a share keeps its journal unless it is told otherwise. */
export const STATE_DIRECTORY = '.ccr'

/** Shares of one process: each holds two descriptors and a watch. */
const SHARES_PER_PROCESS_MAX = 2_000

/** Exchange's own period of looking again. Source: the config updater of the Replication service. */
const SCAN_INTERVAL_MS = 30_000

/** How long the shares may take to stop, in milliseconds; what a disk that does not answer holds up is given up then. */
const CLOSE_MS_MAX = 4_000

/** Shares any number of log directories from one process, over one listener in one worker thread. */
export class ShareHost {
  readonly metrics: Metrics
  readonly #options: ShareHostOptions
  readonly #removal = removalThread()
  readonly #files = { ...nodeFileOperations({ shortCalls: 'pooled' }), unlinkInOrder: this.#removal.unlinkInOrder }
  readonly #shares = new Map<string, ShareInstance | null>()
  readonly #worker: SupervisedWorker<ShareCommand, ShareReport>
  #bound: ListenAddress | null = null
  #listening: ((fault: Fault | null) => void) | null = null
  #closing = false

  constructor(options: ShareHostOptions) {
    this.#options = options
    this.metrics = options.metrics ?? serviceMetrics({ copies: () => [], shares: () => this.shares })
    this.#worker = new SupervisedWorker<ShareCommand, ShareReport>({
      name: 'share worker',
      // A worker that replaces a dead one listens where the copies look for it.
      start: (onReport) => (options.startWorker ?? startShareWorker)(this.#bound ?? options.listen)(onReport),
      stop: { kind: 'stop' },
      onReport: (report) => this.#take(report),
      onStarted: () => {
        for (const share of this.shares) share.openAtWorker()
      },
      onLost: () => {
        for (const share of this.shares) share.workerLost()
      },
      clock: options.clock,
      log: options.log,
    })
  }

  /** Opens the replication listener. Errors: `BIND_REFUSED`, `PORT_IN_USE`. */
  async start(): Promise<void> {
    const listening = new Promise<Fault | null>((resolve) => {
      this.#listening = resolve
    })
    await this.#worker.start()
    const fault = await listening
    if (fault !== null) {
      await this.close()
      throw new ReplicationError({ ...fault, hint: 'Choose another address with --listen; port 0 takes any free one.' })
    }
  }

  /** `http://HOST:PORT` of the replication listener. */
  get origin(): string {
    return `http://${authorityOf(this.#bound ?? this.#options.listen)}`
  }

  /** Every share, in the order in which they were added. */
  get shares(): readonly ShareInstance[] {
    return [...this.#shares.values()].filter((share) => share !== null)
  }

  /** Whether the listener is open and every directory was read. */
  get isReady(): boolean {
    return !this.#closing && this.#worker.isRunning && this.shares.every((share) => share.state.closed !== null)
  }

  /** What the management API shows and does. */
  get port(): SharesPort {
    const found = (name: string): ShareInstance => {
      const share = this.#shares.get(name)
      if (share === undefined || share === null) throw unknownHere('share', name)
      return share
    }
    return {
      list: () => this.shares.map(sharedGroup),
      get: (name) => {
        const share = this.#shares.get(name)
        return share === undefined || share === null ? null : sharedGroup(share)
      },
      markBackup: async (name, through) => found(name).markBackup(through),
      disableCopy: async (name, copyId) => found(name).disableCopy(copyId),
    }
  }

  /** Shares a directory; resolves when it was read. Errors: `NAME_INVALID`, `STATE_REFUSED`, and those of `openShareInstance`. */
  async add(request: ShareRequest): Promise<ShareInstance> {
    const name = asStorageGroupName(request.name)
    // A format that cannot be read must not get into the journal.
    logNameParser(request.format)
    if (this.#shares.has(name)) throw hereAlready('share', name)
    if (this.#shares.size >= SHARES_PER_PROCESS_MAX) throw tooManyHere('shares', SHARES_PER_PROCESS_MAX)
    this.#shares.set(name, null)
    const { log, clock, random, events, onCrash } = this.#options
    const logs = resolve(request.logs)
    try {
      return await openShareInstance({
        name,
        logs,
        format: request.format,
        store: request.store ?? 'external',
        state: request.state === undefined ? join(logs, STATE_DIRECTORY) : resolve(request.state),
        options: {
          copiesExpected: request.copiesExpected,
          passiveGate: request.passiveGate ?? 'replayed',
          active: request.active ?? 'external',
        },
        active: request.backups ?? null,
        lock: request.lock ?? true,
        scanIntervalMs: request.scanIntervalMs ?? SCAN_INTERVAL_MS,
        files: this.#files,
        clock,
        random,
        log,
        events,
        onCrash,
        post: (command) => this.#worker.post(command),
        onOpened: (share) => this.#shares.set(name, share),
      })
    } catch (error) {
      this.#shares.delete(name)
      throw error
    }
  }

  /** Stops sharing a directory and gives its state back. */
  async remove(share: ShareInstance): Promise<void> {
    await share.close()
    this.#shares.delete(share.name)
  }

  /** Stops every share, then the listener. May be called twice. */
  async close(): Promise<void> {
    this.#closing = true
    const { clock, log } = this.#options
    const closed = Promise.all(this.shares.map((share) => share.close()))
    if (!(await doneWithin(clock, CLOSE_MS_MAX, closed))) log.warn({ withinMs: CLOSE_MS_MAX }, 'shares-did-not-stop')
    await Promise.all([this.#worker.close(), this.#removal.close()])
  }

  #take(report: ShareReport): void {
    switch (report.kind) {
      case 'listening':
        this.#bound = { host: report.host, port: report.port }
        this.#listening?.(null)
        break
      case 'listen-failed':
        this.#options.log.error({ fault: report.fault }, report.kind)
        this.#listening?.(report.fault)
        break
      case 'request-failed':
        this.#options.log.warn({ fault: report.fault }, report.kind)
        break
      case 'stopped':
        break
      default:
        this.#shares.get(report.share)?.take(report)
    }
  }
}

function sharedGroup({ state, directory, format }: ShareInstance): SharedGroup {
  return { state, directory, format }
}
