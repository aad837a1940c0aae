import { stat } from 'node:fs/promises'
import { errnoOf, fileError } from '../storage/file-error.ts'

/** The length of a file in bytes. Errors: those of the file system. */
export async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (cause) {
    throw fileError({ operation: 'look up', path, errno: errnoOf(cause), cause })
  }
}
