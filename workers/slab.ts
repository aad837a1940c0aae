import { assert } from '../engine/assert.ts'
import type { WideXor } from '../engine/database/log-bytes.ts'
import type { SoundPages } from '../engine/database/page-seal.ts'
import { PIECE_BYTES_MAX } from '../transport/wire.ts'
import { createWidePages } from './wide-pages.ts'
import { createWideXor } from './wide-xor.ts'
import { createXxh64, type RunningXxh64, type Xxh64 } from './xxh64.ts'

/**
 * Room behind each piece: what a socket delivers beyond the end of a piece lands there and is moved on (at most this much
 * copying per piece, where a read that stops exactly at the end would cost a system call more). One page, so that every slot
 * begins on a page.
 */
const SLOT_ROOM_BYTES = 4096

const SLOT_STRIDE_BYTES: number = PIECE_BYTES_MAX + SLOT_ROOM_BYTES

/** One place for a piece of a log, page-aligned in memory, as O_DIRECT asks. */
export interface Slot {
  /** `PIECE_BYTES_MAX` bytes for the piece and {@link SLOT_ROOM_BYTES} behind it. */
  readonly bytes: Uint8Array
  /** Where the slot lies in the slab's memory. */
  readonly address: number
}

/**
 * The memory of one worker: a fixed number of slots in one WebAssembly memory. Bytes are read or received into a slot, hashed
 * where they lie, and written from there; none of them ever passes through a fresh buffer, which would cost four times the hash.
 */
export interface Slab {
  readonly slots: number
  readonly free: number
  /** See {@link Xxh64.inPlace}. */
  readonly hashesInPlace: boolean
  /** For bytes of its slots; see {@link createWideXor}. */
  readonly wideXor: WideXor | null
  /** For bytes of its slots; see {@link createWidePages}. */
  readonly soundPages: SoundPages | null
  /** A slot that nobody else uses, or null when all are taken. */
  take(): Slot | null
  /** Gives a slot back; exactly once for each `take`. */
  give(slot: Slot): void
  /** xxh64 of the first `length` bytes. */
  hash(slot: Slot, length: number): bigint
  /** A hash over several slots, in the order of the updates. */
  beginHash(): SlabHash
}

/** A hash over pieces. */
export interface SlabHash {
  update(slot: Slot, length: number): void
  digest(): bigint
  abandon(): void
}

/** Makes a slab of so many slots. `wasmPath` is that of {@link createXxh64}. */
export async function createSlab(wasmPath: string, slots: number): Promise<Slab> {
  return new WasmSlab(await createXxh64(wasmPath, slots * SLOT_STRIDE_BYTES), slots)
}

class WasmSlab implements Slab {
  readonly slots: number
  readonly wideXor: WideXor | null
  readonly soundPages: SoundPages | null
  readonly #xxh64: Xxh64
  /** The last given is the first taken: its memory is still in the caches, and idle slots never become resident. */
  readonly #free: Slot[] = []
  readonly #taken = new Set<Slot>()

  constructor(xxh64: Xxh64, slots: number) {
    this.slots = slots
    this.#xxh64 = xxh64
    this.wideXor = createWideXor(xxh64.memory)
    this.soundPages = createWidePages(xxh64.memory)
    for (let index = slots - 1; index >= 0; index--) {
      const address = xxh64.start + index * SLOT_STRIDE_BYTES
      this.#free.push({ bytes: new Uint8Array(xxh64.memory.buffer, address, SLOT_STRIDE_BYTES), address })
    }
  }

  get free(): number {
    return this.#free.length
  }

  get hashesInPlace(): boolean {
    return this.#xxh64.inPlace
  }

  take(): Slot | null {
    const slot = this.#free.pop()
    if (slot === undefined) return null
    this.#taken.add(slot)
    return slot
  }

  give(slot: Slot): void {
    assert(this.#taken.delete(slot), 'a slot is given back once by whoever took it')
    this.#free.push(slot)
  }

  hash(slot: Slot, length: number): bigint {
    return this.#xxh64.hash(slot.address, length)
  }

  beginHash(): SlabHash {
    const running: RunningXxh64 = this.#xxh64.begin()
    return {
      update: (slot, length) => running.update(slot.address, length),
      digest: () => running.digest(),
      abandon: () => running.abandon(),
    }
  }
}
