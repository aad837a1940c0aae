import { type FileOperations, wholeOf } from './file-operations.ts'

/** Bytes compared at a time. */
const COMPARED_BYTES: number = 1024 * 1024

/** Compares two files byte by byte. Errors: those of the file system. */
export async function haveSameContent(files: FileOperations, aPath: string, bPath: string): Promise<boolean> {
  const a = await files.open(aPath, 'read')
  try {
    const b = await files.open(bPath, 'read')
    try {
      const [aFacts, bFacts] = [await files.factsOf(a), await files.factsOf(b)]
      if (aFacts.sizeBytes !== bFacts.sizeBytes) return false
      const [aBytes, bBytes] = [Buffer.alloc(COMPARED_BYTES), Buffer.alloc(COMPARED_BYTES)]
      for (let at = 0; at < aFacts.sizeBytes; at += COMPARED_BYTES) {
        const count = await files.read(a, wholeOf(aBytes), at)
        if ((await files.read(b, wholeOf(bBytes), at)) !== count) return false
        if (aBytes.compare(bBytes, 0, count, 0, count) !== 0) return false
      }
      return true
    } finally {
      await files.close(b)
    }
  } finally {
    await files.close(a)
  }
}

/** All bytes of a file, of which it is known that it is no large one. Errors: those of the file system. */
export async function bytesOf(files: FileOperations, path: string): Promise<Uint8Array> {
  const file = await files.open(path, 'read')
  try {
    const bytes = new Uint8Array((await files.factsOf(file)).sizeBytes)
    return bytes.subarray(0, await files.read(file, wholeOf(bytes), 0))
  } finally {
    await files.close(file)
  }
}
