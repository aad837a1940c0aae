import { assert } from '../engine/assert.ts'
import type { WakeOrder } from '../engine/order.ts'
import type { Clock } from './clock.ts'

/** What a runner is made of. `Order` is the instance's orders without `wake-at`, which the runner keeps to itself. */
export interface OrderRunnerParts<State, Fact extends Named, Order extends Named> {
  /** The state before the first fact. */
  readonly state: State
  /** The rules: pure, so the runner may call it at once, whatever else is under way. */
  readonly step: (state: State, fact: Fact | TimePassed) => readonly [State, readonly (Order | WakeOrder)[]]
  /**
   * Does what an order says. A promise makes later orders wait for it (the order is "awaited"); without one the order was
   * only begun, and its end comes back as a fact.
   */
  readonly perform: (order: Order) => Promise<void> | undefined
  /** Turns the failure of an order into a fact, or says null where none is foreseen: then the instance crashes. */
  readonly failureFact: (order: Order, error: unknown) => Fact | null
  /** Orders of which only the latest counts: one that still waits in the queue is replaced. */
  readonly latestOnly: ReadonlySet<Order['kind']>
  /** Called after each step, before its orders: for those who wait for a state. */
  readonly onStep: (state: State) => void
  /** Called once when a rule of the program broke. The instance takes no fact and does no order from then on. */
  readonly onCrash: (error: unknown) => void
  /** Told each fact and each order in the order of their happening; null costs nothing. */
  readonly trace: Trace | null
  readonly clock: Clock
}

/** Something told by its kind: a fact or an order. */
export interface Named {
  readonly kind: string
}

/** The one fact that the runner makes itself. */
export interface TimePassed {
  readonly kind: 'time-passed'
  readonly nowMs: number
}

/** Takes down what happened, for the debug log. */
export type Trace = (what: 'fact' | 'order', entry: Named) => void

/**
 * Facts that may wait for their step. They wait only while a step or an order runs in the same turn of the event loop, so a
 * longer queue is a loop in the program.
 */
const WAITING_FACTS_MAX = 10_000

/**
 * Orders that may wait behind an awaited one, for example while a disk does not answer. 10,000 is a minute of a busy copy
 * (about 100 orders a second); beyond it the instance gives up instead of growing.
 */
export const WAITING_ORDERS_MAX = 10_000

/** Wishes are rounded up to this grid, in milliseconds: a thousand postponed logs need no thousand timers. */
const WAKE_GRID_MS = 10

/**
 * Runs one instance of a pure state machine in the real world: facts in, orders out.
 *
 * 1. A fact is stepped at once and alone: what an order tells while it is being begun waits for the end of that order's call.
 * 2. Orders run one after the other in the order in which the steps gave them. An awaited order holds the later ones back,
 *    never the facts.
 * 3. All `wake-at` of an instance share one timer, which is set for the earliest of them.
 */
export class OrderRunner<State, Fact extends Named, Order extends Named> {
  readonly #parts: OrderRunnerParts<State, Fact, Order>
  readonly #facts: (Fact | TimePassed)[] = []
  #orders: Order[] = []
  #state: State
  #busy = false
  /** The awaited order that holds back the queue. */
  #awaited: Order | null = null
  #condition: 'running' | 'closing' | 'crashed' = 'running'
  readonly #wakeTimesMs = new Set<number>()
  /** What the timer is set for. */
  #wakeAtMs = Number.POSITIVE_INFINITY
  #cancelWake: () => void = () => {}
  #whenIdle: (() => void)[] = []

  constructor(parts: OrderRunnerParts<State, Fact, Order>) {
    this.#parts = parts
    this.#state = parts.state
  }

  /** The state after the last step. */
  get state(): State {
    return this.#state
  }

  /** Takes a fact in. Ignored once the runner is closing: what happened then is found again by the next start's scan. */
  notice(fact: Fact | TimePassed): void {
    if (this.#condition !== 'running') return
    assert(this.#facts.length < WAITING_FACTS_MAX, `at most ${WAITING_FACTS_MAX} facts wait for their step`)
    this.#facts.push(fact)
    this.#run()
  }

  /** Resolves when no order waits or runs. */
  idle(): Promise<void> {
    if (this.#awaited === null && this.#orders.length === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  /** Takes no more facts, and resolves when every order given so far is done. May be called twice. */
  async close(): Promise<void> {
    if (this.#condition === 'running') this.#condition = 'closing'
    this.#cancelWake()
    await this.idle()
  }

  #run(): void {
    if (this.#busy) return
    this.#busy = true
    try {
      while (this.#facts.length > 0 || (this.#awaited === null && this.#orders.length > 0)) {
        const fact = this.#facts.shift()
        if (fact === undefined) this.#performNext()
        else this.#take(fact)
      }
    } catch (error) {
      this.#crash(error)
    } finally {
      this.#busy = false
    }
    if (this.#awaited === null && this.#orders.length === 0) for (const told of this.#whenIdle.splice(0)) told()
  }

  #take(fact: Fact | TimePassed): void {
    this.#parts.trace?.('fact', fact)
    const [state, orders] = this.#parts.step(this.#state, fact)
    this.#state = state
    this.#parts.onStep(state)
    for (const order of orders) {
      this.#parts.trace?.('order', order)
      if (isWake(order)) this.#wake(order.atMs)
      // What is no wake-at is an Order: the step's union has no other member.
      else this.#append(order as Order)
    }
  }

  #append(order: Order): void {
    if (this.#parts.latestOnly.has(order.kind)) this.#orders = this.#orders.filter((other) => other.kind !== order.kind)
    this.#orders.push(order)
    assert(this.#orders.length <= WAITING_ORDERS_MAX, `at most ${WAITING_ORDERS_MAX} orders wait for their turn`)
  }

  #performNext(): void {
    const order = this.#orders.shift()
    if (order === undefined) return
    try {
      const done = this.#parts.perform(order)
      if (done !== undefined) this.#await(order, done)
    } catch (error) {
      this.#fail(order, error)
    }
  }

  #await(order: Order, done: Promise<void>): void {
    this.#awaited = order
    const goOn = (): void => {
      this.#awaited = null
      this.#run()
    }
    done.then(goOn, (error: unknown) => {
      try {
        this.#fail(order, error)
      } catch (crash) {
        this.#crash(crash)
      }
      goOn()
    })
  }

  #fail(order: Order, error: unknown): void {
    if (this.#condition === 'crashed') return
    const fact = this.#parts.failureFact(order, error)
    if (fact === null) throw error
    // A closing runner steps no more, but a broken rule is told all the same.
    if (this.#condition === 'running') this.#facts.push(fact)
  }

  #crash(error: unknown): void {
    if (this.#condition === 'crashed') return
    this.#condition = 'crashed'
    this.#cancelWake()
    this.#facts.length = 0
    this.#orders = []
    this.#parts.onCrash(error)
  }

  #wake(wishedMs: number): void {
    const atMs = Math.ceil(wishedMs / WAKE_GRID_MS) * WAKE_GRID_MS
    this.#wakeTimesMs.add(atMs)
    if (atMs < this.#wakeAtMs) this.#setTimer(atMs)
  }

  #setTimer(atMs: number): void {
    this.#cancelWake()
    if (this.#condition !== 'running') return
    this.#wakeAtMs = atMs
    this.#cancelWake = this.#parts.clock.wakeAfter(atMs - this.#parts.clock.nowMs(), () => this.#timerFired())
  }

  #timerFired(): void {
    const nowMs = this.#parts.clock.nowMs()
    this.#wakeAtMs = Number.POSITIVE_INFINITY
    for (const atMs of this.#wakeTimesMs) if (atMs <= nowMs) this.#wakeTimesMs.delete(atMs)
    // Before the step, whose own wishes may be earlier than what is left. A timer that fired early leaves its wish here.
    if (this.#wakeTimesMs.size > 0) this.#setTimer(Math.min(...this.#wakeTimesMs))
    this.notice({ kind: 'time-passed', nowMs })
  }
}

function isWake(order: Named): order is WakeOrder {
  return order.kind === 'wake-at'
}
