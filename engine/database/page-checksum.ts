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
  const end = first + (block.bytes >>> 2)
  const checksumAt = block.holdsChecksum === false ? -1 : first
  let rowCode = 0
  let rowIndex = ROW_INDEX_FIRST
  let c0 = 0
  let c1 = 0
  let c2 = 0
  let c3 = 0
  for (let at = first; at < end; at += 4) {
    const checksumRow = at === checksumAt
    const d0 = checksumRow ? 0 : (words[at] ?? 0)
    const d1 = checksumRow ? 0 : (words[at + 1] ?? 0)
    const d2 = words[at + 2] ?? 0
    const d3 = words[at + 3] ?? 0
    rowCode ^= rowIndex & -parity(d0 ^ d1 ^ d2 ^ d3)
    rowIndex = (rowIndex + ROW_INDEX_STEP) | 0
    c0 ^= d0
    c1 ^= d1
    c2 ^= d2
    c3 ^= d3
  }
  return combine({ rowCode, columns: [c0, c1, c2, c3] }, block)
}

function combine(
  sums: { rowCode: number; columns: readonly [number, number, number, number] },
  block: ChecksumBlock,
): PageChecksum {
  const [c0, c1, c2, c3] = sums.columns
  let code = sums.rowCode
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
