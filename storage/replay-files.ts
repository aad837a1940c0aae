import { assert } from '../engine/assert.ts'
import type { StoreAnswer, StoreMachine } from '../engine/database/store-machine.ts'
import type { DatabaseOrder, LogOrder, StoreOrder, StoreQuestion } from '../engine/database/store-order.ts'
import type { ReplicationError } from '../engine/error.ts'
import type { Generation } from '../engine/generation.ts'
import { fencedOperations } from './fenced-operations.ts'
import { type FileFacts, type FileOperations, pathIn } from './file-operations.ts'
import { logNamesOf } from './log-names.ts'
import { LogReader } from './log-reader.ts'
import type { StoreTools } from './prepared-log.ts'
import { StoreDatabaseFiles } from './store-database-files.ts'
import type { ReachFailpoint } from './store-failpoint.ts'
import { type StoreLayout, settleStore } from './store-layout.ts'
import { listStore, type StoreListing } from './store-listing.ts'
import { logPath, type StoreNames, storePlaces } from './store-places.ts'

/** What {@link openReplayFiles} needs. */
export interface ReplayFilesOptions extends StoreNames {
  readonly files: FileOperations
  /** Makes ids that never repeat, of 32 hexadecimal digits. */
  readonly newId: () => string
  /** Tests only. */
  readonly reach?: ReachFailpoint
}

/**
 * Opens the files of a copy that replays: logs are read, the database and the checkpoint are written. What a crash left of
 * temporary files is swept, and what lies there is made durable. Whoever opens them holds the lock of the copy's store.
 *
 * Errors: `DIRECTORY_MISSING` (no directory is made anew), and those of the file system.
 */
export async function openReplayFiles(options: ReplayFilesOptions): Promise<ReplayFiles> {
  const layout = await settleStore(options.files, storePlaces(options), true)
  return new ReplayFiles(options, layout)
}

/** The files of one copy that replays. One thing at a time. After {@link end} no call changes the disk any more. */
export class ReplayFiles {
  readonly #layout: StoreLayout
  readonly #tools: StoreTools
  readonly #database: StoreDatabaseFiles
  readonly #reader: LogReader
  #end: ReplicationError | null = null
  /** What the database's file was when it was let go; undefined while it is in use. */
  #atRest: FileFacts | null | undefined

  /** Use {@link openReplayFiles}. */
  constructor(options: ReplayFilesOptions, layout: StoreLayout) {
    this.#layout = layout
    this.#tools = {
      files: fencedOperations(options.files, () => this.#end),
      places: storePlaces(options),
      names: logNamesOf({ kind: 'ese', baseName: options.baseName }),
      newId: options.newId,
      nowMs: () => 0, // it dates notes beside logs that are discarded, which no replay does
      reach: options.reach ?? (() => undefined),
    }
    this.#database = new StoreDatabaseFiles(this.#tools)
    this.#reader = new LogReader(this.#tools)
  }

  /** What lies there. */
  list(): Promise<StoreListing> {
    return listStore(this.#tools)
  }

  /** Has a replay answered and its orders executed, to its end. Errors: those of the file system, and `DATABASE_REJECTED`. */
  async run<Result>(machine: StoreMachine<Result>): Promise<Result> {
    this.#atRest = undefined
    for (let step = machine.next(); ; ) {
      if (step.done === true) return step.value
      step = machine.next(await this.#answer(step.value))
    }
  }

  /** When the source closed a log, which is the time of its file: milliseconds since 1970; 0 where it does not lie there. */
  async logTimeMs(generation: Generation): Promise<number> {
    for (const name of this.#tools.names.candidates(generation)) {
      const facts = await this.#tools.files.lookUp(logPath(this.#tools.places, name))
      if (facts !== null) return facts.modifiedMs
    }
    return 0
  }

  /** Neighbouring pages of the database, unverified, into `bytes`. Answers how many of them the file has. */
  readPages(first: number, bytes: Uint8Array): Promise<number> {
    this.#atRest = undefined
    return this.#database.readPages(first, bytes)
  }

  /**
   * Looks whether directories and database are still those that were opened: a write into a file that was removed succeeds and
   * is lost. Errors: `DIRECTORY_MISSING`, `DATABASE_REJECTED`.
   */
  async checkStillThere(): Promise<void> {
    await this.#layout.check()
    await this.#database.check()
  }

  /** Lets every file go, to be taken up again when it is needed. */
  async rest(): Promise<void> {
    await this.#reader.idle()
    await this.#database.close()
    this.#atRest = await this.#databaseFacts()
  }

  /** Whether the database is still the file, of the same length and time, that it was when it was let go. */
  async isUntouched(): Promise<boolean> {
    if (this.#atRest === undefined) return true
    const [before, now] = [this.#atRest, await this.#databaseFacts()]
    if (before === null || now === null) return before === now
    const isSame = before.inode === now.inode && before.device === now.device
    return isSame && before.sizeBytes === now.sizeBytes && before.modifiedMs === now.modifiedMs
  }

  /** From now on every call that would change something is refused with this error. */
  end(error: ReplicationError): void {
    this.#end ??= error
  }

  /** Ends the use of the files. */
  async close(): Promise<void> {
    await this.#reader.idle()
    await this.#database.close()
  }

  async #answer(step: StoreOrder | StoreQuestion): Promise<StoreAnswer> {
    switch (step.order) {
      case 'read-saved-pages':
        return this.#database.readSavedPages()
      case 'read-page':
        return this.#database.readPage(step.number)
      case 'read-log':
        return this.#reader.read(step)
      default:
        assert(isOfDatabase(step), 'a replay writes no log')
        await this.#database.execute(step)
        return null
    }
  }

  #databaseFacts(): Promise<FileFacts | null> {
    const { files, places } = this.#tools
    return files.lookUp(pathIn(places.database, places.databaseName))
  }
}

const LOG_ORDERS: ReadonlySet<string> = new Set<LogOrder['order']>([
  'write-log',
  'roll-log',
  'prepare-log',
  'mend-log',
  'discard-logs',
])

function isOfDatabase(order: StoreOrder): order is DatabaseOrder {
  return !LOG_ORDERS.has(order.order)
}
