// Goal: after a crash each page of the last batch is in its place, old or new but whole, also where its own checksum cannot see that it is torn.
// Method: pages full of repeated words, torn at every sector as chance will have it, in place or while they were saved; then they are mended.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DatabaseHeader, newDatabaseHeader } from '../../../../engine/database/database-header.ts'
import { PAGE_BYTES } from '../../../../engine/database/page.ts'
import { mendPages } from '../../../../engine/database/page-mending.ts'
import { readPage } from '../../../../engine/database/page-reading.ts'
import { digestHeader } from '../../../../engine/database/saved-page-file.ts'
import type { PageImage, StoreOrder } from '../../../../engine/database/store-order.ts'
import { withFlippedBit } from '../build.ts'
import { DATABASE_SIGNATURE, FULL_HEADER } from '../database-build.ts'
import { ModelStoreDisk } from './model-store-disk.ts'
import {
  aRepetitivePage,
  batchId,
  type Fate,
  PAGE_SECTORS,
  SLOT_SECTORS,
  slotBeforeDigests,
  slotsOf,
  torn,
} from './saved-pages-build.ts'
import { runMachine } from './store-rig.ts'

const HEADER: DatabaseHeader = newDatabaseHeader(DATABASE_SIGNATURE, DATABASE_SIGNATURE)
const HEADER_DIGEST = digestHeader(HEADER)
const NUMBERS = [3, 4, 9]

/** Few words, so that neighbours are often alike. */
const aWord = fc.constantFrom(0, 0x2a2a2a2a, 0x07070707)
const words = fc.array(aWord, { minLength: PAGE_SECTORS, maxLength: PAGE_SECTORS })
const contents = fc.tuple(words, words, words)
const fatesOf = (sectors: number): fc.Arbitrary<Fate[]> =>
  fc.array(fc.constantFrom<Fate>('old', 'new', 'new', 'zero'), { minLength: sectors, maxLength: sectors })

/** Two batches of the same pages: that before is durable everywhere, the newest was cut off. */
const batches = fc.record({ before: contents, after: contents })
type Batches = typeof batches extends fc.Arbitrary<infer Value> ? Value : never

function pagesOf(dbtime: number, content: Batches['before']): PageImage[] {
  return NUMBERS.map((number, index) => aRepetitivePage(number, dbtime, content[index] ?? []))
}

/** A database whose pages lie there like this, with these bytes of saved pages beside it. */
function aDisk(pages: readonly PageImage[], saved: Uint8Array): ModelStoreDisk {
  const disk = new ModelStoreDisk()
  const orders: StoreOrder[] = [
    { order: 'create-database', header: HEADER },
    { order: 'save-pages', pages, headerDigest: 0n },
    { order: 'write-pages', pages },
    { order: 'sync-database' },
  ]
  for (const order of orders) for (const step of disk.steps(order)) step()
  disk.files.get('priv1.saved')?.write(0, saved)
  return disk
}

function mended(disk: ModelStoreDisk, header = HEADER): readonly number[] {
  return runMachine(mendPages(header), disk)
}

function allAre(disk: ModelStoreDisk, pages: readonly PageImage[]): boolean {
  return pages.every(({ number, bytes }) => Buffer.compare(disk.page(number), bytes) === 0)
}

function oneOfEach(disk: ModelStoreDisk, before: readonly PageImage[], after: readonly PageImage[]): boolean {
  return before.every((page, index) => allAre(disk, [page]) || allAre(disk, after.slice(index, index + 1)))
}

/** Pages that a crash tore in their places. */
const tearing = fc.record({ batches, fates: fc.array(fatesOf(PAGE_SECTORS), { minLength: 3, maxLength: 3 }) })

function tornPages({ batches: { before, after }, fates }: typeof tearing extends fc.Arbitrary<infer T> ? T : never) {
  const next = pagesOf(8, after)
  const inPlace = pagesOf(7, before).map(({ number, bytes }, index) => ({
    number,
    bytes: torn(bytes, next[index]?.bytes ?? bytes, fates[index] ?? []),
  }))
  return { next, inPlace }
}

describe('pages that a crash tore in their places', () => {
  it('are what they were to become, and are left alone the next time', () => {
    fc.assert(
      fc.property(tearing, (tear) => {
        const { next, inPlace } = tornPages(tear)
        const disk = aDisk(inPlace, slotsOf(next, { batch: batchId(9), headerDigest: HEADER_DIGEST }))

        mended(disk)

        expect(allAre(disk, next)).toBe(true)
        expect(mended(disk)).toEqual([])
      }),
    )
  })

  it('are not all bad by their own checksums, so that these cannot decide it', () => {
    const isSeen = fc.property(tearing, (tear) => {
      const { next, inPlace } = tornPages(tear)
      const before = pagesOf(7, tear.batches.before)
      return inPlace.every(({ number, bytes }, index) => {
        const isWhole = [before[index], next[index]].some((page) => page && Buffer.compare(page.bytes, bytes) === 0)
        return isWhole || readPage(number, bytes.slice()).reading === 'bad'
      })
    })

    expect(fc.check(isSeen, { numRuns: 1000 }).failed).toBe(true)
  })
})

/** What a crash makes of the saved pages of the batch before, while none of the newest is in place. */
function cutWhileSaved({ before, after }: Batches, fates: readonly Fate[]) {
  const [old, next] = [pagesOf(7, before), pagesOf(8, after)]
  const saved = (pages: readonly PageImage[], batch: number) =>
    slotsOf(pages, { batch: batchId(batch), headerDigest: HEADER_DIGEST })
  return { old, next, saved: torn(saved(old, 8), saved(next, 9), fates) }
}

describe('saved pages that a crash tore', () => {
  const cases = fc.record({ batches, fates: fatesOf(3 * SLOT_SECTORS) })

  it('are not believed: each page is as it was, or as it was to become', () => {
    fc.assert(
      fc.property(cases, ({ batches: both, fates }) => {
        const { old, next, saved } = cutWhileSaved(both, fates)
        const disk = aDisk(old, saved)

        mended(disk)

        expect(oneOfEach(disk, old, next)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('would be put into the places of whole ones if their digests were not looked at', () => {
    const isSafe = fc.property(cases, ({ batches: both, fates }) => {
      const { old, next, saved } = cutWhileSaved(both, fates)
      const slotBytes = saved.length / NUMBERS.length
      // With the digest of what lies there every slot is believed.
      const believed = NUMBERS.map((number, index) => {
        const slot = saved.subarray(index * slotBytes, (index + 1) * slotBytes)
        return { number, bytes: slot.slice(slotBytes - PAGE_BYTES) }
      })
      const disk = aDisk(old, slotsOf(believed, { batch: batchId(9), headerDigest: HEADER_DIGEST }))
      mended(disk)
      return oneOfEach(disk, old, next)
    })

    expect(fc.check(isSafe).failed).toBe(true)
  })
})

const OLD = aRepetitivePage(3, 7, [1, 1, 1])
const NEW = aRepetitivePage(3, 8, [1, 2, 3])
const NEW_SLOTS = slotsOf([NEW], { batch: batchId(9), headerDigest: HEADER_DIGEST })
const TORN_UNSEEN = { ...NEW, bytes: torn(OLD.bytes, NEW.bytes, ['new', 'new', 'old']) }
const BAD = { ...NEW, bytes: withFlippedBit(withFlippedBit(OLD.bytes, 8 * 500), 8 * 700) }

describe('saved pages of another header than the one that lies there', () => {
  it.each([
    ['an older page stays', OLD, OLD],
    ['a page that is torn for others only stays', TORN_UNSEEN, TORN_UNSEEN],
    ['a bad page gets its image', BAD, NEW],
  ])('%s', (_, inPlace, expected) => {
    const disk = aDisk([inPlace], NEW_SLOTS)

    mended(disk, { ...HEADER, dbtime: 0x41n })

    expect(allAre(disk, [expected])).toBe(true)
  })
})

describe('a page in place', () => {
  it('that is sound and newer than its image stays', () => {
    const newer = aRepetitivePage(3, 9, [])
    const disk = aDisk([newer], NEW_SLOTS)

    expect(mended(disk)).toEqual([])
    expect(allAre(disk, [newer])).toBe(true)
  })

  it('with a turned bit gets its image, also where its dbtime is taken for turned', () => {
    // Three turned bits of which two lie in one column are taken for a fourth: here for bit 24 of the dbtime, which makes the page newer.
    const fourth = [32 * 100 + 5, 32 * 1124 + 5, 88 + 32 * 1024]
    for (const bits of [[8 * 8 + 7], [8 * 4000], fourth]) {
      const disk = aDisk([{ ...NEW, bytes: bits.reduce(withFlippedBit, NEW.bytes) }], NEW_SLOTS)

      expect(mended(disk)).toEqual([3])
      expect(allAre(disk, [NEW])).toBe(true)
    }
  })
})

describe('saved pages of the time before there were digests', () => {
  it.each([
    ['go into the place of a bad page', BAD, NEW, NEW],
    ['are left alone where the page looks sound', TORN_UNSEEN, NEW, TORN_UNSEEN],
    ['are not believed where their own checksum does not fit', BAD, { ...BAD }, BAD],
  ])('%s', (_, inPlace, saved, expected) => {
    const disk = aDisk([inPlace], slotBeforeDigests(saved))

    mended(disk)

    expect(allAre(disk, [expected])).toBe(true)
  })
})

describe('the digest of a header', () => {
  it('is that of the same header when it was written and read, and of no other', () => {
    const disk = new ModelStoreDisk()
    for (const step of disk.steps({ order: 'create-database', header: FULL_HEADER })) step()
    const read = disk.scan().database ?? HEADER

    expect(digestHeader(read)).toBe(digestHeader(FULL_HEADER))
    expect(digestHeader({ ...read, dbtime: read.dbtime + 1n })).not.toBe(digestHeader(FULL_HEADER))
  })
})
