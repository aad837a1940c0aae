import type { Generation } from '../engine/generation.ts'

/** Generations of one block. */
const BLOCK = 4096
const WORD_BITS = 32

/** A set of generations in which neighbours share a block of 512 bytes; add, delete and has take the same time in any order. */
export class GenerationBits {
  readonly #blocks = new Map<number, Uint32Array>()

  has(generation: Generation): boolean {
    const { block, word, bit } = placeOf(generation)
    return ((this.#blocks.get(block)?.[word] ?? 0) & bit) !== 0
  }

  add(generation: Generation): void {
    const { block, word, bit } = placeOf(generation)
    const words = this.#blocks.get(block) ?? new Uint32Array(BLOCK / WORD_BITS)
    words[word] = (words[word] ?? 0) | bit
    this.#blocks.set(block, words)
  }

  delete(generation: Generation): void {
    const { block, word, bit } = placeOf(generation)
    const words = this.#blocks.get(block)
    if (words === undefined) return
    words[word] = (words[word] ?? 0) & ~bit
    if (words.every((each) => each === 0)) this.#blocks.delete(block)
  }
}

/** Generations may lie above 2^32, where the operators on bits would cut them. */
function placeOf(generation: Generation): { block: number; word: number; bit: number } {
  const block = Math.floor(generation / BLOCK)
  const inBlock = generation - block * BLOCK
  return { block, word: inBlock >>> 5, bit: 1 << (inBlock & 31) }
}
