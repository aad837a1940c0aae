// Goal: a hash of words tells stretches of equal words apart, which an XOR does not.
// Method: every way in which two pages of one word each are torn between sectors; each bit of a short stretch; words that change places.
import { describe, expect, it } from 'vitest'
import { hashWords } from '../../../engine/database/word-hash.ts'

const SECTORS = 16
const SECTOR_WORDS = 128

/** All ways in which the sectors of a page are of the one word or of the other. */
function tears(one: number, other: number): Set<bigint> {
  const words = new Int32Array(SECTORS * SECTOR_WORDS)
  const hashes = new Set<bigint>()
  for (let mask = 0; mask < 2 ** SECTORS; mask += 3) {
    for (let sector = 0; sector < SECTORS; sector++)
      words.fill((mask >> sector) & 1 ? one : other, sector * SECTOR_WORDS, (sector + 1) * SECTOR_WORDS)
    hashes.add(hashWords(words, 0, 0))
  }
  return hashes
}

describe('the hash of words', () => {
  it.each([
    [0, 0x2a2a2a2a],
    [0, -1],
    [1, 2],
  ])('is another one for each way in which pages full of %i and of %i are torn', (one, other) => {
    expect(tears(one, other).size).toBe(Math.ceil(2 ** SECTORS / 3))
  })

  it('is another one for each bit, each place, each length and each seed', () => {
    const zeros = new Int32Array(9)
    const hashes = new Set([hashWords(zeros, 0, 0), hashWords(zeros, 0, 1), hashWords(zeros.subarray(1), 0, 0)])
    for (let bit = 0; bit < zeros.length * 32; bit++) {
      const words = zeros.slice()
      words[bit >>> 5] = 1 << (bit & 31)
      hashes.add(hashWords(words, 0, 0))
    }

    expect(hashes.size).toBe(3 + zeros.length * 32)
  })

  it('does not look at words before the first, and has 64 bits at most', () => {
    const words = Int32Array.of(7, 1, 2, 3)

    expect(hashWords(words, 1, 5)).toBe(hashWords(Int32Array.of(8, 1, 2, 3), 1, 5))
    expect(BigInt.asUintN(64, hashWords(words, 1, 5))).toBe(hashWords(words, 1, 5))
  })
})
