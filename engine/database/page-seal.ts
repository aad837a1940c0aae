import { assert } from '../assert.ts'
import { blockChecksum, sealBlock } from './block-checksum.ts'
import type { LogBytes } from './log-bytes.ts'
import { PAGE_FLAGS } from './page.ts'
import { type PageChecksum, pageChecksum } from './page-checksum.ts'

/** Which page lies in a stretch of memory. */
export interface PagePlace {
  /** The database's page size: one of {@link PAGE_SIZES}. */
  readonly bytes: number
  /** 1 is the first page behind the two headers: page n lies at byte (n + 1) × size of its file. */
  readonly number: number
}

/**
 * What the checksum says of a page:
 *
 * - `sound`: every byte is as it was written;
 * - `empty`: all zero, never written (ESE's -1019 where a page was expected);
 * - `correctable`: so many bits are turned, at most one in each block of the checksum, and {@link correctPage} turns them back;
 * - `bad`: damaged beyond that, or another page than the one expected (ESE's -1018).
 */
export type PageVerdict =
  | { readonly verdict: 'sound' }
  | { readonly verdict: 'empty' }
  | {
      readonly verdict: 'correctable'
      /** Ascending, counted from bit 0 of the page's first byte. */
      readonly bits: readonly number[]
    }
  | {
      readonly verdict: 'bad'
      readonly detail: string
      /** Which page it would be sound as, where it would be one: a write that went astray or was lost. */
      readonly ownNumber: number | null
    }

/**
 * Counts the pages of 8 KB at the start of a stretch that are `sound`, up to the first that may not be, by whatever vectors the machine has.
 *
 * @param first the number of the first page of the stretch; what is no whole page at its end is left out
 */
export type SoundPages = (bytes: Uint8Array, first: number) => number

/** The page sizes that any version of the engine has, in bytes; Exchange 2007 has 8,192. */
export const PAGE_SIZES: readonly number[] = [2048, 4096, 8192, 16_384, 32_768]

/** Where a page keeps its flags. */
export const FLAGS_OFFSET = 36
/** The bit of the flag that names an XE checksum, in its page. It says which checksum there is, so no checksum can speak for it. */
const FLAG_BIT = FLAGS_OFFSET * 8 + 13
/** Larger pages are summed in four blocks. */
const ONE_BLOCK_BYTES_MAX = 8192
const BLOCKS_OF_LARGE_PAGE = 4
/** Where a large page keeps the checksums of its later blocks. */
const LATER_CHECKSUMS_OFFSET = 40
const CHECKSUM_BYTES = 8
const CHECKSUM_BITS = 64

const SOUND: PageVerdict = { verdict: 'sound' }
const EMPTY: PageVerdict = { verdict: 'empty' }

/** What came of one block, where it is not the number of the turned bit. */
const BLOCK_SOUND = -1
const BLOCK_BAD = -2

/**
 * Writes the checksum of a finished page, of the kind that its flags name.
 *
 * @param lo where the page begins, a multiple of 16
 */
export function sealPage(log: LogBytes, lo: number, place: PagePlace): void {
  const { view } = log
  if (!hasNewChecksum(log, lo)) {
    view.setUint32(lo + 4, place.number, true)
    sealBlock(log, lo, place.bytes)
    return
  }
  // The first block covers the checksums of the later ones, so it comes last.
  for (let block = blocksOf(place) - 1; block >= 0; block--)
    writeChecksum(view, lo + checksumOffset(block), computedOf(log, lo, { place, block }))
}

/**
 * Verifies a page. It reads only; any bytes may be given.
 *
 * @param lo where the page begins, a multiple of 16
 */
export function verifyPage(log: LogBytes, lo: number, place: PagePlace): PageVerdict {
  if (isEmpty(log, lo, place.bytes)) return EMPTY
  if (!hasNewChecksum(log, lo)) return verifyOldPage(log, lo, place)
  const first = verifyBlock(log, lo, { place, block: 0, turned: BLOCK_SOUND })
  if (place.bytes <= ONE_BLOCK_BYTES_MAX && first === BLOCK_SOUND) return SOUND
  const bits = [first]
  // A turned bit of the first block may lie in the checksum of a later one; then that checksum is read as it was meant.
  for (let block = 1; block < blocksOf(place); block++) bits.push(verifyBlock(log, lo, { place, block, turned: first }))
  if (bits.includes(BLOCK_BAD)) return faultOfPage(log, lo, place)
  const turned = bits.filter((bit) => bit !== BLOCK_SOUND)
  return turned.length === 0 ? SOUND : { verdict: 'correctable', bits: turned }
}

/** Turns the bits of a `correctable` verdict back, in place. */
export function correctPage(log: LogBytes, lo: number, bits: readonly number[]): void {
  for (const bit of bits) {
    assert(bit !== FLAG_BIT, 'the flag that names the checksum is not corrected by it')
    const at = lo + (bit >>> 3)
    log.view.setUint8(at, log.view.getUint8(at) ^ (1 << (bit & 7)))
  }
}

interface BlockOfPage {
  readonly place: PagePlace
  readonly block: number
}

function hasNewChecksum(log: LogBytes, lo: number): boolean {
  return (log.view.getUint32(lo + FLAGS_OFFSET, true) & PAGE_FLAGS.newChecksum) !== 0
}

function blocksOf(place: PagePlace): number {
  return place.bytes <= ONE_BLOCK_BYTES_MAX ? 1 : BLOCKS_OF_LARGE_PAGE
}

/** Where the checksum of a block stands in its page. */
function checksumOffset(block: number): number {
  return block === 0 ? 0 : LATER_CHECKSUMS_OFFSET + (block - 1) * CHECKSUM_BYTES
}

function computedOf(log: LogBytes, lo: number, { place, block }: BlockOfPage): PageChecksum {
  const bytes = place.bytes / blocksOf(place)
  return pageChecksum(log, lo + block * bytes, { bytes, number: place.number, holdsChecksum: block === 0 })
}

function writeChecksum(view: DataView, at: number, checksum: PageChecksum): void {
  view.setInt32(at, checksum.xor, true)
  view.setInt32(at + 4, checksum.ecc, true)
}

/**
 * @param turned the turned bit of the first block, if it has one
 * @returns the turned bit of this block, counted from the start of the page, or `BLOCK_SOUND` or `BLOCK_BAD`
 */
function verifyBlock(log: LogBytes, lo: number, of: BlockOfPage & { readonly turned: number }): number {
  const { place, block } = of
  const at = checksumOffset(block)
  const bit = of.turned - at * 8
  const computed = computedOf(log, lo, of)
  const xor = computed.xor ^ storedWord(log, lo + at, bit)
  const ecc = computed.ecc ^ storedWord(log, lo + at + 4, bit - 32)
  if (xor === 0 && ecc === 0) return BLOCK_SOUND
  const bytes = place.bytes / blocksOf(place)
  const found = turnedBit({ xor, ecc }, bytes)
  if (found === BLOCK_BAD || block > 0) return found === BLOCK_BAD ? found : found + block * bytes * 8
  return found < CHECKSUM_BITS || found === FLAG_BIT ? BLOCK_BAD : found
}

/** A word of a stored checksum with bit `bit` turned back, where that lies in it. */
function storedWord(log: LogBytes, at: number, bit: number): number {
  const word = log.view.getInt32(at, true)
  return bit >= 0 && bit < 32 ? word ^ (1 << bit) : word
}

/**
 * The one bit whose turning explains the differences of both halves. The halves of the code are the index of each bit set and
 * that index inverted, so a single bit leaves two differences that add up to all ones; the XOR must then differ in one bit too,
 * the same one.
 */
function turnedBit(difference: PageChecksum, bytes: number): number {
  const { xor, ecc } = difference
  const indexMask = bytes * 8 - 1
  const index = ecc & 0xffff
  if (index > indexMask || index + (ecc >>> 16) !== indexMask) return BLOCK_BAD
  return xor === 1 << (index & 31) ? index : BLOCK_BAD
}

function verifyOldPage(log: LogBytes, lo: number, place: PagePlace): PageVerdict {
  const stored = log.view.getInt32(lo, true)
  const computed = blockChecksum(log, lo, place.bytes)
  if (stored !== computed) return bad(`checksum ${hex(stored)}, computed ${hex(computed)}`, null)
  const number = log.view.getUint32(lo + 4, true)
  return number === place.number ? SOUND : bad(`it is page ${number}`, number)
}

/** Why a page with a new checksum is bad. Where only the XOR differs, it is the page's number that does not fit. */
function faultOfPage(log: LogBytes, lo: number, place: PagePlace): PageVerdict {
  const computed = computedOf(log, lo, { place, block: 0 })
  const xor = log.view.getInt32(lo, true)
  const ecc = log.view.getInt32(lo + 4, true)
  const number = (place.number ^ computed.xor ^ xor) >>> 0
  if (ecc === computed.ecc && number !== place.number)
    return bad(`checksum ${hex(xor)}, computed ${hex(computed.xor)}, which is that of page ${number}`, number)
  return bad(`checksum ${hex(ecc)}${hex(xor)}, computed ${hex(computed.ecc)}${hex(computed.xor)}`, null)
}

function bad(detail: string, ownNumber: number | null): PageVerdict {
  return { verdict: 'bad', detail, ownNumber }
}

function isEmpty(log: LogBytes, lo: number, bytes: number): boolean {
  const { words } = log
  const end = (lo + bytes) >>> 2
  for (let at = lo >>> 2; at < end; at++) {
    if (words[at] !== 0) return false
  }
  return true
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}
