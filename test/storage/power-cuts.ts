// Every way in which a power cut may leave what no sync has reached.
import type { FileOperations } from '../../storage/file-operations.ts'
import type { Choose, NamePolicy } from './crash-disk.ts'

/** Which names survive. */
export const POLICIES: readonly NamePolicy[] = ['ordered prefix', 'any subset']
/** Of what a crash left unsynced: all kept, all dropped, zeroed, garbage, and each piece by itself in three ways. */
export const FATES: readonly (() => Choose)[] = [
  () => () => 0,
  () => (bound) => Math.min(1, bound - 1),
  () => (bound) => Math.min(2, bound - 1),
  () => (bound) => Math.min(3, bound - 1),
  () => mixed(0),
  () => mixed(1),
  () => mixed(2),
]

/** A different fate for each sector and name; 4 asks for that. */
function mixed(start: number): Choose {
  let turn = start
  return (bound) => (bound === 5 ? 4 : turn++ % bound)
}

/** A change to the file operations: a mistake planted on purpose. */
export type Variant = (files: FileOperations) => FileOperations
