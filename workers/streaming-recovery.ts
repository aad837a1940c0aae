import { restoreDatabase } from '../engine/database/restore.ts'
import { logFault, STORE_ERROR, type StoreFault } from '../engine/database/store-fault.ts'
import { readStore } from '../engine/database/store-finding.ts'
import { ReplicationError } from '../engine/error.ts'
import type { FileOperations } from '../storage/file-operations.ts'
import { openReplayFiles, type ReplayFiles } from '../storage/replay-files.ts'
import type { StoreNames } from '../storage/store-places.ts'

/** What {@link recoverStreaming} works with. */
export interface StreamingRecoveryParts {
  readonly files: FileOperations
  /** Makes ids that never repeat, of 32 hexadecimal digits. */
  readonly newId: () => string
}

/**
 * Hard recovery of a database that was put back from a streaming backup, with all files in their places: requires and verifies the logs
 * of its trailer, writes them into the header, and takes the trailer away. The next start redoes them. Whoever calls holds the
 * lock of the folder; called again after a crash, or after it was done, it does what is left.
 *
 * Errors: `DATABASE_REJECTED` with ESE's number as the field `eseError`, and those of the file system.
 */
export async function recoverStreaming(parts: StreamingRecoveryParts, names: StoreNames): Promise<void> {
  const files = await openReplayFiles({ ...parts, ...names })
  try {
    const fault = await restore(files)
    if (fault !== null) throw refused(names, fault)
  } finally {
    await files.close()
  }
}

async function restore(files: ReplayFiles): Promise<StoreFault | null> {
  const finding = readStore(await files.list())
  if (finding.finding === 'unreadable') return finding.fault
  const outcome = await files.run(restoreDatabase(finding.files))
  if (outcome.outcome === 'refused') return outcome.fault
  const { database } = finding.files
  const isRestored = outcome.outcome === 'restored' || (database?.backups.currentFull.lastGeneration ?? 0) > 0
  return isRestored
    ? null
    : logFault(STORE_ERROR.badPatchPage, null, 'it ends without the trailer of a streaming backup')
}

function refused({ databaseName }: StoreNames, { error, detail, generation }: StoreFault): ReplicationError {
  return new ReplicationError({
    code: 'DATABASE_REJECTED',
    message: `${databaseName} cannot be recovered from its streaming backup: ${detail} (${error})`,
    hint: `"ccr explain ${error}" says what the number means; restore a set that is whole.`,
    fields: { eseError: error, ...(generation === null ? {} : { generation }) },
  })
}
