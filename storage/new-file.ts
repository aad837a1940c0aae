import { asReplicationError, isDirectRefused } from './file-error.ts'
import type { FileOperations, OpenFile, OpenMode, Piece } from './file-operations.ts'

/** How the pieces of a new file lie in memory, and how they come. */
export interface NewFileOptions {
  readonly path: string
  /** Whether every piece lies at a page in memory and has whole pages, as direct I/O wants. */
  readonly isAligned: boolean
  /** Whether it comes as one piece: then each write is durable, and no sync is needed. */
  readonly isOnePiece: boolean
  /** Whether an abandoned file stays, so that somebody may go on with it. */
  readonly isKept?: boolean
}

/**
 * A file under its final name, in a directory that is none of anybody's before it is finished as a whole: a set without its manifest, a
 * folder that a restore stages. Past the page cache where the file system lets it.
 *
 * Errors of its methods: those of the file system. Whoever meets one abandons the file.
 */
export class NewFile {
  readonly #files: FileOperations
  readonly #isKept: boolean
  #file: OpenFile
  #mode: OpenMode
  #reopening: Promise<void> | null = null
  #isClosed = false

  private constructor(
    files: FileOperations,
    { file, mode, isKept }: { file: OpenFile; mode: OpenMode; isKept: boolean },
  ) {
    this.#files = files
    this.#isKept = isKept
    this.#file = file
    this.#mode = mode
  }

  /** Makes the file; it must not be there. */
  static async create(files: FileOperations, options: NewFileOptions): Promise<NewFile> {
    const { path, isAligned, isOnePiece, isKept = false } = options
    const mode = !isAligned ? 'create' : isOnePiece ? 'create-direct-synchronous' : 'create-direct'
    try {
      return new NewFile(files, { file: await files.open(path, mode), mode, isKept })
    } catch (error) {
      if (mode === 'create' || !isDirectRefused(error)) throw error
      await files.unlink(path).catch(asReplicationError) // the kernel refuses direct I/O after it has made the file
      return new NewFile(files, { file: await files.open(path, 'create'), mode: 'create', isKept })
    }
  }

  /** Goes on with a file that was abandoned and kept, through the page cache. It must be there. */
  static async goOn(files: FileOperations, path: string): Promise<NewFile> {
    return new NewFile(files, { file: await files.open(path, 'extend'), mode: 'create', isKept: true })
  }

  /** Writes a piece. Several may be under way. */
  async write(piece: Piece, position: number): Promise<void> {
    try {
      await this.#files.write(this.#file, piece, position)
    } catch (error) {
      if (this.#mode === 'create' || !isDirectRefused(error)) throw error
      this.#reopening ??= this.#reopen()
      await this.#reopening
      await this.#files.write(this.#file, piece, position)
    }
  }

  /** Makes the content durable, and closes the file. */
  async finish(): Promise<void> {
    // Each write of the synchronous mode was durable when it returned.
    if (this.#mode !== 'create-direct-synchronous' || this.#reopening !== null) await this.#files.datasync(this.#file)
    this.#isClosed = true
    await this.#files.close(this.#file)
  }

  /** Closes the file, and removes it unless it is kept. No write may be under way. May be called twice, and after {@link finish}; the name goes with each call. */
  async abandon(): Promise<void> {
    // A descriptor that is closed may be somebody else's file by now.
    if (!this.#isClosed) {
      this.#isClosed = true
      await this.#files.close(this.#file).catch(asReplicationError) // nothing of it is kept
    }
    if (!this.#isKept) await this.#files.unlink(this.#file.path).catch(asReplicationError) // whoever clears the directory removes it
  }

  async #reopen(): Promise<void> {
    const direct = this.#file
    this.#file = await this.#files.open(direct.path, 'extend')
    await this.#files.close(direct).catch(asReplicationError) // what it wrote is in the file, and synced by the other
  }
}
