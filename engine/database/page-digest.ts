import { openLogBytes } from './log-bytes.ts'
import { pageDbtime } from './page.ts'
import { hashWords } from './word-hash.ts'

/** What is compared of a page: two pages with equal digests are taken for equal. */
export interface PageDigest {
  /** From 1 on; page n lies at byte (n + 1) × page size. */
  readonly page: number
  /** Of its last change; -1 where none that a counter reaches stands there. */
  readonly dbtime: number
  /** Of all its bytes but the checksum, as 16 hexadecimal digits. */
  readonly hash: string
}

/** A page of which two databases differ. */
export interface PageDifference {
  readonly page: number
  /** Null where the active database has no such page, or an empty one. */
  readonly active: PageDigest | null
  readonly copy: PageDigest | null
}

/** What a comparison of two databases came to. */
export interface PageComparison {
  /** Pages that at least one of the two has. */
  readonly pages: number
  readonly differing: number
  /** The lowest page that differs; null when the two are equal. */
  readonly first: PageDifference | null
}

/** The checksum and, in pages of the old kind, the page's number: both follow from the rest, and a page in memory has none yet. */
const CHECKSUM_BYTES = 8

/**
 * Digests a page, sealed or as it is in memory; null for an empty one, which was never written: a file may have grown on one side
 * and not yet on the other. Headers and checkpoint are no pages and may differ.
 *
 * @param bytes a whole page of any size
 */
export function digestPage(page: number, bytes: Uint8Array): PageDigest | null {
  const { words, view } = openLogBytes(bytes)
  if (words.every((word) => word === 0)) return null
  const dbtime = pageDbtime({ bytes, view, words, wideXor: null })
  return { page, dbtime, hash: digitsOf(hashWords(words, CHECKSUM_BYTES / 4, page)) }
}

/**
 * Compares the pages of two databases at the end of the same log, every change settled. Both lists ascend by page.
 */
export function comparePages(active: Iterable<PageDigest>, copy: Iterable<PageDigest>): PageComparison {
  const sides = { active: active[Symbol.iterator](), copy: copy[Symbol.iterator]() }
  let [a, c] = [nextOf(sides.active), nextOf(sides.copy)]
  let [pages, differing] = [0, 0]
  let first: PageDifference | null = null
  while (a !== null || c !== null) {
    const page = Math.min(a?.page ?? Number.POSITIVE_INFINITY, c?.page ?? Number.POSITIVE_INFINITY)
    const [ours, theirs] = [a?.page === page ? a : null, c?.page === page ? c : null]
    pages++
    if (ours?.hash !== theirs?.hash || ours?.dbtime !== theirs?.dbtime) {
      differing++
      first ??= { page, active: ours, copy: theirs }
    }
    if (ours !== null) a = nextOf(sides.active)
    if (theirs !== null) c = nextOf(sides.copy)
  }
  return { pages, differing, first }
}

/** What a person reads of a difference. */
export function formatPageDifference({ page, active, copy }: PageDifference): string {
  if (active === null) return `page ${page} is on the copy only`
  if (copy === null) return `page ${page} is on the active database only`
  if (active.dbtime === copy.dbtime) return `page ${page} has other content at the same dbtime ${active.dbtime}`
  return `page ${page} has dbtime ${active.dbtime} on the active database, ${copy.dbtime} on the copy`
}

function nextOf(side: Iterator<PageDigest>): PageDigest | null {
  const { done, value } = side.next()
  return done === true ? null : value
}

function digitsOf(hash: bigint): string {
  return hash.toString(16).padStart(16, '0')
}
