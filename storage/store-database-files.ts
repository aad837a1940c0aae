import { assert } from '../engine/assert.ts'
import { CHECKPOINT_COPY_BYTES, composeCheckpointFile } from '../engine/database/checkpoint-file.ts'
import { STORE_ERROR } from '../engine/database/store-fault.ts'
import type { DatabaseOrder, PageImage, SavedPage } from '../engine/database/store-order.ts'
import { ReplicationError } from '../engine/error.ts'
import { deleteAscending } from './ascending-deletion.ts'
import { createDatabaseFile, type DatabaseFile, openDatabaseFile } from './database-file.ts'
import { PIECE_BYTES_MAX, replaceDurably } from './durable-file.ts'
import { isDiskFull } from './file-error.ts'
import { pathIn, wholeOf } from './file-operations.ts'
import type { StoreTools } from './prepared-log.ts'
import { SavedPages } from './saved-pages.ts'
import { logPath } from './store-places.ts'

type OrderNamed<Name extends DatabaseOrder['order']> = Extract<DatabaseOrder, { order: Name }>

/** Executes the orders of the database's lane, and reads pages. */
export class StoreDatabaseFiles {
  readonly #tools: StoreTools
  readonly #saved: SavedPages
  #database: Promise<DatabaseFile> | null = null
  /** Whether pages were written in place that no sync has made durable. */
  #unsynced = false
  #gathered = new Uint8Array(0)
  /** Pages that the file has, or will have when the write under way has ended. Known before it is read or written. */
  #pages = 0

  constructor(tools: StoreTools) {
    const { files, places, newId } = tools
    this.#tools = tools
    this.#saved = new SavedPages({ files, directory: places.database, name: places.savedPagesName, newId })
  }

  /** Resolves when the order has ended. Errors: those of the file system, and `DATABASE_REJECTED`. */
  execute(order: DatabaseOrder): Promise<void> {
    switch (order.order) {
      case 'create-database':
        return this.#create(order)
      case 'save-pages':
        return this.#save(order)
      case 'write-pages':
        return this.#writePages(order)
      case 'sync-database':
        return this.#sync()
      case 'write-header':
        return this.#writeHeader(order)
      case 'write-checkpoint':
        return this.#writeCheckpoint(order)
      case 'delete-logs':
        return this.#deleteLogs(order)
    }
  }

  /** A page, unverified, in memory of its own; all zero behind the end of the file. */
  async readPage(number: number): Promise<Uint8Array> {
    const database = await this.#opened()
    const bytes = new Uint8Array(database.pageBytes)
    // A page that is made new lies behind the end, and most pages that a redo asks for are: that takes no call.
    if (number <= this.#pages) await database.readPages(number, wholeOf(bytes))
    return bytes
  }

  /** Neighbouring pages, unverified, into `bytes`. Answers how many of them the file has. */
  async readPages(first: number, bytes: Uint8Array): Promise<number> {
    return (await this.#opened()).readPages(first, wholeOf(bytes))
  }

  /** Throws `DATABASE_REJECTED` (-1811) when the file that is in use was removed, or another one lies in its place. */
  async check(): Promise<void> {
    const database = await this.#database
    if (database === null || (await database.isStillThere())) return
    throw new ReplicationError({
      code: 'DATABASE_REJECTED',
      message: `${database.path} is not the file any more that was opened`,
      hint: 'Find out who moves files there. A copy begins anew with what lies there now; without a database, from log 1.',
      fields: { path: database.path, eseError: STORE_ERROR.databaseMissing },
    })
  }

  /** What the last batch of saved pages left, as far as it is whole. */
  readSavedPages(): Promise<readonly SavedPage[]> {
    return this.#saved.read()
  }

  /** Ends the use of the files. Nothing may be under way. */
  async close(): Promise<void> {
    const database = this.#database
    this.#database = null
    await this.#saved.close()
    await (await database?.catch(() => null))?.close() // one that could not be opened was told to whoever wanted it
  }

  async #create({ header }: OrderNamed<'create-database'>): Promise<void> {
    const { files, places, newId, reach } = this.#tools
    await this.close()
    reach('create-database.before')
    // Before the database: its successor must never be mended with pages of this one.
    await this.#saved.remove()
    reach('create-database.saved-pages-removed')
    const name = places.databaseName
    const made = { directory: places.database, name, attemptId: newId(), header, replaces: true }
    this.#unsynced = false
    this.#pages = 0
    this.#database = Promise.resolve(await createDatabaseFile(files, made))
    reach('create-database.after')
  }

  async #save(batch: OrderNamed<'save-pages'>): Promise<void> {
    const { reach } = this.#tools
    reach('save-pages.before')
    // The images that this goes over may be those of pages that a crash would still tear.
    if (this.#unsynced) await this.#flush()
    if (batch.pages.length > 0) await this.#saved.save(batch, () => reach('save-pages.written'))
    reach('save-pages.after')
  }

  async #writePages({ pages }: OrderNamed<'write-pages'>): Promise<void> {
    const database = await this.#opened()
    this.#tools.reach('write-pages.before')
    this.#unsynced = true
    this.#pages = Math.max(this.#pages, pages.at(-1)?.number ?? 0)
    const runPagesMax = Math.floor(PIECE_BYTES_MAX / database.pageBytes)
    for (const run of runsOf(pages, runPagesMax)) await this.#writeRun(database, run)
    this.#tools.reach('write-pages.after')
  }

  /** Neighbours go in one write; a page alone from where it lies. */
  async #writeRun(database: DatabaseFile, run: readonly PageImage[]): Promise<void> {
    const [first] = run
    if (first === undefined) return
    for (const { bytes } of run)
      assert(bytes.length === database.pageBytes, 'a page has the size of its database’s pages')
    if (run.length === 1) return database.writePages(first.number, wholeOf(first.bytes))
    const length = run.length * database.pageBytes
    if (this.#gathered.length < length) this.#gathered = new Uint8Array(length)
    for (const [index, { bytes }] of run.entries()) this.#gathered.set(bytes, index * database.pageBytes)
    return database.writePages(first.number, { bytes: this.#gathered, offset: 0, length })
  }

  async #sync(): Promise<void> {
    this.#tools.reach('sync-database.before')
    await this.#flush()
    this.#tools.reach('sync-database.after')
  }

  async #flush(): Promise<void> {
    await (await this.#opened()).flush()
    this.#unsynced = false
  }

  async #writeHeader({ header }: OrderNamed<'write-header'>): Promise<void> {
    const database = await this.#opened()
    this.#tools.reach('write-header.before')
    await database.writeHeader(header)
    this.#unsynced = false
    this.#tools.reach('write-header.after')
  }

  async #writeCheckpoint({ checkpoint }: OrderNamed<'write-checkpoint'>): Promise<void> {
    const { files, places, newId, reach } = this.#tools
    reach('write-checkpoint.before')
    const bytes = composeCheckpointFile(checkpoint)
    try {
      await replaceDurably(files, { directory: places.logs, name: places.checkpointName, attemptId: newId(), bytes })
    } catch (error) {
      if (!isDiskFull(error) || !(await this.#overwriteCheckpoint(bytes))) throw error
    }
    reach('write-checkpoint.after')
  }

  /**
   * On a full disk, so that a store can still close its books: one copy after the other, the first durable before the second, so
   * that one of the two is whole. Answers whether there is a checkpoint to go over.
   */
  async #overwriteCheckpoint(bytes: Uint8Array): Promise<boolean> {
    const { files, places } = this.#tools
    const path = logPath(places, places.checkpointName)
    if ((await files.lookUp(path))?.sizeBytes !== bytes.length) return false
    const file = await files.open(path, 'extend')
    try {
      for (let offset = 0; offset < bytes.length; offset += CHECKPOINT_COPY_BYTES) {
        await files.write(file, { bytes, offset, length: CHECKPOINT_COPY_BYTES }, offset)
        await files.datasync(file)
      }
    } finally {
      await files.close(file)
    }
    return true
  }

  async #deleteLogs({ first, last }: OrderNamed<'delete-logs'>): Promise<void> {
    const { files, places, names, reach } = this.#tools
    reach('delete-logs.before')
    const deletion = { directory: places.logs, names, ranges: [{ first, last }] }
    const { failure } = await deleteAscending(deletion, files)
    if (failure !== null) throw failure
    reach('delete-logs.after')
  }

  /** Opened for writing when it is first needed: that mends a copy of the header which a crash left behind. */
  #opened(): Promise<DatabaseFile> {
    const { files, places } = this.#tools
    this.#database ??= openDatabaseFile(files, pathIn(places.database, places.databaseName), 'write').then(
      async (database) => {
        this.#pages = await database.pageCount()
        return database
      },
    )
    return this.#database
  }
}

/** Ascending pages as runs of neighbours, each of at most `pagesMax`. */
function runsOf(pages: readonly PageImage[], pagesMax: number): PageImage[][] {
  const runs: PageImage[][] = []
  let run: PageImage[] = []
  let next = 0
  for (const page of pages) {
    assert(page.number >= Math.max(1, next), 'pages to write ascend from 1')
    if (page.number !== next || run.length === pagesMax) {
      run = []
      runs.push(run)
    }
    run.push(page)
    next = page.number + 1
  }
  return runs
}
