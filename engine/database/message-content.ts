import { assert } from '../assert.ts'

const WORD_BYTES = 4
/** 2³² ÷ the golden ratio, made odd: spreads neighbouring seeds and sizes over all words. */
const SPREAD_SEED = 0x9e3779b1
/** A second odd number, so that seed and size do not come to the same when they are exchanged. */
const SPREAD_SIZE = 0x85ebca6b
/** What stands in for a state of zero, in which the generator would stay. */
const STATE_NOT_ZERO = 0x6c078965
/** Words thrown away at the beginning: states that differ in one bit have nothing in common after them. */
const WARM_UP_WORDS = 8

/** The most bytes that a message is made of: 2³¹ − 1, the longest array that every engine makes. */
const CONTENT_BYTES_MAX = 0x7fffffff

/**
 * The bytes of a made-up message: whoever knows size and seed knows every byte, so a request needs not carry them and a check
 * needs not keep them. They do not compress, and two sizes of one seed have no common beginning.
 *
 * Words of the generator xorshift32 (Source: Marsaglia, Xorshift RNGs, 2003), little endian, the last one cut.
 *
 * @param size whole bytes, from 0 to 2³¹ − 1
 * @param seed a whole number from 0 to 2³² − 1
 */
export function messageContent(size: number, seed: number): Uint8Array {
  assert(Number.isInteger(size) && size >= 0 && size <= CONTENT_BYTES_MAX, 'a size is a whole number of bytes')
  assert(Number.isInteger(seed) && seed >= 0 && seed <= 0xffffffff, 'a seed is a whole number of 32 bits')
  const content = new Uint8Array(size)
  const view = new DataView(content.buffer)
  let state = stateOf(size, seed)
  let at = 0
  for (const last = size - WORD_BYTES; at <= last; at += WORD_BYTES) {
    state = next(state)
    view.setInt32(at, state, true)
  }
  state = next(state)
  for (let shift = 0; at < size; at++, shift += 8) content[at] = state >>> shift
  return content
}

function stateOf(size: number, seed: number): number {
  let state = Math.imul(seed ^ SPREAD_SEED, SPREAD_SEED) ^ Math.imul(size + 1, SPREAD_SIZE)
  if (state === 0) state = STATE_NOT_ZERO
  for (let count = 0; count < WARM_UP_WORDS; count++) state = next(state)
  return state
}

function next(state: number): number {
  let word = state ^ (state << 13)
  word ^= word >>> 17
  return word ^ (word << 5)
}
