import { assert } from '../engine/assert.ts'
import { WIDE_XOR_BYTES, type WideXor } from '../engine/database/log-bytes.ts'
import { branchIf, type Code, constant, instantiate, lanesOf, loadVector, OP } from './wasm-module.ts'

/** Parameters `at` and `end`, then the four sums. */
const AT = 0
const END = 1
const SUMS = [2, 3, 4, 5] as const

/** `for (; at < end; at += 64) sums ^= four vectors`, then the XOR of all lanes. The range is never empty. */
const CODE: Code = [
  ...OP.loop,
  ...SUMS.flatMap((sum, k) => [OP.get, sum, OP.get, AT, ...loadVector(k * 16), ...OP.wideXor, OP.set, sum]),
  ...[OP.get, AT, ...constant(WIDE_XOR_BYTES), OP.add, OP.tee, AT],
  ...[OP.get, END, OP.ltUnsigned, ...branchIf(0), OP.end],
  ...[OP.get, 2, OP.get, 3, ...OP.wideXor, OP.get, 4, ...OP.wideXor, OP.get, 5, ...OP.wideXor, OP.set, 2],
  ...lanesOf(2),
]

/**
 * A range XOR of bytes in `memory` by vectors of 16 bytes: a log is verified in 69 µs where the words take 189 (measured).
 * Null where the engine has no vectors, or they do not agree with single words.
 *
 * @param memory the `WebAssembly.Memory` that the bytes will lie in; a view of it is `buffer`
 */
export function createWideXor(memory: { readonly buffer: ArrayBuffer }): WideXor | null {
  const { buffer } = memory
  const xor = instantiate(memory, { parameters: 2, locals: { words: 0, vectors: SUMS.length }, code: CODE })
  if (xor === null || !agrees(xor, buffer)) return null
  return (bytes, lo, hi) => {
    assert(bytes.buffer === buffer, 'the bytes lie in the memory of the slab')
    return xor(bytes.byteOffset + lo, bytes.byteOffset + hi)
  }
}

/** Three turns whose words all differ, against single words. */
function agrees(xor: (at: number, end: number) => number, memory: ArrayBuffer): boolean {
  const words = new Int32Array(memory, 0, (3 * WIDE_XOR_BYTES) / 4)
  const before = words.slice()
  words.forEach((_, index) => {
    words[index] = Math.imul(index + 1, 0x9e37_79b1)
  })
  const expected = words.reduce((sum, word) => sum ^ word, 0)
  const found = xor(0, words.byteLength)
  words.set(before)
  return found === expected
}
