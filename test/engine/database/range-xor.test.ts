// Goal: the fast range XOR is the format's XOR for every start, end and alignment in memory.
// Method: three implementations that share no line (words with a rotation, fields of a DataView, single bytes) must agree.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openLogBytes } from '../../../engine/database/log-bytes.ts'
import { xorRange } from '../../../engine/database/range-xor.ts'

/** The definition: byte i of the range goes into lane i mod 4. */
function xorByBytes(bytes: Uint8Array, lo: number, hi: number): number {
  let sum = 0
  for (let at = lo; at < hi; at++) sum ^= (bytes[at] ?? 0) << (((at - lo) % 4) * 8)
  return sum
}

/** The definition in its other wording: words at lo, lo + 4, …, and what is left in the low lanes. */
function xorByFields(bytes: Uint8Array, lo: number, hi: number): number {
  const padded = new Uint8Array(Math.ceil((hi - lo) / 4) * 4)
  padded.set(bytes.subarray(lo, hi))
  const view = new DataView(padded.buffer)
  let sum = 0
  for (let at = 0; at < padded.length; at += 4) sum ^= view.getInt32(at, true)
  return sum
}

describe('the range XOR', () => {
  test('agrees with its two twins on every range of 64 bytes', () => {
    const bytes = Uint8Array.from({ length: 64 }, (_, index) => (index * 197 + 13) & 0xff)
    const log = openLogBytes(bytes)

    for (let lo = 0; lo <= 64; lo++) {
      for (let hi = lo; hi <= 64; hi++) {
        const expected = xorByBytes(bytes, lo, hi)
        expect([lo, hi, xorRange(log, lo, hi), xorByFields(bytes, lo, hi)]).toEqual([lo, hi, expected, expected])
      }
    }
  })

  test('agrees with its two twins on any bytes at any alignment in memory', () => {
    const anyCase = fc.record({
      bytes: fc.uint8Array({ minLength: 0, maxLength: 3000 }),
      shift: fc.nat(3),
      lo: fc.nat(3000),
      length: fc.nat(3000),
    })

    fc.assert(
      fc.property(anyCase, ({ bytes, shift, lo, length }) => {
        const whole = bytes.length - (bytes.length % 4)
        const memory = new Uint8Array(whole + shift)
        memory.set(bytes.subarray(0, whole), shift)
        const view = memory.subarray(shift)
        const from = Math.min(lo, whole)
        const to = Math.min(from + length, whole)
        const expected = xorByBytes(view, from, to)
        expect(xorRange(openLogBytes(view), from, to)).toBe(expected)
        expect(xorByFields(view, from, to)).toBe(expected)
      }),
      { numRuns: 500 },
    )
  })

  test('sees lanes from the start of the range, so the same bytes elsewhere have the same XOR', () => {
    const bytes = new Uint8Array(32)
    bytes.set([1, 2, 4, 8, 16, 32, 64], 0)
    bytes.set([1, 2, 4, 8, 16, 32, 64], 17)
    const log = openLogBytes(bytes)

    expect(xorRange(log, 17, 24)).toBe(xorRange(log, 0, 7))
    expect(xorRange(log, 16, 24)).not.toBe(xorRange(log, 0, 7))
  })
})
