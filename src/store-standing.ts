import type { BackupSlots, FinishedBackup } from '../engine/database/backup-slot.ts'
import { formatLogPosition } from '../engine/database/log-position.ts'
import { unixMsOf } from '../engine/database/log-time.ts'
import { ReplicationError } from '../engine/error.ts'
import type { DismountRefusal } from '../engine/source/backup-session.ts'
import type { BackupDocument, StoreState, StoreStatus } from '../transport/management-store-documents.ts'
import type { MailboxStatus } from '../workers/mailbox-answers.ts'
import type { StoreOpening } from '../workers/mailbox-opening.ts'
import type { MailboxSettings } from '../workers/mailbox-start.ts'

/** What is known of a store without asking it. */
export interface StoreStanding {
  readonly storageGroup: string
  readonly directory: string
  readonly settings: MailboxSettings
  readonly state: StoreState
  readonly failure: string
  readonly opening: StoreOpening | null
}

/** The status of a store: what itself says, null where it does not run. */
export function storeStatusOf(standing: StoreStanding, said: MailboxStatus | null): StoreStatus {
  const { storageGroup, directory, settings, state, failure, opening } = standing
  return {
    storageGroup,
    directory,
    state,
    failure,
    databaseState: said?.databaseState ?? null,
    openGeneration: said?.openGeneration ?? null,
    checkpointGeneration: said?.checkpointGeneration ?? null,
    lowestRequired: said?.lowestRequired ?? null,
    requiredLogs: said?.requiredLogs ?? null,
    waypointDepth: settings.resilienceDepth,
    databasePages: said?.databasePages ?? null,
    cacheBytes: settings.cacheBytes,
    circularLogging: settings.circularLogging,
    dbtime: said?.dbtime ?? null,
    maintenance: said?.maintenance ?? null,
    backups: said === null ? null : backupsOf(said.backups),
    transactions: said === null ? null : { committed: said.committed, refused: said.refused },
    recovery: opening === null ? null : recoveryOf(opening),
  }
}

/** A request that comes while a store takes none. */
export function storeDown(name: string, state: StoreState, failure: string): ReplicationError {
  return new ReplicationError({
    code: 'STORE_UNAVAILABLE',
    message: `the store of ${name} is ${state}${failure === '' ? '' : `: ${failure}`}`,
    hint:
      state === 'dismounted'
        ? `Mount it with: ccr mount ${name}`
        : 'Look at its state with GET /api/v1/stores, and try again when it is running.',
    fields: { storageGroup: name },
  })
}

/** A dismount that is refused. */
export function dismountRefused(name: string, { error, why }: DismountRefusal): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `the store of ${name} cannot be dismounted: ${why} (${error})`,
    hint: `"ccr explain ${error}" says what the number means. The store goes on as before.`,
    fields: { storageGroup: name, eseError: error },
  })
}

/** A request that was under way when the store was lost. */
export function storeLost(name: string, why: string): ReplicationError {
  return new ReplicationError({
    code: 'STORE_UNAVAILABLE',
    message: `the store of ${name} was lost before it answered: ${why}`,
    hint: 'What was asked for may or may not be committed: look at the messages when the store is running again.',
    fields: { storageGroup: name },
  })
}

function recoveryOf({ outcome, redone, undone, mendedPages, durationMs }: StoreOpening): StoreStatus['recovery'] {
  const logsRedone = redone === null ? 0 : redone.last - redone.first + 1
  return { outcome, logsRedone, transactionsUndone: undone, mendedPages, durationMs }
}

function backupsOf(slots: BackupSlots): StoreStatus['backups'] {
  return {
    full: backupOf(slots.previousFull),
    incremental: backupOf(slots.previousIncremental),
    copy: backupOf(slots.previousCopy),
    differential: backupOf(slots.previousDifferential),
  }
}

/** A slot that was never set has the mark of no log. */
function backupOf({ mark, markTime, firstGeneration, lastGeneration, kind }: FinishedBackup): BackupDocument | null {
  if (mark.generation === 0) return null
  const atMs = unixMsOf(markTime)
  return { first: firstGeneration, last: lastGeneration, kind, mark: formatLogPosition(mark), atMs }
}
