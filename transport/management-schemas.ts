import { type TSchema, Type } from 'typebox'
import { GENERATION_MAX } from '../engine/generation.ts'

/** Longest comment of a suspension, in characters. Source: the 512 characters of Suspend-StorageGroupCopy. */
const COMMENT_CHARACTERS_MAX = 512

const CLOSED = { additionalProperties: false } as const
const GENERATION = Type.Integer({ minimum: 0, maximum: GENERATION_MAX })
/** Null where there is no database. */
const OPTIONAL_GENERATION = Type.Union([GENERATION, Type.Null()])
const TIME = Type.Union([Type.String({ description: 'ISO 8601, UTC' }), Type.Null()])
const FLAG = Type.Union([Type.Boolean(), Type.Null()])
const REMARK = Type.String({ description: 'What a person should know although it succeeded; empty for nothing' })
const DIGITS = '^\\d{1,15}$'

/** Path parameter of a storage group. Whether it is a name at all is judged where the name is used. */
export const GROUP_PARAMS: TSchema = Type.Object({ storageGroup: Type.String({ maxLength: 64 }) })

/** Body of a suspension. No control characters, line separators or lone surrogates: the comment ends on terminals. */
export const SUSPEND_BODY: TSchema = Type.Object(
  {
    comment: Type.Optional(
      Type.String({
        maxLength: COMMENT_CHARACTERS_MAX,
        pattern: '^[^\\p{Cc}\\p{Cs}\\p{Zl}\\p{Zp}]*$',
        description: 'Why; kept until the copy is resumed. Absent: the comment that stands is kept',
      }),
    ),
  },
  CLOSED,
)

/** Body of a request that takes nothing. */
export const EMPTY_BODY: TSchema = Type.Object({}, CLOSED)

/** Body of a backup mark. */
export const BACKUP_MARK_BODY: TSchema = Type.Object(
  {
    through: Type.Integer({
      minimum: 1,
      maximum: GENERATION_MAX,
      description: 'The last generation that is backed up',
    }),
  },
  CLOSED,
)

/** Body of a disablement. */
export const DISABLE_COPY_BODY: TSchema = Type.Object({ copyId: Type.String({ pattern: '^[0-9a-f]{32}$' }) }, CLOSED)

/** Query of the events. Digits, because nothing in a query is converted. */
export const EVENTS_QUERY: TSchema = Type.Object(
  {
    after: Type.Optional(Type.String({ pattern: DIGITS, description: 'Only events after this sequence number' })),
    limit: Type.Optional(Type.String({ pattern: DIGITS, description: 'At most so many: 1 to 1000, 100 by default' })),
    storageGroup: Type.Optional(Type.String({ maxLength: 64 })),
  },
  CLOSED,
)

/** A copy's status. */
export const COPY_STATUS: TSchema = Type.Object(
  {
    Identity: Type.String({ description: 'SERVER\\NAME' }),
    StorageGroupName: Type.String(),
    SummaryCopyStatus: Type.Enum([
      'NotSupported',
      'Disabled',
      'NotConfigured',
      'ServiceDown',
      'Seeding',
      'Failed',
      'Suspended',
      'Resynchronizing',
      'Initializing',
      'Healthy',
    ]),
    ...all(
      ['NotSupported', 'NotConfigured', 'Disabled', 'ServiceDown', 'Failed', 'Initializing', 'Resynchronizing'],
      Type.Boolean(),
    ),
    ...all(['Seeding', 'Suspend'], Type.Boolean()),
    ...all(['CCRTargetNode', 'FailedMessage', 'SuspendComment'], Type.String()),
    ...all(['CopyQueueLength', 'ReplayQueueLength'], Type.Integer({ minimum: 0 })),
    ...all(['LatestAvailableLogTime', 'LastCopyNotificationedLogTime', 'LastCopiedLogTime'], TIME),
    ...all(['LastInspectedLogTime', 'LastReplayedLogTime'], TIME),
    ...all(
      ['LastLogGenerated', 'LastLogCopyNotified', 'LastLogCopied', 'LastLogInspected', 'LastLogReplayed'],
      GENERATION,
    ),
    ...all(['LatestFullBackupTime', 'LatestIncrementalBackupTime', 'LatestDifferentialBackupTime'], TIME),
    LatestCopyBackupTime: TIME,
    ...all(['SnapshotBackup', 'SnapshotLatestFullBackup', 'SnapshotLatestIncrementalBackup'], FLAG),
    ...all(['SnapshotLatestDifferentialBackup', 'SnapshotLatestCopyBackup'], FLAG),
    OutstandingDumpsterRequests: Type.Array(Type.String()),
    DumpsterServersNotAvailable: Type.String(),
    DumpsterStatistics: Type.Array(Type.String()),
    IsValid: Type.Boolean(),
    ObjectState: Type.Literal('Unchanged'),
    LowestLog: GENERATION,
    SourceConnected: Type.Boolean(),
    ...all(['LowestRequiredLog', 'HighestRequiredLog'], OPTIONAL_GENERATION),
    Remark: Type.String(),
  },
  CLOSED,
)

const SHARED_COPY = Type.Object(
  {
    copyId: Type.String(),
    label: Type.String(),
    condition: Type.Union([Type.Enum(['running', 'suspended', 'failed']), Type.Null()]),
    connected: Type.Boolean(),
    inspected: GENERATION,
    replayed: GENERATION,
    requiredLow: OPTIONAL_GENERATION,
    sinceTime: TIME,
    lastReportTime: TIME,
  },
  CLOSED,
)

const FORMAT = Type.Union([
  Type.Object({ kind: Type.Literal('ese'), baseName: Type.String() }, CLOSED),
  Type.Object({ kind: Type.Literal('numbered'), pattern: Type.String() }, CLOSED),
])

/** A share's status. */
export const SHARE_STATUS: TSchema = Type.Object(
  {
    name: Type.String(),
    directory: Type.String(),
    format: FORMAT,
    directoryRead: Type.Boolean(),
    ...all(['lowest', 'closedThrough', 'generated', 'missing', 'truncatedBelow'], GENERATION),
    truncateFailure: Type.String(),
    mark: Type.Union([Type.Object({ through: GENERATION, time: TIME }, CLOSED), Type.Null()]),
    copies: Type.Array(SHARED_COPY),
  },
  CLOSED,
)

const RANGE = Type.Object({ first: GENERATION, last: GENERATION }, CLOSED)

const REASON = Type.Object(
  { rule: Type.String(), copyId: Type.String(), why: Type.String(), release: Type.String(), sinceTime: TIME },
  CLOSED,
)

const COPY_REASON = Type.Object({ rule: Type.String(), why: Type.String(), release: Type.String() }, CLOSED)

/** Why each closed log is still on the source. */
export const TRUNCATION: TSchema = Type.Object(
  {
    storageGroup: Type.String(),
    closed: Type.Union([RANGE, Type.Null()]),
    ...all(['backedUpThrough', 'truncatableThrough', 'truncatedBelow'], GENERATION),
    held: Type.Array(Type.Object({ range: RANGE, reasons: Type.Array(REASON), text: Type.String() }, CLOSED)),
    lastFailure: Type.String(),
  },
  CLOSED,
)

/** Why each log is still on a copy. */
export const COPY_TRUNCATION: TSchema = Type.Object(
  {
    storageGroup: Type.String(),
    logs: Type.Union([RANGE, Type.Null()]),
    ...all(['truncatedBelow', 'truncatableThrough'], GENERATION),
    held: Type.Array(Type.Object({ range: RANGE, reasons: Type.Array(COPY_REASON), text: Type.String() }, CLOSED)),
  },
  CLOSED,
)

const EVENT = Type.Object(
  {
    sequence: Type.Integer({ minimum: 1 }),
    time: Type.String(),
    id: Type.Integer(),
    source: Type.Enum(['MSExchangeRepl', 'ESE']),
    level: Type.Enum(['information', 'warning', 'error']),
    storageGroup: Type.String(),
    text: Type.String(),
    values: Type.Array(Type.Union([Type.String(), Type.Number()])),
  },
  CLOSED,
)

/** A problem document (RFC 9457); further members tell what the error is about. */
export const PROBLEM: TSchema = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  code: Type.String({ description: 'One of the closed list of docs/ERRORS.md' }),
  hint: Type.String(),
  retriable: Type.Boolean(),
})

/** Bodies of answers that are not one of the documents above. */
export const ANSWERS: Readonly<
  Record<'copies' | 'suspension' | 'shares' | 'mark' | 'disablement' | 'events', TSchema>
> = {
  copies: Type.Object({ copies: Type.Array(COPY_STATUS) }, CLOSED),
  suspension: Type.Object({ status: COPY_STATUS, remark: REMARK }, CLOSED),
  shares: Type.Object({ shares: Type.Array(SHARE_STATUS) }, CLOSED),
  mark: Type.Object({ explanation: TRUNCATION, remark: REMARK }, CLOSED),
  disablement: Type.Object({ share: SHARE_STATUS, remark: REMARK }, CLOSED),
  events: Type.Object({ events: Type.Array(EVENT) }, CLOSED),
}

/** Properties that are of one kind, in the order given. */
function all(names: readonly string[], schema: TSchema): Record<string, TSchema> {
  return Object.fromEntries(names.map((name) => [name, schema]))
}
