/**
 * Everything the storage room does with a file system, as one narrow interface. The real one is `nodeFileOperations`; the tests
 * run the same code over a crash-consistent model. Each method either has its effect or rejects with a `ReplicationError` whose
 * `fields.errno` names the system's own error.
 *
 * Nothing is durable by itself: file content is durable after {@link FileOperations.datasync}, a name (created, linked, renamed
 * or removed) after {@link FileOperations.syncDirectory} of its directory. Closing a file makes nothing durable.
 */
export interface FileOperations {
  /**
   * Opens a file as `mode` says. Never follows a symlink in the last component and never blocks on a FIFO; whatever is no
   * regular file is refused. In mode `read` a file with more than one name is refused too.
   *
   * Errors: `LOG_MISSING`, `DIRECTORY_MISSING`, `FILE_NOT_REGULAR`, `FILE_EXISTS`, `FILE_HELD`, `DIRECTORY_NOT_WRITABLE`,
   * `DISK_FULL`, and `WRITE_FAILED` with errno `EINVAL` where direct I/O is not supported (see {@link isDirectRefused}).
   */
  open(path: string, mode: OpenMode): Promise<OpenFile>
  /** Writes all of the piece, or rejects; after a rejection any part of it may be in the file. */
  write(file: OpenFile, piece: Piece, position: number): Promise<void>
  /** Reads into the piece until it is full or the file ends. Answers the number of bytes read. */
  read(file: OpenFile, piece: Piece, position: number): Promise<number>
  /** Makes content and length durable. `SYNC_FAILED` poisons the file: a second call may answer success for lost data. */
  datasync(file: OpenFile): Promise<void>
  close(file: OpenFile): Promise<void>
  /** Facts of an open file: those of the file itself, whatever its name points to by now. */
  factsOf(file: OpenFile): Promise<FileFacts>
  /** Facts of a name, not following a symlink; null when there is nothing of that name. Opens nothing. */
  lookUp(path: string): Promise<FileFacts | null>
  /** Gives a file a second name. Never replaces: `FILE_EXISTS` when `to` is taken. */
  link(from: string, to: string): Promise<void>
  /**
   * Makes a file that shares the blocks of another one until either is written: its content as it is now, whatever its length. Nothing of it
   * is durable. `from` must be a regular file. `FILE_EXISTS` when `to` is taken; `WRITE_FAILED` where the file system does not share
   * blocks, or the two lie on different ones (see {@link isCloneRefused}).
   */
  clone(from: string, to: string): Promise<void>
  /** Replaces `to` atomically. Not for logs: a published log name never changes content. */
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /**
   * Unlinks many files in order, where there is a way that costs less than one {@link FileOperations.unlink} after the other. A file
   * that is not there is passed over; the first real error is answered and ends it. A removal may be asked for while the one before is under
   * way: it begins behind it, and removes nothing where that one has stopped.
   */
  readonly unlinkInOrder?: (removal: OrderedRemoval) => Promise<RemovalProgress>
  /** Makes one directory (mode 0700), not its parents. `FILE_EXISTS` when the name is taken. */
  makeDirectory(path: string): Promise<void>
  /** Removes an empty directory. */
  removeDirectory(path: string): Promise<void>
  /** All names of a directory in no order. For small directories; a large one is walked. */
  readDirectory(path: string): Promise<readonly string[]>
  /** The entries of a directory in chunks of at most {@link ENTRIES_PER_CHUNK_MAX}, so that nobody waits for 100,000 names. */
  walkDirectory(path: string): AsyncIterable<readonly DirectoryEntry[]>
  /** Makes the names of a directory durable: creations, links, renames and removals before the call. */
  syncDirectory(path: string): Promise<void>
  /** Sets the time of last modification: a copied log keeps that of its source. */
  setModified(path: string, modifiedMs: number): Promise<void>
  /** Bytes that an unprivileged writer still gets on the volume of `path`. */
  freeBytes(path: string): Promise<number>
  /** The path without symlinks. `DIRECTORY_MISSING` when a component does not exist. */
  realPath(path: string): Promise<string>
}

/**
 * What a file is opened for.
 *
 * | mode | access | must exist | remark |
 * |---|---|---|---|
 * | `read` | read | yes | regular and with one name only |
 * | `create` | write | must not | mode 0600, through the page cache |
 * | `create-direct` | write | must not | past the page cache: address, length and position are multiples of {@link DIRECT_ALIGNMENT_BYTES} |
 * | `create-direct-synchronous` | write | must not | the same, and each write is durable when it returns, as if datasync followed |
 * | `extend` | read and write | yes | for the journal and for databases |
 * | `overwrite-synchronous` | read and write | yes | for the open log: inside its length only; each write is durable when it returns |
 */
export type OpenMode =
  | 'read'
  | 'create'
  | 'create-direct'
  | 'create-direct-synchronous'
  | 'extend'
  | 'overwrite-synchronous'

/** Whether a mode makes the file; the others want it to be there. */
export function createsFile(mode: OpenMode): boolean {
  return mode.startsWith('create')
}

/** What {@link FileOperations.unlinkInOrder} removes. */
export interface OrderedRemoval {
  readonly directory: string
  /** For each file the names that it may have; the first that is there is removed. */
  readonly files: readonly (readonly string[])[]
  /**
   * One number of shared memory, the same for all removals of one deletion: anything but 0 stops it before its next file. Whoever asks sets it
   * to end them, and a removal that fails sets it for those behind it.
   */
  readonly stop: Int32Array
}

/** How far an ordered removal came. */
export interface RemovalProgress {
  /** For each file that was seen to, in order, the name that was removed; null when there was none. Shorter when it was aborted. */
  readonly removed: readonly (string | null)[]
  /** The error at which it stopped; null when there was none. */
  readonly failure: { readonly path: string; readonly errno: string } | null
}

/** An open file. The path is the one it was opened by and serves messages only. */
export interface OpenFile {
  readonly descriptor: number
  readonly path: string
}

/** A part of a buffer: bytes `[offset, offset + length)`. A view, so that no byte is copied on its way to the disk. */
export interface Piece {
  readonly bytes: Uint8Array
  readonly offset: number
  readonly length: number
}

/** What stands behind a name. */
export type FileKind = 'regular' | 'directory' | 'symlink' | 'fifo' | 'other'

/** What the file system says of a file. `device` and `inode` together identify it as long as it exists. */
export interface FileFacts {
  readonly kind: FileKind
  readonly sizeBytes: number
  /** Last modification, milliseconds since 1970, with fractions. */
  readonly modifiedMs: number
  readonly inode: number
  readonly device: number
  /** How many names the file has. */
  readonly names: number
}

/** A name in a directory. `kind` is what the directory itself tells, `unknown` where the file system keeps it elsewhere. */
export interface DirectoryEntry {
  readonly name: string
  readonly kind: FileKind | 'unknown'
}

/** Direct I/O wants memory address, length and position at the block size of the file system: 4,096 on ext4 and xfs. */
export const DIRECT_ALIGNMENT_BYTES = 4096

/** Entries per chunk of a walk: about 1 ms of work per chunk (measured: 100,000 entries in 90 to 130 ms). */
export const ENTRIES_PER_CHUNK_MAX = 1024

/** A whole buffer as a piece. */
export function wholeOf(bytes: Uint8Array): Piece {
  return { bytes, offset: 0, length: bytes.length }
}

/** Joins a directory and a name. Names come from parsers and constants, never from outside unchecked. */
export function pathIn(directory: string, name: string): string {
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`
}
