import { assert } from '../assert.ts'
import { CHILD_BYTES, childAt, childLine } from './branch-page.ts'
import { type Blocked, type ChangeWriter, isBlocked } from './change-writer.ts'
import { openLogBytes } from './log-bytes.ts'
import { PAGE_FLAGS, type Page, pageFlags, pageNext } from './page.ts'
import { compareKey, findLine, nodeCount } from './page-node.ts'
import type { ByteRange } from './page-tag.ts'

/** A B+ tree: nodes in the order of their keys, in leaves that are linked both ways, below pages that lead to them. */
export interface TreeShape {
  readonly rootPage: number
  readonly objectId: number
  /** The longest key, in bytes. */
  readonly keyBytesMax: number
  /**
   * Keys that begin with the same bytes, so many, are a group whose new ones are mostly its highest: a mailbox, whose messages
   * come in order. A page is split behind such a group, not through it. 0 where the whole tree is one.
   */
  readonly groupBytes: number
}

/** A page on the way from the root to a leaf. */
export interface PathStep {
  readonly number: number
  readonly page: Page
  /** The line that the way goes on by; in the leaf, where the key is or would be. */
  readonly line: number
}

/** Where a key is in a tree, or would be. It holds until the next change of the tree, or until its step has ended. */
export interface TreePlace {
  /** From the root to the leaf. */
  readonly path: readonly PathStep[]
  readonly leaf: PathStep
  readonly found: boolean
}

/** More levels than any tree has: with two entries a page it would be 2^32 leaves. */
const LEVELS_MAX = 32
/** Bytes of the length of a key, before it. */
const KEY_LENGTH_BYTES = 2

/** Bytes that a node takes of {@link roomForNode}. */
export function nodeBytes(keyBytes: number, dataBytes: number): number {
  return KEY_LENGTH_BYTES + keyBytes + dataBytes
}

/** Bytes that an entry above the leaves takes, at most. */
export function entryBytesMax(tree: TreeShape): number {
  return nodeBytes(tree.keyBytesMax, CHILD_BYTES)
}

/** A whole array as a range. */
export function rangeOf(bytes: Uint8Array): ByteRange {
  return { from: openLogBytes(bytes), start: 0, bytes: bytes.byteLength }
}

/** Whether a page is one of the lowest level. */
export function isLeaf(page: Page): boolean {
  return (pageFlags(page) & PAGE_FLAGS.leaf) !== 0
}

/** Finds a key from the root down. All pages of the way are in memory at once then. */
export function findPlace(writer: ChangeWriter, tree: TreeShape, key: ByteRange): TreePlace | Blocked {
  const path: PathStep[] = []
  for (let number = tree.rootPage; ; ) {
    const page = writer.find(number)
    if (isBlocked(page)) return page
    assert(path.length < LEVELS_MAX, 'a tree has fewer than 32 levels')
    const line = isLeaf(page) ? findLine(page, key) : childLine(page, key)
    const step = { number, page, line }
    path.push(step)
    if (isLeaf(page)) return { path, leaf: step, found: isKeyAt(page, line, key) }
    number = childAt(page, line)
  }
}

/** The first node whose key is not below `key`, wherever it lies; null behind the last one. */
export function findNext(writer: ChangeWriter, tree: TreeShape, key: ByteRange): PathStep | Blocked | null {
  const place = findPlace(writer, tree, key)
  if (isBlocked(place)) return place
  let { leaf } = place
  while (leaf.line === nodeCount(leaf.page)) {
    const number = pageNext(leaf.page)
    if (number === 0) return null
    const page = writer.find(number)
    if (isBlocked(page)) return page
    leaf = { number, page, line: 0 }
  }
  return leaf
}

function isKeyAt(page: Page, line: number, key: ByteRange): boolean {
  return line < nodeCount(page) && compareKey(page, line, key) === 0
}
