import { assert } from '../assert.ts'
import { isBlockSealed, sealBlock } from './block-checksum.ts'
import { type LogAttachment, readAttachments, writeAttachments } from './log-attachment.ts'
import { type LogBytes, openLogBytes } from './log-bytes.ts'
import { type LogEnvironment, readEnvironment, writeEnvironment } from './log-environment.ts'
import type { LogHeader } from './log-header.ts'
import { type LogPosition, readLogPosition, writeLogPosition } from './log-position.ts'
import { type LogSignature, readSignature, writeSignature } from './log-signature.ts'
import { type LogTime, readLogTime, UNSET_LOG_TIME, writeLogTime } from './log-time.ts'

/** A checkpoint file (`E00.chk`): from where a recovery begins. */
export interface CheckpointFile {
  /** The checkpoint when the last full backup began. */
  readonly lastFullBackupCheckpoint: LogPosition
  /** Everything before this is in the databases: a recovery begins here. It never goes back. */
  readonly checkpoint: LogPosition
  /** Of the stream. */
  readonly signature: LogSignature
  readonly environment: LogEnvironment
  readonly fullBackup: LogPosition
  readonly fullBackupTime: LogTime
  readonly incrementalBackup: LogPosition
  readonly incrementalBackupTime: LogTime
  /** 1 says that there is an attach list; formats before 8,4000 have 0. */
  readonly version: number
  /** Format 8,4000 only, else all 0. */
  readonly databaseConsistency: LogPosition
  /** 4 is a checkpoint. */
  readonly fileType: number
  readonly attachments: readonly LogAttachment[]
}

/** Why a checkpoint file is not taken. ESE's number is {@link CHECKPOINT_ERROR} but for the file type, which is -1812. */
interface CheckpointRejection {
  readonly reason: 'bad-size' | 'corrupt-checksum' | 'bad-file-type' | 'bad-field'
  readonly detail: string
}

/** What came of reading a checkpoint file. */
export type CheckpointVerdict =
  | {
      readonly verdict: 'read'
      readonly checkpoint: CheckpointFile
      readonly copy: 'first' | 'second'
      /** How the other copy stands to it: a crash between the two writes leaves it `older` or `damaged`. */
      readonly other: 'same' | 'older' | 'damaged'
    }
  | { readonly verdict: 'rejected'; readonly rejection: CheckpointRejection }

/** Bytes of a checkpoint file: two copies. */
export const CHECKPOINT_FILE_BYTES = 8192
/** Bytes of one copy. */
export const CHECKPOINT_COPY_BYTES = 4096
/** The file type of a checkpoint. */
export const CHECKPOINT_FILE_TYPE = 4
/** ESE's number of a checkpoint that cannot be read. Recovery then begins at the lowest log there is. */
export const CHECKPOINT_ERROR = -533

const AT = {
  lastFullBackupCheckpoint: 4,
  checkpoint: 12,
  signature: 20,
  environment: 48,
  fullBackup: 615,
  fullBackupTime: 623,
  incrementalBackup: 631,
  incrementalBackupTime: 639,
  version: 647,
  databaseConsistency: 648,
  fileType: 667,
  attachList: 679,
} as const

/** A checkpoint file of the stream of `log`, of a store that was never backed up. */
export function newCheckpointFile(log: LogHeader, checkpoint: LogPosition): CheckpointFile {
  const nowhere = { generation: 0, sector: 0, byte: 0 }
  return {
    lastFullBackupCheckpoint: nowhere,
    checkpoint,
    signature: log.signature,
    environment: log.environment,
    fullBackup: nowhere,
    fullBackupTime: UNSET_LOG_TIME,
    incrementalBackup: nowhere,
    incrementalBackupTime: UNSET_LOG_TIME,
    version: 0,
    databaseConsistency: nowhere,
    fileType: CHECKPOINT_FILE_TYPE,
    attachments: [],
  }
}

/**
 * Reads a checkpoint file: the first copy, or where that is damaged the second. Any bytes may be given. The checks come in the
 * order length, checksum, file type, attach list.
 */
export function readCheckpointFile(file: Uint8Array): CheckpointVerdict {
  if (file.byteLength < CHECKPOINT_FILE_BYTES)
    return rejected('bad-size', `${file.byteLength} bytes are less than the ${CHECKPOINT_FILE_BYTES} of a checkpoint`)
  const first = copyAt(file, 0)
  const second = copyAt(file, CHECKPOINT_COPY_BYTES)
  if (isSealed(first)) return readCopy(first, { copy: 'first', other: otherThan(first, second) })
  if (!isSealed(second)) return rejected('corrupt-checksum', 'neither copy fits its checksum')
  return readCopy(second, { copy: 'second', other: 'damaged' })
}

/** A whole checkpoint file: both copies. To replace the one on the disk with, by rename, so that it is the old or the new one. */
export function composeCheckpointFile(checkpoint: CheckpointFile): Uint8Array {
  const file = new Uint8Array(CHECKPOINT_FILE_BYTES)
  writeCheckpoint(file.subarray(0, CHECKPOINT_COPY_BYTES), checkpoint)
  file.copyWithin(CHECKPOINT_COPY_BYTES, 0, CHECKPOINT_COPY_BYTES)
  return file
}

/**
 * Writes one copy and seals it. A file has it twice, and the first is durable before the second is begun, so that a crash
 * damages one at most.
 *
 * @param target {@link CHECKPOINT_COPY_BYTES} bytes, on a multiple of four in its memory
 */
export function writeCheckpoint(target: Uint8Array, checkpoint: CheckpointFile): void {
  assert(
    target.byteLength === CHECKPOINT_COPY_BYTES && target.byteOffset % 4 === 0,
    'a copy takes 4,096 bytes, on a word',
  )
  const log = openLogBytes(target)
  const { view } = log
  target.fill(0)
  writeLogPosition(view, AT.lastFullBackupCheckpoint, checkpoint.lastFullBackupCheckpoint)
  writeLogPosition(view, AT.checkpoint, checkpoint.checkpoint)
  writeSignature(view, AT.signature, checkpoint.signature)
  writeEnvironment(view, AT.environment, checkpoint.environment)
  writeLogPosition(view, AT.fullBackup, checkpoint.fullBackup)
  writeLogTime(view, AT.fullBackupTime, checkpoint.fullBackupTime)
  writeLogPosition(view, AT.incrementalBackup, checkpoint.incrementalBackup)
  writeLogTime(view, AT.incrementalBackupTime, checkpoint.incrementalBackupTime)
  view.setUint8(AT.version, checkpoint.version)
  writeLogPosition(view, AT.databaseConsistency, checkpoint.databaseConsistency)
  view.setUint32(AT.fileType, checkpoint.fileType, true)
  writeAttachments(view, AT.attachList, checkpoint.attachments)
  sealBlock(log, 0, CHECKPOINT_COPY_BYTES)
}

function copyAt(file: Uint8Array, lo: number): LogBytes {
  return openLogBytes(file.subarray(lo, lo + CHECKPOINT_COPY_BYTES))
}

function isSealed(copy: LogBytes): boolean {
  return isBlockSealed(copy, 0, CHECKPOINT_COPY_BYTES)
}

function otherThan(first: LogBytes, second: LogBytes): 'same' | 'older' | 'damaged' {
  if (!isSealed(second)) return 'damaged'
  return first.bytes.every((byte, at) => byte === second.bytes[at]) ? 'same' : 'older'
}

function readCopy(
  log: LogBytes,
  of: { copy: 'first' | 'second'; other: 'same' | 'older' | 'damaged' },
): CheckpointVerdict {
  const { bytes, view } = log
  const fileType = view.getUint32(AT.fileType, true)
  if (fileType !== CHECKPOINT_FILE_TYPE)
    return rejected('bad-file-type', `file type ${fileType} is not ${CHECKPOINT_FILE_TYPE}, a checkpoint`)
  const attachments = readAttachments(log, AT.attachList)
  if (attachments === null) return rejected('bad-field', 'the attach list runs over its 2048 bytes')
  const checkpoint: CheckpointFile = {
    lastFullBackupCheckpoint: readLogPosition(view, AT.lastFullBackupCheckpoint),
    checkpoint: readLogPosition(view, AT.checkpoint),
    signature: readSignature(bytes, view, AT.signature),
    environment: readEnvironment(bytes, view, AT.environment),
    fullBackup: readLogPosition(view, AT.fullBackup),
    fullBackupTime: readLogTime(view, AT.fullBackupTime),
    incrementalBackup: readLogPosition(view, AT.incrementalBackup),
    incrementalBackupTime: readLogTime(view, AT.incrementalBackupTime),
    version: view.getUint8(AT.version),
    databaseConsistency: readLogPosition(view, AT.databaseConsistency),
    fileType,
    attachments,
  }
  return { verdict: 'read', checkpoint, ...of }
}

function rejected(reason: CheckpointRejection['reason'], detail: string): CheckpointVerdict {
  return { verdict: 'rejected', rejection: { reason, detail } }
}
