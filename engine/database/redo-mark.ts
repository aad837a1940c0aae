import { slotsAfter } from './backup-record.ts'
import { type DatabaseHeader, newDatabaseHeader } from './database-header.ts'
import { hexOf, openLogBytes } from './log-bytes.ts'
import { comparePositions, formatLogPosition, type LogPosition, positionOf } from './log-position.ts'
import type { LogRecord } from './log-record.ts'
import { readAttachDatabase, readBackup2, readCreateDatabase } from './log-record-database.ts'
import { readEngineEnd } from './log-record-engine.ts'
import { RECORD } from './log-record-table.ts'
import type { RedoSource } from './log-redo.ts'
import { type LogSignature, SIGNATURE_BYTES, writeSignature } from './log-signature.ts'
import { digitsOfTime } from './log-time.ts'
import { logFault, STORE_ERROR, type StoreFault } from './store-fault.ts'

/** What a record of the database as a whole, or of the engine, does to a redo. */
export type MarkEffect =
  | { readonly effect: 'none' }
  | { readonly effect: 'fault'; readonly fault: StoreFault }
  /** The database comes into being. */
  | { readonly effect: 'create'; readonly header: DatabaseHeader }
  /** A new life of it begins; what was changed before must be in the file. */
  | { readonly effect: 'attach'; readonly change: Partial<DatabaseHeader> }
  /** Its header says this from here on. */
  | { readonly effect: 'amend'; readonly change: Partial<DatabaseHeader> }
  /** Macros that are open will never end. */
  | { readonly effect: 'drop-macros' }
  /** The store has stopped, with everything undone or committed: nothing is open any more. A clean database knows that. */
  | { readonly effect: 'end'; readonly change: Partial<DatabaseHeader> | null }

const MARKS: ReadonlySet<number> = new Set([
  RECORD.createDatabase,
  RECORD.attachDatabase,
  RECORD.term2,
  RECORD.recoveryUndo2,
  RECORD.recoveryQuit2,
  RECORD.backup2,
])

const NONE: MarkEffect = { effect: 'none' }

/** Whether records of a type are for {@link judgeMark}. */
export function isMark(type: number): boolean {
  return MARKS.has(type)
}

/**
 * What a record of the database as a whole does to a redo of the database that has this header. A record of an earlier life, up to
 * where the header says that the database was attached, does nothing. Source: the engine's rules of attaching at redo.
 */
export function judgeMark(source: RedoSource, record: LogRecord, database: DatabaseHeader): MarkEffect {
  const position = positionOf(source.header, record.at)
  if (record.type === RECORD.recoveryUndo2) return { effect: 'drop-macros' }
  const isEarlier = database.state !== 'just-created' && comparePositions(position, database.attach.position) <= 0
  if (isEarlier) return NONE
  if (record.type === RECORD.createDatabase) return judgeCreate(source, record, { database, position })
  if (record.type === RECORD.attachDatabase) return judgeAttach(source, record, { database, position })
  if (record.type === RECORD.backup2) return judgeBackup(source, record, database)
  return judgeEnd(source, record, database)
}

interface MarkPlace {
  readonly database: DatabaseHeader
  readonly position: LogPosition
}

function judgeCreate({ log, header }: RedoSource, { at }: LogRecord, { database, position }: MarkPlace): MarkEffect {
  const { signature } = readCreateDatabase(log, at)
  if (database.state !== 'just-created')
    return sameSignature(signature, database.signature) ? NONE : wrongDatabase(position, database)
  const { generation, createTime } = header
  return {
    effect: 'create',
    header: {
      ...newDatabaseHeader(signature, header.signature),
      state: 'dirty-shutdown',
      attach: { position, time: createTime },
      required: {
        minRequired: generation,
        maxRequired: generation,
        maxCommitted: generation,
        committedCreateTime: digitsOfTime(createTime),
      },
    },
  }
}

function judgeAttach({ log, header }: RedoSource, { at }: LogRecord, { database, position }: MarkPlace): MarkEffect {
  const attach = readAttachDatabase(log, at)
  if (!sameSignature(attach.signature, database.signature)) return wrongDatabase(position, database)
  if (comparePositions(attach.consistent, database.consistent.position) !== 0) {
    const detail = `the database was consistent at ${formatLogPosition(database.consistent.position)}, the log knows it at ${formatLogPosition(attach.consistent)}`
    return { effect: 'fault', fault: logFault(STORE_ERROR.consistentTimeMismatch, header.generation, detail) }
  }
  return { effect: 'attach', change: { state: 'dirty-shutdown', attach: { position, time: header.createTime } } }
}

/** A backup has ended: the header remembers it, on the copy too. */
function judgeBackup({ log }: RedoSource, { at }: LogRecord, database: DatabaseHeader): MarkEffect {
  const backups = slotsAfter(database.backups, readBackup2(log.view, at))
  return backups === database.backups ? NONE : { effect: 'amend', change: { backups } }
}

/** The database is consistent behind this record, and was detached there. */
function judgeEnd({ log, header }: RedoSource, record: LogRecord, { state }: DatabaseHeader): MarkEffect {
  if (state !== 'dirty-shutdown') return { effect: 'end', change: null }
  const { time } = readEngineEnd(log.view, record.at)
  const end = { position: positionOf(header, record.at + record.bytes), time }
  return { effect: 'end', change: { consistent: end, detach: end } }
}

function wrongDatabase(position: LogPosition, { signature }: DatabaseHeader): MarkEffect {
  const detail = `the record at ${formatLogPosition(position)} is of another database than ${signature.random}`
  return { effect: 'fault', fault: logFault(STORE_ERROR.badDatabaseSignature, null, detail) }
}

/** Signatures are compared byte by byte. */
export function sameSignature(a: LogSignature, b: LogSignature): boolean {
  return signatureDigits(a) === signatureDigits(b)
}

/** The signature as hexadecimal digits, as a `LogIdentity` has it. */
export function signatureDigits(signature: LogSignature): string {
  const { bytes, view } = openLogBytes(new Uint8Array(SIGNATURE_BYTES))
  writeSignature(view, 0, signature)
  return hexOf(bytes, 0, SIGNATURE_BYTES)
}
