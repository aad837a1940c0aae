import { assert } from '../assert.ts'
import type { Generation } from '../generation.ts'
import { type BackupSlot, readBackupSlot, writeBackupSlot } from './backup-slot.ts'
import { isBlockSealed, sealBlock } from './block-checksum.ts'
import type { DatabaseHeader } from './database-header.ts'
import { type LogBytes, openLogBytes } from './log-bytes.ts'
import { type LogSignature, readSignature, writeSignature } from './log-signature.ts'

/**
 * PATCHHDR: the page that a streaming backup puts behind the last page of the database it copied. It says which logs the copy
 * needs, since the header in front was copied before the backup ended.
 */
export interface BackupTrailer {
  /** The mark of the header that was copied; of the logs, the first that any page may need and the last that any may have changes of. */
  readonly backup: BackupSlot
  /** Of the database, as in its header. */
  readonly signature: LogSignature
  readonly logSignature: LogSignature
}

/** Behind an empty page header. */
const AT = { backup: 40, signature: 64, logSignature: 92 } as const

/**
 * Reads the trailer at `lo`, or null when the page is none: its checksum is that of a header, and its dbtime and object are 0,
 * which no page of a database has. Source: two real backups.
 *
 * @param lo where the last page of the file begins, a multiple of four
 */
export function readBackupTrailer(log: LogBytes, lo: number, pageBytes: number): BackupTrailer | null {
  const { bytes, view } = log
  const isEmptyHeader = [4, 8, 12, 24].every((at) => view.getUint32(lo + at, true) === 0)
  if (!isEmptyHeader || view.getUint32(lo, true) === 0 || !isBlockSealed(log, lo, pageBytes)) return null
  return {
    backup: readBackupSlot(view, lo + AT.backup),
    signature: readSignature(bytes, view, lo + AT.signature),
    logSignature: readSignature(bytes, view, lo + AT.logSignature),
  }
}

/**
 * The trailer of a streaming backup, by the header that it copied, which has it as the current one.
 *
 * @param last the log that was closed when the last page had been read
 */
export function trailerOf({ backups, signature, logSignature }: DatabaseHeader, last: Generation): BackupTrailer {
  return { backup: { ...backups.currentFull, lastGeneration: last }, signature, logSignature }
}

/** The trailer of a backup as a page of its own, of the size of the pages of its database. */
export function trailerPage({ backup, signature, logSignature }: BackupTrailer, pageBytes: number): Uint8Array {
  assert(backup.firstGeneration >= 1 && backup.firstGeneration <= backup.lastGeneration, 'a backup has logs')
  const page = openLogBytes(new Uint8Array(pageBytes))
  writeBackupSlot(page.view, AT.backup, backup)
  writeSignature(page.view, AT.signature, signature)
  writeSignature(page.view, AT.logSignature, logSignature)
  sealBlock(page, 0, pageBytes)
  return page.bytes
}
