import { readFile } from 'node:fs/promises'
import { readCheckpointFile } from '../engine/database/checkpoint-file.ts'
import type { LogPosition } from '../engine/database/log-position.ts'

/**
 * Reads the position from which a recovery would start out of a checkpoint file (`E00.chk`): of its two copies the first that
 * is whole. Null when there is no such file, or neither copy is.
 */
export async function readCheckpoint(path: string): Promise<LogPosition | null> {
  const bytes = await readFile(path).catch(() => null)
  if (bytes === null) return null
  const read = readCheckpointFile(bytes)
  return read.verdict === 'read' ? read.checkpoint.checkpoint : null
}
