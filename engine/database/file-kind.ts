import { CHECKPOINT_COPY_BYTES, CHECKPOINT_FILE_BYTES, CHECKPOINT_FILE_TYPE } from './checkpoint-file.ts'
import { DATABASE_FILE_TYPE, DATABASE_MAGIC } from './database-header.ts'
import { FORMAT_7, FORMAT_8, LOG_FILE_TYPE } from './log-header.ts'
import { PAGE_SIZES } from './page-seal.ts'

/** The files of the engine that begin with a header. */
export type EseFileKind = 'log' | 'checkpoint' | 'database'

/** The type lies at the same place in all of them. */
const FILE_TYPE_OFFSET = 667
const MAGIC_OFFSET = 4
const LOG_VERSION_OFFSET = 32

/**
 * What a file is by its content: by the type that its header states, by the number a database begins with, by the format of a
 * log, and by what the second copy of its header says of the same. The most votes decide, so that one damaged field does not.
 *
 * @param head the beginning of the file, at most `DATABASE_HEADERS_BYTES_MAX` bytes are looked at
 * @param fileBytes the length of the whole file
 * @returns null when nothing speaks for any of them
 */
export function kindOfEseFile(head: Uint8Array, fileBytes: number): EseFileKind | null {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  const word = (at: number): number => (at + 4 <= head.byteLength ? view.getUint32(at, true) : 0)
  const type = word(FILE_TYPE_OFFSET)
  const votes: readonly (readonly [EseFileKind, number])[] = [
    ['database', sum(type === DATABASE_FILE_TYPE, word(MAGIC_OFFSET) === DATABASE_MAGIC, hasShadowMagic(word))],
    ['log', sum(type === LOG_FILE_TYPE, hasLogVersion(word))],
    ['checkpoint', sum(type === CHECKPOINT_FILE_TYPE, hasSecondCheckpoint(word, fileBytes))],
  ]
  const [kind, most] = votes.reduce((best, next) => (next[1] > best[1] ? next : best))
  return most === 0 ? null : kind
}

type ReadWord = (at: number) => number

function hasShadowMagic(word: ReadWord): boolean {
  return PAGE_SIZES.some((size) => word(size + MAGIC_OFFSET) === DATABASE_MAGIC)
}

function hasLogVersion(word: ReadWord): boolean {
  const major = word(LOG_VERSION_OFFSET)
  const minor = word(LOG_VERSION_OFFSET + 4)
  return [FORMAT_7, FORMAT_8].some((format) => format.major === major && format.minor === minor)
}

function hasSecondCheckpoint(word: ReadWord, fileBytes: number): boolean {
  return fileBytes === CHECKPOINT_FILE_BYTES && word(CHECKPOINT_COPY_BYTES + FILE_TYPE_OFFSET) === CHECKPOINT_FILE_TYPE
}

function sum(...reasons: readonly boolean[]): number {
  return reasons.filter((holds) => holds).length
}
