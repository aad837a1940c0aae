import { type Generation, NO_GENERATION, nextGeneration } from '../engine/generation.ts'
import type { ParsedLogName } from '../engine/log-format.ts'
import { GenerationBits } from './generation-bits.ts'

/** A way to write numbers. */
interface NumberedWay {
  readonly radix: 10 | 16
  readonly upperDigits: boolean
}

/** A way to write names: the number between two texts that do not change. */
interface NumberedStyle extends NumberedWay {
  readonly before: string
  readonly after: string
  /** The least number of digits; 1 where the number has no leading zeros. */
  readonly width: number
}

/** A style and the generations whose name in it was taken. */
interface TakenStyle extends NumberedStyle {
  readonly taken: GenerationBits
}

const WAYS: readonly NumberedWay[] = [
  { radix: 10, upperDigits: false },
  { radix: 16, upperDigits: true },
  { radix: 16, upperDigits: false },
]
/** More styles than any program writes; further names are kept one by one. */
const STYLES_MAX = 4
/** Ways to read one name. A number of a few digits stands in one or two places; only a name that was made to cost time has more. */
const READINGS_MAX = 32

/**
 * The names of a pattern of the user's own, each of one generation: those that were taken, and by them those that are likely. What
 * can be computed from another name costs one bit, so that 10,000 logs take 2 KB and not 500; only names that follow no style are
 * kept as they are.
 */
export class NumberedNames {
  readonly #parse: (name: string) => ParsedLogName | null
  readonly #styles: TakenStyle[] = []
  readonly #others = new Map<Generation, string>()
  /** The highest generation since it was last forgotten: the next log is named as it is, whatever order a directory has. */
  #newest: Generation = NO_GENERATION

  constructor(parse: (name: string) => ParsedLogName | null) {
    this.#parse = parse
  }

  /** The name of a generation, or null when none was taken. */
  nameOf(generation: Generation): string | null {
    const style = this.#styles.find(({ taken }) => taken.has(generation))
    return style === undefined ? (this.#others.get(generation) ?? null) : nameIn(style, generation)
  }

  /**
   * The names that a generation may have: the one that was taken, else those in the styles of others, that of the newest first. It
   * saves reading a directory of 100,000 names for each new log; a wrong one costs a look for a file that is not there.
   */
  candidates(generation: Generation): readonly string[] {
    const known = this.nameOf(generation)
    if (known !== null) return [known]
    const newest = this.nameOf(this.#newest)
    const likeNewest = newest === null ? [] : stylesOf(newest, this.#newest)
    const names = new Set([...likeNewest, ...this.#styles].map((style) => nameIn(style, generation)))
    return [...names].filter((name) => this.#parse(name)?.generation === generation)
  }

  /** Takes a name, unless its generation has another one: then it answers false. */
  take(name: string, generation: Generation): boolean {
    const known = this.nameOf(generation)
    if (known !== null) return known === name
    const style = this.#styles.find((each) => nameIn(each, generation) === name) ?? this.#newStyle(name, generation)
    if (style === null) this.#others.set(generation, name)
    else style.taken.add(generation)
    if (generation > this.#newest) this.#newest = generation
    return true
  }

  forget(generation: Generation): void {
    for (const { taken } of this.#styles) taken.delete(generation)
    this.#others.delete(generation)
    if (generation === this.#newest) this.#newest = NO_GENERATION
  }

  #newStyle(name: string, generation: Generation): TakenStyle | null {
    if (this.#styles.length === STYLES_MAX) return null
    const style = stylesOf(name, generation).find((each) => this.#isOfPattern(each, generation))
    if (style === undefined) return null
    const fresh = { ...style, taken: new GenerationBits() }
    this.#styles.push(fresh)
    return fresh
  }

  /** Letters that only look like the number ("db" is 219) show when another number is put in their place. */
  #isOfPattern(style: NumberedStyle, generation: Generation): boolean {
    const other = nextGeneration(generation)
    return this.#parse(nameIn(style, other))?.generation === other
  }
}

/**
 * The ways in which a name can be read as its generation's, at most {@link READINGS_MAX}. Digits alone do not tell the case of the
 * letters to come, and a first digit other than 0 does not tell whether there is a width: either may be so.
 */
function stylesOf(name: string, generation: Generation): NumberedStyle[] {
  const styles: NumberedStyle[] = []
  for (const way of WAYS) {
    const digits = digitsIn(way, generation)
    for (let at = name.indexOf(digits); at >= 0; at = name.indexOf(digits, at + 1)) {
      if (styles.length >= READINGS_MAX) return styles
      let start = at
      while (name[start - 1] === '0') start--
      const width = at - start + digits.length
      const place = { ...way, before: name.slice(0, start), after: name.slice(at + digits.length) }
      if (start === at && width > 1) styles.push({ ...place, width: 1 })
      styles.push({ ...place, width })
    }
  }
  return styles
}

function nameIn(style: NumberedStyle, generation: Generation): string {
  return style.before + digitsIn(style, generation).padStart(style.width, '0') + style.after
}

function digitsIn({ radix, upperDigits }: NumberedWay, generation: Generation): string {
  const digits = generation.toString(radix)
  return upperDigits ? digits.toUpperCase() : digits
}
