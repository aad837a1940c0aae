import { ReplicationError } from '../engine/error.ts'
import type { FileOperations, OpenFile } from '../storage/file-operations.ts'
import type { SeededDatabase, SeedPiece } from '../transport/seed-source.ts'
import type { Slab } from './slab.ts'
import { SlotQueue } from './slot-queue.ts'

/** The databases that copies are being seeded from: one of each share at most, since a storage group has one session. */
export class SeedSources {
  readonly #files: FileOperations
  readonly #slots: SlotQueue
  readonly #open = new Map<string, OpenDatabase>()

  constructor(files: FileOperations, slab: Slab) {
    this.#files = files
    this.#slots = new SlotQueue(slab)
  }

  /** A seed has begun: its database may be read. */
  open(share: string, session: number, database: string): void {
    this.end(share)
    this.#open.set(share, new OpenDatabase({ files: this.#files, slots: this.#slots }, session, database))
  }

  /** The seed has ended; without a session whichever it is. */
  end(share: string, session?: number): void {
    const database = this.#open.get(share)
    if (database === undefined || (session !== undefined && database.session !== session)) return
    this.#open.delete(share)
    void database.close()
  }

  /** Errors: `STATE_REFUSED`. */
  find(share: string, session: number): SeededDatabase {
    const database = this.#open.get(share)
    if (database?.session === session) return database
    throw new ReplicationError({
      code: 'STATE_REFUSED',
      message: `seed ${session} of ${share} is not under way`,
      hint: 'The source was started again, its store was dismounted, or it has not heard of the seed for a minute: begin it again.',
      fields: { storageGroup: share },
    })
  }

  /** Ends them all. */
  async close(): Promise<void> {
    const all = [...this.#open.values()]
    this.#open.clear()
    await Promise.all(all.map((database) => database.close()))
  }
}

interface Reading {
  readonly files: FileOperations
  readonly slots: SlotQueue
}

/** A database that is opened by its first reader. */
class OpenDatabase implements SeededDatabase {
  readonly session: number
  readonly #reading: Reading
  readonly #path: string
  #file: Promise<OpenFile> | null = null
  /** Reads under way, after which the file may be closed. */
  readonly #busy = new Set<Promise<unknown>>()
  #isClosed = false

  constructor(reading: Reading, session: number, path: string) {
    this.#reading = reading
    this.session = session
    this.#path = path
  }

  async sizeBytes(): Promise<number> {
    return await this.#using(async (file) => (await this.#reading.files.factsOf(file)).sizeBytes)
  }

  async read(position: number, length: number): Promise<SeedPiece> {
    const { files, slots } = this.#reading
    return await this.#using(async (file) => {
      const slot = await slots.take()
      try {
        const count = await files.read(file, { bytes: slot.bytes, offset: 0, length }, position)
        return { bytes: slot.bytes.subarray(0, count), release: () => slots.give(slot) }
      } catch (error) {
        slots.give(slot)
        throw error
      }
    })
  }

  /** Ends it behind what is being read. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#busy)
    const file = await this.#file?.catch(() => null) // whoever read it was told
    if (file !== undefined && file !== null) await this.#reading.files.close(file).catch(() => undefined) // it was only read
  }

  async #using<T>(work: (file: OpenFile) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw ended(this.#path)
    this.#file ??= this.#opened()
    const done = this.#file.then(work)
    this.#busy.add(done)
    try {
      return await done
    } finally {
      this.#busy.delete(done)
    }
  }

  /** One that cannot be opened is tried again by the next reader. */
  async #opened(): Promise<OpenFile> {
    try {
      return await this.#reading.files.open(this.#path, 'read')
    } catch (error) {
      this.#file = null
      throw error
    }
  }
}

function ended(path: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `the seed that read ${path} has ended`,
    hint: 'Begin it again.',
    fields: { path },
  })
}
