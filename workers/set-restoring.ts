import { ReplicationError } from '../engine/error.ts'
import type { CopiedFile, RestoreParts, RestoreRequest, RestoreResult, StagedFile } from '../storage/restore-set.ts'
import { restoreSets } from '../storage/restore-set.ts'
import { checkDatabase } from './checked-database.ts'
import type { CheckingParts } from './checked-file.ts'
import { checkCheckpoint, checkLog } from './checked-log.ts'
import { inParallel } from './in-parallel.ts'

/** Files that are copied at a time, as in a backup: each may hold three slots. */
const FILES_AT_ONCE = 4

/** Restores sets, each file verified while it is copied. See {@link restoreSets}. */
export function restoreWith(
  parts: CheckingParts,
  others: Omit<RestoreParts, 'files' | 'copy'>,
  request: RestoreRequest,
): Promise<RestoreResult> {
  const { files } = parts
  return restoreSets(
    { ...others, files, copy: (staged) => inParallel(staged, FILES_AT_ONCE, (file) => copyFile(parts, file)) },
    request,
  )
}

async function copyFile(parts: CheckingParts, { from, to, kind, generation }: StagedFile): Promise<CopiedFile> {
  try {
    if (kind === 'database') {
      const { bytes, xxh64 } = await checkDatabase(parts, { from, to, state: 'whole' })
      return { bytes, xxh64, identity: null }
    }
    if (kind === 'checkpoint' || generation === null)
      return { ...(await checkCheckpoint(parts, { from, to })), identity: null }
    const { bytes, xxh64, identity } = await checkLog(parts, { from, to }, generation)
    return { bytes, xxh64, identity }
  } catch (error) {
    throw asDamageOfSet(error)
  }
}

const DAMAGE: ReadonlySet<string> = new Set(['PAGE_REJECTED', 'DATABASE_REJECTED', 'LOG_REJECTED'])

/** What is wrong with a file of a set is a fault of the set, and not of a database or a stream that somebody runs. */
function asDamageOfSet(error: unknown): unknown {
  if (!(error instanceof ReplicationError) || !DAMAGE.has(error.code)) return error
  return new ReplicationError({
    code: 'BACKUP_REJECTED',
    message: `a file of the set is damaged: ${error.message}`,
    hint: 'Run ccr verify on the directory of the set; restore another one. Nothing was changed.',
    cause: error,
    fields: error.fields,
  })
}
