// Goal: the vectors call a page sound when, and only when, the checksum that is computed word by word does.
// Method: the engine's own verification beside them, on pages of noise with every bit turned, on damage of two and more bits, on wrong numbers, and on
// runs of pages with any of them damaged.

import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { openLogBytes } from '../../engine/database/log-bytes.ts'
import { PAGE_BYTES, PAGE_FLAGS } from '../../engine/database/page.ts'
import { FLAGS_OFFSET, type SoundPages, sealPage, verifyPage } from '../../engine/database/page-seal.ts'
import { createSlab } from '../../workers/slab.ts'
import { createWidePages } from '../../workers/wide-pages.ts'
import { xxhashWasmFile } from '../../workers/worker-files.ts'
import { noise } from './pipeline-rig.ts'

const PAGES = 16
const FIRST = 4_000_000_000

let bytes: Uint8Array
let soundPages: SoundPages

beforeAll(async () => {
  const slab = await createSlab(xxhashWasmFile(), 2)
  slab.take()
  const slot = slab.take()
  if (slot === null || slab.soundPages === null)
    throw new Error('this machine has vectors, and a slab of two has two slots')
  bytes = slot.bytes.subarray(0, PAGES * PAGE_BYTES)
  soundPages = slab.soundPages
})

/** Fills the stretch with sound pages of noise. */
function seal(seed: number): void {
  bytes.set(noise(bytes.length, seed))
  const pages = openLogBytes(bytes)
  for (let page = 0; page < PAGES; page++) {
    pages.view.setUint32(page * PAGE_BYTES + FLAGS_OFFSET, PAGE_FLAGS.newChecksum, true)
    sealPage(pages, page * PAGE_BYTES, { bytes: PAGE_BYTES, number: FIRST + page })
  }
}

function isSound(number: number): boolean {
  return verifyPage(openLogBytes(bytes.subarray(0, PAGE_BYTES)), 0, { bytes: PAGE_BYTES, number }).verdict === 'sound'
}

function turn(bit: number): void {
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
}

describe('the wide look at pages', () => {
  it('finds every turned bit of a page, its checksum and its flags included', () => {
    seal(1)
    const page = bytes.subarray(0, PAGE_BYTES)
    const missed: number[] = []
    for (let bit = 0; bit < PAGE_BYTES * 8; bit++) {
      turn(bit)
      if (soundPages(page, FIRST) !== 0) missed.push(bit)
      turn(bit)
    }

    expect(missed).toEqual([])
    expect(soundPages(page, FIRST)).toBe(1)
  })

  it('gives every damage the verdict that the words give', () => {
    const damage = fc.record({
      seed: fc.nat(1000),
      bits: fc.array(fc.nat(PAGE_BYTES * 8 - 1), { maxLength: 6 }),
      number: fc.constantFrom(FIRST, FIRST, FIRST + 1, 1),
      isOdd: fc.boolean(),
    })
    let sound = 0
    fc.assert(
      fc.property(damage, ({ seed, bits, number, isOdd }) => {
        seal(seed)
        if (isOdd) {
          // The parity of the whole page is in the code too.
          turn(PAGE_BYTES * 8 - 1)
          sealPage(openLogBytes(bytes), 0, { bytes: PAGE_BYTES, number: FIRST })
        }
        for (const bit of bits) turn(bit)
        const expected = isSound(number)
        if (expected) sound++
        expect(soundPages(bytes.subarray(0, PAGE_BYTES), number)).toBe(expected ? 1 : 0)
      }),
      { numRuns: 400 },
    )
    expect(sound).toBeGreaterThan(10)
  })

  it('stops at the first page that is damaged, empty, or has the older checksum', () => {
    const spoil: readonly ((at: number) => void)[] = [
      (at) => turn((at + 100) * 8),
      (at) => bytes.fill(0, at, at + PAGE_BYTES),
      (at) => {
        const pages = openLogBytes(bytes)
        pages.view.setUint32(at + FLAGS_OFFSET, 0, true)
        sealPage(pages, at, { bytes: PAGE_BYTES, number: FIRST + at / PAGE_BYTES })
      },
    ]
    for (const harm of spoil)
      for (const page of [0, 1, PAGES - 1]) {
        seal(3)
        harm(page * PAGE_BYTES)
        expect(soundPages(bytes, FIRST)).toBe(page)
      }
  })

  it('counts whole pages only, and none in nothing', () => {
    seal(4)
    expect(soundPages(bytes.subarray(0, 3 * PAGE_BYTES - 1), FIRST)).toBe(2)
    expect(soundPages(bytes.subarray(0, 0), FIRST)).toBe(0)
    expect(soundPages(bytes.subarray(PAGE_BYTES), FIRST)).toBe(0)
    expect(soundPages(bytes.subarray(PAGE_BYTES), FIRST + 1)).toBe(PAGES - 1)
  })

  it('refuses bytes that lie elsewhere', () => {
    expect(() => soundPages(new Uint8Array(PAGE_BYTES), 1)).toThrow('the bytes lie in the memory of the slab')
  })

  it('is absent where the memory is none, and leaves a slab as it was', async () => {
    expect(createWidePages({ buffer: new ArrayBuffer(65_536) })).toBeNull()
    const slab = await createSlab(xxhashWasmFile(), 1)
    expect(slab.take()?.bytes.every((byte) => byte === 0)).toBe(true)
  })
})
