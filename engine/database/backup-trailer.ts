import { type BackupSlot, readBackupSlot } from './backup-slot.ts'
import { isBlockSealed } from './block-checksum.ts'
import type { LogBytes } from './log-bytes.ts'
import { type LogSignature, readSignature } from './log-signature.ts'

/**
 * PATCHHDR: the page that a streaming backup puts behind the last page of the database it copied. It says which logs the copy
 * needs, since the header in front was copied before the backup ended.
 */
export interface BackupTrailer {
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
