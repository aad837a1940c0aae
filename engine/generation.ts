import { assert } from './assert.ts'

/**
 * The number of a log in its stream: a whole number from 1 on, without gaps. 0 stands for "none yet" in counters such as
 * `LastLogInspected`. File names of the ESE format show it in hexadecimal; everything else shows it in decimal.
 *
 * Ranges of generations are written `[first, last]`, both included.
 */
export type Generation = number & { readonly brand: 'Generation' }

/** The value of a counter that has not seen any log. */
export const NO_GENERATION: Generation = asGeneration(0)

/**
 * The highest generation an ESE stream may reach: 0x7FFFFFEC. Source: the documented limit of Exchange 2007; beyond it the
 * engine answers -519.
 */
export const ESE_GENERATION_MAX: Generation = asGeneration(0x7fffffec)

/**
 * The highest generation of any format: 2^48 - 1. PostgreSQL's segments need 40 bits; 48 leave room and stay exact in a
 * double.
 */
export const GENERATION_MAX: Generation = asGeneration(2 ** 48 - 1)

/** A run of generations without gaps, both ends included; `first` is never above `last`. */
export interface GenerationRange {
  readonly first: Generation
  readonly last: Generation
}

/** Takes a number in as a generation. Throws when it is not a whole number in `[0, 2^48)`: a fault of the caller. */
export function asGeneration(value: number): Generation {
  assert(Number.isSafeInteger(value) && value >= 0 && value < 2 ** 48, `a generation is a whole number, not ${value}`)
  return value as Generation // the assertion above is the brand's only door
}

/** The generation after `generation`. */
export function nextGeneration(generation: Generation): Generation {
  return (generation + 1) as Generation // one above a checked generation; GENERATION_MAX is checked where it is read
}

/** The generation before `generation`, or 0 before the first. */
export function previousGeneration(generation: Generation): Generation {
  return (generation > 0 ? generation - 1 : 0) as Generation // not below 0, so still a generation
}

/** How many generations a range holds. */
export function rangeLength(range: GenerationRange): number {
  return range.last - range.first + 1
}

/** The lower of two generations. */
export function lowerOf(a: Generation, b: Generation): Generation {
  return a < b ? a : b
}

/** The higher of two generations. */
export function higherOf(a: Generation, b: Generation): Generation {
  return a > b ? a : b
}

/** How an operator reads a generation: eight hexadecimal digits, as in an ESE file name (`0000002A`). */
export function formatGeneration(generation: Generation): string {
  return generation.toString(16).toUpperCase().padStart(8, '0')
}
