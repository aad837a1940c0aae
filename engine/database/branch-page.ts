import type { Page } from './page.ts'
import { compareKey, deleteNode, insertNode, nodeCount, nodeDataStart } from './page-node.ts'
import type { ByteRange, PageFault } from './page-tag.ts'

/**
 * A page above the leaves: one entry for each page below it. An entry's key is the lowest that may lie below it; that of the
 * first entry does not count, since whatever is below the second one's is below the first entry. So the first page below a
 * page can be taken out without a change of any key.
 */

/** Bytes of the data of an entry: the number of a page. */
export const CHILD_BYTES = 4

/** The entry whose page a key belongs below: the last one whose key is not above it; the first where all others are. */
export function childLine(page: Page, key: ByteRange): number {
  let lo = 1
  let hi = nodeCount(page)
  while (lo < hi) {
    const middle = (lo + hi) >>> 1
    if (compareKey(page, middle, key) <= 0) lo = middle + 1
    else hi = middle
  }
  return lo - 1
}

/** The page that an entry leads to. */
export function childAt(page: Page, line: number): number {
  return page.view.getUint32(nodeDataStart(page, line), true)
}

/** The entry that leads to page `child`, or -1. A walk over all entries: pages go out of a tree rarely. */
function lineOfChild(page: Page, child: number): number {
  const lines = nodeCount(page)
  for (let line = 0; line < lines; line++) if (childAt(page, line) === child) return line
  return -1
}

/** Adds the entry of a page that was split off; its key is above that of the page it came from. */
export function insertChild(
  page: Page,
  entry: { readonly key: ByteRange; readonly data: ByteRange },
): PageFault | null {
  return insertNode(page, childLine(page, entry.key) + 1, { ...entry, flags: 0 })
}

/** Takes the entry of a page out. Returns null, or `no-such-line` where there is none; nothing is changed then. */
export function deleteChild(page: Page, child: number): PageFault | null {
  return deleteNode(page, lineOfChild(page, child))
}
