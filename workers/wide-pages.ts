import { assert } from '../engine/assert.ts'
import { openLogBytes } from '../engine/database/log-bytes.ts'
import { PAGE_BYTES, PAGE_FLAGS } from '../engine/database/page.ts'
import { FLAGS_OFFSET, type SoundPages, sealPage } from '../engine/database/page-seal.ts'
import {
  branchIf,
  type Code,
  constant,
  instantiate,
  lane,
  lanesOf,
  loadVector,
  loadWord,
  OP,
  vector,
} from './wasm-module.ts'

/** A page is 512 rows of one vector, whose index has nine bits. */
const ROW_BYTES = 16
const ROWS = PAGE_BYTES / ROW_BYTES
const ROW_BITS = Math.log2(ROWS)

/** Parameters: where the pages begin and end, and the number of the first. */
const AT = 0
const END = 1
const NUMBER = 2
/** The low half of the code. */
const LOW = 3
const FOLDED = 4
/** The XOR of all rows, of the right half in each step, and of the rows whose index has bit k set. */
const TOTAL = 5
const RIGHT = 6
const WITH_BIT = 7
const LOCALS = { words: 2, vectors: 2 + ROW_BITS }

/** The words that have bit k of the index of a bit set. */
const BIT_MASKS = [0xaaaa_aaaa, 0xcccc_cccc, 0xf0f0_f0f0, 0xff00_ff00, 0xffff_0000]

/**
 * The XOR of 2^bits rows on the stack. The rows of the right half have bit `bits - 1` of their index set, those of the left one have not: so
 * each half is summed once, for itself and for everything that it is a part of.
 */
function sumOfRows(first: number, bits: number): Code {
  if (bits === 0) {
    const row = [OP.get, AT, ...loadVector(first * ROW_BYTES)]
    // The checksum itself counts as zero.
    return first === 0 ? [...row, ...vector(0, 0, -1, -1), ...OP.wideAnd] : row
  }
  const half = bits - 1
  const withBit = WITH_BIT + half
  return [
    ...sumOfRows(first, half),
    ...[...sumOfRows(first + (1 << half), half), OP.tee, RIGHT, ...OP.wideXor],
    ...[OP.get, RIGHT, OP.get, withBit, ...OP.wideXor, OP.set, withBit],
  ]
}

/** Puts the parity of the word on the stack into a bit of the code. */
const toBit = (bit: number): Code => [
  ...[OP.popcnt, ...constant(1), OP.and, ...constant(bit), OP.shl],
  ...[OP.get, LOW, OP.or, OP.set, LOW],
]

/** The low half of the code: for each bit of the index of a bit in the page, the parity of those that have it set. */
const CODE_OF_PAGE: Code = [
  ...[...constant(0), OP.set, LOW],
  ...BIT_MASKS.flatMap((mask, bit) => [OP.get, FOLDED, ...constant(mask | 0), OP.and, ...toBit(bit)]),
  ...[OP.get, TOTAL, ...lane(1), OP.get, TOTAL, ...lane(3), OP.xor, ...toBit(5)],
  ...[OP.get, TOTAL, ...lane(2), OP.get, TOTAL, ...lane(3), OP.xor, ...toBit(6)],
  ...Array.from({ length: ROW_BITS }, (_, bit) => [...lanesOf(WITH_BIT + bit), ...toBit(7 + bit)]).flat(),
]

/** The upper half says the same of the bits that have it clear: the other way round where the parity of the whole page is odd. */
const WHOLE_CODE: Code = [
  ...[...constant(0), OP.get, FOLDED, OP.popcnt, ...constant(1), OP.and, OP.sub],
  ...[OP.get, LOW, OP.xor, ...constant(16), OP.shl, OP.get, LOW, OP.or],
]

/** `for (; at < end; at += 8192, number++) if (the page is not sound) break`, then `at`. */
const CODE: Code = [
  ...OP.block,
  ...OP.loop,
  ...[OP.get, AT, OP.get, END, OP.ltUnsigned, OP.eqz, ...branchIf(1)],
  ...[OP.get, AT, ...loadWord(FLAGS_OFFSET), ...constant(PAGE_FLAGS.newChecksum), OP.and, OP.eqz, ...branchIf(1)],
  ...Array.from({ length: ROW_BITS }, (_, bit) => [...vector(0, 0, 0, 0), OP.set, WITH_BIT + bit]).flat(),
  ...[...sumOfRows(0, ROW_BITS), OP.set, TOTAL],
  ...[...lanesOf(TOTAL), OP.tee, FOLDED],
  ...[OP.get, NUMBER, OP.xor, OP.get, AT, ...loadWord(0), OP.eq, OP.eqz, ...branchIf(1)],
  ...CODE_OF_PAGE,
  ...[...WHOLE_CODE, OP.get, AT, ...loadWord(4), OP.eq, OP.eqz, ...branchIf(1)],
  ...[OP.get, AT, ...constant(PAGE_BYTES), OP.add, OP.set, AT],
  ...[OP.get, NUMBER, ...constant(1), OP.add, OP.set, NUMBER],
  ...[...constant(1), ...branchIf(0), OP.end, OP.end],
  ...[OP.get, AT],
]

/**
 * Finds the sound pages at the start of a stretch of `memory` by vectors of 16 bytes. Null where the engine has no vectors, or they do not
 * agree with the checksum that is computed word by word.
 *
 * @param memory the `WebAssembly.Memory` that the bytes will lie in; a view of it is `buffer`
 */
export function createWidePages(memory: { readonly buffer: ArrayBuffer }): SoundPages | null {
  const { buffer } = memory
  const run = instantiate(memory, { parameters: 3, locals: LOCALS, code: CODE })
  if (run === null || !agrees(run, buffer)) return null
  return (bytes, first) => {
    assert(bytes.buffer === buffer, 'the bytes lie in the memory of the slab')
    const at = bytes.byteOffset
    return (run(at, at + bytes.length - (bytes.length % PAGE_BYTES), first) - at) / PAGE_BYTES
  }
}

/** A page whose words all differ is sound, and is not when any one bit of some is turned. */
function agrees(run: (at: number, end: number, number: number) => number, memory: ArrayBuffer): boolean {
  const page = new Uint8Array(memory, 0, PAGE_BYTES)
  const before = page.slice()
  const pages = openLogBytes(page)
  pages.words.forEach((_, index) => {
    pages.words[index] = Math.imul(index + 1, 0x9e37_79b1)
  })
  pages.view.setUint32(FLAGS_OFFSET, PAGE_FLAGS.newChecksum, true)
  sealPage(pages, 0, { bytes: PAGE_BYTES, number: 7 })
  let isRight = run(0, PAGE_BYTES, 7) === PAGE_BYTES && run(0, PAGE_BYTES, 8) === 0
  for (let at = 0; at < PAGE_BYTES; at += 509) {
    page[at] = (page[at] ?? 0) ^ 0x10
    isRight &&= run(0, PAGE_BYTES, 7) === 0
    page[at] = (page[at] ?? 0) ^ 0x10
  }
  page.set(before)
  return isRight
}
