import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { EventLevel, EventSource } from '../engine/event-catalogue.ts'
import { asStorageGroupName } from '../engine/storage-group.ts'
import {
  EVENT_STREAM_DEFAULTS,
  EVENT_STREAM_MEDIA_TYPE,
  goneSignal,
  lastEventId,
  type StreamedEvent,
  sendEvents,
} from './event-stream.ts'
import { describedBy } from './management-route.ts'
import { ANSWERS, EVENTS_QUERY } from './management-schemas.ts'
import { requestInvalid } from './problem.ts'
import { parseWholeNumber } from './query.ts'

/** One event of the event log. */
export interface ManagementEvent {
  /** Ascends from event to event, across restarts: what a reader resumes from. */
  readonly sequence: number
  /** ISO 8601, UTC. */
  readonly time: string
  /** The number as Exchange has it; two sources may share one. */
  readonly id: number
  readonly source: EventSource
  readonly level: EventLevel
  readonly storageGroup: string
  readonly text: string
  readonly values: readonly (string | number)[]
}

/** Which events are asked for. */
interface EventsWanted {
  /** Only events after this sequence number; null: the latest ones (a page) or the next ones (a stream). */
  readonly after: number | null
  /** Only events of this storage group; null: of all. */
  readonly storageGroup: string | null
}

/** The event log of a process. */
export interface EventsPort {
  /** At most `limit` events in ascending order. */
  readonly page: (wanted: EventsWanted & { readonly limit: number }) => Promise<readonly ManagementEvent[]>
  /** Events as they come, until the signal fires. */
  readonly follow: (wanted: EventsWanted & { readonly signal: AbortSignal }) => AsyncIterable<ManagementEvent>
}

/** Events on one page, at most and by default. */
const PAGE_EVENTS_MAX = 1_000
const PAGE_EVENTS = 100

interface EventsRoute {
  Querystring: { after?: string; limit?: string; storageGroup?: string }
}

interface EventDoors {
  readonly events: EventsPort
  /** Ends all streams. */
  readonly closing: AbortSignal
  readonly onFault: (fault: unknown) => void
}

/** Adds `GET /api/v1/events`: a page as JSON, or a stream for whoever accepts one, resumed by `Last-Event-ID`. */
export function addEventRoutes(api: FastifyInstance, doors: EventDoors): void {
  const summary = 'Events of the event log; with "Accept: text/event-stream" as they are raised'
  const described = describedBy({ tag: 'events', summary, answer: ANSWERS.events, query: EVENTS_QUERY })
  api.get<EventsRoute>('/api/v1/events', { ...described, exposeHeadRoute: false }, async (request, reply) => {
    const { after, limit, storageGroup } = request.query
    const wanted: EventsWanted = {
      after: resumePoint(request) ?? parseWholeNumber(after ?? null, { name: 'after', most: Number.MAX_SAFE_INTEGER }),
      storageGroup: storageGroup === undefined ? null : asStorageGroupName(storageGroup),
    }
    const most = parseWholeNumber(limit ?? null, { name: 'limit', least: 1, most: PAGE_EVENTS_MAX })
    if ((request.headers.accept ?? '').includes(EVENT_STREAM_MEDIA_TYPE)) return streamed(doors, reply, wanted)
    return { events: await doors.events.page({ ...wanted, limit: most ?? PAGE_EVENTS }) }
  })
}

function resumePoint(request: FastifyRequest<EventsRoute>): number | null {
  const after = lastEventId(request.headers['last-event-id'])
  if (Number.isNaN(after)) throw requestInvalid('Last-Event-ID is no sequence number of an event', 'Leave it out.')
  return after
}

async function streamed(
  { events, closing, onFault }: EventDoors,
  reply: FastifyReply,
  wanted: EventsWanted,
): Promise<void> {
  reply.hijack()
  const signal = AbortSignal.any([closing, goneSignal(reply.raw)])
  const heartbeatMs = Math.min(EVENT_STREAM_DEFAULTS.heartbeatMs, reply.server.server.timeout / 2)
  // The answer has begun: a failure from here on has nobody but the log to go to.
  await sendEvents(reply.raw, numbered(events.follow({ ...wanted, signal })), {
    ...EVENT_STREAM_DEFAULTS,
    heartbeatMs,
    signal,
  }).catch(onFault)
}

async function* numbered(events: AsyncIterable<ManagementEvent>): AsyncGenerator<StreamedEvent> {
  for await (const event of events) yield { id: event.sequence, event: 'event', data: event }
}
