import { assert } from '../engine/assert.ts'
import { ReplicationError } from '../engine/error.ts'
import { asReplicationError, isDirectRefused } from './file-error.ts'
import {
  DIRECT_ALIGNMENT_BYTES,
  type FileOperations,
  type OpenFile,
  type OpenMode,
  type Piece,
  pathIn,
} from './file-operations.ts'

/**
 * The only way in which a file comes into being here:
 *
 * 1. a temporary name that no other attempt uses, created exclusively;
 * 2. the exact length, in pieces;
 * 3. datasync; if it fails the file is removed and never synced again, because the second sync of a failed file answers
 *    success for lost data;
 * 4. link to the final name, which never replaces, then unlink of the temporary name, in ascending order of a batch;
 * 5. one sync of the final directory for the batch, then one of the temporary directory;
 * 6. only then may anybody be told.
 */

/** The largest piece: one `write` of 16 MiB takes four times as long as sixteen of 1 MiB (measured). */
export const PIECE_BYTES_MAX: number = 1024 * 1024

/** The most logs of one batch. Bounds what a crash between link and sync leaves for the next start to look at. */
export const PUBLISH_BATCH_MAX = 256

/** A log on its way in. */
export interface ArrivingLog {
  /** The final name, checked by the format's parser. */
  readonly name: string
  /** Unique among all attempts of this process and of those before it, so that no two ever share a temporary file. */
  readonly attemptId: string
  readonly lengthBytes: number
  /**
   * `page-aligned`: each piece lies at a multiple of {@link DIRECT_ALIGNMENT_BYTES} in memory (a slot of a
   * WebAssembly.Memory) and has such a length, so that it may go past the page cache. `any`: it goes through it.
   */
  readonly memory: 'page-aligned' | 'any'
  /** The source's time of last modification in milliseconds; without it the file has that of its arrival. */
  readonly modifiedMs?: number
}

/** A file that is fed piece by piece. Either `finish` or `abandon` ends it; a failed call has already ended it. */
export interface ArrivingFile {
  readonly temporaryPath: string
  /** Appends a piece of at most {@link PIECE_BYTES_MAX}. One call at a time. */
  write(piece: Piece): Promise<void>
  /** Makes the content durable. The file must have its exact length by now: `WRITE_FAILED` otherwise. */
  finish(): Promise<void>
  /** Removes the file. */
  abandon(): Promise<void>
}

/** Takes logs in under temporary names of one directory. */
export interface Arrivals {
  /** Writes a log that lies in memory as one piece and makes its content durable. Answers its temporary path. */
  write(log: ArrivingLog, piece: Piece): Promise<string>
  /** Begins a log that comes in several pieces. */
  begin(log: ArrivingLog): Promise<ArrivingFile>
}

/**
 * Arrivals below `directory` (the copy's `logs/inspector`).
 *
 * Errors of its methods: `SYNC_FAILED`, `DISK_FULL`, `WRITE_FAILED`, `DIRECTORY_NOT_WRITABLE`, `DIRECTORY_MISSING`,
 * `FILE_EXISTS` (an attempt id used twice). After each of them the temporary file is gone, or is swept at the next start.
 */
export function arrivalsIn(directory: string, files: FileOperations): Arrivals {
  // A file system either takes direct I/O or does not: one refusal settles it for good.
  const direct = { refused: false }
  const begin = (log: ArrivingLog): Promise<Feed> => beginFeed({ directory, files, direct, log })
  return {
    begin,
    write: async (log, piece) => {
      assert(piece.length === log.lengthBytes, 'a log written at once is one whole piece')
      const feed = await begin(log)
      await feed.write(piece)
      await feed.finish()
      return feed.temporaryPath
    },
  }
}

/** The temporary name of an attempt; {@link isTemporaryName} knows it again. */
function temporaryName(name: string, attemptId: string): string {
  assert(/^[A-Za-z0-9_-]{1,64}$/.test(attemptId), 'an attempt id is 1 to 64 letters, digits, hyphens or underscores')
  return `${name}.${attemptId}.tmp`
}

/** Whether a name is one that {@link temporaryName} makes. Only such names are swept. */
export function isTemporaryName(name: string): boolean {
  return /^.+\.[A-Za-z0-9_-]{1,64}\.tmp$/.test(name)
}

/**
 * Replaces a small state file: temporary file → datasync → rename → sync of the directory. At any crash the file has its old or
 * its new content. Not for logs. Errors as {@link arrivalsIn}.
 */
export async function replaceDurably(files: FileOperations, file: StateFile): Promise<void> {
  const { directory, name, attemptId, bytes } = file
  const feed = await beginFeed({
    directory,
    files,
    direct: { refused: true },
    log: { name, attemptId, lengthBytes: bytes.length, memory: 'any' },
  })
  for (let offset = 0; offset < bytes.length; offset += PIECE_BYTES_MAX) {
    await feed.write({ bytes, offset, length: Math.min(PIECE_BYTES_MAX, bytes.length - offset) })
  }
  await feed.finish()
  try {
    await files.rename(feed.temporaryPath, pathIn(directory, name))
  } catch (error) {
    await removeQuietly(files, feed.temporaryPath)
    throw error
  }
  await files.syncDirectory(directory)
}

/** A small file of state, to be replaced as a whole. */
export interface StateFile {
  readonly directory: string
  readonly name: string
  /** As {@link ArrivingLog.attemptId}. */
  readonly attemptId: string
  readonly bytes: Uint8Array
}

interface FeedStart {
  readonly directory: string
  readonly files: FileOperations
  readonly direct: { refused: boolean }
  readonly log: ArrivingLog
}

async function beginFeed(start: FeedStart): Promise<Feed> {
  const path = pathIn(start.directory, temporaryName(start.log.name, start.log.attemptId))
  const mode = start.direct.refused ? 'create' : modeFor(start.log)
  try {
    return new Feed(start, await start.files.open(path, mode), mode)
  } catch (error) {
    if (mode === 'create' || !isDirectRefused(error)) throw error
    start.direct.refused = true
    // The kernel refuses O_DIRECT only after it has created the file.
    await removeQuietly(start.files, path)
    return new Feed(start, await start.files.open(path, 'create'), 'create')
  }
}

/** A log of one piece needs one synchronous write; of several, one sync at the end is cheaper than one per piece. */
function modeFor(log: ArrivingLog): OpenMode {
  if (log.memory !== 'page-aligned' || log.lengthBytes % DIRECT_ALIGNMENT_BYTES !== 0) return 'create'
  return log.lengthBytes <= PIECE_BYTES_MAX ? 'create-direct-synchronous' : 'create-direct'
}

class Feed implements ArrivingFile {
  readonly temporaryPath: string
  readonly #start: FeedStart
  #file: OpenFile
  #mode: OpenMode
  #writtenBytes = 0
  #ended = false

  constructor(start: FeedStart, file: OpenFile, mode: OpenMode) {
    this.#start = start
    this.#file = file
    this.#mode = mode
    this.temporaryPath = file.path
  }

  async write(piece: Piece): Promise<void> {
    assert(!this.#ended, 'an ended file takes no piece')
    assert(piece.length <= PIECE_BYTES_MAX, `a piece is at most ${PIECE_BYTES_MAX} bytes`)
    if (this.#writtenBytes + piece.length > this.#start.log.lengthBytes) await this.#refuseLength('longer than')
    try {
      await this.#start.files.write(this.#file, piece, this.#writtenBytes)
    } catch (error) {
      if (this.#mode === 'create' || this.#writtenBytes > 0 || !isDirectRefused(error)) throw await this.#failed(error)
      await this.#reopenBuffered()
      return this.write(piece)
    }
    this.#writtenBytes += piece.length
  }

  async finish(): Promise<void> {
    assert(!this.#ended, 'a file ends once')
    const { files, log } = this.#start
    if (this.#writtenBytes !== log.lengthBytes) await this.#refuseLength('not')
    try {
      if (log.modifiedMs !== undefined) await files.setModified(this.temporaryPath, log.modifiedMs)
      // Each write of the synchronous mode was durable when it returned.
      if (this.#mode !== 'create-direct-synchronous') await files.datasync(this.#file)
    } catch (error) {
      throw await this.#failed(error)
    }
    this.#ended = true
    await files.close(this.#file)
  }

  async abandon(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    const { files } = this.#start
    await files.close(this.#file).catch(() => undefined) // nothing of it is kept, so nothing can be lost
    await removeQuietly(files, this.temporaryPath)
  }

  async #failed(error: unknown): Promise<unknown> {
    await this.abandon()
    return error
  }

  async #refuseLength(relation: string): Promise<never> {
    await this.abandon()
    throw new ReplicationError({
      code: 'WRITE_FAILED',
      message: `${this.#start.log.name} is ${relation} ${this.#start.log.lengthBytes} bytes as announced`,
      hint: 'The log is fetched again; if it happens each time, look at the source.',
      fields: { path: this.temporaryPath, expectedBytes: this.#start.log.lengthBytes },
    })
  }

  async #reopenBuffered(): Promise<void> {
    const { files, direct } = this.#start
    direct.refused = true
    await files.close(this.#file).catch(() => undefined) // the file is empty and is removed in the next line
    await removeQuietly(files, this.temporaryPath)
    this.#file = await files.open(this.temporaryPath, 'create')
    this.#mode = 'create'
  }
}

/** Removes what nobody was told of. What cannot be removed now is swept at the next start. */
async function removeQuietly(files: FileOperations, path: string): Promise<void> {
  try {
    await files.unlink(path)
  } catch (error) {
    asReplicationError(error)
  }
}
