import type { BackupScope } from '../engine/database/backup-slot.ts'
import { ReplicationError } from '../engine/error.ts'
import { asGeneration, ESE_GENERATION_MAX, type Generation, type GenerationRange } from '../engine/generation.ts'
import { logNameParser } from '../engine/log-format.ts'
import {
  StrictJsonError,
  strictList,
  strictObject,
  strictOrNull,
  strictText,
  strictWhole,
  strictWord,
  type TakeValue,
} from './strict-json.ts'

/** What a backup set says of itself: the content of its `manifest.json`. */
export interface BackupManifest {
  /** Name of the storage group. */
  readonly storageGroup: string
  /** Three letters or digits that every log begins with. */
  readonly baseName: string
  readonly scope: BackupScope
  readonly method: 'streaming' | 'vss'
  /** Which copy was read, and on which node; the name of the node is for people. */
  readonly of: { readonly copy: 'active' | 'passive'; readonly node: string }
  /** Version of the program that made the set: `1.2.3`. */
  readonly product: string
  /** Format of the logs: `7,3704,12`; null where there are none. */
  readonly logFormat: string | null
  /** The signature of the stream, 56 hexadecimal digits as in the header of a log. */
  readonly logSignature: string
  /** The logs in the set, without gaps; null where there are none. */
  readonly logs: GenerationRange | null
  /** The logs that the database of the set needs; null for a clean one, and where the set has logs only. */
  readonly required: GenerationRange | null
  /** The newest log that was closed when the backup was taken: it reaches through this one. */
  readonly closed: Generation
  /** Where in the stream the backup began, if that was recorded. */
  readonly mark: MarkedPlace | null
  /** The full backup that an incremental or differential one builds on, as the header of the database remembers it. */
  readonly buildsOn: { readonly mark: MarkedPlace; readonly first: Generation; readonly last: Generation } | null
  /** Milliseconds since 1970. */
  readonly begunMs: number
  readonly endedMs: number
  readonly files: readonly SetFile[]
}

/** A place in the stream, as `LogPosition`. */
interface MarkedPlace {
  readonly generation: number
  readonly sector: number
  readonly byte: number
}

/** One file of a set. */
export interface SetFile {
  /** `database/<name>.edb`, `logs/<base><generation>.log` or `logs/<base>.chk`. */
  readonly path: string
  readonly bytes: number
  /** xxh64 of its content, 16 lower-case hexadecimal digits. */
  readonly xxh64: string
}

/** What one file of a set is. */
export type SetFileKind =
  | { readonly kind: 'database'; readonly name: string }
  | { readonly kind: 'log'; readonly name: string; readonly generation: Generation }
  | { readonly kind: 'checkpoint'; readonly name: string }

/** Version of the manifest. Another one is refused: what it does not say cannot be guessed. */
const MANIFEST_VERSION = 1
/** A million logs of 1 MiB are a terabyte. */
const FILES_MAX = 1_000_000
/** 2100: what lies behind it is no time that a backup has ended at. */
const TIME_MS_MAX = 4_102_444_800_000
/** A file as long as the engine's pages can number: 2^31 pages of 32 KiB. */
const FILE_BYTES_MAX = 2 ** 46
const DATABASE_FILE = /^database\/([A-Za-z0-9_][A-Za-z0-9_. -]{0,62}\.edb)$/
const IN_LOGS = /^logs\/([A-Za-z0-9]{3,11}\.(?:log|chk))$/

const generation: TakeValue<Generation> = (value, path) => asGeneration(strictWhole(1, ESE_GENERATION_MAX)(value, path))
const range = strictObject<GenerationRange>({ first: generation, last: generation })
const mark = strictObject<MarkedPlace>({
  generation: strictWhole(0, ESE_GENERATION_MAX),
  sector: strictWhole(0, 65_535),
  byte: strictWhole(0, 65_535),
})

const document = strictObject<BackupManifest & { readonly version: number }>({
  version: strictWhole(MANIFEST_VERSION, MANIFEST_VERSION),
  storageGroup: strictText(/^[A-Za-z0-9_][A-Za-z0-9 ._-]{0,63}$/),
  baseName: strictText(/^[A-Za-z0-9]{3}$/),
  scope: strictWord(['full', 'incremental', 'copy', 'differential']),
  method: strictWord(['streaming', 'vss']),
  of: strictObject({ copy: strictWord(['active', 'passive']), node: strictText(/^[\x20-\x7e]{0,64}$/) }),
  product: strictText(/^\d{1,5}\.\d{1,5}\.\d{1,5}(-[A-Za-z0-9.]{1,32})?$/),
  logFormat: strictOrNull(strictText(/^\d{1,10},\d{1,10},\d{1,10}$/)),
  logSignature: strictText(/^[0-9a-f]{56}$/),
  logs: strictOrNull(range),
  required: strictOrNull(range),
  closed: generation,
  mark: strictOrNull(mark),
  buildsOn: strictOrNull(strictObject({ mark, first: generation, last: generation })),
  begunMs: strictWhole(0, TIME_MS_MAX),
  endedMs: strictWhole(0, TIME_MS_MAX),
  files: strictList(
    strictObject<SetFile>({
      path: strictText(/^[\x20-\x7e]{1,255}$/),
      bytes: strictWhole(0, FILE_BYTES_MAX),
      xxh64: strictText(/^[0-9a-f]{16}$/),
    }),
    FILES_MAX,
  ),
})

/** The text of a manifest. */
export function composeManifest(manifest: BackupManifest): string {
  const { files, ...rest } = manifest
  // A file a line: a set has thousands of logs, and people look at manifests.
  const lines = files.map((file) => `    ${JSON.stringify(file)}`).join(',\n')
  const head = JSON.stringify({ version: MANIFEST_VERSION, ...rest }, null, 2).slice(0, -2)
  return `${head},\n  "files": [${files.length === 0 ? '' : `\n${lines}\n  `}]\n}\n`
}

/**
 * Reads a manifest: any text may be given. Its fields are exactly those of its version, each file has a place in the set that is its
 * own, and they are what scope and ranges say.
 *
 * Errors: `BACKUP_REJECTED` with the field at fault.
 *
 * @param path of the manifest, for the message
 */
export function parseManifest(text: string, path: string): BackupManifest {
  try {
    const value: unknown = JSON.parse(text)
    refuseVersion(value)
    const { version: _, ...manifest } = document(value, '')
    refuseContradictions(manifest)
    return manifest
  } catch (cause) {
    if (!(cause instanceof StrictJsonError) && !(cause instanceof SyntaxError)) throw cause
    const why = cause instanceof SyntaxError ? 'is no JSON' : `is no manifest: ${cause.message}`
    throw rejectedSet(path, why, cause)
  }
}

/** What a file of a set is by its path, or null where nothing of a set has such a path. */
export function kindOfSetFile(path: string, baseName: string): SetFileKind | null {
  const database = DATABASE_FILE.exec(path)?.[1]
  if (database !== undefined) return { kind: 'database', name: database }
  const name = IN_LOGS.exec(path)?.[1]
  if (name === undefined) return null
  if (name === `${baseName}.chk`) return { kind: 'checkpoint', name }
  const parsed = logNameParser({ kind: 'ese', baseName })(name)
  return parsed === null || !name.startsWith(baseName) ? null : { kind: 'log', name, generation: parsed.generation }
}

/** A set, or its manifest, that is not taken. */
export function rejectedSet(path: string, why: string, cause?: unknown): ReplicationError {
  return new ReplicationError({
    code: 'BACKUP_REJECTED',
    message: `${path} ${why}`,
    hint: 'Run ccr verify on the directory of the set; take the backup anew, or restore another one.',
    fields: { path },
    ...(cause === undefined ? {} : { cause }),
  })
}

/** First of all: what another version says may have other fields, and those are not at fault. */
function refuseVersion(value: unknown): void {
  if (typeof value !== 'object' || value === null || !('version' in value) || value.version === MANIFEST_VERSION) return
  throw new StrictJsonError(`its version is ${JSON.stringify(value.version)}, this program reads ${MANIFEST_VERSION}`)
}

function refuseContradictions(manifest: Omit<BackupManifest, 'version'>): void {
  const { logs, required, closed, scope, files } = manifest
  for (const [name, ends] of [
    ['logs', logs],
    ['required', required],
  ] as const)
    if (ends !== null && ends.first > ends.last) throw new StrictJsonError(`${name} end before they begin`)
  if (logs !== null && logs.last !== closed)
    throw new StrictJsonError(`logs end with ${logs.last}, but ${closed} was the last one that was closed`)
  if (required !== null && (logs === null || required.first < logs.first || required.last > logs.last))
    throw new StrictJsonError(
      `the database needs the logs ${required.first} to ${required.last}, which the set has not`,
    )
  const kinds = files.map(({ path }) => kindIn(path, manifest.baseName))
  const databases = kinds.filter(({ kind }) => kind === 'database').length
  const hasDatabase = scope === 'full' || scope === 'copy'
  if (databases !== (hasDatabase ? 1 : 0))
    throw new StrictJsonError(`files: a set of scope ${scope} has ${hasDatabase ? 'one database' : 'no database'}`)
  if (!hasDatabase && (required !== null || logs === null))
    throw new StrictJsonError(`a set of scope ${scope} has logs, and no database that needs some`)
  refuseOtherLogs(kinds, logs)
}

function kindIn(path: string, baseName: string): SetFileKind {
  const kind = kindOfSetFile(path, baseName)
  if (kind === null) throw new StrictJsonError(`files: ${JSON.stringify(path)} is no place in a set`)
  return kind
}

/** Each generation once, in ascending order, and none beside them. */
function refuseOtherLogs(kinds: readonly SetFileKind[], logs: GenerationRange | null): void {
  let expected: number = logs?.first ?? 0
  for (const file of kinds) {
    if (file.kind !== 'log') continue
    if (logs === null || file.generation !== expected)
      throw new StrictJsonError(`files: ${file.name} is not the next of its logs, each once and in order`)
    expected += 1
  }
  if (logs !== null && expected !== logs.last + 1)
    throw new StrictJsonError(`files: the logs from ${expected} to ${logs.last} are not named`)
  if (kinds.filter(({ kind }) => kind === 'checkpoint').length > 1)
    throw new StrictJsonError('files: a set has one checkpoint at most')
}
