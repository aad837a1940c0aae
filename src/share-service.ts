import { join, resolve } from 'node:path'
import { ReplicationError } from '../engine/error.ts'
import type { Generation } from '../engine/generation.ts'
import { type LogFormat, logNameParser } from '../engine/log-format.ts'
import { explainTruncation, type TruncationExplanation } from '../engine/source/explain-truncation.ts'
import type { PassiveGate } from '../engine/source/source-state.ts'
import { asStorageGroupName } from '../engine/storage-group.ts'
import type { StoreKind } from '../engine/store-kind.ts'
import { directoryFacts, makeDirectoriesDurably } from '../storage/durable-directory.ts'
import { nodeFileOperations } from '../storage/node-file-operations.ts'
import type { ListenAddress } from '../transport/loopback.ts'
import { type ShareStatus, shareStatus } from '../transport/management-documents.ts'
import { sharePath } from '../transport/share-paths.ts'
import { backupsOfStore, connectStore } from './backup/active-store.ts'
import { type Clock, systemClock } from './clock.ts'
import { Closing } from './closing.ts'
import { crashTo } from './crash.ts'
import { type EventLog, openEventLog } from './event-log.ts'
import { type RandomBytes, systemRandom } from './fresh-id.ts'
import { type ManagementServer, startManagement } from './management-server.ts'
import type { ServiceLog } from './service-log.ts'
import { ShareHost, STATE_DIRECTORY } from './share-host.ts'
import type { ShareInstance } from './share-instance.ts'
import { StoreHost, type StoreRequest } from './store-host.ts'
import type { StoreInstance } from './store-instance.ts'

/** How a log directory is shared. */
export interface ShareServiceOptions {
  /** Path of the log directory; it must be there. */
  readonly logs: string
  /** Name of the storage group. */
  readonly name: string
  readonly format: LogFormat
  /** Whose logs these are: of a mailbox store, which its copies replay, or of another program; `external` by default. */
  readonly store?: StoreKind
  /**
   * The mailbox store that writes the logs, run by this service: it is started before its logs are shared, and stopped after. `logs`,
   * `format` and `store` follow from it then; see `startMailboxService`.
   */
  readonly mailbox?: Omit<StoreRequest, 'name'>
  /** Where the replication listener binds. Default: {@link SHARE_LISTEN_DEFAULT}. */
  readonly listen?: ListenAddress
  /** Where the management listener binds; null for none. Default: {@link SHARE_MANAGE_DEFAULT}. */
  readonly manage?: ListenAddress | null
  /** Path of the directory with journal and event log; `.ccr` in the log directory without it. */
  readonly state?: string
  /** Copies that must be enrolled before anything is truncated; 1 by default. */
  readonly copiesExpected?: number
  /** What a copy with a database must have done with a log before it may go; `replayed` by default. */
  readonly passiveGate?: PassiveGate
  /** Between two readings of the whole directory, in milliseconds; 30 s by default. */
  readonly scanIntervalMs?: number
  /** When the event log begins a new file, in bytes. */
  readonly eventBytesMax?: number
  readonly log: ServiceLog
  readonly clock?: Clock
  readonly random?: RandomBytes
  /** What to do when a rule of the program broke; by default the process ends with the error. */
  readonly onCrash?: (error: unknown) => void
}

/** One log directory that is shared, with its listeners. */
export interface ShareService {
  /** `http://HOST:PORT/shares/NAME`: what a copy is started with. */
  readonly url: string
  /** `http://HOST:PORT` of the management listener, or null without one. */
  readonly managementUrl: string | null
  /** Name of the storage group. */
  readonly name: string
  readonly events: EventLog
  readonly status: () => ShareStatus
  readonly explain: () => TruncationExplanation
  /** A backup product has backed the logs up through this generation; resolves with a remark (`''` for none) when durable. */
  readonly markBackup: (through: Generation) => Promise<string>
  /** The logs were replaced by those of a backup; see `ShareInstance.logsRestored`. */
  readonly logsRestored: () => Promise<void>
  /** A copy no longer holds truncation and may not come back; resolves with a remark when durable. */
  readonly disableCopy: (copyId: string) => Promise<string>
  /** The mailbox store of this service; null where another program writes the logs. */
  readonly store: StoreInstance | null
  /** Resolves with the first status that fits, the present one or a later one. */
  readonly whenStatus: (fits: (status: ShareStatus) => boolean, signal: AbortSignal) => Promise<ShareStatus>
  /** Stops: within 10 s, with everything ordered done or given up. May be called twice. */
  readonly close: () => Promise<void>
}

/** Where copies reach the source unless it is told otherwise. */
export const SHARE_LISTEN_DEFAULT: ListenAddress = { host: '127.0.0.1', port: 7700 }
/** Where a source answers people and tools unless it is told otherwise. */
export const SHARE_MANAGE_DEFAULT: ListenAddress = { host: '127.0.0.1', port: 7701 }

/**
 * Shares one directory of closed logs, and runs the mailbox store that writes them where there is one.
 *
 * Errors: `NAME_INVALID`, `LOG_FORMAT_INVALID`, `DIRECTORY_MISSING`, `DIRECTORY_CONFLICT`, `BIND_REFUSED`, `PORT_IN_USE`,
 * `STORE_LOCKED`, `STORE_FOREIGN`, `JOURNAL_CORRUPT`, `DATABASE_REJECTED` of a mailbox store, and those of the file system.
 */
export async function startShareService(options: ShareServiceOptions): Promise<ShareService> {
  const closing = new Closing()
  try {
    return await open(options, closing)
  } catch (error) {
    await closing.all()
    throw error
  }
}

async function open(options: ShareServiceOptions, closing: Closing): Promise<ShareService> {
  const { log, manage = SHARE_MANAGE_DEFAULT, copiesExpected = 1 } = options
  // What is wrong in itself is refused before anything is made.
  asStorageGroupName(options.name)
  logNameParser(options.format)
  const state = await stateDirectory(options)
  const { events, host } = await openHost(options, { state, closing })
  const { stores, store } = await startStore(options, { events, closing })
  closing.add(host)
  const active = store?.activeStore ?? 'external'
  // First the directory, then the listener: a copy that knocks finds its share.
  const backups = store === null ? {} : { backups: backupsOfStore(store) }
  const share = await host.add({ ...options, ...backups, state, copiesExpected, active })
  if (store !== null) connectStore(store, share)
  await host.start()
  const management = await startManagement({
    listen: manage,
    shares: host.port,
    stores: stores.port,
    ready: () => host.isReady && stores.isReady,
    events,
    metrics: host.metrics,
    log,
  })
  closing.add(management)
  events.raise(share.name, 2001, [])
  closing.add({ close: async () => void events.raise(share.name, 2002, []) })
  const url = host.origin + sharePath(share.name)
  log.info({ storageGroup: share.name, logs: share.directory, url, manage: management.url }, 'share-started')
  return service({ share, store, events, management, url, closing })
}

/** A store that has to recover delays the sharing of its logs: its last ones are mended first. */
async function startStore(
  { name, mailbox, log, clock = systemClock() }: ShareServiceOptions,
  { events, closing }: { readonly events: EventLog; readonly closing: Closing },
): Promise<{ readonly stores: StoreHost; readonly store: StoreInstance | null }> {
  const stores = closing.add(new StoreHost({ events, log, clock }))
  return { stores, store: mailbox === undefined ? null : await stores.add({ ...mailbox, name }) }
}

async function openHost(
  options: ShareServiceOptions,
  { state, closing }: { readonly state: string; readonly closing: Closing },
): Promise<{ readonly events: EventLog; readonly host: ShareHost }> {
  const { log, clock = systemClock(), random = systemRandom, eventBytesMax } = options
  const events = await openEventLog({
    directory: state,
    clock,
    log,
    ...(eventBytesMax === undefined ? {} : { fileBytesMax: eventBytesMax }),
  })
  closing.add(events)
  const listen = options.listen ?? SHARE_LISTEN_DEFAULT
  const onCrash = options.onCrash ?? crashTo(log)
  return { events, host: new ShareHost({ listen, events, log, clock, random, onCrash }) }
}

interface Running {
  readonly share: ShareInstance
  readonly store: StoreInstance | null
  readonly events: EventLog
  readonly management: ManagementServer
  readonly url: string
  readonly closing: Closing
}

function service({ share, store, events, management, url, closing }: Running): ShareService {
  const status = (): ShareStatus => shareStatus(share)
  return {
    url,
    managementUrl: management.url,
    name: share.name,
    store,
    events,
    status,
    explain: () => explainTruncation(share.state),
    markBackup: (through) => share.markBackup(through),
    logsRestored: () => share.logsRestored(),
    disableCopy: (copyId) => share.disableCopy(copyId),
    whenStatus: (fits, signal) => {
      const fitting = (): ShareStatus | null => {
        const document = status()
        return fits(document) ? document : null
      }
      return share.until(fitting, signal)
    },
    close: () => closing.all(),
  }
}

/** Makes the state directory, but never the log directory: a mistyped path is told, not made. */
async function stateDirectory({ logs, state }: ShareServiceOptions): Promise<string> {
  const files = nodeFileOperations({ shortCalls: 'pooled' })
  const path = resolve(logs)
  if ((await directoryFacts(files, path)) === null)
    throw new ReplicationError({
      code: 'DIRECTORY_MISSING',
      message: `${path} is not there`,
      hint: 'Give the directory in which the logs are closed; it is not made by itself.',
      fields: { path },
    })
  const directory = state === undefined ? join(path, STATE_DIRECTORY) : resolve(state)
  await makeDirectoriesDurably(files, directory)
  return directory
}
