// Goal: the vectors sum exactly what the words do, for whole logs and for every range and place in a slot.
// Method: the engine's range XOR with and without them on the same bytes; a log and its damaged twins must get the same verdict.

import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { composeStream } from '../../bench/log-files.ts'
import { openLogBytes, WIDE_XOR_BYTES, type WideXor } from '../../engine/database/log-bytes.ts'
import { verifyLog } from '../../engine/database/log-file.ts'
import { xorRange } from '../../engine/database/range-xor.ts'
import { PIECE_BYTES_MAX } from '../../transport/wire.ts'
import { createSlab } from '../../workers/slab.ts'
import { createWideXor } from '../../workers/wide-xor.ts'
import { xxhashWasmFile } from '../../workers/worker-files.ts'
import { noise } from './pipeline-rig.ts'

let bytes: Uint8Array
let wideXor: WideXor

beforeAll(async () => {
  const slab = await createSlab(xxhashWasmFile(), 2)
  slab.take()
  const slot = slab.take()
  if (slot === null || slab.wideXor === null)
    throw new Error('this machine has vectors, and a slab of two has two slots')
  bytes = slot.bytes.subarray(0, PIECE_BYTES_MAX)
  wideXor = slab.wideXor
})

describe('the wide XOR', () => {
  it('agrees with the words on any range at any word of a slot', () => {
    bytes.set(noise(PIECE_BYTES_MAX, 11))
    const narrow = openLogBytes(bytes)
    const wide = openLogBytes(bytes, wideXor)
    const anyRange = fc.record({ lo: fc.nat(PIECE_BYTES_MAX), length: fc.nat(5000) })

    expect(xorRange(wide, 0, PIECE_BYTES_MAX)).toBe(xorRange(narrow, 0, PIECE_BYTES_MAX))
    fc.assert(
      fc.property(anyRange, ({ lo, length }) => {
        const hi = Math.min(lo + length, PIECE_BYTES_MAX)
        expect(xorRange(wide, lo, hi)).toBe(xorRange(narrow, lo, hi))
      }),
      { numRuns: 2_000 },
    )
  })

  it('sees every bit of a turn, in every lane', () => {
    bytes.fill(0)
    const xor = wideXor(bytes)
    for (let bit = 0; bit < WIDE_XOR_BYTES * 8; bit++) {
      bytes[bit >> 3] = 1 << (bit & 7)
      expect(xor(0, WIDE_XOR_BYTES)).toBe((1 << (bit & 31)) | 0)
      bytes[bit >> 3] = 0
    }
  })

  it('takes a range of less than a turn, of whole turns, and of both', () => {
    bytes.set(noise(PIECE_BYTES_MAX, 12))
    const { words } = openLogBytes(bytes)
    const xor = wideXor(bytes)
    for (let count = 1; count < 70; count++)
      expect(xor(8, 8 + 4 * count)).toBe(words.slice(2, 2 + count).reduce((sum, word) => sum ^ word, 0))
  })

  it('gives a sound log and its damaged twins the verdict that the words give', () => {
    const [log] = [...composeStream({ count: 1, seed: 5 })]
    if (log === undefined) throw new Error('a stream of one has one')
    bytes.set(log.bytes)
    const sound = verifyLog(bytes, { wideXor })

    expect(sound.verdict).toBe('sound')
    expect(sound).toEqual(verifyLog(bytes))
    for (let at = 40; at < PIECE_BYTES_MAX; at += 9_973) {
      bytes[at] = (bytes[at] ?? 0) ^ 4
      const damaged = verifyLog(bytes, { wideXor })
      expect([at, damaged]).toEqual([at, verifyLog(bytes)])
      bytes[at] = (bytes[at] ?? 0) ^ 4
    }
  })

  it('refuses bytes that lie elsewhere', () => {
    expect(() => wideXor(new Uint8Array(64))).toThrow('the bytes lie in the memory of the slab')
  })

  it('is absent where the memory is none', () => {
    expect(createWideXor({ buffer: new ArrayBuffer(65_536) })).toBeNull()
  })

  it('leaves the memory as it was', async () => {
    const slab = await createSlab(xxhashWasmFile(), 1)
    expect(slab.take()?.bytes.every((byte) => byte === 0)).toBe(true)
  })
})
