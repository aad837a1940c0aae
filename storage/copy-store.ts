import {
  asGeneration,
  type Generation,
  type GenerationRange,
  higherOf,
  NO_GENERATION,
  previousGeneration,
} from '../engine/generation.ts'
import type { LogFormat } from '../engine/log-format.ts'
import { type DeletionOutcome, deleteAscending } from './ascending-deletion.ts'
import { type CopyScan, readLog, scanCopy, scanCopyNames } from './copy-scan.ts'
import { type CopyStorePaths, copyStorePaths, makeLayout, vanished } from './copy-store-layout.ts'
import { refuseSameDirectory } from './durable-directory.ts'
import { PUBLISH_BATCH_MAX } from './durable-file.ts'
import { type FileFacts, type FileOperations, pathIn } from './file-operations.ts'
import { type LogNames, logNamesOf } from './log-names.ts'
import { type Publisher, type PublishItem, type PublishOutcome, publisherInto } from './publisher.ts'
import { type QuarantineNote, quarantineFile } from './quarantine.ts'
import { type StoreMarker, writeStoreMarker } from './store-marker.ts'

/** What {@link openCopyStore} needs. */
export interface CopyStoreOptions<Identity> {
  readonly root: string
  readonly format: LogFormat
  readonly files: FileOperations
  /** Makes ids that never repeat, of 32 hexadecimal digits, for example a UUID without hyphens. */
  readonly newId: () => string
  /** The identity of a log from its first 4,096 bytes (fewer when it is shorter) and its name; null when they tell none. */
  readonly identityOf: (start: Uint8Array, name: string) => Identity | null
  /** Decides whether an arrived log and the file that has its name already have the same content. */
  readonly sameContent: (temporaryPath: string, finalPath: string) => Promise<boolean>
  /** The source's log directory where it is on this machine: the store must not lie in it, nor it in the store. */
  readonly sourceDirectory?: string
  /** The store was there before: a missing one is a vanished volume. */
  readonly mustExist?: boolean
}

/** How a copy is truncated. */
export interface TruncationOptions {
  /** Stops it between two files. */
  readonly signal?: AbortSignal
  /**
   * Nothing below this is thought to be there: saves reading the directory, where the format computes names. The first
   * truncation after an opening or a scan reads it all the same, for what a crash may have left.
   */
  readonly first?: Generation
}

/**
 * Opens the store of a copy, making it durably when it is new. Reads the marker and looks up the directories, nothing else:
 * a suspended copy may be opened. Whoever opens holds the store's lock.
 *
 * Errors: `DIRECTORY_CONFLICT`, `DIRECTORY_MISSING`, `STORE_FOREIGN`, and those of the file system.
 */
export async function openCopyStore<Identity>(options: CopyStoreOptions<Identity>): Promise<CopyStore<Identity>> {
  const { root, format, files, newId } = options
  if (options.sourceDirectory !== undefined) await refuseSameDirectory(files, root, options.sourceDirectory)
  const marker = await makeLayout(files, { root, format, newId, mustExist: options.mustExist ?? false })
  const paths = copyStorePaths(root, format)
  const identities = { root: await presentFacts(files, root), logs: await presentFacts(files, paths.logs) }
  return new CopyStore(options, { paths, marker, identities })
}

interface Opened {
  readonly paths: CopyStorePaths
  readonly marker: StoreMarker
  readonly identities: { readonly root: FileFacts; readonly logs: FileFacts }
}

/** When a log of the copy was closed by its source: milliseconds since 1970. */
interface LogTimeOfCopy {
  readonly generation: Generation
  readonly logTimeMs: number
}

/** Files that are looked at side by side: more than a disk has in its queue, fewer than a process may have open. */
const LOOKS_AT_ONCE = 64

/** The directories of one copy: what is published in them, what is kept apart, what is deleted. */
export class CopyStore<Identity> {
  readonly paths: CopyStorePaths
  /** 32 hexadecimal digits, made with the store. */
  readonly copyId: string
  readonly #options: CopyStoreOptions<Identity>
  readonly #identities: Opened['identities']
  readonly #names: LogNames
  readonly #publisher: Publisher
  #marker: StoreMarker
  /** What this process has made durable of `truncatedBelow`; of what it found, the last sync may have failed. */
  #durablyBelow: Generation = NO_GENERATION
  /** Until a truncation has read the directory and come to its end. */
  #mayHaveLeftovers = true

  /** Use {@link openCopyStore}. */
  constructor(options: CopyStoreOptions<Identity>, opened: Opened) {
    this.#options = options
    this.paths = opened.paths
    this.copyId = opened.marker.copyId
    this.#marker = opened.marker
    this.#identities = opened.identities
    this.#names = logNamesOf(options.format)
    this.#publisher = publisherInto(
      {
        directory: this.paths.logs,
        temporaryDirectory: this.paths.inspector,
        sameContent: options.sameContent,
      },
      options.files,
    )
  }

  /**
   * Whether the directories are those that were opened, by device and inode. Throws `DIRECTORY_MISSING` when the store was
   * removed, unmounted or exchanged while it was in use. Costs two look-ups.
   */
  async checkStillThere(): Promise<void> {
    const { files } = this.#options
    await refuseOther(files, this.paths.root, this.#identities.root)
    await refuseOther(files, this.paths.logs, this.#identities.logs)
  }

  /**
   * Publishes arrived logs in ascending order; see {@link Publisher.publish}. At most {@link PUBLISH_BATCH_MAX} are in flight at
   * once: a longer batch goes in parts, and what the parts made durable before one failed counts.
   */
  async publish(batch: readonly PublishItem[]): Promise<PublishOutcome> {
    await this.checkStillThere()
    let durable = 0
    let alreadyThere = 0
    for (let at = 0; at < batch.length; at += PUBLISH_BATCH_MAX) {
      const outcome = await this.#publisher.publish(batch.slice(at, at + PUBLISH_BATCH_MAX))
      durable += outcome.durable
      alreadyThere += outcome.alreadyThere
      if (outcome.failure !== null) return { durable, alreadyThere, failure: outcome.failure }
    }
    return { durable, alreadyThere, failure: null }
  }

  /** What the log of a generation says that it is; null where it is not there or says nothing. */
  async identityOf(generation: Generation): Promise<Identity | null> {
    await this.checkStillThere()
    const { files, identityOf } = this.#options
    await this.#learnNames()
    const log = await readLog({ paths: this.paths, names: this.#names, identityOf }, files, generation)
    return log?.identity ?? null
  }

  /** Sweeps `inspector/` and reads what is there. Nothing may be arriving meanwhile. See {@link CopyScan}. */
  async scan(): Promise<CopyScan<Identity>> {
    await this.checkStillThere()
    const { files, identityOf } = this.#options
    const truncatedBelow = this.#marker.truncatedBelow
    const scan = await scanCopy({ paths: this.paths, names: this.#names, truncatedBelow, identityOf }, files)
    this.#mayHaveLeftovers = true
    // Of an empty directory nothing is left over: the next logs may be those of another stream, with lower numbers.
    if (scan.ranges.length === 0 && truncatedBelow > 0) await this.forgetTruncation()
    return scan
  }

  /** Keeps a refused log of `inspector/` in `InspectionFailed`, durably, with a note. Answers its new path. */
  async quarantine(arrivingName: string, note: QuarantineNote): Promise<string> {
    const move = {
      fromDirectory: this.paths.inspector,
      fromName: arrivingName,
      toDirectory: this.paths.inspectionFailed,
    }
    return quarantineFile(this.#options.files, move, note)
  }

  /** Removes a log that arrived in `inspector/` and is of no use. One that is gone already is no fault. */
  async discard(arrivingName: string): Promise<void> {
    await this.checkStillThere()
    const { files } = this.#options
    const path = pathIn(this.paths.inspector, arrivingName)
    if ((await files.lookUp(path)) !== null) await files.unlink(path)
  }

  /**
   * Takes a log that proved damaged after it was inspected out of the log directory into `InspectionFailed`, durably, with a note.
   * Answers its new path, or null when it is not there.
   */
  setLogAside(generation: Generation, note: Omit<QuarantineNote, 'name'>): Promise<string | null> {
    return this.#setAside(generation, this.paths.inspectionFailed, note)
  }

  /**
   * Takes a log that is another one than that of the source out of the log directory into the out-of-date directory, durably, with a note.
   * Answers its new path, or null when it is not there.
   */
  setDivergedAside(generation: Generation, note: Omit<QuarantineNote, 'name'>): Promise<string | null> {
    return this.#setAside(generation, this.paths.outOfDate, note)
  }

  async #setAside(
    generation: Generation,
    toDirectory: string,
    note: Omit<QuarantineNote, 'name'>,
  ): Promise<string | null> {
    const { files } = this.#options
    await this.checkStillThere()
    await this.#learnNames()
    for (const name of this.#names.candidates(generation)) {
      if ((await files.lookUp(pathIn(this.paths.logs, name))) === null) continue
      const move = { fromDirectory: this.paths.logs, fromName: name, toDirectory }
      const kept = await quarantineFile(files, move, { ...note, name })
      this.#names.forget(generation)
      return kept
    }
    return null
  }

  /** Keeps an open log, left from a time as active, in the out-of-date directory. Answers its new path. */
  async setOpenLogAside(name: string, note: QuarantineNote): Promise<string> {
    const move = { fromDirectory: this.paths.logs, fromName: name, toDirectory: this.paths.outOfDate }
    return quarantineFile(this.#options.files, move, note)
  }

  /**
   * Deletes the closed logs below `generation` in ascending order. How far it may go is made durable first, so that whatever a
   * crash leaves of them is known for a leftover. See {@link deleteAscending}.
   */
  async truncateBelow(generation: Generation, options: TruncationOptions = {}): Promise<DeletionOutcome> {
    await this.checkStillThere()
    const ranges = generation <= 1 ? [] : await this.#rangesBelow(generation, options.first)
    const first = ranges[0]
    const deletesSeveral = first !== undefined && first.first < previousGeneration(generation)
    if (deletesSeveral && generation > this.#durablyBelow) {
      await this.#rewriteMarker({ ...this.#marker, truncatedBelow: higherOf(generation, this.#marker.truncatedBelow) })
      this.#durablyBelow = generation
    }
    const outcome = await deleteAscending(
      {
        directory: this.paths.logs,
        names: this.#names,
        ranges,
        onGone: (gone) => this.#names.forget(gone),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
      this.#options.files,
    )
    if (outcome.failure === null && !outcome.aborted) this.#mayHaveLeftovers = false
    return outcome
  }

  /** The copy begins a new stream (it was seeded): what was truncated of the old one says nothing about the new. */
  async forgetTruncation(): Promise<void> {
    await this.checkStillThere()
    await this.#rewriteMarker({ ...this.#marker, truncatedBelow: NO_GENERATION })
    this.#durablyBelow = NO_GENERATION
  }

  /** The path of a generation's log, or null when it is not there. */
  async pathOf(generation: Generation): Promise<string | null> {
    for (const name of this.#names.candidates(generation)) {
      const path = pathIn(this.paths.logs, name)
      if ((await this.#options.files.lookUp(path)) !== null) return path
    }
    return null
  }

  /** When each log of a run was closed, ascending: the times of their files. One that is gone meanwhile is left out. */
  async logTimes({ first, last }: GenerationRange): Promise<readonly LogTimeOfCopy[]> {
    const times: LogTimeOfCopy[] = []
    for (let at = first; at <= last; at = asGeneration(at + LOOKS_AT_ONCE)) {
      const count = Math.min(LOOKS_AT_ONCE, last - at + 1)
      const looked = Array.from({ length: count }, (_, index) => this.#logTimeOf(asGeneration(at + index)))
      for (const time of await Promise.all(looked)) if (time !== null) times.push(time)
    }
    return times
  }

  /** Another thread may have published since: names of a pattern are known only once they were read. */
  async #learnNames(): Promise<void> {
    if (!this.#names.computable) await scanCopyNames({ paths: this.paths, names: this.#names }, this.#options.files)
  }

  async #logTimeOf(generation: Generation): Promise<LogTimeOfCopy | null> {
    for (const name of this.#names.candidates(generation)) {
      const facts = await this.#options.files.lookUp(pathIn(this.paths.logs, name))
      if (facts !== null) return { generation, logTimeMs: facts.modifiedMs }
    }
    return null
  }

  /** Reads the directory rather than trust a memory: another thread may have published since. */
  async #rangesBelow(generation: Generation, first?: Generation): Promise<readonly GenerationRange[]> {
    const last = previousGeneration(generation)
    if (first !== undefined && !this.#mayHaveLeftovers && this.#names.computable)
      return first <= last ? [{ first, last }] : []
    const { present } = await scanCopyNames({ paths: this.paths, names: this.#names }, this.#options.files)
    return present.rangesWithin({ first: asGeneration(1), last })
  }

  async #rewriteMarker(marker: StoreMarker): Promise<void> {
    const { files, newId } = this.#options
    await writeStoreMarker(files, { root: this.paths.root, attemptId: newId() }, marker)
    this.#marker = marker
  }
}

async function presentFacts(files: FileOperations, path: string): Promise<FileFacts> {
  const facts = await files.lookUp(path)
  if (facts === null) throw vanished(path)
  return facts
}

async function refuseOther(files: FileOperations, path: string, expected: FileFacts): Promise<void> {
  const facts = await files.lookUp(path)
  if (facts === null || facts.inode !== expected.inode || facts.device !== expected.device) throw vanished(path)
}
