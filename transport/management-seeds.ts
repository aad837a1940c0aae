import type { FastifyInstance } from 'fastify'
import { type TSchema, Type } from 'typebox'
import { ReplicationError } from '../engine/error.ts'
import { asStorageGroupName } from '../engine/storage-group.ts'
import { describedBy } from './management-route.ts'
import { EMPTY_BODY } from './management-schemas.ts'
import type { SeedDocument, SeedPlanDocument, SeedRateDocument } from './management-seed-documents.ts'
import { requestInvalid } from './problem.ts'
import { parseWholeNumber } from './query.ts'

/** A seed that is wanted of a node. */
export interface SeedOrder {
  readonly storageGroup: string
  /** The logs of before may go. */
  readonly deleteExistingFiles: boolean
  /** The obsolete checkpoint may go: somebody has answered the prompt, or wants none. */
  readonly deleteCheckpoint: boolean
  /** The copy stays suspended. */
  readonly manualResume: boolean
  /** Absolute path of a directory that takes the database instead of the copy's own; null for the copy's own. */
  readonly targetPath: string | null
  /** Hosts, or hosts with ports, that the data comes over; tried in this order before the source's own address. At most {@link DATA_HOSTS_MAX}. */
  readonly dataHosts: readonly string[]
  /** Which version of Exchange says what deleteExistingFiles removes: the database too in RTM. */
  readonly profile: 'sp1' | 'rtm'
}

/** What a plan is made with. */
export interface SeedPlanWanted {
  /** What the link carries in a second; null where nobody states it. */
  readonly linkBytesPerSecond: number | null
  /** Whether a link that nobody states is measured, which takes a second or some logs. */
  readonly measures: boolean
  /** A bound that is not set yet, as {@link SeedsPort.setRate} takes it; null for the present one. */
  readonly rate: string | null
}

/** The seeds that a node takes. */
export interface SeedsPort {
  /** Those under way and the last ones, the newest first. */
  readonly list: () => readonly SeedDocument[]
  readonly get: (id: number) => SeedDocument | null
  /** Resolves when it is under way. Rejects with the refusal. */
  readonly begin: (order: SeedOrder) => Promise<SeedDocument>
  /** What it would do, and does not. */
  readonly plan: (order: SeedOrder, wanted: SeedPlanWanted) => Promise<SeedPlanDocument>
  /** It ends soon after that; what was read stays for the next one. */
  readonly giveUp: (id: number) => void
  readonly rate: () => SeedRateDocument
  /** A rate, `off`, or a timetable. Errors: `REQUEST_INVALID`. */
  readonly setRate: (setting: string) => SeedRateDocument
}

/** Source: at most two replication host names are taken for a seed. */
const DATA_HOSTS_MAX = 2
const PATH_CHARACTERS_MAX = 4_096
const SETTING_CHARACTERS_MAX = 512
const CLOSED = { additionalProperties: false } as const
const whole = Type.Integer()
const orNull = (schema: TSchema): TSchema => Type.Union([schema, Type.Null()])
const words = (...all: readonly string[]): TSchema => Type.Union(all.map((word) => Type.Literal(word)))
const ERROR: TSchema = orNull(Type.Object({ code: Type.String(), message: Type.String(), hint: Type.String() }))
const RANGE: TSchema = orNull(Type.Object({ first: whole, last: whole }))
const RATE: TSchema = orNull(Type.Number({ description: 'Bytes in a second' }))

const ORDER_FIELDS = {
  storageGroup: Type.String({ maxLength: 64 }),
  deleteExistingFiles: Type.Optional(Type.Boolean()),
  deleteCheckpoint: Type.Optional(
    Type.Boolean({ description: 'The prompt about the obsolete checkpoint is answered' }),
  ),
  manualResume: Type.Optional(Type.Boolean()),
  targetPath: Type.Optional(
    orNull(
      Type.String({
        maxLength: PATH_CHARACTERS_MAX,
        pattern: '^/[^\\u0000]*$',
        description: 'Absolute path on the machine of the node',
      }),
    ),
  ),
  dataHosts: Type.Optional(Type.Array(Type.String({ maxLength: 255 }), { maxItems: DATA_HOSTS_MAX })),
  profile: Type.Optional(words('sp1', 'rtm')),
}
const ORDER: TSchema = Type.Object(ORDER_FIELDS, CLOSED)
const PLAN_ORDER: TSchema = Type.Object(
  {
    ...ORDER_FIELDS,
    linkBytesPerSecond: Type.Optional(orNull(Type.Number({ minimum: 1 }))),
    measures: Type.Optional(
      Type.Boolean({ description: 'Whether a link that is not stated is measured; it is by default' }),
    ),
    rate: Type.Optional(
      orNull(Type.String({ maxLength: SETTING_CHARACTERS_MAX, description: 'A bound that is not set yet' })),
    ),
  },
  CLOSED,
)
const SEED: TSchema = Type.Object({
  id: whole,
  storageGroup: Type.String(),
  node: Type.String(),
  source: Type.String(),
  path: Type.String(),
  phase: words('beginning', 'database', 'waiting', 'finishing', 'completed', 'failed'),
  doneBytes: whole,
  totalBytes: whole,
  resumedBytes: Type.Integer({ description: 'What was there from a seed that was cut off' }),
  percent: Type.Number({ description: 'Seeding Finished %' }),
  bytesPerSecond: RATE,
  remainingMs: orNull(whole),
  elapsedMs: whole,
  begun: Type.String({ description: 'ISO 8601, UTC' }),
  remark: Type.String(),
  required: RANGE,
  resumed: Type.Boolean(),
  error: ERROR,
})
const SEEDS: TSchema = Type.Object({ seeds: Type.Array(SEED) })
const PLAN: TSchema = Type.Object({
  storageGroup: Type.String(),
  node: Type.String(),
  source: Type.String(),
  path: Type.String(),
  databaseBytes: whole,
  resumedBytes: whole,
  linkBytesPerSecond: RATE,
  linkIs: words('measured', 'stated', 'unknown'),
  bytesPerSecondMax: RATE,
  expectedMs: orNull(whole),
  deletes: Type.Object({
    checkpoint: orNull(Type.String()),
    logs: whole,
    logsPath: Type.String(),
    databaseBytes: orNull(whole),
  }),
  prompts: Type.Array(Type.String()),
  refusal: ERROR,
})
const SEED_RATE: TSchema = Type.Object({ bytesPerSecond: RATE, setting: Type.String(), changes: orNull(Type.String()) })
const ID_PARAMS: TSchema = Type.Object({ id: Type.String({ maxLength: 16 }) })

interface OrderBody {
  readonly storageGroup: string
  readonly deleteExistingFiles?: boolean
  readonly deleteCheckpoint?: boolean
  readonly manualResume?: boolean
  readonly targetPath?: string | null
  readonly dataHosts?: readonly string[]
  readonly profile?: SeedOrder['profile']
}

interface JobRoute {
  Params: { id: string }
}

const tag = 'seeds'

/** Adds the routes about the seeds of the copies of a node. Without a port there are none. */
export function addSeedRoutes(api: FastifyInstance, seeds: SeedsPort | undefined): void {
  const port = (): SeedsPort => {
    if (seeds === undefined) throw takesNone()
    return seeds
  }
  api.get(
    '/api/v1/seeds',
    describedBy({ tag, summary: 'Seeds under way, and the last ones, the newest first', answer: SEEDS }),
    () => ({
      seeds: seeds?.list() ?? [],
    }),
  )
  const begin = { tag, summary: 'Seed a suspended copy; answers when it is under way', answer: SEED, body: ORDER }
  api.post<{ Body: OrderBody }>('/api/v1/seeds', describedBy(begin), ({ body }) => port().begin(orderOf(body)))
  const plan = { tag, summary: 'What a seed would do; changes nothing', answer: PLAN, body: PLAN_ORDER }
  api.post<{ Body: OrderBody & Partial<SeedPlanWanted> }>(
    '/api/v1/seeds/plan',
    describedBy(plan),
    ({ body: { linkBytesPerSecond = null, measures = true, rate = null, ...order } }) =>
      port().plan(orderOf(order), { linkBytesPerSecond, measures, rate }),
  )
  addSeedJobRoutes(api, seeds)
  addSeedRateRoutes(api, port)
}

function addSeedJobRoutes(api: FastifyInstance, seeds: SeedsPort | undefined): void {
  const found = (written: string): SeedDocument => {
    const id = parseWholeNumber(written, { name: 'id', least: 1, most: Number.MAX_SAFE_INTEGER })
    const seed = id === null ? null : (seeds?.get(id) ?? null)
    if (seed === null) throw requestInvalid(`no seed ${written} is known here`, 'GET /api/v1/seeds lists them.')
    return seed
  }
  api.get<JobRoute>(
    '/api/v1/seeds/:id',
    describedBy({ tag, summary: 'How a seed stands', answer: SEED, params: ID_PARAMS }),
    ({ params }) => found(params.id),
  )
  api.post<JobRoute>(
    '/api/v1/seeds/:id/give-up',
    describedBy({
      tag,
      summary: 'Give a seed up; the next one goes on where it was',
      answer: SEED,
      params: ID_PARAMS,
      body: EMPTY_BODY,
    }),
    ({ params }) => {
      seeds?.giveUp(found(params.id).id)
      return found(params.id)
    },
  )
}

function addSeedRateRoutes(api: FastifyInstance, port: () => SeedsPort): void {
  api.get(
    '/api/v1/seed-rate',
    describedBy({ tag, summary: 'The bound of all seeds of the node', answer: SEED_RATE }),
    () => port().rate(),
  )
  const body: TSchema = Type.Object(
    {
      setting: Type.String({
        maxLength: SETTING_CHARACTERS_MAX,
        description: 'A rate such as 25M, off, or a timetable such as "08:00,5M 19:00,off"',
      }),
    },
    CLOSED,
  )
  api.post<{ Body: { setting: string } }>(
    '/api/v1/seed-rate',
    describedBy({ tag, summary: 'Change the bound, also of seeds under way', answer: SEED_RATE, body }),
    ({ body: { setting } }) => port().setRate(setting),
  )
}

function orderOf(body: OrderBody): SeedOrder {
  return {
    storageGroup: asStorageGroupName(body.storageGroup),
    deleteExistingFiles: body.deleteExistingFiles ?? false,
    deleteCheckpoint: body.deleteCheckpoint ?? false,
    manualResume: body.manualResume ?? false,
    targetPath: body.targetPath ?? null,
    dataHosts: body.dataHosts ?? [],
    profile: body.profile ?? 'sp1',
  }
}

function takesNone(): ReplicationError {
  return new ReplicationError({
    code: 'STORAGE_GROUP_UNKNOWN',
    message: 'this process keeps no copy that could be seeded',
    hint: 'Run it on the node that receives the data: give its address with --server.',
  })
}
