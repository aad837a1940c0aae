import { assert } from '../assert.ts'
import { type LogBytes, readText, readWideText } from './log-bytes.ts'
import { type LogPosition, readLogPosition, writeLogPosition } from './log-position.ts'
import { RECORD } from './log-record-table.ts'
import { type LogSignature, readSignature, writeSignature } from './log-signature.ts'
import { type LogTime, readLogTime, writeLogTime } from './log-time.ts'

/** Bytes of a CreateDB before its path. */
export const CREATE_DATABASE_FIXED_BYTES = 43
/** Bytes of an AttachDB before its path. */
export const ATTACH_DATABASE_FIXED_BYTES = 75
/** Bytes of a DetachDB before its path. */
export const DETACH_DATABASE_FIXED_BYTES = 7
/** Bytes of a Backup2 before its path. */
export const BACKUP2_FIXED_BYTES = 35

/** A database that comes into being. Its path is stored as UTF-16, as in every format from 7,3704,9 on. */
export interface CreateDatabase {
  readonly session: number
  /** 1 and above. */
  readonly databaseId: number
  /** The options of the call that created it. */
  readonly options: number
  /** 0 is no limit. */
  readonly pagesMax: number
  readonly signature: LogSignature
  readonly path: string
}

/** A database that is mounted again. */
export interface AttachDatabase {
  readonly session: number
  readonly databaseId: number
  readonly pagesMax: number
  /** Where it was last detached: it must not be mounted by any other history. */
  readonly consistent: LogPosition
  readonly signature: LogSignature
  /** The signature of the stream, which the database's own header repeats. */
  readonly logSignature: LogSignature
  readonly path: string
}

/** A database that is dismounted in order. */
export interface DetachDatabase {
  readonly session: number
  readonly databaseId: number
  readonly path: string
}

/** BKINFO: a backup as a database header remembers it. */
interface BackupMark {
  readonly position: LogPosition
  readonly time: LogTime
  readonly generationLow: number
  readonly generationHigh: number
}

/** The step of a backup that a Backup2 tells of. */
export const BACKUP_PHASE: {
  readonly begin: 1
  readonly prepareLogs: 2
  readonly truncateLogs: 3
  readonly updateHeader: 4
  readonly abort: 5
  readonly stop: 6
} = { begin: 1, prepareLogs: 2, truncateLogs: 3, updateHeader: 4, abort: 5, stop: 6 }

/** What kind of backup it is: of the engine's own stream, of a snapshot of the disk, or of a copy on another node. */
export const BACKUP_TYPE: { readonly streaming: 0; readonly snapshot: 1; readonly surrogate: 3 } = {
  streaming: 0,
  snapshot: 1,
  surrogate: 3,
}

/** What the backup is of. */
export const BACKUP_SCOPE: {
  readonly full: 1
  readonly incremental: 2
  readonly copy: 5
  readonly differential: 6
} = { full: 1, incremental: 2, copy: 5, differential: 6 }

/** A step of a backup. */
export interface BackupStep {
  /** One of {@link BACKUP_PHASE}. */
  readonly phase: number
  /** One of {@link BACKUP_TYPE}. */
  readonly type: number
  /** One of {@link BACKUP_SCOPE}. */
  readonly scope: number
  /** 0 for a step of the whole storage group. */
  readonly databaseId: number
  readonly mark: BackupMark
}

/** Byte offsets of the fields. */
const CREATE = { session: 1, databaseId: 3, options: 4, pagesMax: 8, signature: 12, pathBytes: 40, flags: 42 } as const
const ATTACH = {
  session: 1,
  databaseId: 3,
  pagesMax: 4,
  consistent: 8,
  signature: 16,
  logSignature: 44,
  pathBytes: 72,
  flags: 74,
} as const
const DETACH = { session: 1, databaseId: 3, pathBytes: 4, flags: 6 } as const
const BACKUP = { phase: 1, type: 2, scope: 6, databaseId: 7, mark: 8 } as const
const MARK = { position: 0, time: 8, low: 16, high: 20 } as const
/** Says in CreateDB and AttachDB that the path is UTF-16. */
const UNICODE = 8
/** Says in a CreateDB that four bytes of version stand before the path. */
const HAS_VERSION = 4
const VERSION_BYTES = 4
/** Says in DetachDB that the path is UTF-16. */
const DETACH_UNICODE = 16
/** The path of a database fits into the attach list of a log header. */
const PATH_CHARACTERS_MAX = 990

/** Bytes that a path takes in a record. */
export function pathBytesOf(path: string): number {
  assert(path.length <= PATH_CHARACTERS_MAX, 'the path of a database has at most 990 characters')
  return (path.length + 1) * 2
}

/** CreateDB. Returns where the next record goes; so do all below. */
export function writeCreateDatabase(log: LogBytes, at: number, database: CreateDatabase): number {
  const { view } = log
  log.bytes.fill(0, at, at + CREATE_DATABASE_FIXED_BYTES)
  view.setUint8(at, RECORD.createDatabase)
  view.setUint16(at + CREATE.session, database.session, true)
  view.setUint8(at + CREATE.databaseId, database.databaseId)
  view.setUint32(at + CREATE.options, database.options, true)
  view.setUint32(at + CREATE.pagesMax, database.pagesMax, true)
  writeSignature(view, at + CREATE.signature, database.signature)
  view.setUint8(at + CREATE.flags, UNICODE)
  return writePath(view, at, { at: CREATE.pathBytes, fixed: CREATE_DATABASE_FIXED_BYTES, path: database.path })
}

/** AttachDB. */
export function writeAttachDatabase(log: LogBytes, at: number, database: AttachDatabase): number {
  const { view } = log
  log.bytes.fill(0, at, at + ATTACH_DATABASE_FIXED_BYTES)
  view.setUint8(at, RECORD.attachDatabase)
  view.setUint16(at + ATTACH.session, database.session, true)
  view.setUint8(at + ATTACH.databaseId, database.databaseId)
  view.setUint32(at + ATTACH.pagesMax, database.pagesMax, true)
  writeLogPosition(view, at + ATTACH.consistent, database.consistent)
  writeSignature(view, at + ATTACH.signature, database.signature)
  writeSignature(view, at + ATTACH.logSignature, database.logSignature)
  view.setUint8(at + ATTACH.flags, UNICODE)
  return writePath(view, at, { at: ATTACH.pathBytes, fixed: ATTACH_DATABASE_FIXED_BYTES, path: database.path })
}

/** DetachDB. */
export function writeDetachDatabase(log: LogBytes, at: number, database: DetachDatabase): number {
  const { view } = log
  log.bytes.fill(0, at, at + DETACH_DATABASE_FIXED_BYTES)
  view.setUint8(at, RECORD.detachDatabase)
  view.setUint16(at + DETACH.session, database.session, true)
  view.setUint8(at + DETACH.databaseId, database.databaseId)
  view.setUint8(at + DETACH.flags, DETACH_UNICODE)
  return writePath(view, at, { at: DETACH.pathBytes, fixed: DETACH_DATABASE_FIXED_BYTES, path: database.path })
}

/** Backup2, without a path: the steps of our backups name none. */
export function writeBackup2(log: LogBytes, at: number, step: BackupStep): number {
  const { view } = log
  log.bytes.fill(0, at, at + BACKUP2_FIXED_BYTES)
  view.setUint8(at, RECORD.backup2)
  view.setUint8(at + BACKUP.phase, step.phase)
  view.setUint32(at + BACKUP.type, step.type, true)
  view.setUint8(at + BACKUP.scope, step.scope)
  view.setUint8(at + BACKUP.databaseId, step.databaseId)
  writeBackupMark(view, at + BACKUP.mark, step.mark)
  return at + BACKUP2_FIXED_BYTES
}

/** Reads the CreateDB at `at`, its path in either encoding. */
export function readCreateDatabase(log: LogBytes, at: number): CreateDatabase {
  const { bytes, view } = log
  const flags = view.getUint8(at + CREATE.flags)
  const pathAt = at + CREATE_DATABASE_FIXED_BYTES + ((flags & HAS_VERSION) === 0 ? 0 : VERSION_BYTES)
  const pathBytes = view.getUint16(at + CREATE.pathBytes, true)
  return {
    session: view.getUint16(at + CREATE.session, true),
    databaseId: view.getUint8(at + CREATE.databaseId),
    options: view.getUint32(at + CREATE.options, true),
    pagesMax: view.getUint32(at + CREATE.pagesMax, true),
    signature: readSignature(bytes, view, at + CREATE.signature),
    path: readPath(log, pathAt, { bytes: pathBytes, unicode: (flags & UNICODE) !== 0 }),
  }
}

/** Reads the AttachDB at `at`, its path in either encoding. */
export function readAttachDatabase(log: LogBytes, at: number): AttachDatabase {
  const { bytes, view } = log
  const unicode = (view.getUint8(at + ATTACH.flags) & UNICODE) !== 0
  const pathBytes = view.getUint16(at + ATTACH.pathBytes, true)
  return {
    session: view.getUint16(at + ATTACH.session, true),
    databaseId: view.getUint8(at + ATTACH.databaseId),
    pagesMax: view.getUint32(at + ATTACH.pagesMax, true),
    consistent: readLogPosition(view, at + ATTACH.consistent),
    signature: readSignature(bytes, view, at + ATTACH.signature),
    logSignature: readSignature(bytes, view, at + ATTACH.logSignature),
    path: readPath(log, at + ATTACH_DATABASE_FIXED_BYTES, { bytes: pathBytes, unicode }),
  }
}

/** Reads the DetachDB at `at`, its path in either encoding. */
export function readDetachDatabase(log: LogBytes, at: number): DetachDatabase {
  const { view } = log
  const unicode = (view.getUint8(at + DETACH.flags) & DETACH_UNICODE) !== 0
  const pathBytes = view.getUint16(at + DETACH.pathBytes, true)
  return {
    session: view.getUint16(at + DETACH.session, true),
    databaseId: view.getUint8(at + DETACH.databaseId),
    path: readPath(log, at + DETACH_DATABASE_FIXED_BYTES, { bytes: pathBytes, unicode }),
  }
}

/** Reads the Backup2 at `at`. */
export function readBackup2(view: DataView, at: number): BackupStep {
  const markAt = at + BACKUP.mark
  return {
    phase: view.getUint8(at + BACKUP.phase),
    type: view.getUint32(at + BACKUP.type, true),
    scope: view.getUint8(at + BACKUP.scope),
    databaseId: view.getUint8(at + BACKUP.databaseId),
    mark: {
      position: readLogPosition(view, markAt + MARK.position),
      time: readLogTime(view, markAt + MARK.time),
      generationLow: view.getUint32(markAt + MARK.low, true),
      generationHigh: view.getUint32(markAt + MARK.high, true),
    },
  }
}

function writeBackupMark(view: DataView, at: number, mark: BackupMark): void {
  writeLogPosition(view, at + MARK.position, mark.position)
  writeLogTime(view, at + MARK.time, mark.time)
  view.setUint32(at + MARK.low, mark.generationLow, true)
  view.setUint32(at + MARK.high, mark.generationHigh, true)
}

/** Writes a path with its length field at `field.at` of the record, behind the record's fixed part. */
function writePath(view: DataView, at: number, field: { at: number; fixed: number; path: string }): number {
  const { path } = field
  const pathAt = at + field.fixed
  const pathBytes = pathBytesOf(path)
  view.setUint16(at + field.at, pathBytes, true)
  for (let index = 0; index < path.length; index++) view.setUint16(pathAt + index * 2, path.charCodeAt(index), true)
  view.setUint16(pathAt + path.length * 2, 0, true)
  return pathAt + pathBytes
}

function readPath(log: LogBytes, at: number, path: { bytes: number; unicode: boolean }): string {
  return path.unicode ? readWideText(log.view, at, path.bytes) : readText(log.bytes, at, path.bytes)
}
