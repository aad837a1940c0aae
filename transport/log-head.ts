import { ReplicationError } from '../engine/error.ts'
import type { Generation } from '../engine/generation.ts'
import { type Asked, wrongAnswer } from './client-fault.ts'
import { CHECKSUM_HEADER, LOG_NAME_HEADER, LOG_TIME_HEADER } from './share-paths.ts'
import type { SourceAnswer } from './source-exchange.ts'

/** What a source says of a log before its bytes. Checked for shape only: the bytes prove or disprove it. */
export interface FetchedLog {
  readonly generation: Generation
  /** File name at the source: hostile until a parser of the format has read it. No separators, no control characters. */
  readonly name: string
  readonly sizeBytes: number
  /** When the source closed the log: milliseconds since 1970. */
  readonly logTimeMs: number
  /** xxh64 of the whole log: 16 lower-case hexadecimal digits. */
  readonly checksumHex: string
  /** Names these very bytes; a fetch that goes on later says it. */
  readonly etag: string
}

/** What the head must agree with. */
export interface HeadExpected {
  readonly asked: Asked
  readonly generation: Generation
  /** First byte that was asked for; 0 for the whole log. */
  readonly offset: number
  readonly logBytesMax: number
}

/** Longest file name, in characters. */
const NAME_CHARACTERS_MAX = 255
/** Longest entity tag, in characters; ours take 30. */
const ETAG_CHARACTERS_MAX = 128

/**
 * Takes in the head of a log's answer: 200 for the whole log or 206 for exactly the rest that was asked for, with length,
 * checksum, tag, name and time.
 *
 * Errors: `WIRE_PROTOCOL`.
 */
export function readLogHead(answer: SourceAnswer, expected: HeadExpected): FetchedLog {
  const { asked, generation, offset } = expected
  const length = wholeHeader(answer, 'content-length', asked)
  const sizeBytes = answer.status === 206 ? offset + length : length
  if (sizeBytes > expected.logBytesMax)
    throw wrongAnswer(asked, `${sizeBytes} bytes, more than ${expected.logBytesMax}`)
  if (answer.status === 206) checkRange(answer, { asked, offset, sizeBytes })
  const checksumHex = textHeader(answer, CHECKSUM_HEADER, asked)
  if (!/^[0-9a-f]{16}$/.test(checksumHex)) throw wrongAnswer(asked, `${CHECKSUM_HEADER} is no xxh64`)
  const etag = textHeader(answer, 'etag', asked)
  if (etag.length > ETAG_CHARACTERS_MAX || !/^"[\x21\x23-\x7e]+"$/.test(etag))
    throw wrongAnswer(asked, 'the tag is weak')
  return { generation, name: readName(answer, asked), sizeBytes, logTimeMs: readTime(answer, asked), checksumHex, etag }
}

/** A log that is not the one whose first bytes came earlier. */
export function logChanged({ what, origin }: Asked): ReplicationError {
  return new ReplicationError({
    code: 'LOG_CHANGED',
    message: `${what} at ${origin} is not the one whose first bytes came earlier`,
    hint: 'Somebody replaced a closed log at the source. Fetch it anew, and look at what writes into its directory.',
  })
}

function checkRange(
  answer: SourceAnswer,
  { asked, offset, sizeBytes }: { readonly asked: Asked; readonly offset: number; readonly sizeBytes: number },
): void {
  const range = textHeader(answer, 'content-range', asked)
  if (range !== `bytes ${offset}-${sizeBytes - 1}/${sizeBytes}`) throw wrongAnswer(asked, 'not the range asked for')
}

function readName(answer: SourceAnswer, asked: Asked): string {
  const name = decoded(textHeader(answer, LOG_NAME_HEADER, asked))
  if (name === null || name === '' || name.length > NAME_CHARACTERS_MAX || /[/\\\p{Cc}\p{Cs}]/u.test(name))
    throw wrongAnswer(asked, 'its name is no file name')
  return name
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

function readTime(answer: SourceAnswer, asked: Asked): number {
  const text = textHeader(answer, LOG_TIME_HEADER, asked)
  const logTimeMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(text) ? Date.parse(text) : Number.NaN
  if (!(logTimeMs >= 0)) throw wrongAnswer(asked, 'its time is no time')
  return logTimeMs
}

function wholeHeader(answer: SourceAnswer, name: string, asked: Asked): number {
  const text = textHeader(answer, name, asked)
  if (!/^\d{1,15}$/.test(text)) throw wrongAnswer(asked, `${name} is no number`)
  return Number(text)
}

function textHeader(answer: SourceAnswer, name: string, asked: Asked): string {
  const value = answer.headers[name]
  if (typeof value !== 'string') throw wrongAnswer(asked, `without one ${name}`)
  return value
}
