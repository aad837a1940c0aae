import { ReplicationError } from '../engine/error.ts'
import type { BackupMark, EnrolledCopy, Suspension } from '../engine/fact.ts'
import { asGeneration, GENERATION_MAX, type Generation, NO_GENERATION } from '../engine/generation.ts'
import type { LogFormat } from '../engine/log-format.ts'

/** What the journal of a copy keeps: nothing that a scan of the disk could tell. */
export type CopyRecord =
  | { readonly kind: 'store-created'; readonly version: 1; readonly copyId: string; readonly atMs: number }
  /** The source's format and name, taken over at the first connection: the store belongs to them from then on. */
  | { readonly kind: 'source-adopted'; readonly storageGroup: string; readonly format: LogFormat }
  | ({ readonly kind: 'suspended' } & Suspension)
  | { readonly kind: 'resumed' }

/** What the journal of a share keeps. */
export type ShareRecord =
  | { readonly kind: 'share-created'; readonly version: 1; readonly storageGroup: string; readonly format: LogFormat }
  | { readonly kind: 'backup-marked'; readonly through: Generation; readonly atMs: number }
  | { readonly kind: 'copy-enrolled'; readonly copyId: string; readonly label: string }
  | { readonly kind: 'copy-disabled'; readonly copyId: string }
  | { readonly kind: 'truncation-allowed'; readonly below: Generation }

/** The sum of a copy's journal. */
export interface CopyIntent {
  /** Null for a store that was not created yet. */
  readonly copyId: string | null
  readonly adopted: { readonly storageGroup: string; readonly format: LogFormat } | null
  readonly suspension: Suspension | null
}

/** The sum of a share's journal. */
export interface ShareIntent {
  readonly created: { readonly storageGroup: string; readonly format: LogFormat } | null
  readonly mark: BackupMark | null
  readonly enrolled: readonly EnrolledCopy[]
  /** Copies that an operator has sent away. One of them that comes again is refused. */
  readonly disabled: readonly string[]
  readonly truncatedBelow: Generation
}

/** Sums up a copy's journal, oldest record first. Errors: `JOURNAL_CORRUPT` for a record that no version of this program wrote. */
export function readCopyIntent(records: readonly unknown[]): CopyIntent {
  let intent: CopyIntent = { copyId: null, adopted: null, suspension: null }
  for (const record of records) intent = applyCopyRecord(intent, asCopyRecord(record))
  return intent
}

/** A copy's intent after one more record. */
export function applyCopyRecord(intent: CopyIntent, record: CopyRecord): CopyIntent {
  switch (record.kind) {
    case 'store-created':
      return { ...intent, copyId: record.copyId }
    case 'source-adopted':
      return { ...intent, adopted: { storageGroup: record.storageGroup, format: record.format } }
    case 'suspended':
      return { ...intent, suspension: suspensionOf(record) }
    case 'resumed':
      return { ...intent, suspension: null }
  }
}

/** The fewest records that sum up to an intent: what a journal is rewritten to when it has grown. */
export function copyRecordsOf(intent: CopyIntent, atMs: number): CopyRecord[] {
  const records: CopyRecord[] = []
  if (intent.copyId !== null) records.push({ kind: 'store-created', version: 1, copyId: intent.copyId, atMs })
  if (intent.adopted !== null) records.push({ kind: 'source-adopted', ...intent.adopted })
  if (intent.suspension !== null) records.push({ kind: 'suspended', ...intent.suspension })
  return records
}

/** Sums up a share's journal, oldest record first. Errors: `JOURNAL_CORRUPT`. */
export function readShareIntent(records: readonly unknown[]): ShareIntent {
  let intent: ShareIntent = {
    created: null,
    mark: null,
    enrolled: [],
    disabled: [],
    truncatedBelow: NO_GENERATION,
  }
  for (const record of records) intent = applyShareRecord(intent, asShareRecord(record))
  return intent
}

/** A share's intent after one more record. */
export function applyShareRecord(intent: ShareIntent, record: ShareRecord): ShareIntent {
  switch (record.kind) {
    case 'share-created':
      return { ...intent, created: { storageGroup: record.storageGroup, format: record.format } }
    case 'backup-marked':
      return { ...intent, mark: { through: record.through, atMs: record.atMs } }
    case 'copy-enrolled': {
      const others = intent.enrolled.filter((copy) => copy.copyId !== record.copyId)
      return { ...intent, enrolled: [...others, { copyId: record.copyId, label: record.label }] }
    }
    case 'copy-disabled':
      return {
        ...intent,
        enrolled: intent.enrolled.filter((copy) => copy.copyId !== record.copyId),
        disabled: [...intent.disabled.filter((copyId) => copyId !== record.copyId), record.copyId],
      }
    case 'truncation-allowed':
      return { ...intent, truncatedBelow: record.below }
  }
}

/** The fewest records that sum up to an intent. */
export function shareRecordsOf(intent: ShareIntent): ShareRecord[] {
  const records: ShareRecord[] = []
  if (intent.created !== null) records.push({ kind: 'share-created', version: 1, ...intent.created })
  for (const copyId of intent.disabled) records.push({ kind: 'copy-disabled', copyId })
  for (const copy of intent.enrolled) records.push({ kind: 'copy-enrolled', copyId: copy.copyId, label: copy.label })
  if (intent.mark !== null) records.push({ kind: 'backup-marked', ...intent.mark })
  if (intent.truncatedBelow > 0) records.push({ kind: 'truncation-allowed', below: intent.truncatedBelow })
  return records
}

function suspensionOf({ comment, sinceMs, inspected, inspectedTimeMs }: Suspension): Suspension {
  return { comment, sinceMs, inspected, inspectedTimeMs }
}

/** Whether two formats name and check logs alike. */
export function sameFormat(a: LogFormat, b: LogFormat): boolean {
  if (a.kind === 'ese') return b.kind === 'ese' && a.baseName.toLowerCase() === b.baseName.toLowerCase()
  return b.kind === 'numbered' && a.pattern === b.pattern
}

/** A copy's identity: 16 random bytes in hexadecimal. */
export const COPY_ID_PATTERN: RegExp = /^[0-9a-f]{32}$/

type Fields = Readonly<Record<string, unknown>>

function asCopyRecord(value: unknown): CopyRecord {
  const fields = fieldsOf(value)
  switch (fields['kind']) {
    case 'store-created':
      return { kind: 'store-created', version: version(fields), copyId: copyId(fields), atMs: time(fields, 'atMs') }
    case 'source-adopted':
      return { kind: 'source-adopted', storageGroup: text(fields, 'storageGroup'), format: format(fields) }
    case 'suspended':
      return {
        kind: 'suspended',
        comment: text(fields, 'comment'),
        sinceMs: time(fields, 'sinceMs'),
        inspected: generation(fields, 'inspected'),
        inspectedTimeMs: time(fields, 'inspectedTimeMs'),
      }
    case 'resumed':
      return { kind: 'resumed' }
    default:
      throw corrupt(value)
  }
}

function asShareRecord(value: unknown): ShareRecord {
  const fields = fieldsOf(value)
  switch (fields['kind']) {
    case 'share-created':
      return {
        kind: 'share-created',
        version: version(fields),
        storageGroup: text(fields, 'storageGroup'),
        format: format(fields),
      }
    case 'backup-marked':
      return { kind: 'backup-marked', through: generation(fields, 'through'), atMs: time(fields, 'atMs') }
    case 'copy-enrolled':
      return { kind: 'copy-enrolled', copyId: copyId(fields), label: text(fields, 'label') }
    case 'copy-disabled':
      return { kind: 'copy-disabled', copyId: copyId(fields) }
    case 'truncation-allowed':
      return { kind: 'truncation-allowed', below: generation(fields, 'below') }
    default:
      throw corrupt(value)
  }
}

function fieldsOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw corrupt(value)
  return value as Fields // an object that is no array has string keys with unknown values
}

function version(fields: Fields): 1 {
  if (fields['version'] !== 1) throw corrupt(fields)
  return 1
}

function text(fields: Fields, key: string): string {
  const value = fields[key]
  if (typeof value !== 'string') throw corrupt(fields)
  return value
}

function copyId(fields: Fields): string {
  const value = text(fields, 'copyId')
  if (!COPY_ID_PATTERN.test(value)) throw corrupt(fields)
  return value
}

function time(fields: Fields, key: string): number {
  const value = fields[key]
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw corrupt(fields)
  return value
}

function generation(fields: Fields, key: string): Generation {
  const value = fields[key]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > GENERATION_MAX)
    throw corrupt(fields)
  return asGeneration(value)
}

function format(fields: Fields): LogFormat {
  const inner = fieldsOf(fields['format'])
  if (inner['kind'] === 'ese') return { kind: 'ese', baseName: text(inner, 'baseName') }
  if (inner['kind'] === 'numbered') return { kind: 'numbered', pattern: text(inner, 'pattern') }
  throw corrupt(fields)
}

function corrupt(record: unknown): ReplicationError {
  return new ReplicationError({
    code: 'JOURNAL_CORRUPT',
    message: `the journal of operator intent holds a record that is not understood: ${JSON.stringify(record)?.slice(0, 200)}`,
    hint: 'A newer version may have written it: start that version, or restore intent.ndjson from a backup.',
  })
}
