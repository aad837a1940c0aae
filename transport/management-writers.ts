import type { FastifyInstance } from 'fastify'
import { type TSchema, Type } from 'typebox'
import type { BackupScope } from '../engine/database/backup-slot.ts'
import { ReplicationError } from '../engine/error.ts'
import { FREEZE_MS_MAX } from '../engine/freeze-bound.ts'
import type { Provocation } from '../engine/source/vss-writer.ts'
import { asStorageGroupName } from '../engine/storage-group.ts'
import { describedBy, type GroupRoute } from './management-route.ts'
import type { WriterDocument } from './management-writer-documents.ts'

/** Which writer is meant. */
export interface WriterName {
  readonly storageGroup: string
  readonly of: 'active' | 'passive'
}

/** What a tool calls. */
export type WriterOrder = WriterName &
  (
    | { readonly call: 'prepare'; readonly scope: BackupScope; readonly freezeMs: number | null }
    | { readonly call: 'freeze' | 'thaw' | 'abort' }
    | { readonly call: 'post'; readonly outcome: 'success' | 'failure' }
  )

/** The writers of a node. */
export interface WritersPort {
  readonly list: () => readonly WriterDocument[]
  /** Resolves when it is done. Rejects with the refusal; `WAIT_TIMED_OUT` when it takes longer than an answer may. */
  readonly call: (order: WriterOrder) => Promise<WriterDocument>
  /** The failure of the next backup; null for none. Throws the refusal. */
  readonly provoke: (name: WriterName, provocation: Provocation | null) => WriterDocument
}

const CLOSED = { additionalProperties: false } as const
const words = (...all: readonly string[]): TSchema => Type.Union(all.map((word) => Type.Literal(word)))
const orNull = (schema: TSchema): TSchema => Type.Union([schema, Type.Null()])
const OF = words('active', 'passive')
const TIME = orNull(Type.String({ description: 'ISO 8601, UTC' }))

const RANGE: TSchema = orNull(
  Type.Object({
    first: Type.Integer(),
    last: Type.Integer(),
    firstName: Type.String(),
    lastName: Type.String(),
  }),
)
const WRITER: TSchema = Type.Object({
  name: Type.String(),
  instance: Type.String(),
  storageGroup: Type.String(),
  of: OF,
  node: Type.String(),
  state: words('stable', 'waiting-for-completion', 'retryable-error', 'non-retryable-error'),
  shownState: Type.String({ description: 'As vssadmin shows it' }),
  lastError: Type.String(),
  reason: Type.String({ description: 'Why the last backup failed' }),
  eseError: orNull(Type.Integer()),
  phase: words('idle', 'prepared', 'frozen', 'thawed'),
  next: Type.String({ description: 'The call that comes next' }),
  scope: orNull(Type.String()),
  since: TIME,
  frozenUntil: TIME,
  provocation: orNull(Type.String()),
  files: Type.Object({
    database: orNull(Type.String()),
    checkpoint: orNull(Type.String()),
    logs: Type.String({ description: 'Directory of the logs' }),
    baseName: Type.String(),
    range: RANGE,
  }),
})
const WRITERS: TSchema = Type.Object({ writers: Type.Array(WRITER) })
const PLAIN: TSchema = Type.Object({ of: OF }, CLOSED)
const PREPARE: TSchema = Type.Object(
  {
    of: OF,
    scope: words('full', 'incremental', 'differential', 'copy'),
    freezeMs: Type.Optional(Type.Integer({ minimum: 1, maximum: FREEZE_MS_MAX })),
  },
  CLOSED,
)
const POST: TSchema = Type.Object({ of: OF, outcome: words('success', 'failure') }, CLOSED)
const PROVOKE: TSchema = Type.Object(
  { of: OF, failure: orNull(words('vote-no', 'freeze-timeout', 'no-thaw', 'lose-post')) },
  CLOSED,
)

interface Route<Body> extends GroupRoute {
  Body: Body & Pick<WriterName, 'of'>
}

const tag = 'backups'
const pathOf = (last: string): string => `/api/v1/writers/:storageGroup/${last}`
const describedCall = (summary: string, body: TSchema) =>
  describedBy({ tag, summary, answer: WRITER, group: true, body })

/** Adds the routes for other people's backup tools. Without a port there is no writer. */
export function addWriterRoutes(api: FastifyInstance, writers: WritersPort | undefined): void {
  api.get(
    '/api/v1/writers',
    describedBy({ tag, summary: 'The writers of the databases here', answer: WRITERS }),
    () => ({
      writers: writers?.list() ?? [],
    }),
  )
  const here = (): WritersPort => {
    if (writers === undefined) throw hasNone()
    return writers
  }
  for (const call of ['freeze', 'thaw', 'abort'] as const)
    api.post<Route<object>>(pathOf(call), describedCall(SUMMARIES[call], PLAIN), ({ params, body }) =>
      here().call({ ...nameOf(params, body), call }),
    )
  api.post<Route<{ readonly scope: BackupScope; readonly freezeMs?: number }>>(
    pathOf('prepare'),
    describedCall('Begin a backup', PREPARE),
    ({ params, body }) =>
      here().call({ ...nameOf(params, body), call: 'prepare', scope: body.scope, freezeMs: body.freezeMs ?? null }),
  )
  api.post<Route<{ readonly outcome: 'success' | 'failure' }>>(
    pathOf('post'),
    describedCall('Say how the backup ended; after success logs may go', POST),
    ({ params, body }) => here().call({ ...nameOf(params, body), call: 'post', outcome: body.outcome }),
  )
  api.post<Route<{ readonly failure: Provocation | null }>>(
    pathOf('provoke'),
    describedCall('Have the next backup fail; null for no failure', PROVOKE),
    ({ params, body }) => here().provoke(nameOf(params, body), body.failure),
  )
}

const SUMMARIES = {
  freeze: 'Let the copy stand still, for a bounded time; answers with the files to take',
  thaw: 'Let it go on; refused where the freeze had ended by itself',
  abort: 'Give the backup up; nothing goes',
} as const

function nameOf({ storageGroup }: GroupRoute['Params'], { of }: Pick<WriterName, 'of'>): WriterName {
  return { storageGroup: asStorageGroupName(storageGroup), of }
}

function hasNone(): ReplicationError {
  return new ReplicationError({
    code: 'STORAGE_GROUP_UNKNOWN',
    message: 'this process has no writer of a database',
    hint: 'Give the address of the node with the store, or with its copy, with --server: ccr node runs one.',
  })
}
