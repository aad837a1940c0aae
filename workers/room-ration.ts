import type { PacedRate } from './shared-rate.ts'
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

/** Of a bounded rate: so much of a second may be on its way, since a room is granted before its bytes are counted. */
const IN_FLIGHT_SECONDS = 0.1
const SLOT_BYTES = 1024 * 1024
/** A change of the rate is heeded so soon, in milliseconds. */
const WAIT_MS_MAX = 50

/** Distributes the slots of a worker among its copies, in turn, so that no copy with a slow disk stops the others. */
export class RoomRation {
  readonly #slab: Slab
  /** Copies that want slots, in the order of their turns. */
  readonly #turns: RoomTaker[] = []
  readonly #waiting = new Set<RoomTaker>()
  readonly #rate: PacedRate | null
  #serving = false
  #timer: NodeJS.Timeout | null = null

  /** @param rate what all logs may take together; null for no bound */
  constructor(slab: Slab, rate: PacedRate | null = null) {
    this.#slab = slab
    this.#rate = rate
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

  /** Bytes have come over the wire. */
  landed(bytes: number): void {
    this.#rate?.charge(bytes)
  }

  /** Nobody is served any more by the passing of time. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  /** Whether the rate keeps everybody waiting; then the queue is served when it is over. */
  get #isPaced(): boolean {
    const bound = this.#rate?.bytesPerSecond ?? null
    if (this.#rate === null || bound === null) return false
    const most = Math.max(1, Math.ceil((bound * IN_FLIGHT_SECONDS) / SLOT_BYTES))
    if (this.#slab.slots - this.#slab.free >= most) return true
    const waitMs = this.#rate.waitMs()
    if (waitMs <= 0) return false
    this.#timer ??= setTimeout(
      () => {
        this.#timer = null
        this.#serve()
      },
      Math.min(waitMs, WAIT_MS_MAX),
    )
    return true
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
    if (!taker.wantsRoom || this.#isPaced) return null
    return taker.held < SHARE_OF_FREE * this.#slab.free ? this.#slab.take() : null
  }
}
