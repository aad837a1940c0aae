import { isTemporaryName } from './durable-file.ts'
import { type FileOperations, pathIn } from './file-operations.ts'

/**
 * Removes the temporary files that interrupted attempts left in a directory, durably. Answers how many there were. Nothing may be
 * arriving meanwhile.
 *
 * @param of the names that are replaced here, in a directory where others may keep files of their own; without it every temporary
 * name is ours
 */
export async function sweepTemporaryFiles(
  files: FileOperations,
  directory: string,
  of?: readonly string[],
): Promise<number> {
  let swept = 0
  for await (const chunk of files.walkDirectory(directory)) {
    for (const { name, kind } of chunk) {
      if (!isTemporaryName(name) || kind === 'directory') continue
      if (of !== undefined && !of.some((replaced) => name.startsWith(`${replaced}.`))) continue
      await files.unlink(pathIn(directory, name))
      swept++
    }
  }
  // A second name that a crash left would make its log unreadable: the removal must last.
  if (swept > 0) await files.syncDirectory(directory)
  return swept
}
