import { ReplicationError } from '../engine/error.ts'
import { type BackupManifest, composeManifest, parseManifest, rejectedSet, type SetFile } from './backup-manifest.ts'
import { directoryFacts, makeDirectoriesDurably } from './durable-directory.ts'
import { replaceDurably } from './durable-file.ts'
import { hasErrno } from './file-error.ts'
import { type FileOperations, pathIn } from './file-operations.ts'
import { readTextFile } from './text-file.ts'

/**
 * A backup set is a directory:
 *
 * ```
 * manifest.json              written last: a directory without it is no set
 * database/priv1.edb
 * logs/E0000000050.log …     logs/E00.chk
 * ```
 */
export interface SetPlaces {
  readonly root: string
  readonly database: string
  readonly logs: string
}

/** Where the files of a set lie. Touches nothing. */
export function setPlaces(root: string): SetPlaces {
  return { root, database: pathIn(root, 'database'), logs: pathIn(root, 'logs') }
}

/** The file that makes a directory a set. */
export const MANIFEST_NAME = 'manifest.json'
/** A million logs take less. */
const MANIFEST_BYTES_MAX = 256 * 1024 * 1024
/** What a fresh volume holds. */
const OF_A_VOLUME = 'lost+found'

/**
 * Makes the directories of a set that is to be written, durably. The directory must be absent or empty.
 *
 * Errors: `STATE_REFUSED` when it holds something, `DIRECTORY_CONFLICT`, and those of the file system.
 *
 * @returns whether the directory was made, and is to be removed with a set that is abandoned
 */
export async function beginSet(files: FileOperations, root: string): Promise<boolean> {
  const found = await directoryFacts(files, root)
  if (found !== null) await refuseContent(files, root)
  const { database, logs } = setPlaces(root)
  for (const directory of [database, logs]) await makeDirectoriesDurably(files, directory)
  return found === null
}

/** Makes the names of a set durable, then writes its manifest. From then on it is one. Every file must be durable already. */
export async function finishSet(
  files: FileOperations,
  set: { readonly root: string; readonly attemptId: string },
  manifest: BackupManifest,
): Promise<void> {
  const { root, database, logs } = setPlaces(set.root)
  const text = composeManifest(manifest)
  parseManifest(text, pathIn(root, MANIFEST_NAME)) // what would be refused later is refused now
  for (const directory of [database, logs, root]) await files.syncDirectory(directory)
  const bytes = new TextEncoder().encode(text)
  await replaceDurably(files, { directory: root, name: MANIFEST_NAME, attemptId: set.attemptId, bytes })
}

/** Removes the files of a set that was not finished, by their names, and its directories where nothing else lies in them. */
export async function abandonSet(
  files: FileOperations,
  set: { readonly root: string; readonly wasMade: boolean; readonly written: readonly string[] },
): Promise<void> {
  const { root, database, logs } = setPlaces(set.root)
  // A manifest whose last sync failed: without it first, so that what remains after a crash is no set.
  for (const path of [MANIFEST_NAME, ...set.written]) await files.unlink(pathIn(root, path)).catch(unlessMissing)
  for (const directory of [database, logs]) await removeEmpty(files, directory)
  if (set.wasMade) await removeEmpty(files, root)
}

/**
 * Reads the manifest of a set. Any directory may be given; its other files are not looked at.
 *
 * Errors: `BACKUP_REJECTED`, `DIRECTORY_MISSING`, and those of the file system.
 */
export async function readManifest(files: FileOperations, root: string): Promise<BackupManifest> {
  const path = pathIn(root, MANIFEST_NAME)
  if ((await directoryFacts(files, root)) === null) throw rejectedSet(root, 'is no backup set: it is not there')
  if ((await files.lookUp(path)) === null) throw rejectedSet(root, `is no backup set: it has no ${MANIFEST_NAME}`)
  const text = await readTextFile(files, path, MANIFEST_BYTES_MAX)
  if (text === null) throw rejectedSet(path, `has more than ${MANIFEST_BYTES_MAX} bytes, which no manifest has`)
  return parseManifest(text, path)
}

/** What is wrong with a file of a set before its content is looked at. */
export interface SetFinding {
  readonly path: string
  readonly fault: 'missing' | 'wrong size' | 'no regular file' | 'more than one name' | 'not in the manifest'
}

/**
 * Compares the names and sizes of a set with its manifest: what is missing, of another length or no regular file, and what lies there
 * beside it. Contents are not read. Sorted by path.
 */
export async function examineSet(
  files: FileOperations,
  root: string,
  manifest: BackupManifest,
): Promise<readonly SetFinding[]> {
  const findings: SetFinding[] = []
  for (const file of manifest.files) {
    const fault = await faultOfFile(files, root, file)
    if (fault !== null) findings.push({ path: file.path, fault })
  }
  const known = new Set(manifest.files.map(({ path }) => path))
  for (const path of await namesIn(files, root))
    if (!known.has(path)) findings.push({ path, fault: 'not in the manifest' })
  return findings.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
}

async function faultOfFile(
  files: FileOperations,
  root: string,
  { path, bytes }: SetFile,
): Promise<SetFinding['fault'] | null> {
  const facts = await files.lookUp(pathIn(root, path))
  if (facts === null) return 'missing'
  if (facts.kind !== 'regular') return 'no regular file'
  if (facts.names !== 1) return 'more than one name'
  return facts.sizeBytes === bytes ? null : 'wrong size'
}

async function namesIn(files: FileOperations, root: string): Promise<string[]> {
  const { database, logs } = setPlaces(root)
  const paths = (await files.readDirectory(root)).filter(
    (name) => ![MANIFEST_NAME, OF_A_VOLUME, 'database', 'logs'].includes(name),
  )
  for (const [folder, directory] of [
    ['database', database],
    ['logs', logs],
  ] as const) {
    if ((await directoryFacts(files, directory)) === null) continue
    for await (const chunk of files.walkDirectory(directory))
      paths.push(...chunk.map(({ name }) => `${folder}/${name}`))
  }
  return paths
}

async function refuseContent(files: FileOperations, root: string): Promise<void> {
  const names = (await files.readDirectory(root)).filter((name) => name !== OF_A_VOLUME)
  if (names.length === 0) return
  const isSet = names.includes(MANIFEST_NAME)
  const isRest = !isSet && names.every((name) => name === 'database' || name === 'logs')
  throw new ReplicationError({
    code: 'STATE_REFUSED',
    message: `${root} ${isSet ? 'holds a backup set already' : isRest ? 'holds what an interrupted backup left' : 'is not empty'}`,
    hint: isRest
      ? 'Remove it, or give a directory that is empty or not there yet.'
      : 'Give a directory that is empty or not there yet; nothing was changed.',
    fields: { path: root },
  })
}

async function removeEmpty(files: FileOperations, directory: string): Promise<void> {
  await files.removeDirectory(directory).catch((error: unknown) => {
    if (!hasErrno(error, 'ENOTEMPTY')) unlessMissing(error)
  })
}

function unlessMissing(error: unknown): void {
  if (!hasErrno(error, 'ENOENT')) throw error
}
