import fs from 'node:fs'
import { errnoOf } from './file-error.ts'
import { type OrderedRemoval, pathIn, type RemovalProgress } from './file-operations.ts'

/**
 * Unlinks the files one after the other by synchronous calls, for a thread that does nothing else: that saves the
 * way through the pool, and on the main thread every one of them would wait for the disk.
 *
 * @param isAborted asked before each file
 */
export function removeInOrder({ directory, files }: OrderedRemoval, isAborted: () => boolean): RemovalProgress {
  const removed: (string | null)[] = []
  for (const names of files) {
    if (isAborted()) break
    const outcome = removeFirstOf(directory, names)
    if (typeof outcome === 'object' && outcome !== null) return { removed, failure: outcome }
    removed.push(outcome)
  }
  return { removed, failure: null }
}

function removeFirstOf(directory: string, names: readonly string[]): string | RemovalProgress['failure'] {
  for (const name of names) {
    const path = pathIn(directory, name)
    try {
      fs.unlinkSync(path)
      return name
    } catch (error) {
      const errno = errnoOf(error)
      if (errno !== 'ENOENT') return { path, errno }
    }
  }
  return null
}
