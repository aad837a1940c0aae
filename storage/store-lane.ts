import { assert } from '../engine/assert.ts'
import type { OrderBundle, StoreOrder } from '../engine/database/store-order.ts'

/** What a lane needs. */
export interface StoreLaneOptions<Order extends StoreOrder> {
  /** Carries an order out; resolves when it has ended, as the order itself says. */
  readonly execute: (order: Order) => Promise<void>
  /** All orders up to this bundle have ended. */
  readonly onWritten: (sequence: number) => void
  /** An order failed. The lane takes up no further one. */
  readonly onFailed: (error: unknown, order: Order) => void
  /** Whether the store has ended, here or in the other lane: then nothing more is begun. */
  readonly hasEnded: () => boolean
}

/** The most bundles that wait: a store gives the next one when a few have ended, so more of them are a fault of the program. */
const BUNDLES_WAITING_MAX = 65_536

/** Orders that run one after the other, in the order in which they were given. */
export class StoreLane<Order extends StoreOrder> {
  readonly #options: StoreLaneOptions<Order>
  #waiting: OrderBundle<Order>[] = []
  #newest = 0
  #working: Promise<void> | null = null

  constructor(options: StoreLaneOptions<Order>) {
    this.#options = options
  }

  /** Takes a bundle; its orders begin when those before it have ended. */
  give(bundle: OrderBundle<Order>): void {
    assert(bundle.sequence > this.#newest && bundle.orders.length > 0, 'bundles ascend and have an order')
    assert(this.#waiting.length < BUNDLES_WAITING_MAX, `at most ${BUNDLES_WAITING_MAX} bundles wait`)
    this.#newest = bundle.sequence
    this.#waiting.push(bundle)
    this.#working ??= this.#work()
  }

  /** Resolves when nothing is under way any more. */
  async idle(): Promise<void> {
    while (this.#working !== null) await this.#working
  }

  async #work(): Promise<void> {
    // Orders of one turn of the event loop are given first and begun then.
    await null
    while (this.#waiting.length > 0 && !this.#options.hasEnded()) {
      const bundles = this.#waiting
      this.#waiting = []
      for (const bundle of bundles) if (!(await this.#workOn(bundle))) break
    }
    this.#working = null
  }

  /** Answers whether all orders of the bundle have ended well. */
  async #workOn({ sequence, orders }: OrderBundle<Order>): Promise<boolean> {
    for (const order of orders) {
      if (this.#options.hasEnded()) return false
      try {
        await this.#options.execute(order)
      } catch (error) {
        this.#options.onFailed(error, order)
        return false
      }
    }
    // What the other lane failed at meanwhile does not take back what is durable here, but nobody acts upon it any more.
    if (this.#options.hasEnded()) return false
    this.#options.onWritten(sequence)
    return true
  }
}
