import { resolve } from 'node:path'
import type { BackupManifest } from '../storage/backup-manifest.ts'
import type { VerifiedBackupSet, VerifiedSetFile } from '../workers/backup-messages.ts'
import { BackupThread } from './backup/backup-thread.ts'
import { formatSize } from './format-size.ts'
import { fittedColumns, formatTable } from './format-table.ts'
import type { VerifiedFile } from './verify-database.ts'

/** How the work is watched and stopped. */
export interface VerifySetWork {
  readonly signal: AbortSignal
  /** In bytes. */
  readonly onProgress: (done: number, total: number) => void
}

/** Faults that are printed; all of them are in the document. */
const FAULTS_SHOWN_MAX = 200

/** Verifies sets, one after the other. Errors: `BACKUP_REJECTED` for a manifest that cannot be read, and those of the file system. */
export async function verifyBackupSets(
  directories: readonly string[],
  work: VerifySetWork,
): Promise<readonly VerifiedFile[]> {
  const thread = await BackupThread.start()
  try {
    const verified: VerifiedFile[] = []
    for (const directory of directories) {
      const query = { ask: 'verify-set', directory: resolve(directory) } as const
      verified.push(fileOf(await thread.ask(query, work)))
    }
    return verified
  } finally {
    await thread.close()
  }
}

function fileOf(set: VerifiedBackupSet): VerifiedFile {
  const { directory, manifest, files, sound } = set
  const { files: _, ...description } = manifest
  const damaged = files.filter(({ faults }) => faults.length > 0)
  return {
    lines: linesOf(set, damaged),
    document: { directory, sound, ...description, verified: files.length, damaged },
    damaged: !sound,
  }
}

function linesOf({ directory, manifest, files }: VerifiedBackupSet, damaged: readonly VerifiedSetFile[]): string[] {
  const rows = [
    rowOf('database', manifest, files),
    rowOf('checkpoint', manifest, files),
    rowOf('logs', manifest, files),
  ].filter((row) => row !== null)
  const faults = damaged.flatMap(({ path, faults: all }) => all.map((fault) => `ERROR: ${path}: ${fault}`))
  const more = faults.length > FAULTS_SHOWN_MAX ? [`${faults.length - FAULTS_SHOWN_MAX} more are not shown`] : []
  return [
    `      Backup set: ${directory}`,
    ...descriptionOf(manifest).map((line) => `                  ${line}`),
    '',
    ...formatTable(fittedColumns(HEADERS, rows), rows),
    '',
    ...faults.slice(0, FAULTS_SHOWN_MAX),
    ...more,
    ...(faults.length === 0 ? ['No damage was found.'] : []),
  ]
}

const HEADERS = ['Content', 'Files', 'Size', 'Damaged'] as const
const FOLDER_OF = { database: /^database\//, checkpoint: /\.chk$/, logs: /\.log$/ } as const

function rowOf(
  what: keyof typeof FOLDER_OF,
  { files }: BackupManifest,
  verified: readonly VerifiedSetFile[],
): string[] | null {
  const of = files.map((file, index) => ({ ...file, faults: verified[index]?.faults ?? [] }))
  const found = of.filter(({ path }) => FOLDER_OF[what].test(path))
  if (found.length === 0) return null
  const bytes = found.reduce((sum, file) => sum + file.bytes, 0)
  const damaged = found.filter(({ faults }) => faults.length > 0).length
  return [what, String(found.length), formatSize(bytes), String(damaged)]
}

function descriptionOf(manifest: BackupManifest): string[] {
  const { scope, method, storageGroup, of, begunMs, logs, required } = manifest
  const node = of.node === '' ? '' : ` on ${of.node}`
  return [
    `${scope} backup (${method}) of ${storageGroup}, from the ${of.copy} copy${node}, begun ${new Date(begunMs).toISOString()}`,
    ...(logs === null ? [] : [`logs ${logs.first} to ${logs.last}`]),
    ...(required === null ? [] : [`the database needs the logs ${required.first} to ${required.last}`]),
  ]
}
