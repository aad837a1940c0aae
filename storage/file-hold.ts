import { createHash } from 'node:crypto'
import net from 'node:net'
import { ReplicationError } from '../engine/error.ts'
import { errnoOf, fileError } from './file-error.ts'
import type { FileOperations } from './file-operations.ts'

/** The right of one process to write a file. */
export interface FileHold {
  /** May be called twice. */
  release(): void
}

/**
 * Holds a file that is written by one process at a time, whether it is there yet or not: an abstract socket, which the kernel
 * frees when the process dies. Elsewhere than on Linux nothing is held.
 *
 * Errors: `FILE_HELD`, `DIRECTORY_MISSING`.
 */
export async function holdFile(files: FileOperations, directory: string, name: string): Promise<FileHold> {
  const facts = await files.lookUp(directory)
  if (facts === null) throw fileError({ operation: 'read directory', path: directory, errno: 'ENOENT' })
  if (process.platform !== 'linux') return { release: () => undefined }
  const server = net.createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(errnoOf(cause) === 'EADDRINUSE' ? held(`${directory}/${name}`) : cause))
    server.listen(`\0ccr-file-${facts.device}-${facts.inode}-${shortOf(name)}`, resolve)
  })
  return { release: () => void server.close() } // ends by itself: nobody ever connects
}

/** The name of a socket has 107 bytes at most. */
function shortOf(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 16)
}

function held(path: string): ReplicationError {
  return new ReplicationError({
    code: 'FILE_HELD',
    message: `${path} is in use by another process`,
    hint: 'Wait until it has ended, or give another file.',
    fields: { path },
  })
}
