import type { ReplayFault, ReplicaFact } from '../engine/fact.ts'
import { type Generation, NO_GENERATION, nextGeneration } from '../engine/generation.ts'
import type { ReplicaOrder } from '../engine/order.ts'
import type { CopyDisk } from './copy-disk.ts'
import type { Core } from './core.ts'
import type { LeftOut } from './rules.ts'
import type { ToyDatabase } from './toy-database.ts'
import type { ToyLog } from './toy-log.ts'

/** Shortest times, in milliseconds: opening a database, redoing a log, writing pages and header. */
const OPEN_MS = 2
const REDO_MS = 2
const FLUSH_MS = 2
/** Logs whose pages stay in memory at the end of a batch, unless the scenario says otherwise: the toy's checkpoint depth. */
const CHECKPOINT_LAG_LOGS = 2
/** A database that nothing was replayed into for so long is written out, in milliseconds. */
const IDLE_MS = 1_000
/** Progress is told at each log whose number this divides, besides the end of a batch. */
const TELL_EVERY_LOGS = 4

type Order<Kind extends ReplicaOrder['kind']> = Extract<ReplicaOrder, { kind: Kind }>
type ReplayOrder = Order<'open-database' | 'replay-logs' | 'stop-replaying' | 'abandon-database'>

/** What the work on a database needs from the process around it. */
export interface ReplayWorkParts {
  readonly core: Core
  readonly disk: CopyDisk
  readonly database: ToyDatabase
  readonly leftOut: ReadonlySet<LeftOut>
  /** Plans something that does not happen if the process dies before. */
  readonly later: (delayMs: number, happen: () => void) => void
  readonly notice: (fact: ReplicaFact) => void
  /** Called before each touch of the database. */
  readonly touch: (what: string) => void
  /** The database is about to be opened. */
  readonly opens: () => void
  /** The database that was lost is about to be made anew. */
  readonly makesAnew: () => void
  /** A log is about to be redone. */
  readonly redoes: (generation: Generation) => void
  /** A log is about to be redone into pages of another history. */
  readonly misses: (generation: Generation) => void
  /** Whether a log is what its source has closed: a database knows a log of another history. */
  readonly wasTrue: (log: ToyLog) => boolean
}

/** Everything that a copy does on its database, as a replay worker does it. */
export class ReplayWork {
  readonly #parts: ReplayWorkParts
  #isStopping = false
  #inFlight = 0
  #whenQuiet: (() => void)[] = []
  /** Raised with each order: a look at an idle database that was planned before does not happen. */
  #round = 0

  constructor(parts: ReplayWorkParts) {
    this.#parts = parts
  }

  /** Begins an order. */
  perform(order: ReplayOrder, done: () => void): 'begun' | 'awaited' {
    this.#round++
    const { database } = this.#parts
    switch (order.kind) {
      case 'open-database':
        this.#open(order.session)
        return 'begun'
      case 'replay-logs':
        database.expect(order.range.last)
        this.#redoNext(order, order.range.first)
        return 'begun'
      case 'stop-replaying':
        this.#stop(done)
        return 'awaited'
      case 'abandon-database':
        this.#whenAtRest(() => {
          database.close()
          done()
        })
        return 'awaited'
    }
  }

  /** The process died: nothing is under way any more. */
  abandon(): void {
    this.#round++
    this.#isStopping = false
    this.#inFlight = 0
    this.#whenQuiet = []
    this.#parts.database.close()
  }

  #open(session: number): void {
    const { core, database, disk } = this.#parts
    this.#io(core.delay(OPEN_MS), () => {
      this.#parts.touch('the opening of the database')
      if (disk.fault !== null) {
        const fault = { ...disk.fault, eseError: 0, generation: NO_GENERATION }
        this.#parts.notice({ kind: 'replay-failed', nowMs: core.nowMs, session, fault })
        return
      }
      if (database.isLost && !database.isOpen) this.#parts.makesAnew()
      this.#parts.opens()
      database.open()
      this.#parts.notice({ kind: 'database-opened', nowMs: core.nowMs, session, progress: database.progress })
    })
  }

  /** One log after the other; a stop takes effect between two of them. */
  #redoNext({ session, range }: Order<'replay-logs'>, at: Generation): void {
    const { core, database, disk } = this.#parts
    this.#io(core.delay(REDO_MS), () => {
      if (this.#isStopping) return
      this.#parts.touch('a replay')
      const fault = this.#faultAt(at)
      if (fault !== null) {
        // What was not in the file is redone after the next opening.
        database.close()
        this.#parts.notice({ kind: 'replay-failed', nowMs: core.nowMs, session, fault })
        return
      }
      this.#parts.redoes(at)
      const log = disk.logs.get(at)?.log
      if (log !== undefined) database.redo(log)
      if (at === range.last) this.#endBatch(session)
      else {
        if (at % TELL_EVERY_LOGS === 0) this.#tell('logs-replayed', session)
        this.#redoNext({ kind: 'replay-logs', session, range }, nextGeneration(at))
      }
    })
  }

  #endBatch(session: number): void {
    this.#io(this.#parts.core.delay(FLUSH_MS), () => {
      if (this.#isStopping) return
      this.#parts.touch('the end of a batch')
      const { copyLag = CHECKPOINT_LAG_LOGS, idles = true } = this.#parts.core.scenario
      this.#checkpoint(copyLag)
      const round = this.#round
      if (idles)
        this.#parts.later(IDLE_MS, () => {
          if (this.#round === round) this.#writeOut(session)
        })
      this.#tell('logs-replayed', session)
    })
  }

  #writeOut(session: number): void {
    const { database, disk } = this.#parts
    if (!database.isOpen || disk.isGone) return
    this.#parts.touch('writing out the database')
    this.#checkpoint(0)
    this.#tell('checkpoint-moved', session)
  }

  #stop(done: () => void): void {
    const { core, database, disk } = this.#parts
    this.#whenAtRest(() => {
      if (database.isOpen && !disk.isGone) {
        this.#checkpoint(0)
        this.#parts.notice({ kind: 'replay-stopped', nowMs: core.nowMs, progress: database.progress })
      }
      done()
    })
  }

  #whenAtRest(then: () => void): void {
    this.#isStopping = true
    const rested = (): void => {
      this.#isStopping = false
      then()
    }
    if (this.#inFlight === 0) this.#parts.later(0, rested)
    else this.#whenQuiet.push(rested)
  }

  #checkpoint(lag: number): void {
    this.#parts.database.checkpoint(lag, !this.#parts.leftOut.has('database-flush'))
  }

  #tell(kind: 'logs-replayed' | 'checkpoint-moved', session: number): void {
    const { core, database } = this.#parts
    this.#parts.notice({ kind, nowMs: core.nowMs, session, progress: database.progress })
  }

  #faultAt(generation: Generation): ReplayFault | null {
    const { core, database, disk } = this.#parts
    const failed = (eseError: number, code: ReplayFault['code'], message: string): ReplayFault => {
      return { eseError, code, message, generation }
    }
    if (disk.fault !== null) return failed(0, disk.fault.code, disk.fault.message)
    const error = database.meetError()
    if (error !== null) return failed(error.eseError, 'DATABASE_REJECTED', error.message)
    if (core.strikes('replay-fails')) return failed(-1022, 'WRITE_FAILED', 'the database cannot be written')
    const log = disk.logs.get(generation)?.log
    if (log === undefined) return failed(-543, 'LOG_MISSING', 'a required log is not there')
    if (log.damage !== null) return failed(-501, 'LOG_REJECTED', log.damage.detail)
    if (!this.#parts.wasTrue(log)) return failed(-551, 'STREAM_MISMATCH', 'the log is one of another history')
    if (!this.#fits(log)) return failed(-567, 'STREAM_MISMATCH', 'a page is newer than the log that changes it')
    return null
  }

  /** Whether the pages are those for which the log was made. A real log that changes other pages than the one in its place does not tell. */
  #fits(log: ToyLog): boolean {
    const { database } = this.#parts
    const fits = database.continues(log) && !database.contradicts(log)
    if (!fits) this.#parts.misses(log.generation)
    return fits
  }

  #io(delayMs: number, finish: () => void): void {
    this.#inFlight++
    this.#parts.later(delayMs, () => {
      finish()
      if (this.#inFlight > 0) this.#inFlight--
      if (this.#inFlight > 0) return
      const waiting = this.#whenQuiet
      this.#whenQuiet = []
      for (const rested of waiting) rested()
    })
  }
}
