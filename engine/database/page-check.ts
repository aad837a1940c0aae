import { dataEnd, freeBytes, PAGE_HEADER_BYTES, type Page, TAG_BYTES, tagCount, uncommittedFreeBytes } from './page.ts'
import { NODE_FLAGS } from './page-node.ts'
import { tagBytes, tagFlags, tagStart } from './page-tag.ts'

/**
 * Looks a page over: whether its tags lie inside it and do not overlap, its free space is what is left, and each node holds its
 * key. Any bytes may be given. Real pages of 4 and 8 KB pass it, also those with compressed keys.
 *
 * @returns what does not hold, or null. A checksum proves that a page is as it was written; this proves that it makes sense.
 */
export function checkPage(page: Page): string | null {
  const tags = tagCount(page)
  const room = page.view.byteLength - PAGE_HEADER_BYTES
  if (tags < 1 || tags * TAG_BYTES > room) return `${tags} tags are none at all or more than the page holds`
  return faultOfData(page, tags, room) ?? faultOfFreeSpace(page, tags, room) ?? faultOfNodes(page, tags)
}

function faultOfData(page: Page, tags: number, room: number): string | null {
  const end = PAGE_HEADER_BYTES + dataEnd(page)
  if (end > PAGE_HEADER_BYTES + room - tags * TAG_BYTES) return 'the data runs into the tags'
  const ranges: { tag: number; start: number; end: number }[] = []
  for (let tag = 0; tag < tags; tag++) {
    const start = tagStart(page, tag)
    if (tagBytes(page, tag) > 0) ranges.push({ tag, start, end: start + tagBytes(page, tag) })
  }
  ranges.sort((a, b) => a.start - b.start)
  let taken = PAGE_HEADER_BYTES
  for (const range of ranges) {
    if (range.start < taken) return `tag ${range.tag} overlaps the bytes of another`
    taken = range.end
  }
  return taken > end ? 'a tag reaches behind the end of the data' : null
}

function faultOfFreeSpace(page: Page, tags: number, room: number): string | null {
  let used = tags * TAG_BYTES
  for (let tag = 0; tag < tags; tag++) used += tagBytes(page, tag)
  if (freeBytes(page) !== room - used) return `${freeBytes(page)} bytes are said to be free, ${room - used} are`
  return uncommittedFreeBytes(page) > freeBytes(page) ? 'more bytes are free uncommitted than free' : null
}

function faultOfNodes(page: Page, tags: number): string | null {
  for (let tag = 1; tag < tags; tag++) {
    const lengths = (tagFlags(page, tag) & NODE_FLAGS.compressedKey) === 0 ? 2 : 4
    const bytes = tagBytes(page, tag)
    if (bytes < lengths) return `the node of tag ${tag} has no room for the length of its key`
    const key = page.view.getUint16(tagStart(page, tag) + lengths - 2, true) & 0x1fff
    if (lengths + key > bytes) return `the key of tag ${tag} is longer than its node`
  }
  return null
}
