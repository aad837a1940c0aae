import { ReplicationError } from '../engine/error.ts'
import { fileError } from './file-error.ts'
import type { FileOperations } from './file-operations.ts'

/** A file that gets another name. */
interface Move {
  readonly from: string
  readonly to: string
}

/** Files that move together, from some directories to others of the same volume. */
export interface Moves {
  readonly files: readonly Move[]
  readonly fromDirectories: readonly string[]
  readonly toDirectories: readonly string[]
}

/**
 * Moves files durably, so that a power cut at any moment leaves each of them under one name or both, never under none: the new names are
 * durable before the old ones go. May be done again after a crash, also when some files are moved already.
 *
 * @param then `vacated`: other files may have come under the old names since, and a file that is nowhere is left out. `occupied`: neither; the
 *   new names belong to these files alone. Errors then: `FILE_EXISTS`, and `LOG_MISSING` for a file that is nowhere.
 */
export async function moveDurably(files: FileOperations, moves: Moves, then: 'vacated' | 'occupied'): Promise<void> {
  const moved: Move[] = []
  for (const move of moves.files) if (await linkUnlessMoved(files, move, then)) moved.push(move)
  for (const directory of moves.toDirectories) await files.syncDirectory(directory)
  for (const { from } of moved) await files.unlink(from)
  for (const directory of moves.fromDirectories) await files.syncDirectory(directory)
}

/** Answers whether the old name is still there, and is to go. */
async function linkUnlessMoved(
  files: FileOperations,
  { from, to }: Move,
  then: 'vacated' | 'occupied',
): Promise<boolean> {
  const [old, there] = [await files.lookUp(from), await files.lookUp(to)]
  if (old === null) {
    if (there === null && then === 'occupied') throw fileError({ operation: 'look up', path: from, errno: 'ENOENT' })
    return false
  }
  if (there === null) {
    await files.link(from, to)
    return true
  }
  if (there.inode === old.inode && there.device === old.device) return true
  if (then === 'vacated') return false
  throw new ReplicationError({
    code: 'FILE_EXISTS',
    message: `cannot move ${from}: ${to} is there already`,
    hint: 'Look what the file is and move it away, then run the same command again.',
    fields: { path: to },
  })
}
