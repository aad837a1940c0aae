import { errors } from 'undici'
import { ReplicationError } from '../engine/error.ts'
import { errorOfProblem } from './problem.ts'

/** What was asked of whom, for messages: `log 0000002A of SG1` at `http://127.0.0.1:7700`. */
export interface Asked {
  readonly what: string
  readonly origin: string
}

/** Faults of undici and of the system that mean that nobody is there, or not any more. */
const UNREACHABLE_CODES: ReadonlySet<string> = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'ETIMEDOUT',
])

/** Faults that mean that whoever is there does not go on. */
const SILENT_CODES: ReadonlySet<string> = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'])

/**
 * Tells a failed exchange in our own words: `NODE_UNREACHABLE` when nobody is there, `TRANSFER_TIMEOUT` when somebody is and
 * falls silent, `WIRE_PROTOCOL` when what comes is not what was agreed. Errors of ours and faults of the program pass as
 * they are.
 */
export function faultOfExchange(cause: unknown, { what, origin }: Asked): unknown {
  if (cause instanceof ReplicationError) return cause
  const code = faultCode(cause)
  if (code === null) return cause
  if (SILENT_CODES.has(code)) return timedOut({ what, origin }, cause)
  if (!UNREACHABLE_CODES.has(code)) return wrongAnswer({ what, origin }, `the answer is not HTTP (${code})`, cause)
  return new ReplicationError({
    code: 'NODE_UNREACHABLE',
    message: `${origin} does not answer for ${what} (${code})`,
    hint: `Check with "curl ${origin}/shares" that the source runs ("ccr share") and listens there.`,
    cause,
  })
}

function faultCode(cause: unknown): string | null {
  // The parser of HTTP has a code for some faults only.
  if (cause instanceof errors.HTTPParserError) return cause.code ?? cause.name
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : null
}

/** Somebody is there, and too slow. */
export function timedOut({ what, origin }: Asked, cause?: unknown): ReplicationError {
  return new ReplicationError({
    code: 'TRANSFER_TIMEOUT',
    message: `${origin} did not send ${what} in time`,
    hint: 'It is tried again by itself. If it lasts, look at the load of the source and at the link.',
    cause,
  })
}

/** Somebody answered, and not as agreed. `how` is a clause for the message. */
export function wrongAnswer({ what, origin }: Asked, how: string, cause?: unknown): ReplicationError {
  return new ReplicationError({
    code: 'WIRE_PROTOCOL',
    message: `${origin} sent ${what} wrongly: ${how}`,
    hint: `Check with "curl -i ${origin}/shares" that a source of this version answers there, and no proxy in between.`,
    cause,
  })
}

/** The error behind an answer with a status other than the one that was hoped for. */
export function refusedAnswer(asked: Asked, status: number, body: string): ReplicationError {
  const told = status >= 400 ? errorOfProblem(parsedJson(body)) : null
  return told ?? wrongAnswer(asked, `status ${status}`)
}

/** JSON or nothing. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
