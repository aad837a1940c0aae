// Goal: two databases compare as equal when their pages are, and else the first page is named that is not.
// Method: random pages and single changes of them; comparisons of small lists, held against what was changed.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openLogBytes } from '../../../engine/database/log-bytes.ts'
import { PAGE_BYTES, PAGE_FLAGS } from '../../../engine/database/page.ts'
import {
  comparePages,
  digestPage,
  formatPageDifference,
  type PageDigest,
} from '../../../engine/database/page-digest.ts'
import { sealPage } from '../../../engine/database/page-seal.ts'

const DBTIME_AT = 8
const FLAGS_AT = 36

function aPage(seed: number): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES)
  for (let at = 0; at < bytes.length; at++) bytes[at] = (seed + at * 31 + (at >>> 5)) & 0xff
  const view = new DataView(bytes.buffer)
  view.setUint32(DBTIME_AT, seed, true)
  view.setUint32(DBTIME_AT + 4, 0, true)
  view.setUint32(FLAGS_AT, PAGE_FLAGS.newChecksum, true)
  return bytes
}

function digests(...pages: readonly (readonly [page: number, seed: number])[]): PageDigest[] {
  return pages.flatMap(([page, seed]) => digestPage(page, aPage(seed)) ?? [])
}

describe('the digest of a page', () => {
  it('is the same before and after its checksum is written', () => {
    const page = aPage(7)
    const before = digestPage(5, page)
    sealPage(openLogBytes(page), 0, { bytes: PAGE_BYTES, number: 5 })

    expect(digestPage(5, page)).toEqual(before)
    expect(before?.dbtime).toBe(7)
  })

  it('is another one when any bit behind the checksum is turned, or when it is another page', () => {
    const page = aPage(3)
    const hash = digestPage(9, page)?.hash
    fc.assert(
      fc.property(fc.integer({ min: 64, max: PAGE_BYTES * 8 - 1 }), (bit) => {
        const changed = page.slice()
        changed[bit >>> 3] = (changed[bit >>> 3] ?? 0) ^ (1 << (bit & 7))
        expect(digestPage(9, changed)?.hash).not.toBe(hash)
      }),
    )
    expect(digestPage(10, page)?.hash).not.toBe(hash)
  })

  it('is another one when two words change places', () => {
    const page = aPage(3)
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 2046 }), fc.integer({ min: 1, max: 2000 }), (one, apart) => {
        const words = new Uint32Array(page.slice().buffer)
        const other = 10 + ((one - 10 + apart) % 2038)
        fc.pre(words[one] !== words[other])
        ;[words[one], words[other]] = [words[other] ?? 0, words[one] ?? 0]
        expect(digestPage(1, new Uint8Array(words.buffer))).not.toEqual(digestPage(1, page))
      }),
    )
  })

  it('is none for a page that was never written', () => {
    expect(digestPage(4, new Uint8Array(PAGE_BYTES))).toBeNull()
  })
})

describe('a comparison', () => {
  it('finds nothing where all pages are equal', () => {
    const same = digests([1, 10], [2, 20], [7, 70])

    expect(comparePages(same, digests([1, 10], [2, 20], [7, 70]))).toEqual({ pages: 3, differing: 0, first: null })
  })

  it('names the first page that differs, and counts the others', () => {
    const found = comparePages(digests([1, 10], [2, 20], [3, 30], [5, 50]), digests([1, 10], [2, 21], [4, 40], [5, 50]))

    expect(found).toMatchObject({ pages: 5, differing: 3, first: { page: 2 } })
    expect(found.first && formatPageDifference(found.first)).toBe(
      'page 2 has dbtime 20 on the active database, 21 on the copy',
    )
  })

  it.each([
    [digests([1, 1]), digests(), 'page 1 is on the active database only'],
    [digests(), digests([3, 1]), 'page 3 is on the copy only'],
    [digests([2, 5]), [{ page: 2, dbtime: 5, hash: '0'.repeat(16) }], 'page 2 has other content at the same dbtime 5'],
  ])('tells what differs, case %#', (active, copy, text) => {
    const { first } = comparePages(active, copy)

    expect(first && formatPageDifference(first)).toBe(text)
  })
})
