import { NO_DBTIME, readDbtime, writeDbtime } from './dbtime.ts'
import type { LogBytes } from './log-bytes.ts'
import { type PageChange, readPageChange, writePageChange } from './log-record-page.ts'
import { RECORD } from './log-record-table.ts'

/** Bytes of a record that creates a tree whose space is single pages. */
export const CREATE_SINGLE_EXTENT_BYTES = 48
/** Bytes of a record that creates a tree with space trees of its own. */
export const CREATE_MULTIPLE_EXTENT_BYTES = 56
/** Bytes of a Split2 before its keys and its page image. */
export const SPLIT2_FIXED_BYTES = 110

/** A new tree; `page` is its root, and it is new, so that only `dbtime` counts. */
interface CreateTree extends PageChange {
  readonly objectId: number
  /** The root page of the tree that gave the space. */
  readonly parentPage: number
  /** Pages of its first extent. */
  readonly extentPages: number
  readonly pageFlags: number
}

/** A new tree that is one page so far. */
export type CreateSingleExtent = CreateTree

/** A new tree with two trees that keep its space; all three pages are new. */
export interface CreateMultipleExtent extends CreateTree {
  readonly ownedPage: number
  readonly availablePage: number
}

/** One page is split into two: its upper part moves to a new page on its right. */
export interface Split2 extends PageChange {
  /** 0 at a level of the tree where nothing splits, and only the parent's entry is made. */
  readonly newPage: number
  /** The old right neighbour, whose backward link changes; 0 where there is none. */
  readonly rightPage: number
  readonly rightDbtimeBefore: number
  /** 0 where the split page is a root. */
  readonly parentPage: number
  readonly parentDbtimeBefore: number
  readonly rootPage: number
  readonly objectId: number
  /** Which kind of split, and for which change of a node. The engine's own numbers; our engine writes its own. */
  readonly splitType: number
  readonly operation: number
  /** The line of that change. */
  readonly lineOfChange: number
  /** The first line that moves. */
  readonly lineOfSplit: number
  /** Lines of the page before. */
  readonly lines: number
  readonly newPageFlags: number
  readonly splitPageFlags: number
  /** The key that the parent gets for the split page. */
  readonly parentKey: Uint8Array
  /** The split page as it was before, so that the new page can be made whatever has become of the old one on disk. */
  readonly pageImage: Uint8Array
}

/** The kinds of split, in `splitType`. Source: the engine's own numbers. */
export const SPLIT_TYPE: { readonly vertical: 0; readonly right: 1; readonly append: 2 } = {
  vertical: 0,
  right: 1,
  append: 2,
}

/** Byte offsets of the fields behind those of the page. */
const CREATE_SINGLE = { objectId: 32, parentPage: 36, extentPages: 40, pageFlags: 44 } as const
const CREATE_MULTIPLE = {
  objectId: 32,
  ownedPage: 36,
  availablePage: 40,
  parentPage: 44,
  extentPages: 48,
  pageFlags: 52,
} as const
const SPLIT = {
  newPage: 32,
  rightPage: 36,
  rightDbtimeBefore: 40,
  parentPage: 48,
  parentDbtimeBefore: 52,
  rootPage: 60,
  objectId: 64,
  splitType: 68,
  operation: 69,
  lineOfChange: 70,
  lineOfSplit: 72,
  lines: 74,
  newPageFlags: 76,
  splitPageFlags: 80,
  uncommittedFree: 84,
  prefixLines: 88,
  prefixBytesBefore: 96,
  prefixBytesAfter: 98,
  parentKeyBytes: 100,
  imageFlags: 102,
  imageBytes: 106,
} as const
/** Where a split or a create leaves no prefix line. */
const NO_LINE = -1

/** CreateSingleExtentFDP. Returns where the next record goes; so do all below. */
export function writeCreateSingleExtent(log: LogBytes, at: number, create: CreateSingleExtent): number {
  const { view } = log
  view.setUint8(at, RECORD.createSingleExtent)
  writePageChange(view, at, create)
  view.setUint32(at + CREATE_SINGLE.objectId, create.objectId, true)
  view.setUint32(at + CREATE_SINGLE.parentPage, create.parentPage, true)
  view.setInt32(at + CREATE_SINGLE.extentPages, create.extentPages, true)
  view.setUint32(at + CREATE_SINGLE.pageFlags, create.pageFlags, true)
  return at + CREATE_SINGLE_EXTENT_BYTES
}

/** CreateMultipleExtentFDP. */
export function writeCreateMultipleExtent(log: LogBytes, at: number, create: CreateMultipleExtent): number {
  const { view } = log
  view.setUint8(at, RECORD.createMultipleExtent)
  writePageChange(view, at, create)
  view.setUint32(at + CREATE_MULTIPLE.objectId, create.objectId, true)
  view.setUint32(at + CREATE_MULTIPLE.ownedPage, create.ownedPage, true)
  view.setUint32(at + CREATE_MULTIPLE.availablePage, create.availablePage, true)
  view.setUint32(at + CREATE_MULTIPLE.parentPage, create.parentPage, true)
  view.setInt32(at + CREATE_MULTIPLE.extentPages, create.extentPages, true)
  view.setUint32(at + CREATE_MULTIPLE.pageFlags, create.pageFlags, true)
  return at + CREATE_MULTIPLE_EXTENT_BYTES
}

/** Split2, which logs of update 11 and later may hold: Exchange 2007 from its first service pack on. */
export function writeSplit2(log: LogBytes, at: number, split: Split2): number {
  const { bytes, view } = log
  view.setUint8(at, RECORD.split2)
  writePageChange(view, at, split)
  writeSplitPages(view, at, split)
  view.setUint8(at + SPLIT.splitType, split.splitType)
  view.setUint8(at + SPLIT.operation, split.operation)
  view.setUint16(at + SPLIT.lineOfChange, split.lineOfChange, true)
  view.setUint16(at + SPLIT.lineOfSplit, split.lineOfSplit, true)
  view.setUint16(at + SPLIT.lines, split.lines, true)
  view.setUint32(at + SPLIT.newPageFlags, split.newPageFlags, true)
  view.setUint32(at + SPLIT.splitPageFlags, split.splitPageFlags, true)
  view.setUint32(at + SPLIT.uncommittedFree, 0, true) // bytes of both pages that a rollback may free: ours keep none
  view.setInt32(at + SPLIT.prefixLines, NO_LINE, true)
  view.setInt32(at + SPLIT.prefixLines + 4, NO_LINE, true)
  view.setUint32(at + SPLIT.prefixBytesBefore, 0, true) // and none after
  view.setUint16(at + SPLIT.parentKeyBytes, split.parentKey.byteLength, true)
  view.setUint32(at + SPLIT.imageFlags, 0, true) // the image is neither shortened nor compressed
  view.setUint32(at + SPLIT.imageBytes, split.pageImage.byteLength, true)
  bytes.set(split.parentKey, at + SPLIT2_FIXED_BYTES)
  bytes.set(split.pageImage, at + SPLIT2_FIXED_BYTES + split.parentKey.byteLength)
  return at + SPLIT2_FIXED_BYTES + split.parentKey.byteLength + split.pageImage.byteLength
}

/** Reads the CreateSingleExtentFDP at `at`. */
export function readCreateSingleExtent(view: DataView, at: number): CreateSingleExtent {
  return {
    ...readPageChange(view, at),
    objectId: view.getUint32(at + CREATE_SINGLE.objectId, true),
    parentPage: view.getUint32(at + CREATE_SINGLE.parentPage, true),
    extentPages: view.getInt32(at + CREATE_SINGLE.extentPages, true),
    pageFlags: view.getUint32(at + CREATE_SINGLE.pageFlags, true),
  }
}

/** Reads the CreateMultipleExtentFDP at `at`. */
export function readCreateMultipleExtent(view: DataView, at: number): CreateMultipleExtent {
  return {
    ...readPageChange(view, at),
    objectId: view.getUint32(at + CREATE_MULTIPLE.objectId, true),
    ownedPage: view.getUint32(at + CREATE_MULTIPLE.ownedPage, true),
    availablePage: view.getUint32(at + CREATE_MULTIPLE.availablePage, true),
    parentPage: view.getUint32(at + CREATE_MULTIPLE.parentPage, true),
    extentPages: view.getInt32(at + CREATE_MULTIPLE.extentPages, true),
    pageFlags: view.getUint32(at + CREATE_MULTIPLE.pageFlags, true),
  }
}

/** Reads the Split2 at `at`. Its key and its image are views of the log's own memory. */
export function readSplit2(log: LogBytes, at: number): Split2 {
  const { bytes, view } = log
  const prefixBytes =
    view.getUint16(at + SPLIT.prefixBytesBefore, true) + view.getUint16(at + SPLIT.prefixBytesAfter, true)
  const keyAt = at + SPLIT2_FIXED_BYTES + prefixBytes
  const imageAt = keyAt + view.getUint16(at + SPLIT.parentKeyBytes, true)
  return {
    ...readPageChange(view, at),
    newPage: view.getUint32(at + SPLIT.newPage, true),
    rightPage: view.getUint32(at + SPLIT.rightPage, true),
    rightDbtimeBefore: readDbtime(view, at + SPLIT.rightDbtimeBefore),
    parentPage: view.getUint32(at + SPLIT.parentPage, true),
    parentDbtimeBefore: readDbtime(view, at + SPLIT.parentDbtimeBefore),
    rootPage: view.getUint32(at + SPLIT.rootPage, true),
    objectId: view.getUint32(at + SPLIT.objectId, true),
    splitType: view.getUint8(at + SPLIT.splitType),
    operation: view.getUint8(at + SPLIT.operation),
    lineOfChange: view.getUint16(at + SPLIT.lineOfChange, true),
    lineOfSplit: view.getUint16(at + SPLIT.lineOfSplit, true),
    lines: view.getUint16(at + SPLIT.lines, true),
    newPageFlags: view.getUint32(at + SPLIT.newPageFlags, true),
    splitPageFlags: view.getUint32(at + SPLIT.splitPageFlags, true),
    parentKey: bytes.subarray(keyAt, imageAt),
    pageImage: bytes.subarray(imageAt, imageAt + view.getUint32(at + SPLIT.imageBytes, true)),
  }
}

function writeSplitPages(view: DataView, at: number, split: Split2): void {
  view.setUint32(at + SPLIT.newPage, split.newPage, true)
  view.setUint32(at + SPLIT.rightPage, split.rightPage, true)
  writeDbtime(view, at + SPLIT.rightDbtimeBefore, split.rightPage === 0 ? NO_DBTIME : split.rightDbtimeBefore)
  view.setUint32(at + SPLIT.parentPage, split.parentPage, true)
  writeDbtime(view, at + SPLIT.parentDbtimeBefore, split.parentPage === 0 ? NO_DBTIME : split.parentDbtimeBefore)
  view.setUint32(at + SPLIT.rootPage, split.rootPage, true)
  view.setUint32(at + SPLIT.objectId, split.objectId, true)
}
