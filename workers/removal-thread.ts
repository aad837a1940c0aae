import { Piscina } from 'piscina'
import { REMOVALS_AHEAD } from '../storage/ascending-deletion.ts'
import type { FileOperations, OrderedRemoval, RemovalProgress } from '../storage/file-operations.ts'
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
  let pool: Piscina<OrderedRemoval, RemovalProgress> | null = null
  const remove = (removal: OrderedRemoval): Promise<RemovalProgress> => {
    pool ??= onePool()
    return pool.run(removal)
  }
  return { unlinkInOrder: remove, close: async () => pool?.destroy() }
}

function onePool(): Piscina<OrderedRemoval, RemovalProgress> {
  return new Piscina({
    filename: workerFile('removal-task'),
    name: 'runRemovalTask',
    minThreads: 0,
    maxThreads: 1,
    // The next one lies at the thread already when it has done with one. It is synchronous: they never mix.
    concurrentTasksPerWorker: REMOVALS_AHEAD,
    idleTimeout: IDLE_MS,
  })
}
