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
    opened.set(directory, await presentFacts(files, directory))
  }
  await makeDirectoriesDurably(files, places.outOfDate)
  await sweepStore(files, places)
  await undoHalfMoves(files, places)
  await keepWhatIsThere(files, places)
  return { check: () => refuseOthers(files, opened) }
}

async function presentFacts(files: FileOperations, directory: string): Promise<FileFacts> {
  const facts = await files.lookUp(directory)
  if (facts === null) throw vanished(directory)
  return facts
}

async function refuseOthers(files: FileOperations, opened: ReadonlyMap<string, FileFacts>): Promise<void> {
  for (const [directory, before] of opened) {
    const facts = await presentFacts(files, directory)
    if (facts.inode !== before.inode || facts.device !== before.device) throw vanished(directory)
  }
}

/** Others may keep files of their own in these directories: what is not ours stays. */
async function sweepStore(files: FileOperations, places: StorePlaces): Promise<void> {
  const { openLogName, preparedLogName, checkpointName, reserveLogNames, databaseName } = places
  await sweepTemporaryFiles(files, places.logs, [openLogName, preparedLogName, checkpointName, ...reserveLogNames])
  await sweepTemporaryFiles(files, places.database, [databaseName])
  await sweepTemporaryFiles(files, places.outOfDate)
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

/** A log that lies both among the logs and where discarded ones are kept was on its way when the power failed. */
async function undoHalfMoves(files: FileOperations, { logs, outOfDate }: StorePlaces): Promise<void> {
  let undone = 0
  for (const name of await files.readDirectory(outOfDate)) {
    const kept = await files.lookUp(pathIn(outOfDate, name))
    if (kept?.kind !== 'regular' || kept.names === 1) continue
    // The name that it is kept under is its own, and the id of the attempt.
    const own = await files.lookUp(pathIn(logs, name.slice(0, name.lastIndexOf('.'))))
    if (own?.inode !== kept.inode || own.device !== kept.device) continue
    await files.unlink(pathIn(outOfDate, name))
    undone++
  }
  if (undone > 0) await files.syncDirectory(outOfDate)
}
