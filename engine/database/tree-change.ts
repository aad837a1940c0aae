import { CHILD_BYTES, deleteChild, insertChild } from './branch-page.ts'
import { openLogBytes } from './log-bytes.ts'
import { MERGE_TYPE, type Merge2 } from './log-record-merge.ts'
import { SPLIT_TYPE, type Split2 } from './log-record-tree.ts'
import { initialisePage, PAGE_FLAGS, type Page, setPageFlags, setPageNext, setPagePrevious } from './page.ts'
import { checkPage } from './page-check.ts'
import {
  deleteNode,
  insertNode,
  nodeCount,
  nodeDataBytes,
  nodeDataStart,
  nodeFlags,
  nodeKeyBytes,
  nodeKeyStart,
} from './page-node.ts'
import type { ByteRange, PageFault } from './page-tag.ts'

/** The pages of a unit of redo, by number; null for one that has the change already. */
type PageLookup = (number: number) => Page | null

/** Why a change of several pages cannot be made: one of them is not what the record found, or the record itself is wrong. */
export type TreeFault = PageFault | 'bad-image' | 'unknown-change'

/** The object that page 1 and every freed page belong to: the space of the database. */
export const SPACE_OBJECT = 1

/**
 * Splits a page, on those of its pages that lack the change. A root becomes the parent of the new page, which takes all of its
 * lines; of any other page the lines from `lineOfSplit` on move to the new one on its right. The new page is made from the
 * image in the record, since the split page may lie on disk already without them.
 *
 * @param image a page of the database's size, to open the record's image in
 * @returns null, or what is wrong; some of the pages may be changed then
 */
export function changeBySplit(split: Split2, pages: PageLookup, image: Page): TreeFault | null {
  const isVertical = split.splitType === SPLIT_TYPE.vertical
  return (
    makeNewPage(split, pages(split.newPage), image) ??
    (isVertical ? raiseRoot(split, pages(split.page)) : cutPage(split, pages)) ??
    (split.parentPage === 0 ? null : tellParent(split, pages(split.parentPage)))
  )
}

/**
 * Takes a page without nodes out of its tree, on those of its pages that lack the change; afterwards it is an empty page of the
 * space. Returns what {@link changeBySplit} does.
 */
export function changeByMerge(merge: Merge2, pages: PageLookup): TreeFault | null {
  if (merge.mergeType !== MERGE_TYPE.emptyPage) return 'unknown-change'
  const own = pages(merge.page)
  const left = merge.leftPage === 0 ? null : pages(merge.leftPage)
  const right = merge.rightPage === 0 ? null : pages(merge.rightPage)
  const parent = merge.parentPage === 0 ? null : pages(merge.parentPage)
  const freed = { objectId: SPACE_OBJECT, flags: PAGE_FLAGS.empty, dbtime: 0, previous: 0, next: 0 }
  if (own !== null) initialisePage(own, freed)
  if (left !== null) setPageNext(left, merge.rightPage)
  if (right !== null) setPagePrevious(right, merge.leftPage)
  return parent === null ? null : deleteChild(parent, merge.page)
}

/** The new page: the lines that move, from the image. */
function makeNewPage(split: Split2, page: Page | null, image: Page): TreeFault | null {
  if (page === null) return null
  const isVertical = split.splitType === SPLIT_TYPE.vertical
  const first = isVertical ? 0 : split.lineOfSplit
  if (first < split.lines && !openImage(split.pageImage, image)) return 'bad-image'
  if (first < split.lines && nodeCount(image) !== split.lines) return 'bad-image'
  const links = isVertical ? { previous: 0, next: 0 } : { previous: split.page, next: split.rightPage }
  initialisePage(page, { objectId: split.objectId, flags: split.newPageFlags, dbtime: 0, ...links })
  for (let line = first; line < split.lines; line++) {
    const fault = insertNode(page, line - first, nodeOf(image, line))
    if (fault !== null) return fault
  }
  return null
}

function openImage(bytes: Uint8Array, image: Page): boolean {
  if (bytes.byteLength !== image.bytes.byteLength) return false
  image.bytes.set(bytes)
  return checkPage(image) === null
}

function nodeOf(page: Page, line: number): { key: ByteRange; data: ByteRange; flags: number } {
  return {
    key: { from: page, start: nodeKeyStart(page, line), bytes: nodeKeyBytes(page, line) },
    data: { from: page, start: nodeDataStart(page, line), bytes: nodeDataBytes(page, line) },
    flags: nodeFlags(page, line),
  }
}

/** A root that gave all of its lines to the new page has one entry for it. */
function raiseRoot(split: Split2, root: Page | null): TreeFault | null {
  if (root === null) return null
  const fault = deleteLinesFrom(root, 0, split.lines)
  setPageFlags(root, split.splitPageFlags)
  return fault ?? insertNode(root, 0, { key: rangeOf(NO_BYTES), data: childData(split.newPage), flags: 0 })
}

/** The split page loses the lines that moved, and both of its neighbours on the right learn of the new page. */
function cutPage(split: Split2, pages: PageLookup): TreeFault | null {
  const right = split.rightPage === 0 ? null : pages(split.rightPage)
  if (right !== null) setPagePrevious(right, split.newPage)
  const page = pages(split.page)
  if (page === null) return null
  setPageNext(page, split.newPage)
  setPageFlags(page, split.splitPageFlags)
  return deleteLinesFrom(page, split.lineOfSplit, split.lines)
}

function tellParent(split: Split2, parent: Page | null): TreeFault | null {
  if (parent === null) return null
  return insertChild(parent, { key: rangeOf(split.parentKey), data: childData(split.newPage) })
}

/** Deletes from the last line on, which moves no other. */
function deleteLinesFrom(page: Page, first: number, lines: number): PageFault | null {
  if (nodeCount(page) !== lines) return 'no-such-line'
  for (let line = lines - 1; line >= first; line--) deleteNode(page, line)
  return null
}

const NO_BYTES = new Uint8Array(0)

function rangeOf(bytes: Uint8Array): ByteRange {
  return { from: openLogBytes(bytes), start: 0, bytes: bytes.byteLength }
}

function childData(page: number): ByteRange {
  const range = rangeOf(new Uint8Array(CHILD_BYTES))
  range.from.view.setUint32(0, page, true)
  return range
}
