import { assert } from '../engine/assert.ts'
import type { Fault } from '../engine/fact.ts'
import { type Generation, type GenerationRange, nextGeneration } from '../engine/generation.ts'
import type { LogRequest } from '../transport/log-stream-subscription.ts'
import { PIECE_BYTES_MAX, wireFault } from '../transport/wire.ts'
import { type LogHead, REQUESTED_LOGS_MAX } from '../transport/wire-frame.ts'
import type { RoomRation, RoomTaker } from './room-ration.ts'
import type { Slot } from './slab.ts'

/** A log whose pieces are landing. */
export interface LandingLog {
  /** Takes the slot over; it is released when its bytes are written, or not needed. */
  piece(slot: Slot, length: number): void
  end(checksum: bigint): void
  /** The rest does not come: whatever came is void. */
  abandon(): void
}

/** What an intake needs of its copy. */
export interface IntakePorts {
  readonly ration: RoomRation
  readonly ask: (requests: readonly LogRequest[], pieces: number) => void
  readonly cancel: () => void
  /** A log begins to land; null when it is refused by its head, and told so: its bytes are dropped. */
  readonly begin: (head: LogHead) => LandingLog | null
  readonly failed: (session: number, generation: Generation, fault: Fault) => void
}

/**
 * While the source has this many pieces to send, requests and grants wait until there are as many of them: one frame then serves
 * four logs instead of one. Small against a window of 24 slots, so that a long line stays full.
 */
const HELD_BACK_MAX = 4

interface Wanted {
  readonly session: number
  next: Generation
  readonly last: Generation
}

/**
 * What one copy has asked its source for. A log is asked for when there is a slot for its first piece, and more room is granted
 * as slots become free; so every piece that may come has a place, and nothing that a source sends can block the others.
 *
 * `#need` counts the pieces that are still to come of the logs asked for (1 for a log whose size is unknown yet); the source may
 * send as many as there are slots in `#rooms`.
 */
export class CopyIntake implements RoomTaker {
  held = 0
  readonly #ports: IntakePorts
  #connected = false
  /** Set from a cancellation until the source has confirmed it: what comes in between is dropped. */
  #cancelling = false
  #wanted: Wanted[] = []
  readonly #asked = new Map<Generation, number>()
  readonly #rooms: Slot[] = []
  #need = 0
  #landing: { readonly head: LogHead; readonly log: LandingLog | null; left: number } | null = null
  #open: Slot | null = null
  /** What the source was not told yet: requests, the pieces that they need at least, and slots granted. */
  #requests: LogRequest[] = []
  #requested = 0
  #grants = 0

  constructor(ports: IntakePorts) {
    this.#ports = ports
  }

  get connected(): boolean {
    return this.#connected
  }

  get wantsRoom(): boolean {
    return this.#connected && !this.#cancelling && (this.#need > this.#rooms.length || this.#wanted.length > 0)
  }

  /** Whether nothing is asked for, or on its way. */
  get isIdle(): boolean {
    return (
      this.#connected && !this.#cancelling && this.#wanted.length + this.#asked.size === 0 && this.#landing === null
    )
  }

  /** Whether the source owes bytes: logs are asked for, and there is room for them. */
  get expectsLogs(): boolean {
    return !this.#cancelling && this.#need > 0 && this.#rooms.length > 0
  }

  /** The source has taken the copy in. */
  connect(): void {
    this.#connected = true
    this.#ports.ration.want(this)
  }

  /** Fetches these logs; each ends with its landing log, or in `failed`. */
  want(session: number, range: GenerationRange): void {
    this.#wanted.push({ session, next: range.first, last: range.last })
    this.#useSpareRooms()
    this.#ports.ration.want(this)
  }

  takeRoom(slot: Slot): void {
    this.held += 1
    this.#grants += 1
    this.#rooms.push(slot)
    if (this.#need < this.#rooms.length) this.#requestNext()
  }

  tookRooms(): void {
    // What the source may and can still send by what it was told.
    const told = Math.min(this.#rooms.length - this.#grants, this.#need - this.#requested)
    if (told >= HELD_BACK_MAX && this.#grants < HELD_BACK_MAX) return
    const requests = this.#requests
    const grants = this.#grants
    this.#holdNothingBack()
    this.#ports.ask(requests, grants)
  }

  /** Gives a slot back that a landing log took over. */
  release(slot: Slot): void {
    this.held -= 1
    this.#ports.ration.release(slot)
    this.#ports.ration.want(this)
  }

  /** Errors: `WIRE_PROTOCOL` for a log that was not asked for. */
  logBegun(head: LogHead): void {
    if (this.#cancelling) return
    if (this.#landing !== null) throw wireFault('a log begins before the one before it has ended')
    if (this.#asked.get(head.generation) !== head.session) throw wireFault(`log ${head.generation} was not asked for`)
    this.#asked.delete(head.generation)
    this.#need += piecesOf(head.sizeBytes) - 1
    this.#landing = { head, log: this.#ports.begin(head), left: head.sizeBytes }
    this.#ports.ration.want(this)
  }

  /** Errors: `WIRE_PROTOCOL` for a piece that there is no room for, or that is not the one to come. */
  openPiece(length: number): Uint8Array {
    const expected = Math.min(PIECE_BYTES_MAX, this.#landing?.left ?? 0)
    if (!this.#cancelling && length !== expected)
      throw wireFault(`a piece of ${length} bytes where ${expected} are due`)
    const slot = this.#rooms.pop()
    if (slot === undefined) throw wireFault('a piece without room granted for it')
    this.#open = slot
    return slot.bytes
  }

  closePiece(length: number): void {
    const slot = this.#open
    assert(slot !== null, 'a piece was opened before it is closed')
    this.#open = null
    this.#ports.ration.landed(length)
    const landing = this.#landing
    if (landing === null) {
      this.release(slot)
      return
    }
    this.#need -= 1
    landing.left -= length
    if (landing.log === null) this.release(slot)
    else landing.log.piece(slot, length)
    if (this.#grants + this.#requested > 0) this.tookRooms()
  }

  /** Errors: `WIRE_PROTOCOL` for a log that is not complete. */
  logEnded(checksum: bigint): void {
    if (this.#cancelling) return
    const landing = this.#landing
    if (landing === null || landing.left > 0) throw wireFault('a log ends before its last piece')
    this.#landing = null
    landing.log?.end(checksum)
    this.#useSpareRooms()
  }

  /** Errors: `WIRE_PROTOCOL` for a log that was not asked for. */
  logUnavailable(log: { session: number; generation: Generation; fault: Fault }): void {
    if (this.#cancelling) return
    const landing = this.#landing
    // A log that its head refused has been told already.
    let isTold = false
    if (landing?.head.generation === log.generation) {
      this.#landing = null
      this.#need -= piecesOf(landing.left)
      isTold = landing.log === null
      landing.log?.abandon()
    } else if (this.#asked.get(log.generation) === log.session) {
      this.#asked.delete(log.generation)
      this.#need -= 1
    } else throw wireFault(`log ${log.generation} is unavailable, but was not asked for`)
    if (!isTold) this.#ports.failed(log.session, log.generation, log.fault)
    this.#useSpareRooms()
  }

  /** The source has confirmed a cancellation. */
  cancelled(): void {
    this.#cancelling = false
    this.#need = 0
    this.#releaseRooms()
    this.#ports.ration.want(this)
  }

  /** Nothing that was asked for comes any more: tells each log as failed. */
  lose(fault: Fault): void {
    this.#connected = false
    this.#cancelling = false
    const lost = this.#forgetAll()
    this.#releaseRooms()
    for (const { session, generation } of lost) this.#ports.failed(session, generation, fault)
  }

  /** Gives up all logs and tells nobody. */
  stop(): void {
    const isIdle = this.#rooms.length + this.#asked.size === 0 && this.#landing === null && this.#open === null
    this.#forgetAll()
    if (!this.#connected || isIdle) return
    if (!this.#cancelling) this.#ports.cancel()
    this.#cancelling = true
  }

  #forgetAll(): { session: number; generation: Generation }[] {
    const lost = [...this.#asked].map(([generation, session]) => ({ generation, session }))
    const landing = this.#landing
    if (landing !== null && landing.log !== null) lost.push(landing.head)
    for (const { session, next, last } of this.#wanted)
      for (let generation = next; generation <= last; generation = nextGeneration(generation))
        lost.push({ session, generation })
    this.#landing = null
    landing?.log?.abandon()
    this.#asked.clear()
    this.#wanted = []
    this.#need = 0
    this.#holdNothingBack()
    return lost.sort((a, b) => a.generation - b.generation)
  }

  #holdNothingBack(): void {
    this.#requests = []
    this.#requested = 0
    this.#grants = 0
  }

  #releaseRooms(): void {
    const slots = this.#rooms.splice(0)
    if (!this.#connected && this.#open !== null) {
      slots.push(this.#open)
      this.#open = null
    }
    for (const slot of slots) this.release(slot)
  }

  /** A log that needed less room than was granted leaves some; the next one uses it, or the source gives it back. */
  #useSpareRooms(): void {
    if (this.#cancelling || !this.#connected) return
    while (this.#rooms.length > this.#need && this.#wanted.length > 0) this.#requestNext()
    this.tookRooms()
    if (this.#rooms.length === 0 || this.#rooms.length <= this.#need) return
    this.#cancelWhenIdle()
  }

  /** Only a cancellation takes room back, and it voids everything: so it waits until nothing is asked for. */
  #cancelWhenIdle(): void {
    if (this.#asked.size > 0 || this.#landing !== null) return
    this.#cancelling = true
    this.#ports.cancel()
  }

  #requestNext(): void {
    const wanted = this.#wanted[0]
    if (wanted === undefined) return
    const { session, next: generation } = wanted
    if (generation === wanted.last) this.#wanted.shift()
    else wanted.next = nextGeneration(generation)
    this.#asked.set(generation, session)
    this.#need += 1
    this.#requested += 1
    const before = this.#requests.at(-1)
    const joins = before?.session === session && before.range.last === generation - 1
    const first = joins && generation - before.range.first < REQUESTED_LOGS_MAX ? before.range.first : generation
    if (first !== generation) this.#requests.pop()
    this.#requests.push({ session, range: { first, last: generation } })
  }
}

function piecesOf(sizeBytes: number): number {
  return Math.ceil(sizeBytes / PIECE_BYTES_MAX)
}
