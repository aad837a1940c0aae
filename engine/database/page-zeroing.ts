import { PAGE_HEADER_BYTES, type Page, TAG_BYTES, tagCount } from './page.ts'
import { tagBytes, tagStart } from './page-tag.ts'

/** Bytes `[lo, hi)` of a page. */
interface Span {
  readonly lo: number
  readonly hi: number
}

/**
 * Whether something still stands in the bytes that the page does not use: what was deleted, moved or shortened leaves its bytes
 * behind until others need the room.
 *
 * @param page one that makes sense, as `checkPage` tells
 */
export function holdsRemains(page: Page): boolean {
  return unusedSpans(page).some(({ lo, hi }) => isWritten(page, lo, hi))
}

/**
 * Overwrites with zeros what the page does not use: the gaps between its nodes, and all between the last of them and the tags.
 * Nothing else changes, so every reader sees the same page as before.
 *
 * @param page one that makes sense, as `checkPage` tells
 */
export function zeroRemains(page: Page): void {
  for (const { lo, hi } of unusedSpans(page)) page.bytes.fill(0, lo, hi)
}

/** Ascending. */
function unusedSpans(page: Page): Span[] {
  const tags = tagCount(page)
  const used: Span[] = []
  for (let tag = 0; tag < tags; tag++) {
    const lo = tagStart(page, tag)
    if (tagBytes(page, tag) > 0) used.push({ lo, hi: lo + tagBytes(page, tag) })
  }
  used.sort((a, b) => a.lo - b.lo)
  const spans: Span[] = []
  let lo = PAGE_HEADER_BYTES
  for (const span of used) {
    spans.push({ lo, hi: span.lo })
    lo = span.hi
  }
  return [...spans, { lo, hi: page.view.byteLength - tags * TAG_BYTES }]
}

function isWritten({ bytes }: Page, lo: number, hi: number): boolean {
  for (let at = lo; at < hi; at++) if (bytes[at] !== 0) return true
  return false
}
