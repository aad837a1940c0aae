import { ReplicationError } from '../engine/error.ts'
import { formatGeneration, type Generation } from '../engine/generation.ts'
import type { FileOperations } from '../storage/file-operations.ts'
import type { StreamedLog } from '../transport/log-sender.ts'
import type { PiecePlace } from '../transport/place-queue.ts'
import { LOG_BYTES_MAX } from '../transport/wire.ts'
import { type ChecksumCache, type HashedLog, isSameFile } from './checksum-cache.ts'
import type { FoundLog } from './shared-directory.ts'
import type { Slab, SlabHash, Slot } from './slab.ts'

/** What a log is read with. */
export interface LogReading {
  readonly share: string
  readonly generation: Generation
  readonly files: FileOperations
  readonly slab: Slab
  readonly cache: ChecksumCache
  /** As in {@link HashedLog}. */
  readonly provesItself: boolean
}

/**
 * A closed log on its way to a copy: each piece is read into a slot and hashed there, unless this very file was hashed before.
 * With the last piece the file is looked at again: a log that was written to meanwhile, or has another content than when it
 * was first read, is refused with `LOG_CHANGED` before its tail can make it valid.
 */
export class SharedLog implements StreamedLog {
  readonly name: string
  readonly sizeBytes: number
  readonly logTimeMs: number
  readonly #found: FoundLog
  readonly #reading: LogReading
  readonly #known: bigint | null
  #hash: SlabHash | null = null
  #checksum: bigint | null = null
  #closed = false

  /** Errors: `READ_FAILED` for a file that is larger than any log. */
  constructor(found: FoundLog, reading: LogReading) {
    this.name = found.name
    this.sizeBytes = found.facts.sizeBytes
    this.logTimeMs = found.facts.modifiedMs
    this.#found = found
    this.#reading = reading
    this.#known = reading.cache.find(reading.share, reading.generation, found.facts)
  }

  /** Whether this very file was hashed before, so that its checksum is known without reading it. */
  get isKnown(): boolean {
    return this.#known !== null
  }

  async read(place: PiecePlace, position: number, length: number): Promise<void> {
    const { files } = this.#reading
    const count = await files.read(this.#found.file, { bytes: place.bytes, offset: 0, length }, position)
    if (count < length) throw this.#changed('was cut while it was read')
    const isLast = position + length === this.sizeBytes
    // The places of this worker are the slots of its slab: nobody else makes any.
    if (this.#known === null) this.#feed(place as Slot, { length, isWhole: isLast && position === 0, isLast })
    else this.#checksum = this.#known
    if (isLast) await this.#confirm()
  }

  checksum(): bigint {
    // An empty log is never read; its hash is that of nothing.
    return this.#checksum ?? this.#known ?? this.#reading.slab.beginHash().digest()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#hash?.abandon()
    void this.#reading.files.close(this.#found.file) // opened for reading: there is nothing that a close could lose
  }

  #feed(slot: Slot, piece: { length: number; isWhole: boolean; isLast: boolean }): void {
    const { slab } = this.#reading
    if (piece.isWhole) {
      this.#checksum = slab.hash(slot, piece.length)
      return
    }
    this.#hash ??= slab.beginHash()
    this.#hash.update(slot, piece.length)
    if (piece.isLast) this.#checksum = this.#hash.digest()
  }

  async #confirm(): Promise<void> {
    const { files, cache, share, generation, provesItself } = this.#reading
    const { file, facts } = this.#found
    if (!isSameFile(await files.factsOf(file), facts)) throw this.#changed('was written to while it was read')
    if (this.#checksum === null || this.#known !== null) return
    const hashed: HashedLog = { share, generation, facts, checksum: this.#checksum, provesItself }
    if (!cache.keep(hashed)) throw this.#changed('has another content than when it was first read')
  }

  #changed(what: string): ReplicationError {
    const { share, generation } = this.#reading
    return new ReplicationError({
      code: 'LOG_CHANGED',
      message: `log ${formatGeneration(generation)} of ${share} ${what}`,
      hint: 'A closed log must never change. Put the original back. An ESE log that was mended is taken when it is asked for again; for any other start the share anew.',
      fields: { generation, path: this.#found.file.path },
    })
  }
}

/** Refuses what is larger than any log. Errors: `READ_FAILED`. */
export function refuseOversized(found: FoundLog): void {
  if (found.facts.sizeBytes <= LOG_BYTES_MAX) return
  throw new ReplicationError({
    code: 'READ_FAILED',
    message: `${found.file.path} has ${found.facts.sizeBytes} bytes; the largest log has ${LOG_BYTES_MAX}`,
    hint: 'Is this really a log? Correct the pattern of the share.',
  })
}
