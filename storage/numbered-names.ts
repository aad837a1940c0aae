import { type Generation, nextGeneration } from '../engine/generation.ts'
import type { ParsedLogName } from '../engine/log-format.ts'
import { GenerationBits } from './generation-bits.ts'

/** A way to write names: the number between two texts that do not change. */
interface NumberedStyle {
  readonly before: string
  readonly after: string
  readonly radix: 10 | 16
  readonly upperDigits: boolean
  /** The least number of digits; 1 where the number has no leading zeros. */
  readonly width: number
  /** The generations whose name in this style was taken. */
  readonly taken: GenerationBits
}

/** More styles than any program writes; further names are kept one by one. */
const STYLES_MAX = 4

/**
 * The names that were taken of a pattern of the user's own, each of one generation. What can be computed from another name costs
 * one bit, so that 10,000 logs take 2 KB and not 500; only names that follow no style are kept as they are.
 */
export class NumberedNames {
  readonly #parse: (name: string) => ParsedLogName | null
  readonly #styles: NumberedStyle[] = []
  readonly #others = new Map<Generation, string>()

  constructor(parse: (name: string) => ParsedLogName | null) {
    this.#parse = parse
  }

  /** The name of a generation, or null when none was taken. */
  nameOf(generation: Generation): string | null {
    const style = this.#styles.find(({ taken }) => taken.has(generation))
    return style === undefined ? (this.#others.get(generation) ?? null) : nameIn(style, generation)
  }

  /** Takes a name, unless its generation has another one: then it answers false. */
  take(name: string, generation: Generation): boolean {
    const known = this.nameOf(generation)
    if (known !== null) return known === name
    const style = this.#styles.find((each) => nameIn(each, generation) === name) ?? this.#newStyle(name, generation)
    if (style === null) this.#others.set(generation, name)
    else style.taken.add(generation)
    return true
  }

  forget(generation: Generation): void {
    for (const { taken } of this.#styles) taken.delete(generation)
    this.#others.delete(generation)
  }

  #newStyle(name: string, generation: Generation): NumberedStyle | null {
    if (this.#styles.length === STYLES_MAX) return null
    const style = stylesOf(name, generation).find((each) => this.#isOfPattern(each, generation))
    if (style !== undefined) this.#styles.push(style)
    return style ?? null
  }

  /** Letters that only look like the number ("db" is 219) show when another number is put in their place. */
  #isOfPattern(style: NumberedStyle, generation: Generation): boolean {
    const other = nextGeneration(generation)
    return this.#parse(nameIn(style, other))?.generation === other
  }
}

/** The ways in which a name can be read as its generation's. */
function stylesOf(name: string, generation: Generation): NumberedStyle[] {
  const styles: NumberedStyle[] = []
  for (const match of name.matchAll(/[0-9A-Fa-f]+/g)) {
    const digits = match[0]
    for (const radix of [10, 16] as const) {
      const style = {
        before: name.slice(0, match.index),
        after: name.slice(match.index + digits.length),
        radix,
        upperDigits: digits !== digits.toLowerCase(),
        width: digits.startsWith('0') ? digits.length : 1,
        taken: new GenerationBits(),
      }
      if (nameIn(style, generation) === name) styles.push(style)
    }
  }
  return styles
}

function nameIn({ before, after, radix, upperDigits, width }: NumberedStyle, generation: Generation): string {
  const digits = generation.toString(radix).padStart(width, '0')
  return before + (upperDigits ? digits.toUpperCase() : digits) + after
}
