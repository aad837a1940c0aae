import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { PageDigest } from '../engine/database/page-digest.ts'
import { ReplicationError } from '../engine/error.ts'
import { asGeneration, GENERATION_MAX, type Generation } from '../engine/generation.ts'
import { EVENT_STREAM_DEFAULTS, goneSignal } from './event-stream.ts'
import { describedBy, type GroupRoute } from './management-route.ts'
import { parseWholeNumber } from './query.ts'

/**
 * Digests of all pages of a database at the end of a log, ascending, in pieces. A store closes that log for it; a copy waits until
 * it has replayed it. Errors: `STATE_REFUSED` and others, the signal's reason.
 */
export type DigestPages = (through: Generation, signal: AbortSignal) => AsyncIterable<readonly PageDigest[]>

/**
 * What a list of digests consists of, a line of JSON each; empty lines say that somebody is still there. The last line is `end` or
 * `error`: without it the list was cut off.
 */
type PageLine =
  | PageDigest
  | { readonly end: true; readonly pages: number }
  | { readonly error: { readonly code: string; readonly message: string; readonly hint: string } }

/** The media type of a list of digests. */
const PAGES_MEDIA_TYPE = 'application/x-ndjson'

/** Where digests are asked for, and of whom. */
interface PagesRoute {
  readonly tag: 'stores' | 'copies'
  readonly summary: string
  /** Finds what a name stands for. Errors: `NAME_INVALID`, `STORAGE_GROUP_UNKNOWN`. */
  readonly find: (name: string) => DigestPages
  /** Ends all lists. */
  readonly closing: AbortSignal
  readonly onFault: (fault: unknown) => void
}

const QUERY = Type.Object(
  { through: Type.String({ pattern: '^\\d{1,10}$', description: 'The log at whose end the pages are digested' }) },
  { additionalProperties: false },
)

/** Adds `GET /api/v1/<tag>/:storageGroup/pages`. */
export function addPagesRoute(api: FastifyInstance, { tag, summary, find, closing, onFault }: PagesRoute): void {
  const described = describedBy({ tag, summary, answer: 'lines', group: true, query: QUERY })
  api.get<GroupRoute & { Querystring: { through: string } }>(
    `/api/v1/${tag}/:storageGroup/pages`,
    { ...described, exposeHeadRoute: false },
    async (request, reply) => {
      const digestPages = find(request.params.storageGroup)
      const through = parseWholeNumber(request.query.through, { name: 'through', least: 1, most: GENERATION_MAX })
      reply.hijack()
      const signal = AbortSignal.any([closing, goneSignal(reply.raw)])
      const heartbeatMs = Math.min(EVENT_STREAM_DEFAULTS.heartbeatMs, reply.server.server.timeout / 2)
      // Whoever answers has heard of the wish before the head of the answer goes out: so a log that is closed after that is in time.
      const digests = started(digestPages(asGeneration(through), signal))
      await sendLines(reply.raw, digests, { heartbeatMs, signal }).catch(onFault)
    },
  )
}

async function sendLines(
  response: ServerResponse,
  digests: AsyncIterable<readonly PageDigest[]>,
  { heartbeatMs, signal }: { readonly heartbeatMs: number; readonly signal: AbortSignal },
): Promise<void> {
  response.writeHead(200, { 'content-type': PAGES_MEDIA_TYPE })
  response.write('\n')
  const heartbeat = setInterval(() => {
    if (!response.writableNeedDrain) response.write('\n')
  }, heartbeatMs)
  try {
    let pages = 0
    for await (const piece of digests) {
      pages += piece.length
      if (!response.write(piece.map(lineOf).join(''))) await once(response, 'drain', { signal })
    }
    response.write(lineOf({ end: true, pages }))
  } catch (error) {
    if (signal.aborted) return
    if (!(error instanceof ReplicationError)) throw error
    const { code, message, hint } = error
    response.write(lineOf({ error: { code, message, hint } }))
  } finally {
    clearInterval(heartbeat)
    response.end()
  }
}

function lineOf(line: PageLine): string {
  return `${JSON.stringify(line)}\n`
}

/** Begins with the first piece at once, and not only when somebody asks for it. */
function started<Piece>(pieces: AsyncIterable<Piece>): AsyncIterable<Piece> {
  const iterator = pieces[Symbol.asyncIterator]()
  const first = iterator.next()
  first.catch(() => undefined) // who iterates gets the error
  let isFirst = true
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        if (!isFirst) return iterator.next()
        isFirst = false
        return first
      },
      return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
    }),
  }
}
