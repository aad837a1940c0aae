import type { EventOrder } from '../engine/order.ts'
import { type Choices, PER_MILLE } from './choices.ts'
import { EventQueue } from './event-queue.ts'
import type { FaultName, Scenario } from './fault.ts'

/** Virtual time at which every world begins, in milliseconds. Not 0, which the engine reads as "never". */
export const WORLD_STARTS_MS = 1_000

/** A promise that did not hold, and when. */
export interface Violation {
  /** Name of the invariant or guarantee. */
  readonly what: string
  readonly detail: string
  readonly atMs: number
}

/** What all parts of a world share: the clock, the queue, the choices, what was seen and what was broken. */
export class Core {
  readonly scenario: Scenario
  readonly choices: Choices
  nowMs: number = WORLD_STARTS_MS
  /** Off in phase two: then nothing strikes any more. */
  areFaultsOn = true
  violation: Violation | null = null
  /** Named situations that this run has met. */
  readonly seen: Set<string> = new Set<string>()
  /** Takes lines of the trace; null costs nothing. */
  readonly tell: ((line: string) => void) | null
  /** Told of each event for the event log: who raised it, its number, its values. */
  onEvent: ((who: string, order: EventOrder) => void) | null = null
  /** Steps of the engine, both sides. */
  steps = 0
  /** Happenings so far. */
  happenings = 0
  readonly #queue = new EventQueue()
  readonly #strikes = new Map<FaultName, number>()

  constructor(scenario: Scenario, choices: Choices, tell: ((line: string) => void) | null) {
    this.scenario = scenario
    this.choices = choices
    this.tell = tell
  }

  /** Lets something happen after a delay in virtual milliseconds. */
  after(delayMs: number, happen: () => void): void {
    this.#queue.add(this.nowMs + delayMs, happen)
  }

  /** When the next thing happens; undefined when nothing waits. */
  get nextMs(): number | undefined {
    return this.#queue.nextMs
  }

  /** Lets the next thing happen; false when nothing waits or a promise is broken. */
  advance(): boolean {
    if (this.violation !== null) return false
    const next = this.#queue.pop()
    if (next === undefined) return false
    this.nowMs = next.atMs
    this.happenings++
    next.happen()
    return true
  }

  /** A delay that starts at `leastMs` and varies as the scenario says. */
  delay(leastMs: number): number {
    const { jitterMs } = this.scenario
    return jitterMs === 0 ? leastMs : leastMs + this.choices.below(jitterMs)
  }

  /** Whether a fault strikes on this occasion. */
  strikes(fault: FaultName): boolean {
    const rate = this.scenario.rates[fault]
    if (rate === 0 || !this.areFaultsOn) return false
    const before = this.#strikes.get(fault) ?? 0
    if (before >= this.scenario.strikesMax || this.choices.below(PER_MILLE) < PER_MILLE - rate) return false
    this.#strikes.set(fault, before + 1)
    this.seen.add(fault)
    this.tell?.(this.line('world', `! ${fault}`))
    return true
  }

  /** Takes an event for the event log. */
  raise(who: string, order: EventOrder): void {
    this.seen.add(`event ${order.id}`)
    this.onEvent?.(who, order)
  }

  /** Notes the first broken promise; the run ends with it. */
  fail(what: string, detail: string): void {
    if (this.violation !== null) return
    this.violation = { what, detail, atMs: this.nowMs }
    this.tell?.(this.line('world', `broken: ${what}: ${detail}`))
  }

  /** A line of the trace: time since the world began, who, what. */
  line(who: string, what: string): string {
    const ms = this.nowMs - WORLD_STARTS_MS
    const time = `${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, '0')}`
    return `${time.padStart(8)} ${who.padEnd(6)} ${what}`
  }
}
