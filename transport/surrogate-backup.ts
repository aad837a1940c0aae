import type { FastifyInstance } from 'fastify'
import { type TSchema, Type } from 'typebox'
import type { BackupScope } from '../engine/database/backup-slot.ts'
import { GENERATION_MAX, type Generation } from '../engine/generation.ts'
import { asStorageGroupName } from '../engine/storage-group.ts'

/**
 * What the node of a passive copy says to its source about a backup of that copy, which the source counts as one of its own (the
 * surrogate backup). `begin` is answered with the number of its session, which the others name.
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
  /** The backup goes on: to be said at least once a minute. */
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
  readonly session: number
}

/** Carries out what is asked about a share. Rejects with the refusal. */
export type SurrogateDesk = (share: string, ask: SurrogateAsk) => Promise<SurrogateAnswer>

/** Bytes of such a request: the reason is the longest part of it. */
const BODY_BYTES_MAX = 4_096
const REASON_CHARACTERS_MAX = 512

const CLOSED = { additionalProperties: false } as const
const COPY_ID = Type.String({ pattern: '^[0-9a-f]{32}$' })
const LOG = Type.Integer({ minimum: 1, maximum: GENERATION_MAX })
const SESSION = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
const SCOPE = Type.Union(['full', 'incremental', 'copy', 'differential'].map((scope) => Type.Literal(scope)))
const OUTCOME = Type.Union([Type.Literal('completed'), Type.Literal('aborted')])
const BODY: TSchema = Type.Union([
  Type.Object(
    { ask: Type.Literal('begin'), copyId: COPY_ID, scope: SCOPE, first: LOG, last: LOG, required: LOG },
    CLOSED,
  ),
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
