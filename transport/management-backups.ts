import type { FastifyInstance } from 'fastify'
import { type TSchema, Type } from 'typebox'
import type { BackupScope } from '../engine/database/backup-slot.ts'
import { ReplicationError } from '../engine/error.ts'
import { FREEZE_MS_MAX } from '../engine/freeze-bound.ts'
import { asStorageGroupName } from '../engine/storage-group.ts'
import type { BackupJobDocument } from './management-backup-documents.ts'
import { describedBy } from './management-route.ts'
import { EMPTY_BODY } from './management-schemas.ts'
import { requestInvalid } from './problem.ts'
import { parseWholeNumber } from './query.ts'

/** A backup that is wanted of a node. */
export interface BackupOrder {
  readonly storageGroup: string
  readonly of: 'active' | 'passive'
  readonly scope: BackupScope
  readonly method: 'streaming' | 'vss'
  /** Absolute path on the machine of the node. */
  readonly directory: string
  readonly bytesPerSecond: number | null
  readonly freezeMs: number | null
}

/** The backups that a node takes. */
export interface BackupsPort {
  /** Those under way and the last ones, the newest first. */
  readonly list: () => readonly BackupJobDocument[]
  readonly get: (id: number) => BackupJobDocument | null
  /** Resolves when it is under way. Rejects with the refusal. */
  readonly take: (order: BackupOrder) => Promise<BackupJobDocument>
  /** It ends soon after that; one that is over stays as it is. */
  readonly giveUp: (id: number) => void
  /** Null for no bound. */
  readonly setRate: (id: number, bytesPerSecond: number | null) => void
}

const RATE_MIN = 1_024
const PATH_CHARACTERS_MAX = 4_096
const CLOSED = { additionalProperties: false } as const

const words = (...all: readonly string[]): TSchema => Type.Union(all.map((word) => Type.Literal(word)))
const RATE = Type.Union([Type.Integer({ minimum: RATE_MIN }), Type.Null()], {
  description: 'Bytes in a second at most; null for no bound',
})
const ORDER: TSchema = Type.Object(
  {
    storageGroup: Type.String({ maxLength: 64 }),
    of: words('active', 'passive'),
    scope: words('full', 'incremental', 'differential', 'copy'),
    method: words('streaming', 'vss'),
    directory: Type.String({
      maxLength: PATH_CHARACTERS_MAX,
      pattern: '^/[^\\u0000]*$',
      description: 'Absolute path on the machine of the node; absent or empty',
    }),
    bytesPerSecond: Type.Optional(RATE),
    freezeMs: Type.Optional(Type.Integer({ minimum: 1, maximum: FREEZE_MS_MAX })),
  },
  CLOSED,
)
const JOB: TSchema = Type.Object({
  id: Type.Integer(),
  storageGroup: Type.String(),
  of: words('active', 'passive'),
  node: Type.String(),
  scope: Type.String(),
  method: Type.String(),
  directory: Type.String(),
  phase: words('beginning', 'database', 'logs', 'finishing', 'completed', 'failed'),
  doneBytes: Type.Integer(),
  totalBytes: Type.Integer({ description: 'Of what is known to be copied' }),
  bytesPerSecondMax: RATE,
  elapsedMs: Type.Integer(),
  begun: Type.String({ description: 'ISO 8601, UTC' }),
  logs: Type.Union([Type.Object({ first: Type.Integer(), last: Type.Integer() }), Type.Null()]),
  error: Type.Union([Type.Object({ code: Type.String(), message: Type.String(), hint: Type.String() }), Type.Null()]),
})
const JOBS: TSchema = Type.Object({ backups: Type.Array(JOB) })
const ID_PARAMS: TSchema = Type.Object({ id: Type.String({ maxLength: 16 }) })

interface OrderRoute {
  Body: {
    readonly storageGroup: string
    readonly of: BackupOrder['of']
    readonly scope: BackupScope
    readonly method: BackupOrder['method']
    readonly directory: string
    readonly bytesPerSecond?: number | null
    readonly freezeMs?: number
  }
}

interface JobRoute {
  Params: { id: string }
}

const tag = 'backups'

/** Adds the routes about the backups that a node takes by itself. Without a port there are none. */
export function addBackupRoutes(api: FastifyInstance, backups: BackupsPort | undefined): void {
  api.get(
    '/api/v1/backups',
    describedBy({ tag, summary: 'Backups under way, and the last ones, the newest first', answer: JOBS }),
    () => ({ backups: backups?.list() ?? [] }),
  )
  const take = { tag, summary: 'Take a backup into a directory; answers when it is under way', answer: JOB }
  api.post<OrderRoute>('/api/v1/backups', describedBy({ ...take, body: ORDER }), async ({ body }) => {
    if (backups === undefined) throw takesNone()
    const { bytesPerSecond = null, freezeMs = null } = body
    return await backups.take({
      ...body,
      storageGroup: asStorageGroupName(body.storageGroup),
      bytesPerSecond,
      freezeMs,
    })
  })
  addJobRoutes(api, backups)
}

function addJobRoutes(api: FastifyInstance, backups: BackupsPort | undefined): void {
  const found = (written: string): BackupJobDocument => {
    const id = parseWholeNumber(written, { name: 'id', least: 1, most: Number.MAX_SAFE_INTEGER })
    const job = id === null ? null : (backups?.get(id) ?? null)
    if (job === null) throw requestInvalid(`no backup ${written} is known here`, 'GET /api/v1/backups lists them.')
    return job
  }
  api.get<JobRoute>(
    '/api/v1/backups/:id',
    describedBy({ tag, summary: 'How a backup stands', answer: JOB, params: ID_PARAMS }),
    ({ params }) => found(params.id),
  )
  api.post<JobRoute>(
    '/api/v1/backups/:id/give-up',
    describedBy({ tag, summary: 'Give a backup up', answer: JOB, params: ID_PARAMS, body: EMPTY_BODY }),
    ({ params }) => {
      backups?.giveUp(found(params.id).id)
      return found(params.id)
    },
  )
  const rate = { tag, summary: 'Change the rate of a backup under way', answer: JOB, params: ID_PARAMS }
  api.post<JobRoute & { Body: { bytesPerSecond: number | null } }>(
    '/api/v1/backups/:id/rate',
    describedBy({ ...rate, body: Type.Object({ bytesPerSecond: RATE }, CLOSED) }),
    ({ params, body }) => {
      backups?.setRate(found(params.id).id, body.bytesPerSecond)
      return found(params.id)
    },
  )
}

function takesNone(): ReplicationError {
  return new ReplicationError({
    code: 'STORAGE_GROUP_UNKNOWN',
    message: 'this process has no database that could be backed up',
    hint: 'Give the address of the node with the store, or with its copy, with --server.',
  })
}
