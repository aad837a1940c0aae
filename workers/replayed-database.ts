import { PAGE_BYTES } from '../engine/database/page.ts'
import { PageCache } from '../engine/database/page-cache.ts'
import { digestPage, type PageDigest } from '../engine/database/page-digest.ts'
import { readPage } from '../engine/database/page-reading.ts'
import type { StoreFiles } from '../engine/database/recovery-evidence.ts'
import { Replayer } from '../engine/database/replayer.ts'
import { STORE_ERROR, type StoreFault } from '../engine/database/store-fault.ts'
import { readStore } from '../engine/database/store-finding.ts'
import { ReplicationError } from '../engine/error.ts'
import type { DatabaseProgress } from '../engine/fact.ts'
import {
  asGeneration,
  type Generation,
  NO_GENERATION,
  nextGeneration,
  previousGeneration,
} from '../engine/generation.ts'
import type { FileOperations } from '../storage/file-operations.ts'
import { openReplayFiles, type ReplayFiles } from '../storage/replay-files.ts'
import type { ReachFailpoint } from '../storage/store-failpoint.ts'
import { DATABASE_NAME } from '../storage/store-places.ts'
import type { KeptDatabase } from './messages.ts'

/** What a database is replayed with. */
export interface ReplaySettings {
  readonly files: FileOperations
  /** Makes ids that never repeat, of 32 hexadecimal digits. */
  readonly newId: () => string
  /** Memory for pages of one database, in bytes. */
  readonly cacheBytes: number
  /** How far the checkpoint may lag behind the last replayed log, in bytes. */
  readonly checkpointDepthBytes: number
  /** Tests only. */
  readonly reach?: ReachFailpoint
}

/** What ended a replay, found by its rules. */
export class ReplayEnded extends Error {
  readonly fault: StoreFault

  constructor(fault: StoreFault) {
    super(fault.detail)
    this.fault = fault
  }
}

/** Pages that are read and digested in one go: 512 KiB, about 1 ms of work. */
const DIGEST_PAGES = 64

/** The database of one copy while it is open: what lies in its files, and what is replayed beyond that. */
export class ReplayedDatabase {
  readonly #settings: ReplaySettings
  readonly #files: ReplayFiles
  readonly #found: StoreFiles
  /** From the first batch on. */
  #replayer: Replayer | null = null
  #progress: DatabaseProgress

  private constructor(settings: ReplaySettings, files: ReplayFiles, found: StoreFiles) {
    this.#settings = settings
    this.#files = files
    this.#found = found
    const { database } = found
    const requiredLow = firstRequired(database)
    this.#progress = {
      replayedThrough: previousGeneration(requiredLow),
      logTimeMs: 0,
      requiredLow,
      requiredHigh: asGeneration(database?.required.maxRequired ?? 0),
    }
  }

  /**
   * Opens the files and reads the header. Nothing is recovered: that is what the first batches do.
   *
   * Errors: `LOG_FORMAT_INVALID` (only ESE logs are replayed), {@link ReplayEnded}, and those of `openReplayFiles`.
   */
  static async open(settings: ReplaySettings, kept: KeptDatabase): Promise<ReplayedDatabase> {
    const { root, format } = kept
    if (format.kind !== 'ese') throw notReplayed(root)
    const names = { root, baseName: format.baseName, databaseName: DATABASE_NAME }
    const files = await openReplayFiles({ ...settings, ...names })
    try {
      const finding = readStore(await files.list())
      if (finding.finding === 'unreadable') throw new ReplayEnded(finding.fault)
      const database = new ReplayedDatabase(settings, files, finding.files)
      await database.#noteTime()
      return database
    } catch (error) {
      await files.close()
      throw error
    }
  }

  /** How far it is: what is durable of it, and what is replayed. */
  get progress(): DatabaseProgress {
    return this.#progress
  }

  /**
   * Replays one log, the next one or one that is replayed already.
   *
   * @param last the last log of its batch
   *
   * Errors: {@link ReplayEnded}, and those of the file system; the database is of no use after it.
   */
  async replay(generation: Generation, last: Generation): Promise<void> {
    this.#replayer ??= await this.#begin(last)
    const { fault } = await this.#files.run(this.#replayer.replay(generation, last))
    if (fault !== null) throw new ReplayEnded(fault)
    await this.#learn()
  }

  /** Writes some of the changes that wait. Answers whether there were any; the next call goes on. */
  async settleBatch(): Promise<boolean> {
    if (this.#replayer === null) return false
    const wrote = await this.#files.run(this.#replayer.settleBatch())
    await this.#learn()
    return wrote
  }

  /** Lets every file go; what is in memory stays. */
  rest(): Promise<void> {
    return this.#files.rest()
  }

  /** Whether it may be gone on with after a rest: nobody has changed its file or exchanged a directory meanwhile. */
  async isUntouched(): Promise<boolean> {
    try {
      await this.#files.checkStillThere()
      return await this.#files.isUntouched()
    } catch (error) {
      if (error instanceof ReplicationError) return false
      throw error
    }
  }

  /**
   * The digests of all pages of the file, in pieces. Every change is settled before, and nothing is replayed meanwhile. Errors:
   * {@link ReplayEnded} (-1018), and those of the file system.
   */
  async *digests(): AsyncGenerator<readonly PageDigest[]> {
    if (this.#replayer === null && this.#found.database === null) return
    const bytes = new Uint8Array(DIGEST_PAGES * PAGE_BYTES)
    for (let first = 1; ; first += DIGEST_PAGES) {
      const pages = await this.#files.readPages(first, bytes)
      const digests: PageDigest[] = []
      for (let index = 0; index < pages; index++) {
        const page = bytes.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES)
        const digest = digestPage(first + index, this.#verified(first + index, page))
        if (digest !== null) digests.push(digest)
      }
      if (digests.length > 0) yield digests
      if (pages < DIGEST_PAGES) return
    }
  }

  /** From now on nothing on the disk is changed any more. */
  end(error: ReplicationError): void {
    this.#files.end(error)
  }

  /** Ends all use, as it is: the next opening recovers what was not settled. */
  close(): Promise<void> {
    return this.#files.close()
  }

  async #begin(inspected: Generation): Promise<Replayer> {
    const { cacheBytes, checkpointDepthBytes } = this.#settings
    const finding = readStore(await this.#files.list())
    if (finding.finding === 'unreadable') throw new ReplayEnded(finding.fault)
    const { files } = finding
    if (firstRequired(files.database) !== this.#progress.requiredLow) throw exchanged()
    const replayer = new Replayer({ files, inspected, cache: new PageCache(cacheBytes), checkpointDepthBytes })
    const fault = await this.#files.run(replayer.open())
    if (fault !== null) throw new ReplayEnded(fault)
    return replayer
  }

  /** Takes in how far replay and header are, once the file that they are in is known to be there still. */
  async #learn(): Promise<void> {
    await this.#files.checkStillThere()
    const { header, next } = this.#replayer ?? { header: null, next: nextGeneration(NO_GENERATION) }
    const before = this.#progress
    const replayedThrough = previousGeneration(next)
    const requiredLow = Math.max(before.requiredLow, Math.min(firstRequired(header), next))
    this.#progress = {
      ...before,
      replayedThrough,
      requiredLow: asGeneration(requiredLow),
      requiredHigh: asGeneration(Math.max(before.requiredHigh, header?.required.maxRequired ?? 0)),
    }
    if (replayedThrough !== before.replayedThrough) await this.#noteTime()
  }

  async #noteTime(): Promise<void> {
    const logTimeMs = await this.#files.logTimeMs(this.#progress.replayedThrough)
    this.#progress = { ...this.#progress, logTimeMs }
  }

  #verified(number: number, bytes: Uint8Array): Uint8Array {
    const reading = readPage(number, bytes)
    if (reading.reading === 'sound') return reading.bytes
    throw new ReplayEnded({ error: STORE_ERROR.pageBad, detail: reading.detail, generation: null, page: number })
  }
}

/** The first log that recovery needs, by the header; 1 where no database is. */
function firstRequired(header: StoreFiles['database']): Generation {
  if (header === null) return asGeneration(1)
  const { required, consistent } = header
  return asGeneration(required.minRequired === 0 ? Math.max(1, consistent.position.generation) : required.minRequired)
}

function exchanged(): ReplicationError {
  return new ReplicationError({
    code: 'DATABASE_REJECTED',
    message: `another ${DATABASE_NAME} lies there than the one that was opened`,
    hint: 'Suspend the copy before its files are changed; it is opened anew now.',
    fields: { eseError: STORE_ERROR.databaseMissing },
  })
}

function notReplayed(root: string): ReplicationError {
  return new ReplicationError({
    code: 'LOG_FORMAT_INVALID',
    message: `the logs of ${root} are not of the ESE format, so there is nothing that could be replayed`,
    hint: 'Keep the copy without a database: start it without --replay, in another directory.',
    fields: { path: root },
  })
}
