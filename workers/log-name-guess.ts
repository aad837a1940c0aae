import type { Generation } from '../engine/generation.ts'
import type { LogNames } from '../storage/log-names.ts'

/** A log whose name is known. */
export interface NamedLog {
  readonly name: string
  readonly generation: Generation
}

/**
 * Guesses the name of a log from that of another one: the number in it is exchanged, in the same place and width. It saves
 * reading a directory of 100,000 names for each new log of a numbered format whose names need a table; a wrong guess costs
 * one attempt to open a file that is not there. Null when no guess has the wanted generation by the format's own parser.
 */
export function guessName(known: NamedLog, wanted: Generation, names: LogNames): string | null {
  for (const match of known.name.matchAll(/[0-9A-Fa-f]+/g)) {
    const digits = match[0]
    for (const radix of [10, 16]) {
      if (Number.parseInt(digits, radix) !== known.generation) continue
      const fresh = inStyleOf(digits, wanted.toString(radix))
      const guess = known.name.slice(0, match.index) + fresh + known.name.slice(match.index + digits.length)
      if (names.parse(guess)?.generation === wanted) return guess
    }
  }
  return null
}

function inStyleOf(model: string, digits: string): string {
  const padded = digits.padStart(model.length, '0')
  return /[a-f]/.test(model) ? padded : padded.toUpperCase()
}
