import { FORMAT_7 } from '../engine/database/log-header.ts'
import { ReplicationError } from '../engine/error.ts'
import { formatGeneration, type Generation, type GenerationRange, lowerOf } from '../engine/generation.ts'
import { isRestorableVersion } from '../engine/source/restorable-version.ts'
import { type BackupManifest, kindOfSetFile, rejectedSet, type SetFile } from './backup-manifest.ts'

/** A set and where it lies. */
export interface SetToRestore {
  readonly directory: string
  readonly manifest: BackupManifest
}

/** What a folder is that sets are put back into. */
export interface FolderToRestore {
  readonly storageGroup: string
  readonly baseName: string
  /** Version of this program. */
  readonly product: string
}

/** One file that goes back, and the set that it comes from. */
export interface FileToRestore {
  readonly set: string
  readonly file: SetFile
  readonly kind: 'database' | 'log' | 'checkpoint'
  /** As it is called in the set, without its folder. */
  readonly name: string
  /** Null for what is no log. */
  readonly generation: Generation | null
}

/** What some sets come to together. */
export interface RestoredFiles {
  /** The database first, then the checkpoint if there is one, then the logs, ascending. */
  readonly files: readonly FileToRestore[]
  /** All logs of the sets, without gaps; null where there are none. */
  readonly logs: GenerationRange | null
  readonly method: BackupManifest['method']
  readonly logSignature: string
}

/**
 * Puts sets together: one with a database, then incremental ones in their order, or one differential one.
 *
 * | refused | why |
 * |---|---|
 * | another storage group, base name or stream | its logs do not go on with those of the others |
 * | another major version of the product, or a newer format of logs | Source: a database that a service pack has upgraded takes no older backup |
 * | a gap | no log of it is anywhere |
 * | a log that two sets have differently | they are of two histories |
 *
 * Errors: `USAGE` for no set, `BACKUP_REJECTED` for all of these.
 */
export function filesOfSets(folder: FolderToRestore, sets: readonly SetToRestore[]): RestoredFiles {
  const [base, ...others] = sets
  if (base === undefined) throw noSet()
  refuseOrder(base, others)
  for (const set of sets) refuseForeign(folder, base, set)
  const chosen = new Map<number, FileToRestore>()
  const files: FileToRestore[] = []
  let logs: GenerationRange | null = null
  for (const set of sets) {
    logs = extend(logs, set)
    for (const file of filesOf(set)) take(file, files, chosen)
  }
  const ordered = [...chosen.values()].sort((a, b) => (a.generation ?? 0) - (b.generation ?? 0))
  return { files: [...files, ...ordered], logs, method: base.manifest.method, logSignature: base.manifest.logSignature }
}

function refuseOrder(base: SetToRestore, others: readonly SetToRestore[]): void {
  const scopeOf = ({ manifest }: SetToRestore): string => manifest.scope
  if (scopeOf(base) !== 'full' && scopeOf(base) !== 'copy')
    throw refusedSet(
      base,
      `is of scope ${scopeOf(base)}: the first set must have a database`,
      'Give the full backup first.',
    )
  const scopes = others.map(scopeOf)
  const allowed =
    scopes.every((scope) => scope === 'incremental') || (scopes.length === 1 && scopes[0] === 'differential')
  if (allowed) return
  const odd = others.find((set) => scopeOf(set) !== 'incremental') ?? base
  throw refusedSet(
    odd,
    `of scope ${scopeOf(odd)} does not follow a backup of scope ${scopeOf(base)} here`,
    'Give one full or copy backup, then its incremental ones in order, or one differential one.',
  )
}

function refuseForeign(folder: FolderToRestore, base: SetToRestore, set: SetToRestore): void {
  const { manifest } = set
  if (manifest.storageGroup !== folder.storageGroup)
    throw refusedSet(
      set,
      `is of storage group ${manifest.storageGroup}, not ${folder.storageGroup}`,
      'Give a set of this storage group.',
    )
  if (manifest.baseName.toLowerCase() !== folder.baseName.toLowerCase())
    throw refusedSet(
      set,
      `has logs named ${manifest.baseName}, the storage group ${folder.baseName}`,
      'Restore it into the folder of a storage group with that base name.',
    )
  if (manifest.logSignature !== base.manifest.logSignature)
    throw refusedSet(
      set,
      `has logs of another stream (signature ${manifest.logSignature}) than ${base.directory}`,
      'Give sets of one stream of logs: after a stream began anew, only backups of it go together.',
    )
  refuseVersion(folder, set)
}

function refuseVersion(folder: FolderToRestore, set: SetToRestore): void {
  const { product, logFormat } = set.manifest
  if (!isRestorableVersion(product, folder.product))
    throw refusedSet(
      set,
      `was made by version ${product}, this is ${folder.product}: a backup is restored by the same major version only`,
      'Restore it with that version; take full backups before and after an upgrade.',
    )
  if (logFormat === null) return
  const [major, minor, update] = logFormat.split(',').map(Number)
  if (major === FORMAT_7.major && minor === FORMAT_7.minor && (update ?? 0) <= FORMAT_7.updateMax) return
  throw refusedSet(
    set,
    `has logs of format ${logFormat}, newer than ${FORMAT_7.major},${FORMAT_7.minor},${FORMAT_7.updateMax}`,
    'Restore it with the version that made it.',
  )
}

/** The logs with those of the next set. */
function extend(before: GenerationRange | null, set: SetToRestore): GenerationRange | null {
  const { logs } = set.manifest
  if (before === null || logs === null) return before ?? logs
  if (logs.first > before.last + 1)
    throw refusedSet(
      set,
      `begins with log ${logs.first}, but the sets before it end with ${before.last}: the logs between are in none`,
      'Give every incremental backup since the full one, in order.',
    )
  if (logs.last < before.last)
    throw refusedSet(
      set,
      `ends with log ${logs.last}, before the sets in front of it, which reach ${before.last}`,
      'Give the sets in the order in which they were taken.',
    )
  return { first: lowerOf(before.first, logs.first), last: logs.last }
}

function* filesOf({ directory, manifest }: SetToRestore): Generator<FileToRestore> {
  for (const file of manifest.files) {
    const of = kindOfSetFile(file.path, manifest.baseName)
    if (of === null) throw rejectedSet(directory, `names ${file.path}, which is no file of a set`)
    yield { set: directory, file, kind: of.kind, name: of.name, generation: of.kind === 'log' ? of.generation : null }
  }
}

function take(file: FileToRestore, files: FileToRestore[], logs: Map<number, FileToRestore>): void {
  if (file.generation === null) {
    files.push(file)
    return
  }
  const before = logs.get(file.generation)
  if (before === undefined) logs.set(file.generation, file)
  else if (before.file.xxh64 !== file.file.xxh64 || before.file.bytes !== file.file.bytes)
    throw rejectedSet(
      file.set,
      `has another log ${formatGeneration(file.generation)} than ${before.set}: they are of two histories`,
    )
}

function refusedSet({ directory }: SetToRestore, why: string, hint: string): ReplicationError {
  return new ReplicationError({
    code: 'BACKUP_REJECTED',
    message: `the set in ${directory} ${why}`,
    hint: `${hint} Nothing was changed.`,
    fields: { path: directory },
  })
}

function noSet(): ReplicationError {
  return new ReplicationError({
    code: 'USAGE',
    message: 'there is no set to restore',
    hint: 'Give the directory of a full or copy backup.',
  })
}
