import { asGeneration, formatGeneration, type Generation, nextGeneration } from '../generation.ts'
import { ESE_ERROR_OF, type LogIdentity, type Rejection } from '../log-identity.ts'
import { type BackupTrailer, readBackupTrailer } from './backup-trailer.ts'
import type { DatabaseHeader } from './database-header.ts'
import { openLogBytes } from './log-bytes.ts'
import { comparePositions, formatLogPosition } from './log-position.ts'
import { PAGE_BYTES } from './page.ts'
import { judgeClosed, type StoreFiles } from './recovery-evidence.ts'
import { sameSignature, signatureDigits } from './redo-mark.ts'
import { logFault, STORE_ERROR, type StoreFault } from './store-fault.ts'
import { askLog, askPage, execute, type StoreMachine } from './store-machine.ts'

/** What became of a database that may be one of a streaming backup. */
export type RestoreOutcome =
  /** It is none, or was restored before. */
  | { readonly outcome: 'nothing-to-restore' }
  | { readonly outcome: 'refused'; readonly fault: StoreFault }
  /** It is an ordinary one now, whose header requires all logs of the backup. */
  | { readonly outcome: 'restored'; readonly database: DatabaseHeader }

/** A log between two that are there is not of their stream, or not the one that follows. */
const FAULT_OF_PLACE: Partial<Record<Rejection['reason'], number>> = {
  gap: STORE_ERROR.restoredLogNotContiguous,
  'bad-signature': STORE_ERROR.restoredLogBadSignature,
}

/**
 * Hard recovery: makes an ordinary database of one that a streaming backup copied page by page while its store went on. Its pages are of
 * many moments, and its header is of one of them; the trailer behind its last page names the logs that bring all of them to the same one.
 *
 * Every log of the trailer's range is required, and verified. Then the header says so, and the trailer goes: the recovery that follows
 * redoes the range, as it does after a crash. Its redo needs no order in which pages were read, since
 *
 * 1. the range begins with the first log that the database needed before the first page was read, so a page lacks no change of before;
 * 2. it ends behind the last page that was read, so a page has no change of after;
 * 3. a record is redone for each of its pages by itself, by that page's dbtime, and what moves between pages is in the record.
 *
 * What the copier has to keep: the range is begun before its first page is read, each page is whole, the log is closed when the last was
 * read. A crash in the middle is followed by the same.
 *
 * @param files as they were found
 */
export function* restoreDatabase(files: StoreFiles): StoreMachine<RestoreOutcome> {
  const { database, databasePages } = files
  // A backup that copies pages is written into the header before the first of them is read.
  if (database === null || database.backups.currentFull.firstGeneration === 0 || databasePages === 0)
    return { outcome: 'nothing-to-restore' }
  const page = openLogBytes(yield* askPage(databasePages))
  const trailer = readBackupTrailer(page, 0, PAGE_BYTES)
  if (trailer === null) return { outcome: 'nothing-to-restore' }
  const misfit = faultOfTrailer(database, trailer)
  if (misfit !== null) return { outcome: 'refused', fault: misfit }
  const judged = yield* judgeRange(files, trailer)
  if ('error' in judged) return { outcome: 'refused', fault: judged }
  const restored = restoredHeader(database, trailer, judged)
  yield* execute([
    { order: 'write-header', header: restored },
    { order: 'write-pages', pages: [{ number: databasePages, bytes: new Uint8Array(PAGE_BYTES) }] },
    { order: 'sync-database' },
  ])
  return { outcome: 'restored', database: restored }
}

/** The trailer was made by the backup that the header tells of. */
function faultOfTrailer(
  database: DatabaseHeader,
  { backup, signature, logSignature }: BackupTrailer,
): StoreFault | null {
  const { currentFull } = database.backups
  const misfit = (detail: string) => logFault(STORE_ERROR.badPatchPage, null, `the trailer of the backup ${detail}`)
  if (!sameSignature(signature, database.signature)) return misfit('is of another database')
  if (!sameSignature(logSignature, database.logSignature)) return misfit('is of another stream')
  const { firstGeneration: first, lastGeneration: last, mark } = backup
  if (comparePositions(mark, currentFull.mark) !== 0)
    return misfit(`is of ${formatLogPosition(mark)}, the header of a backup of ${formatLogPosition(currentFull.mark)}`)
  return first >= 1 && first <= last ? null : misfit(`names the logs ${first} to ${last}`)
}

/** Reads and verifies the range. Answers the last log, or what is wrong with one. */
function* judgeRange(
  { closed, database }: StoreFiles,
  { backup }: BackupTrailer,
): StoreMachine<LogIdentity | StoreFault> {
  const present = new Set<number>(closed)
  const signature = database === null ? null : signatureDigits(database.logSignature)
  const last = asGeneration(backup.lastGeneration)
  let previous: LogIdentity | null = null
  for (let generation = asGeneration(backup.firstGeneration); ; generation = nextGeneration(generation)) {
    const bytes = present.has(generation) ? yield* askLog({ generation, open: false, last }) : null
    if (bytes === null) return missing(generation)
    const { sound, rejection } = judgeClosed(bytes, { generation, previous, signature })
    if (rejection !== null || sound === null) return faultOfLog(generation, rejection)
    if (generation === last) return sound.identity
    previous = sound.identity
  }
}

function missing(generation: Generation): StoreFault {
  const detail = `log ${formatGeneration(generation)} of the backup is missing`
  return logFault(STORE_ERROR.requiredLogsMissing, generation, detail)
}

function faultOfLog(generation: Generation, rejection: Rejection | null): StoreFault {
  const reason = rejection?.reason ?? 'corrupt-checksum'
  return logFault(FAULT_OF_PLACE[reason] ?? ESE_ERROR_OF[reason], generation, rejection?.detail ?? '')
}

/** What the recovery of it needs: all logs of the range, of which any page may have changes. */
function restoredHeader(database: DatabaseHeader, { backup }: BackupTrailer, last: LogIdentity): DatabaseHeader {
  const { required, backups } = database
  const { generation } = last
  const isNewest = generation >= required.maxCommitted
  return {
    ...database,
    backups: { ...backups, currentFull: { ...backups.currentFull, lastGeneration: generation } },
    required: {
      minRequired: asGeneration(Math.min(backup.firstGeneration, required.minRequired)),
      maxRequired: asGeneration(Math.max(generation, required.maxRequired)),
      maxCommitted: asGeneration(Math.max(generation, required.maxCommitted)),
      committedCreateTime: isNewest ? last.createTime : required.committedCreateTime,
    },
  }
}
