import fs from 'node:fs'
import { type DirectoryEntry, ENTRIES_PER_CHUNK_MAX, type FileKind, type FileOperations } from './file-operations.ts'
import { type Callback, kindOf, pooledOnly, type ShortCall, silentCall } from './node-system-call.ts'
import { Turns } from './turns.ts'

const { O_DIRECTORY, O_RDONLY } = fs.constants

/** Logs hold mail: only their owner reads them. */
const DIRECTORY_MODE = 0o700
/**
 * Walks under way at once. Each holds a chunk of names and what is made of it, so a source that begins to read a thousand
 * directories must not read all of them at the same time. As many as the services' thread pool has threads.
 */
const WALKS_AT_ONCE = 8

/** The operations on directories as a whole. */
export function directoryOver(
  short: ShortCall,
): Pick<
  FileOperations,
  'makeDirectory' | 'removeDirectory' | 'readDirectory' | 'walkDirectory' | 'syncDirectory' | 'freeBytes' | 'realPath'
> {
  const walks = new Turns(WALKS_AT_ONCE)
  return {
    ...makingOver(short),
    readDirectory: (path) => pooledOnly('read directory', path, (done: Callback<string[]>) => fs.readdir(path, done)),
    walkDirectory: (path) => walkDirectory(path, walks),
    syncDirectory: (path) => syncDirectory(short, path),
    freeBytes: async (path) => {
      const space = await pooledOnly('free bytes', path, (done: Callback<fs.StatsFs>) => fs.statfs(path, done))
      // Not `bfree`: the blocks kept for root are none for us.
      return space.bavail * space.bsize
    },
    realPath: (path) => pooledOnly('real path', path, (done: Callback<string>) => fs.realpath(path, done)),
  }
}

function makingOver(short: ShortCall): Pick<FileOperations, 'makeDirectory' | 'removeDirectory'> {
  return {
    makeDirectory: (path) =>
      silentCall(short, {
        operation: 'make directory',
        path,
        sync: () => fs.mkdirSync(path, DIRECTORY_MODE),
        pooled: (done) => fs.mkdir(path, DIRECTORY_MODE, done),
      }),
    removeDirectory: (path) =>
      silentCall(short, {
        operation: 'remove directory',
        path,
        sync: () => fs.rmdirSync(path),
        pooled: (done) => fs.rmdir(path, done),
      }),
  }
}

/** Opened anew each time: a descriptor that is kept would go on syncing a directory that was moved away. */
async function syncDirectory(short: ShortCall, path: string): Promise<void> {
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
}

/** A directory was opened for its sync alone; that has answered, and closing it writes nothing. */
function ignoreCloseOfDirectory(): void {}

async function* walkDirectory(path: string, walks: Turns): AsyncGenerator<readonly DirectoryEntry[]> {
  await walks.take()
  try {
    yield* walkNow(path)
  } finally {
    walks.give()
  }
}

async function* walkNow(path: string): AsyncGenerator<readonly DirectoryEntry[]> {
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
