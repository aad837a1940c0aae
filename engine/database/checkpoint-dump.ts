import type { CheckpointFile } from './checkpoint-file.ts'
import { attachmentLines, environmentLines } from './log-dump.ts'
import { formatLogPosition } from './log-position.ts'
import { formatSignature } from './log-signature.ts'
import { formatLogTime } from './log-time.ts'

const INDENT = '      '

/** The lines that `eseutil /mk <file>` of Exchange 2007 prints, in its order and shape, without the banner. */
export function dumpCheckpoint(checkpoint: CheckpointFile): string[] {
  return [
    `LastFullBackupCheckpoint: ${formatLogPosition(checkpoint.lastFullBackupCheckpoint)}`,
    `Checkpoint: ${formatLogPosition(checkpoint.checkpoint)}`,
    `FullBackup: ${formatLogPosition(checkpoint.fullBackup)}`,
    `FullBackup time: ${formatLogTime(checkpoint.fullBackupTime)}`,
    `IncBackup: ${formatLogPosition(checkpoint.incrementalBackup)}`,
    `IncBackup time: ${formatLogTime(checkpoint.incrementalBackupTime)}`,
    `Signature: ${formatSignature(checkpoint.signature)}`,
    ...environmentLines(checkpoint.environment),
    ...checkpoint.attachments.flatMap(attachmentLines),
  ].map((line) => INDENT + line)
}
