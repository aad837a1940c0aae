import type { Generation } from '../engine/generation.ts'
import { type LogFormat, logNameParser, type ParsedLogName } from '../engine/log-format.ts'
import { NumberedNames } from './numbered-names.ts'

/** Why a file in a log directory is none of the stream's logs. It is listed, never touched. */
export type ForeignReason =
  | 'not a regular file'
  | 'more than one name (hard link)'
  | 'empty'
  | 'wrong size'
  | 'not a log name'
  | 'letter case that no engine writes'
  | 'second file of its generation'
  | 'another timeline'

/**
 * The file names of one stream. A generation's name is computed where the format allows it, so that 100,000 logs cost no
 * memory; a pattern of the user's own needs to know which names there are, at one bit for each, and computes only likely ones.
 */
export interface LogNames {
  /** The timeline that the stream was fixed to (PostgreSQL), else `''`. */
  readonly stream: string
  /** Whether {@link candidates} names every log that there can be: true as soon as it needs no table. */
  readonly computable: boolean
  /** Whether names tell streams apart and none is chosen yet: the caller looks at all names, then calls {@link decide}. */
  readonly undecided: boolean
  /** Fixes the stream. */
  decide(stream: string): void
  /** Takes a name apart. Null for whatever is not a name of this format. */
  parse(name: string): ParsedLogName | null
  /** Takes a name into the stream; answers why not, or null when it was taken. */
  accept(name: string, parsed: ParsedLogName): ForeignReason | null
  /** The names that a generation may have, the likeliest first. Each of them is parsed as this very generation. */
  candidates(generation: Generation): readonly string[]
  /**
   * Those of the candidates under which a log may be deleted. Of a pattern it is the name that was accepted and no other: a second
   * file of a generation is foreign and never touched.
   */
  deletable(generation: Generation): readonly string[]
  /** A generation is gone. */
  forget(generation: Generation): void
  /** Whether a name belongs to the store's own files beside the closed logs (open log, checkpoint, reserve logs, folders). */
  isCompanion(name: string): boolean
  /** The names that an open log can have here, the log itself and the one prepared after it; none for a numbered format. */
  readonly openLogNames: readonly string[]
}

/**
 * The names of a stream of `format`.
 *
 * @param stream the timeline to keep to; without it the first accepted name fixes it
 */
export function logNamesOf(format: LogFormat, stream?: string): LogNames {
  const parse = logNameParser(format)
  if (format.kind === 'ese') return new EseNames(format.baseName, parse)
  return format.pattern === 'postgresql' ? new PostgresqlNames(parse, stream) : new PatternNames(parse)
}

type Parse = (name: string) => ParsedLogName | null

/** How a stream writes its names. At most 256 of them exist (base and extension in 8 letter cases each, 2 widths, 2 digits). */
interface EseStyle {
  readonly base: string
  readonly width: number
  readonly lowerDigits: boolean
  readonly extension: string
}

class EseNames implements LogNames {
  readonly stream = ''
  readonly computable = true
  readonly undecided = false
  readonly parse: Parse
  readonly openLogNames: readonly string[]
  readonly #companion: RegExp
  /** The styles that were seen, in the order of their first names; a stream has one, or two after a change of width. */
  readonly #seen: EseStyle[] = []
  readonly #fallback: readonly EseStyle[]

  constructor(baseName: string, parse: Parse) {
    this.parse = parse
    this.openLogNames = [`${baseName}.log`, `${baseName}tmp.log`]
    this.#companion = new RegExp(
      // A file that replaces one of them has a temporary name for a moment.
      `^${baseName}((tmp)?\\.log|\\.chk|res[0-9a-f]{5}\\.jrs)(\\.[a-z0-9_-]{1,64}\\.tmp)?$|^(tmp\\.edb|inspector|IgnoredLogs)$`,
      'i',
    )
    this.#fallback = [8, 5].map((width) => ({ base: baseName, width, lowerDigits: false, extension: '.log' }))
  }

  accept(name: string, parsed: ParsedLogName): ForeignReason | null {
    const generation = parsed.generation
    if (this.#seen.some((style) => fits(style, name) && inStyle(style, generation) === name)) return null
    const digits = name.slice(3, -4)
    const style = {
      base: name.slice(0, 3),
      width: digits.length,
      lowerDigits: digits !== digits.toUpperCase(),
      extension: name.slice(-4),
    }
    if (inStyle(style, generation) !== name) return 'letter case that no engine writes'
    this.#seen.push(style)
    return null
  }

  candidates(generation: Generation): readonly string[] {
    const names = new Set<string>()
    for (const style of [...this.#seen, ...this.#fallback]) {
      const name = inStyle(style, generation)
      if (fits(style, name)) names.add(name)
    }
    return [...names]
  }

  deletable(generation: Generation): readonly string[] {
    return this.candidates(generation)
  }

  decide(): void {}

  forget(): void {}

  isCompanion(name: string): boolean {
    return this.#companion.test(name)
  }
}

/** A generation above 0xFFFFF does not fit into five digits: its name is then none of that style. */
function fits(style: EseStyle, name: string): boolean {
  return name.length === style.base.length + style.width + style.extension.length
}

function inStyle(style: EseStyle, generation: Generation): string {
  const digits = generation.toString(16).padStart(style.width, '0')
  return style.base + (style.lowerDigits ? digits : digits.toUpperCase()) + style.extension
}

class PostgresqlNames implements LogNames {
  readonly parse: Parse
  readonly openLogNames: readonly string[] = []
  #stream: string

  constructor(parse: Parse, stream = '') {
    this.parse = parse
    this.#stream = stream
  }

  get stream(): string {
    return this.#stream
  }

  get computable(): boolean {
    return this.#stream !== ''
  }

  get undecided(): boolean {
    return this.#stream === ''
  }

  decide(stream: string): void {
    this.#stream = stream
  }

  accept(_name: string, parsed: ParsedLogName): ForeignReason | null {
    if (this.#stream === '') this.#stream = parsed.stream
    return parsed.stream === this.#stream ? null : 'another timeline'
  }

  candidates(generation: Generation): readonly string[] {
    if (this.#stream === '') return []
    // 256 segments of 16 MiB make one "log" of 4 GiB; both numbers have eight digits in the name.
    const eightDigits = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0')
    return [this.#stream + eightDigits(Math.floor(generation / 256)) + eightDigits(generation % 256)]
  }

  deletable(generation: Generation): readonly string[] {
    return this.candidates(generation)
  }

  forget(): void {}

  isCompanion(name: string): boolean {
    return /^[0-9A-F]{8}\.history$|^[0-9A-F]{24}(\.[0-9A-F]{8}\.backup|\.partial)$/.test(name)
  }
}

class PatternNames implements LogNames {
  readonly stream = ''
  readonly computable = false
  readonly undecided = false
  readonly parse: Parse
  readonly openLogNames: readonly string[] = []
  readonly #names: NumberedNames

  constructor(parse: Parse) {
    this.parse = parse
    this.#names = new NumberedNames(parse)
  }

  accept(name: string, parsed: ParsedLogName): ForeignReason | null {
    return this.#names.take(name, parsed.generation) ? null : 'second file of its generation'
  }

  candidates(generation: Generation): readonly string[] {
    return this.#names.candidates(generation)
  }

  deletable(generation: Generation): readonly string[] {
    const name = this.#names.nameOf(generation)
    return name === null ? [] : [name]
  }

  decide(): void {}

  forget(generation: Generation): void {
    this.#names.forget(generation)
  }

  isCompanion(): boolean {
    return false
  }
}
