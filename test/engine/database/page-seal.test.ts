// Goal: a page's checksum finds every turned bit and names the one that it could turn back, for every page size.
// Method: an implementation that follows the definition bit by bit, every single bit of an 8 KB page, samples of the other sizes.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type LogBytes, openLogBytes } from '../../../engine/database/log-bytes.ts'
import { pageChecksum } from '../../../engine/database/page-checksum.ts'
import { correctPage, PAGE_SIZES, type PageVerdict, sealPage, verifyPage } from '../../../engine/database/page-seal.ts'

const FLAGS_OFFSET = 36
const FLAG_BIT = FLAGS_OFFSET * 8 + 13
const NEW_CHECKSUM = 0x2000

/** An irregular page with the flags that are given, sealed. */
function aPage(bytes: number, number: number, flags: number = NEW_CHECKSUM | 3): LogBytes {
  const page = openLogBytes(new Uint8Array(bytes))
  for (let at = 0; at < bytes; at++) page.bytes[at] = Math.imul(at * at + number, 0x9e3779b1) >>> 24
  page.view.setUint32(FLAGS_OFFSET, flags, true)
  sealPage(page, 0, { bytes, number })
  return page
}

/** The definition: of each set bit its index goes into one half of the code, the index inverted into the other. */
function slowChecksum(block: Uint8Array, number: number, holdsChecksum: boolean): { xor: number; ecc: number } {
  const indexMask = block.length * 8 - 1
  let xor = number
  let low = 0
  let high = 0
  for (let bit = holdsChecksum ? 64 : 0; bit < block.length * 8; bit++) {
    if ((((block[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 0) continue
    xor ^= 1 << (bit & 31)
    low ^= bit
    high ^= ~bit & indexMask
  }
  return { xor, ecc: (high << 16) | low }
}

function flip(page: LogBytes, bit: number): void {
  page.bytes[bit >>> 3] = (page.bytes[bit >>> 3] ?? 0) ^ (1 << (bit & 7))
}

function verdictWith(page: LogBytes, bits: readonly number[], number: number): PageVerdict {
  for (const bit of bits) flip(page, bit)
  const verdict = verifyPage(page, 0, { bytes: page.bytes.length, number })
  for (const bit of bits) flip(page, bit)
  return verdict
}

/** Bits over the whole page, more of them in its header. */
function sampleOfBits(bytes: number): number[] {
  const bits = Array.from({ length: 80 * 8 }, (_, bit) => bit)
  for (let index = 0; index < 3000; index++) bits.push((index * 7_368_787) % (bytes * 8))
  return bits
}

/** What a single turned bit comes to: the checksum's own bytes and its flag are never corrected. */
function expectedOf(bit: number): string {
  return bit < 64 || bit === FLAG_BIT ? 'bad' : `correctable ${bit}`
}

function inWords(verdict: PageVerdict): string {
  return verdict.verdict === 'correctable' ? `correctable ${verdict.bits.join(' ')}` : verdict.verdict
}

describe('the checksum of a block', () => {
  test.each([16, 32, 64, 2048, 4096, 8192])('of %i bytes is the one that the definition gives, bit by bit', (bytes) => {
    const content = fc.uint8Array({ minLength: bytes, maxLength: bytes })

    fc.assert(
      fc.property(content, fc.nat(), fc.boolean(), (block, number, holdsChecksum) => {
        const fast = pageChecksum(openLogBytes(block), 0, { bytes, number, holdsChecksum })
        expect(fast).toEqual(slowChecksum(block, number, holdsChecksum))
      }),
      { numRuns: 50 },
    )
  })
})

describe('a page', () => {
  test.each(PAGE_SIZES)('of %i bytes is sound once it is sealed, wherever it lies', (bytes) => {
    const page = aPage(bytes, 12)
    const memory = openLogBytes(new Uint8Array(bytes * 3))
    memory.bytes.set(page.bytes, bytes)

    expect(verifyPage(page, 0, { bytes, number: 12 })).toEqual({ verdict: 'sound' })
    expect(verifyPage(memory, bytes, { bytes, number: 12 })).toEqual({ verdict: 'sound' })
    expect(verifyPage(memory, 0, { bytes, number: 11 })).toEqual({ verdict: 'empty' })
  })

  test('of 8,192 bytes gives away each of its 65,536 bits, and names it', () => {
    const page = aPage(8192, 300)

    const wrong: string[] = []
    for (let bit = 0; bit < 65_536; bit++) {
      const found = inWords(verdictWith(page, [bit], 300))
      if (found !== expectedOf(bit)) wrong.push(`${bit}: ${found}`)
    }

    expect(wrong).toEqual([])
  })

  test.each([2048, 4096, 16_384, 32_768])('of %i bytes names a turned bit, also in the checksums it holds', (bytes) => {
    const page = aPage(bytes, 300)

    const wrong = sampleOfBits(bytes).filter((bit) => inWords(verdictWith(page, [bit], 300)) !== expectedOf(bit))

    expect(wrong).toEqual([])
  })

  test.each([8192, 32_768])('of %i bytes is as it was once its turned bits are turned back', (bytes) => {
    const page = aPage(bytes, 7)
    const before = page.bytes.slice()
    const block = bytes <= 8192 ? bytes : bytes / 4
    const bits = Array.from({ length: bytes / block }, (_, index) => index * block * 8 + 5000 + index)
    for (const bit of bits) flip(page, bit)

    const verdict = verifyPage(page, 0, { bytes, number: 7 })
    if (verdict.verdict === 'correctable') correctPage(page, 0, verdict.bits)

    expect(verdict).toEqual({ verdict: 'correctable', bits })
    expect(page.bytes).toEqual(before)
  })

  test('with two turned bits in a block is bad, never corrected into something else', () => {
    const anyTwo = fc.uniqueArray(fc.nat(65_535), { minLength: 2, maxLength: 2 })
    const page = aPage(8192, 40)

    fc.assert(
      fc.property(anyTwo, (bits) => {
        expect(verdictWith(page, bits, 40).verdict).toBe('bad')
      }),
      { numRuns: 3000 },
    )
  })

  test('that lies in the place of another is bad, and its own number is named', () => {
    const page = aPage(8192, 300)

    expect(verifyPage(page, 0, { bytes: 8192, number: 301 })).toMatchObject({
      verdict: 'bad',
      detail: expect.stringMatching(/that of page 300$/),
      ownNumber: 300,
    })
  })

  test('whose flag was not set when it was sealed is not mended by setting it', () => {
    const page = aPage(8192, 300)
    const { xor, ecc } = ((): { xor: number; ecc: number } => {
      flip(page, FLAG_BIT)
      const sums = pageChecksum(page, 0, { bytes: 8192, number: 300 })
      flip(page, FLAG_BIT)
      return sums
    })()
    page.view.setInt32(0, xor, true)
    page.view.setInt32(4, ecc, true)

    expect(verifyPage(page, 0, { bytes: 8192, number: 300 }).verdict).toBe('bad')
    expect(() => correctPage(page, 0, [FLAG_BIT])).toThrow('must hold')
  })
})

describe('a page of the time before', () => {
  test('has the XOR of a header and its number, and shows every turned bit', () => {
    const page = aPage(4096, 9, 3)
    let sum = 0x89abcdef
    for (let at = 4; at < 4096; at += 4) sum ^= page.view.getUint32(at, true)

    const missed: number[] = []
    for (let bit = 0; bit < 4096 * 8; bit++) {
      if (verdictWith(page, [bit], 9).verdict !== 'bad') missed.push(bit)
    }

    expect(page.view.getUint32(0, true)).toBe(sum >>> 0)
    expect(page.view.getUint32(4, true)).toBe(9)
    expect(verifyPage(page, 0, { bytes: 4096, number: 9 })).toEqual({ verdict: 'sound' })
    expect(missed).toEqual([])
  })

  test('names itself where it lies in the place of another', () => {
    const verdict = verifyPage(aPage(8192, 9, 3), 0, { bytes: 8192, number: 8 })

    expect(verdict).toEqual({ verdict: 'bad', detail: 'it is page 9', ownNumber: 9 })
  })
})
