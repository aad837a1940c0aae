import { ReplicationError } from '../engine/error.ts'
import { asReplicationError, fileError, hasErrno } from './file-error.ts'
import type { FileFacts, FileOperations } from './file-operations.ts'

/**
 * Makes a directory with all its parents, durably: each new name is synced in its parent before the next is made, and so is the
 * lowest one that is there, which a killed start may have made without syncing it. A name whose sync fails is removed, since a
 * second sync would answer success for nothing.
 *
 * Errors: `DIRECTORY_CONFLICT` when the path itself is something else than a directory, `DIRECTORY_NOT_WRITABLE`, `DISK_FULL`,
 * `SYNC_FAILED`.
 */
export async function makeDirectoriesDurably(files: FileOperations, path: string): Promise<void> {
  const missing: string[] = []
  let at = path
  for (;;) {
    const facts = await files.lookUp(at)
    if (facts !== null) {
      if (at === path && facts.kind !== 'directory') throw notADirectory(path, facts)
      break
    }
    missing.push(at)
    at = parentOf(at)
  }
  await syncFound(files, parentOf(at))
  for (const directory of missing.reverse()) await makeOne(files, directory)
}

async function makeOne(files: FileOperations, directory: string): Promise<void> {
  try {
    await files.makeDirectory(directory)
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error
  }
  try {
    await files.syncDirectory(parentOf(directory))
  } catch (error) {
    await files.removeDirectory(directory).catch(asReplicationError) // the failed sync is what is told
    throw error
  }
}

/** Whoever may not read a directory has not made anything in it either, so there is nothing of ours to sync. */
async function syncFound(files: FileOperations, directory: string): Promise<void> {
  try {
    await files.syncDirectory(directory)
  } catch (error) {
    if (!hasErrno(error, 'EACCES') && !hasErrno(error, 'EPERM')) throw error
  }
}

/** Refuses whatever is there but no directory, a symlink to one included. Answers its facts, null when nothing is there. */
export async function directoryFacts(files: FileOperations, path: string): Promise<FileFacts | null> {
  const facts = await files.lookUp(path)
  if (facts !== null && facts.kind !== 'directory') throw notADirectory(path, facts)
  return facts
}

/**
 * Refuses two directories that are the same, by path or by device and inode, or of which one lies in the other: a copy in
 * its own source would ship what it receives. Either may not exist yet. Errors: `DIRECTORY_CONFLICT`.
 */
export async function refuseSameDirectory(files: FileOperations, a: string, b: string): Promise<void> {
  const [pathA, pathB] = [await resolveExisting(files, a), await resolveExisting(files, b)]
  const [factsA, factsB] = [await files.lookUp(pathA), await files.lookUp(pathB)]
  const sameInode =
    factsA !== null && factsB !== null && factsA.inode === factsB.inode && factsA.device === factsB.device
  if (!sameInode && !liesIn(pathA, pathB) && !liesIn(pathB, pathA)) return
  throw new ReplicationError({
    code: 'DIRECTORY_CONFLICT',
    message: sameInode || pathA === pathB ? `${a} and ${b} are the same directory` : `${a} and ${b} lie in each other`,
    hint: 'Give the copy a directory of its own, outside the one that it copies.',
    fields: { path: a, other: b },
  })
}

/** Refuses a path, of which nothing need be there yet, that is a directory of others or lies in it. Errors: `DIRECTORY_CONFLICT`. */
export async function refuseWithin(
  files: FileOperations,
  path: string,
  others: { readonly directory: string; readonly hint: string },
): Promise<void> {
  const [place, directory] = [await resolveExisting(files, path), await resolveExisting(files, others.directory)]
  if (!liesIn(place, directory)) return
  throw new ReplicationError({
    code: 'DIRECTORY_CONFLICT',
    message: `${path} lies in ${others.directory}`,
    hint: others.hint,
    fields: { path, other: others.directory },
  })
}

/** The directory that a path lies in; `/` and `.` end the way up. */
function parentOf(path: string): string {
  const trimmed = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
  const slash = trimmed.lastIndexOf('/')
  if (slash < 0) return '.'
  return slash === 0 ? '/' : trimmed.slice(0, slash)
}

async function resolveExisting(files: FileOperations, path: string): Promise<string> {
  try {
    return await files.realPath(path)
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error
  }
  const parent = parentOf(path)
  if (parent === path) throw fileError({ operation: 'real path', path, errno: 'ENOENT' })
  const name = path.slice(path.lastIndexOf('/') + 1)
  const above = await resolveExisting(files, parent)
  return above === '/' ? `/${name}` : `${above}/${name}`
}

function liesIn(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`)
}

function notADirectory(path: string, facts: FileFacts): ReplicationError {
  return new ReplicationError({
    code: 'DIRECTORY_CONFLICT',
    message: `${path} is a ${facts.kind === 'regular' ? 'file' : facts.kind}, not a directory`,
    hint: 'Give a directory itself, not a link to one.',
    fields: { path, kind: facts.kind },
  })
}
