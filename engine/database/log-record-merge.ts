import { NO_DBTIME, readDbtime, writeDbtime } from './dbtime.ts'
import type { LogBytes } from './log-bytes.ts'
import { type PageChange, readPageChange, writePageChange } from './log-record-page.ts'
import { RECORD } from './log-record-table.ts'

/** Bytes of a Merge2 before its key and its page image. */
export const MERGE2_FIXED_BYTES = 96

/** A page goes out of its tree: its neighbours and its parent forget it. */
export interface Merge2 extends PageChange {
  /** The right neighbour, whose backward link changes; 0 where there is none. */
  readonly rightPage: number
  readonly rightDbtimeBefore: number
  /** The left neighbour, whose forward link changes; 0 where there is none. */
  readonly leftPage: number
  readonly leftDbtimeBefore: number
  /** The page whose entry for the merged one goes; 0 where that page goes out in the same macro. */
  readonly parentPage: number
  readonly parentDbtimeBefore: number
  readonly rootPage: number
  readonly objectId: number
  /** What moves to the right neighbour, where anything does: bytes now, the most there may be, and those to be freed later. */
  readonly movedBytes: number
  readonly movedBytesMax: number
  readonly uncommittedFree: number
  /** The first line that moves. */
  readonly lineOfMerge: number
  /** A sum of {@link MERGE_FLAG}. */
  readonly mergeFlags: number
  /** One of {@link MERGE_TYPE}, or another of the engine's kinds. */
  readonly mergeType: number
  /** How the image is stored: 0 is whole and as it is. */
  readonly imageFlags: number
  /** A separator that the parent gets for the left neighbour; empty where none changes. */
  readonly parentKey: Uint8Array
  /** The page before, where anything moves out of it. */
  readonly pageImage: Uint8Array
}

/** What a merge does to the parent and to the page. Source: the engine's own numbers. */
export const MERGE_FLAG: { readonly keyChange: 1; readonly deleteNode: 2; readonly emptyPage: 4 } = {
  keyChange: 1,
  deleteNode: 2,
  emptyPage: 4,
}

/** The kind of merge that our engine makes: the page is empty, nothing moves. Source: the engine's own number. */
export const MERGE_TYPE: { readonly emptyPage: 1 } = { emptyPage: 1 }

/** Byte offsets of the fields behind those of the page. */
const MERGE = {
  rightPage: 32,
  rightDbtimeBefore: 36,
  leftPage: 44,
  leftDbtimeBefore: 48,
  parentPage: 56,
  parentDbtimeBefore: 60,
  rootPage: 68,
  objectId: 72,
  movedBytes: 76,
  movedBytesMax: 78,
  uncommittedFree: 80,
  lineOfMerge: 82,
  mergeFlags: 84,
  mergeType: 85,
  parentKeyBytes: 86,
  imageFlags: 88,
  imageBytes: 92,
} as const

/** Merge2, which logs of update 11 and later may hold. Returns where the next record goes. */
export function writeMerge2(log: LogBytes, at: number, merge: Merge2): number {
  const { bytes, view } = log
  view.setUint8(at, RECORD.merge2)
  writePageChange(view, at, merge)
  writeMergedPages(view, at, merge)
  view.setUint16(at + MERGE.movedBytes, merge.movedBytes, true)
  view.setUint16(at + MERGE.movedBytesMax, merge.movedBytesMax, true)
  view.setUint16(at + MERGE.uncommittedFree, merge.uncommittedFree, true)
  view.setUint16(at + MERGE.lineOfMerge, merge.lineOfMerge, true)
  view.setUint8(at + MERGE.mergeFlags, merge.mergeFlags)
  view.setUint8(at + MERGE.mergeType, merge.mergeType)
  view.setUint16(at + MERGE.parentKeyBytes, merge.parentKey.byteLength, true)
  view.setUint32(at + MERGE.imageFlags, merge.imageFlags, true)
  view.setUint32(at + MERGE.imageBytes, merge.pageImage.byteLength, true)
  bytes.set(merge.parentKey, at + MERGE2_FIXED_BYTES)
  bytes.set(merge.pageImage, at + MERGE2_FIXED_BYTES + merge.parentKey.byteLength)
  return at + MERGE2_FIXED_BYTES + merge.parentKey.byteLength + merge.pageImage.byteLength
}

/** Reads the Merge2 at `at`. Its key and its image are views of the log's own memory. */
export function readMerge2(log: LogBytes, at: number): Merge2 {
  const { bytes, view } = log
  const imageAt = at + MERGE2_FIXED_BYTES + view.getUint16(at + MERGE.parentKeyBytes, true)
  return {
    ...readPageChange(view, at),
    rightPage: view.getUint32(at + MERGE.rightPage, true),
    rightDbtimeBefore: readDbtime(view, at + MERGE.rightDbtimeBefore),
    leftPage: view.getUint32(at + MERGE.leftPage, true),
    leftDbtimeBefore: readDbtime(view, at + MERGE.leftDbtimeBefore),
    parentPage: view.getUint32(at + MERGE.parentPage, true),
    parentDbtimeBefore: readDbtime(view, at + MERGE.parentDbtimeBefore),
    rootPage: view.getUint32(at + MERGE.rootPage, true),
    objectId: view.getUint32(at + MERGE.objectId, true),
    movedBytes: view.getUint16(at + MERGE.movedBytes, true),
    movedBytesMax: view.getUint16(at + MERGE.movedBytesMax, true),
    uncommittedFree: view.getUint16(at + MERGE.uncommittedFree, true),
    lineOfMerge: view.getUint16(at + MERGE.lineOfMerge, true),
    mergeFlags: view.getUint8(at + MERGE.mergeFlags),
    mergeType: view.getUint8(at + MERGE.mergeType),
    imageFlags: view.getUint32(at + MERGE.imageFlags, true),
    parentKey: bytes.subarray(at + MERGE2_FIXED_BYTES, imageAt),
    pageImage: bytes.subarray(imageAt, imageAt + view.getUint32(at + MERGE.imageBytes, true)),
  }
}

function writeMergedPages(view: DataView, at: number, merge: Merge2): void {
  view.setUint32(at + MERGE.rightPage, merge.rightPage, true)
  writeDbtime(view, at + MERGE.rightDbtimeBefore, merge.rightPage === 0 ? NO_DBTIME : merge.rightDbtimeBefore)
  view.setUint32(at + MERGE.leftPage, merge.leftPage, true)
  writeDbtime(view, at + MERGE.leftDbtimeBefore, merge.leftPage === 0 ? NO_DBTIME : merge.leftDbtimeBefore)
  view.setUint32(at + MERGE.parentPage, merge.parentPage, true)
  writeDbtime(view, at + MERGE.parentDbtimeBefore, merge.parentPage === 0 ? NO_DBTIME : merge.parentDbtimeBefore)
  view.setUint32(at + MERGE.rootPage, merge.rootPage, true)
  view.setUint32(at + MERGE.objectId, merge.objectId, true)
}
