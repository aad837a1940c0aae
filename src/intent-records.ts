import type { BackupScope } from '../engine/database/backup-slot.ts'
import type { BackupMark, DatabaseProgress, EnrolledCopy, Suspension } from '../engine/fact.ts'
import { type Generation, NO_GENERATION } from '../engine/generation.ts'
import type { LogFormat } from '../engine/log-format.ts'
import type { StandbyOptions } from '../engine/replication/standby-lag.ts'
import {
  type BackupHistory,
  type FinishedBackupFact,
  NEVER_BACKED_UP,
  withFinished,
} from '../engine/source/backup-session.ts'
import { type StoreKind, storeKindOf } from '../engine/store-kind.ts'
import { copyIdIn, countIn, type Fields, fieldsIn, formatIn, generationIn, textIn, timeIn } from './intent-fields.ts'

/** What the journal of a copy keeps: nothing that a scan of the disk could tell. */
export type CopyRecord =
  | { readonly kind: 'store-created'; readonly version: 1; readonly copyId: string; readonly atMs: number }
  /** The source's format and name, taken over at the first connection: the store belongs to them from then on. */
  | ({ readonly kind: 'source-adopted' } & AdoptedSource)
  /** An operator wants the logs replayed whatever the source says of them. */
  | { readonly kind: 'replay-chosen' }
  /** The store was made for a standby target with these lags. */
  | ({ readonly kind: 'standby-chosen' } & StandbyOptions)
  | ({ readonly kind: 'suspended' } & Suspension)
  | { readonly kind: 'resumed' }
  /** The source was looked at: the logs here belong to this stream of it, or with null to none. */
  | { readonly kind: 'stream-seen'; readonly stream: number | null }

/** What a store was made for, once and for all. */
export interface AdoptedSource {
  readonly storageGroup: string
  readonly format: LogFormat
  /** `external` in a journal of before there were mailbox stores. */
  readonly store: StoreKind
}

/** What the journal of a share keeps. */
export type ShareRecord =
  | { readonly kind: 'share-created'; readonly version: 1; readonly storageGroup: string; readonly format: LogFormat }
  | { readonly kind: 'backup-marked'; readonly through: Generation; readonly atMs: number }
  | ({ readonly kind: 'backup-finished' } & FinishedBackupFact)
  | { readonly kind: 'copy-enrolled'; readonly copyId: string; readonly label: string }
  | { readonly kind: 'copy-disabled'; readonly copyId: string }
  | { readonly kind: 'truncation-allowed'; readonly below: Generation }
  /** The logs were restored: what was marked and allowed before is about logs that are gone. */
  | {
      readonly kind: 'stream-restored'
      readonly stream: number
      readonly below: Generation
      readonly mark: BackupMark | null
    }

/** The sum of a copy's journal. */
export interface CopyIntent {
  /** Null for a store that was not created yet. */
  readonly copyId: string | null
  readonly adopted: AdoptedSource | null
  /** Whether an operator has chosen that the copy replays. */
  readonly replayChosen: boolean
  /** The lags of a standby target, fixed when its store was made; null for any other copy. */
  readonly standby: StandbyOptions | null
  readonly suspension: Suspension | null
  /** The stream of the source that the logs here belong to; 0 when none was ever recorded, null when they belong to none. */
  readonly stream: number | null
}

/** The sum of a share's journal. */
export interface ShareIntent {
  readonly created: { readonly storageGroup: string; readonly format: LogFormat } | null
  readonly mark: BackupMark | null
  /** Backups of a storage group without a mailbox store; one with a store keeps them in the header of its database. */
  readonly history: BackupHistory
  readonly enrolled: readonly EnrolledCopy[]
  /** Copies that an operator has sent away. One of them that comes again is refused. */
  readonly disabled: readonly string[]
  readonly truncatedBelow: Generation
  /** How often the logs were restored. */
  readonly stream: number
}

/** Sums up a copy's journal, oldest record first. */
export function copyIntentOf(records: readonly CopyRecord[]): CopyIntent {
  const nothing: CopyIntent = {
    copyId: null,
    adopted: null,
    replayChosen: false,
    standby: null,
    suspension: null,
    stream: 0,
  }
  return records.reduce(applyCopyRecord, nothing)
}

function applyCopyRecord(intent: CopyIntent, record: CopyRecord): CopyIntent {
  switch (record.kind) {
    case 'store-created':
      return { ...intent, copyId: record.copyId }
    case 'source-adopted':
      return { ...intent, adopted: { storageGroup: record.storageGroup, format: record.format, store: record.store } }
    case 'replay-chosen':
      return { ...intent, replayChosen: true }
    case 'standby-chosen':
      return { ...intent, standby: standbyOf(record) }
    case 'suspended':
      return { ...intent, suspension: suspensionOf(record) }
    case 'resumed':
      return { ...intent, suspension: null }
    case 'stream-seen':
      return { ...intent, stream: record.stream }
  }
}

/** The fewest records that say the same: what a journal is rewritten to when it has grown. */
export function compactCopyRecords(records: readonly CopyRecord[]): readonly CopyRecord[] {
  const intent = copyIntentOf(records)
  const created = records.filter((record) => record.kind === 'store-created').slice(-1)
  const adopted: readonly CopyRecord[] = intent.adopted === null ? [] : [{ kind: 'source-adopted', ...intent.adopted }]
  const suspended: readonly CopyRecord[] =
    intent.suspension === null ? [] : [{ kind: 'suspended', ...intent.suspension }]
  const chosen: readonly CopyRecord[] = intent.replayChosen ? [{ kind: 'replay-chosen' }] : []
  const standby: readonly CopyRecord[] = intent.standby === null ? [] : [{ kind: 'standby-chosen', ...intent.standby }]
  const seen: readonly CopyRecord[] = intent.stream === 0 ? [] : [{ kind: 'stream-seen', stream: intent.stream }]
  return [...created, ...adopted, ...chosen, ...standby, ...suspended, ...seen]
}

/** Sums up a share's journal, oldest record first. */
export function shareIntentOf(records: readonly ShareRecord[]): ShareIntent {
  const nothing: ShareIntent = {
    created: null,
    mark: null,
    history: NEVER_BACKED_UP,
    enrolled: [],
    disabled: [],
    truncatedBelow: NO_GENERATION,
    stream: 0,
  }
  return records.reduce(applyShareRecord, nothing)
}

function applyShareRecord(intent: ShareIntent, record: ShareRecord): ShareIntent {
  switch (record.kind) {
    case 'share-created':
      return { ...intent, created: { storageGroup: record.storageGroup, format: record.format } }
    case 'backup-marked':
      return { ...intent, mark: { through: record.through, atMs: record.atMs } }
    case 'backup-finished':
      return { ...intent, history: withFinished(intent.history, backupOf(record)) }
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
    case 'stream-restored':
      return {
        ...intent,
        stream: record.stream,
        truncatedBelow: record.below,
        mark: record.mark,
        history: NEVER_BACKED_UP,
      }
  }
}

/** The fewest records that say the same. */
export function compactShareRecords(records: readonly ShareRecord[]): readonly ShareRecord[] {
  const intent = shareIntentOf(records)
  const compact: ShareRecord[] = []
  if (intent.created !== null) compact.push({ kind: 'share-created', version: 1, ...intent.created })
  for (const copyId of intent.disabled) compact.push({ kind: 'copy-disabled', copyId })
  for (const { copyId, label } of intent.enrolled) compact.push({ kind: 'copy-enrolled', copyId, label })
  // First of those that follow: it takes back what was marked and allowed before.
  if (intent.stream > 0)
    compact.push({ kind: 'stream-restored', stream: intent.stream, below: NO_GENERATION, mark: null })
  if (intent.mark !== null) compact.push({ kind: 'backup-marked', ...intent.mark })
  const { full, ...others } = intent.history
  // The full one first: it clears what was built on the one before it.
  for (const backup of [full, ...Object.values(others)])
    if (backup !== null) compact.push({ kind: 'backup-finished', ...backup })
  if (intent.truncatedBelow > 0) compact.push({ kind: 'truncation-allowed', below: intent.truncatedBelow })
  return compact
}

function suspensionOf({ comment, sinceMs, inspected, inspectedTimeMs, database }: Suspension): Suspension {
  return { comment, sinceMs, inspected, inspectedTimeMs, database }
}

/** Whether two formats name and check logs alike. */
export function sameFormat(a: LogFormat, b: LogFormat): boolean {
  if (a.kind === 'ese') return b.kind === 'ese' && a.baseName.toLowerCase() === b.baseName.toLowerCase()
  return b.kind === 'numbered' && a.pattern === b.pattern
}

/** Takes in a record of a copy's journal; null for what this version does not know. */
export function copyRecordIn(value: unknown): CopyRecord | null {
  const fields = fieldsIn(value)
  const [copyId, comment] = [copyIdIn(fields), textIn(fields, 'comment')]
  const [atMs, sinceMs, inspectedTimeMs] = [
    timeIn(fields, 'atMs'),
    timeIn(fields, 'sinceMs'),
    timeIn(fields, 'inspectedTimeMs'),
  ]
  switch (fields['kind']) {
    case 'store-created':
      return fields['version'] === 1 && copyId !== null && atMs !== null
        ? { kind: 'store-created', version: 1, copyId, atMs }
        : null
    case 'source-adopted': {
      const [storageGroup, format] = [textIn(fields, 'storageGroup'), formatIn(fields)]
      if (storageGroup === null || format === null) return null
      return { kind: 'source-adopted', storageGroup, format, store: storeKindOf(fields['store']) }
    }
    case 'replay-chosen':
      return { kind: 'replay-chosen' }
    case 'standby-chosen': {
      const [replayLagMs, truncationLagMs] = [countIn(fields, 'replayLagMs'), countIn(fields, 'truncationLagMs')]
      return replayLagMs === null || truncationLagMs === null
        ? null
        : { kind: 'standby-chosen', replayLagMs, truncationLagMs }
    }
    case 'suspended': {
      const inspected = generationIn(fields, 'inspected')
      return comment !== null && sinceMs !== null && inspected !== null && inspectedTimeMs !== null
        ? { kind: 'suspended', comment, sinceMs, inspected, inspectedTimeMs, database: databaseIn(fields) }
        : null
    }
    case 'resumed':
      return { kind: 'resumed' }
    case 'stream-seen': {
      const stream = countIn(fields, 'stream')
      return stream === null && fields['stream'] !== null ? null : { kind: 'stream-seen', stream }
    }
    default:
      return null
  }
}

/** Takes in a record of a share's journal; null for what this version does not know. */
export function shareRecordIn(value: unknown): ShareRecord | null {
  const fields = fieldsIn(value)
  const [copyId, label, atMs] = [copyIdIn(fields), textIn(fields, 'label'), timeIn(fields, 'atMs')]
  switch (fields['kind']) {
    case 'share-created': {
      const [storageGroup, format] = [textIn(fields, 'storageGroup'), formatIn(fields)]
      return fields['version'] === 1 && storageGroup !== null && format !== null
        ? { kind: 'share-created', version: 1, storageGroup, format }
        : null
    }
    case 'backup-marked': {
      const through = generationIn(fields, 'through')
      return through !== null && atMs !== null ? { kind: 'backup-marked', through, atMs } : null
    }
    case 'backup-finished': {
      const backup = finishedIn(fields, atMs)
      return backup === null ? null : { kind: 'backup-finished', ...backup }
    }
    case 'copy-enrolled':
      return copyId !== null && label !== null ? { kind: 'copy-enrolled', copyId, label } : null
    case 'copy-disabled':
      return copyId === null ? null : { kind: 'copy-disabled', copyId }
    case 'truncation-allowed': {
      const below = generationIn(fields, 'below')
      return below === null ? null : { kind: 'truncation-allowed', below }
    }
    case 'stream-restored': {
      const [stream, below] = [countIn(fields, 'stream'), generationIn(fields, 'below')]
      return stream === null || below === null ? null : { kind: 'stream-restored', stream, below, mark: markIn(fields) }
    }
    default:
      return null
  }
}

function standbyOf({ replayLagMs, truncationLagMs }: StandbyOptions): StandbyOptions {
  return { replayLagMs, truncationLagMs }
}

/** Null for a copy that keeps logs only, and for a record of before there were databases: then nothing is known of one. */
function databaseIn(fields: Fields): DatabaseProgress | null {
  const database = fieldsIn(fields['database'])
  const [replayedThrough, logTimeMs] = [generationIn(database, 'replayedThrough'), timeIn(database, 'logTimeMs')]
  const [requiredLow, requiredHigh] = [generationIn(database, 'requiredLow'), generationIn(database, 'requiredHigh')]
  return replayedThrough !== null && logTimeMs !== null && requiredLow !== null && requiredHigh !== null
    ? { replayedThrough, logTimeMs, requiredLow, requiredHigh }
    : null
}

function backupOf({ scope, method, surrogate, range, atMs }: FinishedBackupFact): FinishedBackupFact {
  return { scope, method, surrogate, range, atMs }
}

const SCOPES: readonly BackupScope[] = ['full', 'incremental', 'copy', 'differential']

function finishedIn(fields: Fields, atMs: number | null): FinishedBackupFact | null {
  const scope = SCOPES.find((known) => known === fields['scope'])
  const { method, surrogate } = fields
  const range = fieldsIn(fields['range'])
  const [first, last] = [generationIn(range, 'first'), generationIn(range, 'last')]
  if (scope === undefined || atMs === null || first === null || last === null) return null
  if ((method !== 'streaming' && method !== 'vss') || typeof surrogate !== 'boolean') return null
  return { scope, method, surrogate, range: { first, last }, atMs }
}

function markIn(fields: Fields): BackupMark | null {
  const mark = fieldsIn(fields['mark'])
  const [through, atMs] = [generationIn(mark, 'through'), timeIn(mark, 'atMs')]
  return through !== null && atMs !== null ? { through, atMs } : null
}
