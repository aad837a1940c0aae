import { writeText } from './log-bytes.ts'
import { type LogEnvironment, writeEnvironment } from './log-environment.ts'
import { type LogSignature, writeSignature } from './log-signature.ts'
import { type LogTime, writeLogTime } from './log-time.ts'

/** Bytes of Begin0 and of Commit0. */
export const OUTER_TRANSACTION_BYTES = 8
/** Bytes of Begin and of Commit. */
export const INNER_TRANSACTION_BYTES = 4
/** Bytes of an Insert record before its key and data. */
export const INSERT_FIXED_BYTES = 50
/** Bytes of the key that an Insert of ours carries. */
export const INSERT_KEY_BYTES = 8

const TRACE_FIXED_BYTES = 5
const CREATE_DATABASE_FIXED_BYTES = 43
const CREATE_DATABASE_UNICODE = 8
const INIT2_BYTES = 576
const INIT2_TIME = 568

/** Begin0: session `session` opens transaction `transaction`. Returns where the next record goes; so do all below. */
export function writeBegin0(view: DataView, at: number, transaction: { session: number; id: number }): number {
  return writeOuter(view, at, { type: 8, ...transaction })
}

/** Commit0: the outermost transaction of `session` is durable. */
export function writeCommit0(view: DataView, at: number, transaction: { session: number; id: number }): number {
  return writeOuter(view, at, { type: 9, ...transaction })
}

/** Begin: one level deeper than the outermost. */
export function writeBegin(view: DataView, at: number, session: number): number {
  view.setUint8(at, 5)
  view.setUint16(at + 1, session, true)
  view.setUint8(at + 3, 0x11) // from level 1, one level
  return at + INNER_TRANSACTION_BYTES
}

/** Commit: back to level 1. */
export function writeCommit(view: DataView, at: number, session: number): number {
  view.setUint8(at, 6)
  view.setUint16(at + 1, session, true)
  view.setUint8(at + 3, 1)
  return at + INNER_TRANSACTION_BYTES
}

/** What an Insert record says besides its payload. */
export interface InsertFields {
  readonly session: number
  readonly transaction: number
  readonly page: number
  /** The line of the page that the node becomes. */
  readonly line: number
  /** The dbtime after the change is `generation * 2^32 + change`; the one before it has `change - 1`. */
  readonly generation: number
  readonly change: number
  readonly dataBytes: number
}

/** Insert: the fixed part only. The key and `dataBytes` of data that follow are left as they lie in the memory. */
export function writeInsertAround(view: DataView, at: number, fields: InsertFields): number {
  view.setUint8(at, 29)
  view.setUint16(at + 1, fields.session, true)
  view.setUint8(at + 3, 1) // the first user database
  view.setUint32(at + 4, fields.page, true)
  view.setUint32(at + 8, fields.change, true)
  view.setUint32(at + 12, fields.generation, true)
  view.setUint32(at + 16, fields.change - 1, true)
  view.setUint32(at + 20, fields.generation, true)
  view.setUint32(at + 24, fields.transaction, true)
  view.setUint8(at + 28, 1) // transaction level
  view.setUint16(at + 29, fields.line, true)
  view.setUint8(at + 31, 1) // versioned
  view.setUint32(at + 32, fields.change, true) // identifies the version
  view.setUint32(at + 36, fields.page, true)
  view.setUint32(at + 40, 10, true) // object of the tree: the first one after the catalog's own
  view.setUint16(at + 44, INSERT_KEY_BYTES, true)
  view.setUint16(at + 46, 0, true)
  view.setUint16(at + 48, fields.dataBytes, true)
  return at + INSERT_FIXED_BYTES + INSERT_KEY_BYTES + fields.dataBytes
}

/** Trace: a text for people, ANSI with its NUL. */
export function writeTrace(view: DataView, at: number, text: string): number {
  view.setUint8(at, 22)
  view.setUint16(at + 1, 0, true)
  view.setUint16(at + 3, text.length + 1, true)
  writeText(bytesOf(view), at + TRACE_FIXED_BYTES, { text, length: text.length + 1 })
  return at + TRACE_FIXED_BYTES + text.length + 1
}

/** Init2: the engine starts; the first record of a stream. */
export function writeInit2(view: DataView, at: number, start: { environment: LogEnvironment; time: LogTime }): number {
  view.setUint8(at, 49)
  writeEnvironment(view, at + 1, start.environment)
  writeLogTime(view, at + INIT2_TIME, start.time)
  return at + INIT2_BYTES
}

/** CreateDB: database 1 of the stream, with a UTF-16 path. */
export function writeCreateDatabase(
  view: DataView,
  at: number,
  database: { path: string; signature: LogSignature },
): number {
  const pathBytes = (database.path.length + 1) * 2
  bytesOf(view).fill(0, at, at + CREATE_DATABASE_FIXED_BYTES + pathBytes)
  view.setUint8(at, 14)
  view.setUint8(at + 3, 1)
  writeSignature(view, at + 12, database.signature)
  view.setUint16(at + 40, pathBytes, true)
  view.setUint8(at + 42, CREATE_DATABASE_UNICODE)
  for (let index = 0; index < database.path.length; index++)
    view.setUint16(at + CREATE_DATABASE_FIXED_BYTES + index * 2, database.path.charCodeAt(index), true)
  return at + CREATE_DATABASE_FIXED_BYTES + pathBytes
}

function writeOuter(view: DataView, at: number, record: { type: number; session: number; id: number }): number {
  view.setUint8(at, record.type)
  view.setUint16(at + 1, record.session, true)
  view.setUint8(at + 3, 0x10) // from level 0, one level
  view.setUint32(at + 4, record.id, true)
  return at + OUTER_TRANSACTION_BYTES
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}
