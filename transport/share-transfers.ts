import type { FastifyReply, FastifyRequest } from 'fastify'
import { ReplicationError } from '../engine/error.ts'
import { formatGeneration, type Generation } from '../engine/generation.ts'
import { asStorageGroupName } from '../engine/storage-group.ts'
import type { LogShareAppOptions, ServedLogs, ServedShare } from './log-share-app.ts'
import { sendLog, TRANSFER_DEFAULTS } from './log-transfer.ts'
import { requestInvalid } from './problem.ts'
import { parseWholeNumber } from './query.ts'
import { sendSeedPiece } from './seed-source.ts'
import { parseGeneration, SHARES_PATH } from './share-paths.ts'

/** The route of one log. */
export interface LogRoute {
  Params: { share: string; generation: string }
}

/** The route of the database of a seed. */
export interface SeedRoute {
  Params: { share: string; session: string }
}

/** What every route of a source works with. */
export interface Doors {
  readonly served: ServedLogs
  readonly options: LogShareAppOptions
  readonly closing: AbortSignal
}

/** A share by its name. Errors: `NAME_INVALID`, `SHARE_UNKNOWN`. */
export function foundShare(served: ServedLogs, name: string): ServedShare {
  const share = served.describe(asStorageGroupName(name))
  if (share !== null) return share
  throw new ReplicationError({
    code: 'SHARE_UNKNOWN',
    message: `no share named ${name}`,
    hint: `GET ${SHARES_PATH} lists the shares of this source.`,
    fields: { storageGroup: name },
  })
}

/** Answers GET or HEAD for one log. */
export async function serveLog(doors: Doors, request: FastifyRequest<LogRoute>, reply: FastifyReply): Promise<void> {
  const { served, options, closing } = doors
  const { share } = request.params
  const generation = announcedGeneration(foundShare(served, share), request.params)
  const log = await served.openLog(share, generation)
  try {
    // From here on the answer is written by hand: the framework's deadline does not fit transfers, theirs is by rate.
    reply.hijack()
    const limits = { ...TRANSFER_DEFAULTS, ...options.limits }
    const bytes = await sendLog(request.raw, reply.raw, { share, generation, log, limits, signal: closing })
    if (bytes > 0) options.onServed(share, generation, bytes)
  } catch (error) {
    reply.raw.destroy()
    options.onFault(error)
  } finally {
    await log.close()
  }
}

/** Answers GET or HEAD for a piece of the database of a seed. */
export async function serveDatabase(
  doors: Doors,
  request: FastifyRequest<SeedRoute>,
  reply: FastifyReply,
): Promise<void> {
  const { served, options, closing } = doors
  const { share, session } = request.params
  foundShare(served, share)
  const number = parseWholeNumber(session, { name: 'session', least: 1, most: Number.MAX_SAFE_INTEGER })
  const database = served.seededDatabase(share, number ?? 0)
  reply.hijack()
  try {
    const limits = { ...TRANSFER_DEFAULTS, ...options.limits }
    const bytes = await sendSeedPiece(request.raw, reply.raw, { database, limits, signal: closing })
    if (bytes > 0) options.onSeeded(share, bytes)
  } catch (error) {
    reply.raw.destroy()
    options.onFault(error)
  }
}

function announcedGeneration({ announcement }: ServedShare, params: LogRoute['Params']): Generation {
  const generation = parseGeneration(params.generation)
  if (generation === null) throw requestInvalid('the generation is no number', 'Write it in decimal, from 1 on.')
  const { lowest, generated } = announcement
  if (lowest > 0 && generation >= lowest && generation <= generated) return generation
  const range = lowest > 0 ? `${formatGeneration(lowest)} to ${formatGeneration(generated)}` : 'none'
  throw new ReplicationError({
    code: 'LOG_MISSING',
    message: `log ${formatGeneration(generation)} of ${params.share} is not there; closed logs: ${range}`,
    hint: 'A log that is below the range has been truncated; one above it has not been closed yet.',
    fields: { storageGroup: params.share, generation },
  })
}
