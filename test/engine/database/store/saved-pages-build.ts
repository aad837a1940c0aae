// Pages whose sectors are each full of one word, as messages of one letter are, and what a crash makes of them. Torn between two of
// these sectors a page has the same XOR and the same code as before, since a word that is repeated an even number of times leaves none.
import { initialisePage, openPage, PAGE_BYTES } from '../../../../engine/database/page.ts'
import { sealPage } from '../../../../engine/database/page-seal.ts'
import {
  BATCH_ID_BYTES,
  fillSlot,
  SLOT_HEAD_BYTES,
  type SlotPlace,
} from '../../../../engine/database/saved-page-file.ts'
import type { PageImage } from '../../../../engine/database/store-order.ts'

const SECTOR_BYTES = 512
/** Sectors of a page. */
export const PAGE_SECTORS: number = PAGE_BYTES / SECTOR_BYTES
/** Sectors of a slot. */
export const SLOT_SECTORS: number = PAGE_SECTORS + 1

/** A sealed page. `words` has one for each sector; the first sector has the header too. */
export function aRepetitivePage(number: number, dbtime: number, words: readonly number[]): PageImage {
  const page = openPage(new Uint8Array(PAGE_BYTES))
  initialisePage(page, { objectId: 10, flags: 2, dbtime, previous: 0, next: 0 })
  for (const [sector, word] of words.entries())
    page.words.fill(word, Math.max(10, sector * 128), Math.min((sector + 1) * 128, 2047))
  sealPage(page, 0, { bytes: PAGE_BYTES, number })
  return { number, bytes: page.bytes }
}

/** The slots of a batch, one after the other. */
export function slotsOf(pages: readonly PageImage[], batch: Omit<SlotPlace, 'index'>): Uint8Array {
  const slotBytes = SLOT_HEAD_BYTES + PAGE_BYTES
  const file = new Uint8Array(pages.length * slotBytes)
  for (const [index, page] of pages.entries())
    fillSlot(file.subarray(index * slotBytes, (index + 1) * slotBytes), page, { ...batch, index })
  return file
}

/** A slot of the time before there were digests: with another magic number, and a head that ends with the batch. */
export function slotBeforeDigests(page: PageImage): Uint8Array {
  const slot = slotsOf([page], { batch: batchId(9), headerDigest: 0n })
  slot.set(new TextEncoder().encode('SAVEDPG1'))
  return slot.fill(0, 36, 52)
}

/** The id of a batch. */
export function batchId(number: number): Uint8Array {
  return new Uint8Array(BATCH_ID_BYTES).fill(number)
}

/** Where a crash left each sector: as it was, as it was to become, or zero. */
export type Fate = 'old' | 'new' | 'zero'

/** What a write that was cut off leaves of `before`. Behind the end of either there are zeros. */
export function torn(before: Uint8Array, after: Uint8Array, fates: readonly Fate[]): Uint8Array {
  const bytes = new Uint8Array(Math.max(before.length, after.length))
  bytes.set(before)
  for (let at = 0; at < after.length; at += SECTOR_BYTES) {
    const fate = fates[at / SECTOR_BYTES] ?? 'old'
    if (fate === 'new') bytes.set(after.subarray(at, at + SECTOR_BYTES), at)
    if (fate === 'zero') bytes.fill(0, at, at + SECTOR_BYTES)
  }
  return bytes
}
