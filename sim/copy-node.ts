import type { Announcement, Fault, ReplicaFact } from '../engine/fact.ts'
import type { Generation } from '../engine/generation.ts'
import { brokenGuarantee, replicaGuarantees } from '../engine/guarantee.ts'
import type { ReplicaOrder } from '../engine/order.ts'
import { type ReplicaState, startReplica } from '../engine/replication/replica-state.ts'
import type { StandbyOptions } from '../engine/replication/standby-lag.ts'
import { CopyDisk } from './copy-disk.ts'
import { CopyWork, type CopyWorkParts } from './copy-work.ts'
import type { Core } from './core.ts'
import type { Oracle } from './oracle.ts'
import { OrderQueue } from './order-queue.ts'
import type { CopyEnd, CopySight, Served, SourceLink } from './ports.ts'
import { ReplayWork, type ReplayWorkParts } from './replay-work.ts'
import type { Rules } from './rules.ts'
import { sawReplicaStep } from './situations.ts'
import { factLine, orderLine } from './trace.ts'

/** How long a process takes to start, in milliseconds. */
const START_MS = 50
/** How long after its end a process is started again, in milliseconds, at least. */
const RESTART_MS = 300
/** Wait before a start that failed at the disk is tried again, in milliseconds. */
const START_RETRY_MS = 1_000
/** A record in the journal, synced, in milliseconds. */
const JOURNAL_MS = 1

/** What a copy is made of. */
export interface CopyParts {
  readonly core: Core
  readonly oracle: Oracle
  readonly rules: Rules
  readonly copyId: string
  readonly label: string
  /** Its lags when it is a standby target. */
  readonly standby: StandbyOptions | null
  /** Checks the guarantees at every step; off only where speed alone is measured. */
  readonly isGuarded: boolean
}

/** The holding side: one process with one instance over one disk. It can be killed at any moment and starts again. */
export class CopyNode implements CopyEnd, CopySight {
  readonly disk: CopyDisk
  readonly copyId: string
  readonly label: string
  state: ReplicaState
  condition: 'down' | 'starting' | 'up' = 'down'
  /** False while somebody wants the process to stay down after its end. */
  restartsByItself = true
  readonly #parts: CopyParts
  readonly #orders: OrderQueue<ReplicaOrder>
  readonly #work: CopyWork
  readonly #replay: ReplayWork | null
  #link: SourceLink | null = null
  /** Raised at each death; what an older life planned does not happen. */
  #life = 0
  readonly #onDeath: (() => void)[] = []

  constructor(parts: CopyParts) {
    this.#parts = parts
    this.copyId = parts.copyId
    this.label = parts.label
    const { replays } = parts.core.scenario
    this.disk = new CopyDisk({ syncsBeforeScan: !parts.rules.leftOut.has('scan-sync'), replays })
    this.state = this.#unstarted()
    this.#orders = new OrderQueue((order, done) => this.#perform(order, done))
    this.#work = new CopyWork(this.#workParts())
    const { database } = this.disk
    this.#replay = database === null ? null : new ReplayWork({ ...this.#replayParts(), database })
  }

  get standby(): StandbyOptions | null {
    return this.#parts.standby
  }

  get isUp(): boolean {
    return this.condition === 'up'
  }

  /** Whether everything that the instance has ordered was begun, and what is awaited is done. */
  get isIdle(): boolean {
    return this.#orders.isIdle
  }

  get logs(): CopyDisk['logs'] {
    return this.disk.logs
  }

  get inspector(): CopyDisk['inspector'] {
    return this.disk.inspector
  }

  get database(): CopyDisk['database'] {
    return this.disk.database
  }

  /** Connects the copy to its source, once, before {@link start}. */
  plugIn(link: SourceLink): void {
    this.#link = link
  }

  /** Lets somebody hear of each death of the process. */
  whenDead(told: () => void): void {
    this.#onDeath.push(told)
  }

  /** Starts the process: reads the journal, scans the store unless it is suspended, then connects. */
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
    this.#work.abandon()
    this.#replay?.abandon()
    if (isPowerCut) this.disk.losePower(core.choices, core.scenario.survival)
    this.state = this.#unstarted()
    oracle.copyDied(this, this.disk.truncatedBelow)
    for (const told of this.#onDeath) told()
    core.after(core.delay(RESTART_MS), () => {
      if (this.restartsByItself) this.start()
    })
  }

  /** Takes a fact in, checks what came of it, and sets about the orders. */
  notice(fact: ReplicaFact): void {
    const { core, oracle, rules, isGuarded, label } = this.#parts
    if (this.condition !== 'up' || core.violation !== null) return
    const before = this.state
    core.tell?.(core.line(label, `< ${factLine(fact)}`))
    const [after, orders] = rules.stepReplica(before, fact)
    this.state = after
    core.steps++
    if (core.tell !== null) for (const order of orders) core.tell(core.line(label, `> ${orderLine(order)}`))
    if (isGuarded) {
      const broken = brokenGuarantee(replicaGuarantees, { before, fact, after, orders })
      if (broken !== null) core.fail('guarantee', `${label}: ${broken}`)
      sawReplicaStep(core.seen, { before, fact, after, orders })
    }
    if (isGuarded) {
      oracle.checkSuspensions()
      oracle.checkStatus(this)
      oracle.divergence.found(this, { before, orders })
    }
    this.#orders.give(orders)
  }

  sourceConnected(): void {
    this.notice({ kind: 'source-connected', nowMs: this.#parts.core.nowMs })
  }

  sourceLost(fault: Fault): void {
    this.#work.connectionLost(fault)
    this.notice({ kind: 'source-lost', nowMs: this.#parts.core.nowMs, fault })
  }

  sourceRefused(fault: Fault): void {
    this.#work.connectionLost(fault)
    this.notice({ kind: 'source-refused', nowMs: this.#parts.core.nowMs, fault })
  }

  logsAnnounced(announcement: Announcement): void {
    this.notice({ kind: 'logs-announced', nowMs: this.#parts.core.nowMs, announcement })
  }

  logArrived(session: number, generation: Generation, served: Served): void {
    this.#work.logArrived(session, generation, served)
  }

  #unstarted(): ReplicaState {
    const { standby, core } = this.#parts
    const { replays, release = 'sp1' } = core.scenario
    return startReplica(this.label, { replays, release, ...(standby && { standby }) })
  }

  #boot(): void {
    const { core, oracle } = this.#parts
    const { suspension, fault } = this.disk
    if (suspension === null && fault !== null) {
      this.#later(START_RETRY_MS, () => this.#boot())
      return
    }
    if (suspension === null) oracle.touched(this.copyId, 'the scan at start')
    const contents = suspension === null ? this.disk.scan() : null
    if (contents !== null && contents.run === null) oracle.foundEmpty(this.copyId)
    this.condition = 'up'
    this.notice({ kind: 'copy-started', nowMs: core.nowMs, contents, suspension, stream: this.disk.stream })
    this.#link?.connect()
  }

  #perform(order: ReplicaOrder, done: () => void): 'begun' | 'awaited' {
    const { core, oracle } = this.#parts
    switch (order.kind) {
      case 'record-suspension':
        return this.#record(() => (this.disk.suspension = order.suspension), done)
      case 'record-stream':
        return this.#record(() => (this.disk.stream = order.stream), done)
      case 'report-progress':
        oracle.copyReports(this, order.report)
        this.#link?.report(order.report)
        return 'begun'
      case 'answer-operator':
        oracle.operatorAnswered(order)
        return 'begun'
      case 'wake-at':
        this.#later(Math.max(0, order.atMs - core.nowMs), () => this.notice({ kind: 'time-passed', nowMs: core.nowMs }))
        return 'begun'
      case 'raise-event':
        core.raise(this.label, order)
        return 'begun'
      case 'open-database':
      case 'replay-logs':
      case 'stop-replaying':
      case 'abandon-database':
        return this.#replay?.perform(order, done) ?? 'begun'
      default:
        return this.#work.perform(order, done)
    }
  }

  /** A journal that cannot be written ends the process: nothing may go on that the next start would not know of. */
  #record(write: () => void, done: () => void): 'awaited' {
    const { core } = this.#parts
    this.#later(core.delay(JOURNAL_MS), () => {
      if (this.disk.isFull) {
        this.die(false)
        return
      }
      write()
      done()
    })
    return 'awaited'
  }

  /** Plans something for this life of the process. */
  #later(delayMs: number, happen: () => void): void {
    const life = this.#life
    this.#parts.core.after(delayMs, () => {
      if (this.#life === life) happen()
    })
  }

  #replayParts(): Omit<ReplayWorkParts, 'database'> {
    const { core, oracle, rules } = this.#parts
    return {
      core,
      disk: this.disk,
      leftOut: rules.leftOut,
      later: (delayMs, happen) => this.#later(delayMs, happen),
      notice: (fact) => this.notice(fact),
      touch: (what) => oracle.touched(this.copyId, what),
      opens: () => oracle.seeds.opens(this),
      makesAnew: () => oracle.replay.excuse(this.copyId),
      misses: (generation) => oracle.divergence.misses(this, generation),
      redoes: (generation) => oracle.replay.redoes(this, generation),
      wasTrue: (log) => oracle.wasTrue(log),
    }
  }

  #workParts(): CopyWorkParts {
    const { core, oracle, rules } = this.#parts
    return {
      core,
      leftOut: rules.leftOut,
      disk: this.disk,
      later: (delayMs, happen) => this.#later(delayMs, happen),
      notice: (fact) => this.notice(fact),
      die: (isPowerCut) => this.die(isPowerCut),
      touch: (what) => oracle.touched(this.copyId, what),
      foundEmpty: () => oracle.foundEmpty(this.copyId),
      published: (generation) => oracle.published(this, generation),
      strays: (log) => oracle.copyStrays(this, log),
      deletes: (generation) => oracle.copyUnlinks(this, generation),
      request: (session, range) => {
        if (this.#link?.isOpen !== true) return false
        this.#link.request(session, range)
        return true
      },
    }
  }
}
