import { type TSchema, Type } from 'typebox'
import { GENERATION_MAX } from '../engine/generation.ts'

/** The highest number of a mailbox: 32 bits. */
export const MAILBOX_MAX = 0xffff_ffff
/** Messages that one list shows at most: an answer of some ten KiB. */
export const LIST_LIMIT_MAX = 1000
/** Transactions of one request, and operations of one transaction, at most: what fits a body of short ones many times over. */
const TRANSACTIONS_MAX = 1000
const OPERATIONS_MAX = 1000
/** Longest content that is made of a size and a seed is judged by the store; this only keeps the number a number of bytes. */
const SIZE_MAX = 0x7fff_ffff

const CLOSED = { additionalProperties: false } as const
const GENERATION = Type.Integer({ minimum: 0, maximum: GENERATION_MAX })
const MAILBOX = Type.Integer({ minimum: 0, maximum: MAILBOX_MAX })
const ID = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const COUNT = Type.Integer({ minimum: 0 })
const DIGITS = '^\\d{1,16}$'

const NAME = { mailbox: MAILBOX, id: ID } as const
const WRITE = Type.Enum(['insert', 'replace'])

const OPERATION = Type.Union([
  Type.Object(
    {
      op: WRITE,
      ...NAME,
      size: Type.Integer({ minimum: 0, maximum: SIZE_MAX, description: 'Bytes, which are made of the seed' }),
      seed: Type.Integer({ minimum: 0, maximum: 0xffff_ffff }),
    },
    CLOSED,
  ),
  Type.Object(
    { op: WRITE, ...NAME, bytes: Type.String({ pattern: '^[A-Za-z0-9+/]*={0,2}$', description: 'In base64' }) },
    CLOSED,
  ),
  Type.Object({ op: Type.Literal('delete'), ...NAME }, CLOSED),
])

/** Body of transactions: each is made whole or not at all, in the order given. */
export const TRANSACTIONS_BODY: TSchema = Type.Object(
  {
    transactions: Type.Array(
      Type.Object({ operations: Type.Array(OPERATION, { minItems: 1, maxItems: OPERATIONS_MAX }) }, CLOSED),
      { minItems: 1, maxItems: TRANSACTIONS_MAX },
    ),
  },
  CLOSED,
)

/** Path parameters of a mailbox. Digits, because nothing in a path is converted. */
export const MAILBOX_PARAMS: TSchema = Type.Object({
  storageGroup: Type.String({ maxLength: 64 }),
  mailbox: Type.String({ pattern: DIGITS }),
})

/** Path parameters of a message. */
export const MESSAGE_PARAMS: TSchema = Type.Object({
  storageGroup: Type.String({ maxLength: 64 }),
  mailbox: Type.String({ pattern: DIGITS }),
  id: Type.String({ pattern: DIGITS }),
})

/** Query of a list of messages. */
export const MESSAGES_QUERY: TSchema = Type.Object(
  {
    after: Type.Optional(Type.String({ pattern: DIGITS, description: 'Only messages above this number' })),
    limit: Type.Optional(
      Type.String({ pattern: DIGITS, description: `At most so many: 1 to ${LIST_LIMIT_MAX}, 100 by default` }),
    ),
  },
  CLOSED,
)

const orNull = (schema: TSchema): TSchema => Type.Union([schema, Type.Null()])

const MAINTENANCE = Type.Object(
  {
    state: Type.Enum(['off', 'waiting', 'working']),
    nextPage: orNull(COUNT),
    pages: orNull(Type.Object({ seen: COUNT, bad: COUNT, corrected: COUNT, empty: COUNT, zeroed: COUNT }, CLOSED)),
    lastCompletedMs: orNull(COUNT),
  },
  CLOSED,
)

/** Body of a request that opens a window of maintenance. */
export const MAINTENANCE_BODY: TSchema = Type.Object(
  {
    minutes: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1440, description: 'How long the window stays open; 240 by default' }),
    ),
  },
  CLOSED,
)

const BACKUP = orNull(
  Type.Object(
    {
      first: GENERATION,
      last: GENERATION,
      kind: Type.Enum(['streaming', 'os-snapshot', 'snapshot', 'surrogate']),
      mark: Type.String({ description: 'Where the log stood when it began, as eseutil writes it' }),
      atMs: orNull(Type.Integer()),
    },
    CLOSED,
  ),
)

/** A store's status. */
export const STORE_STATUS: TSchema = Type.Object(
  {
    storageGroup: Type.String(),
    directory: Type.String(),
    state: Type.Enum(['recovering', 'running', 'stopping', 'failed', 'dismounted']),
    failure: Type.String({ description: 'Why it failed last; empty when it did not since it was opened' }),
    databaseState: orNull(Type.String({ description: 'In the words of eseutil; null where the store does not run' })),
    openGeneration: orNull(GENERATION),
    checkpointGeneration: orNull(GENERATION),
    lowestRequired: orNull(GENERATION),
    requiredLogs: orNull(Type.Object({ low: GENERATION, high: GENERATION, committed: GENERATION }, CLOSED)),
    waypointDepth: COUNT,
    databasePages: orNull(COUNT),
    cacheBytes: COUNT,
    circularLogging: Type.Boolean(),
    dbtime: orNull(COUNT),
    maintenance: orNull(MAINTENANCE),
    backups: orNull(Type.Object({ full: BACKUP, incremental: BACKUP, copy: BACKUP, differential: BACKUP }, CLOSED)),
    transactions: orNull(Type.Object({ committed: COUNT, refused: COUNT }, CLOSED)),
    recovery: orNull(
      Type.Object(
        {
          outcome: Type.Enum(['created', 'clean', 'recovered']),
          logsRedone: COUNT,
          transactionsUndone: COUNT,
          mendedPages: COUNT,
          durationMs: COUNT,
        },
        CLOSED,
      ),
    ),
  },
  CLOSED,
)

const RESULT = Type.Union([
  Type.Object({ committed: Type.Literal(true) }, CLOSED),
  Type.Object(
    {
      committed: Type.Literal(false),
      code: Type.Enum([
        'MESSAGE_EXISTS',
        'MESSAGE_MISSING',
        'MESSAGE_TOO_LONG',
        'WRITE_CONFLICT',
        'PAGE_REJECTED',
        'STORE_UNAVAILABLE',
      ]),
      message: Type.String(),
    },
    CLOSED,
  ),
])

/** Answers of a store that are not its status. */
export const STORE_ANSWERS: Readonly<Record<'stores' | 'results' | 'messages' | 'roll' | 'maintenance', TSchema>> = {
  stores: Type.Object({ stores: Type.Array(STORE_STATUS) }, CLOSED),
  results: Type.Object({ results: Type.Array(RESULT) }, CLOSED),
  messages: Type.Object(
    { messages: Type.Array(Type.Object({ id: ID, size: COUNT }, CLOSED)), more: Type.Boolean() },
    CLOSED,
  ),
  roll: Type.Object({ closed: GENERATION }, CLOSED),
  maintenance: MAINTENANCE,
}
