import { type BackupKind, type BackupScope, type BackupSlots, type FinishedBackup, withBackup } from './backup-slot.ts'
import type { LogPosition } from './log-position.ts'
import {
  BACKUP_PHASE,
  BACKUP_SCOPE,
  BACKUP_TYPE,
  BACKUP2_FIXED_BYTES,
  type BackupStep,
  writeBackup2,
} from './log-record-database.ts'
import { UNSET_LOG_TIME } from './log-time.ts'
import type { StoreEngine } from './store-engine.ts'

/** How a backup is taken: by reading a running database, by a snapshot of it, or by a snapshot of its copy on another node. */
export type BackupMethod = 'streaming' | 'vss' | 'surrogate'

const TYPE_OF: Readonly<Record<BackupMethod, number>> = {
  streaming: BACKUP_TYPE.streaming,
  vss: BACKUP_TYPE.snapshot,
  surrogate: BACKUP_TYPE.surrogate,
}

const SCOPES: Readonly<Record<number, BackupScope>> = {
  [BACKUP_SCOPE.full]: 'full',
  [BACKUP_SCOPE.incremental]: 'incremental',
  [BACKUP_SCOPE.copy]: 'copy',
  [BACKUP_SCOPE.differential]: 'differential',
}

/** A backup of the copy is remembered as one by a snapshot. Source: the engine's header update. */
const KINDS: Readonly<Record<number, BackupKind>> = {
  [BACKUP_TYPE.streaming]: 'streaming',
  [BACKUP_TYPE.snapshot]: 'os-snapshot',
  [BACKUP_TYPE.surrogate]: 'os-snapshot',
}

/** A step of the whole storage group names no database, no logs and no mark. */
const WHOLE_GROUP = 0
const NOWHERE: LogPosition = { generation: 0, sector: 0, byte: 0 }

/** A backup whose steps are logged. */
export interface LoggedBackup extends Pick<FinishedBackup, 'mark' | 'markTime'> {
  readonly scope: BackupScope
  readonly method: BackupMethod
}

/** The record of a step that concerns the whole storage group: begin, prepare, abort, stop. Source: those of real logs. */
export function stepOfGroup({ scope, method }: Pick<LoggedBackup, 'scope' | 'method'>, phase: number): BackupStep {
  const mark = { position: NOWHERE, time: UNSET_LOG_TIME, generationLow: 0, generationHigh: 0 }
  return { phase, type: TYPE_OF[method], scope: BACKUP_SCOPE[scope], databaseId: WHOLE_GROUP, mark }
}

/** The record by which headers learn of a backup that has ended: here when it is durable, on copies when it is replayed. */
export function stepOfHeader(
  backup: LoggedBackup,
  of: { readonly databaseId: number; readonly first: number; readonly last: number },
): BackupStep {
  const { mark: position, markTime: time, scope, method } = backup
  return {
    phase: BACKUP_PHASE.updateHeader,
    type: TYPE_OF[method],
    scope: BACKUP_SCOPE[scope],
    databaseId: of.databaseId,
    mark: { position, time, generationLow: of.first, generationHigh: of.last },
  }
}

/** Lays a step in the log. Returns where it begins. */
export function layBackupStep(store: StoreEngine, step: BackupStep): LogPosition {
  return store.write(BACKUP2_FIXED_BYTES, (log, at) => writeBackup2(log, at, step))
}

/**
 * The slots after a step: an update sets the slot of its scope, every other step changes nothing. Replayed once more, all steps from
 * an update on lead to the slots that they led to before.
 *
 * @returns the very slots that were given where nothing changes
 */
export function slotsAfter(slots: BackupSlots, { phase, type, scope, mark }: BackupStep): BackupSlots {
  const kind = KINDS[type]
  const backupScope = SCOPES[scope]
  if (phase !== BACKUP_PHASE.updateHeader || kind === undefined || backupScope === undefined) return slots
  const { position, time, generationLow, generationHigh } = mark
  return withBackup(slots, backupScope, {
    mark: position,
    markTime: time,
    firstGeneration: generationLow,
    lastGeneration: generationHigh,
    kind,
  })
}
