import type { BackupJobDocument } from '../../transport/management-backup-documents.ts'
import { listOf, shapeOf } from '../api-answer.ts'
import { formatSize } from '../format-size.ts'
import { fittedColumns, formatTable } from '../format-table.ts'

/** Takes in a backup of a node. Errors: `WIRE_PROTOCOL`. */
export function readBackup(value: unknown): BackupJobDocument {
  const shape = {
    id: 'number',
    storageGroup: 'string',
    phase: 'string',
    doneBytes: 'number',
    elapsedMs: 'number',
  } as const
  return shapeOf(value, 'a backup', shape) as unknown as BackupJobDocument // what else it has is shown and not relied on
}

/** Takes in the backups of a node. Errors: `WIRE_PROTOCOL`. */
export function readBackups(value: unknown): BackupJobDocument[] {
  return listOf(shapeOf(value, 'the answer', { backups: 'object' })['backups'], 'backups').map(readBackup)
}

/** A backup under way in one line: how much is done, how fast, and how long it will take. */
export function backupLine(job: BackupJobDocument): string {
  const { id, storageGroup, scope, phase, doneBytes, totalBytes, elapsedMs } = job
  const perSecond = elapsedMs > 0 ? (doneBytes / elapsedMs) * 1_000 : 0
  const left = perSecond > 0 ? Math.ceil((totalBytes - doneBytes) / perSecond) : null
  const eta = phase !== 'database' || left === null ? '' : `, ${left} s left`
  return `backup ${id} of ${storageGroup} (${scope}): ${phase}, ${formatSize(doneBytes)} of ${formatSize(totalBytes)}, ${formatSize(Math.round(perSecond))}/s${eta}`
}

/** A backup that is over, for a person. */
export function backupLines(job: BackupJobDocument): string[] {
  const { id, storageGroup, of, scope, method, directory, doneBytes, elapsedMs, logs } = job
  const seconds = elapsedMs / 1_000
  const rate = formatSize(Math.round(doneBytes / Math.max(seconds, 0.001)))
  const range =
    logs === null ? 'no log' : logs.first === logs.last ? `log ${logs.first}` : `logs ${logs.first} to ${logs.last}`
  return [
    `${storageGroup}: backup ${id} (${scope}, ${method}, of the ${of}) is complete: ${formatSize(doneBytes)} in ${seconds.toFixed(1)} s (${rate}/s), with ${range}`,
    `  ${directory}`,
  ]
}

const HEADERS = ['Id', 'Name', 'Of', 'Scope', 'Method', 'Phase', 'Done', 'Begun', 'Directory'] as const

/** Backups in a table. */
export function backupTable(jobs: readonly BackupJobDocument[]): string[] {
  const rows = jobs.map(({ id, storageGroup, of, scope, method, phase, doneBytes, begun, directory }) => [
    String(id),
    storageGroup,
    of,
    scope,
    method,
    phase,
    formatSize(doneBytes),
    begun,
    directory,
  ])
  return formatTable(fittedColumns(HEADERS, rows), rows)
}
