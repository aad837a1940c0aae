import { assert } from '../assert.ts'
import type { LogBytes } from './log-bytes.ts'

/** The two halves of an XE checksum, as they lie in a file: the low word first. */
export interface PageChecksum {
  /** XOR of all words and of the page's number. */
  readonly xor: number
  /** The error correcting code: finds, and could repair, any single flipped bit. */
  readonly ecc: number
}

/** A stretch of bytes that one XE checksum covers: a segment, a page of up to 8 KB, a quarter of a larger one. */
export interface ChecksumBlock {
  /** A power of two from 16 to 8,192. */
  readonly bytes: number
  /** Number of the page or segment. */
  readonly number: number
  /** False for the later blocks of a large page, whose checksums stand in its first block. True when absent. */
  readonly holdsChecksum?: boolean
}

/** The largest block that the code spans; larger pages consist of several. */
const BLOCK_BYTES_MAX = 8192
/** Row index and its step: the upper half counts rows, the lower half counts down, so that each bit stands in both. */
const ROW_INDEX_FIRST = 0xff800000 | 0
const ROW_INDEX_STEP = 0xff800080 | 0
/** What the index of the second and of the third of four rows has unlike that of the first. */
const SECOND_ROW = ROW_INDEX_FIRST ^ ((ROW_INDEX_FIRST + ROW_INDEX_STEP) | 0)
const THIRD_ROW = ROW_INDEX_FIRST ^ ((ROW_INDEX_FIRST + 2 * ROW_INDEX_STEP) | 0)
/** The same for the bit index inside a word. */
const BIT_INDEX_FIRST = 0xffff0000 | 0
const BIT_INDEX_STEP = 0xffff0001 | 0
const PARITY_OF_NIBBLES = 0x6996

/**
 * The XE checksum that pages (since Exchange 2003 SP1) and 8,4000 log segments have: an XOR and an error correcting code. The
 * first eight bytes of a block that holds its own checksum count as zero.
 *
 * @param lo where the block begins, a multiple of 16
 */
export function pageChecksum(log: LogBytes, lo: number, block: ChecksumBlock): PageChecksum {
  assert(block.bytes <= BLOCK_BYTES_MAX && block.bytes % 16 === 0, 'a block is whole rows, at most 8,192 bytes')
  const { words } = log
  const first = lo >>> 2
  const sums = sumsOf(words, first, first + (block.bytes >>> 2))
  if (block.holdsChecksum !== false) {
    // All of it is XOR: what the checksum's own words have put in goes by putting it in again.
    const [own0, own1] = [words[first] ?? 0, words[first + 1] ?? 0]
    sums.c0 ^= own0
    sums.c1 ^= own1
    sums.rowCode ^= ROW_INDEX_FIRST & -parity(own0 ^ own1)
  }
  return combine(sums, block)
}

/** What rows of four words come to: the indices of the odd ones, and the XOR of each column. */
interface RowSums {
  rowCode: number
  c0: number
  c1: number
  c2: number
  c3: number
}

/**
 * The parity of a row is dear, XOR is not. Of four rows that begin at a multiple of four the indices differ in their lowest two bits only, so
 * one parity of all four is enough for the others, and these two bits have a sum each for the whole block: 1.8 times as fast as a
 * parity for each row (measured on 8 KB pages, medians of four runs in turn: 3.7 to 5.7 GB/s, not 1.9 to 3.1).
 */
function sumsOf(words: Int32Array, first: number, end: number): RowSums {
  let [rowCode, c0, c1, c2, c3] = [0, 0, 0, 0, 0]
  let rowIndex = ROW_INDEX_FIRST
  let odd = 0
  let upper = 0
  let at = first
  for (; at + 16 <= end; at += 16) {
    const b0 = words[at + 4] ?? 0
    const b1 = words[at + 5] ?? 0
    const b2 = words[at + 6] ?? 0
    const b3 = words[at + 7] ?? 0
    const d0 = words[at + 12] ?? 0
    const d1 = words[at + 13] ?? 0
    const d2 = words[at + 14] ?? 0
    const d3 = words[at + 15] ?? 0
    const e0 = (words[at + 8] ?? 0) ^ d0
    const e1 = (words[at + 9] ?? 0) ^ d1
    const e2 = (words[at + 10] ?? 0) ^ d2
    const e3 = (words[at + 11] ?? 0) ^ d3
    const all0 = (words[at] ?? 0) ^ b0 ^ e0
    const all1 = (words[at + 1] ?? 0) ^ b1 ^ e1
    const all2 = (words[at + 2] ?? 0) ^ b2 ^ e2
    const all3 = (words[at + 3] ?? 0) ^ b3 ^ e3
    odd ^= b0 ^ b1 ^ b2 ^ b3 ^ d0 ^ d1 ^ d2 ^ d3
    upper ^= e0 ^ e1 ^ e2 ^ e3
    rowCode ^= rowIndex & -parity(all0 ^ all1 ^ all2 ^ all3)
    rowIndex = (rowIndex + 4 * ROW_INDEX_STEP) | 0
    c0 ^= all0
    c1 ^= all1
    c2 ^= all2
    c3 ^= all3
  }
  rowCode ^= (SECOND_ROW & -parity(odd)) ^ (THIRD_ROW & -parity(upper))
  // Blocks of one or two rows.
  for (; at < end; at += 4) {
    const [w0, w1, w2, w3] = [words[at] ?? 0, words[at + 1] ?? 0, words[at + 2] ?? 0, words[at + 3] ?? 0]
    rowCode ^= rowIndex & -parity(w0 ^ w1 ^ w2 ^ w3)
    rowIndex = (rowIndex + ROW_INDEX_STEP) | 0
    c0 ^= w0
    c1 ^= w1
    c2 ^= w2
    c3 ^= w3
  }
  return { rowCode, c0, c1, c2, c3 }
}

function combine({ rowCode, c0, c1, c2, c3 }: RowSums, block: ChecksumBlock): PageChecksum {
  let code = rowCode
  if (parity(c0 ^ c1) !== 0) code |= 0x00400000
  if (parity(c2 ^ c3) !== 0) code |= 0x00000040
  if (parity(c0 ^ c2) !== 0) code |= 0x00200000
  if (parity(c1 ^ c3) !== 0) code |= 0x00000020
  const folded = c0 ^ c1 ^ c2 ^ c3
  // Rows that a block of this length does not have leave no bits: (bytes × 8 × 2^16) - 1.
  const rowsMask = ((block.bytes << 19) - 1) | 0
  const ecc = (code & 0xffe0ffe0 & rowsMask) | (bitCode(folded) & 0x001f001f)
  return { xor: folded ^ block.number, ecc }
}

function bitCode(word: number): number {
  let code = 0
  let index = BIT_INDEX_FIRST
  for (let bit = 0; bit < 32; bit++) {
    if (((word >>> bit) & 1) !== 0) code ^= index
    index = (index + BIT_INDEX_STEP) | 0
  }
  return code
}

/** 1 when an odd number of bits is set. */
function parity(word: number): number {
  let folded = word ^ (word >>> 16)
  folded ^= folded >>> 8
  folded ^= folded >>> 4
  return (PARITY_OF_NIBBLES >>> (folded & 15)) & 1
}
