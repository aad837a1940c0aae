import type { Announcement, CopyReport, Fault } from '../engine/fact.ts'
import type { Generation, GenerationRange } from '../engine/generation.ts'
import type { Core } from './core.ts'
import type { CopyEnd, CopyLink, Served, SourceEnd, SourceLink } from './ports.ts'
import { damagedLog } from './toy-log.ts'

/** One way, in milliseconds: the shortest. */
const LATENCY_MS = 1
/** Sending one log, in milliseconds: 1 MiB at 1 GB/s. */
const LOG_SENDING_MS = 1
/** First and longest wait before a copy tries to connect again, in milliseconds; doubles. */
const RECONNECT_MS_MIN = 500
const RECONNECT_MS_MAX = 8_000
/** After a refusal, in milliseconds: the contract of the copy worker. */
const REFUSED_RETRY_MS = 30_000
/** A late message is at least and at most this late, in milliseconds. */
const LATE_MS_MIN = 500
const LATE_MS_MAX = 4_000
/** How long a dead connection looks alive, in milliseconds, at most. */
const DEAD_UNNOTICED_MS_MAX = 2_000

/**
 * The connection between one copy and its source, as TCP keeps it: what is sent arrives in order or the connection breaks, and
 * whatever was under way breaks with it. Breaking is noticed on both sides, each in its time.
 */
export class Link implements CopyLink, SourceLink {
  readonly #core: Core
  readonly #source: SourceEnd
  readonly #copy: CopyEnd
  phase: 'down' | 'introducing' | 'open' = 'down'
  isPartitioned = false
  /** Logs whose next transfers arrive damaged, each with how many. */
  readonly spoilt: Map<Generation, number> = new Map()
  /** Counts connections; what belongs to an older one arrives nowhere. */
  #connection = 0
  #failures = 0
  readonly #free = { toCopyMs: 0, toSourceMs: 0 }

  constructor(core: Core, source: SourceEnd, copy: CopyEnd) {
    this.#core = core
    this.#source = source
    this.#copy = copy
  }

  get copyId(): string {
    return this.#copy.copyId
  }

  get label(): string {
    return this.#copy.label
  }

  /** The copy's worker tries to connect; it goes on trying by itself. */
  connect(): void {
    if (!this.#copy.isUp || this.phase !== 'down') return
    if (this.isPartitioned || !this.#source.isUp) {
      this.#lostForCopy(unreachable('connect ECONNREFUSED'))
      return
    }
    this.phase = 'introducing'
    this.#connection++
    this.#free.toCopyMs = 0
    this.#free.toSourceMs = 0
    this.#toSource(() => this.#source.copyIntroduced(this))
  }

  get isOpen(): boolean {
    return this.phase === 'open'
  }

  accept(announcement: Announcement | null): void {
    if (this.phase !== 'introducing') return
    this.phase = 'open'
    this.#toCopy(() => {
      this.#failures = 0
      this.#copy.sourceConnected()
    })
    if (announcement !== null) this.announce(announcement)
  }

  refuse(message: string): void {
    if (this.phase === 'down') return
    this.#toCopy(() => {
      this.phase = 'down'
      this.#copy.sourceRefused({ code: 'STATE_REFUSED', message })
      this.#core.after(REFUSED_RETRY_MS, () => this.connect())
    })
  }

  announce(announcement: Announcement): void {
    if (this.phase !== 'open') return
    this.#toCopy(() => this.#copy.logsAnnounced(announcement))
    if (this.#core.strikes('duplicate-message')) this.#toCopy(() => this.#copy.logsAnnounced(announcement))
  }

  report(report: CopyReport): void {
    if (this.phase !== 'open') return
    this.#toSource(() => this.#source.copyReported(this, report))
    if (this.#core.strikes('duplicate-message')) this.#toSource(() => this.#source.copyReported(this, report))
  }

  request(session: number, range: GenerationRange): void {
    if (this.phase === 'open') this.#toSource(() => this.#serve(session, range))
  }

  /** The connection is gone. The copy notices at once, or never when it is dead; the source a little later. */
  break(fault: Fault): void {
    if (this.phase === 'down') return
    this.phase = 'down'
    const broken = this.#connection
    this.#core.after(this.#core.delay(LATENCY_MS), () => {
      // A copy that came back meanwhile has taken the place of its old connection.
      if (this.#connection === broken && this.phase === 'down') this.#source.copyLost(this)
    })
    if (this.#copy.isUp) this.#lostForCopy(fault)
  }

  /** No message gets through until {@link heal}; both sides notice after a while. */
  partition(): void {
    this.isPartitioned = true
    this.#breakSoon()
  }

  /** Messages get through again. */
  heal(): void {
    this.isPartitioned = false
  }

  #serve(session: number, { first, last }: GenerationRange): void {
    for (let g = first; g <= last; g = (g + 1) as Generation) {
      // g walks from one generation to another
      const served = this.#onTheWire(this.#source.serve(g))
      this.#toCopy(() => this.#copy.logArrived(session, g, served), LOG_SENDING_MS)
    }
  }

  #onTheWire(served: Served): Served {
    if (served.log === null || !(this.#spoils(served.log.generation) || this.#core.strikes('wire-flip'))) return served
    return { log: damagedLog(served.log, 'body'), fault: null }
  }

  #spoils(generation: Generation): boolean {
    const times = this.spoilt.get(generation) ?? 0
    if (times > 0) this.spoilt.set(generation, times - 1)
    return times > 0
  }

  #lostForCopy(fault: Fault): void {
    const waitMs = Math.min(RECONNECT_MS_MAX, RECONNECT_MS_MIN * 2 ** this.#failures)
    this.#failures = Math.min(this.#failures + 1, 8)
    this.#core.after(this.#core.delay(waitMs), () => this.connect())
    this.#copy.sourceLost(fault)
  }

  #breakSoon(): void {
    const connection = this.#connection
    this.#core.after(this.#core.choices.below(DEAD_UNNOTICED_MS_MAX), () => {
      if (this.#connection === connection) this.break(unreachable('the connection was reset'))
    })
  }

  #toCopy(arrive: () => void, busyMs = 0): void {
    const atMs = Math.max(this.#arrivalMs(), this.#free.toCopyMs + busyMs)
    this.#free.toCopyMs = atMs
    this.#send(atMs, arrive)
  }

  #toSource(arrive: () => void): void {
    const atMs = Math.max(this.#arrivalMs(), this.#free.toSourceMs)
    this.#free.toSourceMs = atMs
    this.#send(atMs, arrive)
  }

  #arrivalMs(): number {
    const core = this.#core
    const lateMs = core.strikes('late-message') ? LATE_MS_MIN + core.choices.below(LATE_MS_MAX - LATE_MS_MIN) : 0
    return core.nowMs + core.delay(LATENCY_MS) + lateMs
  }

  #send(atMs: number, arrive: () => void): void {
    if (this.isPartitioned) return
    if (this.#core.strikes('lost-message')) {
      this.#breakSoon()
      return
    }
    const connection = this.#connection
    this.#core.after(atMs - this.#core.nowMs, () => {
      const isAlive = this.#connection === connection && this.phase !== 'down' && !this.isPartitioned
      if (isAlive) arrive()
    })
  }
}

/** The fault of a source that cannot be reached. */
export function unreachable(message: string): Fault {
  return { code: 'NODE_UNREACHABLE', message }
}
