import type { CopiedLog, Fault, ReplicaFact } from '../engine/fact.ts'
import { type Generation, type GenerationRange, nextGeneration, previousGeneration } from '../engine/generation.ts'
import type { ReplicaOrder } from '../engine/order.ts'
import type { CopyDisk } from './copy-disk.ts'
import type { Core } from './core.ts'
import type { StrayLog } from './divergence-oracle.ts'
import type { FaultName } from './fault.ts'
import type { Served } from './ports.ts'
import type { LeftOut } from './rules.ts'
import { damagedLog, type ToyLog } from './toy-log.ts'

/** Shortest times of the copy's disk, in milliseconds: one sync of a file or directory, one unlink. */
const SYNC_MS = 1
const UNLINK_MS = 1
/** A look at the header of a log, in milliseconds. */
const LOOK_MS = 1
/** A scan of a small store, in milliseconds. */
const SCAN_MS = 2

type Order<Kind extends ReplicaOrder['kind']> = Extract<ReplicaOrder, { kind: Kind }>
type WorkOrder =
  | Order<'copy-logs' | 'compare-log' | 'discard-log' | 'stop-copying' | 'inspect-logs'>
  | Order<'quarantine-log' | 'set-aside-log' | 'check-store' | 'truncate-logs'>
  | Order<'identify-log' | 'match-log' | 'set-aside-diverged'>

/** What the work on a store needs from the process around it. */
export interface CopyWorkParts {
  readonly core: Core
  readonly disk: CopyDisk
  readonly leftOut: ReadonlySet<LeftOut>
  /** Plans something that does not happen if the process dies before. */
  readonly later: (delayMs: number, happen: () => void) => void
  readonly notice: (fact: ReplicaFact) => void
  /** Ends the process, with or without the machine's power. */
  readonly die: (isPowerCut: boolean) => void
  /** Called before each touch of the store. */
  readonly touch: (what: string) => void
  /** A log has got its final name. */
  readonly published: (generation: Generation) => void
  /** A scan has found no log at all. */
  readonly foundEmpty: () => void
  /** A log is about to be set aside, since it is another one than that of the source. */
  readonly strays: (log: StrayLog) => void
  /** A log is about to be deleted. */
  readonly deletes: (generation: Generation) => void
  /** Asks the source; false when it is not connected. */
  readonly request: (session: number, range: GenerationRange) => boolean
}

/** Everything that a copy does on its store, as the copy worker and the storage room do it. */
export class CopyWork {
  readonly #parts: CopyWorkParts
  /** Sessions of the logs that are asked for and have not arrived, by generation. */
  readonly #asked = new Map<Generation, number>()
  /** I/O under way; a stop waits until it is 0. */
  #inFlight = 0
  #whenQuiet: (() => void)[] = []
  #names = 0

  constructor(parts: CopyWorkParts) {
    this.#parts = parts
  }

  /** Begins an order. */
  perform(order: WorkOrder, done: () => void): 'begun' | 'awaited' {
    switch (order.kind) {
      case 'copy-logs':
        this.#copy(order.session, order.range)
        return 'begun'
      case 'compare-log':
        this.#copy(order.session, { first: order.generation, last: order.generation })
        return 'begun'
      case 'discard-log':
        this.#discard(order.log, done)
        return 'awaited'
      case 'stop-copying':
        this.#stop(done)
        return 'awaited'
      case 'inspect-logs':
        this.#inspect(order)
        return 'begun'
      case 'quarantine-log':
        this.#quarantine(order.log, done)
        return 'awaited'
      case 'set-aside-log':
        this.#setAside(order.generation, done)
        return 'awaited'
      case 'check-store':
        this.#check(order.session)
        return 'begun'
      case 'identify-log':
        this.#identify(order)
        return 'begun'
      case 'match-log':
        this.#match(order)
        return 'begun'
      case 'set-aside-diverged':
        this.#setAsideNext(order, order.range.last)
        return 'begun'
      case 'truncate-logs':
        this.#truncate(order.range)
        return 'begun'
    }
  }

  /** The process died: nothing is under way any more. */
  abandon(): void {
    this.#asked.clear()
    this.#inFlight = 0
    this.#whenQuiet = []
  }

  /** What was asked for and has not arrived will not arrive. */
  connectionLost(fault: Fault): void {
    const asked = [...this.#asked]
    this.#asked.clear()
    for (const [generation, session] of asked) this.#copyFailed(session, generation, fault)
  }

  /** The bytes of a log, or the source's refusal, are here. Nobody waits any more for what was stopped. */
  logArrived(session: number, generation: Generation, served: Served): void {
    if (this.#asked.get(generation) !== session) return
    this.#asked.delete(generation)
    const fault = served.fault ?? this.#parts.disk.writeFault
    if (fault !== null) this.#copyFailed(session, generation, fault)
    else if (served.log !== null) this.#land(session, generation, served.log)
  }

  #copy(session: number, range: GenerationRange): void {
    for (let g = range.first; g <= range.last; g = nextGeneration(g)) this.#asked.set(g, session)
    if (this.#parts.request(session, range)) return
    this.#parts.later(0, () => {
      for (let g = range.first; g <= range.last; g = nextGeneration(g)) {
        if (this.#asked.get(g) !== session) continue
        this.#asked.delete(g)
        this.#copyFailed(session, g, { code: 'NODE_UNREACHABLE', message: 'the connection was lost' })
      }
    })
  }

  #copyFailed(session: number, generation: Generation, fault: Fault): void {
    this.#parts.notice({ kind: 'copy-failed', nowMs: this.#parts.core.nowMs, session, generation, fault })
  }

  /** Writes, verifies and syncs one arrived log in `inspector/`. */
  #land(session: number, generation: Generation, served: ToyLog): void {
    const { core, disk } = this.#parts
    const log = core.strikes('short-write') ? damagedLog(served, 'torn') : served
    const arrivingName = `${generation}-${++this.#names}`
    const inode = { log, isSynced: false }
    this.#parts.touch('a log arriving')
    disk.inspector.link(arrivingName, inode)
    this.#io(core.delay(SYNC_MS), () => {
      const fault = disk.writeFault ?? this.#spotFault('sync-error', 'SYNC_FAILED', 'fdatasync failed')
      if (fault !== null) {
        this.#copyFailed(session, generation, fault)
        return
      }
      inode.isSynced = !this.#parts.leftOut.has('content-sync')
      const { identity, logTimeMs, damage } = log
      const copied: CopiedLog = {
        generation,
        name: `E00${generation}`,
        arrivingName,
        identity,
        logTimeMs,
        rejection: damage,
      }
      this.#parts.notice({ kind: 'log-copied', nowMs: core.nowMs, session, log: copied })
    })
  }

  #stop(done: () => void): void {
    this.#asked.clear()
    if (this.#inFlight === 0) this.#parts.later(0, done)
    else this.#whenQuiet.push(done)
  }

  /** Links in ascending order, unlinks the temporary names, then one sync of the directory. */
  #inspect({ session, logs }: Order<'inspect-logs'>): void {
    const { core, disk } = this.#parts
    const made: Generation[] = []
    this.#parts.touch('inspection')
    let fault = disk.writeFault ?? this.#spotFault('held-on-copy', 'FILE_HELD', 'another program holds the file')
    for (const log of logs) {
      if (fault !== null) break
      const isFresh = disk.logs.get(log.generation) === undefined
      fault = disk.publish(log)
      if (fault !== null) break
      this.#parts.published(log.generation)
      if (isFresh) made.push(log.generation)
    }
    this.#io(core.delay(SYNC_MS), () => {
      if (core.strikes('kill-publishing')) {
        this.#parts.die(core.choices.below(2) === 1)
        return
      }
      this.#parts.touch('the sync of an inspection')
      const failed = fault ?? disk.fault ?? this.#syncFault(made)
      if (failed === null && !this.#parts.leftOut.has('directory-sync')) disk.logs.sync()
      const [first, last] = [logs[0]?.generation, logs.at(-1)?.generation]
      if (failed !== null) this.#parts.notice({ kind: 'inspection-failed', nowMs: core.nowMs, session, fault: failed })
      else if (first !== undefined && last !== undefined)
        this.#parts.notice({ kind: 'logs-inspected', nowMs: core.nowMs, session, range: { first, last } })
    })
  }

  #syncFault(made: readonly Generation[]): Fault | null {
    const fault = this.#spotFault('sync-error', 'SYNC_FAILED', 'fsync of the directory failed')
    if (fault !== null) this.#parts.disk.takeBack(made)
    return fault
  }

  #quarantine({ arrivingName }: CopiedLog, done: () => void): void {
    const { core, disk } = this.#parts
    this.#io(core.delay(SYNC_MS), () => {
      this.#parts.touch('a quarantine')
      const log = disk.inspector.get(arrivingName)?.log
      if (disk.fault === null && log !== undefined) {
        disk.inspector.unlink(arrivingName)
        disk.quarantine.push(log)
      }
      done()
    })
  }

  #discard({ arrivingName }: CopiedLog, done: () => void): void {
    const { core, disk } = this.#parts
    this.#io(core.delay(UNLINK_MS), () => {
      this.#parts.touch('discarding a log')
      if (disk.fault === null) disk.inspector.unlink(arrivingName)
      done()
    })
  }

  #setAside(generation: Generation, done: () => void): void {
    const { core, disk } = this.#parts
    this.#io(core.delay(SYNC_MS), () => {
      this.#parts.touch('setting a log aside')
      if (disk.fault === null) disk.setAside(generation)
      done()
    })
  }

  #identify({ session, generation }: Order<'identify-log'>): void {
    const { core, disk } = this.#parts
    this.#io(core.delay(LOOK_MS), () => {
      this.#parts.touch('a look at a log')
      const identity = disk.isGone ? null : (disk.logs.get(generation)?.log.identity ?? null)
      this.#parts.notice({ kind: 'log-identified', nowMs: core.nowMs, session, generation, identity })
    })
  }

  #match({ session, log }: Order<'match-log'>): void {
    const { core, disk } = this.#parts
    this.#io(core.delay(LOOK_MS), () => {
      this.#parts.touch('a look at a log')
      const own = disk.isGone ? undefined : disk.logs.get(log.generation)?.log
      const theirs = disk.inspector.get(log.arrivingName)?.log
      const isSame = own === undefined || theirs === undefined || own.damage !== null || own === theirs
      this.#parts.notice({ kind: 'log-matched', nowMs: core.nowMs, session, log, isSame })
    })
  }

  /** The highest first. Whoever waits for quiet has it between two logs, and looks at the store anew afterwards. */
  #setAsideNext(order: Order<'set-aside-diverged'>, generation: Generation): void {
    const { core, disk } = this.#parts
    const { session, range } = order
    this.#io(core.delay(SYNC_MS), () => {
      if (this.#whenQuiet.length > 0) return
      this.#parts.touch('setting a diverged log aside')
      const fault = disk.writeFault ?? this.#spotFault('held-on-copy', 'FILE_HELD', 'another program holds the file')
      if (fault !== null) {
        this.#parts.notice({ kind: 'store-failed', nowMs: core.nowMs, session, fault })
        return
      }
      this.#parts.strays({ generation, first: range.first })
      disk.setAside(generation)
      if (generation === range.first) this.#check(session)
      else this.#setAsideNext(order, previousGeneration(generation))
    })
  }

  #check(session: number): void {
    const { core, disk } = this.#parts
    this.#io(core.delay(SCAN_MS), () => {
      this.#parts.touch('a scan')
      const fault = disk.fault ?? this.#spotFault('sync-error', 'SYNC_FAILED', 'fsync of the directory failed')
      if (fault !== null) {
        this.#parts.notice({ kind: 'store-failed', nowMs: core.nowMs, session, fault })
        return
      }
      const contents = disk.scan()
      if (contents.run === null) this.#parts.foundEmpty()
      this.#parts.notice({ kind: 'store-checked', nowMs: core.nowMs, session, contents })
    })
  }

  #truncate(range: GenerationRange): void {
    const { disk } = this.#parts
    this.#parts.touch('the edge of a deletion')
    const victims = disk.isGone ? [] : disk.logsThrough(range.last)
    if (!disk.isGone) disk.allowDeletionThrough(range.last)
    this.#inFlight++
    this.#deleteNext(range, victims, 0)
  }

  #deleteNext(range: GenerationRange, victims: readonly Generation[], at: number): void {
    const { core, disk } = this.#parts
    this.#parts.later(core.delay(UNLINK_MS), () => {
      this.#parts.touch('a deletion')
      const fault = disk.fault ?? this.#spotFault('held-on-copy', 'FILE_HELD', 'another program holds the file')
      const victim = victims[at]
      if (fault === null && victim !== undefined) {
        this.#parts.deletes(victim)
        disk.logs.unlink(victim)
        this.#deleteNext(range, victims, at + 1)
        return
      }
      if (!disk.isGone) disk.logs.sync()
      const alreadyMissing = Math.max(0, range.last - range.first + 1 - victims.length)
      if (fault !== null) this.#parts.notice({ kind: 'deletion-failed', nowMs: core.nowMs, range, fault })
      else this.#parts.notice({ kind: 'logs-deleted', nowMs: core.nowMs, range, alreadyMissing })
      this.#ioDone()
    })
  }

  #spotFault(name: FaultName, code: Fault['code'], message: string): Fault | null {
    return this.#parts.core.strikes(name) ? { code, message } : null
  }

  #io(delayMs: number, finish: () => void): void {
    this.#inFlight++
    this.#parts.later(delayMs, () => {
      finish()
      this.#ioDone()
    })
  }

  #ioDone(): void {
    // A process that died in the middle has no I/O left.
    if (this.#inFlight > 0) this.#inFlight--
    if (this.#inFlight > 0) return
    const waiting = this.#whenQuiet
    this.#whenQuiet = []
    for (const done of waiting) done()
  }
}
