import type { IncomingMessage } from 'node:http'
import type { ReplicationError } from '../engine/error.ts'
import { isLoopbackAddress } from './loopback.ts'
import { requestInvalid } from './problem.ts'

/** Why a request is not let in: what to answer, before its body is read and before any route sees it. */
export interface Refusal {
  readonly status: number
  readonly error: ReplicationError
}

/** What a listener lets in. */
export interface AdmissionRules {
  /** Methods that have a meaning on this listener; all others are answered 405. */
  readonly methods: readonly string[]
  /** True for requests that came with `Connection: Upgrade` to a listener that opted in. */
  readonly upgrade: boolean
}

/**
 * Most entries of `rawHeaders` (name and value count one each, so 64 headers). Counted by us because the server's own limit
 * silently drops the headers beyond it, and a dropped header is a header that no check sees.
 */
const RAW_HEADER_ENTRIES_MAX = 128

/** Headers that mean one thing only: a second one is how a request is smuggled past a check. */
const SINGLE_HEADERS: ReadonlySet<string> = new Set([
  'host',
  'authorization',
  'content-length',
  'transfer-encoding',
  'content-type',
  'content-encoding',
  'origin',
  'cookie',
  'expect',
  'upgrade',
  'range',
  'if-range',
  'last-event-id',
  'sec-fetch-site',
])

/** Methods whose requests carry no body in any meaning we know. */
const BODILESS_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE'])

const HTTP_HINT = 'Send plain HTTP/1.1 as in "curl http://127.0.0.1:PORT/path".'

/**
 * Judges a request by its line and headers alone. Null means that it may go on to the routes.
 *
 * The order is part of the defence: what cannot be trusted to be one request is refused first, then what a web page in the
 * operator's browser could send (a foreign Host is DNS rebinding, a foreign Origin or Sec-Fetch-Site is cross-site forgery).
 */
export function refusalOf(request: IncomingMessage, rules: AdmissionRules): Refusal | null {
  return malformed(request) ?? wrongMethod(request, rules) ?? unwantedHeader(request, rules) ?? foreign(request)
}

function malformed(request: IncomingMessage): Refusal | null {
  const url = request.url ?? ''
  if (request.httpVersion !== '1.1') return refused(400, `HTTP/${request.httpVersion} is not spoken here`, HTTP_HINT)
  if (!url.startsWith('/')) return refused(400, 'the request target is not a path', HTTP_HINT)
  if (request.rawHeaders.length > RAW_HEADER_ENTRIES_MAX)
    return refused(400, `more than ${RAW_HEADER_ENTRIES_MAX / 2} headers`, HTTP_HINT)
  const twice = repeatedHeader(request.rawHeaders)
  if (twice !== null) return refused(400, `header ${twice} appears twice`, HTTP_HINT)
  // Only now is "the" Host of the request a thing that can be looked at.
  return request.headers.host === undefined ? refused(400, 'no Host header', HTTP_HINT) : null
}

function repeatedHeader(rawHeaders: readonly string[]): string | null {
  const seen = new Set<string>()
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase()
    if (!SINGLE_HEADERS.has(name)) continue
    if (seen.has(name)) return name
    seen.add(name)
  }
  return null
}

function wrongMethod(request: IncomingMessage, rules: AdmissionRules): Refusal | null {
  const method = request.method ?? ''
  if (!rules.methods.includes(method))
    return refused(405, `method ${method} has no meaning here`, `Use ${rules.methods.join(', ')}.`)
  const { 'content-length': length, 'transfer-encoding': transfer } = request.headers
  if (!BODILESS_METHODS.has(method) || ((length === undefined || length === '0') && transfer === undefined)) return null
  return refused(400, `a ${method} request with a body`, 'Send the request without a body.')
}

function unwantedHeader(request: IncomingMessage, rules: AdmissionRules): Refusal | null {
  if (!rules.upgrade && request.headers.upgrade !== undefined)
    return refused(400, 'no upgrade is offered for this path', HTTP_HINT)
  if (request.headers['content-encoding'] !== undefined)
    return refused(415, 'an encoded body is not taken', 'Send the body as it is, without Content-Encoding.')
  return null
}

function foreign(request: IncomingMessage): Refusal | null {
  const { host = '', origin, 'sec-fetch-site': site } = request.headers
  const name = hostName(host)
  if (name === null) return refused(400, 'the Host header is no host', HTTP_HINT)
  if (name !== 'localhost' && !isLoopbackAddress(name))
    return refused(421, 'the Host header names another server', 'Use 127.0.0.1, [::1] or localhost in the URL.')
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    return refused(403, 'a request from another web site', 'Open the address in the browser yourself.')
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`)
    return refused(403, 'a request from a web page of another origin', 'Open the address in the browser yourself.')
  return null
}

/** The name or address in a Host header, without brackets and port; null when it is neither. */
function hostName(host: string): string | null {
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::\d{1,5})?$/.exec(host)
  return parts === null ? null : (parts[1] ?? parts[2] ?? '').toLowerCase()
}

function refused(status: number, message: string, hint: string): Refusal {
  return { status, error: requestInvalid(message, hint) }
}
