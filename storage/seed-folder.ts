import { ReplicationError } from '../engine/error.ts'
import { logNameParser } from '../engine/log-format.ts'
import { directoryFacts, makeDirectoriesDurably } from './durable-directory.ts'
import { isTemporaryName } from './durable-file.ts'
import { asReplicationError } from './file-error.ts'
import { type FileOperations, pathIn } from './file-operations.ts'
import { type StoreNames, storePlaces } from './store-places.ts'

/** Where a seed is read into: beside the place of the database, on the same volume, under a name that no store opens. */
export interface SeedPlaces {
  /** The directory that the database is put into in the end. */
  readonly directory: string
  /** The path that it has then. */
  readonly database: string
  /** What is being read lies here alone. */
  readonly seeding: string
  /** It names the stream of the source, so that what was read of another one is not gone on from. */
  readonly partial: string
  /** What `partial` begins with, whatever the stream. */
  readonly partials: string
}

/** What a seed would find in the folder of a copy. */
export interface SeedFindings {
  /** Path of the checkpoint file; null where there is none. */
  readonly checkpoint: string | null
  /** Logs, the open one counted. */
  readonly logs: number
  readonly logsPath: string
  /** Paths of files that no storage group has, at most {@link FOREIGN_LISTED}. */
  readonly foreign: readonly string[]
  /** Length of the database that would be replaced; null where there is none. */
  readonly databaseBytes: number | null
}

/** The directory beside logs and database in which a seed is read. */
const SEEDING_NAME = 'seeding'
/** Strangers that are named. */
const FOREIGN_LISTED = 10
/** Names in the log directory that are directories of a copy. */
const COPY_DIRECTORIES: ReadonlySet<string> = new Set(['inspector', 'IgnoredLogs'])

/**
 * Where a seed goes.
 *
 * @param target an absolute path of a directory that takes the database instead of the copy's own; null for the copy's own
 */
export function seedPlaces(names: StoreNames, target: string | null, stream: number): SeedPlaces {
  const { root, databaseName } = names
  const directory = target ?? storePlaces(names).database
  const seeding = pathIn(target ?? root, SEEDING_NAME)
  const partials = pathIn(seeding, `${databaseName}.stream-`)
  return { directory, database: pathIn(directory, databaseName), seeding, partials, partial: `${partials}${stream}` }
}

/** Looks what lies in the folder of a copy. Changes nothing. Errors: those of the file system. */
export async function findForSeed(files: FileOperations, names: StoreNames): Promise<SeedFindings> {
  const places = storePlaces(names)
  const isLog = logTest(names)
  const known = new Set([places.checkpointName, places.preparedLogName, ...places.reserveLogNames, ...COPY_DIRECTORIES])
  const foreign: string[] = []
  let [logs, checkpoint] = [0, null as string | null]
  for await (const name of namesIn(files, places.logs)) {
    if (name === places.checkpointName) checkpoint = pathIn(places.logs, name)
    else if (isLog(name)) logs += 1
    else if (!known.has(name) && !isTemporaryName(name)) foreign.push(pathIn(places.logs, name))
  }
  for await (const name of namesIn(files, places.database))
    if (name !== places.databaseName && name !== places.savedPagesName && !isTemporaryName(name))
      foreign.push(pathIn(places.database, name))
  const database = await files.lookUp(pathIn(places.database, places.databaseName))
  const databaseBytes = database?.sizeBytes ?? null
  return { checkpoint, logs, logsPath: places.logs, foreign: foreign.slice(0, FOREIGN_LISTED), databaseBytes }
}

/** What of the files of before goes. */
export interface ClearedFiles {
  readonly checkpoint: boolean
  readonly logs: boolean
  readonly database: boolean
}

/**
 * Removes files of a copy, durably: the checkpoint first, without which a database is recovered from the logs that its header requires, then
 * the lowest log, so that what a crash leaves of them is a run.
 */
export async function clearForSeed(files: FileOperations, names: StoreNames, what: ClearedFiles): Promise<void> {
  const places = storePlaces(names)
  if (what.database) await removeDatabase(files, names)
  const isLog = logTest(names)
  const present: string[] = []
  for await (const name of namesIn(files, places.logs)) present.push(name)
  const goes = (name: string): boolean =>
    [places.preparedLogName, ...places.reserveLogNames].includes(name) || isLog(name)
  if (what.checkpoint && present.includes(places.checkpointName)) {
    await files.unlink(pathIn(places.logs, places.checkpointName))
    await files.syncDirectory(places.logs)
  }
  const going = what.logs ? present.filter(goes).sort() : []
  for (const name of going) await files.unlink(pathIn(places.logs, name))
  if (going.length > 0) await files.syncDirectory(places.logs)
}

/** Its saved pages go first: left behind, they would be put into whichever database comes there next. */
async function removeDatabase(files: FileOperations, names: StoreNames): Promise<void> {
  const { database, databaseName, savedPagesName } = storePlaces(names)
  for (const path of [pathIn(database, savedPagesName), pathIn(database, databaseName)])
    if ((await files.lookUp(path)) !== null) {
      await files.unlink(path)
      await files.syncDirectory(database)
    }
}

/**
 * Makes the directory of a seed, and removes what was read there of another stream; a directory that is somebody's own may have other files.
 * Answers how much of this one is there.
 */
export async function beginPartial(files: FileOperations, { seeding, partial, partials }: SeedPlaces): Promise<number> {
  await makeDirectoriesDurably(files, seeding)
  for (const name of await files.readDirectory(seeding)) {
    const path = pathIn(seeding, name)
    const isPartial = path.startsWith(partials) && /^\d+$/.test(path.slice(partials.length))
    // With a second name it is a database that was put into its place, and a power cut kept this name too.
    if (isPartial && (path !== partial || (await files.lookUp(path))?.names !== 1)) await files.unlink(path)
  }
  await files.syncDirectory(seeding)
  return (await files.lookUp(partial))?.sizeBytes ?? 0
}

/**
 * Puts what was read, which is whole and durable, into the place of the database. Saved pages are those of the database before, and go first:
 * put back into this one they would destroy it. A crash leaves the old database or the new one.
 */
export async function publishSeed(files: FileOperations, names: StoreNames, places: SeedPlaces): Promise<void> {
  const { savedPagesName } = storePlaces(names)
  const saved = pathIn(places.directory, savedPagesName)
  await makeDirectoriesDurably(files, places.directory)
  if ((await files.lookUp(saved)) !== null) {
    await files.unlink(saved)
    await files.syncDirectory(places.directory)
  }
  await files.rename(places.partial, places.database)
  await files.syncDirectory(places.directory)
  await files.syncDirectory(places.seeding)
  await files.removeDirectory(places.seeding).catch(asReplicationError) // an empty directory does no harm
}

/** Refuses a volume that is too small, before anything is changed. Errors: `DISK_FULL`. */
export async function refuseTooSmall(
  files: FileOperations,
  { directory, neededBytes }: { readonly directory: string; readonly neededBytes: number },
): Promise<void> {
  const freeBytes = await files.freeBytes(directory)
  if (freeBytes >= neededBytes) return
  throw new ReplicationError({
    code: 'DISK_FULL',
    message: `the database takes ${neededBytes} bytes, the volume of ${directory} has ${freeBytes} free: ${neededBytes - freeBytes} are missing`,
    hint: 'Free space, or seed to another directory with --target-path. Nothing was changed.',
    fields: { path: directory, missingBytes: neededBytes - freeBytes },
  })
}

function logTest(names: StoreNames): (name: string) => boolean {
  const parse = logNameParser({ kind: 'ese', baseName: names.baseName })
  const { openLogName } = storePlaces(names)
  return (name) => name === openLogName || parse(name) !== null
}

/** The names in a directory; none where it is not there. */
async function* namesIn(files: FileOperations, directory: string): AsyncGenerator<string> {
  if ((await directoryFacts(files, directory)) === null) return
  for await (const chunk of files.walkDirectory(directory)) for (const { name } of chunk) yield name
}
