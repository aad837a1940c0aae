import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { ERROR_CODES, type ErrorCode, ReplicationError } from '../engine/error.ts'

/**
 * An error as our HTTP answers tell it: a problem document of RFC 9457 with the members of our own error documents beside
 * the standard ones, so that a person with curl and a program with our client read the same thing.
 */
export interface ProblemDocument {
  /** Always `about:blank`: the code says more than a URL would. */
  readonly type: 'about:blank'
  /** The phrase of the status. */
  readonly title: string
  readonly status: number
  /** The message of the error. */
  readonly detail: string
  readonly code: ErrorCode
  readonly hint: string
  readonly retriable: boolean
  readonly [field: string]: string | number | boolean
}

/** The media type of a problem document. */
export const PROBLEM_MEDIA_TYPE = 'application/problem+json'

/** The longest text that we take over from somebody else's problem document, in characters: two lines of a terminal. */
const FOREIGN_TEXT_CHARACTERS_MAX = 400

/** HTTP status of each code; a code that is missing here is a fault on our side, 500. */
const STATUS_OF: Readonly<Partial<Record<ErrorCode, number>>> = {
  USAGE: 400,
  CONFIG_INVALID: 400,
  LOG_FORMAT_INVALID: 400,
  NAME_INVALID: 400,
  URL_INVALID: 400,
  REQUEST_INVALID: 400,
  BIND_REFUSED: 400,
  SHARE_UNKNOWN: 404,
  STORAGE_GROUP_UNKNOWN: 404,
  LOG_MISSING: 404,
  LOG_CHANGED: 409,
  STORE_LOCKED: 409,
  STORE_FOREIGN: 409,
  STREAM_MISMATCH: 409,
  STATE_REFUSED: 409,
  MESSAGE_EXISTS: 409,
  WRITE_CONFLICT: 409,
  MESSAGE_MISSING: 404,
  MESSAGE_TOO_LONG: 413,
  STORE_UNAVAILABLE: 503,
  STORE_BUSY: 503,
  NODE_UNREACHABLE: 502,
  FILE_HELD: 503,
  WAIT_TIMED_OUT: 504,
  TRANSFER_TIMEOUT: 504,
  DISK_FULL: 507,
}

/** The problem document of an error; `status` overrides what its code stands for (405, 413, 421 … of a refused request). */
export function problemOf(error: ReplicationError, status: number = STATUS_OF[error.code] ?? 500): ProblemDocument {
  const { code, hint, retriable } = error
  const title = STATUS_CODES[status] ?? 'Error'
  const own = { type: 'about:blank', title, status, detail: error.message, code, hint, retriable } as const
  // Standard members stand first for the reader's sake, and again last: no field of an error may pass for one of them.
  return { ...own, ...error.fields, ...own }
}

/** A request that breaks HTTP's rules or ours: `REQUEST_INVALID`. */
export function requestInvalid(message: string, hint: string): ReplicationError {
  return new ReplicationError({ code: 'REQUEST_INVALID', message, hint })
}

/** Answers with a problem document and ends the connection: whoever was refused starts again from a clean one. */
export function writeProblem(
  response: ServerResponse,
  problem: ProblemDocument,
  headers: OutgoingHttpHeaders = {},
): void {
  const body = JSON.stringify(problem)
  response.writeHead(problem.status, {
    ...headers,
    'content-type': PROBLEM_MEDIA_TYPE,
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  })
  response.end(body)
}

/** The same on a socket that has no response object (a request that could not be parsed, an upgrade), then closes it. */
export function endWithProblem(socket: Duplex, problem: ProblemDocument, headers: readonly string[] = []): void {
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${problem.status} ${problem.title}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'x-content-type-options: nosniff',
    'cache-control: no-store',
    ...headers,
    'connection: close',
  ]
  // Whoever sent the broken request may be gone already; there is nobody left to tell.
  socket.on('error', () => socket.destroy())
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

/**
 * Reads a problem document of another node. What it says is hostile until checked: an unknown code, a missing member or a
 * control character yields null, long texts are cut.
 */
export function errorOfProblem(document: unknown): ReplicationError | null {
  if (typeof document !== 'object' || document === null) return null
  const { code, detail, hint } = document as Record<string, unknown> // an object that is not null; each member is checked below
  if (typeof code !== 'string' || !isErrorCode(code)) return null
  if (!isPlainText(detail) || !isPlainText(hint)) return null
  return new ReplicationError({ code, message: shortened(detail), hint: shortened(hint) })
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code)
}

function isPlainText(text: unknown): text is string {
  return typeof text === 'string' && !/\p{Cc}/u.test(text)
}

function shortened(text: string): string {
  return text.length > FOREIGN_TEXT_CHARACTERS_MAX ? `${text.slice(0, FOREIGN_TEXT_CHARACTERS_MAX)}…` : text
}
