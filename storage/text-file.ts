import type { FileOperations } from './file-operations.ts'

/** Bytes of one read. */
const PIECE_BYTES = 1024 * 1024

/** The text of a file; null for one of more than `bytesMax`. Errors: those of the file system. */
export async function readTextFile(files: FileOperations, path: string, bytesMax: number): Promise<string | null> {
  const file = await files.open(path, 'read')
  try {
    const { sizeBytes } = await files.factsOf(file)
    if (sizeBytes > bytesMax) return null
    const bytes = new Uint8Array(sizeBytes)
    let done = 0
    while (done < sizeBytes) {
      const length = Math.min(PIECE_BYTES, sizeBytes - done)
      const count = await files.read(file, { bytes, offset: done, length }, done)
      if (count === 0) break
      done += count
    }
    return new TextDecoder().decode(bytes.subarray(0, done))
  } finally {
    await files.close(file)
  }
}
