import fs from 'node:fs'
import { errnoOf } from './file-error.ts'
import { type OrderedRemoval, pathIn, type RemovalProgress } from './file-operations.ts'

/**
 * Unlinks the files one after the other by synchronous calls, for a thread that does nothing else: that saves the
 * way through the pool, and on the main thread every one of them would wait for the disk. Faults of the files are an answer, not an error.
 */
export function removeInOrder({ directory, files, stop }: OrderedRemoval): RemovalProgress {
  const removed: (string | null)[] = []
  for (const names of files) {
    if (Atomics.load(stop, 0) !== 0) break
    const outcome = removeFirstOf(directory, names)
    if (typeof outcome === 'object' && outcome !== null) {
      Atomics.store(stop, 0, 1)
      return { removed, failure: outcome }
    }
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
