import type { PageDigest } from '../engine/database/page-digest.ts'
import { ReplicationError } from '../engine/error.ts'
import type { Fault, ReplicaFact } from '../engine/fact.ts'
import { type Generation, rangeLength } from '../engine/generation.ts'
import { replicaGuarantees } from '../engine/guarantee.ts'
import type { LogFormat } from '../engine/log-format.ts'
import type { Release } from '../engine/release.ts'
import { type CopyStatus, copyStatus } from '../engine/replication/copy-status.ts'
import { stepReplica } from '../engine/replication/replica-instance.ts'
import { isAtRest, type ReplicaState, startReplica } from '../engine/replication/replica-state.ts'
import type { StandbyOptions } from '../engine/replication/standby-lag.ts'
import { SUSPEND_COMMENT_CHARACTERS_MAX } from '../engine/replication/suspension.ts'
import { type FileOperations, pathIn } from '../storage/file-operations.ts'
import { DATABASE_NAME } from '../storage/store-places.ts'
import type { SourceUrl } from '../transport/source-url.ts'
import type { CopyCommand, CopyEvent } from '../workers/messages.ts'
import { caughtUpJudge, UNREACHABLE_PATIENCE_MS } from './caught-up.ts'
import type { Clock } from './clock.ts'
import { CopyDisk } from './copy-disk.ts'
import { replicaFactOf } from './copy-events.ts'
import { type SeededCopy, seededCopy } from './copy-seeding.ts'
import { type CopyOrder, CopyWork, faultOf, type Offered, type UntimedFact } from './copy-work.ts'
import type { EventLog } from './event-log.ts'
import type { RandomBytes } from './fresh-id.ts'
import { guardedStep } from './guarded-step.ts'
import type { HeldDirectory } from './held-directory.ts'
import type { IntentKeeper } from './intent-keeper.ts'
import type { CopyIntent, CopyRecord } from './intent-records.ts'
import { type CopyTally, emptyCopyTally, type Metrics } from './metrics.ts'
import type { OperatorRequests } from './operator-requests.ts'
import { OrderRunner } from './order-runner.ts'
import { type ConnectReplayer, ReplayWork } from './replay-work.ts'
import { commentTooLong, leftAlone, otherFormat, stopping } from './service-faults.ts'
import { type ServiceLog, traceTo } from './service-log.ts'
import { type Judge, StateWatch } from './state-watch.ts'

/** What a {@link CopyInstance} works with. */
export interface CopyInstanceParts {
  /** The number under which the copy worker knows it. */
  readonly copy: number
  readonly source: SourceUrl
  /** Absolute path of the store. */
  readonly root: string
  /** What people call this copy: host name and store path. */
  readonly label: string
  /** False where the caller holds a lock that covers the store. */
  readonly lock: boolean
  readonly files: FileOperations
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: ServiceLog
  readonly events: EventLog
  readonly metrics: Metrics
  /** Sends to the copy worker; false while there is none. */
  readonly post: (command: CopyCommand) => boolean
  /** Who replays into the copy's database, where it has one. */
  readonly replayer: ConnectReplayer
  /** An operator wants the logs replayed, whatever their source says of them. From then on the copy has a database. */
  readonly replay: boolean
  /** The release that the copy behaves as. */
  readonly release: Release
  /** The lags of a standby target; null for any other copy, and where the copy is to stay what it was made for. */
  readonly standby: StandbyOptions | null
  /** Called once, when the directories of a new store are made. */
  readonly onStoreMade: () => Promise<void>
  /** Called before the instance starts: from then on it takes what its worker tells. */
  readonly onOpened: (instance: CopyInstance) => void
  readonly onCrash: (error: unknown) => void
}

/** What a backup copies of a frozen copy. Logs from `first` to `last` make its database whole; each of them is there. */
export interface FrozenCopy {
  /** The first log that recovery of the database needs; the lowest one of a copy that keeps logs only. */
  readonly first: Generation
  /** The last one that is inspected, at or above what the database needs. Below `first` when it needs none. */
  readonly last: Generation
  /** Null for a copy that keeps logs only. */
  readonly databasePath: string | null
  /** The directory of the logs and the checkpoint file. */
  readonly logsPath: string
}

/** What was opened for a {@link CopyInstance}. */
export interface OpenedCopy {
  readonly held: HeldDirectory
  readonly requests: OperatorRequests
  readonly intents: IntentKeeper<CopyRecord>
  readonly copyId: string
  readonly intent: CopyIntent
}

/** One copy: its instance, its operators, its disk, and its side of the talk with the copy worker. */
export class CopyInstance {
  readonly tally: CopyTally = emptyCopyTally()
  /** What a seed does with the copy. */
  readonly seeding: SeededCopy
  readonly #parts: CopyInstanceParts
  readonly #opened: OpenedCopy
  readonly #disk: CopyDisk
  readonly #work: CopyWork
  readonly #replay: ReplayWork
  readonly #runner: OrderRunner<ReplicaState, ReplicaFact, CopyOrder>
  readonly #watch = new StateWatch<ReplicaState>()
  /** What the worker told while a new store was being made; taken in afterwards, in order. */
  #heldBack: CopyEvent[] | null = null
  #isStarted = false
  #announced = false
  #lastFault: Fault | null = null
  /** Since the last thaw: then whatever was frozen may have been changed by another process. */
  #ownershipLost = false
  #closed: Promise<void> | null = null

  /** Use {@link openCopyInstance}. */
  constructor(parts: CopyInstanceParts, opened: OpenedCopy) {
    this.#parts = parts
    this.#opened = opened
    const { copyId, intents, held, requests, intent } = opened
    const { standby } = intent
    this.#disk = new CopyDisk({ ...parts, copyId, needsLogTimes: standby !== null })
    const { copy, replayer } = parts
    const tell = (fact: UntimedFact<ReplicaFact>): void => this.#tell(fact)
    this.#replay = new ReplayWork({ copy, connect: replayer, tell })
    this.seeding = seededCopy({ held, requests, disk: this.#disk, tell, idle: () => this.#runner.idle() })
    const replays = intent.replayChosen || intent.adopted?.store === 'mailbox'
    this.#work = new CopyWork({
      ...parts,
      name: this.name,
      disk: this.#disk,
      held,
      intents,
      requests,
      tally: this.tally,
      adopted: intent.adopted,
      replay: this.#replay,
      tell,
    })
    this.#runner = new OrderRunner<ReplicaState, ReplicaFact, CopyOrder>({
      state: startReplica(this.name, { replays, release: parts.release, ...(standby && { standby }) }),
      step: guardedStep(stepReplica, replicaGuarantees),
      perform: (order) => this.#work.perform(order),
      failureFact: (_order, error) => this.#failureFact(error),
      latestOnly: new Set(['report-progress'] as const),
      onStep: (state) => this.#watch.tell(state),
      onCrash: parts.onCrash,
      trace: traceTo(parts.log, this.name),
      clock: parts.clock,
    })
  }

  /** Name of the storage group. */
  get name(): string {
    return this.#parts.source.share
  }

  /** The number under which the copy worker knows it. */
  get number(): number {
    return this.#parts.copy
  }

  /** The name that it is enrolled under at its source. */
  get copyId(): string {
    return this.#opened.copyId
  }

  /** Where its logs come from. */
  get source(): SourceUrl {
    return this.#parts.source
  }

  /** The folder of the storage group. */
  get root(): string {
    return this.#parts.root
  }

  /** Format of its logs; null before it has met its source. */
  get format(): LogFormat | null {
    return this.#work.format
  }

  /** The state of the instance after its last step. */
  get state(): ReplicaState {
    return this.#runner.state
  }

  /** How the copy stands. */
  get status(): CopyStatus {
    return copyStatus(this.state)
  }

  /** Whether the store's directories are made. */
  get hasStore(): boolean {
    return this.#disk.isOpen
  }

  /** Looks at the disk and takes in the first fact; then the worker may begin. */
  async start(): Promise<void> {
    const { adopted, suspension, stream } = this.#opened.intent
    if (adopted !== null) await this.#disk.open(adopted.format, true)
    const contents = suspension === null ? await this.#disk.check() : null
    this.#tell({ kind: 'copy-started', contents, suspension, stream })
    this.#isStarted = true
    this.openAtWorker()
  }

  /**
   * Suspends copy and replay; resolves when that is durable and no I/O on the store is left. Answers a remark, `''` for none.
   *
   * @param comment null keeps the comment of an earlier suspension
   */
  async suspend(comment: string | null): Promise<string> {
    if (comment !== null && comment.length > SUSPEND_COMMENT_CHARACTERS_MAX)
      throw commentTooLong(comment.length, SUSPEND_COMMENT_CHARACTERS_MAX)
    const remark = await this.#opened.requests.put((requestId) =>
      this.#tell({ kind: 'operator-suspended', requestId, comment }),
    )
    // The event of it lies in the store, too.
    await this.#parts.events.flush()
    return remark
  }

  /** Ends the suspension, durably, and has the store looked at anew. Answers a remark, `''` for none. */
  resume(): Promise<string> {
    return this.#opened.requests.put((requestId) => this.#tell({ kind: 'operator-resumed', requestId }))
  }

  /**
   * Leaves store and database alone until {@link thaw}: resolves when no I/O on them is left, with what a backup copies. Nothing of
   * it outlasts this process. Errors: `STATE_REFUSED` for a copy that is suspended, Failed, frozen already or not ready yet.
   */
  async freeze(): Promise<FrozenCopy> {
    await this.#opened.requests.put((requestId) => this.#tell({ kind: 'operator-froze', requestId }))
    const { database, inspected, lowest } = this.state
    const { root } = this.#parts
    return {
      first: database?.progress.requiredLow ?? lowest,
      last: inspected,
      databasePath: database === null ? null : pathIn(pathIn(root, 'database'), DATABASE_NAME),
      logsPath: pathIn(root, 'logs'),
    }
  }

  /** Lets everything go on. Answers whether nothing has touched the files since {@link freeze}: if not, what was copied is of no use. */
  async thaw(): Promise<boolean> {
    const wasFrozen = this.state.frozen && !this.#ownershipLost
    this.#ownershipLost = false
    await this.#opened.requests.put((requestId) => this.#tell({ kind: 'operator-thawed', requestId }))
    return wasFrozen
  }

  /** Resolves when everything is inspected that the source had closed; see {@link caughtUpJudge} for what it rejects with. */
  whenCaughtUp(signal: AbortSignal): Promise<ReplicaState> {
    const { clock } = this.#parts
    const judge = caughtUpJudge({
      announced: () => this.#announced,
      lastFault: () => this.#lastFault,
      nowMs: () => clock.nowMs(),
    })
    const cancel = clock.wakeAfter(UNREACHABLE_PATIENCE_MS + 1, () => this.#watch.tell(this.state))
    return this.until(judge, signal).finally(cancel)
  }

  /** Resolves when the judge accepts a state, the present one or a later one. */
  until<Result>(judge: Judge<ReplicaState, Result>, signal: AbortSignal): Promise<Result> {
    return this.#watch.until(this.state, judge, signal)
  }

  /** Looks whether the store's directories are still those that were opened; not while the copy is suspended. */
  async checkDirectory(): Promise<void> {
    if (isAtRest(this.state) || this.state.phase !== 'running' || !this.hasStore) return
    const { session } = this.state
    try {
      await this.#disk.checkStillThere()
    } catch (error) {
      this.#tell({ kind: 'store-failed', session, fault: faultOf(error) })
    }
  }

  /**
   * The digests of all pages of the copy's database at the end of this log, in pieces. Waits until replay has come there, and holds
   * it up meanwhile. Errors: `STATE_REFUSED`, `DATABASE_REJECTED`, the signal's reason.
   */
  digestPages(through: Generation, signal: AbortSignal): AsyncGenerator<readonly PageDigest[]> {
    if (isAtRest(this.state)) throw leftAlone(this.name)
    return this.#replay.digestPages(through, signal)
  }

  /** Makes the copy known to its worker, with what it has to know to begin. Also after the worker was replaced. */
  openAtWorker(): void {
    if (!this.#isStarted) return
    const { copy, source, label, root, post } = this.#parts
    const logsDirectory = pathIn(root, 'logs')
    post({
      kind: 'open-copy',
      kept: {
        copy,
        sourceUrl: source.href,
        copyId: this.#opened.copyId,
        label,
        logsDirectory,
        inspectorDirectory: pathIn(logsDirectory, 'inspector'),
        format: this.#work.format,
      },
    })
  }

  /** The worker is gone, with all that was under way in it. */
  workerLost(fault: Fault): void {
    this.#work.workerStopped()
    this.#announced = false
    this.#tell({ kind: 'source-lost', fault })
    if (this.state.phase === 'running') this.#tell({ kind: 'inspection-failed', session: this.state.session, fault })
  }

  /** Another process may own the store now: everything stops until it can be taken again. */
  ownershipLost(error: ReplicationError): void {
    this.#parts.log.error({ storageGroup: this.name, error }, 'store-lock-lost')
    this.#opened.intents.markStale()
    this.#ownershipLost = true
    this.#replay.abandon(faultOf(error))
    this.#tell({ kind: 'store-failed', session: this.state.session, fault: faultOf(error) })
  }

  /** Takes in what the worker tells. */
  take(event: CopyEvent): void {
    if (this.#heldBack !== null && event.kind !== 'copying-stopped') this.#heldBack.push(event)
    else this.#takeNow(event)
  }

  /** Stops the I/O, finishes what was ordered and gives the store back. May be called twice. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const { held, intents, requests } = this.#opened
    requests.failAll(stopping(this.name))
    intents.giveUp()
    // No more facts, so no more orders: the worker gets nothing after it was told to close the copy.
    await this.#runner.close()
    await this.#work.stop()
    await this.#replay.stop()
    this.#replay.close()
    this.#parts.post({ kind: 'close-copy', copy: this.#parts.copy })
    this.#parts.events.raise(this.name, 2081, [])
    await intents.close()
    await held.release()
  }

  #takeNow(event: CopyEvent): void {
    if (event.kind === 'copying-stopped') this.#work.workerStopped()
    if (event.kind === 'log-copied') {
      this.tally.logs += 1
      this.tally.bytes += event.bytes
    }
    if (event.kind === 'logs-inspected') this.#parts.metrics.inspectedBatch(rangeLength(event.range))
    if (event.kind === 'logs-announced') this.#announced = true
    if (event.kind === 'source-connected' || event.kind === 'source-lost') this.#announced = false
    if (event.kind === 'source-connected') this.#connected({ format: event.format, store: event.store })
    const fact = replicaFactOf(event)
    if (fact !== null) this.#tell(fact)
  }

  #connected(offered: Offered): void {
    const offer = this.#work.offer(offered)
    if (offer === 'refused')
      this.#tell({ kind: 'source-refused', fault: faultOf(otherFormat(this.#parts.root, offered.format)) })
    // The store of a suspended copy is not made either; Resume looks at it anew and makes it then.
    else if (offer === 'known' || this.state.suspension !== null) this.#tell({ kind: 'source-connected' })
    else this.#adopt().catch(this.#parts.onCrash)
  }

  /** Makes a new store before the instance hears of its source: it would ask for logs at once. */
  async #adopt(): Promise<void> {
    this.#heldBack = []
    await this.#work.adopt(this.state.session)
    const heldBack = this.#heldBack
    this.#heldBack = null
    this.#tell({ kind: 'source-connected' })
    for (const late of heldBack) this.take(late)
  }

  #tell(fact: UntimedFact<ReplicaFact>): void {
    if ('fault' in fact) this.#lastFault = fact.fault
    // What was an Omit of one member of the union is that member again with its time.
    this.#runner.notice({ ...fact, nowMs: this.#parts.clock.nowMs() } as ReplicaFact)
  }

  /** An order that could not be done: the disk is at fault, so the store is looked at anew. Anything else is a crash. */
  #failureFact(error: unknown): ReplicaFact | null {
    if (!(error instanceof ReplicationError)) return null
    this.#lastFault = faultOf(error)
    return {
      kind: 'store-failed',
      session: this.state.session,
      fault: this.#lastFault,
      nowMs: this.#parts.clock.nowMs(),
    }
  }
}
