import { asGeneration, type Generation, type GenerationRange, higherOf, lowerOf } from '../engine/generation.ts'

/**
 * Which generations are there, kept as ranges: a directory of 100,000 logs without gaps costs one pair of numbers. Adding above
 * the highest is O(1); elsewhere O(log ranges) to find and O(ranges) to insert.
 */
export class GenerationSet {
  /** First and last of each range in turn, ascending; between two ranges at least one generation is missing. */
  #bounds: number[] = []
  #size = 0

  /** The set of all given generations, which may come in any order and more than once. Sorts them in place. */
  static of(generations: Float64Array): GenerationSet {
    generations.sort()
    const set = new GenerationSet()
    for (const generation of generations) set.#append(generation)
    return set
  }

  /** How many generations it holds. */
  get size(): number {
    return this.#size
  }

  has(generation: Generation): boolean {
    const at = this.#rangeFrom(generation)
    return at < this.#bounds.length && this.#bound(at) <= generation
  }

  /** Answers whether it was new. */
  add(generation: Generation): boolean {
    const at = this.#rangeFrom(generation)
    if (at < this.#bounds.length && this.#bound(at) <= generation) return false
    this.#size++
    const joinsBefore = at > 0 && this.#bound(at - 1) === generation - 1
    const joinsAfter = at < this.#bounds.length && this.#bound(at) === generation + 1
    if (joinsBefore && joinsAfter) this.#bounds.splice(at - 1, 2)
    else if (joinsBefore) this.#bounds[at - 1] = generation
    else if (joinsAfter) this.#bounds[at] = generation
    else this.#bounds.splice(at, 0, generation, generation)
    return true
  }

  /** Answers whether it was there. */
  delete(generation: Generation): boolean {
    const at = this.#rangeFrom(generation)
    if (at >= this.#bounds.length || this.#bound(at) > generation) return false
    this.#size--
    const first = this.#bound(at)
    const last = this.#bound(at + 1)
    if (first === last) this.#bounds.splice(at, 2)
    else if (first === generation) this.#bounds[at] = generation + 1
    else if (last === generation) this.#bounds[at + 1] = generation - 1
    else this.#bounds.splice(at + 1, 0, generation - 1, generation + 1)
    return true
  }

  /** Lowest, highest, and the highest up to which none is missing; all 0 for the empty set. */
  extent(): { readonly lowest: Generation; readonly closedThrough: Generation; readonly highest: Generation } {
    const [lowest = 0, closedThrough = 0] = this.#bounds
    const highest = this.#bounds.at(-1) ?? 0
    return {
      lowest: asGeneration(lowest),
      closedThrough: asGeneration(closedThrough),
      highest: asGeneration(highest),
    }
  }

  /** All ranges, ascending. */
  ranges(): readonly GenerationRange[] {
    const ranges: GenerationRange[] = []
    for (let at = 0; at < this.#bounds.length; at += 2) ranges.push(this.#range(at))
    return ranges
  }

  /** The part of the set within `[first, last]`, as ranges, ascending. */
  rangesWithin(within: GenerationRange): readonly GenerationRange[] {
    const ranges: GenerationRange[] = []
    for (let at = this.#rangeFrom(within.first); at < this.#bounds.length; at += 2) {
      const { first, last } = this.#range(at)
      if (first > within.last) break
      ranges.push({ first: higherOf(first, within.first), last: lowerOf(last, within.last) })
    }
    return ranges
  }

  /** Index of the first range that ends at or above `generation`: the one that holds it, or else the next. */
  #rangeFrom(generation: number): number {
    const highest = this.#bounds.length - 1
    if (highest < 0 || this.#bound(highest) < generation) return this.#bounds.length
    let low = 0
    let high = this.#bounds.length / 2 - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#bound(2 * middle + 1) < generation) low = middle + 1
      else high = middle
    }
    return 2 * low
  }

  #append(generation: number): void {
    const end = this.#bounds.length - 1
    const last = end < 0 ? Number.NaN : this.#bound(end)
    if (generation === last) return
    this.#size++
    if (generation === last + 1) this.#bounds[end] = generation
    else this.#bounds.push(generation, generation)
  }

  #range(at: number): GenerationRange {
    return { first: asGeneration(this.#bound(at)), last: asGeneration(this.#bound(at + 1)) }
  }

  #bound(at: number): number {
    return this.#bounds[at] ?? Number.NaN // callers stay within the array; NaN compares false with everything
  }
}

/** What is missing between ranges that ascend. */
export function gapsBetween(ranges: readonly GenerationRange[]): readonly GenerationRange[] {
  const gaps: GenerationRange[] = []
  let before: GenerationRange | undefined
  for (const range of ranges) {
    if (before !== undefined) {
      gaps.push({ first: asGeneration(before.last + 1), last: asGeneration(range.first - 1) })
    }
    before = range
  }
  return gaps
}
