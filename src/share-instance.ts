import { join } from 'node:path'
import { ReplicationError } from '../engine/error.ts'
import type { ClosedLogs, SourceFact } from '../engine/fact.ts'
import { type Generation, type GenerationRange, NO_GENERATION } from '../engine/generation.ts'
import { sourceGuarantees } from '../engine/guarantee.ts'
import type { LogFormat } from '../engine/log-format.ts'
import type { SourceOrder, WakeOrder } from '../engine/order.ts'
import { stepSource } from '../engine/source/source-instance.ts'
import { type SourceOptions, type SourceState, startSource } from '../engine/source/source-state.ts'
import type { StoreKind } from '../engine/store-kind.ts'
import type { DirectoryScan } from '../storage/directory-contents.ts'
import { asReplicationError } from '../storage/file-error.ts'
import type { FileOperations } from '../storage/file-operations.ts'
import { type LogDirectory, watchLogDirectory } from '../storage/log-directory.ts'
import type { SurrogateAsk } from '../transport/surrogate-backup.ts'
import type { ShareCommand, ShareReport } from '../workers/messages.ts'
import { type ActiveBackups, ShareBackups } from './backup/share-backups.ts'
import type { Clock } from './clock.ts'
import { faultOf, type UntimedFact } from './copy-work.ts'
import type { EventLog } from './event-log.ts'
import type { RandomBytes } from './fresh-id.ts'
import { guardedStep } from './guarded-step.ts'
import type { HeldDirectory } from './held-directory.ts'
import type { IntentKeeper } from './intent-keeper.ts'
import type { ShareIntent, ShareRecord } from './intent-records.ts'
import type { ShareTally } from './metrics.ts'
import type { OperatorRequests } from './operator-requests.ts'
import { OrderRunner } from './order-runner.ts'
import { stopping } from './service-faults.ts'
import { type ServiceLog, traceTo } from './service-log.ts'
import { type Judge, StateWatch } from './state-watch.ts'

/** What a {@link ShareInstance} works with. */
export interface ShareInstanceParts {
  /** Name of the storage group. */
  readonly name: string
  /** Absolute path of the log directory. */
  readonly logs: string
  readonly format: LogFormat
  readonly store: StoreKind
  /** Absolute path of the directory with the journal. */
  readonly state: string
  readonly options: SourceOptions
  /** False where the caller holds a lock that covers the state directory. */
  readonly lock: boolean
  /** Between two readings of the whole directory, in milliseconds. */
  readonly scanIntervalMs: number
  readonly files: FileOperations
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: ServiceLog
  readonly events: EventLog
  /** Sends to the share worker; dropped while there is none. */
  readonly post: (command: ShareCommand) => unknown
  /** What the store of the active does for backups; null where another program writes the logs. */
  readonly active: ActiveBackups | null
  /** Called before the instance starts: from then on it takes what its worker tells. */
  readonly onOpened: (instance: ShareInstance) => void
  readonly onCrash: (error: unknown) => void
}

/** What was opened for a {@link ShareInstance}. */
export interface OpenedShare {
  readonly held: HeldDirectory
  readonly requests: OperatorRequests
  readonly intents: IntentKeeper<ShareRecord>
  readonly intent: ShareIntent
}

type ShareOrder = Exclude<SourceOrder, WakeOrder>

/** One share: its instance, its operators, its directory, and its side of the talk with the share worker. */
export class ShareInstance {
  readonly tally: ShareTally = { logs: 0, bytes: 0, seedBytes: 0 }
  /** Backups of the storage group, of whichever copy. */
  readonly backups: ShareBackups
  readonly #parts: ShareInstanceParts
  readonly #opened: OpenedShare
  readonly #runner: OrderRunner<SourceState, SourceFact, ShareOrder>
  readonly #watch = new StateWatch<SourceState>()
  readonly #stopping = new AbortController()
  #directory: LogDirectory | null = null
  #truncating: Promise<void> = Promise.resolve()
  /** How many foreign files were told of last: they are listed once, not at every scan. */
  #foreignTold = 0
  #closed: Promise<void> | null = null

  /** Use `openShareInstance`. */
  constructor(parts: ShareInstanceParts, opened: OpenedShare) {
    this.#parts = parts
    this.#opened = opened
    this.backups = new ShareBackups({
      state: () => this.state,
      tell: (fact) => this.#tell(fact),
      requests: opened.requests,
      journal: (backup) => opened.intents.record({ kind: 'backup-finished', ...backup }),
      active: parts.active,
      serve: (session, database) =>
        parts.post(
          database === null
            ? { kind: 'close-seed', share: parts.name, session }
            : { kind: 'open-seed', share: parts.name, session, database },
        ),
    })
    this.#runner = new OrderRunner<SourceState, SourceFact, ShareOrder>({
      state: startSource(parts.name, parts.options),
      step: guardedStep(stepSource, sourceGuarantees),
      perform: (order) => this.#perform(order),
      failureFact: (order, error) => this.#failureFact(order, error),
      latestOnly: new Set(['announce'] as const),
      onStep: (state) => this.#watch.tell(state),
      onCrash: parts.onCrash,
      trace: traceTo(parts.log, parts.name),
      clock: parts.clock,
    })
  }

  /** Name of the storage group. */
  get name(): string {
    return this.#parts.name
  }

  /** The log directory. */
  get directory(): string {
    return this.#parts.logs
  }

  /** The format of the logs. */
  get format(): LogFormat {
    return this.#parts.format
  }

  /** The state of the instance after its last step. */
  get state(): SourceState {
    return this.#runner.state
  }

  /** Begins the watch; resolves when the directory was read for the first time, rejects when it cannot be. */
  start(): Promise<void> {
    const { enrolled, disabled, mark, truncatedBelow, history, stream } = this.#opened.intent
    this.#tell({ kind: 'share-started', enrolled, disabled, mark, truncatedBelow, history, stream })
    this.openAtWorker()
    const { logs, format, files, scanIntervalMs } = this.#parts
    return new Promise((resolve, reject) => {
      this.#directory = watchLogDirectory({
        path: logs,
        format,
        files,
        reconcileMs: scanIntervalMs,
        onScan: (scan) => {
          this.#scanned(scan)
          resolve()
        },
        onClosed: () => this.#look(),
        onGone: () => this.#look(),
        onProblem: (problem) => {
          if (problem === null) return
          this.#tell({ kind: 'directory-lost', fault: faultOf(problem) })
          reject(problem)
        },
      })
    })
  }

  /** A backup product has backed the logs up through this generation; resolves when that is durable. */
  markBackup(through: Generation): Promise<string> {
    return this.#opened.requests.put((requestId) => this.#tell({ kind: 'backup-completed', through, requestId }))
  }

  /** A copy no longer holds truncation and may not come back; resolves when that is durable. */
  async disableCopy(copyId: string): Promise<string> {
    const remark = await this.#opened.requests.put((requestId) =>
      this.#tell({ kind: 'copy-disabled', copyId, requestId }),
    )
    // A copy that is connected hears of it now, not at its next attempt.
    const message = `copy ${copyId} was disabled at the source of ${this.name}`
    this.#parts.post({ kind: 'refuse-copy', share: this.name, copyId, fault: { code: 'STATE_REFUSED', message } })
    return remark
  }

  /**
   * The logs were replaced by those of a backup, and not all that were closed before are there still; not to be called after a restore
   * that went forward to the newest log. Resolves when it is durable: from then on nothing is truncated on the word of a copy that
   * has not looked at its source since. No log may be closed or deleted before. Errors: those of the file system.
   */
  async logsRestored(): Promise<void> {
    await this.#truncating
    const closed = closedLogs(await this.#watched().rescan())
    this.#tell({ kind: 'stream-restored', closed, truncatedBelow: NO_GENERATION, mark: null })
    await this.#runner.idle()
  }

  /** Nothing is deleted any more before {@link storeNeeds} says anew what the database needs. Resolves when no deletion is under way. */
  async holdTruncation(): Promise<void> {
    this.storeNeeds(NO_GENERATION)
    await this.#truncating
  }

  /** The mailbox store that writes the logs says which of them its database needs first, durably. */
  storeNeeds(required: Generation): void {
    if (this.#closed === null) this.#tell({ kind: 'store-checkpointed', required })
  }

  /** Resolves when the judge accepts a state, the present one or a later one. */
  until<Result>(judge: Judge<SourceState, Result>, signal: AbortSignal): Promise<Result> {
    return this.#watch.until(this.state, judge, signal)
  }

  /** Makes the share known to its worker, with the latest announcement. Also after the worker was replaced. */
  openAtWorker(): void {
    const { name, logs, format, store, post } = this.#parts
    post({ kind: 'open-share', shared: { share: name, directory: logs, format, store } })
    const { announced } = this.state
    if (announced !== null) post({ kind: 'announce', share: name, announcement: announced })
  }

  /** The worker is gone, and every connection with it. */
  workerLost(): void {
    for (const copy of this.state.copies) if (copy.connected) this.#tell({ kind: 'copy-lost', copyId: copy.copyId })
  }

  /** Another process may own the state directory now: nothing is recorded until it can be taken again. */
  ownershipLost(error: ReplicationError): void {
    this.#parts.log.error({ storageGroup: this.name, error }, 'state-lock-lost')
    this.#opened.intents.markStale()
  }

  /** Takes in what the worker tells of this share. */
  take(report: ShareReport): void {
    switch (report.kind) {
      case 'copy-subscribed':
        this.#tell({ kind: 'copy-enrolled', copy: { copyId: report.copyId, label: report.label } })
        break
      case 'copy-reported':
        this.#tell({ kind: 'copy-reported', copyId: report.copyId, report: report.report })
        break
      case 'copy-lost':
        this.#tell({ kind: 'copy-lost', copyId: report.copyId })
        break
      case 'served':
        this.tally.logs += report.logs
        this.tally.bytes += report.bytes
        break
      case 'seed-served':
        this.tally.seedBytes += report.bytes
        break
      case 'log-unreadable':
        this.#parts.log.warn(
          { storageGroup: this.name, generation: report.generation, fault: report.fault },
          report.kind,
        )
        this.#rescan()
        break
      case 'backup-asked':
        this.#surrogate(report.request, report.ask)
        break
      default:
        break
    }
  }

  /** Ends the watch, finishes what was ordered and gives the state directory back. May be called twice. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const { held, intents, requests } = this.#opened
    requests.failAll(stopping(this.name))
    intents.giveUp()
    this.#stopping.abort()
    await this.#directory?.close()
    this.#parts.post({ kind: 'close-share', share: this.name })
    await this.#runner.close()
    await this.#truncating
    await intents.close()
    await held.release()
  }

  #surrogate(request: number, ask: SurrogateAsk): void {
    const { post } = this.#parts
    this.backups.surrogate(ask).then(
      (answer) => post({ kind: 'backup-answered', request, answer }),
      (error: unknown) => post({ kind: 'backup-refused', request, error: asReplicationError(error).toJSON() }),
    )
  }

  #perform(order: ShareOrder): Promise<void> | undefined {
    const { name, post, events } = this.#parts
    const { intents, requests } = this.#opened
    switch (order.kind) {
      case 'announce':
        post({ kind: 'announce', share: name, announcement: order.announcement })
        return undefined
      case 'record-mark':
        return intents.record({ kind: 'backup-marked', ...order.mark })
      case 'record-enrolment':
        return intents.record({ kind: 'copy-enrolled', copyId: order.copy.copyId, label: order.copy.label })
      case 'record-disablement':
        return intents.record({ kind: 'copy-disabled', copyId: order.copyId })
      case 'record-truncation':
        return intents.record({ kind: 'truncation-allowed', below: order.below })
      case 'record-restore':
        return intents.record({
          kind: 'stream-restored',
          stream: order.stream,
          below: order.truncatedBelow,
          mark: order.mark,
        })
      case 'accept-copy':
        post({ kind: 'accept-copy', share: name, copyId: order.copyId })
        return undefined
      case 'refuse-copy': {
        const fault = { code: 'STATE_REFUSED', message: order.message } as const
        post({ kind: 'refuse-copy', share: name, copyId: order.copyId, fault })
        return undefined
      }
      case 'scan-directory':
        this.#rescan()
        return undefined
      case 'prepare-backup':
      case 'record-backup':
      case 'release-backup':
        this.backups.perform(order)
        return undefined
      case 'truncate-logs':
        this.#truncating = this.#truncate(order.range).catch(this.#parts.onCrash)
        return undefined
      case 'raise-event':
        events.raise(name, order.id, order.values)
        return undefined
      case 'answer-operator':
        requests.answer(order)
        return undefined
    }
  }

  async #truncate(range: GenerationRange): Promise<void> {
    try {
      const outcome = await this.#watched().truncate(range, this.#stopping.signal)
      // A service that stops: the next start finds what is left, and the edge is recorded.
      if (outcome.aborted) return
      if (outcome.failure === null) this.#tell({ kind: 'logs-deleted', range, alreadyMissing: outcome.missing })
      else this.#tell({ kind: 'deletion-failed', range, fault: faultOf(outcome.failure) })
    } catch (error) {
      this.#tell({ kind: 'deletion-failed', range, fault: faultOf(error) })
    }
  }

  /** What a rescan finds comes by `onScan`, and what it cannot read by `onProblem`. */
  #rescan(): void {
    this.#directory?.rescan().catch((error: unknown) => {
      if (!(error instanceof ReplicationError)) this.#parts.onCrash(error)
    })
  }

  #look(): void {
    this.#scanned(this.#watched().scan())
  }

  #scanned(scan: DirectoryScan): void {
    const { listed, total } = scan.foreign
    if (total !== this.#foreignTold) {
      this.#foreignTold = total
      // The state directory usually lies among the logs; it is no stranger.
      const strangers = listed.filter(({ name }) => join(this.directory, name) !== this.#parts.state)
      if (strangers.length > 0)
        this.#parts.log.info({ storageGroup: this.name, foreign: strangers, total }, 'foreign-files')
    }
    this.#tell({ kind: 'directory-scanned', closed: closedLogs(scan) })
  }

  #watched(): LogDirectory {
    if (this.#directory === null) throw new Error('must hold: the directory is watched before it is used')
    return this.#directory
  }

  #tell(fact: UntimedFact<SourceFact>): void {
    // What was an Omit of one member of the union is that member again with its time.
    this.#runner.notice({ ...fact, nowMs: this.#parts.clock.nowMs() } as SourceFact)
  }

  /** A record that the stopping service gave up stands for nothing; anything else is a fault of the program. */
  #failureFact(order: ShareOrder, error: unknown): SourceFact | null {
    if (!(error instanceof ReplicationError) || !order.kind.startsWith('record-')) return null
    return { kind: 'time-passed', nowMs: this.#parts.clock.nowMs() }
  }
}

function closedLogs(scan: DirectoryScan): ClosedLogs {
  const { lowest, closedThrough, highest, newest } = scan
  return { lowest, closedThrough, generated: highest, logTimeMs: newest?.facts.modifiedMs ?? 0 }
}
