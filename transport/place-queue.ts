import { assert } from '../engine/assert.ts'

/** Memory for one piece. */
export interface PiecePlace {
  readonly bytes: Uint8Array
}

/** The memory of a worker, as the transport room needs it: a slab is one. */
export interface PiecePlaces {
  readonly free: number
  take(): PiecePlace | null
  give(place: PiecePlace): void
}

/** Somebody who holds places: a connection. */
export interface PlaceHolder {
  /** Places that it holds at the moment. */
  held: number
  /** Places that it may hold at a time. */
  readonly heldMax: number
  /** True once it takes no more: its waits end with null. */
  readonly closed: boolean
}

interface Waiter {
  readonly holder: PlaceHolder
  readonly settle: (place: PiecePlace | null) => void
}

/**
 * Hands out places in the order of the asking. A holder gets one only while it has fewer than are still free, so a peer that
 * does not read can never hold all of them: with 16 places the first such peer ends with 8, the next with 4, and so on, and
 * some are always left. (The dynamic threshold of shared-memory switches.)
 */
export class PlaceQueue {
  readonly #places: PiecePlaces
  #waiters: Waiter[] = []

  constructor(places: PiecePlaces) {
    this.#places = places
  }

  /** Waits for a place; null when the holder has closed meanwhile. */
  acquire(holder: PlaceHolder): Promise<PiecePlace | null> {
    return new Promise((settle) => {
      this.#waiters.push({ holder, settle })
      this.#serve()
    })
  }

  /** A place, if one is free that nobody waits for and that leaves the holder room for one more; else null. */
  acquireSpare(holder: PlaceHolder): PiecePlace | null {
    if (this.#waiters.length > 0 || holder.held + 1 >= holder.heldMax || !mayTake(holder, this.#places.free))
      return null
    const place = this.#places.take()
    if (place !== null) holder.held += 1
    return place
  }

  /** Gives a place back. */
  release(holder: PlaceHolder, place: PiecePlace): void {
    assert(holder.held > 0, 'a place is given back by its holder')
    holder.held -= 1
    this.#places.give(place)
    this.#serve()
  }

  /** Ends the waits of holders that have closed. */
  sweep(): void {
    this.#serve()
  }

  #serve(): void {
    const waiting: Waiter[] = []
    for (const waiter of this.#waiters) {
      const { holder, settle } = waiter
      const place = mayTake(holder, this.#places.free) ? this.#places.take() : null
      if (place !== null) holder.held += 1
      if (place !== null || holder.closed) settle(place)
      else waiting.push(waiter)
    }
    this.#waiters = waiting
  }
}

function mayTake(holder: PlaceHolder, free: number): boolean {
  return !holder.closed && holder.held < Math.min(holder.heldMax, free)
}
