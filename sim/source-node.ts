import type { Announcement, CopyReport, Fault, SourceFact } from '../engine/fact.ts'
import { type Generation, type GenerationRange, NO_GENERATION, nextGeneration } from '../engine/generation.ts'
import { brokenGuarantee, sourceGuarantees } from '../engine/guarantee.ts'
import type { SourceOrder } from '../engine/order.ts'
import { withFinished } from '../engine/source/backup-session.ts'
import { type SourceState, startSource } from '../engine/source/source-state.ts'
import type { Core } from './core.ts'
import type { Oracle } from './oracle.ts'
import { OrderQueue } from './order-queue.ts'
import type { CopyLink, Served, SourceEnd } from './ports.ts'
import type { StepSource } from './rules.ts'
import { sawSourceStep } from './situations.ts'
import { SourceDisk } from './source-disk.ts'
import type { ToyLog } from './toy-log.ts'
import { factLine, orderLine } from './trace.ts'

/** How long the process takes to start, and the least time after its end before it is started again, in milliseconds. */
const START_MS = 50
const RESTART_MS = 300
/** Shortest times of the disk, in milliseconds. */
const JOURNAL_MS = 1
const UNLINK_MS = 1
const ROLL_MS = 2
const SCAN_MS = 1
/** How long after a log was closed the watcher tells, in milliseconds, at least. */
const HINT_MS = 1
/** The directory is read again this often, in milliseconds, whatever the watcher tells. */
const RESCAN_MS = 5_000

/** Orders that the journal carries out. */
type JournalOrder = Extract<
  SourceOrder,
  { kind: 'record-mark' | 'record-enrolment' | 'record-disablement' | 'record-truncation' | 'record-restore' }
>

/** What a source is made of. */
export interface SourceParts {
  readonly core: Core
  readonly oracle: Oracle
  readonly step: StepSource
  readonly isGuarded: boolean
}

/** The source side: one process with one instance over the directory that a writer fills. */
export class SourceNode implements SourceEnd {
  readonly disk: SourceDisk = new SourceDisk()
  state: SourceState
  condition: 'down' | 'starting' | 'up' = 'down'
  /** False while somebody wants the process to stay down after its end. */
  restartsByItself = true
  readonly #parts: SourceParts
  readonly #orders: OrderQueue<SourceOrder>
  /** Connections that introduced themselves and were not lost, by copy. */
  readonly #links = new Map<string, CopyLink>()
  /** What the share tells a copy that subscribes. */
  #latest: Announcement | null = null
  /** Closes the open log of the store: set by whoever writes the logs. Answers which one it was. */
  closeLog: () => Generation = () => NO_GENERATION
  #scanIsDue = false
  #life = 0
  /** Whoever has to hear that the process died: the connections break. */
  readonly #onDeath: (() => void)[] = []

  constructor(parts: SourceParts) {
    this.#parts = parts
    const { copiesExpected, passiveGate, activeLag, circular = false } = parts.core.scenario
    const active = activeLag === null ? 'external' : circular ? 'circular' : 'mailbox'
    this.state = startSource('SG1', { copiesExpected, passiveGate, active })
    this.#orders = new OrderQueue((order, done) => this.#perform(order, done))
  }

  get isUp(): boolean {
    return this.condition === 'up'
  }

  /** Lets somebody hear of each death of the process. */
  whenDead(told: () => void): void {
    this.#onDeath.push(told)
  }

  /** Starts the process: reads the journal, then the directory. */
  start(): void {
    if (this.condition !== 'down') return
    this.condition = 'starting'
    this.#later(START_MS, () => this.#boot())
  }

  /** Ends the process at once, with or without the machine's power. It starts again by itself. */
  die(isPowerCut: boolean): void {
    if (this.condition === 'down') return
    const { core, oracle } = this.#parts
    this.#life++
    this.condition = 'down'
    this.#orders.clear()
    this.#links.clear()
    this.#latest = null
    this.#scanIsDue = false
    oracle.backups.forget()
    if (isPowerCut) this.disk.logs.losePower(core.choices, core.scenario.survival)
    this.disk.forgetExtent()
    this.state = startSource(this.state.name, this.state.options)
    for (const told of this.#onDeath) told()
    core.after(core.delay(RESTART_MS), () => {
      if (this.restartsByItself) this.start()
    })
  }

  /** Takes a fact in, checks what came of it, and sets about the orders. */
  notice(fact: SourceFact): void {
    const { core, step, isGuarded } = this.#parts
    if (this.condition !== 'up' || core.violation !== null) return
    const before = this.state
    core.tell?.(core.line('source', `< ${factLine(fact)}`))
    const [after, orders] = step(before, fact)
    this.state = after
    core.steps++
    if (core.tell !== null) for (const order of orders) core.tell(core.line('source', `> ${orderLine(order)}`))
    if (isGuarded) {
      const broken = brokenGuarantee(sourceGuarantees, { before, fact, after, orders })
      if (broken !== null) core.fail('guarantee', `source: ${broken}`)
      sawSourceStep(core.seen, { before, fact, after, orders })
    }
    this.#orders.give(orders)
  }

  /** Nothing is being recorded or deleted: the service is up, and its logs may be exchanged. */
  get isAtRest(): boolean {
    const { truncating, session } = this.state
    const isQuiet = this.isUp && this.#orders.isIdle && truncating === null && session === null
    return isQuiet && !this.disk.isGone && !this.disk.isFull
  }

  /** The logs are those of a backup now, which ends with this one. */
  restored(last: ToyLog): void {
    const { core } = this.#parts
    this.disk.restore(last)
    const closed = this.disk.scan()
    this.notice({ kind: 'stream-restored', nowMs: core.nowMs, closed, truncatedBelow: NO_GENERATION, mark: null })
    if (this.disk.required !== null) this.checkpointed(this.disk.required)
  }

  /** Something changed in the directory: the watcher may tell. */
  directoryChanged(): void {
    const { core } = this.#parts
    if (!core.strikes('lost-hint')) this.#scanSoon(HINT_MS)
  }

  /** The mailbox store, which lives in the same process, has moved its checkpoint. */
  checkpointed(required: Generation): void {
    this.notice({ kind: 'store-checkpointed', nowMs: this.#parts.core.nowMs, required })
  }

  copyIntroduced(link: CopyLink): void {
    const { copyId, label } = link
    this.#links.set(copyId, link)
    this.notice({ kind: 'copy-enrolled', nowMs: this.#parts.core.nowMs, copy: { copyId, label } })
  }

  copyReported(link: CopyLink, report: CopyReport): void {
    const { core, oracle } = this.#parts
    if (this.#links.get(link.copyId) !== link || !this.isUp) return
    oracle.acknowledged(link.copyId, report)
    this.notice({ kind: 'copy-reported', nowMs: core.nowMs, copyId: link.copyId, report })
  }

  copyLost(link: CopyLink): void {
    if (this.#links.get(link.copyId) !== link) return
    this.#links.delete(link.copyId)
    this.notice({ kind: 'copy-lost', nowMs: this.#parts.core.nowMs, copyId: link.copyId })
  }

  serve(generation: Generation): Served {
    const refused = (code: Fault['code'], message: string): Served => ({ log: null, fault: { code, message } })
    if (this.disk.isGone) return refused('READ_FAILED', 'the log directory of the source is gone')
    if (this.disk.held.has(generation)) return refused('FILE_HELD', `log ${generation} is held by another program`)
    const inode = this.disk.logs.get(generation)
    if (inode === undefined) return refused('LOG_MISSING', `log ${generation} is not there`)
    return { log: this.disk.asRead(inode.log), fault: null }
  }

  #boot(): void {
    const { core } = this.#parts
    const { required, backups: history } = this.disk
    const { enrolled, disabled, mark, truncatedBelow, stream, takenOver } = this.disk
    this.condition = 'up'
    const moved = takenOver === null ? {} : { takenOver }
    const known = { enrolled, disabled, mark, truncatedBelow, history, stream, ...moved }
    this.notice({ kind: 'share-started', nowMs: core.nowMs, ...known })
    if (required !== null) this.checkpointed(required)
    this.#scanSoon(SCAN_MS)
    this.#rescanLater()
  }

  #rescanLater(): void {
    this.#later(RESCAN_MS, () => {
      this.#scanSoon(SCAN_MS)
      this.#rescanLater()
    })
  }

  #scanSoon(leastMs: number): void {
    if (this.#scanIsDue || this.condition !== 'up') return
    this.#scanIsDue = true
    const { core } = this.#parts
    this.#later(core.delay(leastMs), () => {
      this.#scanIsDue = false
      const fault: Fault = { code: 'DIRECTORY_MISSING', message: 'the log directory of the source is gone' }
      if (this.disk.isGone) this.notice({ kind: 'directory-lost', nowMs: core.nowMs, fault })
      else this.notice({ kind: 'directory-scanned', nowMs: core.nowMs, closed: this.disk.scan() })
    })
  }

  #perform(order: SourceOrder, done: () => void): 'begun' | 'awaited' {
    switch (order.kind) {
      case 'record-mark':
      case 'record-enrolment':
      case 'record-disablement':
      case 'record-restore':
      case 'record-truncation':
        return this.#record(order, done)
      default:
        this.#begin(order)
        return 'begun'
    }
  }

  #begin(order: Exclude<SourceOrder, JournalOrder>): void {
    const { core, oracle } = this.#parts
    switch (order.kind) {
      case 'announce':
        this.#latest = order.announcement
        for (const link of this.#links.values()) link.announce(order.announcement)
        return
      case 'accept-copy':
        oracle.accepted(order.copyId)
        this.#links.get(order.copyId)?.accept(this.#latest)
        return
      case 'refuse-copy':
        this.#refuse(order.copyId, order.message)
        return
      case 'scan-directory':
        this.#scanSoon(SCAN_MS)
        return
      case 'prepare-backup':
        this.#later(core.delay(ROLL_MS), () => this.#prepareBackup(order.session.id))
        return
      case 'record-backup':
        this.#later(core.delay(JOURNAL_MS), () => this.#recordBackup(order))
        return
      case 'release-backup':
        oracle.backups.ended(order.session)
        return
      case 'truncate-logs':
        this.#deleteNext(order.range, order.range.first, 0)
        return
      case 'answer-operator':
        oracle.operatorAnswered(order)
        return
      case 'wake-at':
        this.#later(Math.max(0, order.atMs - core.nowMs), () => this.notice({ kind: 'time-passed', nowMs: core.nowMs }))
        return
      case 'raise-event':
        core.raise('source', order)
        return
    }
  }

  #refuse(copyId: string, message: string): void {
    this.#links.get(copyId)?.refuse(message)
    this.#links.delete(copyId)
  }

  /** A journal that cannot be written ends the process. */
  #record(order: JournalOrder, done: () => void): 'awaited' {
    this.#later(this.#parts.core.delay(JOURNAL_MS), () => {
      if (this.disk.isFull) {
        this.die(false)
        return
      }
      this.#write(order)
      done()
    })
    return 'awaited'
  }

  #write(order: JournalOrder): void {
    const { disk } = this
    switch (order.kind) {
      case 'record-mark':
        disk.mark = order.mark
        return
      case 'record-enrolment':
        disk.enrolled = [...disk.enrolled.filter(({ copyId }) => copyId !== order.copy.copyId), order.copy]
        return
      case 'record-disablement':
        disk.enrolled = disk.enrolled.filter(({ copyId }) => copyId !== order.copyId)
        disk.disabled = [...disk.disabled, order.copyId]
        return
      case 'record-truncation':
        disk.truncatedBelow = order.below
        return
      case 'record-restore':
        disk.stream = order.stream
        disk.truncatedBelow = order.truncatedBelow
        disk.mark = order.mark
        return
    }
  }

  /** The store closes its log for a backup; another program's logs are taken as they are. */
  #prepareBackup(session: number): void {
    const { nowMs } = this.#parts.core
    const { required, isFull, isGone } = this.disk
    if (isFull || isGone) {
      const fault: Fault = { code: 'DISK_FULL', message: 'the log cannot be rolled' }
      this.notice({ kind: 'backup-broken', nowMs, session, fault })
      return
    }
    const closed = required === null ? this.state.generated : this.closeLog()
    const checkpoint = this.disk.required ?? NO_GENERATION
    this.notice({ kind: 'backup-prepared', nowMs, session, closed, checkpoint })
  }

  #recordBackup({ session, backup }: Extract<SourceOrder, { kind: 'record-backup' }>): void {
    if (this.disk.isFull) {
      this.die(false)
      return
    }
    this.disk.backups = withFinished(this.disk.backups, backup)
    this.#parts.oracle.backups.recorded(session)
    this.notice({ kind: 'backup-recorded', nowMs: this.#parts.core.nowMs, session })
    if (backup.surrogate && this.disk.required !== null && !this.disk.isGone) this.closeLog()
  }

  #deleteNext(range: GenerationRange, at: Generation, alreadyMissing: number): void {
    const { core, oracle } = this.#parts
    this.#later(core.delay(UNLINK_MS), () => {
      const fault = this.#deletionFault(at)
      if (fault !== null || at > range.last) {
        if (!this.disk.isGone) this.disk.logs.sync()
        if (fault !== null) this.notice({ kind: 'deletion-failed', nowMs: core.nowMs, range, fault })
        else this.notice({ kind: 'logs-deleted', nowMs: core.nowMs, range, alreadyMissing })
        return
      }
      const isMissing = this.disk.logs.get(at) === undefined
      oracle.sourceUnlinks(at, range)
      this.disk.unlink(at)
      this.#deleteNext(range, nextGeneration(at), alreadyMissing + (isMissing ? 1 : 0))
    })
  }

  #deletionFault(at: Generation): Fault | null {
    if (this.disk.isGone) return { code: 'DIRECTORY_MISSING', message: 'the log directory of the source is gone' }
    if (!this.disk.held.has(at)) return null
    return { code: 'FILE_HELD', message: `log ${at} is held by another program` }
  }

  #later(delayMs: number, happen: () => void): void {
    const life = this.#life
    this.#parts.core.after(delayMs, () => {
      if (this.#life === life) happen()
    })
  }
}
