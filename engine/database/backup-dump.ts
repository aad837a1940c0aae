import type { LogBytes } from './log-bytes.ts'
import { FORMAT_7, type LogHeader } from './log-header.ts'
import { formatLogPosition, positionOf } from './log-position.ts'
import { openRecords } from './log-record.ts'
import { BACKUP_PHASE, BACKUP_SCOPE, BACKUP_TYPE, type BackupStep, readBackup2 } from './log-record-database.ts'
import { RECORD } from './log-record-table.ts'
import { formatLogTime } from './log-time.ts'

/** A step of a backup that a log tells of, in words. */
export interface LoggedStep {
  /** Where its record lies, as eseutil writes it. */
  readonly position: string
  /** `begin`, `prepare`, `truncate`, `update`, `abort` or `stop`; another engine's as its number. */
  readonly phase: string
  readonly type: string
  readonly scope: string
  /** 0 for a step of the whole storage group. */
  readonly databaseId: number
  readonly firstGeneration: number
  readonly lastGeneration: number
  readonly mark: string
  readonly markTime: string
}

const PHASES: Readonly<Record<number, string>> = {
  [BACKUP_PHASE.begin]: 'begin',
  [BACKUP_PHASE.prepareLogs]: 'prepare',
  [BACKUP_PHASE.truncateLogs]: 'truncate',
  [BACKUP_PHASE.updateHeader]: 'update',
  [BACKUP_PHASE.abort]: 'abort',
  [BACKUP_PHASE.stop]: 'stop',
}
const TYPES: Readonly<Record<number, string>> = {
  [BACKUP_TYPE.streaming]: 'streaming',
  [BACKUP_TYPE.snapshot]: 'snapshot',
  [BACKUP_TYPE.surrogate]: 'surrogate',
}
const SCOPES: Readonly<Record<number, string>> = {
  [BACKUP_SCOPE.full]: 'full',
  [BACKUP_SCOPE.incremental]: 'incremental',
  [BACKUP_SCOPE.copy]: 'copy',
  [BACKUP_SCOPE.differential]: 'differential',
}

const NO_MARK = '(0x0,0,0)'

/** The steps of backups in a log of format 7 whose body is proved up to `endByte`; none for other formats. */
export function backupStepsOf(log: LogBytes, header: LogHeader, endByte: number): LoggedStep[] {
  if (header.version.major !== FORMAT_7.major) return []
  const steps: LoggedStep[] = []
  const cursor = openRecords(log, header, endByte)
  while (cursor.next()) {
    if (cursor.type !== RECORD.backup2) continue
    steps.push(inWords(readBackup2(log.view, cursor.at), formatLogPosition(positionOf(header, cursor.at))))
  }
  return steps
}

/** A line for each step, as an addition to what `eseutil /ml` shows. */
export function dumpBackupSteps(steps: readonly LoggedStep[]): string[] {
  return steps.map((step) => {
    const { position, phase, type, scope, databaseId, firstGeneration, lastGeneration, mark } = step
    const range = firstGeneration === 0 ? '' : `, logs ${firstGeneration}-${lastGeneration}`
    const database = databaseId === 0 ? '' : `, database ${databaseId}`
    const marked = mark === NO_MARK ? '' : `, mark ${mark}`
    return `      Backup ${position}: ${phase}, ${scope}, ${type}${database}${range}${marked}`
  })
}

function inWords({ phase, type, scope, databaseId, mark }: BackupStep, position: string): LoggedStep {
  return {
    position,
    phase: PHASES[phase] ?? String(phase),
    type: TYPES[type] ?? String(type),
    scope: SCOPES[scope] ?? String(scope),
    databaseId,
    firstGeneration: mark.generationLow,
    lastGeneration: mark.generationHigh,
    mark: formatLogPosition(mark.position),
    markTime: formatLogTime(mark.time),
  }
}
