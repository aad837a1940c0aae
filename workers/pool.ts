import { availableParallelism } from 'node:os'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { Piscina } from 'piscina'
import type { Fault } from '../engine/fact.ts'
import type { ClientTimeouts } from '../transport/log-stream-subscription.ts'
import type { ListenAddress } from '../transport/loopback.ts'
import type { BackupCommand, BackupReport } from './backup-messages.ts'
import type { BackupTaskSetup } from './backup-task.ts'
import type { ChecksumRequest, ChecksumResult } from './checksum-task.ts'
import type { CopyTaskSetup } from './copy-task.ts'
import type { CopyCommand, CopyEvent, ReplayCommand, ReplayEvent, ShareCommand, ShareReport } from './messages.ts'
import type { ReplayTaskSetup } from './replay-task.ts'
import type { ShareTaskSetup } from './share-task.ts'
import type { StoreCommand, StoreReport } from './store-messages.ts'
import type { StoreTaskSetup } from './store-task.ts'
import { type WorkerTask, workerFile, xxhashWasmFile } from './worker-files.ts'

/** A long-lived worker, as the main thread holds it. */
export interface WorkerHandle<Command> {
  /** Resolves when the worker takes commands, or has ended without that; commands sent earlier wait. */
  readonly ready: Promise<void>
  /** Without effect once the worker has ended. */
  send(command: Command): void
  /** Asks the worker to stop and waits for that, at most {@link CLOSE_MS}; then ends its thread. Idempotent. */
  close(): Promise<void>
}

/** How a share worker is started. */
export interface ShareWorkerOptions {
  readonly listen: ListenAddress
  readonly onReport: (report: ShareReport) => void
  /** The worker has died by itself; `close` it, and start another one if `RestartBudget` allows. */
  readonly onCrash: (fault: Fault) => void
  /** Slots of 1 MiB; default {@link SHARE_SLOTS}. */
  readonly slots?: number
}

/** How a copy worker is started. */
export interface CopyWorkerOptions {
  readonly onEvent: (event: CopyEvent) => void
  /** As {@link ShareWorkerOptions.onCrash}. */
  readonly onCrash: (fault: Fault) => void
  /** Slots of 1 MiB; default {@link COPY_SLOTS}. */
  readonly slots?: number
  readonly timeouts?: Partial<ClientTimeouts>
  /** Memory of the rate that all copies share; absent for no bound. */
  readonly rate?: SharedArrayBuffer
}

/** How a replay worker is started. */
export interface ReplayWorkerOptions extends Partial<Omit<ReplayTaskSetup, 'port' | 'cacheBytes'>> {
  /** Memory for pages of each database, in bytes. */
  readonly cacheBytes: number
  readonly onEvent: (event: ReplayEvent) => void
  /** As {@link ShareWorkerOptions.onCrash}. */
  readonly onCrash: (fault: Fault) => void
}

/** How a store worker is started. Memory for pages lies outside of its heap. */
export interface StoreWorkerOptions {
  readonly onReport: (report: StoreReport) => void
  /** As {@link ShareWorkerOptions.onCrash}. */
  readonly onCrash: (fault: Fault) => void
}

/** How a backup worker is started. */
export interface BackupWorkerOptions {
  readonly onReport: (report: BackupReport) => void
  /** As {@link ShareWorkerOptions.onCrash}. */
  readonly onCrash: (fault: Fault) => void
}

/** How far the checkpoint of a copy may lag behind its replay, in bytes. Source: the checkpoint depth of Exchange 2007, 20 MB. */
const CHECKPOINT_DEPTH_BYTES = 20 * 1024 * 1024
/** After so many milliseconds without a log the pages that wait are written: the source keeps its logs until then. */
const REPLAY_IDLE_MS = 2_000

/** Slots of a share worker: three pieces in flight for each of some connections. Untouched slots take no memory. */
const SHARE_SLOTS = 16
/** Slots of a copy worker, of which one copy may hold three quarters: 24 logs on the wire or being written. */
const COPY_SLOTS = 32
/** Slots of a backup worker: four files at a time, each with three pieces before they are looked at, and as many being written. */
const BACKUP_SLOTS = 16
/** How long a worker may take to stop, in milliseconds: a log that is being written is finished first. */
const CLOSE_MS = 10_000
/** Heap of a worker beside its slab, in MiB; ten times what is used. A leak ends the worker and not the process. */
const HEAP_MB_MAX = 256

/** Starts the replication listener of a source. Answers at once; `listening` or `listen-failed` is reported. */
export function startShareWorker(options: ShareWorkerOptions): WorkerHandle<ShareCommand> {
  const { listen, onReport, onCrash, slots = SHARE_SLOTS } = options
  return startWorker<ShareCommand, ShareReport>({
    task: 'share-task',
    name: 'runShareTask',
    setup: (port): ShareTaskSetup => ({ port, listen, slots, wasmPath: xxhashWasmFile() }),
    onMessage: onReport,
    onCrash,
  })
}

/** Starts a worker that fetches for copies. */
export function startCopyWorker(options: CopyWorkerOptions): WorkerHandle<CopyCommand> {
  const { onEvent, onCrash, slots = COPY_SLOTS, timeouts = {}, rate } = options
  return startWorker<CopyCommand, CopyEvent>({
    task: 'copy-task',
    name: 'runCopyTask',
    setup: (port): CopyTaskSetup => ({
      port,
      slots,
      timeouts,
      wasmPath: xxhashWasmFile(),
      ...(rate === undefined ? {} : { rate }),
    }),
    onMessage: onEvent,
    onCrash,
  })
}

/** Starts a worker that replays for copies. */
export function startReplayWorker(options: ReplayWorkerOptions): WorkerHandle<ReplayCommand> {
  const { onEvent, onCrash, ...given } = options
  const { cacheBytes, idleMs = REPLAY_IDLE_MS, checkpointDepthBytes = CHECKPOINT_DEPTH_BYTES } = given
  return startWorker<ReplayCommand, ReplayEvent>({
    task: 'replay-task',
    name: 'runReplayTask',
    setup: (port): ReplayTaskSetup => ({ port, cacheBytes, idleMs, checkpointDepthBytes }),
    onMessage: onEvent,
    onCrash,
  })
}

/** Starts a worker that owns a mailbox store. */
export function startStoreWorker(options: StoreWorkerOptions): WorkerHandle<StoreCommand> {
  return startWorker<StoreCommand, StoreReport>({
    task: 'store-task',
    name: 'runStoreTask',
    setup: (port): StoreTaskSetup => ({ port }),
    onMessage: options.onReport,
    onCrash: options.onCrash,
  })
}

/** Starts a worker that writes, verifies and restores backup sets. */
export function startBackupWorker({ onReport, onCrash }: BackupWorkerOptions): WorkerHandle<BackupCommand> {
  return startWorker<BackupCommand, BackupReport>({
    task: 'backup-task',
    name: 'runBackupTask',
    setup: (port): BackupTaskSetup => ({ port, slots: BACKUP_SLOTS, wasmPath: xxhashWasmFile() }),
    onMessage: onReport,
    onCrash,
  })
}

interface WorkerStart<Message> {
  readonly task: WorkerTask
  readonly name: string
  readonly setup: (port: MessagePort) => object
  readonly onMessage: (message: Message) => void
  readonly onCrash: (fault: Fault) => void
}

function startWorker<Command, Message>(start: WorkerStart<Message>): WorkerHandle<Command> {
  const { port1: port, port2: theirs } = new MessageChannel()
  const pool = onePool(start)
  let ended = false
  let readied = (): void => undefined
  const ready = new Promise<void>((resolve) => {
    readied = resolve
  })
  port.on('message', (messages: Message | readonly Message[]) => {
    readied()
    for (const message of Array.isArray(messages) ? messages : [messages]) start.onMessage(message)
  })
  const running = pool
    .run(start.setup(theirs), { transferList: [theirs] })
    .catch((error: unknown) => {
      if (!ended) start.onCrash(crashOf(start.task, error))
    })
    .finally(() => {
      ended = true
      readied()
    })
  const close = async (): Promise<void> => {
    await ready // a thread must not be ended while it loads
    if (!ended) port.postMessage({ kind: 'stop' })
    await inTime(running)
    ended = true
    port.close()
    await pool.destroy()
  }
  let closing: Promise<void> | null = null
  return {
    ready,
    send: (command) => port.postMessage(command),
    close: () => {
      closing ??= close()
      return closing
    },
  }
}

function onePool({ task, name }: WorkerStart<never>): Piscina {
  return new Piscina({
    filename: workerFile(task),
    name,
    minThreads: 1,
    maxThreads: 1,
    maxQueue: 1,
    // The default would put the event loop of a thread that owns sockets to sleep while the pool has no task for it.
    atomics: 'disabled',
    closeTimeout: CLOSE_MS,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
  })
}

async function inTime(running: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_MS)
  })
  await Promise.race([running, late])
  clearTimeout(timer)
}

function crashOf(task: WorkerTask, error: unknown): Fault {
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { code: 'INTERNAL', message: `${task} has died: ${reason}` }
}

/** Files per pool that wait for a thread: the caller hands over a small batch at a time. */
const CHECKSUM_QUEUE_MAX = 1024

/** Threads that hash and inspect log files. */
export interface ChecksumPool {
  /** One file; see `runChecksumTask`. */
  checksum(request: Omit<ChecksumRequest, 'wasmPath'>, signal?: AbortSignal): Promise<ChecksumResult>
  close(): Promise<void>
}

/** Starts up to `threads` threads (default: one per core). Close it when the files are done. */
export function startChecksumPool(threads: number = availableParallelism()): ChecksumPool {
  const wasmPath = xxhashWasmFile()
  const pool = new Piscina({
    filename: workerFile('checksum-task'),
    name: 'runChecksumTask',
    minThreads: 1,
    maxThreads: Math.max(1, threads),
    maxQueue: CHECKSUM_QUEUE_MAX,
    closeTimeout: CLOSE_MS,
  })
  return {
    checksum: (request, signal) => pool.run({ ...request, wasmPath }, signal === undefined ? {} : { signal }),
    close: () => pool.close(),
  }
}

/** Hashes and inspects files, several at a time; answers in the order of the requests. */
export async function checksumFiles(
  requests: readonly Omit<ChecksumRequest, 'wasmPath'>[],
  options: { readonly threads?: number; readonly signal?: AbortSignal } = {},
): Promise<ChecksumResult[]> {
  const pool = startChecksumPool(options.threads)
  try {
    const results: ChecksumResult[] = []
    for (let at = 0; at < requests.length; at += CHECKSUM_QUEUE_MAX) {
      const batch = requests.slice(at, at + CHECKSUM_QUEUE_MAX)
      results.push(...(await Promise.all(batch.map((request) => pool.checksum(request, options.signal)))))
    }
    return results
  } finally {
    await pool.close()
  }
}
