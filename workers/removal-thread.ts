import { Piscina } from 'piscina'
import type { FileOperations, OrderedRemoval, RemovalProgress } from '../storage/file-operations.ts'
import type { RemovalRequest } from './removal-task.ts'
import { workerFile } from './worker-files.ts'

/** A thread that removes files: started with the first of them, ended when it has had nothing to do for {@link IDLE_MS}. */
export interface RemovalThread {
  readonly unlinkInOrder: NonNullable<FileOperations['unlinkInOrder']>
  /** Ends the thread. What is under way stops at its next file and is refused: whoever has an interest in it awaits it first. */
  close(): Promise<void>
}

/** A truncation follows a backup or a batch that was replayed: the next one is minutes away, and a thread takes some MB. */
const IDLE_MS = 5_000

/** Takes no thread before there is something to remove. */
export function removalThread(): RemovalThread {
  let pool: Piscina<RemovalRequest, RemovalProgress> | null = null
  const remove = async (removal: OrderedRemoval, signal?: AbortSignal): Promise<RemovalProgress> => {
    pool ??= onePool()
    const stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
    const abort = (): void => void Atomics.store(stop, 0, 1)
    if (signal?.aborted === true) abort()
    signal?.addEventListener('abort', abort, { once: true })
    try {
      return await pool.run({ ...removal, stop })
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }
  return { unlinkInOrder: remove, close: async () => pool?.destroy() }
}

function onePool(): Piscina<RemovalRequest, RemovalProgress> {
  return new Piscina({
    filename: workerFile('removal-task'),
    name: 'runRemovalTask',
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: IDLE_MS,
  })
}
