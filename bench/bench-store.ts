import { randomBytes } from 'node:crypto'
import { nodeFileOperations } from '../storage/node-file-operations.ts'
import type { MailboxHost } from '../workers/mailbox-host.ts'
import { type MailboxHostOptions, NO_MAINTENANCE, startMailboxHost } from '../workers/mailbox-start.ts'

/** What a store is given that runs in the thread of who started it, and whose news nobody wants. */
export const OWN_THREAD: Pick<MailboxHostOptions, 'clock' | 'newId' | 'random' | 'onRequired' | 'onEvent'> = {
  clock: {
    nowMs: () => Date.now(),
    wakeAfter: (delayMs, act) => {
      const timer = setTimeout(act, delayMs)
      return () => clearTimeout(timer)
    },
  },
  newId: () => randomBytes(16).toString('hex'),
  random: () => randomBytes(4).readUInt32LE(),
  onRequired: () => undefined,
  onEvent: () => undefined,
}

/** Memory for pages: what SQLite and the file system keep is not limited either below this. */
const CACHE_BYTES = 64 * 1024 * 1024
/** That of Exchange 2007. */
const CHECKPOINT_DEPTH_BYTES = 20 * 1024 * 1024

/** Starts a store that nobody else uses, in this thread. */
export function startBenchStore(root: string): Promise<MailboxHost> {
  return startMailboxHost({
    root,
    baseName: 'E00',
    databaseName: 'bench.edb',
    files: nodeFileOperations({ shortCalls: 'inline' }),
    // Nobody else is in a work directory of the bench.
    lock: { release: () => Promise.resolve() },
    mustExist: false,
    settings: {
      cacheBytes: CACHE_BYTES,
      checkpointDepthBytes: CHECKPOINT_DEPTH_BYTES,
      resilienceDepth: 1,
      circularLogging: false,
      maintenance: NO_MAINTENANCE,
    },
    ...OWN_THREAD,
    onBackups: () => undefined,
    onFreezeTimedOut: () => undefined,
    onBadPage: (page, detail) => console.error(`page ${page}: ${detail}`),
    onFailed: (error) => {
      throw error
    },
  })
}
