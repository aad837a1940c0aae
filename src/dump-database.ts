import { type BackupTrailer, readBackupTrailer } from '../engine/database/backup-trailer.ts'
import { dumpBackupTrailer, dumpDatabaseHeader } from '../engine/database/database-dump.ts'
import type { DatabaseHeader, TimedPosition } from '../engine/database/database-header.ts'
import {
  DATABASE_ERROR_OF,
  faultOfDatabaseHeader,
  readDatabaseHeader,
} from '../engine/database/database-header-copies.ts'
import { openLogBytes } from '../engine/database/log-bytes.ts'
import { formatLogPosition } from '../engine/database/log-position.ts'
import { formatSignature } from '../engine/database/log-signature.ts'
import { formatLogTime } from '../engine/database/log-time.ts'
import type { DumpedFile } from './dump-log.ts'
import { readAt, readHeadOf, withFile } from './ese-file.ts'

/** Shows the header of a database as `eseutil /mh` does. Errors: `READ_FAILED`, `FILE_NOT_REGULAR`, `FILE_UNKNOWN`. */
export async function dumpDatabase(path: string): Promise<DumpedFile> {
  const { bytes, fileBytes } = await readHeadOf(path, 'database')
  const title = `         Database: ${path}`
  const read = readDatabaseHeader(bytes)
  if (read.verdict === 'rejected') {
    const { reason, detail } = read.rejection
    const fault = `ERROR: header damaged (unusable): ${detail}. Error ${DATABASE_ERROR_OF[reason]}.`
    return { lines: [title, '', fault], document: { path, sound: false, fault }, fault }
  }
  const { header } = read
  const trailer = await trailerOf(path, header, fileBytes)
  const fault = faultOf(header, read.copy, read.other === 'damaged')
  const lines = [title, '', ...dumpDatabaseHeader(header), ...(trailer === null ? [] : dumpBackupTrailer(trailer))]
  return {
    lines: [...lines, ...(fault === '' ? [] : ['', fault])],
    document: { path, sound: fault === '', fault, headerCopy: read.copy, ...documentOf(header) },
    fault,
  }
}

function faultOf(header: DatabaseHeader, copy: 'first' | 'shadow', isOtherDamaged: boolean): string {
  if (isOtherDamaged) return `ERROR: ${copy === 'first' ? 'the shadow' : 'the first copy'} of the header is damaged.`
  const fault = faultOfDatabaseHeader(header)
  return fault === null ? '' : `ERROR: ${fault}. Error ${DATABASE_ERROR_OF['bad-field']}.`
}

/** Only a database that was copied by a backup which had not ended yet has a trailer behind its last page. */
async function trailerOf(path: string, header: DatabaseHeader, fileBytes: number): Promise<BackupTrailer | null> {
  const { firstGeneration, lastGeneration } = header.backups.currentFull
  if (firstGeneration === 0 || lastGeneration !== 0) return null
  const length = header.pageBytes
  const position = (Math.floor(fileBytes / length) - 1) * length
  const bytes = await withFile(path, (file) => readAt(file, { path, position, length }))
  return bytes.byteLength < length ? null : readBackupTrailer(openLogBytes(bytes), 0, length)
}

function documentOf(header: DatabaseHeader): object {
  const { version, required } = header
  return {
    version: `0x${version.format.toString(16)},${version.update}`,
    pageBytes: header.pageBytes,
    dbtime: Number(header.dbtime),
    state: header.state,
    logRequired: { first: required.first, last: required.last },
    logCommitted: required.lastCommitted,
    signature: formatSignature(header.signature),
    logSignature: formatSignature(header.logSignature),
    lastConsistent: timed(header.consistent),
    lastAttach: timed(header.attach),
    lastDetach: timed(header.detach),
    backups: Object.fromEntries(
      Object.entries(header.backups).map(([name, slot]) => [
        name,
        { ...slot, mark: formatLogPosition(slot.mark), markTime: formatLogTime(slot.markTime) },
      ]),
    ),
  }
}

function timed({ position, time }: TimedPosition): object {
  return { position: formatLogPosition(position), time: formatLogTime(time) }
}
