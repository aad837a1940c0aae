import { checkContinuation } from '../engine/database/log-chain.ts'
import { ReplicationError } from '../engine/error.ts'
import type { Generation, GenerationRange } from '../engine/generation.ts'
import type { LogIdentity } from '../engine/log-identity.ts'
import { rejectedSet } from './backup-manifest.ts'
import { examineSet, readManifest } from './backup-set.ts'
import { directoryFacts, makeDirectoriesDurably } from './durable-directory.ts'
import { moveDurably } from './durable-moves.ts'
import { hasErrno } from './file-error.ts'
import { type FileOperations, pathIn } from './file-operations.ts'
import { type FolderPlan, identityOf, lookAtFolder, planFolder, type SetsToPutBack } from './restore-folder.ts'
import {
  NOTE_NAME,
  type RestoreNote,
  readRestoreNote,
  removeRestoreNote,
  restoreUnderWay,
  STAGED_NAME,
  writeRestoreNote,
} from './restore-note.ts'
import {
  type FileToRestore,
  type FolderToRestore,
  filesOfSets,
  type RestoredFiles,
  type SetToRestore,
} from './restore-rules.ts'
import type { StoreLock } from './store-lock.ts'
import { type StoreNames, storePlaces } from './store-places.ts'
import { sweepTemporaryFiles } from './temporary-files.ts'

/** What is restored, and where to; a message between threads can carry it. */
export interface RestoreRequest extends FolderToRestore, StoreNames {
  /** One with a database first, then those that build on it. Absolute paths. */
  readonly sets: readonly string[]
  /** False: logs of the folder that continue those of the sets stay, and are redone at the next start. True: they go aside. */
  readonly pointInTime: boolean
  /** Leaves the note of the restore when everything is in its place: no store starts before {@link endRestore}. */
  readonly staysOpen?: boolean
}

/** What a restore has done. */
export interface RestoreResult {
  /** Whether it went on with one that was interrupted. */
  readonly wasInterrupted: boolean
  readonly files: number
  /** Where the files that were there lie now; null when there were none. */
  readonly replaced: string | null
  /** The logs of the sets; null where there are none, and when it went on with another restore. */
  readonly logs: GenerationRange | null
  /** The closed logs of the folder that continue them, and stay. */
  readonly rolledForward: GenerationRange | null
}

/** A file of a set on its way into the folder, under another name until all of them are there. */
export interface StagedFile {
  readonly from: string
  readonly to: string
  readonly kind: FileToRestore['kind']
  /** Of a log. */
  readonly generation: FileToRestore['generation']
}

/** What was copied. */
export interface CopiedFile {
  readonly bytes: number
  readonly xxh64: string
  /** Of a log. */
  readonly identity: LogIdentity | null
}

/** What {@link restoreSets} works with. */
export interface RestoreParts {
  readonly files: FileOperations
  /** Takes the lock of the folder. Errors: `STORE_LOCKED`. */
  readonly lock: (root: string) => Promise<StoreLock>
  /**
   * Copies files, each verified by what it is and durable by itself, in their order or side by side; the answers are in their order. The
   * names are synced by the caller. Errors: whatever is wrong with one of them.
   */
  readonly copy: (files: readonly StagedFile[]) => Promise<readonly CopiedFile[]>
  /** Makes ids that never repeat, of 32 hexadecimal digits. */
  readonly newId: () => string
  readonly nowMs: () => number
  /**
   * Redoes the logs that the database of a streaming backup needs, when all files are in their places. It may be called again after a
   * crash. Null where that cannot be done: then only snapshots are restored.
   */
  readonly recoverStreaming: ((names: StoreNames) => Promise<void>) | null
}

/**
 * Puts backup sets back into the folder of a storage group whose store does not run:
 *
 * 1. the lock of the folder is taken, and the manifests, names and sizes of the sets are held against each other and the folder;
 * 2. every file is copied beside the present ones, and verified on the way: checksums, pages, logs, their chain;
 * 3. a note is left with which no store starts;
 * 4. the present files go aside, into a folder `replaced-…` that nobody deletes;
 * 5. the new ones take their places, a streaming backup is recovered, and the note goes.
 *
 * Up to step 3 nothing of the folder is changed, whatever is wrong; from there on nothing of the sets is needed any more, and the same call
 * finishes after a crash.
 *
 * Errors: `STORE_LOCKED`, `BACKUP_REJECTED`, `DISK_FULL`, `STATE_REFUSED` when another restore is under way, `DIRECTORY_CONFLICT` for a folder of
 * several volumes, and those of the file system.
 */
export async function restoreSets(parts: RestoreParts, request: RestoreRequest): Promise<RestoreResult> {
  const { files } = parts
  refuseDatabaseName(request.databaseName)
  await makeDirectoriesDurably(files, request.root)
  const lock = await parts.lock(request.root)
  try {
    const note = await readRestoreNote(files, request.root)
    if (note !== null) return await goOn(parts, request, note)
    await refuseOtherVolumes(files, request.root)
    await removeStaged(files, request.root)
    await sweepTemporaryFiles(files, request.root, [NOTE_NAME])
    const planned = await plan(parts, request)
    const begun = await stage(parts, request, planned)
    await carryOut(parts, request, begun)
    const { folder, sets } = planned
    return { ...resultOf(request, begun), logs: sets.logs, rolledForward: folder.rolledForward, wasInterrupted: false }
  } finally {
    await lock.release()
  }
}

/** No file moves from volume to volume under one name or both, so that is known before anything is begun. */
async function refuseOtherVolumes(files: FileOperations, root: string): Promise<void> {
  const device = (await directoryFacts(files, root))?.device
  for (const path of Object.values(folders(root))) {
    const facts = await directoryFacts(files, path)
    if (facts === null || facts.device === device) continue
    throw new ReplicationError({
      code: 'DIRECTORY_CONFLICT',
      message: `${path} lies on another volume than ${root}: files cannot be moved into it`,
      hint: 'Restore into a folder that lies on one volume with its logs and database. Nothing was changed.',
      fields: { path },
    })
  }
}

interface Planned {
  readonly sets: RestoredFiles
  readonly folder: FolderPlan
}

async function goOn(parts: RestoreParts, request: RestoreRequest, note: RestoreNote): Promise<RestoreResult> {
  const isSame = JSON.stringify(note.sets) === JSON.stringify(request.sets) && note.mode === modeOf(request)
  if (!isSame) throw anotherRestore(request, note)
  await carryOut(parts, request, note)
  return { ...resultOf(request, note), logs: null, rolledForward: null, wasInterrupted: true }
}

async function plan({ files, recoverStreaming }: RestoreParts, request: RestoreRequest): Promise<Planned> {
  const read: SetToRestore[] = []
  for (const directory of request.sets) read.push(await readSet(files, directory))
  const sets = filesOfSets(request, read)
  if (sets.method === 'streaming' && recoverStreaming === null) throw cannotRecover(request.sets[0] ?? '')
  const places = storePlaces(request)
  const content = await lookAtFolder(files, places)
  const { pointInTime } = request
  const folder = await planFolder(files, places, { content, sets: await withEnds(files, sets), pointInTime })
  return { sets, folder }
}

/** Errors: `BACKUP_REJECTED` for a file that is missing, of another length, or no file. What lies beside them is let be. */
async function readSet(files: FileOperations, directory: string): Promise<SetToRestore> {
  const manifest = await readManifest(files, directory)
  const findings = await examineSet(files, directory, manifest)
  const wrong = findings.find(({ fault }) => fault !== 'not in the manifest')
  if (wrong !== undefined) throw rejectedSet(directory, `is not whole: ${wrong.path}: ${wrong.fault}`)
  return { directory, manifest }
}

async function withEnds(files: FileOperations, { files: all, logs }: RestoredFiles): Promise<SetsToPutBack> {
  const ofLogs = all.filter(({ kind }) => kind === 'log')
  const [first, last] = [ofLogs[0], ofLogs.at(-1)]
  const byGeneration = new Map(ofLogs.map((log) => [log.generation, log]))
  const identityAt = async (generation: Generation): Promise<LogIdentity | null> => {
    const log = byGeneration.get(generation)
    return log === undefined ? null : await identityInSet(files, log)
  }
  if (first === undefined || last === undefined) return { logs, ends: null, identityAt }
  return {
    logs,
    ends: { first: await identityInSet(files, first), last: await identityInSet(files, last) },
    identityAt,
  }
}

async function identityInSet(files: FileOperations, { set, file, generation }: FileToRestore): Promise<LogIdentity> {
  const identity = await identityOf(files, pathIn(set, file.path))
  if (identity !== null && identity.generation === generation) return identity
  throw rejectedSet(pathIn(set, file.path), 'is damaged: its header is not that of the log')
}

/** Copies everything, and leaves the note. When it fails the folder is as it was. */
async function stage(parts: RestoreParts, request: RestoreRequest, planned: Planned): Promise<RestoreNote> {
  const { files } = parts
  const { sets, folder } = planned
  try {
    await refuseTooLittleRoom(files, request.root, sets)
    const { logs, database } = folders(pathIn(request.root, STAGED_NAME))
    for (const directory of [logs, database]) await makeDirectoriesDurably(files, directory)
    const staged = sets.files.map((file) => ({ file, path: pathInFolder(request, file) }))
    const copied = await parts.copy(
      staged.map(({ file, path }) => ({
        from: pathIn(file.set, file.file.path),
        to: pathIn(request.root, `${STAGED_NAME}/${path}`),
        kind: file.kind,
        generation: file.generation,
      })),
    )
    refuseDamage(sets, copied)
    for (const directory of [logs, database]) await files.syncDirectory(directory)
    const note: RestoreNote = {
      sets: request.sets,
      mode: modeOf(request),
      method: sets.method,
      beganMs: parts.nowMs(),
      replaced: await freeName(files, request.root, parts.nowMs()),
      aside: folder.aside,
      staged: staged.map(({ path }) => path),
    }
    await writeRestoreNote(files, { root: request.root, attemptId: parts.newId() }, note)
    return note
  } catch (error) {
    // A note whose sync failed may be there or not: then everything stays for the next call.
    if (!(await restoreUnderWay(files, request.root).catch(() => true)))
      await removeStaged(files, request.root).catch(() => undefined) // the next restore removes it
    throw error
  }
}

/** The database of a set takes the name that the folder has for it; logs and checkpoints keep theirs. */
function pathInFolder({ databaseName }: StoreNames, { kind, name }: FileToRestore): string {
  return kind === 'database' ? `database/${databaseName}` : `logs/${name}`
}

function refuseDamage(sets: RestoredFiles, copied: readonly CopiedFile[]): void {
  let before: LogIdentity | null = null
  for (const [index, { set, file }] of sets.files.entries()) {
    const found = copied[index]
    const path = pathIn(set, file.path)
    if (found === undefined || found.bytes !== file.bytes || found.xxh64 !== file.xxh64)
      throw rejectedSet(
        path,
        `is damaged: its checksum is ${found?.xxh64 ?? 'unknown'}, the manifest says ${file.xxh64}`,
      )
    const { identity } = found
    if (identity === null) continue
    if (identity.signature !== sets.logSignature)
      throw rejectedSet(path, 'is a log of another stream than the manifest says')
    const rejection = before === null ? null : checkContinuation(before, identity)
    if (rejection !== null) throw rejectedSet(path, `does not continue the log before it: ${rejection.detail}`)
    before = identity
  }
}

/** Everything is there: present files go aside, new ones take their places. Each step can be made again. */
async function carryOut(parts: RestoreParts, request: RestoreRequest, note: RestoreNote): Promise<void> {
  const { files, recoverStreaming } = parts
  const { root } = request
  const here = folders(root)
  const staged = folders(pathIn(root, STAGED_NAME))
  const aside = folders(pathIn(root, note.replaced))
  const wanted = note.aside.length === 0 ? [] : [aside.logs, aside.database]
  for (const directory of [here.logs, here.database, ...wanted]) await makeDirectoriesDurably(files, directory)
  const move = (from: string, to: string) => (path: string) => ({ from: pathIn(from, path), to: pathIn(to, path) })
  await moveDurably(
    files,
    {
      files: note.aside.map(move(root, pathIn(root, note.replaced))),
      fromDirectories: [here.logs, here.database],
      toDirectories: wanted,
    },
    'vacated',
  )
  await moveDurably(
    files,
    {
      files: note.staged.map(move(pathIn(root, STAGED_NAME), root)),
      fromDirectories: await existing(files, [staged.logs, staged.database]),
      toDirectories: [here.logs, here.database],
    },
    'occupied',
  )
  if (note.method === 'streaming') {
    if (recoverStreaming === null) throw cannotRecover(note.sets[0] ?? '')
    await recoverStreaming(request)
  }
  await removeStaged(files, root)
  if (request.staysOpen !== true) await removeRestoreNote(files, root)
}

/** Ends a restore that was asked to stay open: the store may start from now on. */
export function endRestore(files: FileOperations, root: string): Promise<void> {
  return removeRestoreNote(files, root)
}

async function existing(files: FileOperations, directories: readonly string[]): Promise<string[]> {
  const there: string[] = []
  for (const directory of directories) if ((await files.lookUp(directory)) !== null) there.push(directory)
  return there
}

/** Removes what an unfinished restore staged: a directory of ours, whatever lies in it. */
async function removeStaged(files: FileOperations, root: string): Promise<void> {
  const directory = pathIn(root, STAGED_NAME)
  if ((await files.lookUp(directory)) === null) return
  for (const inner of Object.values(folders(directory))) {
    if ((await files.lookUp(inner)) === null) continue
    for (const name of await files.readDirectory(inner)) await files.unlink(pathIn(inner, name))
    await files.removeDirectory(inner)
  }
  await files.removeDirectory(directory).catch((error: unknown) => {
    if (!hasErrno(error, 'ENOTEMPTY')) throw error // somebody keeps something of his own in it
  })
  await files.syncDirectory(root)
}

async function refuseTooLittleRoom(files: FileOperations, root: string, sets: RestoredFiles): Promise<void> {
  const neededBytes = sets.files.reduce((sum, { file }) => sum + file.bytes, 0)
  const freeBytes = await files.freeBytes(root)
  if (freeBytes >= neededBytes) return
  throw new ReplicationError({
    code: 'DISK_FULL',
    message: `the sets take ${neededBytes} bytes, ${root} has ${freeBytes} free: ${neededBytes - freeBytes} are missing`,
    hint: 'Free space on the volume: the present files are kept beside the restored ones. Nothing was changed.',
    fields: { path: root, missingBytes: neededBytes - freeBytes },
  })
}

/** `replaced-20070308T120000Z`, with a number behind it where that is taken. */
async function freeName(files: FileOperations, root: string, nowMs: number): Promise<string> {
  const time = `${new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
  for (let number = 1; ; number++) {
    const name = number === 1 ? `replaced-${time}` : `replaced-${time}-${number}`
    if ((await files.lookUp(pathIn(root, name))) === null) return name
  }
}

function folders(root: string): { readonly logs: string; readonly database: string } {
  return { logs: pathIn(root, 'logs'), database: pathIn(root, 'database') }
}

function modeOf({ pointInTime }: RestoreRequest): RestoreNote['mode'] {
  return pointInTime ? 'point-in-time' : 'roll-forward'
}

function resultOf({ root }: RestoreRequest, note: RestoreNote): Pick<RestoreResult, 'files' | 'replaced'> {
  return { files: note.staged.length, replaced: note.aside.length === 0 ? null : pathIn(root, note.replaced) }
}

function refuseDatabaseName(name: string): void {
  if (/^[A-Za-z0-9_][A-Za-z0-9_. -]{0,62}\.edb$/.test(name)) return
  throw new ReplicationError({
    code: 'NAME_INVALID',
    message: `${JSON.stringify(name.slice(0, 80))} is no name of a database`,
    hint: 'Use letters, digits, blanks, dots, hyphens and underscores, and .edb at the end.',
  })
}

function anotherRestore({ root, storageGroup }: RestoreRequest, note: RestoreNote): ReplicationError {
  const words = `--from ${note.sets.join(' ')}${note.mode === 'point-in-time' ? ' --point-in-time' : ''}`
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `another restore of ${root} was interrupted: that of ${words}`,
    hint: `Finish it first: run ccr restore ${storageGroup} ${words}. It needs nothing of the sets any more.`,
    fields: { path: root },
  })
}

function cannotRecover(directory: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `the set in ${directory} is a streaming backup, which has to be recovered by its logs`,
    hint: 'Restore a backup that was taken with a snapshot.',
    fields: { path: directory },
  })
}
