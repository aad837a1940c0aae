import { assert } from '../assert.ts'
import { type Page, TAG_BYTES, tagCount } from './page.ts'
import {
  availableBytes,
  type ByteRange,
  copyIntoPage,
  insertTag,
  type PageFault,
  removeTag,
  resizeTag,
  setTagFlags,
  tagBytes,
  tagFlags,
  tagStart,
} from './page-tag.ts'

/**
 * A node to insert. Its parts lie in other memory, mostly in the log record that tells of it; who inserts many keeps one such
 * object and changes it, so that a redo makes none for each record.
 */
export interface NodeContent {
  readonly key: ByteRange
  readonly data: ByteRange
  /** Bits of {@link NODE_FLAGS}. */
  readonly flags: number
}

/** What a node is, as bits of its flags. */
export const NODE_FLAGS = {
  /** A transaction may still need another version of it. */
  versioned: 1,
  /** No reader sees it any more; its space is freed later. */
  deleted: 2,
  /** Part of its key stands in the external header. Real databases have such nodes; ours do not. */
  compressedKey: 4,
} as const

/** The length of the key stands before it. */
const KEY_LENGTH_BYTES = 2
/** Of a length of 16 bits, 13 count; no node is longer than a page. */
const KEY_LENGTH_MASK = 0x1fff

/** How many nodes a page has: its lines are `[0, nodeCount)`. */
export function nodeCount(page: Page): number {
  return tagCount(page) - 1
}

/** The longest node (length of the key, key, data) that can be inserted now, in bytes; below 0 when not even an empty one can. */
export function roomForNode(page: Page): number {
  return availableBytes(page) - TAG_BYTES
}

/** Bits of {@link NODE_FLAGS}. `line` must be one of the page's. */
export function nodeFlags(page: Page, line: number): number {
  return tagFlags(page, tagOf(page, line))
}

/** Where the key of a node begins in the page; of a compressed one, the part that is its own. */
export function nodeKeyStart(page: Page, line: number): number {
  return lengthOffset(page, tagOf(page, line)) + KEY_LENGTH_BYTES
}

/** How long the key of a node is; of a compressed one, the part that is its own. */
export function nodeKeyBytes(page: Page, line: number): number {
  return page.view.getUint16(lengthOffset(page, tagOf(page, line)), true) & KEY_LENGTH_MASK
}

/** Where the data of a node begins in the page. */
export function nodeDataStart(page: Page, line: number): number {
  return nodeKeyStart(page, line) + nodeKeyBytes(page, line)
}

/** How long the data of a node is. */
export function nodeDataBytes(page: Page, line: number): number {
  const tag = tagOf(page, line)
  return tagStart(page, tag) + tagBytes(page, tag) - nodeDataStart(page, line)
}

/**
 * Inserts a node as line `line`; the one that had the number and all behind it move up by one.
 *
 * @param node its ranges lie in other memory than the page
 * @returns null, or why nothing was changed
 */
export function insertNode(page: Page, line: number, node: NodeContent): PageFault | null {
  const { key, data } = node
  if (line < 0 || line > nodeCount(page)) return 'no-such-line'
  assertElsewhere(page, key)
  assertElsewhere(page, data)
  const tag = line + 1
  const fault = insertTag(page, tag, KEY_LENGTH_BYTES + key.bytes + data.bytes)
  if (fault !== null) return fault
  const start = tagStart(page, tag)
  page.view.setUint16(start, key.bytes, true)
  copyIntoPage(page, start + KEY_LENGTH_BYTES, key)
  copyIntoPage(page, start + KEY_LENGTH_BYTES + key.bytes, data)
  setTagFlags(page, tag, node.flags)
  return null
}

/** Gives a node other data; key and flags stay. Returns null, or why nothing was changed. `data` lies in other memory. */
export function replaceNodeData(page: Page, line: number, data: ByteRange): PageFault | null {
  if (line < 0 || line >= nodeCount(page)) return 'no-such-line'
  assertElsewhere(page, data)
  const tag = line + 1
  const kept = nodeDataStart(page, line) - tagStart(page, tag)
  const fault = resizeTag(page, tag, kept + data.bytes)
  if (fault === null) copyIntoPage(page, tagStart(page, tag) + kept, data)
  return fault
}

/** Takes a node out; all behind it move down by one. Returns null, or why nothing was changed. */
export function deleteNode(page: Page, line: number): PageFault | null {
  if (line < 0 || line >= nodeCount(page)) return 'no-such-line'
  removeTag(page, line + 1)
  return null
}

/** Sets bits of {@link NODE_FLAGS}: `deleted` hides a node until it is taken out. Returns null, or why nothing was changed. */
export function flagNode(page: Page, line: number, flags: number): PageFault | null {
  if (line < 0 || line >= nodeCount(page)) return 'no-such-line'
  setTagFlags(page, line + 1, nodeFlags(page, line) | flags)
  return null
}

/** Takes bits of {@link NODE_FLAGS} away, as the undo of a deletion does. Returns null, or why nothing was changed. */
export function unflagNode(page: Page, line: number, flags: number): PageFault | null {
  if (line < 0 || line >= nodeCount(page)) return 'no-such-line'
  setTagFlags(page, line + 1, nodeFlags(page, line) & ~flags)
  return null
}

/** Where the external header begins in the page: what a tree keeps for itself, in its root the facts of its space. */
export function externalHeaderStart(page: Page): number {
  return tagStart(page, 0)
}

/** How long the external header is; 0 in a new page. */
export function externalHeaderBytes(page: Page): number {
  return tagBytes(page, 0)
}

/** Replaces the external header. Returns null, or why nothing was changed. `content` lies in other memory. */
export function setExternalHeader(page: Page, content: ByteRange): PageFault | null {
  assertElsewhere(page, content)
  const fault = resizeTag(page, 0, content.bytes)
  if (fault === null) copyIntoPage(page, tagStart(page, 0), content)
  return fault
}

/**
 * The first line whose key is not below `key`, or `nodeCount` when all are: where the node with this key is, or would be
 * inserted. Keys compare byte by byte, and one that is the beginning of another comes first; those of the page ascend and are not
 * compressed.
 */
export function findLine(page: Page, key: ByteRange): number {
  let lo = 0
  let hi = nodeCount(page)
  while (lo < hi) {
    const middle = (lo + hi) >>> 1
    if (compareKey(page, middle, key) < 0) lo = middle + 1
    else hi = middle
  }
  return lo
}

/** Below 0, 0 or above 0, as the key of the line stands to `key`. The order is that of {@link findLine}. */
export function compareKey(page: Page, line: number, key: ByteRange): number {
  const start = nodeKeyStart(page, line)
  const own = nodeKeyBytes(page, line)
  const common = Math.min(own, key.bytes)
  for (let at = 0; at < common; at++) {
    const difference = page.view.getUint8(start + at) - key.from.view.getUint8(key.start + at)
    if (difference !== 0) return difference
  }
  return own - key.bytes
}

function tagOf(page: Page, line: number): number {
  assert(line >= 0 && line < nodeCount(page), 'the page has the line that is read')
  return line + 1
}

/** Where the length of the node's own key stands: a compressed node has the length of the part that is not its own before it. */
function lengthOffset(page: Page, tag: number): number {
  const compressed = (tagFlags(page, tag) & NODE_FLAGS.compressedKey) !== 0
  return tagStart(page, tag) + (compressed ? KEY_LENGTH_BYTES : 0)
}

/** Before anything is changed: a range that ends outside its memory would leave a page half written. */
function assertElsewhere(page: Page, { from, start, bytes }: ByteRange): void {
  assert(from.view !== page.view, 'what goes into a page comes from other memory')
  assert(start >= 0 && bytes >= 0 && start + bytes <= from.view.byteLength, 'a range lies inside its memory')
}
