import { assert } from '../engine/assert.ts'
import { type DatabaseHeader, writeDatabaseHeader } from '../engine/database/database-header.ts'
import {
  DATABASE_ERROR_OF,
  DATABASE_HEADERS_BYTES_MAX,
  faultOfDatabaseHeader,
  readDatabaseHeader,
} from '../engine/database/database-header-copies.ts'
import { movedState } from '../engine/database/database-state.ts'
import type { LogBytes } from '../engine/database/log-bytes.ts'
import { type PageVerdict, verifyPage } from '../engine/database/page-seal.ts'
import { ReplicationError } from '../engine/error.ts'
import { replaceDurably } from './durable-file.ts'
import { asReplicationError, fileError } from './file-error.ts'
import { type FileOperations, type OpenFile, type Piece, pathIn, wholeOf } from './file-operations.ts'

/**
 * A database on a disk: two copies of its header, then page 1, 2, ….
 *
 * Page reads and writes may run side by side as long as they concern different pages; headers are written one after the other. A
 * failed sync, or a header that could not be written, poisons the file: each later change answers the same error until the file
 * is opened anew, which looks what is there and mends the headers.
 */
export interface DatabaseFile {
  readonly path: string
  readonly pageBytes: number
  /** The header that is durable: as it was read, and after each {@link writeHeader} the new one. */
  readonly header: DatabaseHeader
  /** Whole pages that the file has now. */
  pageCount(): Promise<number>
  /** Whether its path still leads to this very file. What is written into one that was removed is lost, and no write tells. */
  isStillThere(): Promise<boolean>
  /** Reads pages from `first` on into a piece of whole pages, unverified. Answers how many of them the file has. */
  readPages(first: number, piece: Piece): Promise<number>
  /** Reads one page into memory of its size and verifies it; one behind the end of the file is empty. */
  readPage(number: number, page: LogBytes): Promise<PageVerdict>
  /** Writes whole, sealed pages from `first` on; the file grows as needed. They are durable after {@link flush}. */
  writePages(first: number, piece: Piece): Promise<void>
  /** Makes every page durable whose write has ended. */
  flush(): Promise<void>
  /**
   * Writes a header: first the pages so far are made durable, so that no header speaks of pages that a crash could take back; then
   * the first copy, durable, and the shadow, durable. After a crash at any moment one of the two is whole. The state must be one
   * that may follow, and the required logs must be in order.
   */
  writeHeader(header: DatabaseHeader): Promise<void>
  /** Ends all use. Says nothing of durability. */
  close(): Promise<void>
}

/** Where a new database comes into being. */
export interface NewDatabase {
  readonly directory: string
  readonly name: string
  /** Unique among all attempts, as for every file that `durable-file.ts` makes. */
  readonly attemptId: string
  readonly header: DatabaseHeader
  /** Whether a database of that name is replaced; by default it is not touched. */
  readonly replaces?: boolean
}

/** Set in the header of a database that keeps no shadow. */
const FLAG_NO_SHADOW = 1

/**
 * Makes a database without a page, durably and whole, and opens it. One writer works in a directory, so nobody takes the name
 * between the look and the rename.
 *
 * Errors: `FILE_EXISTS`, and those of `durable-file.ts`.
 */
export async function createDatabaseFile(files: FileOperations, database: NewDatabase): Promise<DatabaseFile> {
  const { directory, name, attemptId, header, replaces = false } = database
  const path = pathIn(directory, name)
  if (!replaces && (await files.lookUp(path)) !== null) throw fileError({ operation: 'create', path, errno: 'EEXIST' })
  const bytes = new Uint8Array(2 * header.pageBytes)
  for (const lo of [0, header.pageBytes]) writeDatabaseHeader(bytes.subarray(lo, lo + header.pageBytes), header)
  await replaceDurably(files, { directory, name, attemptId, bytes })
  return await openDatabaseFile(files, path, 'write')
}

/**
 * Opens a database. For writing, a copy of the header that a crash left older or damaged is made equal to the other one first:
 * the next header would else be written over the only whole copy.
 *
 * Errors: `DATABASE_REJECTED` when no copy of the header can be taken, and those of opening and reading.
 */
export async function openDatabaseFile(
  files: FileOperations,
  path: string,
  access: 'read' | 'write',
): Promise<DatabaseFile> {
  const file = await files.open(path, access === 'read' ? 'read' : 'extend')
  try {
    const bytes = new Uint8Array(DATABASE_HEADERS_BYTES_MAX)
    const length = await files.read(file, wholeOf(bytes), 0)
    const read = readDatabaseHeader(bytes.subarray(0, length))
    if (read.verdict === 'rejected')
      throw refused(path, read.rejection.detail, DATABASE_ERROR_OF[read.rejection.reason])
    const fault = faultOfDatabaseHeader(read.header)
    if (fault !== null) throw refused(path, fault, DATABASE_ERROR_OF['bad-field'])
    const { pageBytes } = read.header
    if (access === 'write' && (read.other === 'older' || read.other === 'damaged'))
      await mendHeader(files, file, { bytes, pageBytes, whole: read.copy })
    return new OpenDatabase(files, file, read.header)
  } catch (error) {
    await files.close(file)
    throw error
  }
}

/** Writes the whole copy over the other one, byte for byte. */
async function mendHeader(
  files: FileOperations,
  file: OpenFile,
  copies: { bytes: Uint8Array; pageBytes: number; whole: 'first' | 'shadow' },
): Promise<void> {
  const { bytes, pageBytes, whole } = copies
  const from = whole === 'first' ? 0 : pageBytes
  await files.write(file, { bytes, offset: from, length: pageBytes }, pageBytes - from)
  await files.datasync(file)
}

class OpenDatabase implements DatabaseFile {
  readonly path: string
  readonly pageBytes: number
  header: DatabaseHeader
  readonly #files: FileOperations
  readonly #file: OpenFile
  readonly #headerBytes: Uint8Array
  #unsynced = false
  #poison: ReplicationError | null = null
  #lastHeader: Promise<void> = Promise.resolve()
  #closed: Promise<void> | null = null

  constructor(files: FileOperations, file: OpenFile, header: DatabaseHeader) {
    this.#files = files
    this.#file = file
    this.path = file.path
    this.header = header
    this.pageBytes = header.pageBytes
    this.#headerBytes = new Uint8Array(header.pageBytes)
  }

  async pageCount(): Promise<number> {
    const { sizeBytes } = await this.#files.factsOf(this.#file)
    return Math.max(0, Math.floor(sizeBytes / this.pageBytes) - 2)
  }

  async isStillThere(): Promise<boolean> {
    const named = await this.#files.lookUp(this.path)
    const { inode, device } = await this.#files.factsOf(this.#file)
    return named !== null && named.inode === inode && named.device === device
  }

  async readPages(first: number, piece: Piece): Promise<number> {
    const length = await this.#files.read(this.#file, piece, this.#placeOf(first, piece))
    return Math.floor(length / this.pageBytes)
  }

  async readPage(number: number, page: LogBytes): Promise<PageVerdict> {
    assert(page.bytes.byteLength === this.pageBytes, 'a page is read into memory of its size')
    if ((await this.readPages(number, wholeOf(page.bytes))) === 0) page.bytes.fill(0)
    return verifyPage(page, 0, { bytes: this.pageBytes, number })
  }

  async writePages(first: number, piece: Piece): Promise<void> {
    this.#refusePoisoned()
    this.#unsynced = true
    await this.#files.write(this.#file, piece, this.#placeOf(first, piece))
    this.#unsynced = true // a flush that began while this write ran may have missed it
  }

  async flush(): Promise<void> {
    this.#refusePoisoned()
    this.#unsynced = false
    await this.#poisoning(() => this.#files.datasync(this.#file))
  }

  writeHeader(header: DatabaseHeader): Promise<void> {
    const written = this.#lastHeader.then(() => this.#replaceHeader(header))
    this.#lastHeader = written.catch(() => undefined) // its caller has the error, and the poison tells the next one
    return written
  }

  close(): Promise<void> {
    this.#closed ??= this.#lastHeader.then(() => this.#files.close(this.#file))
    return this.#closed
  }

  async #replaceHeader(header: DatabaseHeader): Promise<void> {
    this.#refusePoisoned()
    assert(header.pageBytes === this.pageBytes, 'a database keeps its page size')
    movedState(this.header.state, header.state)
    assert(faultOfDatabaseHeader(header) === null, 'the required logs of a header are in order')
    if (this.#unsynced) await this.flush()
    writeDatabaseHeader(this.#headerBytes, header)
    const copies = (header.flags & FLAG_NO_SHADOW) === 0 ? [0, this.pageBytes] : [0]
    await this.#poisoning(async () => {
      for (const position of copies) {
        await this.#files.write(this.#file, wholeOf(this.#headerBytes), position)
        await this.#files.datasync(this.#file)
      }
    })
    this.header = header
  }

  #placeOf(first: number, piece: Piece): number {
    assert(first >= 1 && piece.length > 0 && piece.length % this.pageBytes === 0, 'a piece is whole pages, from 1 on')
    return (first + 1) * this.pageBytes
  }

  #refusePoisoned(): void {
    assert(this.#closed === null, 'a closed database is not changed')
    if (this.#poison !== null) throw this.#poison
  }

  async #poisoning(change: () => Promise<void>): Promise<void> {
    try {
      await change()
    } catch (error) {
      this.#poison = asReplicationError(error)
      throw error
    }
  }
}

function refused(path: string, detail: string, eseError: number): ReplicationError {
  return new ReplicationError({
    code: 'DATABASE_REJECTED',
    message: `${path} is no database that can be used: ${detail}`,
    hint: `Look at it with ccr dump database ${path}; a passive copy is made new by seeding it.`,
    fields: { path, eseError },
  })
}
