import type { Slab, Slot } from './slab.ts'

/** Lends the slots of a slab to several who wait for them, first come first served. */
export class SlotQueue {
  readonly #slab: Slab
  readonly #waiting: ((slot: Slot) => void)[] = []

  constructor(slab: Slab) {
    this.#slab = slab
  }

  /** A slot, as soon as one is free. */
  async take(): Promise<Slot> {
    const slot = this.#slab.take()
    if (slot !== null) return slot
    return await new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Gives a slot back. */
  give(slot: Slot): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#slab.give(slot)
    else next(slot)
  }
}
