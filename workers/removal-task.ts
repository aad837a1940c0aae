import type { OrderedRemoval, RemovalProgress } from '../storage/file-operations.ts'
import { removeInOrder } from '../storage/ordered-removal.ts'

/** Files to remove, and how to stop. */
export interface RemovalRequest extends OrderedRemoval {
  /** One shared number: anything but 0 stops the removal before its next file. */
  readonly stop: Int32Array
}

/** Removes files in order. Faults of the files are an answer, not an error. */
export function runRemovalTask({ stop, ...removal }: RemovalRequest): RemovalProgress {
  return removeInOrder(removal, () => Atomics.load(stop, 0) !== 0)
}
