import { join } from 'node:path'
import type { BackupSlots } from '../engine/database/backup-slot.ts'
import { PAGE_BYTES } from '../engine/database/page.ts'
import { type ErrorDocument, ReplicationError } from '../engine/error.ts'
import type { Fault } from '../engine/fact.ts'
import { type Generation, NO_GENERATION } from '../engine/generation.ts'
import type { DismountRefusal } from '../engine/source/backup-session.ts'
import type { ActiveStore } from '../engine/source/source-state.ts'
import type { StoreNames } from '../storage/store-places.ts'
import type { StoreState, StoreStatus } from '../transport/management-store-documents.ts'
import type { StoreOpening } from '../workers/mailbox-opening.ts'
import type { StoreAnswers, StoreCommand, StoreQuery, StoreReport } from '../workers/store-messages.ts'
import { freshId, systemRandom } from './fresh-id.ts'
import { HeldDirectory } from './held-directory.ts'
import { MountIntent } from './mount-intent.ts'
import type { StoreInstanceParts } from './store-instance-parts.ts'
import { StoreRequests } from './store-requests.ts'
import { dismountRefused, storeDown, storeLost, storeStatusOf } from './store-standing.ts'
import { SupervisedWorker } from './supervised-worker.ts'
import { Watched } from './watched.ts'

/** The first wait before a store that failed is started again, in milliseconds; it doubles with each failure, up to a minute. */
const RESTART_MS_MIN = 1_000
const RESTART_MS_MAX = 60_000
/** How long a store may take to write its pages and close its database, in milliseconds; else it recovers at its next start. */
const STOP_MS_MAX = 5_000

/**
 * One mailbox store: its lock, its worker, and the requests under way. A store that fails is started again, after a wait, and recovers;
 * so is a worker that dies.
 */
export class StoreInstance {
  readonly #parts: StoreInstanceParts
  readonly #held: HeldDirectory
  readonly #worker: SupervisedWorker<StoreCommand, StoreReport>
  readonly #mounting: MountIntent
  readonly #requests = new StoreRequests()
  readonly #required = new Watched<Generation>()
  readonly #endWatchers: ((error: ReplicationError) => void)[] = []
  readonly #backups = new Watched<BackupSlots>()
  #state: StoreState = 'recovering'
  #failure = ''
  #opening: StoreOpening | null = null
  #wasOpen = false
  #restartMs = RESTART_MS_MIN
  #cancelRestart: () => void = () => undefined
  #firstStart: ((error: ReplicationError | null) => void) | null = null
  /** False while an operator has it dismounted, or is dismounting it. */
  #isMounted = true
  #mayDismount: () => DismountRefusal | null = () => null
  /** Mounting and dismounting, one after the other. */
  #turns: Promise<unknown> = Promise.resolve()
  #storeClosed: () => void = () => undefined
  #closed: Promise<void> | null = null

  constructor(parts: StoreInstanceParts) {
    this.#parts = parts
    this.#held = new HeldDirectory({
      path: parts.root,
      files: parts.files,
      make: true,
      lock: true,
      onLost: (error) => this.#worker.post({ kind: 'abandon-store', error: error.toJSON() }),
    })
    this.#mounting = new MountIntent({ directory: parts.root, files: parts.files, newId: () => freshId(systemRandom) })
    this.#worker = new SupervisedWorker<StoreCommand, StoreReport>({
      name: `store worker of ${parts.name}`,
      start: parts.startWorker,
      stop: { kind: 'stop' },
      stopMsMax: STOP_MS_MAX,
      onReport: (report) => this.#take(report),
      onStarted: () => this.#open(),
      onLost: (fault) => this.#workerLost(fault),
      clock: parts.clock,
      log: parts.log,
    })
  }

  /** Name of the storage group. */
  get name(): string {
    return this.#parts.name
  }

  /** The directory in which the store closes its logs. */
  get logs(): string {
    return join(this.#parts.root, 'logs')
  }

  /** What its files are called, and where they lie. */
  get names(): StoreNames {
    const { root, baseName, databaseName } = this.#parts
    return { root, baseName, databaseName }
  }

  /** The file of the database. */
  get database(): string {
    return join(this.#parts.root, 'database', this.#parts.databaseName)
  }

  /** Three letters or digits that every log begins with. */
  get baseName(): string {
    return this.#parts.baseName
  }

  /** What it is to truncation. */
  get activeStore(): ActiveStore {
    return this.#parts.settings.circularLogging ? 'circular' : 'mailbox'
  }

  get state(): StoreState {
    return this.#state
  }

  /** Tells which log the database needs first, now if it is known and when it has moved: durably; `NO_GENERATION` at a dismount. */
  watchRequired(told: (first: Generation) => void): void {
    this.#required.watch(told)
  }

  /** Tells what the header of the database remembers of backups, now and whenever that has changed: durably. */
  watchBackups(told: (slots: BackupSlots) => void): void {
    this.#backups.watch(told)
  }

  /**
   * Takes the lock, starts the worker, and resolves when the store takes requests, or at once where an operator has dismounted it.
   * Errors: `STORE_LOCKED`, `DATABASE_REJECTED`, `DIRECTORY_CONFLICT`, `JOURNAL_CORRUPT`, and those of the file system.
   */
  async start(): Promise<void> {
    await this.#held.makeAndTake()
    try {
      this.#isMounted = !(await this.#mounting.isDismounted())
      if (!this.#isMounted) await this.#rest()
      await this.#takingRequests(() => this.#worker.start())
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /**
   * Asks the store. Errors: `STORE_BUSY` before anything was done; `STORE_UNAVAILABLE` when it takes no request, or was lost with the
   * request under way, which then may have been done; those of a store that failed; `PAGE_REJECTED` of a read.
   */
  async ask<Query extends StoreQuery>(query: Query): Promise<StoreAnswers[Query['ask']]> {
    if (this.#state !== 'running') throw storeDown(this.name, this.#state, this.#failure)
    return await this.#requests.send(query, (request) => {
      this.#worker.post({ kind: 'request', request, query })
    })
  }

  /** Tells whenever the store has ended or failed: what was under way in its memory is lost. */
  watchEnded(told: (error: ReplicationError) => void): void {
    this.#endWatchers.push(told)
  }

  /** Asks `mayDismount` before each dismount; null lets it go on. */
  guardDismount(mayDismount: () => DismountRefusal | null): void {
    this.#mayDismount = mayDismount
  }

  /**
   * Stops the store in order and gives its lock back; nothing but {@link mount} starts it again, not even the next start of the service.
   * Its logs stay where they are. Errors: `STATE_REFUSED` with the engine's number, and those of the file system.
   */
  dismount(): Promise<void> {
    return this.#inTurn(() => this.#dismount())
  }

  /** Starts a dismounted store; resolves when it takes requests. It stays dismounted where that fails. Errors: those of {@link start}. */
  mount(): Promise<void> {
    return this.#inTurn(() => this.#mount())
  }

  /** How the store stands, whatever its state. */
  async status(): Promise<StoreStatus> {
    const asked = this.#state === 'running' ? await this.ask({ ask: 'status' }).catch(() => null) : null
    const { name, settings } = this.#parts
    const parts = { storageGroup: name, directory: this.#parts.root, settings, opening: this.#opening }
    return storeStatusOf({ ...parts, state: this.#state, failure: this.#failure }, asked)
  }

  /** Stops the store in order, and gives its lock back. May be called twice. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const wasRunning = this.#state === 'running'
    this.#state = 'stopping'
    this.#cancelRestart()
    await this.#worker.close()
    this.#storeClosed()
    this.#requests.failAll(storeLost(this.name, 'it was stopped'))
    if (wasRunning && this.#failure === '') this.#raiseStopped()
    await this.#held.release()
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const done = this.#turns.then(() => {
      if (this.#closed !== null) throw storeDown(this.name, this.#state, this.#failure)
      return act()
    })
    this.#turns = done.catch(() => undefined) // its caller has the error
    return done
  }

  async #dismount(): Promise<void> {
    if (this.#state === 'dismounted') return
    const refusal = this.#mayDismount()
    if (refusal !== null) throw dismountRefused(this.name, refusal)
    await this.#mounting.record('dismounted')
    const wasRunning = this.#state === 'running'
    this.#isMounted = false
    this.#cancelRestart()
    if (this.#state !== 'failed') await this.#closeStore()
    this.#requests.failAll(storeLost(this.name, 'it was dismounted'))
    if (wasRunning && this.#failure === '') this.#raiseStopped()
    await this.#rest()
  }

  async #mount(): Promise<void> {
    if (this.#state !== 'dismounted') return
    await this.#held.take()
    try {
      await this.#mounting.record('mounted')
      this.#isMounted = true
      await this.#takingRequests(async () => this.#worker.isRunning && this.#open())
    } catch (error) {
      this.#isMounted = false
      await this.#mounting.record('dismounted').finally(() => this.#rest())
      throw error
    }
  }

  /** Nothing is open: others may use the folder, and put a database there that needs other logs. */
  async #rest(): Promise<void> {
    if (this.#closed === null) this.#state = 'dismounted'
    this.#required.tell(NO_GENERATION)
    await this.#held.release()
  }

  /** Resolves when the store is closed in order, or has failed meanwhile, or its worker is gone. */
  async #closeStore(): Promise<void> {
    this.#state = 'stopping'
    await new Promise<void>((resolve) => {
      this.#storeClosed = resolve
      if (!this.#worker.post({ kind: 'close-store' })) resolve()
    })
  }

  /** Resolves when the store that `begin` starts takes requests; nothing is waited for where it is dismounted. */
  async #takingRequests(begin: () => Promise<unknown>): Promise<void> {
    const first = new Promise<ReplicationError | null>((resolve) => {
      this.#firstStart = resolve
    })
    await begin()
    const error = this.#isMounted ? await first : null
    this.#firstStart = null
    if (error !== null) throw error
  }

  #raiseStopped(): void {
    const { events, name, databaseName } = this.#parts
    events.raise(name, 327, [databaseName])
    events.raise(name, 103, [])
  }

  #open(): void {
    const { root, baseName, databaseName, settings, ignoreLostLogs, events, name } = this.#parts
    if (this.#closed !== null || !this.#isMounted) return
    this.#state = 'recovering'
    const store = { root, baseName, databaseName, settings, mustExist: this.#wasOpen, ignoreLostLogs }
    events.raise(name, 102, [])
    this.#worker.post({ kind: 'open-store', store })
  }

  /** The lock may have been lost, and another process may have the store. */
  async #openAgain(): Promise<void> {
    try {
      await this.#held.take()
      if (this.#closed === null) this.#open()
      else await this.#held.release()
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error
      this.#failed(error.toJSON())
    }
  }

  #take(report: StoreReport): void {
    switch (report.kind) {
      case 'store-opened':
        this.#opened(report.opening)
        break
      case 'store-failed':
        this.#failed(report.error)
        break
      case 'store-closed':
        this.#storeClosed()
        break
      case 'log-required':
        this.#required.tell(report.first)
        break
      case 'backups-changed':
        this.#backups.tell(report.slots)
        break
      case 'freeze-timed-out':
        this.#parts.log.warn({ storageGroup: this.name, frozenMs: report.frozenMs }, 'freeze-timed-out')
        break
      case 'page-bad':
        this.#parts.events.raise(this.name, 727, [report.page, (report.page + 1) * PAGE_BYTES, report.detail])
        break
      case 'event-raised':
        this.#parts.events.raise(this.name, report.id, report.values)
        break
      case 'answered':
        this.#requests.answered(report.request, report.answer)
        break
      case 'refused':
        this.#requests.refused(report.request, ReplicationError.fromJSON(report.error))
        break
      case 'stopped':
        break
    }
  }

  #opened(opening: StoreOpening): void {
    const { events, name, databaseName, log } = this.#parts
    this.#opening = opening
    this.#wasOpen = true
    this.#restartMs = RESTART_MS_MIN
    this.#failure = ''
    log.info({ storageGroup: name, opening }, 'store-opened')
    const { redone, undone, durationMs, loss, outcome } = opening
    if (redone !== null) events.raise(name, 302, [redone.first, redone.last, undone, durationMs])
    if (loss !== '') events.raise(name, 524, [loss])
    events.raise(name, outcome === 'created' ? 325 : 326, [databaseName])
    if (this.#closed === null && this.#isMounted) this.#state = 'running'
    this.#firstStart?.(null)
    this.#firstStart = null
  }

  #failed(document: ErrorDocument): void {
    const { events, name, log, clock } = this.#parts
    log.error({ storageGroup: name, error: document }, 'store-failed')
    events.raise(name, 104, [document.message])
    this.#failure = document.message
    for (const told of this.#endWatchers) told(ReplicationError.fromJSON(document))
    this.#storeClosed()
    if (this.#closed !== null || !this.#isMounted) return
    this.#state = 'failed'
    if (this.#firstStart !== null) {
      this.#firstStart(ReplicationError.fromJSON(document))
      this.#firstStart = null
      return
    }
    this.#cancelRestart = clock.wakeAfter(this.#restartMs, () => void this.#openAgain()) // tells its failures itself
    this.#restartMs = Math.min(2 * this.#restartMs, RESTART_MS_MAX)
  }

  /** Another worker is started, which begins with the store. */
  #workerLost(fault: Fault): void {
    this.#cancelRestart()
    this.#requests.failAll(storeLost(this.name, fault.message))
    this.#parts.events.raise(this.name, 104, [fault.message])
    this.#failure = fault.message
    for (const told of this.#endWatchers) told(storeLost(this.name, fault.message))
    this.#storeClosed()
    if (this.#closed === null && this.#isMounted) this.#state = 'failed'
    this.#firstStart?.(storeLost(this.name, fault.message))
    this.#firstStart = null
  }
}
