// Goal: size and seed decide every byte of a made-up message, and nothing else does.
// Method: a dumb twin that makes single bytes, fixed bytes that no later version may change, and a look at how often bytes occur.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { messageContent } from '../../../engine/database/message-content.ts'

const aSize = fc.integer({ min: 0, max: 5_000 })
const aSeed = fc.integer({ min: 0, max: 0xffffffff })

/** The definition in numbers of any length: xorshift32 with the shifts 13, 17 and 5, a byte at a time. */
function byBytes(size: number, seed: number): Uint8Array {
  const mask = 0xffffffffn
  const step = (state: bigint): bigint => {
    let word = state ^ ((state << 13n) & mask)
    word ^= word >> 17n
    return word ^ ((word << 5n) & mask)
  }
  const spread = ((BigInt(seed) ^ 0x9e3779b1n) * 0x9e3779b1n) & mask
  let state = spread ^ ((BigInt(size + 1) * 0x85ebca6bn) & mask)
  if (state === 0n) state = 0x6c078965n
  for (let count = 0; count < 8; count++) state = step(state)
  return Uint8Array.from({ length: size }, (_, index) => {
    if (index % 4 === 0) state = step(state)
    return Number((state >> BigInt((index % 4) * 8)) & 0xffn)
  })
}

describe('the content of a message', () => {
  test('agrees with a twin that makes single bytes', () => {
    fc.assert(
      fc.property(aSize, aSeed, (size, seed) => {
        expect(messageContent(size, seed)).toEqual(byBytes(size, seed))
      }),
    )
  })

  test('stays what it was: ledgers of an older version are checked against it', () => {
    const hex = (size: number, seed: number) => Buffer.from(messageContent(size, seed)).toString('hex')

    expect([hex(0, 7), hex(1, 0), hex(7, 7), hex(8, 0xffffffff)]).toMatchInlineSnapshot(`
      [
        "",
        "e3",
        "e6e5ebd3ed3bb9",
        "c9190a50503a5575",
      ]
    `)
  })

  test('differs from the first bytes on where seed or size differ', () => {
    const begins = new Set<string>()
    for (let seed = 0; seed < 200; seed++)
      for (let size = 16; size < 36; size++)
        begins.add(Buffer.from(messageContent(size, seed).subarray(0, 8)).toString('hex'))

    expect(begins.size).toBe(200 * 20)
  })

  test('is as long as asked, and does not compress', async () => {
    const { deflateRawSync } = await import('node:zlib')
    const content = messageContent(100_000, 7)

    expect(content.length).toBe(100_000)
    expect(deflateRawSync(content).length).toBeGreaterThan(99_000)
  })

  test('is refused for what is no size and no seed', () => {
    for (const [size, seed] of [
      [-1, 0],
      [1.5, 0],
      [1, -1],
      [1, 2 ** 32],
      [Number.NaN, 0],
    ] as const)
      expect(() => messageContent(size, seed)).toThrow('whole number')
  })
})
