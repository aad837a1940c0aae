import type { FastifyInstance } from 'fastify'
import { type TSchema, Type } from 'typebox'
import { asStorageGroupName } from '../engine/storage-group.ts'
import type { RestoreDocument } from './management-backup-documents.ts'
import { describedBy, foundGroup, type GroupRoute, type GroupsPort } from './management-route.ts'

/** What is put back. */
export interface RestoreOrder {
  readonly storageGroup: string
  /** Absolute paths on the machine of the node: one set with a database, then those that build on it. */
  readonly sets: readonly string[]
  /** Whether logs that are there and continue those of the sets are left out. */
  readonly pointInTime: boolean
}

/** The restores of a node. */
export interface RestoresPort extends GroupsPort<RestoreDocument> {
  /** Begins a restore. Throws the refusal. */
  readonly begin: (order: RestoreOrder) => RestoreDocument
}

const SETS_MAX = 1_000
const CLOSED = { additionalProperties: false } as const
const PATH = Type.String({ maxLength: 4_096, pattern: '^/[^\\u0000]*$' })
const BODY: TSchema = Type.Object(
  {
    sets: Type.Array(PATH, {
      minItems: 1,
      maxItems: SETS_MAX,
      description: 'Absolute paths; a full or copy set first',
    }),
    pointInTime: Type.Optional(Type.Boolean({ description: 'Leave out logs that continue those of the sets' })),
  },
  CLOSED,
)
const RANGE = Type.Union([Type.Object({ first: Type.Integer(), last: Type.Integer() }), Type.Null()])
const RESTORE: TSchema = Type.Object({
  storageGroup: Type.String(),
  sets: Type.Array(Type.String()),
  pointInTime: Type.Boolean(),
  phase: Type.Union([Type.Literal('restoring'), Type.Literal('completed'), Type.Literal('failed')]),
  doneBytes: Type.Integer(),
  totalBytes: Type.Integer(),
  elapsedMs: Type.Integer(),
  logs: RANGE,
  rolledForward: RANGE,
  replaced: Type.Union([Type.String(), Type.Null()], { description: 'Where the files lie that were there before' }),
  wasInterrupted: Type.Boolean(),
  wentBack: Type.Boolean({ description: 'Whether copies have to be suspended and resumed, or seeded' }),
  error: Type.Union([Type.Object({ code: Type.String(), message: Type.String(), hint: Type.String() }), Type.Null()]),
})

interface RestoreRoute extends GroupRoute {
  Body: { readonly sets: readonly string[]; readonly pointInTime?: boolean }
}

const tag = 'backups'

/** Adds the routes about restores. Without a port every name is unknown. */
export function addRestoreRoutes(api: FastifyInstance, restores: RestoresPort | undefined): void {
  const begin = {
    tag,
    summary: 'Put a backup back into a dismounted store; answers when it has begun',
    answer: RESTORE,
  }
  api.post<RestoreRoute>(
    '/api/v1/stores/:storageGroup/restore',
    describedBy({ ...begin, group: true, body: BODY }),
    ({ params, body }) => {
      const storageGroup = asStorageGroupName(params.storageGroup)
      if (restores === undefined) return foundGroup(storageGroup, restores, 'store')
      return restores.begin({ storageGroup, sets: body.sets, pointInTime: body.pointInTime ?? false })
    },
  )
  api.get<GroupRoute>(
    '/api/v1/stores/:storageGroup/restore',
    describedBy({ tag, summary: 'How the last restore stands', answer: RESTORE, group: true }),
    ({ params }) => foundGroup(params.storageGroup, restores, 'restore'),
  )
}
