import { type LogBytes, openLogBytes } from './log-bytes.ts'
import {
  dataEnd,
  freeBytes,
  PAGE_BYTES,
  PAGE_HEADER_BYTES,
  type Page,
  setDataEnd,
  setFreeBytes,
  setTagCount,
  TAG_BYTES,
  tagCount,
  uncommittedFreeBytes,
} from './page.ts'

/** A stretch of other memory that goes into a page: of a log that is redone, of another page. */
export interface ByteRange {
  readonly from: LogBytes
  readonly start: number
  readonly bytes: number
}

/** Why a page was not changed: it has no such line, or not the room. Then no byte of it is different. */
export type PageFault = 'no-such-line' | 'page-full'

/** Both halves of a tag are numbers of 13 bits; above the offset stand three flags of the node. */
const NUMBER_MASK = 0x1fff
const FLAGS_SHIFT = 13
const OFFSET_SHIFT = 16
/** Bytes that one turn of a copy moves. */
const TURN_BYTES = 16
/** Stands for "no tag" in {@link compactExcept}. */
const NO_TAG = -1

/** Where a page is copied to while its data is laid out anew. Filled and read within one call: nothing in it outlives that. */
const OLD_PAGE: LogBytes = openLogBytes(new Uint8Array(PAGE_BYTES))

/** Where a tag lies in its page. */
function tagOffset(page: Page, tag: number): number {
  return page.view.byteLength - TAG_BYTES * (tag + 1)
}

/** Where the bytes of a tag begin in the page. */
export function tagStart(page: Page, tag: number): number {
  return PAGE_HEADER_BYTES + (page.view.getUint16(tagOffset(page, tag) + 2, true) & NUMBER_MASK)
}

/** How many bytes a tag has. */
export function tagBytes(page: Page, tag: number): number {
  return page.view.getUint16(tagOffset(page, tag), true) & NUMBER_MASK
}

/** The three flags of a tag. */
export function tagFlags(page: Page, tag: number): number {
  return page.view.getUint16(tagOffset(page, tag) + 2, true) >>> FLAGS_SHIFT
}

/** Sets the flags of a tag. */
export function setTagFlags(page: Page, tag: number, flags: number): void {
  const at = tagOffset(page, tag) + 2
  page.view.setUint16(at, (page.view.getUint16(at, true) & NUMBER_MASK) | (flags << FLAGS_SHIFT), true)
}

/** Bytes that may still be taken, in one piece or, after {@link compactPage}, in one. */
export function availableBytes(page: Page): number {
  return freeBytes(page) - uncommittedFreeBytes(page)
}

/**
 * Opens a new tag of `bytes` bytes before the one that has the number now, which moves up with all behind it. The bytes are what
 * lay there; `tagStart` says where the caller is to write.
 */
export function insertTag(page: Page, tag: number, bytes: number): PageFault | null {
  const taken = bytes + TAG_BYTES
  if (taken > availableBytes(page)) return 'page-full'
  if (taken > gapBytes(page)) compactPage(page)
  const tags = tagCount(page)
  const lowest = tagOffset(page, tags)
  page.bytes.copyWithin(lowest, lowest + TAG_BYTES, tagOffset(page, tag) + TAG_BYTES)
  writeTag(page, tag, tagWord(dataEnd(page), bytes, 0))
  setTagCount(page, tags + 1)
  setDataEnd(page, dataEnd(page) + bytes)
  setFreeBytes(page, freeBytes(page) - taken)
  return null
}

/** Takes a tag out; all behind it move down. Its bytes are free afterwards, and stay where they are until something else needs them. */
export function removeTag(page: Page, tag: number): void {
  const tags = tagCount(page)
  const bytes = tagBytes(page, tag)
  shrinkEnd(page, tag, bytes)
  const lowest = tagOffset(page, tags - 1)
  page.bytes.copyWithin(lowest + TAG_BYTES, lowest, tagOffset(page, tag))
  page.view.setUint32(lowest, 0, true)
  setTagCount(page, tags - 1)
  setFreeBytes(page, freeBytes(page) + bytes + TAG_BYTES)
}

/** Gives a tag another length. The bytes that it had stay as far as they fit, and so do its flags; the rest is the caller's to write. */
export function resizeTag(page: Page, tag: number, bytes: number): PageFault | null {
  const growth = bytes - tagBytes(page, tag)
  if (growth > availableBytes(page)) return 'page-full'
  if (growth <= 0) shrinkEnd(page, tag, -growth)
  else if (!growInPlace(page, tag, growth)) moveToEnd(page, tag, bytes)
  writeTag(page, tag, tagWord(tagStart(page, tag) - PAGE_HEADER_BYTES, bytes, tagFlags(page, tag)))
  setFreeBytes(page, freeBytes(page) - growth)
  return null
}

/** Lays all data out anew without gaps, in the order of the tags. */
export function compactPage(page: Page): void {
  compactExcept(page, NO_TAG)
}

/**
 * Copies a range of other memory into a page. By words through two DataViews: that makes no object, where a subarray would make
 * one for each node.
 */
export function copyIntoPage(page: Page, at: number, range: ByteRange): void {
  const { start, bytes } = range
  const source = range.from.view
  const target = page.view
  const shift = at - start
  const end = start + bytes
  let from = start
  for (const last = end - TURN_BYTES; from <= last; from += TURN_BYTES) {
    target.setInt32(from + shift, source.getInt32(from, true), true)
    target.setInt32(from + shift + 4, source.getInt32(from + 4, true), true)
    target.setInt32(from + shift + 8, source.getInt32(from + 8, true), true)
    target.setInt32(from + shift + 12, source.getInt32(from + 12, true), true)
  }
  for (; from < end; from++) target.setUint8(from + shift, source.getUint8(from))
}

/** A tag as it lies in the page. */
function tagWord(offset: number, bytes: number, flags: number): number {
  return bytes | (offset << OFFSET_SHIFT) | (flags << (OFFSET_SHIFT + FLAGS_SHIFT))
}

function writeTag(page: Page, tag: number, word: number): void {
  page.view.setInt32(tagOffset(page, tag), word, true)
}

/** Free bytes in one piece between the data and the tags. */
function gapBytes(page: Page): number {
  return tagOffset(page, tagCount(page) - 1) - PAGE_HEADER_BYTES - dataEnd(page)
}

function endsData(page: Page, tag: number): boolean {
  return tagStart(page, tag) + tagBytes(page, tag) === PAGE_HEADER_BYTES + dataEnd(page)
}

/** The last `bytes` of a tag go. At the end of all data that makes the gap larger, elsewhere a hole. */
function shrinkEnd(page: Page, tag: number, bytes: number): void {
  if (bytes > 0 && endsData(page, tag)) setDataEnd(page, dataEnd(page) - bytes)
}

function growInPlace(page: Page, tag: number, growth: number): boolean {
  if (!endsData(page, tag) || growth > gapBytes(page)) return false
  setDataEnd(page, dataEnd(page) + growth)
  return true
}

/** Finds a place for a tag that grows: in the gap, or, where that is too small, behind all the others laid out anew. */
function moveToEnd(page: Page, tag: number, bytes: number): void {
  const before = tagBytes(page, tag)
  if (bytes > gapBytes(page)) {
    compactExcept(page, tag)
    setDataEnd(page, dataEnd(page) + bytes - before)
    return
  }
  const start = tagStart(page, tag)
  const offset = dataEnd(page)
  page.bytes.copyWithin(PAGE_HEADER_BYTES + offset, start, start + before)
  writeTag(page, tag, tagWord(offset, before, tagFlags(page, tag)))
  setDataEnd(page, offset + bytes)
}

/** Lays the data out anew in the order of the tags, that of one of them last, so that it can grow. */
function compactExcept(page: Page, last: number): void {
  OLD_PAGE.bytes.set(page.bytes)
  const tags = tagCount(page)
  let offset = 0
  for (let tag = 0; tag < tags; tag++) if (tag !== last) offset = layDown(page, tag, offset)
  if (last !== NO_TAG) offset = layDown(page, last, offset)
  setDataEnd(page, offset)
}

function layDown(page: Page, tag: number, offset: number): number {
  const bytes = tagBytes(page, tag)
  copyIntoPage(page, PAGE_HEADER_BYTES + offset, { from: OLD_PAGE, start: tagStart(page, tag), bytes })
  writeTag(page, tag, tagWord(offset, bytes, tagFlags(page, tag)))
  return offset + bytes
}
