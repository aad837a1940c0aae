import { ReplicationError } from '../engine/error.ts'
import { asGeneration, GENERATION_MAX, type Generation } from '../engine/generation.ts'
import { type LogFormat, logNameParser } from '../engine/log-format.ts'
import { replaceDurably } from './durable-file.ts'
import { type FileOperations, pathIn, wholeOf } from './file-operations.ts'

/** What `store.json` keeps: what the store is, so that an empty mount point is never taken for an empty copy. */
export interface StoreMarker {
  /** 32 hexadecimal digits, made once with the store. */
  readonly copyId: string
  readonly format: LogFormat
  /** Logs below this may be deleted here; what a crash left of them is no part of the copy. */
  readonly truncatedBelow: Generation
}

/** The marker's name in the root of a store. */
export const STORE_MARKER_NAME = 'store.json'

/** Version of the layout on disk. A newer one is refused, an older one would be migrated. */
const LAYOUT_VERSION = 1
/** A marker is a few hundred bytes; more is none. */
const MARKER_BYTES_MAX = 16 * 1024

/**
 * Reads the marker; null when there is none. Errors: `STORE_FOREIGN` when it is unreadable or of a newer version, since
 * nothing may then be written into the store.
 */
export async function readStoreMarker(files: FileOperations, root: string): Promise<StoreMarker | null> {
  const path = pathIn(root, STORE_MARKER_NAME)
  if ((await files.lookUp(path)) === null) return null
  const file = await files.open(path, 'read')
  try {
    const bytes = new Uint8Array(MARKER_BYTES_MAX)
    const length = await files.read(file, wholeOf(bytes), 0)
    return parseMarker(path, new TextDecoder().decode(bytes.subarray(0, length)))
  } finally {
    await files.close(file)
  }
}

/** Writes the marker, durably. */
export async function writeStoreMarker(
  files: FileOperations,
  place: { readonly root: string; readonly attemptId: string },
  marker: StoreMarker,
): Promise<void> {
  const text = `${JSON.stringify({ layout: LAYOUT_VERSION, ...marker }, null, 2)}\n`
  const bytes = new TextEncoder().encode(text)
  await replaceDurably(files, { directory: place.root, name: STORE_MARKER_NAME, attemptId: place.attemptId, bytes })
}

function parseMarker(path: string, text: string): StoreMarker {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw foreign(path, 'is no JSON', cause)
  }
  if (typeof value !== 'object' || value === null) throw foreign(path, 'is no object')
  const { layout, copyId, format, truncatedBelow } = value as Record<string, unknown> // a JSON object has string keys
  if (layout !== LAYOUT_VERSION)
    throw foreign(path, `has layout ${String(layout)}, this version reads ${LAYOUT_VERSION}`)
  if (typeof copyId !== 'string' || !/^[0-9a-f]{32}$/.test(copyId)) throw foreign(path, 'has no copyId')
  if (typeof truncatedBelow !== 'number' || !Number.isSafeInteger(truncatedBelow) || truncatedBelow < 0)
    throw foreign(path, 'has no truncatedBelow')
  if (truncatedBelow > GENERATION_MAX) throw foreign(path, 'has a truncatedBelow above every generation')
  return { copyId, format: parseFormat(path, format), truncatedBelow: asGeneration(truncatedBelow) }
}

function parseFormat(path: string, value: unknown): LogFormat {
  const format = parseShape(value)
  if (format === null) throw foreign(path, 'has no log format')
  logNameParser(format) // refuses a base name or pattern that this version cannot read
  return format
}

function parseShape(value: unknown): LogFormat | null {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return null
  if (value.kind === 'ese' && 'baseName' in value && typeof value.baseName === 'string')
    return { kind: 'ese', baseName: value.baseName }
  if (value.kind === 'numbered' && 'pattern' in value && typeof value.pattern === 'string')
    return { kind: 'numbered', pattern: value.pattern }
  return null
}

function foreign(path: string, what: string, cause?: unknown): ReplicationError {
  return new ReplicationError({
    code: 'STORE_FOREIGN',
    message: `${path} ${what}`,
    hint: 'Use the version that made this store, or give another directory and seed the copy.',
    cause,
    fields: { path },
  })
}
