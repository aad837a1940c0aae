import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Announcement } from '../engine/fact.ts'
import type { Generation } from '../engine/generation.ts'
import type { LogFormat } from '../engine/log-format.ts'
import type { StoreKind } from '../engine/store-kind.ts'
import {
  EVENT_STREAM_DEFAULTS,
  EVENT_STREAM_MEDIA_TYPE,
  goneSignal,
  lastEventId,
  type StreamedEvent,
  sendEvents,
} from './event-stream.ts'
import { createHardenedApp, type ServerLimits } from './hardening.ts'
import type { ServedLog, TransferLimits } from './log-transfer.ts'
import { requestInvalid } from './problem.ts'
import { parseWholeNumber, singleQuery } from './query.ts'
import type { SeededDatabase } from './seed-source.ts'
import { logPath, SHARES_PATH, sharePath } from './share-paths.ts'
import { type Doors, foundShare, type LogRoute, type SeedRoute, serveDatabase, serveLog } from './share-transfers.ts'
import { addSurrogateRoute, type SurrogateDesk } from './surrogate-backup.ts'
import { chooseLogStreamProtocol, LOG_STREAM_PROTOCOLS } from './wire.ts'

/** A storage group as the source offers it. */
export interface ServedShare {
  readonly format: LogFormat
  readonly store: StoreKind
  readonly announcement: Announcement
  /**
   * Goes up with each announcement of this share. It begins where no earlier run of the source has been, best at the
   * milliseconds since 1970, so that whoever waits for "anything but number N" is never told the N of another run.
   */
  readonly announcementNumber: number
}

/** What the app serves: implemented by whoever owns the log directories. */
export interface ServedLogs {
  /** Names of all shares. */
  names(): readonly string[]
  /** Null for a share that is not there. */
  describe(share: string): ServedShare | null
  /**
   * Resolves as soon as the share's announcement number is not `afterNumber`, the share is closed, or `signal` is aborted;
   * at once where one of them holds already. Never rejects.
   */
  whenAnnounced(share: string, afterNumber: number, signal: AbortSignal): Promise<void>
  /**
   * Opens a closed log; the checksum is that of the whole file. Called for announced generations of known shares only.
   * Errors: `LOG_MISSING`, `FILE_NOT_REGULAR`, `READ_FAILED`, `FILE_HELD`.
   */
  openLog(share: string, generation: Generation): Promise<ServedLog>
  /** The database of a known share, for the session of a seed. Errors: `STATE_REFUSED` when that is not under way. */
  seededDatabase(share: string, session: number): SeededDatabase
}

/** How a log share listens and to whom it tells what happens. */
export interface LogShareAppOptions {
  readonly limits?: Partial<ServerLimits & TransferLimits>
  /** Takes over a connection that asked for frames; everything but the protocol itself has been checked. Answers 101. */
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** Is asked about backups of copies. */
  readonly onBackup: SurrogateDesk
  /** Hears of every log sent over plain HTTP, with the bytes of its body. */
  readonly onServed: (share: string, generation: Generation, bytes: number) => void
  /** Hears of the bytes of databases that are sent for seeds. */
  readonly onSeeded: (share: string, bytes: number) => void
  /** Hears of every failure that is ours, also those that come after an answer has begun. */
  readonly onFault: (fault: unknown) => void
}

/** Connections at a time: one per copy and origin, and some other people's tools. */
const CONNECTIONS_MAX = 256
/** A request to a log share has no body at all, but for those about backups, which have a limit of their own. */
const BODY_BYTES_MAX = 1
/** Longest wait of one long poll in milliseconds: below the 30 s after which proxies and tunnels drop a silent connection. */
const WAIT_MS_MAX = 25_000
/** Generations on one page of a list, at most and by default. */
const PAGE_LOGS_MAX = 1_000

/**
 * The replication listener's HTTP surface: what a source shares, what it announces, and the logs themselves, for our own
 * copies and for other people's tools. Only a backup of a copy changes anything at the source: while one is under way no other begins.
 *
 * Errors are problem documents: `NAME_INVALID` 400, `REQUEST_INVALID` 4xx, `SHARE_UNKNOWN` 404, `LOG_MISSING` 404.
 */
export function createLogShareApp(served: ServedLogs, options: LogShareAppOptions): FastifyInstance {
  const app = createHardenedApp({
    methods: ['GET', 'HEAD', 'POST'],
    limits: { connectionsMax: CONNECTIONS_MAX, ...options.limits, bodyBytesMax: BODY_BYTES_MAX },
    upgrade: {
      path: SHARES_PATH,
      protocols: LOG_STREAM_PROTOCOLS,
      speaks: (header) => chooseLogStreamProtocol(header) !== null,
      accept: options.onUpgrade,
    },
    onFault: options.onFault,
  })
  const closing = new AbortController()
  // Every open stream, long poll and transfer listens to it.
  app.addHook('preClose', (done) => {
    closing.abort()
    done()
  })
  const doors: Doors = { served, options, closing: closing.signal }
  app.get(SHARES_PATH, () => ({ shares: served.names().map((name) => ({ name, href: sharePath(name) })) }))
  app.get<ShareRoute>('/shares/:share', ({ params }) => shareDocument(params.share, foundShare(served, params.share)))
  app.get<ShareRoute>('/shares/:share/announcements', { exposeHeadRoute: false }, (request, reply) =>
    (request.headers.accept ?? '').includes(EVENT_STREAM_MEDIA_TYPE)
      ? streamAnnouncements(doors, request, reply)
      : pollAnnouncement(doors, request, reply),
  )
  app.get<ShareRoute>('/shares/:share/logs', (request) => listLogs(served, request))
  app.route<LogRoute>({
    method: ['GET', 'HEAD'],
    url: '/shares/:share/logs/:generation',
    handler: (request, reply) => serveLog(doors, request, reply),
  })
  app.route<SeedRoute>({
    method: ['GET', 'HEAD'],
    url: '/shares/:share/seeds/:session/database',
    handler: (request, reply) => serveDatabase(doors, request, reply),
  })
  addSurrogateRoute(app, (share, ask) => {
    foundShare(served, share)
    return options.onBackup(share, ask)
  })
  return app
}

interface ShareRoute {
  Params: { share: string }
}

/** What GET of a share answers, and each announcement of it. */
export interface ShareDocument extends ServedShare {
  readonly share: string
}

function shareDocument(share: string, { format, store, announcement, announcementNumber }: ServedShare): ShareDocument {
  return { share, format, store, announcementNumber, announcement }
}

/** Waits at most `waitMs` for an announcement after number `after`, then answers with the latest one, new or not. */
async function pollAnnouncement(
  { served, closing }: Doors,
  request: FastifyRequest<ShareRoute>,
  reply: FastifyReply,
): Promise<ShareDocument> {
  const { share } = request.params
  foundShare(served, share)
  const after = parseWholeNumber(singleQuery(request.query, 'after'), { name: 'after', most: Number.MAX_SAFE_INTEGER })
  const waitMs = parseWholeNumber(singleQuery(request.query, 'waitMs'), { name: 'waitMs', most: WAIT_MS_MAX }) ?? 0
  if (after !== null && waitMs > 0) {
    // The wait is silence by agreement: the connection's idle limit starts after it.
    reply.raw.setTimeout(waitMs + request.server.server.timeout)
    await waitForAnnouncement(served, {
      share,
      after,
      waitMs,
      signal: AbortSignal.any([closing, goneSignal(reply.raw)]),
    })
  }
  return shareDocument(share, foundShare(served, share))
}

async function waitForAnnouncement(
  served: ServedLogs,
  wait: { readonly share: string; readonly after: number; readonly waitMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const enough = new AbortController()
  const timer = setTimeout(() => enough.abort(), wait.waitMs)
  try {
    await served.whenAnnounced(wait.share, wait.after, AbortSignal.any([wait.signal, enough.signal]))
  } finally {
    clearTimeout(timer)
  }
}

async function streamAnnouncements(
  { served, options, closing }: Doors,
  request: FastifyRequest<ShareRoute>,
  reply: FastifyReply,
): Promise<void> {
  const { share } = request.params
  foundShare(served, share)
  const after = lastEventId(request.headers['last-event-id'])
  if (Number.isNaN(after)) throw requestInvalid('Last-Event-ID is no number of an announcement', 'Leave it out.')
  reply.hijack()
  const signal = AbortSignal.any([closing, goneSignal(reply.raw)])
  const heartbeatMs = Math.min(EVENT_STREAM_DEFAULTS.heartbeatMs, request.server.server.timeout / 2)
  const events = announcementsOf(served, { share, after: after ?? 0, signal })
  // The answer has begun: a failure from here on has nobody but the log to go to.
  await sendEvents(reply.raw, events, { ...EVENT_STREAM_DEFAULTS, heartbeatMs, signal }).catch(options.onFault)
}

/** Each announcement as an event; those that come faster than the reader reads are skipped, the latest says it all. */
async function* announcementsOf(
  served: ServedLogs,
  { share, after, signal }: { readonly share: string; readonly after: number; readonly signal: AbortSignal },
): AsyncGenerator<StreamedEvent> {
  for (let last = after; ; ) {
    await served.whenAnnounced(share, last, signal)
    const latest = served.describe(share)
    if (signal.aborted || latest === null) return
    // A number that is lower than the reader's comes from a source that has started anew since: it counts too.
    if (latest.announcementNumber === last) continue
    last = latest.announcementNumber
    yield { id: last, event: 'announcement', data: shareDocument(share, latest) }
  }
}

/** One page of the closed logs that a copy may ask for, ascending; `next` is what to pass as `after` for the next page. */
function listLogs(served: ServedLogs, { params, query }: FastifyRequest<ShareRoute>): LogListDocument {
  const { announcement } = foundShare(served, params.share)
  const after = parseWholeNumber(singleQuery(query, 'after'), { name: 'after', most: Number.MAX_SAFE_INTEGER }) ?? 0
  const limit = parseWholeNumber(singleQuery(query, 'limit'), { name: 'limit', least: 1, most: PAGE_LOGS_MAX })
  const { lowest, closedThrough, generated, missing } = announcement
  const first = Math.max(lowest, after + 1, 1)
  const last = Math.min(closedThrough, first + (limit ?? PAGE_LOGS_MAX) - 1)
  const logs: ListedLog[] = []
  for (let generation = first; lowest > 0 && generation <= last; generation += 1) {
    const listed = generation as Generation // between two generations of the announcement
    logs.push({ generation: listed, href: logPath(params.share, listed) })
  }
  const next = logs.length > 0 && last < closedThrough ? last : null
  return { share: params.share, lowest, closedThrough, generated, missing, logs, next }
}

/** One row of a list of logs. */
interface ListedLog {
  readonly generation: Generation
  readonly href: string
}

/** What GET of a share's logs answers. */
interface LogListDocument extends Readonly<Pick<Announcement, 'lowest' | 'closedThrough' | 'generated' | 'missing'>> {
  readonly share: string
  readonly logs: readonly ListedLog[]
  readonly next: number | null
}
