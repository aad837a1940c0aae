import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import type { PageDigest } from '../engine/database/page-digest.ts'
import { ReplicationError } from '../engine/error.ts'
import type { Generation } from '../engine/generation.ts'
import type { Release } from '../engine/release.ts'
import type { StandbyOptions } from '../engine/replication/standby-lag.ts'
import { nodeFileOperations } from '../storage/node-file-operations.ts'
import { STORE_MARKER_NAME } from '../storage/store-marker.ts'
import { LogShareClient } from '../transport/log-share-client.ts'
import type { ListenAddress } from '../transport/loopback.ts'
import { type CopyStatusDocument, copyStatusDocument } from '../transport/management-documents.ts'
import { asSourceUrl } from '../transport/source-url.ts'
import { type Clock, systemClock } from './clock.ts'
import { Closing } from './closing.ts'
import { CopyHost } from './copy-host.ts'
import type { CopyInstance, FrozenCopy } from './copy-instance.ts'
import { crashTo } from './crash.ts'
import { type EventLog, openEventLog } from './event-log.ts'
import { type RandomBytes, systemRandom } from './fresh-id.ts'
import { type ManagementServer, startManagement } from './management-server.ts'
import type { ConnectReplayer } from './replay-work.ts'
import { SeedHost } from './seed/seed-host.ts'
import type { ServiceLog } from './service-log.ts'

/** How a copy is kept. */
export interface CopyServiceOptions {
  /** `http://HOST:PORT/shares/SG1`. */
  readonly sourceUrl: string
  /** Path of the store; made when it is not there. */
  readonly store: string
  /** The storage group that is expected behind the address; another one is refused. */
  readonly name?: string
  /** The service is wanted only until it has caught up: without `manage` it then has no management listener. */
  readonly once?: boolean
  /** Where the management listener binds; null for none. Default: {@link COPY_MANAGE_DEFAULT}. */
  readonly manage?: ListenAddress | null
  /** What people call this copy; host name and path without it. */
  readonly label?: string
  /** See `CopyRequest.replay`. */
  readonly replay?: boolean
  /** See `CopyRequest.standby`. */
  readonly standby?: StandbyOptions
  /** The release that the copy behaves as; `sp1` by default. */
  readonly release?: Release
  /** Who replays the logs into the copy's database, where it is not a worker of its own. */
  readonly replayer?: ConnectReplayer
  /** Memory for pages of the copy's database, in bytes. */
  readonly cacheBytes?: number
  /** The bound of its logs, as `copy.rate`; none by default. */
  readonly rate?: string
  /** The bound of its seeds, as `ccr seed-rate` takes it; none by default. */
  readonly seedRate?: string
  /** Worker threads; 1 by default. */
  readonly workers?: number
  /** When the event log begins a new file, in bytes. */
  readonly eventBytesMax?: number
  readonly log: ServiceLog
  readonly clock?: Clock
  readonly random?: RandomBytes
  /** What to do when a rule of the program broke; by default the process ends with the error. */
  readonly onCrash?: (error: unknown) => void
}

/** One copy that is kept, with its listener. */
export interface CopyService {
  /** `http://HOST:PORT` of the management listener, or null without one. */
  readonly managementUrl: string | null
  /** Name of the storage group. */
  readonly name: string
  readonly events: EventLog
  readonly status: () => CopyStatusDocument
  /** Resolves with a remark (`''` for none) when the suspension is durable and no more I/O touches the copy. */
  readonly suspend: (comment: string | null) => Promise<string>
  /** Resolves with a remark when the resumption is durable. */
  readonly resume: () => Promise<string>
  /**
   * Resolves when everything is inspected that the source had closed when it was reached. Errors: `STATE_REFUSED` (suspended),
   * `LOG_REJECTED`, `LOG_MISSING`, `NODE_UNREACHABLE`, a refusal of the source, or the signal's reason.
   */
  readonly whenCaughtUp: (signal: AbortSignal) => Promise<CopyStatusDocument>
  /** Resolves with the first status that fits, the present one or a later one. */
  readonly whenStatus: (
    fits: (status: CopyStatusDocument) => boolean,
    signal: AbortSignal,
  ) => Promise<CopyStatusDocument>
  /** See `CopyInstance.freeze`. */
  readonly freeze: () => Promise<FrozenCopy>
  /** See `CopyInstance.thaw`. */
  readonly thaw: () => Promise<boolean>
  /** See `CopyInstance.digestPages`. */
  readonly digestPages: (through: Generation, signal: AbortSignal) => AsyncIterable<readonly PageDigest[]>
  /** Stops: within 10 s, with everything ordered done or given up. May be called twice. */
  readonly close: () => Promise<void>
}

/** Where a copy answers people and tools unless it is told otherwise. */
export const COPY_MANAGE_DEFAULT: ListenAddress = { host: '127.0.0.1', port: 7702 }

/**
 * Keeps one copy of a shared storage group.
 *
 * Errors: `URL_INVALID`, `NAME_INVALID`, `BIND_REFUSED`, `PORT_IN_USE`, `STORE_LOCKED`, `STORE_FOREIGN`, `JOURNAL_CORRUPT`, and
 * those of the file system. A source that cannot be reached is none: it is tried again until it answers.
 */
export async function startCopyService(options: CopyServiceOptions): Promise<CopyService> {
  const source = asSourceUrl(options.sourceUrl)
  if (options.name !== undefined && options.name !== source.share) throw otherName(options.name, source.share)
  const closing = new Closing()
  try {
    return await open(options, closing)
  } catch (error) {
    await closing.all()
    throw error
  }
}

async function open(options: CopyServiceOptions, closing: Closing): Promise<CopyService> {
  const { sourceUrl, label, replay, standby, replayer, log } = options
  const root = resolve(options.store)
  const { events, host } = await openHost(options, { root, closing })
  const client = closing.add(new LogShareClient())
  const { clock = systemClock(), seedRate = 'off' } = options
  const find = (name: string): CopyInstance => host.named(name)
  const seeds = closing.add(new SeedHost({ find, client, clock, node: hostname(), rate: seedRate }))
  // Before the copy knocks at its source: one that cannot start must not be enrolled there, where it would hold truncation.
  const management = await startManagement({
    listen: manageAddress(options),
    copies: host.port,
    seeds: seeds.port,
    ready: () => host.isReady,
    events,
    metrics: host.metrics,
    log,
  })
  closing.add(management)
  const copy = await host.add({
    sourceUrl,
    store: root,
    ...(label === undefined ? {} : { label }),
    ...(replay === undefined ? {} : { replay }),
    ...(standby === undefined ? {} : { standby }),
    ...(replayer === undefined ? {} : { replayer }),
    onStoreMade: () => events.keepIn(root),
  })
  await host.start()
  events.raise(copy.name, 2001, [])
  closing.add({ close: async () => void events.raise(copy.name, 2002, []) })
  log.info({ storageGroup: copy.name, source: sourceUrl, store: root, manage: management.url }, 'copy-started')
  return service({ copy, events, management, closing })
}

async function openHost(
  options: CopyServiceOptions,
  { root, closing }: { readonly root: string; readonly closing: Closing },
): Promise<{ readonly events: EventLog; readonly host: CopyHost }> {
  const { log, clock = systemClock(), random = systemRandom, workers = 1, eventBytesMax, cacheBytes } = options
  const events = await openEventLog({
    directory: await madeStore(root),
    clock,
    log,
    ...(eventBytesMax === undefined ? {} : { fileBytesMax: eventBytesMax }),
  })
  closing.add(events)
  const onCrash = options.onCrash ?? crashTo(log)
  const host = new CopyHost({
    events,
    log,
    clock,
    random,
    workers,
    onCrash,
    ...(cacheBytes === undefined ? {} : { cacheBytes }),
    ...(options.rate === undefined ? {} : { rate: options.rate }),
    ...(options.release === undefined ? {} : { release: options.release }),
  })
  return { events, host: closing.add(host) }
}

interface Running {
  readonly copy: CopyInstance
  readonly events: EventLog
  readonly management: ManagementServer
  readonly closing: Closing
}

function service({ copy, events, management, closing }: Running): CopyService {
  const server = hostname()
  const status = (): CopyStatusDocument => copyStatusDocument(copy.status, server)
  return {
    managementUrl: management.url,
    name: copy.name,
    events,
    status,
    suspend: (comment) => copy.suspend(comment),
    resume: () => copy.resume(),
    whenCaughtUp: (signal) => copy.whenCaughtUp(signal).then(status),
    whenStatus: (fits, signal) => {
      const fitting = (): CopyStatusDocument | null => {
        const document = status()
        return fits(document) ? document : null
      }
      return copy.until(fitting, signal)
    },
    freeze: () => copy.freeze(),
    thaw: () => copy.thaw(),
    digestPages: (through, signal) => copy.digestPages(through, signal),
    close: () => closing.all(),
  }
}

function manageAddress({ manage, once }: CopyServiceOptions): ListenAddress | null {
  if (manage !== undefined) return manage
  return once === true ? null : COPY_MANAGE_DEFAULT
}

/** The store's path when it is made already: a directory that is no store yet must stay empty. */
async function madeStore(root: string): Promise<string | null> {
  const files = nodeFileOperations({ shortCalls: 'pooled' })
  return (await files.lookUp(join(root, STORE_MARKER_NAME))) === null ? null : root
}

function otherName(wanted: string, found: string): ReplicationError {
  return new ReplicationError({
    code: 'USAGE',
    message: `the address is that of ${found}, not of ${wanted}`,
    hint: 'Give the address of the storage group that you mean; "ccr share" prints it when it starts.',
  })
}
