import { type ErrorCode, ReplicationError } from '../engine/error.ts'

/** What to do before the store is mounted again, where the hint of the error itself speaks of a copy. */
const CURES: Partial<Readonly<Record<ErrorCode, string>>> = {
  DISK_FULL: 'Free space on the volume',
  SYNC_FAILED: 'Check the disk and the system log',
  WRITE_FAILED: 'Check the disk and the system log',
  READ_FAILED: 'Check the disk and the system log',
  DIRECTORY_MISSING: 'Mount the volume or put the directory back',
  DIRECTORY_NOT_WRITABLE: 'Give the user that runs this process the right to write, or remount the volume writable',
  LOG_MISSING: 'Find out who removed the file, and put it back if it was a log',
  FILE_EXISTS: 'Look what the file is, and move it away',
  FILE_HELD: 'Exclude the directory from scanners',
}

/**
 * The error that a store ends with: it keeps code and fields of what went wrong, names the order, and says what to do. Anything
 * thrown that is no error of the world stands as its cause under `INTERNAL`.
 */
export function storeFailure(error: unknown, order: string): ReplicationError {
  const { code, message, hint, fields } =
    error instanceof ReplicationError
      ? error
      : { code: 'INTERNAL' as const, message: String(error), hint: 'Report it', fields: {} }
  return new ReplicationError({
    code,
    message: `the store has ended at ${order}: ${message}`,
    hint: `${CURES[code] ?? hint.replace(/\.$/, '')}; then mount the store again: it recovers from what lies there.`,
    cause: error,
    fields: { ...fields, order },
  })
}
