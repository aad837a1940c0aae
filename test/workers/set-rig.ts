// Backup sets and folders of storage groups over any file operations: small logs of one stream, and small databases.
import { newDatabaseHeader } from '../../engine/database/database-header.ts'
import { NOTHING_REQUIRED } from '../../engine/database/lost-log-resilience.ts'
import { asGeneration } from '../../engine/generation.ts'
import { eseLogName } from '../../engine/log-format.ts'
import type { BackupManifest } from '../../storage/backup-manifest.ts'
import { makeDirectoriesDurably } from '../../storage/durable-directory.ts'
import { type FileOperations, pathIn } from '../../storage/file-operations.ts'
import type { RestoreRequest } from '../../storage/restore-set.ts'
import type { SetDescription } from '../../workers/backup-messages.ts'
import { type CheckingParts, checkingParts } from '../../workers/checked-file.ts'
import { CopyPace } from '../../workers/copy-pace.ts'
import { SetWriter } from '../../workers/set-writer.ts'
import { createSlab } from '../../workers/slab.ts'
import { xxhashWasmFile } from '../../workers/worker-files.ts'
import { aLog, place, SIGNATURE } from '../engine/database/build.ts'
import { aDatabase, DATABASE_SIGNATURE } from '../engine/database/database-build.ts'

const LOG_BYTES = 8192
/** One for all tests of a file: a slab keeps nothing of whoever used it. */
const slab = createSlab(xxhashWasmFile(), 16)

let ids = 0

/** An id that no other has. */
export function newId(): string {
  ids += 1
  return ids.toString(16).padStart(32, '0')
}

/** What copies and verifies over these files. */
export async function partsOver(files: FileOperations, pace = new CopyPace()): Promise<CheckingParts> {
  return checkingParts({ files, slab: await slab, pace })
}

/** Log `generation` of the stream, of another one, or of a history that has parted from the stream's own. */
export function logBytes(generation: number, random = SIGNATURE.random, partedAt?: number): Uint8Array {
  const signature = { ...SIGNATURE, random }
  return aLog(generation, {
    ...place(generation, partedAt),
    sizeBytes: LOG_BYTES,
    seed: generation + random,
    signature,
  })
}

/** A database of some pages that needs these logs; none for a clean one. */
export function databaseBytes(required: readonly [first: number, last: number] | null, pages = 3): Uint8Array {
  const header = newDatabaseHeader(DATABASE_SIGNATURE, SIGNATURE)
  const [first, last] = required ?? [0, 0]
  const range = {
    ...NOTHING_REQUIRED,
    minRequired: asGeneration(first),
    maxRequired: asGeneration(last),
    maxCommitted: asGeneration(last),
  }
  const dbtimes = Array.from({ length: pages }, (_, index) => index + 65)
  return aDatabase(dbtimes, {
    ...header,
    state: required === null ? 'clean-shutdown' : 'dirty-shutdown',
    required: range,
  })
}

/** Writes a file with its directories, durably. */
export async function put(files: FileOperations, path: string, bytes: Uint8Array): Promise<void> {
  const directory = path.slice(0, path.lastIndexOf('/'))
  await makeDirectoriesDurably(files, directory)
  if ((await files.lookUp(path)) !== null) await files.unlink(path)
  const file = await files.open(path, 'create')
  await files.write(file, { bytes, offset: 0, length: bytes.length }, 0)
  await files.datasync(file)
  await files.close(file)
  await files.syncDirectory(directory)
}

/** The content of a file. */
export async function contentOf(files: FileOperations, path: string): Promise<Uint8Array> {
  const file = await files.open(path, 'read')
  const { sizeBytes } = await files.factsOf(file)
  const bytes = new Uint8Array(sizeBytes)
  await files.read(file, { bytes, offset: 0, length: sizeBytes }, 0)
  await files.close(file)
  return bytes
}

/** The folder of a storage group whose store is not running. */
export interface FolderPlan {
  readonly root: string
  readonly closed: readonly number[]
  readonly open?: number
  readonly required?: readonly [first: number, last: number] | null
  /** Of the stream. */
  readonly random?: number
  /** The first log of another history, as after a restore to a point in time. */
  readonly partedAt?: number
}

/** Makes such a folder. */
export async function makeFolder(files: FileOperations, plan: FolderPlan): Promise<void> {
  const { root, closed, open, required = null, random, partedAt } = plan
  await put(files, `${root}/database/priv1.edb`, databaseBytes(required))
  for (const generation of closed)
    await put(
      files,
      `${root}/logs/${eseLogName('E00', asGeneration(generation))}`,
      logBytes(generation, random, partedAt),
    )
  if (open !== undefined) await put(files, `${root}/logs/E00.log`, logBytes(open, random, partedAt))
}

/** What stands in the manifest of a full backup unless it is changed. */
export function aDescription(changes: Partial<SetDescription> = {}): SetDescription {
  return {
    storageGroup: 'SG1',
    baseName: 'E00',
    scope: 'full',
    method: 'vss',
    of: { copy: 'active', node: 'NODE1' },
    product: '0.1.0',
    closed: asGeneration(1),
    mark: null,
    buildsOn: null,
    begunMs: 1_173_355_200_000,
    endedMs: 1_173_355_260_000,
    ...changes,
  }
}

/** Backs a folder up, as a snapshot: its database unless the scope has logs only, and these logs. */
export async function takeSet(
  files: FileOperations,
  of: {
    readonly from: string
    readonly to: string
    readonly logs: readonly [first: number, last: number]
    readonly description?: Partial<SetDescription>
  },
): Promise<BackupManifest> {
  const { from, to, logs, description = {} } = of
  const writer = await SetWriter.begin({ ...(await partsOver(files)), newId }, to)
  const { scope = 'full' } = description
  if (scope === 'full' || scope === 'copy')
    await writer.copyDatabase(
      { ask: 'copy-database', path: `${from}/database/priv1.edb`, mode: 'snapshot' },
      () => undefined,
    )
  const [first, last] = logs
  const range = { first: asGeneration(first), last: asGeneration(last) }
  await writer.copyLogs({ ask: 'copy-logs', directory: `${from}/logs`, baseName: 'E00', range })
  return await writer.finish(aDescription({ closed: range.last, ...description }))
}

/** A restore of sets into a folder. */
export function aRestore(root: string, sets: readonly string[], changes: Partial<RestoreRequest> = {}): RestoreRequest {
  return {
    root,
    baseName: 'E00',
    databaseName: 'priv1.edb',
    storageGroup: 'SG1',
    product: '0.1.0',
    sets,
    pointInTime: false,
    ...changes,
  }
}

/** The names below a directory, sorted, each with its content as text. */
export async function treeOf(files: FileOperations, directory: string): Promise<Map<string, string>> {
  const tree = new Map<string, string>()
  const walk = async (path: string, prefix: string): Promise<void> => {
    for (const name of [...(await files.readDirectory(path))].sort()) {
      const inner = pathIn(path, name)
      const facts = await files.lookUp(inner)
      if (facts?.kind === 'directory') await walk(inner, `${prefix}${name}/`)
      else if (facts?.names !== 1) tree.set(prefix + name, `a file with ${facts?.names} names`)
      else tree.set(prefix + name, Buffer.from(await contentOf(files, inner)).toString('latin1'))
    }
  }
  await walk(directory, '')
  return tree
}
