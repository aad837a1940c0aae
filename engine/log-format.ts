import { ReplicationError } from './error.ts'
import { asGeneration, ESE_GENERATION_MAX, GENERATION_MAX, type Generation } from './generation.ts'

/** The ESE format: `E00` + 8 (Exchange) or 5 (ESENT) hexadecimal digits + `.log`. Every byte of such a log can be verified. */
interface EseFormat {
  readonly kind: 'ese'
  /** Exactly three characters, upper or lower case; may consist of hexadecimal letters (`edb`). */
  readonly baseName: string
}

/**
 * Any file whose name carries an ascending generation. Size and checksum are verified, the content is not understood.
 */
interface NumberedFormat {
  readonly kind: 'numbered'
  /**
   * `postgresql` (24 hexadecimal digits: timeline, log, segment of 16 MiB), or the source text of a regular expression with
   * one named group: `(?<hex>…)` or `(?<decimal>…)`.
   */
  readonly pattern: string
}

/** How the files of one stream are named and what can be proved of them. Travels from the source to its copies as JSON. */
export type LogFormat = EseFormat | NumberedFormat

/** A file name taken apart. */
export interface ParsedLogName {
  readonly generation: Generation
  /** What the name itself says of the stream: PostgreSQL's timeline (8 digits), else `''`. */
  readonly stream: string
}

/** Reads generations out of file names of one format. Build it once with {@link logNameParser}; it never throws. */
export type LogNameParser = (name: string) => ParsedLogName | null

/** The longest file name that any file system here takes; a longer one is no log. */
const NAME_CHARACTERS_MAX = 255
/** The longest pattern: what a person writes. Bounds the work of checking it. */
const PATTERN_CHARACTERS_MAX = 200
/** Repetitions without an end in a pattern: two make a match quadratic in a name of 255 characters, which is still nothing. */
const OPEN_REPETITIONS_MAX = 2
/** Optional parts and alternatives in a pattern: each may double the work, 2^4 times 255² steps is below 10 ms. */
const CHOICES_MAX = 4
/** Segments of 16 MiB in one of PostgreSQL's 4 GiB "logs": 4 GiB ÷ 16 MiB. */
const POSTGRESQL_SEGMENTS_PER_LOG = 256

/**
 * Makes the parser of a format.
 *
 * Errors: `LOG_FORMAT_INVALID` for a base name that is not three letters or digits, a pattern that is no regular expression,
 * has no group `hex` or `decimal`, or could take exponential time (the pattern crosses the wire, so it is hostile until
 * checked here).
 */
export function logNameParser(format: LogFormat): LogNameParser {
  if (format.kind === 'ese') return eseNameParser(format.baseName)
  return format.pattern === 'postgresql' ? parsePostgresqlName : patternParser(format.pattern)
}

/** The name of a closed ESE log: `E00` and 26 give `E000000001A.log`. 8 digits, as Exchange 2007 writes them. */
export function eseLogName(baseName: string, generation: Generation): string {
  return `${baseName}${generation.toString(16).toUpperCase().padStart(8, '0')}.log`
}

function eseNameParser(baseName: string): LogNameParser {
  if (!/^[A-Za-z0-9]{3}$/.test(baseName))
    throw formatInvalid(
      `base name ${JSON.stringify(baseName)} is not three letters or digits`,
      'Use a name such as E00.',
    )
  const prefix = baseName.toLowerCase()
  return (name) => {
    // The base name goes first: its letters may be hexadecimal digits, so a single pattern could read "edb00001" as a number.
    if (name.length > 15 || name.slice(0, 3).toLowerCase() !== prefix) return null
    const digits = /^([0-9A-Fa-f]{8}|[0-9A-Fa-f]{5})\.[lL][oO][gG]$/.exec(name.slice(3))?.[1]
    if (digits === undefined) return null
    const value = Number.parseInt(digits, 16)
    return value >= 1 && value <= ESE_GENERATION_MAX ? { generation: asGeneration(value), stream: '' } : null
  }
}

function parsePostgresqlName(name: string): ParsedLogName | null {
  const parts = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/.exec(name)
  if (parts === null) return null
  const [, timeline = '', log = '', segment = ''] = parts
  const segmentNumber = Number.parseInt(segment, 16)
  if (segmentNumber >= POSTGRESQL_SEGMENTS_PER_LOG) return null
  const value = Number.parseInt(log, 16) * POSTGRESQL_SEGMENTS_PER_LOG + segmentNumber
  return value >= 1 && value <= GENERATION_MAX ? { generation: asGeneration(value), stream: timeline } : null
}

function patternParser(pattern: string): LogNameParser {
  refuseSlowPattern(pattern)
  let expression: RegExp
  try {
    expression = new RegExp(`^(?:${pattern})$`)
  } catch (cause) {
    throw formatInvalid(`pattern ${pattern} is no regular expression: ${String(cause)}`, PATTERN_HINT)
  }
  return (name) => {
    if (name.length > NAME_CHARACTERS_MAX) return null
    const groups = expression.exec(name)?.groups
    const digits = groups?.['hex'] ?? groups?.['decimal']
    if (digits === undefined || !(groups?.['hex'] === undefined ? /^\d{1,15}$/ : /^[0-9A-Fa-f]{1,12}$/).test(digits))
      return null
    const value = Number.parseInt(digits, groups?.['hex'] === undefined ? 10 : 16)
    return value >= 1 && value <= GENERATION_MAX ? { generation: asGeneration(value), stream: '' } : null
  }
}

const PATTERN_HINT =
  "Write one named group for the number, for example '(?<hex>[0-9A-F]{8})\\.wal' or 'log-(?<decimal>\\d+)\\.bin'."

function refuseSlowPattern(pattern: string): void {
  if (pattern.length > PATTERN_CHARACTERS_MAX)
    throw formatInvalid(
      `pattern of ${pattern.length} characters is longer than ${PATTERN_CHARACTERS_MAX}`,
      PATTERN_HINT,
    )
  if ((pattern.match(/\(\?<(hex|decimal)>/g) ?? []).length !== 1)
    throw formatInvalid(`pattern ${pattern} has no group named hex or decimal, or more than one`, PATTERN_HINT)
  // A repeated group, a back reference or a look-around can make a match exponential: "(a+)+", "\1", "(?=…)".
  if (/\)[*+{?]|\\[1-9]|\\k|\(\?[=!]|\(\?<[=!]/.test(pattern))
    throw formatInvalid(`pattern ${pattern} repeats a group, refers back or looks around`, PATTERN_HINT)
  // An escaped character neither repeats nor chooses; the "?" of a group's head "(?" does not either.
  const bare = pattern.replace(/\\./g, 'x').replace(/\(\?/g, '(')
  if ((bare.match(/[*+]|\{\d+,/g) ?? []).length > OPEN_REPETITIONS_MAX)
    throw formatInvalid(`pattern ${pattern} has more than ${OPEN_REPETITIONS_MAX} open repetitions`, PATTERN_HINT)
  // "a?a?a?…aaa" and "(a|a)(a|a)…" double the work with each choice, though neither repeats a group.
  if ((bare.match(/[?|]/g) ?? []).length > CHOICES_MAX)
    throw formatInvalid(`pattern ${pattern} has more than ${CHOICES_MAX} optional parts and alternatives`, PATTERN_HINT)
}

function formatInvalid(message: string, hint: string): ReplicationError {
  return new ReplicationError({ code: 'LOG_FORMAT_INVALID', message, hint })
}
