import fs from 'node:fs'
import { ReplicationError } from '../engine/error.ts'
import { fileError } from './file-error.ts'
import {
  createsFile,
  type FileFacts,
  type FileOperations,
  type OpenFile,
  type OpenMode,
  type Piece,
} from './file-operations.ts'
import { directoryOver } from './node-directory-operations.ts'
import {
  type Callback,
  factsFrom,
  inlineCall,
  pooledCall,
  pooledOnly,
  type ShortCall,
  silentCall,
} from './node-system-call.ts'

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

const {
  COPYFILE_EXCL,
  COPYFILE_FICLONE_FORCE,
  O_CREAT,
  O_DIRECT,
  O_DSYNC,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} = fs.constants

/** A symlink is never followed, and the opening of a FIFO never waits for its other end. */
const SAFE: number = O_NOFOLLOW | O_NONBLOCK
const CREATE: number = O_WRONLY | O_CREAT | O_EXCL | SAFE

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY | SAFE,
  create: CREATE,
  'create-direct': CREATE | O_DIRECT,
  'create-direct-synchronous': CREATE | O_DIRECT | O_DSYNC,
  extend: O_RDWR | SAFE,
  // O_DSYNC, not fdatasync: one way through the pool instead of two, 0.12 ms instead of 0.16 to 0.20 for two sectors. Past the page
  // cache it takes as long (0.12), and a closed log that is shipped at once would have to be read from the disk (bench/log-writes.ts).
  'overwrite-synchronous': O_RDWR | O_DSYNC | SAFE,
}

/** Logs hold mail: only their owner reads them. */
const FILE_MODE = 0o600

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
      const creates = createsFile(mode)
      // Making a file may wait for the file system: for its journal, or, where it has none, for a search among the inodes that were
      // freed in the last minutes (0.3 ms instead of 0.02, measured).
      const call = creates ? pooledCall : short
      const descriptor = await call({
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

/** Names, and what can be known or set without opening. None of these makes anything durable. */
function namingOver(
  short: ShortCall,
): Pick<FileOperations, 'link' | 'clone' | 'rename' | 'unlink' | 'lookUp' | 'setModified'> {
  return {
    link: (from, to) =>
      silentCall(short, {
        operation: 'link',
        path: to,
        sync: () => fs.linkSync(from, to),
        pooled: (done) => fs.link(from, to, done),
      }),
    clone: (from, to) =>
      pooledOnly('clone', to, (done) =>
        fs.copyFile(from, to, COPYFILE_EXCL | COPYFILE_FICLONE_FORCE, (error) => done(error ?? null)),
      ),
    rename: (from, to) =>
      silentCall(short, {
        operation: 'rename',
        path: to,
        sync: () => fs.renameSync(from, to),
        pooled: (done) => fs.rename(from, to, done),
      }),
    unlink: (path) =>
      silentCall(short, {
        operation: 'unlink',
        path,
        sync: () => fs.unlinkSync(path),
        pooled: (done) => fs.unlink(path, done),
      }),
    setModified: (path, modifiedMs) => setModified(short, path, modifiedMs / 1000),
    lookUp: (path) => lookUpOver(short, path),
  }
}

/** Of a symlink it sets its own time, not that of the file it points to. */
function setModified(short: ShortCall, path: string, seconds: number): Promise<void> {
  return silentCall(short, {
    operation: 'set modified',
    path,
    sync: () => fs.lutimesSync(path, seconds, seconds),
    pooled: (done) => fs.lutimes(path, seconds, seconds, done),
  })
}

async function lookUpOver(short: ShortCall, path: string): Promise<FileFacts | null> {
  const stats = await short<fs.Stats | null>({
    operation: 'look up',
    path,
    sync: () => fs.lstatSync(path, { throwIfNoEntry: false }) ?? null,
    pooled: (done) => fs.lstat(path, (error, value) => (nothingThere(error) ? done(null, null) : done(error, value))),
  })
  return stats === null ? null : factsFrom(stats)
}

/** Where a component of the path is a file, there is nothing either: the inline form answers the same. */
function nothingThere(error: NodeJS.ErrnoException | null): boolean {
  return error?.code === 'ENOENT' || error?.code === 'ENOTDIR'
}
