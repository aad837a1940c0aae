import { NO_DBTIME } from './dbtime.ts'
import type { LogBytes } from './log-bytes.ts'
import { NODE_CHANGE_BYTES, type NodeChange, readNodeChange, writeNodeChange } from './log-record-page.ts'
import { RECORD } from './log-record-table.ts'

/** Bytes of an Insert record before its key and data. */
export const INSERT_FIXED_BYTES = 50
/** Bytes of a Replace record before its data. */
export const REPLACE_FIXED_BYTES = 50
/** Bytes of an UndoInfo record before its key and data. */
export const UNDO_INFO_FIXED_BYTES = 56
/** Bytes of an Undo record before its key. */
export const UNDO_FIXED_BYTES = 51
/** Bytes of a SetExternalHeader record before its content. */
export const EXTERNAL_HEADER_FIXED_BYTES = 46

/** A node that is inserted. */
export interface Insert extends NodeChange {
  readonly key: Uint8Array
  readonly data: Uint8Array
}

/** A node whose data is replaced, with all of the new data. */
export interface Replace extends NodeChange {
  readonly dataBytesBefore: number
  readonly data: Uint8Array
}

/** Which change an Undo or UndoInfo is about. Source: the engine's own numbers. */
export const OPERATION: { readonly insert: 1; readonly replace: 2; readonly flagDelete: 3 } = {
  insert: 1,
  replace: 2,
  flagDelete: 3,
}

/** What a change that is not committed yet found, logged before its page is written. It changes no page itself. */
export interface UndoInfo
  extends Pick<
    NodeChange,
    'session' | 'databaseId' | 'transaction' | 'level' | 'flags' | 'version' | 'rootPage' | 'objectId'
  > {
  /** The key that finds the node again, wherever it lies then. */
  readonly key: Uint8Array
  /** One of {@link OPERATION}. */
  readonly operation: number
  /** The data before the change; empty for a change that needs none. */
  readonly dataBefore: Uint8Array
  /** The most bytes that the node has had in its transaction. */
  readonly dataBytesMax: number
  /** By how many bytes the change grew the node. */
  readonly dataBytesAdded: number
}

/** A change that is undone at the end of a recovery or by a rollback. */
export interface Undo extends NodeChange {
  readonly key: Uint8Array
  /** One of {@link OPERATION}. */
  readonly operation: number
  /** The level of the change that is undone. */
  readonly levelUndone: number
  /**
   * The data that a replaced node gets back, in the place of the format where a bookmark has its data; empty for other
   * operations. The engine looks it up among its versions instead; ours carries it, so that redo needs nothing but the record.
   */
  readonly dataBefore: Uint8Array
}

/** What a tree keeps beside the nodes of a page is replaced. */
export interface SetExternalHeader extends NodeChange {
  readonly content: Uint8Array
}

/** Byte offsets of the fields behind those of the node. */
const INSERT = { keyBytes: 44, prefixBytes: 46, dataBytes: 48 } as const
const REPLACE = { bytes: 44, bytesBefore: 46, bytesAfter: 48 } as const
const UNDO_INFO = { keyBytes: 44, bookmarkBytes: 46, operation: 48, max: 50, added: 52, dataBytes: 54 } as const
const UNDO = { keyBytes: 44, bookmarkBytes: 46, operation: 48, level: 50 } as const
const EXTERNAL_HEADER = { bytes: 44 } as const
/** The bits of a Replace's length field that are length. */
const LENGTH_MASK = 0x7fff

/** Insert. Returns where the next record goes; so do all below. */
export function writeInsert(log: LogBytes, at: number, insert: Insert): number {
  const { key, data } = insert
  const dataAt = at + INSERT_FIXED_BYTES + key.byteLength
  writeInsertFixed(log.view, at, insert)
  writeInsertLengths(log.view, at, { keyBytes: key.byteLength, dataBytes: data.byteLength })
  log.bytes.set(key, at + INSERT_FIXED_BYTES)
  log.bytes.set(data, dataAt)
  return dataAt + data.byteLength
}

/** Insert, the fixed part only: the key and the data that follow are left as they lie in the memory. */
export function writeInsertAround(
  log: LogBytes,
  at: number,
  insert: NodeChange & { readonly keyBytes: number; readonly dataBytes: number },
): number {
  writeInsertFixed(log.view, at, insert)
  writeInsertLengths(log.view, at, insert)
  return at + INSERT_FIXED_BYTES + insert.keyBytes + insert.dataBytes
}

/** Replace, with the whole data after it. */
export function writeReplace(log: LogBytes, at: number, replace: Replace): number {
  const { view } = log
  const { data } = replace
  view.setUint8(at, RECORD.replace)
  writeNodeChange(view, at, replace)
  view.setUint16(at + REPLACE.bytes, data.byteLength & LENGTH_MASK, true)
  view.setUint16(at + REPLACE.bytesBefore, replace.dataBytesBefore, true)
  view.setUint16(at + REPLACE.bytesAfter, data.byteLength, true)
  log.bytes.set(data, at + REPLACE_FIXED_BYTES)
  return at + REPLACE_FIXED_BYTES + data.byteLength
}

/** FlagDelete: the node is marked as deleted; it stays until no transaction needs it. */
export function writeFlagDelete(log: LogBytes, at: number, change: NodeChange): number {
  log.view.setUint8(at, RECORD.flagDelete)
  writeNodeChange(log.view, at, change)
  return at + NODE_CHANGE_BYTES
}

/** Delete: the node goes for good. */
export function writeDelete(log: LogBytes, at: number, change: NodeChange): number {
  log.view.setUint8(at, RECORD.delete)
  writeNodeChange(log.view, at, change)
  return at + NODE_CHANGE_BYTES
}

/** UndoInfo: it names no page and no dbtime, since the node may have moved when it is read. */
export function writeUndoInfo(log: LogBytes, at: number, info: UndoInfo): number {
  const { bytes, view } = log
  const { key, dataBefore } = info
  view.setUint8(at, RECORD.undoInfo)
  writeNodeChange(view, at, { ...info, page: 0, line: 0, dbtime: NO_DBTIME, dbtimeBefore: NO_DBTIME })
  view.setUint16(at + UNDO_INFO.keyBytes, key.byteLength, true)
  view.setUint16(at + UNDO_INFO.bookmarkBytes, 0, true)
  view.setUint16(at + UNDO_INFO.operation, info.operation, true)
  view.setInt16(at + UNDO_INFO.max, info.dataBytesMax, true)
  view.setInt16(at + UNDO_INFO.added, info.dataBytesAdded, true)
  view.setUint16(at + UNDO_INFO.dataBytes, dataBefore.byteLength, true)
  bytes.set(key, at + UNDO_INFO_FIXED_BYTES)
  bytes.set(dataBefore, at + UNDO_INFO_FIXED_BYTES + key.byteLength)
  return at + UNDO_INFO_FIXED_BYTES + key.byteLength + dataBefore.byteLength
}

/** Undo. */
export function writeUndo(log: LogBytes, at: number, undo: Undo): number {
  const { view } = log
  view.setUint8(at, RECORD.undo)
  writeNodeChange(view, at, undo)
  view.setUint16(at + UNDO.keyBytes, undo.key.byteLength, true)
  view.setUint16(at + UNDO.bookmarkBytes, undo.dataBefore.byteLength, true)
  view.setUint16(at + UNDO.operation, undo.operation, true)
  view.setUint8(at + UNDO.level, undo.levelUndone)
  log.bytes.set(undo.key, at + UNDO_FIXED_BYTES)
  log.bytes.set(undo.dataBefore, at + UNDO_FIXED_BYTES + undo.key.byteLength)
  return at + UNDO_FIXED_BYTES + undo.key.byteLength + undo.dataBefore.byteLength
}

/** SetExternalHeader. */
export function writeSetExternalHeader(log: LogBytes, at: number, change: SetExternalHeader): number {
  log.view.setUint8(at, RECORD.setExternalHeader)
  writeNodeChange(log.view, at, change)
  log.view.setUint16(at + EXTERNAL_HEADER.bytes, change.content.byteLength, true)
  log.bytes.set(change.content, at + EXTERNAL_HEADER_FIXED_BYTES)
  return at + EXTERNAL_HEADER_FIXED_BYTES + change.content.byteLength
}

/** Bytes of the key of the Insert at `at`; it begins {@link INSERT_FIXED_BYTES} behind `at`, and the data follows it. */
export function insertKeyBytesOf(view: DataView, at: number): number {
  return view.getUint16(at + INSERT.keyBytes, true) + view.getUint16(at + INSERT.prefixBytes, true)
}

/** Bytes of the data of the Insert at `at`. */
export function insertDataBytesOf(view: DataView, at: number): number {
  return view.getUint16(at + INSERT.dataBytes, true)
}

/** Bytes of the data of the Replace at `at`; it begins {@link REPLACE_FIXED_BYTES} behind `at`. */
export function replaceDataBytesOf(view: DataView, at: number): number {
  return view.getUint16(at + REPLACE.bytes, true) & LENGTH_MASK
}

/** Bytes of the content of the SetExternalHeader at `at`; it begins {@link EXTERNAL_HEADER_FIXED_BYTES} behind `at`. */
export function externalHeaderBytesOf(view: DataView, at: number): number {
  return view.getUint16(at + EXTERNAL_HEADER.bytes, true)
}

/** One of {@link OPERATION}: what the Undo at `at` undoes. */
export function undoneOperationOf(view: DataView, at: number): number {
  return view.getUint16(at + UNDO.operation, true)
}

/** Bytes of the key of the Undo at `at`; it begins {@link UNDO_FIXED_BYTES} behind `at`, and the data follows it. */
export function undoKeyBytesOf(view: DataView, at: number): number {
  return view.getUint16(at + UNDO.keyBytes, true)
}

/** Bytes of the data that the Undo at `at` gives back. */
export function undoDataBytesOf(view: DataView, at: number): number {
  return view.getUint16(at + UNDO.bookmarkBytes, true)
}

/** Reads the Insert at `at`. Its key and data are views of the log's own memory; so are the parts of all below. */
export function readInsert(log: LogBytes, at: number): Insert {
  const dataAt = at + INSERT_FIXED_BYTES + insertKeyBytesOf(log.view, at)
  return {
    ...readNodeChange(log.view, at),
    key: log.bytes.subarray(at + INSERT_FIXED_BYTES, dataAt),
    data: log.bytes.subarray(dataAt, dataAt + insertDataBytesOf(log.view, at)),
  }
}

/** Reads the Replace at `at`. */
export function readReplace(log: LogBytes, at: number): Replace {
  const dataAt = at + REPLACE_FIXED_BYTES
  return {
    ...readNodeChange(log.view, at),
    dataBytesBefore: log.view.getUint16(at + REPLACE.bytesBefore, true),
    data: log.bytes.subarray(dataAt, dataAt + replaceDataBytesOf(log.view, at)),
  }
}

/** Reads the UndoInfo at `at`. */
export function readUndoInfo(log: LogBytes, at: number): UndoInfo {
  const { bytes, view } = log
  const { page: _page, line: _line, dbtime: _dbtime, dbtimeBefore: _before, ...change } = readNodeChange(view, at)
  const keyAt = at + UNDO_INFO_FIXED_BYTES
  const bookmarkAt = keyAt + view.getUint16(at + UNDO_INFO.keyBytes, true)
  const dataAt = bookmarkAt + view.getUint16(at + UNDO_INFO.bookmarkBytes, true)
  return {
    ...change,
    key: bytes.subarray(keyAt, bookmarkAt),
    operation: view.getUint16(at + UNDO_INFO.operation, true),
    dataBefore: bytes.subarray(dataAt, dataAt + view.getUint16(at + UNDO_INFO.dataBytes, true)),
    dataBytesMax: view.getInt16(at + UNDO_INFO.max, true),
    dataBytesAdded: view.getInt16(at + UNDO_INFO.added, true),
  }
}

/** Reads the Undo at `at`. */
export function readUndo(log: LogBytes, at: number): Undo {
  const { bytes, view } = log
  const keyAt = at + UNDO_FIXED_BYTES
  const dataAt = keyAt + undoKeyBytesOf(view, at)
  return {
    ...readNodeChange(view, at),
    key: bytes.subarray(keyAt, dataAt),
    operation: undoneOperationOf(view, at),
    levelUndone: view.getUint8(at + UNDO.level),
    dataBefore: bytes.subarray(dataAt, dataAt + undoDataBytesOf(view, at)),
  }
}

/** Reads the SetExternalHeader at `at`. */
export function readSetExternalHeader(log: LogBytes, at: number): SetExternalHeader {
  const contentAt = at + EXTERNAL_HEADER_FIXED_BYTES
  return {
    ...readNodeChange(log.view, at),
    content: log.bytes.subarray(contentAt, contentAt + externalHeaderBytesOf(log.view, at)),
  }
}

function writeInsertFixed(view: DataView, at: number, change: NodeChange): void {
  view.setUint8(at, RECORD.insert)
  writeNodeChange(view, at, change)
}

function writeInsertLengths(
  view: DataView,
  at: number,
  lengths: { readonly keyBytes: number; readonly dataBytes: number },
): void {
  view.setUint16(at + INSERT.keyBytes, lengths.keyBytes, true)
  view.setUint16(at + INSERT.prefixBytes, 0, true) // our keys are never shortened by a common prefix
  view.setUint16(at + INSERT.dataBytes, lengths.dataBytes, true)
}
