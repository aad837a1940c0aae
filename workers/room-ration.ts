import type { Slab, Slot } from './slab.ts'

/** Somebody who fetches logs: a copy. */
export interface RoomTaker {
  /** Slots that it holds: granted, landing or being written. */
  readonly held: number
  /** Whether it has a use for one more slot now. */
  readonly wantsRoom: boolean
  takeRoom(slot: Slot): void
  /** Called after a round in which it took slots. */
  tookRooms(): void
}

/**
 * A copy gets a slot while it holds fewer than this many times the free ones: of 32 slots a single copy gets 24, and when its
 * disk hangs with all of them the next copy still gets 6, the one after it 1. (The dynamic threshold of shared-memory switches.)
 */
const SHARE_OF_FREE = 3

/** Distributes the slots of a worker among its copies, in turn, so that no copy with a slow disk stops the others. */
export class RoomRation {
  readonly #slab: Slab
  /** Copies that want slots, in the order of their turns. */
  readonly #turns: RoomTaker[] = []
  readonly #waiting = new Set<RoomTaker>()
  #serving = false

  constructor(slab: Slab) {
    this.#slab = slab
  }

  /** Puts a copy in the queue, if it wants room, and serves the queue. */
  want(taker: RoomTaker): void {
    if (!this.#waiting.has(taker) && taker.wantsRoom) {
      this.#waiting.add(taker)
      this.#turns.push(taker)
    }
    this.#serve()
  }

  /** Takes a slot back. */
  release(slot: Slot): void {
    this.#slab.give(slot)
    this.#serve()
  }

  #serve(): void {
    if (this.#serving) return
    this.#serving = true
    const took = new Set<RoomTaker>()
    // Ends when everybody in a row was passed over.
    for (let passedOver = 0; passedOver < this.#turns.length; ) {
      const taker = this.#turns.shift()
      if (taker === undefined) break
      const slot = this.#slotFor(taker)
      if (slot !== null) {
        taker.takeRoom(slot)
        took.add(taker)
        passedOver = 0
      }
      if (!taker.wantsRoom) this.#waiting.delete(taker)
      else {
        this.#turns.push(taker)
        if (slot === null) passedOver += 1
      }
    }
    this.#serving = false
    for (const taker of took) taker.tookRooms()
  }

  #slotFor(taker: RoomTaker): Slot | null {
    return taker.wantsRoom && taker.held < SHARE_OF_FREE * this.#slab.free ? this.#slab.take() : null
  }
}
