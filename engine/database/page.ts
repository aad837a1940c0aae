import { assert } from '../assert.ts'
import { type LogBytes, openLogBytes } from './log-bytes.ts'

/**
 * A page of a database in memory, open for reading and change in place. Nothing is kept beside its bytes: the same changes in
 * the same order give the same bytes, on the active copy that logs them and on the passive one that redoes them.
 *
 * Layout: a header of {@link PAGE_HEADER_BYTES}, data upwards from there, tags of four bytes downwards from the end. Tag 0 is
 * the external header; line n of the page is the node of tag n + 1.
 */
export type Page = LogBytes

/** The page size of Exchange 2007, in bytes. */
export const PAGE_BYTES = 8192
/** Bytes of the header of a page of up to 8 KB. Larger pages have another one and are verified only, never changed. */
export const PAGE_HEADER_BYTES = 40
/** Bytes of a tag. */
export const TAG_BYTES = 4

/** What a page is, as bits of its flags. Source: the engine's page header. */
export const PAGE_FLAGS = {
  root: 1,
  leaf: 2,
  /** Its children are leaves. */
  parentOfLeaf: 4,
  /** Freed: it belongs to no tree any more. */
  empty: 8,
  spaceTree: 0x20,
  index: 0x40,
  longValue: 0x80,
  nonUnique: 0x400,
  newRecordFormat: 0x800,
  /** It has an XE checksum; without the flag, the XOR of the time before Exchange 2003 SP1. */
  newChecksum: 0x2000,
  scrubbed: 0x4000,
} as const

/** What a new page begins with. */
export interface PageStart {
  /** The tree that it belongs to. */
  readonly objectId: number
  /** Bits of {@link PAGE_FLAGS}; `newChecksum` is set in any case. */
  readonly flags: number
  readonly dbtime: number
  /** The page before it on its level of the tree; 0 for none. */
  readonly previous: number
  /** The page after it; 0 for none. */
  readonly next: number
}

/** The sizes whose pages can be changed. */
const SMALL_PAGE_SIZES: readonly number[] = [2048, 4096, PAGE_BYTES]

const AT = {
  dbtime: 8,
  previous: 16,
  next: 20,
  objectId: 24,
  free: 28,
  uncommittedFree: 30,
  dataEnd: 32,
  tags: 34,
  flags: 36,
} as const

/** The factor of the upper word of a 64-bit number. */
const UPPER_WORD = 2 ** 32

/**
 * Opens a page where it lies; changes go through to `bytes`. What comes from a disk is to be verified before, and where it is not
 * known who wrote it, looked over by `checkPage`: the calls of this file and of `page-node.ts` trust the page.
 *
 * @param bytes a whole page of up to 8 KB, on a multiple of four in its memory
 */
export function openPage(bytes: Uint8Array): Page {
  assert(SMALL_PAGE_SIZES.includes(bytes.byteLength), 'a page that is changed has 2, 4 or 8 KB')
  assert(bytes.byteOffset % 4 === 0, 'a page lies on a multiple of four in its memory')
  return openLogBytes(bytes)
}

/** Makes a page empty: no node, an external header of no bytes, everything behind the header zero. */
export function initialisePage(page: Page, start: PageStart): void {
  const { view } = page
  page.bytes.fill(0)
  setPageDbtime(page, start.dbtime)
  view.setUint32(AT.previous, start.previous, true)
  view.setUint32(AT.next, start.next, true)
  view.setUint32(AT.objectId, start.objectId, true)
  view.setUint16(AT.free, view.byteLength - PAGE_HEADER_BYTES - TAG_BYTES, true)
  view.setUint16(AT.tags, 1, true)
  setPageFlags(page, start.flags)
}

/**
 * The dbtime of the page's last change. A number is exact up to 2^53 and spares the redo a bigint for each record; a database
 * whose counter gets there would have logged nine million billion changes.
 */
export function pageDbtime(page: Page): number {
  return page.view.getUint32(AT.dbtime, true) + page.view.getUint32(AT.dbtime + 4, true) * UPPER_WORD
}

/** Sets the dbtime: a whole number below 2^53. A change and its dbtime belong together; redo compares it before the next one. */
export function setPageDbtime(page: Page, dbtime: number): void {
  assert(Number.isSafeInteger(dbtime) && dbtime >= 0, 'a dbtime is a whole number below 2^53')
  page.view.setUint32(AT.dbtime, dbtime >>> 0, true)
  page.view.setUint32(AT.dbtime + 4, Math.floor(dbtime / UPPER_WORD), true)
}

/** The number of the page before this one on its level of the tree; 0 for none. */
export function pagePrevious(page: Page): number {
  return page.view.getUint32(AT.previous, true)
}

/** Sets {@link pagePrevious}. */
export function setPagePrevious(page: Page, number: number): void {
  page.view.setUint32(AT.previous, number, true)
}

/** The number of the page after this one on its level of the tree; 0 for none. */
export function pageNext(page: Page): number {
  return page.view.getUint32(AT.next, true)
}

/** Sets {@link pageNext}. */
export function setPageNext(page: Page, number: number): void {
  page.view.setUint32(AT.next, number, true)
}

/** The object (tree) that the page belongs to. */
export function pageObjectId(page: Page): number {
  return page.view.getUint32(AT.objectId, true)
}

/** Bits of {@link PAGE_FLAGS}. */
export function pageFlags(page: Page): number {
  return page.view.getUint32(AT.flags, true)
}

/** Sets the flags. That of the checksum stays set: a page of ours never has the older kind. */
export function setPageFlags(page: Page, flags: number): void {
  page.view.setUint32(AT.flags, flags | PAGE_FLAGS.newChecksum, true)
}

/** Bytes that no node and no tag uses, in one piece or in several. */
export function freeBytes(page: Page): number {
  return page.view.getUint16(AT.free, true)
}

/** Sets {@link freeBytes}. For the calls that change nodes. */
export function setFreeBytes(page: Page, bytes: number): void {
  page.view.setUint16(AT.free, bytes, true)
}

/** Of the free bytes, those that a transaction still under way may want back: an insert leaves them alone. */
export function uncommittedFreeBytes(page: Page): number {
  return page.view.getUint16(AT.uncommittedFree, true)
}

/**
 * Sets {@link uncommittedFreeBytes}. A commit is no change of the page and is not redone, so a store that wants its pages equal on
 * both sides either leaves this at 0 or sets it as part of logged changes only.
 */
export function setUncommittedFreeBytes(page: Page, bytes: number): void {
  assert(bytes >= 0 && bytes <= freeBytes(page), 'uncommitted free bytes are free bytes')
  page.view.setUint16(AT.uncommittedFree, bytes, true)
}

/** Where the free bytes behind all data begin, counted from the end of the header. */
export function dataEnd(page: Page): number {
  return page.view.getUint16(AT.dataEnd, true)
}

/** Sets {@link dataEnd}. For the calls that change nodes. */
export function setDataEnd(page: Page, offset: number): void {
  page.view.setUint16(AT.dataEnd, offset, true)
}

/** Tags in use, that of the external header included: one more than there are nodes. */
export function tagCount(page: Page): number {
  return page.view.getUint16(AT.tags, true)
}

/** Sets {@link tagCount}. For the calls that change nodes. */
export function setTagCount(page: Page, tags: number): void {
  page.view.setUint16(AT.tags, tags, true)
}
