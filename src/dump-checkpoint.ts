import { dumpCheckpoint } from '../engine/database/checkpoint-dump.ts'
import { type CheckpointFile, readCheckpointFile } from '../engine/database/checkpoint-file.ts'
import { formatLogPosition } from '../engine/database/log-position.ts'
import { formatSignature } from '../engine/database/log-signature.ts'
import { formatLogTime } from '../engine/database/log-time.ts'
import type { DumpedFile } from './dump-log.ts'
import { readHeadOf } from './ese-file.ts'
import { faultOf } from './verify-checkpoint.ts'

/** Shows a checkpoint as `eseutil /mk` does. Errors: `READ_FAILED`, `FILE_NOT_REGULAR`, `FILE_UNKNOWN`. */
export async function dumpCheckpointFile(path: string): Promise<DumpedFile> {
  const { bytes } = await readHeadOf(path, 'checkpoint')
  const read = readCheckpointFile(bytes)
  const fault = faultOf(read)
  const title = `      Checkpoint file: ${path}`
  if (read.verdict === 'rejected') return { lines: [title, '', fault], document: { path, sound: false, fault }, fault }
  return {
    lines: [title, '', ...dumpCheckpoint(read.checkpoint), ...(fault === '' ? [] : ['', fault])],
    document: { path, sound: fault === '', fault, copy: read.copy, ...documentOf(read.checkpoint) },
    fault,
  }
}

function documentOf(checkpoint: CheckpointFile): object {
  return {
    checkpoint: formatLogPosition(checkpoint.checkpoint),
    lastFullBackupCheckpoint: formatLogPosition(checkpoint.lastFullBackupCheckpoint),
    fullBackup: formatLogPosition(checkpoint.fullBackup),
    fullBackupTime: formatLogTime(checkpoint.fullBackupTime),
    incrementalBackup: formatLogPosition(checkpoint.incrementalBackup),
    incrementalBackupTime: formatLogTime(checkpoint.incrementalBackupTime),
    signature: formatSignature(checkpoint.signature),
    systemPath: checkpoint.environment.systemPath,
    logPath: checkpoint.environment.logPath,
    attachments: checkpoint.attachments.map(({ path }) => path),
  }
}
