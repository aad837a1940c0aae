import type { PageDigest } from '../../engine/database/page-digest.ts'
import { ReplicationError } from '../../engine/error.ts'
import type { Generation } from '../../engine/generation.ts'
import { errorOfProblem } from '../../transport/problem.ts'
import { shapeOf } from '../api-answer.ts'
import { type ApiConnection, parsedJson } from '../api-connection.ts'

/** Which digests are asked for, and who hears how it goes. */
export interface DigestsWanted {
  /** `/api/v1/stores/SG1` or `/api/v1/copies/SG1`. */
  readonly path: string
  readonly through: Generation
  /** The other side has taken the wish: what is closed after this is not too early for it. */
  readonly onTaken: () => void
  readonly onPages: (pages: number) => void
}

/** The most pages that are compared: 32 GB of a database take 0.5 GB of memory on each side of a comparison. */
const PAGES_MAX = 4 * 1024 * 1024
/** The longest line of a list, in characters: an error with a long hint. */
const LINE_CHARACTERS_MAX = 64 * 1024

/**
 * The digests of all pages at the end of a log, ascending. Errors: those that the other side tells, `WIRE_PROTOCOL` where the list
 * is none or was cut off, and those of the connection.
 */
export async function readDigests(connection: ApiConnection, wanted: DigestsWanted): Promise<readonly PageDigest[]> {
  const { path, through, onTaken, onPages } = wanted
  const digests: PageDigest[] = []
  const headers = { accept: 'application/x-ndjson' }
  const pieces = connection.stream(`${path}/pages?through=${through}`, { headers, endless: false })
  for await (const lines of linesOf(pieces)) {
    onTaken()
    for (const line of lines) {
      const value = parsedJson(line)
      const end = endIn(value)
      if (end === null) digests.push(digestIn(value, digests.at(-1)?.page ?? 0))
      else if (end === digests.length) return digests
      else throw broken(`it has ${digests.length} pages, and ends with ${end}`)
    }
    if (digests.length > PAGES_MAX) throw tooMany()
    onPages(digests.length)
  }
  throw broken('it was cut off')
}

/** Whole lines as they come, without the empty ones. */
async function* linesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of pieces) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > LINE_CHARACTERS_MAX) throw broken('it has a line without end')
    yield lines.filter((line) => line !== '')
  }
}

/** The number of pages where a line is the last one; null where it is none. Throws the error that it tells. */
function endIn(value: unknown): number | null {
  if (typeof value !== 'object' || value === null) return null
  if ('error' in value) {
    const { code, message, hint } = shapeOf(value.error, 'an error', { code: 'string', message: 'string' })
    throw errorOfProblem({ code, detail: message, hint }) ?? broken('it ends with an error of another version')
  }
  return 'end' in value && 'pages' in value && typeof value.pages === 'number' ? value.pages : null
}

function digestIn(value: unknown, before: number): PageDigest {
  const { page, dbtime, hash } = shapeOf(value, 'a digest', { page: 'number', dbtime: 'number', hash: 'string' })
  const digest = { page: Number(page), dbtime: Number(dbtime), hash: String(hash) }
  if (digest.page > before) return digest
  throw broken(`page ${digest.page} stands behind page ${before}`)
}

function broken(why: string): ReplicationError {
  return new ReplicationError({
    code: 'WIRE_PROTOCOL',
    message: `a list of page digests is not whole: ${why}`,
    hint: 'Compare again; the events of the node say whether it was restarted meanwhile.',
  })
}

function tooMany(): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `the database has more than ${PAGES_MAX} pages`,
    hint: 'A comparison keeps the digests of both sides in memory, and takes databases up to 32 GB.',
  })
}
