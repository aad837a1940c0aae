import { assert } from '../engine/assert.ts'
import type {
  DatabaseOrder,
  LogOrder,
  OrderBundle,
  SavedPage,
  StoreFact,
  StoreOrder,
  StoreQuestion,
} from '../engine/database/store-order.ts'
import { ReplicationError } from '../engine/error.ts'
import { fencedOperations } from './fenced-operations.ts'
import type { FileOperations } from './file-operations.ts'
import { logNamesOf } from './log-names.ts'
import { type LogQuestion, LogReader } from './log-reader.ts'
import { PreparedLog, type StoreTools } from './prepared-log.ts'
import { refuseHalfRestored } from './restore-note.ts'
import { StoreDatabaseFiles } from './store-database-files.ts'
import type { ReachFailpoint } from './store-failpoint.ts'
import { storeFailure } from './store-failure.ts'
import { StoreLane } from './store-lane.ts'
import { type StoreLayout, settleStore } from './store-layout.ts'
import { listStore, type StoreListing } from './store-listing.ts'
import type { StoreLock } from './store-lock.ts'
import { StoreLogFiles } from './store-log-files.ts'
import { type StoreNames, storePlaces } from './store-places.ts'

/** What {@link openStoreFiles} needs. Callbacks are never called after `close` has resolved. */
export interface StoreFilesOptions extends StoreNames {
  readonly files: FileOperations
  /** The right to use the store, taken by `lockStore`. It is given back when the files are closed. */
  readonly lock: StoreLock
  /** The store was there before: a missing one is a vanished volume, and nothing is made in its place. */
  readonly mustExist: boolean
  /** The length of every log of the stream; reserve logs are made of it. */
  readonly logFileBytes: number
  /** Makes ids that never repeat, of 32 hexadecimal digits. */
  readonly newId: () => string
  /** Milliseconds since 1970, for notes beside logs that are kept. */
  readonly nowMs: () => number
  /** `log-written`, `database-written`, `log-prepared` and `page-read`. */
  readonly onFact: (fact: StoreFact) => void
  /**
   * The store has ended: an order failed, and nothing more is written or told. A `ReplicationError` names the file and what to do;
   * anything else is a fault of the program. Called once at most.
   */
  readonly onFailed: (error: unknown) => void
  /** Tests only. */
  readonly reach?: ReachFailpoint
}

/** What a question is answered by. */
export type AnswerTo<Question extends StoreQuestion> = Question extends { order: 'read-saved-pages' }
  ? readonly SavedPage[]
  : Question extends { order: 'read-page' }
    ? Uint8Array
    : Uint8Array | null

/**
 * Opens the files of a mailbox store, making its directories when it is new. What a crash left of temporary files is swept; logs
 * and database are not looked at: that is recovery's business, by {@link StoreFiles.list} and {@link StoreFiles.ask}.
 *
 * Errors: `DIRECTORY_MISSING`, `DIRECTORY_CONFLICT`, `DATABASE_REJECTED` while a restore is not done, and those of the file system; a full disk is none, it only leaves the store
 * without reserve logs. The lock is given back when it fails.
 */
export async function openStoreFiles(options: StoreFilesOptions): Promise<StoreFiles> {
  try {
    await refuseHalfRestored(options.files, options.root)
    const layout = await settleStore(options.files, storePlaces(options), options.mustExist)
    const store = new StoreFiles(options, layout)
    await store.makeReserveLogs()
    return store
  } catch (error) {
    await options.lock.release()
    throw error
  }
}

/**
 * The files of one mailbox store. Two lanes run side by side, that of the log and that of the database; within a lane each order
 * begins when the one before has ended. The first failure ends both: no call that changes the disk is made after it.
 */
export class StoreFiles {
  readonly #options: StoreFilesOptions
  readonly #layout: StoreLayout
  readonly #tools: StoreTools
  readonly #prepared: PreparedLog
  readonly #logFiles: StoreLogFiles
  readonly #databaseFiles: StoreDatabaseFiles
  readonly #logLane: StoreLane<LogOrder>
  readonly #databaseLane: StoreLane<DatabaseOrder>
  readonly #reader: LogReader
  readonly #reads = new Set<Promise<void>>()
  #failure: ReplicationError | null = null
  #telling: Promise<void> = Promise.resolve()
  #closed: Promise<void> | null = null

  /** Use {@link openStoreFiles}. */
  constructor(options: StoreFilesOptions, layout: StoreLayout) {
    this.#options = options
    this.#layout = layout
    this.#tools = {
      files: fencedOperations(options.files, () => this.#failure),
      places: storePlaces(options),
      names: logNamesOf({ kind: 'ese', baseName: options.baseName }),
      newId: options.newId,
      nowMs: options.nowMs,
      reach: options.reach ?? (() => undefined),
    }
    this.#prepared = new PreparedLog({
      ...this.#tools,
      onPrepared: (reserve) => this.#tell({ fact: 'log-prepared', reserve }),
      onFailed: (error) => this.#fail(error, 'prepare-log'),
    })
    this.#logFiles = new StoreLogFiles(this.#tools, this.#prepared)
    this.#databaseFiles = new StoreDatabaseFiles(this.#tools)
    this.#logLane = this.#laneOf('log-written', this.#logFiles)
    this.#databaseLane = this.#laneOf('database-written', this.#databaseFiles)
    this.#reader = new LogReader(this.#tools)
  }

  /** Takes orders for the lane of the log; `log-written` tells that they have ended. */
  orderLog(bundle: OrderBundle<LogOrder>): void {
    this.#refuseClosed()
    this.#logLane.give(bundle)
  }

  /** Takes orders for the lane of the database; `database-written` tells that they have ended. */
  orderDatabase(bundle: OrderBundle<DatabaseOrder>): void {
    this.#refuseClosed()
    this.#databaseLane.give(bundle)
  }

  /** Reads a page that an operation needs; `page-read` brings it. Never one that an order under way writes. */
  fetchPage(number: number): void {
    this.#refuseClosed()
    const read = this.#databaseFiles.readPage(number).then(
      (bytes) => this.#tell({ fact: 'page-read', number, bytes }),
      (error: unknown) => this.#fail(error, 'read-page'),
    )
    this.#reads.add(read)
    void read.finally(() => this.#reads.delete(read)) // both outcomes are handled above
  }

  /**
   * Reads neighbouring pages into `bytes`, as they lie there, and answers how many of them the file has. Nobody may write pages
   * meanwhile. Errors: those of the file system, and they do not end the store.
   */
  readPages(first: number, bytes: Uint8Array): Promise<number> {
    this.#refuseClosed()
    const read = this.#databaseFiles.readPages(first, bytes)
    const ended = read.then(
      () => undefined,
      () => undefined, // its caller has the error
    )
    this.#reads.add(ended)
    void ended.then(() => this.#reads.delete(ended))
    return read
  }

  /** Answers a question of a recovery or a replay; one for a log at a time. Errors: those of the file system. */
  ask<Question extends StoreQuestion>(question: Question): Promise<AnswerTo<Question>>
  ask(question: StoreQuestion): Promise<Uint8Array | readonly SavedPage[] | null> {
    this.#refuseClosed()
    switch (question.order) {
      case 'read-saved-pages':
        return this.#databaseFiles.readSavedPages()
      case 'read-page':
        return this.#databaseFiles.readPage(question.number)
      case 'read-log':
        return this.#reader.read(question satisfies LogQuestion)
    }
  }

  /** What lies there. */
  list(): Promise<StoreListing> {
    this.#refuseClosed()
    return listStore(this.#tools)
  }

  /** Makes the reserve logs that are missing, as far as there is room. */
  makeReserveLogs(): Promise<void> {
    return this.#prepared.restock(this.#options.logFileBytes)
  }

  /**
   * Looks whether the directories and the open log are still there; a store that has lost one of them ends. A write into a file that
   * was removed succeeds and is lost, so a store asks this about once a second. Costs three look-ups.
   */
  async checkStillThere(): Promise<void> {
    this.#refuseClosed()
    try {
      await this.#layout.check()
      await this.#logFiles.check()
    } catch (error) {
      this.#fail(error, 'check')
    }
  }

  /** Ends the store from outside, as when its lock was lost: nothing more is written. */
  abandon(error: ReplicationError): void {
    this.#fail(error, 'lock')
  }

  /** Carries out what was ordered, unless the store has ended, closes every file and gives the lock back. May be called twice. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await this.#logLane.idle()
    await this.#databaseLane.idle()
    await this.#prepared.idle()
    await this.#reader.idle()
    await Promise.all(this.#reads)
    try {
      await this.#logFiles.close()
      await this.#databaseFiles.close()
    } finally {
      await this.#telling
      await this.#options.lock.release()
    }
  }

  #laneOf<Order extends StoreOrder>(
    fact: 'log-written' | 'database-written',
    files: { execute(order: Order): Promise<void> },
  ): StoreLane<Order> {
    return new StoreLane<Order>({
      execute: (order) => files.execute(order),
      onWritten: (sequence) => this.#tell({ fact, sequence }),
      onFailed: (error, { order }) => this.#fail(error, order),
      hasEnded: () => this.#failure !== null,
    })
  }

  #tell(fact: StoreFact): void {
    if (this.#failure === null) this.#options.onFact(fact)
  }

  /** The fence goes up at once; what is told may first need a look at the directories. */
  #fail(error: unknown, order: string): void {
    if (this.#failure !== null) return
    const failure = storeFailure(error, order)
    this.#failure = failure
    this.#telling = this.#layout.check().then(
      () => this.#options.onFailed(error instanceof ReplicationError ? failure : error),
      (gone: unknown) => this.#options.onFailed(gone instanceof ReplicationError ? storeFailure(gone, order) : error),
    )
  }

  #refuseClosed(): void {
    assert(this.#closed === null, 'closed files take no order and no question')
  }
}
