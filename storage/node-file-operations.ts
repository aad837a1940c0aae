import fs from 'node:fs'
import { ReplicationError } from '../engine/error.ts'
import { errnoOf, type FileOperation, fileError } from './file-error.ts'
import {
  type DirectoryEntry,
  ENTRIES_PER_CHUNK_MAX,
  type FileFacts,
  type FileKind,
  type FileOperations,
  type OpenFile,
  type OpenMode,
  type Piece,
} from './file-operations.ts'

/** How the short calls (open, close, link, unlink, rename, look-up) are made. */
export interface NodeFileOptions {
  /**
   * `pooled`: through libuv's pool, for the main thread, which must not wait for a disk. `inline`: synchronously, for a worker
   * that serves one volume: such a call takes about 5 µs, the way through the pool 30 (measured: a fifth less CPU per log).
   * Data (write, read, sync) always goes through the pool, so that several files are in flight.
   */
  readonly shortCalls: 'inline' | 'pooled'
}

/** The real file system, over the callback form of node:fs (a FileHandle costs about three times as much per call). */
export function nodeFileOperations(options: NodeFileOptions): FileOperations {
  const short: ShortCall = options.shortCalls === 'inline' ? inlineCall : pooledCall
  return { ...openingOver(short), ...dataOperations, ...namingOver(short), ...directoryOver(short) }
}

type Callback<T> = (error: NodeJS.ErrnoException | null, value: T) => void

/** One system call in its two forms; which one runs is the caller's choice. */
interface SystemCall<T> {
  readonly operation: FileOperation
  readonly path: string
  readonly sync: () => T
  readonly pooled: (done: Callback<T>) => void
}

type ShortCall = <T>(call: SystemCall<T>) => Promise<T>

const { O_CREAT, O_DIRECT, O_DIRECTORY, O_DSYNC, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } =
  fs.constants

/** A symlink is never followed, and the opening of a FIFO never waits for its other end. */
const SAFE: number = O_NOFOLLOW | O_NONBLOCK
const CREATE: number = O_WRONLY | O_CREAT | O_EXCL | SAFE

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY | SAFE,
  create: CREATE,
  'create-direct': CREATE | O_DIRECT,
  'create-direct-synchronous': CREATE | O_DIRECT | O_DSYNC,
  extend: O_RDWR | SAFE,
}

/** Logs hold mail: only their owner reads them. */
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

function pooledCall<T>(call: SystemCall<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    call.pooled((cause, value) => {
      if (cause === null || cause === undefined) resolve(value)
      else reject(failed(call, cause))
    })
  })
}

async function inlineCall<T>(call: SystemCall<T>): Promise<T> {
  try {
    return call.sync()
  } catch (cause) {
    throw failed(call, cause)
  }
}

function failed(call: { operation: FileOperation; path: string }, cause: unknown): ReplicationError {
  return fileError({ operation: call.operation, path: call.path, errno: errnoOf(cause), cause })
}

function openingOver(short: ShortCall): Pick<FileOperations, 'open' | 'close' | 'factsOf'> {
  const factsOf = async (file: OpenFile): Promise<FileFacts> =>
    factsFrom(
      await short({
        operation: 'look up',
        path: file.path,
        sync: () => fs.fstatSync(file.descriptor),
        pooled: (done) => fs.fstat(file.descriptor, done),
      }),
    )
  const close = (file: OpenFile): Promise<void> =>
    short({
      operation: 'close',
      path: file.path,
      sync: () => fs.closeSync(file.descriptor),
      pooled: (done) => fs.close(file.descriptor, (error) => done(error ?? null)),
    })
  return {
    factsOf,
    close,
    open: async (path, mode) => {
      const creates = mode !== 'read' && mode !== 'extend'
      const descriptor = await short({
        operation: creates ? 'create' : 'open',
        path,
        sync: () => fs.openSync(path, FLAGS[mode], FILE_MODE),
        pooled: (done) => fs.open(path, FLAGS[mode], FILE_MODE, done),
      })
      const file: OpenFile = { descriptor, path }
      // What O_EXCL has just made is regular and has one name.
      if (!creates) await refuseOddFile(file, { factsOf, close })
      return file
    },
  }
}

async function refuseOddFile(file: OpenFile, files: Pick<FileOperations, 'factsOf' | 'close'>): Promise<void> {
  const facts = await files.factsOf(file)
  if (facts.kind === 'regular' && facts.names === 1) return
  await files.close(file)
  if (facts.names === 0) throw fileError({ operation: 'open', path: file.path, errno: 'ENOENT' })
  const what = facts.kind === 'regular' ? `file with ${facts.names} names` : facts.kind
  throw new ReplicationError({
    code: 'FILE_NOT_REGULAR',
    message: `cannot open ${file.path}: it is a ${what}`,
    hint: 'Replace it by a regular file that has no other name (hard link).',
    fields: { path: file.path, kind: facts.kind, names: facts.names },
  })
}

const dataOperations: Pick<FileOperations, 'write' | 'read' | 'datasync'> = {
  write: async (file, piece, position) => {
    let done = 0
    while (done < piece.length) {
      const rest = { bytes: piece.bytes, offset: piece.offset + done, length: piece.length - done }
      done += await writeOnce(file, rest, position + done)
    }
  },
  read: async (file, piece, position) => {
    let done = 0
    while (done < piece.length) {
      const rest = { bytes: piece.bytes, offset: piece.offset + done, length: piece.length - done }
      const count = await readOnce(file, rest, position + done)
      if (count === 0) break
      done += count
    }
    return done
  },
  datasync: (file) =>
    pooledOnly('datasync', file.path, (done) => fs.fdatasync(file.descriptor, (error) => done(error ?? null))),
}

function writeOnce(file: OpenFile, piece: Piece, position: number): Promise<number> {
  return pooledOnly('write', file.path, (done: Callback<number>) =>
    fs.write(file.descriptor, piece.bytes, piece.offset, piece.length, position, done),
  )
}

function readOnce(file: OpenFile, piece: Piece, position: number): Promise<number> {
  return pooledOnly('read', file.path, (done: Callback<number>) =>
    fs.read(file.descriptor, piece.bytes, piece.offset, piece.length, position, done),
  )
}

function pooledOnly<T = void>(operation: FileOperation, path: string, pooled: (done: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    pooled((cause, value) => {
      if (cause === null || cause === undefined) resolve(value)
      else reject(failed({ operation, path }, cause))
    })
  })
}

function namingOver(
  short: ShortCall,
): Pick<FileOperations, 'link' | 'rename' | 'unlink' | 'makeDirectory' | 'lookUp' | 'setModified'> {
  const named = (
    operation: FileOperation,
    path: string,
    sync: () => void,
    pooled: (done: (error: NodeJS.ErrnoException | null) => void) => void,
  ): Promise<void> => short({ operation, path, sync, pooled: (done) => pooled((error) => done(error, undefined)) })
  return {
    link: (from, to) =>
      named(
        'link',
        to,
        () => fs.linkSync(from, to),
        (done) => fs.link(from, to, done),
      ),
    rename: (from, to) =>
      named(
        'rename',
        to,
        () => fs.renameSync(from, to),
        (done) => fs.rename(from, to, done),
      ),
    unlink: (path) =>
      named(
        'unlink',
        path,
        () => fs.unlinkSync(path),
        (done) => fs.unlink(path, done),
      ),
    makeDirectory: (path) =>
      named(
        'make directory',
        path,
        () => fs.mkdirSync(path, DIRECTORY_MODE),
        (done) => fs.mkdir(path, DIRECTORY_MODE, done),
      ),
    setModified: (path, modifiedMs) => {
      const seconds = modifiedMs / 1000
      return named(
        'set modified',
        path,
        () => fs.lutimesSync(path, seconds, seconds),
        (done) => fs.lutimes(path, seconds, seconds, done),
      )
    },
    lookUp: (path) => lookUpOver(short, path),
  }
}

async function lookUpOver(short: ShortCall, path: string): Promise<FileFacts | null> {
  const stats = await short<fs.Stats | null>({
    operation: 'look up',
    path,
    sync: () => fs.lstatSync(path, { throwIfNoEntry: false }) ?? null,
    pooled: (done) =>
      fs.lstat(path, (error, value) => (error?.code === 'ENOENT' ? done(null, null) : done(error, value))),
  })
  return stats === null ? null : factsFrom(stats)
}

function factsFrom(stats: fs.Stats): FileFacts {
  return {
    kind: kindOf(stats),
    sizeBytes: stats.size,
    modifiedMs: stats.mtimeMs,
    inode: stats.ino,
    device: stats.dev,
    names: stats.nlink,
  }
}

function kindOf(entry: fs.Stats | fs.Dirent): FileKind {
  if (entry.isFile()) return 'regular'
  if (entry.isDirectory()) return 'directory'
  if (entry.isSymbolicLink()) return 'symlink'
  return entry.isFIFO() ? 'fifo' : 'other'
}

function directoryOver(
  short: ShortCall,
): Pick<FileOperations, 'readDirectory' | 'walkDirectory' | 'syncDirectory' | 'freeBytes' | 'realPath'> {
  return {
    readDirectory: (path) => pooledOnly('read directory', path, (done: Callback<string[]>) => fs.readdir(path, done)),
    walkDirectory,
    syncDirectory: async (path) => {
      const descriptor = await short({
        operation: 'sync directory',
        path,
        sync: () => fs.openSync(path, O_RDONLY | O_DIRECTORY),
        pooled: (done) => fs.open(path, O_RDONLY | O_DIRECTORY, done),
      })
      try {
        await pooledOnly('sync directory', path, (done) => fs.fsync(descriptor, (error) => done(error ?? null)))
      } finally {
        fs.close(descriptor, ignoreCloseOfDirectory)
      }
    },
    freeBytes: async (path) => {
      const space = await pooledOnly('free bytes', path, (done: Callback<fs.StatsFs>) => fs.statfs(path, done))
      return space.bavail * space.bsize
    },
    realPath: (path) => pooledOnly('real path', path, (done: Callback<string>) => fs.realpath(path, done)),
  }
}

/** A directory was opened for its sync alone; that has answered, and closing it writes nothing. */
function ignoreCloseOfDirectory(): void {}

async function* walkDirectory(path: string): AsyncGenerator<readonly DirectoryEntry[]> {
  const directory = await pooledOnly('read directory', path, (done: Callback<fs.Dir>) =>
    fs.opendir(path, { bufferSize: ENTRIES_PER_CHUNK_MAX }, done),
  )
  try {
    for (;;) {
      const chunk = await nextChunk(directory, path)
      if (chunk.length > 0) yield chunk
      if (chunk.length < ENTRIES_PER_CHUNK_MAX) return
    }
  } finally {
    directory.close(ignoreCloseOfDirectory)
  }
}

function nextChunk(directory: fs.Dir, path: string): Promise<readonly DirectoryEntry[]> {
  return pooledOnly('read directory', path, (done: Callback<readonly DirectoryEntry[]>) => {
    const chunk: DirectoryEntry[] = []
    const take: Callback<fs.Dirent | null> = (error, entry) => {
      if (error !== null) return done(error, chunk)
      if (entry === null) return done(null, chunk)
      chunk.push({ name: entry.name, kind: entryKind(entry) })
      if (chunk.length === ENTRIES_PER_CHUNK_MAX) return done(null, chunk)
      directory.read(take)
    }
    directory.read(take)
  })
}

function entryKind(entry: fs.Dirent): FileKind | 'unknown' {
  const kind = kindOf(entry)
  if (kind !== 'other') return kind
  return entry.isSocket() || entry.isBlockDevice() || entry.isCharacterDevice() ? 'other' : 'unknown'
}
