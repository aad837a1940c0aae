import type { FastifyInstance } from 'fastify'
import { type TSchema, Type } from 'typebox'
import type { BackupScope } from '../engine/database/backup-slot.ts'
import { asGeneration, GENERATION_MAX, type Generation } from '../engine/generation.ts'
import { asStorageGroupName } from '../engine/storage-group.ts'
import { type Asked, wrongAnswer } from './client-fault.ts'

/**
 * What the node of a passive copy says to its source about a backup of that copy, which the source counts as one of its own (the
 * surrogate backup), or about a seed of it. `begin` is answered with the number of its session, which the others name.
 */
export type SurrogateAsk =
  | {
      readonly ask: 'begin'
      readonly copyId: string
      readonly scope: BackupScope
      /** The logs that are part of the backup. */
      readonly first: Generation
      readonly last: Generation
      /** The first log that the database of the copy needs. */
      readonly required: Generation
    }
  /** How long the database of the active is now. Begins nothing. */
  | { readonly ask: 'size-of-seed'; readonly copyId: string }
  /** A seed: the database of the active is read page by page. `from` as in the engine's request. */
  | { readonly ask: 'begin-seed'; readonly copyId: string; readonly from: Generation }
  /** The last page of a seed was read: the log behind it is closed. */
  | { readonly ask: 'close-log'; readonly copyId: string; readonly session: number }
  /** The backup or the seed goes on: to be said at least once a minute. */
  | { readonly ask: 'continue'; readonly copyId: string; readonly session: number }
  | {
      readonly ask: 'end'
      readonly copyId: string
      readonly session: number
      readonly outcome: 'completed' | 'aborted'
      /** Why it was given up; `''` for one that has completed. */
      readonly reason: string
    }

/** What each is answered with. */
export interface SurrogateAnswer {
  /** 0 where none was begun. */
  readonly session: number
  /** Of `begin-seed` and `size-of-seed`: the length of the database. */
  readonly bytes?: number
  /** Of `begin-seed`: the first log that is kept for it. */
  readonly pinnedFrom?: Generation
  /** Of `begin-seed`: the stream of the source that the database belongs to. */
  readonly stream?: number
  /** Of `close-log`: the log that was closed. */
  readonly closed?: Generation
}

/** Carries out what the node of a copy asks of a share. Rejects with the refusal. */
export type SurrogateDesk = (share: string, ask: SurrogateAsk) => Promise<SurrogateAnswer>

/** Bytes of such a request: the reason is the longest part of it. */
const BODY_BYTES_MAX = 4_096
const REASON_CHARACTERS_MAX = 512

const CLOSED = { additionalProperties: false } as const
const COPY_ID = Type.String({ pattern: '^[0-9a-f]{32}$' })
const LOG = Type.Integer({ minimum: 1, maximum: GENERATION_MAX })
const LOG_OR_NONE = Type.Integer({ minimum: 0, maximum: GENERATION_MAX })
const SESSION = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
const SCOPE = Type.Union(['full', 'incremental', 'copy', 'differential'].map((scope) => Type.Literal(scope)))
const OUTCOME = Type.Union([Type.Literal('completed'), Type.Literal('aborted')])
const BODY: TSchema = Type.Union([
  Type.Object(
    { ask: Type.Literal('begin'), copyId: COPY_ID, scope: SCOPE, first: LOG, last: LOG, required: LOG },
    CLOSED,
  ),
  Type.Object({ ask: Type.Literal('size-of-seed'), copyId: COPY_ID }, CLOSED),
  Type.Object({ ask: Type.Literal('begin-seed'), copyId: COPY_ID, from: LOG_OR_NONE }, CLOSED),
  Type.Object({ ask: Type.Literal('close-log'), copyId: COPY_ID, session: SESSION }, CLOSED),
  Type.Object({ ask: Type.Literal('continue'), copyId: COPY_ID, session: SESSION }, CLOSED),
  Type.Object(
    {
      ask: Type.Literal('end'),
      copyId: COPY_ID,
      session: SESSION,
      outcome: OUTCOME,
      reason: Type.String({ maxLength: REASON_CHARACTERS_MAX }),
    },
    CLOSED,
  ),
])

/** Where a share is asked about backups of its copies. */
export function surrogatePath(share: string): string {
  return `/shares/${encodeURIComponent(share)}/backups`
}

/** Adds the one route of a source that changes something. Errors: `REQUEST_INVALID`, `NAME_INVALID`, and those of the desk. */
export function addSurrogateRoute(app: FastifyInstance, desk: SurrogateDesk): void {
  app.post<{ Params: { share: string }; Body: SurrogateAsk }>(
    '/shares/:share/backups',
    { bodyLimit: BODY_BYTES_MAX, schema: { body: BODY } },
    ({ params, body }) => desk(asStorageGroupName(params.share), body),
  )
}

/** A reason, cut to what fits. */
export function reasonToTell(reason: string): string {
  return reason.slice(0, REASON_CHARACTERS_MAX)
}

/** Takes in what a source answers: each number that is there has its range. Errors: `WIRE_PROTOCOL`. */
export function readSurrogateAnswer(value: unknown, asked: Asked): SurrogateAnswer {
  const told: Readonly<Record<string, unknown>> = typeof value === 'object' && value !== null ? { ...value } : {}
  const whole = (name: string, most: number): number | null => {
    const number = told[name]
    if (number === undefined) return null
    if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 && number <= most) return number
    throw wrongAnswer(asked, `${name} is no whole number up to ${most}`)
  }
  const session = whole('session', Number.MAX_SAFE_INTEGER)
  if (session === null) throw wrongAnswer(asked, 'it has no session')
  const [pinnedFrom, closed] = [whole('pinnedFrom', GENERATION_MAX), whole('closed', GENERATION_MAX)]
  const [stream, bytes] = [whole('stream', Number.MAX_SAFE_INTEGER), whole('bytes', Number.MAX_SAFE_INTEGER)]
  return {
    session,
    ...(pinnedFrom === null ? {} : { pinnedFrom: asGeneration(pinnedFrom) }),
    ...(closed === null ? {} : { closed: asGeneration(closed) }),
    ...(stream === null ? {} : { stream }),
    ...(bytes === null ? {} : { bytes }),
  }
}
