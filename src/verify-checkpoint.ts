import { CHECKPOINT_ERROR, type CheckpointVerdict, readCheckpointFile } from '../engine/database/checkpoint-file.ts'
import { formatLogPosition } from '../engine/database/log-position.ts'
import { ESE_ERROR_OF } from '../engine/log-identity.ts'
import type { VerifiedFile } from './verify-database.ts'

/** Verifies both copies of a checkpoint. Where neither is whole, recovery begins at the lowest log instead. */
export function verifyCheckpoint(path: string, bytes: Uint8Array): VerifiedFile {
  const read = readCheckpointFile(bytes)
  const fault = faultOf(read)
  const title = `Checkpoint file: ${path}`
  return {
    lines: fault === '' ? [title, '', 'No damage was found.'] : [title, '', fault],
    document: documentOf(path, read, fault),
    damaged: fault !== '',
  }
}

/** The line that says what is wrong with a checkpoint; `''` when nothing is. A second copy that is only older is no damage. */
export function faultOf(read: CheckpointVerdict): string {
  if (read.verdict === 'rejected') {
    const { reason, detail } = read.rejection
    const error = reason === 'bad-file-type' ? ESE_ERROR_OF[reason] : CHECKPOINT_ERROR
    return `ERROR: Checkpoint damaged (unusable): ${detail}. Error ${error}.`
  }
  if (read.other !== 'damaged') return ''
  return `ERROR: ${read.copy === 'first' ? 'second' : 'first'} copy: checksum failed. The other copy is whole.`
}

function documentOf(path: string, read: CheckpointVerdict, fault: string): object {
  if (read.verdict === 'rejected') return { path, sound: false, ...read.rejection }
  return {
    path,
    sound: fault === '',
    copy: read.copy,
    otherCopy: read.other,
    checkpoint: formatLogPosition(read.checkpoint.checkpoint),
  }
}
