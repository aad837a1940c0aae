// Goal: bytes are hashed where they lie, and rightly so, whatever the package ships.
// Method: the slab against the public function of the package, with and without the binary that it reads.

import { describe, expect, it } from 'vitest'
import xxhash from 'xxhash-wasm'
import { createSlab } from '../../workers/slab.ts'
import { xxhashWasmFile } from '../../workers/worker-files.ts'
import { noise } from './pipeline-rig.ts'

describe.each([
  ['in place', xxhashWasmFile(), true],
  ['without the binary', '/nowhere/xxhash.wasm', false],
  ['with another binary', xxhashWasmFile().replace(/workerd.*$/, 'package.json'), false],
])('a slab %s', (_, wasmPath, inPlace) => {
  it('hashes as the public function does, whole and in pieces of any length', async () => {
    const { h64Raw } = await xxhash()
    const slab = await createSlab(wasmPath, 3)
    const [a, b] = [slab.take(), slab.take()]
    if (a === null || b === null) throw new Error('a slab of three has two')
    for (const length of [0, 1, 31, 32, 33, 4096, 1_048_575, 1_048_576]) {
      a.bytes.set(noise(length, length))
      b.bytes.set(noise(777, 1))
      const running = slab.beginHash()
      running.update(a, length)
      running.update(b, 777)

      expect(slab.hash(a, length)).toBe(h64Raw(noise(length, length)))
      expect(running.digest()).toBe(h64Raw(Buffer.concat([noise(length, length), noise(777, 1)])))
    }
    expect(slab.hashesInPlace).toBe(inPlace)
  })

  it('lends each slot once, page-aligned and apart from all others', async () => {
    const slab = await createSlab(wasmPath, 4)
    const slots = [slab.take(), slab.take(), slab.take(), slab.take()]
    const first = slots[0] ?? null
    if (first === null) throw new Error('a slab of four has one')

    expect(slots.every((slot) => slot !== null && slot.address % 4096 === 0)).toBe(true)
    for (const [index, slot] of slots.entries()) slot?.bytes.fill(index)
    expect(slots.map((slot) => slot?.bytes.every((byte) => byte === slot.bytes[0]))).toEqual([true, true, true, true])
    expect(slab.take()).toBeNull()
    slab.give(first)
    expect(() => slab.give(first)).toThrow('a slot is given back once')
    expect(slab.take()).toBe(first)
  })

  it('runs hundreds of hashes, abandoned ones included, without running out of states', async () => {
    const slab = await createSlab(wasmPath, 1)
    const slot = slab.take()
    if (slot === null) throw new Error('a slab of one has one')
    slot.bytes.set(noise(1000, 3))
    const expected = slab.hash(slot, 1000)

    for (let count = 0; count < 2000; count++) {
      const abandoned = slab.beginHash()
      abandoned.update(slot, 999)
      abandoned.abandon()
      const running = slab.beginHash()
      running.update(slot, 1000)
      expect(running.digest()).toBe(expected)
    }
  })
})
