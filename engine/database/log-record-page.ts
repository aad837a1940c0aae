import { readDbtime, writeDbtime } from './dbtime.ts'

/** What every record that changes a page says of the change: the first 32 bytes of such a record. */
export interface PageChange {
  readonly session: number
  /** 1 and above. */
  readonly databaseId: number
  readonly page: number
  /** The dbtime that the page has after the change; 0 and more, below 2^53. */
  readonly dbtime: number
  /** The dbtime that the page has before it; `NO_DBTIME` where none counts. */
  readonly dbtimeBefore: number
  /** The transaction of the session's Begin0. */
  readonly transaction: number
  /** The depth of the transaction, 1 and above; 0 outside any. */
  readonly level: number
  /** The line of the page that is changed. */
  readonly line: number
  /** A sum of {@link PAGE_FLAG}. */
  readonly flags: number
}

/** What a record says beside that when it changes a node: which version of which tree. */
export interface NodeChange extends PageChange {
  /** Identifies the version, so that a before-image that is logged later finds its change. 0 is none. */
  readonly version: number
  /** The root page of the tree. */
  readonly rootPage: number
  /** The object that the tree is. */
  readonly objectId: number
}

/** Flags of a change. */
export const PAGE_FLAG: {
  readonly versioned: 1
  readonly deleted: 2
  readonly unique: 4
  readonly space: 8
  readonly concurrentIndex: 16
  readonly systemTask: 32
} = { versioned: 1, deleted: 2, unique: 4, space: 8, concurrentIndex: 16, systemTask: 32 }

/** Bytes of a record's fields of {@link NodeChange}, its type counted. */
export const NODE_CHANGE_BYTES = 44

/** Byte offsets of the fields. */
const AT = {
  session: 1,
  databaseId: 3,
  page: 4,
  dbtime: 8,
  dbtimeBefore: 16,
  transaction: 24,
  level: 28,
  line: 29,
  flags: 31,
  version: 32,
  rootPage: 36,
  objectId: 40,
} as const

/** Writes the fields of a page record at `at`; its type is the caller's. */
export function writePageChange(view: DataView, at: number, change: PageChange): void {
  view.setUint16(at + AT.session, change.session, true)
  view.setUint8(at + AT.databaseId, change.databaseId)
  view.setUint32(at + AT.page, change.page, true)
  writeDbtime(view, at + AT.dbtime, change.dbtime)
  writeDbtime(view, at + AT.dbtimeBefore, change.dbtimeBefore)
  view.setUint32(at + AT.transaction, change.transaction, true)
  view.setUint8(at + AT.level, change.level)
  view.setUint16(at + AT.line, change.line, true)
  view.setUint8(at + AT.flags, change.flags)
}

/** Writes the fields of a node record at `at`; its type is the caller's. */
export function writeNodeChange(view: DataView, at: number, change: NodeChange): void {
  writePageChange(view, at, change)
  view.setUint32(at + AT.version, change.version, true)
  view.setUint32(at + AT.rootPage, change.rootPage, true)
  view.setUint32(at + AT.objectId, change.objectId, true)
}

/** Reads the fields of a page record at `at`. Redo reads single ones by the functions below, which make no object. */
export function readPageChange(view: DataView, at: number): PageChange {
  return {
    session: view.getUint16(at + AT.session, true),
    databaseId: databaseIdOf(view, at),
    page: pageOf(view, at),
    dbtime: dbtimeOf(view, at),
    dbtimeBefore: dbtimeBeforeOf(view, at),
    transaction: view.getUint32(at + AT.transaction, true),
    level: levelOf(view, at),
    line: lineOf(view, at),
    flags: flagsOf(view, at),
  }
}

/** Reads the fields of a node record at `at`. */
export function readNodeChange(view: DataView, at: number): NodeChange {
  return {
    ...readPageChange(view, at),
    version: versionOf(view, at),
    rootPage: view.getUint32(at + AT.rootPage, true),
    objectId: objectIdOf(view, at),
  }
}

/** The database of the page record at `at`. */
export function databaseIdOf(view: DataView, at: number): number {
  return view.getUint8(at + AT.databaseId)
}

/** The page of the page record at `at`. */
export function pageOf(view: DataView, at: number): number {
  return view.getUint32(at + AT.page, true)
}

/** The dbtime after the change of the page record at `at`, or `NO_DBTIME`. */
export function dbtimeOf(view: DataView, at: number): number {
  return readDbtime(view, at + AT.dbtime)
}

/** The dbtime before the change of the page record at `at`, or `NO_DBTIME`. */
export function dbtimeBeforeOf(view: DataView, at: number): number {
  return readDbtime(view, at + AT.dbtimeBefore)
}

/** The transaction that the page record at `at` belongs to. */
export function outerTransactionOf(view: DataView, at: number): number {
  return view.getUint32(at + AT.transaction, true)
}

/** How deep in its transaction the page record at `at` was made. */
export function levelOf(view: DataView, at: number): number {
  return view.getUint8(at + AT.level)
}

/** The line that the page record at `at` changes. */
export function lineOf(view: DataView, at: number): number {
  return view.getUint16(at + AT.line, true)
}

/** The flags of the page record at `at`. */
export function flagsOf(view: DataView, at: number): number {
  return view.getUint8(at + AT.flags)
}

/** The version of the node record at `at`. */
export function versionOf(view: DataView, at: number): number {
  return view.getUint32(at + AT.version, true)
}

/** The object of the node record at `at`. */
export function objectIdOf(view: DataView, at: number): number {
  return view.getUint32(at + AT.objectId, true)
}
