import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The entries of the workers room. */
export type WorkerTask =
  | 'share-task'
  | 'copy-task'
  | 'replay-task'
  | 'store-task'
  | 'checksum-task'
  | 'backup-task'
  | 'removal-task'

/**
 * The bundle of a task. Workers are loaded as CommonJS from the build, also when this module itself runs from its source (in
 * tests): a thread does not take TypeScript.
 */
export function workerFile(task: WorkerTask): string {
  const folder = import.meta.url.endsWith('.ts') ? '../dist/workers/' : './'
  return fileURLToPath(new URL(`${folder}${task}.cjs`, import.meta.url))
}

/**
 * The binary that xxhash-wasm ships for runtimes that load it as a file. It lies beside the package's entry, which is all that
 * the package promises; whoever reads it copes with its absence.
 */
export function xxhashWasmFile(): string {
  const entry = createRequire(import.meta.url).resolve('xxhash-wasm')
  return join(dirname(entry), '../workerd/xxhash.wasm')
}
