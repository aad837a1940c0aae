// Goal: of the file of saved pages nothing is answered but whole images of its newest batch, whatever lies there.
// Method: batches over each other; every sector and every bit of a head changed, bits of the page by chance; any bytes at all.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readSavedPages } from '../../../engine/database/saved-page-file.ts'
import type { PageImage } from '../../../engine/database/store-order.ts'
import { withFlippedBit } from './build.ts'
import { aRepetitivePage, batchId, slotBeforeDigests, slotsOf } from './store/saved-pages-build.ts'

const HEAD_BITS = 512 * 8

function batchOf(id: number, numbers: readonly number[]): { pages: PageImage[]; slots: Uint8Array } {
  const pages = numbers.map((number) => aRepetitivePage(number, id, [number, id]))
  return { pages, slots: slotsOf(pages, { batch: batchId(id), headerDigest: BigInt(id) }) }
}

function numbersIn(file: Uint8Array): number[] {
  return readSavedPages(file).map(({ number }) => number)
}

describe('the file of saved pages', () => {
  it('answers the newest batch, with the header that it was saved under', () => {
    const older = batchOf(1, [2, 3, 4, 5])
    const { pages, slots } = batchOf(2, [3, 9])
    const file = older.slots.slice()
    file.set(slots)

    expect(readSavedPages(file)).toEqual(pages.map((page) => ({ ...page, headerDigest: 2n })))
    expect(numbersIn(older.slots)).toEqual([2, 3, 4, 5])
  })

  it('answers the others of a batch where one is torn, and none of an older batch', () => {
    const older = batchOf(1, [2, 3, 4, 5])
    const { slots } = batchOf(2, [3, 9, 11])
    const file = older.slots.slice()
    file.set(slots)
    file.fill(0, slots.length / 3 + 600, slots.length / 3 + 700)

    expect(numbersIn(file)).toEqual([3, 11])
  })

  it('answers no slot of which a bit is turned, in its head or in its page', () => {
    const { slots } = batchOf(1, [2])
    const isAnswered = (bit: number) => numbersIn(withFlippedBit(slots, bit)).length > 0

    expect(Array.from({ length: HEAD_BITS }, (_, bit) => bit).filter(isAnswered)).toEqual([])
    fc.assert(fc.property(fc.integer({ min: HEAD_BITS, max: slots.length * 8 - 1 }), (bit) => !isAnswered(bit)))
  })

  it('answers a slot of the time before there were digests as one of no header', () => {
    const page = aRepetitivePage(3, 7, [1, 2])

    expect(readSavedPages(slotBeforeDigests(page))).toEqual([{ ...page, headerDigest: null }])
  })

  it('answers nothing of a slot that is cut off, and takes any bytes', () => {
    const { slots } = batchOf(1, [2, 3])

    expect(numbersIn(slots.subarray(0, slots.length - 1))).toEqual([2])
    fc.assert(fc.property(fc.uint8Array({ maxLength: 20_000 }), (bytes) => numbersIn(bytes).length === 0))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(9000), (bytes, at) => {
        const file = slots.slice()
        file.set(bytes, at)
        return numbersIn(file).every((number) => number === 2 || number === 3)
      }),
    )
  })
})
