import { open } from 'node:fs/promises'
import { openLogBytes } from '../engine/database/log-bytes.ts'
import { type LogPosition, readLogPosition } from '../engine/database/log-position.ts'
import { xorWords } from '../engine/database/range-xor.ts'

/** A checkpoint file is two copies of this many bytes. */
const COPY_BYTES = 4096
const COPIES = 2
/** What the XOR of a header block starts from, as in logs and databases. */
const CHECKSUM_SEED = 0x89abcdef | 0
/** Byte offset of the checkpoint in a copy. */
const CHECKPOINT_AT = 12

/**
 * Reads the position from which a recovery would start out of a checkpoint file (`E00.chk`): of its two copies the first that
 * is whole. Null when there is no such file, or neither copy is.
 */
export async function readCheckpoint(path: string): Promise<LogPosition | null> {
  const file = await open(path).catch(() => null)
  if (file === null) return null
  try {
    const bytes = new Uint8Array(COPIES * COPY_BYTES)
    await file.read(bytes, 0, bytes.length, 0)
    for (let copy = 0; copy < COPIES; copy += 1) {
      const part = openLogBytes(bytes.subarray(copy * COPY_BYTES, (copy + 1) * COPY_BYTES))
      if ((part.words[0] ?? 0) === (CHECKSUM_SEED ^ xorWords(part, 1, part.words.length)))
        return readLogPosition(part.view, CHECKPOINT_AT)
    }
    return null
  } finally {
    await file.close()
  }
}
