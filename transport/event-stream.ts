import { once } from 'node:events'
import type { ServerResponse } from 'node:http'

/** One event of a stream. */
export interface StreamedEvent {
  /** What a client sends back as `Last-Event-ID` to go on after it. */
  readonly id: number
  /** The name of the event: lower case and hyphens. */
  readonly event: string
  /** Any JSON value. */
  readonly data: unknown
}

/** How an event stream is kept alive and told to reconnect. Times in milliseconds. */
export interface EventStreamOptions {
  /** Silence after which a comment line goes out: below the idle limit at either end. */
  readonly heartbeatMs: number
  /** What the client is told to wait before it connects again. */
  readonly retryMs: number
}

/** Fits the idle limit of 10 s here, and browsers' habit to reconnect after 3 s. */
export const EVENT_STREAM_DEFAULTS: EventStreamOptions = { heartbeatMs: 4_000, retryMs: 3_000 }

/** The media type of an event stream. */
export const EVENT_STREAM_MEDIA_TYPE = 'text/event-stream'

/**
 * Answers with an event stream (WHATWG HTML 9.2) until `events` ends, the reader goes away or `signal` says stop. A reader
 * that reads slowly slows `events` down: nothing is queued beyond the socket's own buffer.
 */
export async function sendEvents(
  response: ServerResponse,
  events: AsyncIterable<StreamedEvent>,
  options: EventStreamOptions & { readonly signal: AbortSignal },
): Promise<void> {
  response.writeHead(200, { 'content-type': EVENT_STREAM_MEDIA_TYPE, 'x-accel-buffering': 'no' })
  response.write(`retry: ${options.retryMs}\n\n`)
  const heartbeat = setInterval(() => {
    // A reader that is behind has bytes on the way already, and a comment would only queue up behind them.
    if (!response.writableNeedDrain) response.write(':\n\n')
  }, options.heartbeatMs)
  try {
    for await (const event of events) {
      if (options.signal.aborted) break
      // A reader that never drains is ended by the server's idle limit, which closes the response and aborts the signal.
      if (!response.write(eventText(event))) await once(response, 'drain', { signal: options.signal })
    }
  } catch (error) {
    if (!options.signal.aborted) throw error
  } finally {
    clearInterval(heartbeat)
    response.end()
  }
}

/** The id that a client resumes after: null when it sends none. NaN when what it sends is not an id of ours. */
export function lastEventId(header: string | string[] | undefined): number | null {
  if (header === undefined || header === '') return null
  return typeof header === 'string' && /^\d{1,15}$/.test(header) ? Number(header) : Number.NaN
}

/** Aborted when the connection of an answer goes away before the answer is complete, or once it is complete. */
export function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  if (response.destroyed) gone.abort()
  return gone.signal
}

/** JSON has no line breaks outside strings and escapes them inside, so one `data` line always suffices. */
function eventText({ id, event, data }: StreamedEvent): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
