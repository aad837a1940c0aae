import { ReplicationError } from '../engine/error.ts'
import type { FileOperations, OpenFile } from '../storage/file-operations.ts'
import { DIRECT_ALIGNMENT_BYTES } from '../storage/file-operations.ts'
import { NewFile } from '../storage/new-file.ts'
import { PIECE_BYTES_MAX } from '../transport/wire.ts'
import type { CopyPace } from './copy-pace.ts'
import type { Slab, SlabHash, Slot } from './slab.ts'
import { SlotQueue } from './slot-queue.ts'

/** What files are copied with. */
export interface CheckingParts {
  readonly files: FileOperations
  readonly slab: Slab
  readonly slots: SlotQueue
  readonly pace: CopyPace
}

/** Content that was read, and proved as far as its kind allows. */
export interface CheckedContent {
  readonly bytes: number
  /** 16 lower-case hexadecimal digits; `''` where nobody asked for it. */
  readonly xxh64: string
}

/** A stretch of the file that was read. */
export interface ReadPiece {
  readonly slot: Slot
  readonly position: number
  readonly length: number
}

/** What a pass reads: a file, or something that answers like one. */
export interface PieceSource {
  /** For messages. */
  readonly path: string
  /** How long it is now. */
  sizeBytes(): Promise<number>
  /** Reads a stretch into its slot; fewer bytes where it ends. */
  fill(piece: ReadPiece): Promise<number>
  /** How far the other file has what is read, so that it need not be written: 0 but for one that goes on. */
  readonly writtenBytes: number
  close(): Promise<void>
}

/** Looks at what was read, in the order of the file, before it is written. May read it again, in place. */
export type LookAtPiece = (piece: ReadPiece, again: () => Promise<void>) => Promise<void> | void

/** The two ends of a pass, which closes them. */
export interface PassEnds {
  readonly from: PieceSource
  readonly to: NewFile | null
  /** False where the pieces prove themselves and nobody asks for the xxh64 of the whole: it costs a fifth of the work. */
  readonly hashes?: boolean
  /** Pieces that are read before the first of them is looked at; {@link READ_AHEAD} without it. */
  readonly ahead?: number
}

/** As many as keep a disk busy. */
const READ_AHEAD = 3
/**
 * A file that grows past the page cache is locked by whoever writes it: a third write turns in that lock, on a thread that others want to read
 * with (a seed came to 1,150 MB/s instead of 1,060), and a store that commits to the same disk waits behind all of them.
 */
const WRITES_AT_A_TIME = 2

/** Makes the slots of a slab ready for copying. */
export function checkingParts(parts: Omit<CheckingParts, 'slots'>): CheckingParts {
  return { ...parts, slots: new SlotQueue(parts.slab) }
}

/**
 * Reads a file once, from its beginning: each piece is looked at, hashed, and written to another file if there is one. Reading, looking
 * and writing go on side by side, in memory that does not grow.
 */
export class FilePass {
  readonly #parts: CheckingParts
  readonly #from: PieceSource
  readonly #to: NewFile | null
  readonly #look: LookAtPiece
  readonly #ahead: number
  /** Null where nobody asks. */
  readonly #hash: SlabHash | null
  #positionBytes = 0
  #failure: unknown = null
  #isClosed = false

  constructor(parts: CheckingParts, ends: PassEnds, look: LookAtPiece) {
    this.#parts = parts
    this.#from = ends.from
    this.#to = ends.to
    this.#look = look
    this.#ahead = ends.ahead ?? READ_AHEAD
    this.#hash = ends.hashes === false ? null : parts.slab.beginHash()
  }

  /**
   * Opens a file, and makes the other one.
   *
   * @param to the path of the other one; null to read only
   */
  static async open(
    parts: CheckingParts,
    paths: { readonly from: string; readonly to: string | null },
    look: LookAtPiece,
  ): Promise<FilePass> {
    const from = await parts.files.open(paths.from, 'read')
    try {
      const { sizeBytes } = await parts.files.factsOf(from)
      const isAligned = sizeBytes % DIRECT_ALIGNMENT_BYTES === 0
      const isOnePiece = sizeBytes <= PIECE_BYTES_MAX
      const to = paths.to === null ? null : await NewFile.create(parts.files, { path: paths.to, isAligned, isOnePiece })
      return new FilePass(parts, { from: sourceOf(parts.files, from), to }, look)
    } catch (error) {
      await parts.files.close(from)
      throw error
    }
  }

  /** How long the file is now. */
  sizeBytes(): Promise<number> {
    return this.#from.sizeBytes()
  }

  /** How far it was read. */
  get positionBytes(): number {
    return this.#positionBytes
  }

  /** Goes on to this place of the file, which must reach that far. */
  async readTo(endBytes: number): Promise<void> {
    const reads: Promise<ReadPiece>[] = []
    const writes = new Set<Promise<void>>()
    let askedBytes = this.#positionBytes
    this.#parts.pace.expect(endBytes - askedBytes)
    try {
      while (askedBytes < endBytes || reads.length > 0) {
        while (reads.length < this.#ahead && askedBytes < endBytes) {
          // A piece is written or not, and never by half.
          const { writtenBytes } = this.#from
          const untilBytes = askedBytes < writtenBytes ? Math.min(writtenBytes, endBytes) : endBytes
          const length = Math.min(this.#parts.pace.pieceBytes(PIECE_BYTES_MAX), untilBytes - askedBytes)
          reads.push(this.#read(askedBytes, length))
          reads.at(-1)?.catch(() => undefined) // thrown when it is its turn
          askedBytes += length
        }
        const piece = await reads.shift()
        if (piece !== undefined) await this.#pass(piece, writes)
        while (writes.size >= WRITES_AT_A_TIME) await Promise.race(writes)
      }
      await Promise.all(writes)
      if (this.#failure !== null) throw this.#failure
    } finally {
      await this.#settle(reads, writes)
    }
  }

  /** Puts more behind what was read: bytes that the other file has and this one has not. They take one slot at most. */
  async append(bytes: Uint8Array): Promise<void> {
    const slot = await this.#parts.slots.take()
    slot.bytes.set(bytes)
    const writes = new Set<Promise<void>>()
    this.#send({ slot, position: this.#positionBytes, length: bytes.length }, writes)
    await Promise.all(writes)
    if (this.#failure !== null) throw this.#failure
  }

  /** Makes the other file durable, and closes both. */
  async finish(): Promise<CheckedContent> {
    this.#isClosed = true
    await this.#from.close()
    await this.#to?.finish()
    return { bytes: this.#positionBytes, xxh64: this.#hash?.digest().toString(16).padStart(16, '0') ?? '' }
  }

  /** Closes both files, and removes the other one. May be called twice, and after {@link finish} has failed. */
  async abandon(): Promise<void> {
    this.#hash?.abandon()
    // A descriptor that is closed may be somebody else's file by now.
    if (!this.#isClosed) {
      this.#isClosed = true
      await this.#from.close().catch(() => undefined) // it was only read
    }
    await this.#to?.abandon()
  }

  async #read(position: number, length: number): Promise<ReadPiece> {
    const { pace, slots } = this.#parts
    if (position >= this.#from.writtenBytes) await pace.take(length)
    else pace.pass(length)
    const piece = { slot: await slots.take(), position, length }
    try {
      await this.#fill(piece)
      return piece
    } catch (error) {
      slots.give(piece.slot)
      throw error
    }
  }

  async #fill(piece: ReadPiece): Promise<void> {
    const count = await this.#from.fill(piece)
    if (count < piece.length) throw becameShorter(this.#from.path, piece.position + count)
  }

  async #pass(piece: ReadPiece, writes: Set<Promise<void>>): Promise<void> {
    try {
      if (this.#failure !== null) throw this.#failure
      await this.#look(piece, () => this.#fill(piece))
    } catch (error) {
      this.#parts.slots.give(piece.slot)
      throw error
    }
    this.#send(piece, writes)
  }

  #send(piece: ReadPiece, writes: Set<Promise<void>>): void {
    const { slot, position, length } = piece
    this.#hash?.update(slot, length)
    this.#positionBytes = position + length
    if (this.#to === null || position < this.#from.writtenBytes) {
      this.#parts.slots.give(slot)
      return
    }
    const write = this.#to
      .write({ bytes: slot.bytes, offset: 0, length }, position)
      .catch((error: unknown) => {
        this.#failure ??= error
      })
      .finally(() => {
        this.#parts.slots.give(slot)
        writes.delete(write)
      })
    writes.add(write)
  }

  /** After it nothing reads or writes, and every slot is given back. */
  async #settle(reads: readonly Promise<ReadPiece>[], writes: ReadonlySet<Promise<void>>): Promise<void> {
    for (const read of await Promise.allSettled(reads))
      if (read.status === 'fulfilled') this.#parts.slots.give(read.value.slot)
    await Promise.all(writes) // their failures are kept
  }
}

function sourceOf(files: FileOperations, file: OpenFile): PieceSource {
  return {
    path: file.path,
    writtenBytes: 0,
    sizeBytes: async () => (await files.factsOf(file)).sizeBytes,
    fill: ({ slot, position, length }) => files.read(file, { bytes: slot.bytes, offset: 0, length }, position),
    close: () => files.close(file),
  }
}

function becameShorter(path: string, endBytes: number): ReplicationError {
  return new ReplicationError({
    code: 'READ_FAILED',
    message: `${path} became shorter while it was read: it ends at byte ${endBytes}`,
    hint: 'Look who changes the file, and take the backup anew.',
    fields: { path },
  })
}
