import { STORE_ERROR, type StoreFault } from '../engine/database/store-fault.ts'
import { type ErrorCode, ReplicationError } from '../engine/error.ts'
import type { ReplayFault } from '../engine/fact.ts'
import { type Generation, NO_GENERATION } from '../engine/generation.ts'

/** What kind of error an operator is told, for the numbers that do not concern the database itself. */
const CODE_OF: Readonly<Record<number, ErrorCode>> = {
  [-501]: 'LOG_REJECTED',
  [-513]: 'LOG_REJECTED',
  [-514]: 'LOG_REJECTED',
  [-515]: 'STREAM_MISMATCH',
  [-528]: 'LOG_MISSING',
  [-530]: 'STREAM_MISMATCH',
  [-531]: 'STREAM_MISMATCH',
  [-532]: 'STREAM_MISMATCH',
  [-541]: 'LOG_REJECTED',
  [-543]: 'LOG_MISSING',
  [-1812]: 'LOG_REJECTED',
  [-1852]: 'LOG_REJECTED',
}

/** ESE's numbers of what the file system refuses. Source: the engine's own list of errors. */
const ESE_ERROR_OF_CODE: Partial<Readonly<Record<ErrorCode, number>>> = {
  DISK_FULL: -1808,
  READ_FAILED: -1022,
  WRITE_FAILED: -1022,
  SYNC_FAILED: -1022,
  DIRECTORY_NOT_WRITABLE: -1032,
  FILE_HELD: -1032,
}

/** A fault that the rules of replay have found. */
export function faultOfReplay({ error, detail, generation }: StoreFault): ReplayFault {
  // A batch has inspected logs only, so that one of them which is gone is required, whatever the header says as yet.
  const eseError = error === STORE_ERROR.logMissing ? STORE_ERROR.requiredLogsMissing : error
  const code = CODE_OF[error] ?? 'DATABASE_REJECTED'
  return { code, message: detail, eseError, generation: generation ?? NO_GENERATION }
}

/**
 * A fault of the files. Anything thrown that is none is a fault of the program: it ends the replay of this copy, not that of all
 * others which the worker keeps.
 *
 * @param generation the log that was being replayed
 */
export function faultOfFiles(thrown: unknown, generation: Generation): ReplayFault {
  if (!(thrown instanceof ReplicationError)) {
    const reason = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
    return { code: 'INTERNAL', message: reason, eseError: 0, generation }
  }
  const { code, message, fields } = thrown
  const known = fields['eseError']
  const eseError = typeof known === 'number' ? known : (ESE_ERROR_OF_CODE[code] ?? 0)
  return { code, message, eseError, generation }
}
