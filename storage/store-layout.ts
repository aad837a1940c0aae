import { vanished } from './copy-store-layout.ts'
import { directoryFacts, makeDirectoriesDurably } from './durable-directory.ts'
import { type FileFacts, type FileOperations, pathIn } from './file-operations.ts'
import type { StorePlaces } from './store-places.ts'
import { sweepTemporaryFiles } from './temporary-files.ts'

/** The directories of a store as they were when it was opened. */
export interface StoreLayout {
  /** Throws `DIRECTORY_MISSING` when one of them was removed, unmounted or exchanged since. */
  check(): Promise<void>
}

/**
 * Makes the directories of a store durably, or checks that they are there, and clears away what a crash left half done: temporary
 * files, and logs that were being kept apart and have both names; these stay where they were. What lies there then is durable.
 *
 * Errors: `DIRECTORY_MISSING` where the store must exist, `DIRECTORY_CONFLICT`, and those of the file system.
 */
export async function settleStore(
  files: FileOperations,
  places: StorePlaces,
  mustExist: boolean,
): Promise<StoreLayout> {
  const opened = new Map<string, FileFacts>()
  for (const directory of [places.logs, places.database]) {
    if (mustExist && (await directoryFacts(files, directory)) === null) throw vanished(directory)
    await makeDirectoriesDurably(files, directory)
    const facts = await directoryFacts(files, directory)
    if (facts === null) throw vanished(directory)
    opened.set(directory, facts)
  }
  await makeDirectoriesDurably(files, places.outOfDate)
  for (const directory of [places.logs, places.database, places.outOfDate]) await sweepTemporaryFiles(files, directory)
  await undoHalfMoves(files, places.outOfDate)
  await keepWhatIsThere(files, places)
  return {
    check: async () => {
      for (const [directory, before] of opened) {
        const facts = await files.lookUp(directory)
        if (facts === null || facts.inode !== before.inode || facts.device !== before.device) throw vanished(directory)
      }
    },
  }
}

/**
 * A killed process may have left names and bytes that no sync has reached. Recovery reads them and builds on them, so they are made
 * durable first.
 */
async function keepWhatIsThere(files: FileOperations, places: StorePlaces): Promise<void> {
  const { logs, database } = places
  for (const directory of [logs, database]) await files.syncDirectory(directory)
  await syncContent(files, pathIn(logs, places.openLogName))
  await syncContent(files, pathIn(database, places.databaseName))
  await syncContent(files, pathIn(database, places.savedPagesName))
}

async function syncContent(files: FileOperations, path: string): Promise<void> {
  if ((await files.lookUp(path)) === null) return
  const file = await files.open(path, 'read')
  try {
    await files.datasync(file)
  } finally {
    await files.close(file)
  }
}

async function undoHalfMoves(files: FileOperations, directory: string): Promise<void> {
  let undone = 0
  for (const name of await files.readDirectory(directory)) {
    const path = pathIn(directory, name)
    const facts = await files.lookUp(path)
    if (facts?.kind !== 'regular' || facts.names === 1) continue
    await files.unlink(path)
    undone++
  }
  if (undone > 0) await files.syncDirectory(directory)
}
