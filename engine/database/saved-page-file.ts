import { type DatabaseHeader, writeDatabaseHeader } from './database-header.ts'
import { hexOf, openLogBytes } from './log-bytes.ts'
import type { PageImage, SavedPage } from './store-order.ts'
import { hashWords } from './word-hash.ts'

/** What a slot says beside its page. */
export interface SlotPlace {
  /** Of the batch, {@link BATCH_ID_BYTES} long: no other batch of the file ever had it. */
  readonly batch: Uint8Array
  /** Of the slot in its batch, from 0 on. */
  readonly index: number
  /** Of the header that is durable while the batch is saved: see {@link digestHeader}. */
  readonly headerDigest: bigint
}

/** Bytes of a slot before its page: one sector. */
export const SLOT_HEAD_BYTES = 512
/** Bytes of the id of a batch. */
export const BATCH_ID_BYTES = 16
/** The longest file that is read: 128 pages, the most that a batch has, of the largest size of any version of the engine. */
export const SAVED_PAGES_BYTES_MAX: number = 128 * (SLOT_HEAD_BYTES + 32_768)

/** "SAVEDPG2" in the order of the file. */
const SLOT_MAGIC = 0x3247_5044_4556_4153n
/** "SAVEDPG1": slots that end their head with the id of the batch. No digest proves them. */
const UNPROVEN_MAGIC = 0x3147_5044_4556_4153n
const PAGE_BYTES_MAX = 32_768
const AT = { magic: 0, pageBytes: 8, number: 12, index: 16, batch: 20, headerDigest: 36, digest: 44 } as const

interface Slot {
  readonly index: number
  readonly batch: string
  readonly page: SavedPage
}

/**
 * Fills a slot: a sector that says which page of which batch it is, then the page. A digest in the sector covers all of it but itself.
 *
 * @param slot {@link SLOT_HEAD_BYTES} more than the page has, on a multiple of four in its memory
 */
export function fillSlot(slot: Uint8Array, { number, bytes }: PageImage, place: SlotPlace): void {
  slot.fill(0, 0, SLOT_HEAD_BYTES)
  slot.set(place.batch, AT.batch)
  slot.set(bytes, SLOT_HEAD_BYTES)
  const { view, words } = openLogBytes(slot)
  view.setBigUint64(AT.magic, SLOT_MAGIC, true)
  view.setUint32(AT.pageBytes, bytes.byteLength, true)
  view.setUint32(AT.number, number, true)
  view.setUint32(AT.index, place.index, true)
  view.setBigUint64(AT.headerDigest, place.headerDigest, true)
  view.setBigUint64(AT.digest, hashWords(words, 0, 0), true)
}

/**
 * The images of the newest batch, as far as they are whole: the first slot says which batch that is. What a crash tore is left out,
 * and behind the batch lie slots of an older one, of pages that may have been changed since.
 *
 * @param file its bytes, on a multiple of four in their memory; anything may be given, and is not changed
 */
export function readSavedPages(file: Uint8Array): readonly SavedPage[] {
  const slotBytes = slotBytesOf(file)
  if (slotBytes === null) return []
  const batch = batchOf(file)
  const pages: SavedPage[] = []
  for (let index = 0; (index + 1) * slotBytes <= file.byteLength; index++) {
    const slot = readSlot(file.slice(index * slotBytes, (index + 1) * slotBytes))
    if (slot !== null && (slot.index !== index || slot.batch !== batch)) break
    if (slot !== null) pages.push(slot.page)
  }
  return pages
}

/** Two headers with equal digests are taken for equal. 8 KB of hashing: a few microseconds. */
export function digestHeader(header: DatabaseHeader): bigint {
  const bytes = new Uint8Array(header.pageBytes)
  writeDatabaseHeader(bytes, header)
  return hashWords(openLogBytes(bytes).words, 0, 0)
}

/** The length of a slot by its head, or null where there is none: torn, or never written. */
function slotBytesOf(slot: Uint8Array): number | null {
  if (slot.byteLength < SLOT_HEAD_BYTES) return null
  const { view } = openLogBytes(slot)
  const magic = view.getBigUint64(AT.magic, true)
  const pageBytes = view.getUint32(AT.pageBytes, true)
  const isKnown = magic === SLOT_MAGIC || magic === UNPROVEN_MAGIC
  return isKnown && pageBytes > 0 && pageBytes <= PAGE_BYTES_MAX ? SLOT_HEAD_BYTES + pageBytes : null
}

function batchOf(slot: Uint8Array): string {
  return hexOf(slot, AT.batch, AT.batch + BATCH_ID_BYTES)
}

/** Null for a slot that a crash tore. Its memory is taken over. */
function readSlot(slot: Uint8Array): Slot | null {
  if (slotBytesOf(slot) !== slot.byteLength) return null
  const { view } = openLogBytes(slot)
  const isProven = view.getBigUint64(AT.magic, true) === SLOT_MAGIC
  if (isProven && !takeDigest(slot)) return null
  const headerDigest = isProven ? view.getBigUint64(AT.headerDigest, true) : null
  const page = { number: view.getUint32(AT.number, true), bytes: slot.subarray(SLOT_HEAD_BYTES), headerDigest }
  return { index: view.getUint32(AT.index, true), batch: batchOf(slot), page }
}

/** Takes the digest out of a slot, as it was when that was made, and answers whether it fits. */
function takeDigest(slot: Uint8Array): boolean {
  const { view, words } = openLogBytes(slot)
  const digest = view.getBigUint64(AT.digest, true)
  view.setBigUint64(AT.digest, 0n, true)
  return hashWords(words, 0, 0) === digest
}
