import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ListenAddress } from '../transport/loopback.ts'
import type { CopyCommand, CopyEvent, ShareCommand, ShareReport } from '../workers/messages.ts'
import type { StartWorker } from './supervised-worker.ts'
import { startThread } from './worker-thread.ts'

/** Slots of 1 MiB in a copy worker: 24 logs of one copy in flight, and some for others. */
const COPY_SLOTS = 32
/** Slots of 1 MiB in a share worker. */
const SHARE_SLOTS = 32

/** Starts a copy worker. */
export const startCopyWorker: StartWorker<CopyCommand, CopyEvent> = (onReport) =>
  startThread(
    { filename: builtTask('copy-task'), name: 'runCopyTask', setup: { wasmPath: wasmPath(), slots: COPY_SLOTS } },
    onReport,
  )

/** Starts a share worker whose replication listener binds to this address. */
export function startShareWorker(listen: ListenAddress): StartWorker<ShareCommand, ShareReport> {
  return (onReport) =>
    startThread(
      {
        filename: builtTask('share-task'),
        name: 'runShareTask',
        setup: { listen, wasmPath: wasmPath(), slots: SHARE_SLOTS },
      },
      onReport,
    )
}

/** A worker entry as `scripts/build-workers.mjs` leaves it; from the sources (tests) as from the built tree. */
function builtTask(name: string): string {
  const workers = import.meta.url.endsWith('.ts') ? '../dist/workers/' : '../workers/'
  return fileURLToPath(new URL(`${workers}${name}.cjs`, import.meta.url))
}

/** The binary that xxhash-wasm ships beside its entry. */
function wasmPath(): string {
  const entry = createRequire(import.meta.url).resolve('xxhash-wasm')
  return join(dirname(entry), '..', 'workerd', 'xxhash.wasm')
}
