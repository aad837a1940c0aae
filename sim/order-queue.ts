/**
 * Runs the orders of one instance as the real runner does: one after the other, in the order in which the steps gave them.
 * An awaited order holds the later ones back; every other one is only begun.
 */
export class OrderQueue<Order> {
  readonly #perform: (order: Order, done: () => void) => 'begun' | 'awaited'
  #waiting: Order[] = []
  #isAwaiting = false
  #isDraining = false
  /** Raised when the process dies: what was awaited then never ends. */
  #life = 0

  /** `perform` begins an order; when it answers `awaited` it calls `done` once, later. */
  constructor(perform: (order: Order, done: () => void) => 'begun' | 'awaited') {
    this.#perform = perform
  }

  /** Whether every order given so far was begun and no awaited one is under way. */
  get isIdle(): boolean {
    return !this.#isAwaiting && this.#waiting.length === 0
  }

  /** Takes the orders of one step. */
  give(orders: readonly Order[]): void {
    if (orders.length === 0) return
    for (const order of orders) this.#waiting.push(order)
    this.#drain()
  }

  /** The process died: nothing that waits is done. */
  clear(): void {
    this.#waiting = []
    this.#isAwaiting = false
    this.#life++
  }

  #drain(): void {
    if (this.#isDraining) return
    this.#isDraining = true
    for (let order = this.#next(); order !== undefined; order = this.#next()) {
      const life = this.#life
      this.#isAwaiting = true
      const how = this.#perform(order, () => this.#finished(life))
      if (life === this.#life && how === 'begun') this.#isAwaiting = false
    }
    this.#isDraining = false
  }

  #next(): Order | undefined {
    return this.#isAwaiting ? undefined : this.#waiting.shift()
  }

  #finished(life: number): void {
    if (life !== this.#life) return
    this.#isAwaiting = false
    this.#drain()
  }
}
