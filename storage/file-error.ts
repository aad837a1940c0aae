import { type ErrorCode, ReplicationError } from '../engine/error.ts'

/** The operations that an error can name: the methods of `FileOperations`, with the modes of opening told apart. */
export type FileOperation =
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'datasync'
  | 'close'
  | 'look up'
  | 'link'
  | 'clone'
  | 'rename'
  | 'unlink'
  | 'make directory'
  | 'remove directory'
  | 'read directory'
  | 'sync directory'
  | 'set modified'
  | 'free bytes'
  | 'real path'

/** What happened, for {@link fileError}. */
export interface FileFailure {
  readonly operation: FileOperation
  readonly path: string
  /** The system's error name, for example `ENOSPC`. */
  readonly errno: string
  readonly cause?: unknown
}

/**
 * Turns an error of the file system into one of ours: the code says what to do, `fields.errno` keeps what the system said.
 * A failed sync is `SYNC_FAILED` whatever its errno, because what matters then is that the file cannot be trusted any more.
 */
export function fileError(failure: FileFailure): ReplicationError {
  const { code, hint } = classify(failure)
  return new ReplicationError({
    code,
    message: `cannot ${failure.operation} ${failure.path}: ${inWords(failure.errno)}`,
    hint,
    cause: failure.cause,
    fields: { path: failure.path, operation: failure.operation, errno: failure.errno },
  })
}

/** What the system's names of errors mean, for the commonest. */
const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
  EFBIG: 'the file would be too large',
  EACCES: 'access is not permitted',
  EPERM: 'this is not permitted',
  EROFS: 'the file system is read-only',
  EIO: 'the disk failed',
  ENOENT: 'it is not there',
  EEXIST: 'it is there already',
  EMFILE: 'too many files are open',
  ELOOP: 'it is a symlink',
  ENOTDIR: 'a directory above it is none',
}

function inWords(errno: string): string {
  const words = WORDS[errno]
  return words === undefined ? errno : `${words} (${errno})`
}

/** The system's name of an unknown thrown value, `UNKNOWN` where it has none. */
export function errnoOf(cause: unknown): string {
  return typeof cause === 'object' && cause !== null && 'code' in cause && typeof cause.code === 'string'
    ? cause.code
    : 'UNKNOWN'
}

/** Whether an error is ours with this errno. */
export function hasErrno(error: unknown, errno: string): boolean {
  return error instanceof ReplicationError && error.fields['errno'] === errno
}

/**
 * Whether direct I/O was refused: by the file system (tmpfs and some network file systems at opening) or for an unaligned
 * piece (at writing). The caller then goes through the page cache with a datasync.
 */
export function isDirectRefused(error: unknown): boolean {
  return hasErrno(error, 'EINVAL')
}

/** Whether blocks cannot be shared here: the content has to be copied. */
export function isCloneRefused(error: unknown): boolean {
  return ['ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOTTY', 'ENOSYS'].some((errno) => hasErrno(error, errno))
}

/** Whether there was no room: told by the call itself, or only by the sync when the file system had put off looking for blocks. */
export function isDiskFull(error: unknown): boolean {
  return (
    (error instanceof ReplicationError && error.code === 'DISK_FULL') ||
    hasErrno(error, 'ENOSPC') ||
    hasErrno(error, 'EDQUOT')
  )
}

/** Anything thrown, as one of ours: a programmer's fault is thrown on. */
export function asReplicationError(thrown: unknown): ReplicationError {
  if (thrown instanceof ReplicationError) return thrown
  throw thrown
}

interface Verdict {
  readonly code: ErrorCode
  readonly hint: string
}

const DIRECTORY_OPERATIONS: ReadonlySet<FileOperation> = new Set([
  'create',
  'make directory',
  'read directory',
  'sync directory',
  'free bytes',
  'real path',
])

const READING_OPERATIONS: ReadonlySet<FileOperation> = new Set([
  'open',
  'read',
  'look up',
  'read directory',
  'free bytes',
  'real path',
])

/** Verdicts that hold whatever the operation was, except a sync. */
const VERDICTS: Readonly<Record<string, Verdict>> = {
  ENOSPC: { code: 'DISK_FULL', hint: 'Free space or inodes on the volume; copying then goes on by itself.' },
  EDQUOT: { code: 'DISK_FULL', hint: 'Raise the quota of the user that runs this process, or free space.' },
  EFBIG: { code: 'DISK_FULL', hint: 'Raise the file size limit of this process (ulimit -f).' },
  EBUSY: { code: 'FILE_HELD', hint: 'Another program holds the file; exclude the directory from scanners.' },
  EAGAIN: { code: 'FILE_HELD', hint: 'Another program holds the file; exclude the directory from scanners.' },
  ETXTBSY: { code: 'FILE_HELD', hint: 'Another program holds the file; exclude the directory from scanners.' },
  EEXIST: { code: 'FILE_EXISTS', hint: 'Nothing was overwritten; look what the file is and move it away.' },
  ELOOP: { code: 'FILE_NOT_REGULAR', hint: 'Replace the symlink by the file itself.' },
  ENXIO: { code: 'FILE_NOT_REGULAR', hint: 'Remove the FIFO or socket from the log directory.' },
  EISDIR: { code: 'FILE_NOT_REGULAR', hint: 'Remove the directory that has the name of a file.' },
  ENAMETOOLONG: { code: 'NAME_INVALID', hint: 'Choose a shorter path.' },
  ENOTDIR: { code: 'DIRECTORY_MISSING', hint: 'Give a directory: a component of this path is a file.' },
}

function classify(failure: FileFailure): Verdict {
  const { operation, errno } = failure
  if (errno === 'ENOENT') return missing(operation)
  if (operation === 'datasync' || operation === 'sync directory') return notSynced(errno)
  const verdict = VERDICTS[errno]
  if (verdict !== undefined) return verdict
  const reads = READING_OPERATIONS.has(operation)
  if (errno === 'EACCES' || errno === 'EPERM' || errno === 'EROFS') return forbidden(reads)
  return { code: reads ? 'READ_FAILED' : 'WRITE_FAILED', hint: otherHint(errno) }
}

function missing(operation: FileOperation): Verdict {
  return DIRECTORY_OPERATIONS.has(operation)
    ? { code: 'DIRECTORY_MISSING', hint: 'Mount the volume or restore the directory; it is not made anew by itself.' }
    : { code: 'LOG_MISSING', hint: 'Put the file back, or seed the copy if it is lost.' }
}

function notSynced(errno: string): Verdict {
  const why =
    errno === 'ENOSPC' || errno === 'EDQUOT' ? 'Free space on the volume' : 'Check the disk and the system log'
  return { code: 'SYNC_FAILED', hint: `${why}; what was written is not trusted and is fetched again into a new file.` }
}

function forbidden(reads: boolean): Verdict {
  return reads
    ? { code: 'READ_FAILED', hint: 'Give the user that runs this process the right to read the path.' }
    : {
        code: 'DIRECTORY_NOT_WRITABLE',
        hint: 'Give the user that runs this process the right to write, or remount the volume writable.',
      }
}

function otherHint(errno: string): string {
  if (errno === 'EMFILE' || errno === 'ENFILE') return 'Raise the limit of open files (ulimit -n).'
  if (errno === 'EXDEV') return 'Keep the whole folder of a storage group on one volume.'
  if (errno === 'EIO') return 'Check the disk and the system log.'
  return 'Check the path, the volume and the system log.'
}
