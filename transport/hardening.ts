import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type FastifyInstance, fastify } from 'fastify'
import { ReplicationError } from '../engine/error.ts'
import { type AdmissionRules, refusalOf } from './admission.ts'
import { answerErrors, problemOfFailure, sendProblem } from './app-errors.ts'
import { Connections } from './connections.ts'
import { endWithProblem, type ProblemDocument, problemOf, requestInvalid, writeProblem } from './problem.ts'

/** Limits of one listener. All times in milliseconds. */
export interface ServerLimits {
  /** Until the whole head of a request has come. */
  readonly headersMs: number
  /** Until the whole request has come, body included. */
  readonly requestMs: number
  /** Without any byte in either direction, while a request or an answer is under way. */
  readonly idleMs: number
  /** Between one answer and the next request on a connection. */
  readonly keepAliveMs: number
  /** Until a handler has answered; what streams has a deadline of its own. */
  readonly handlerMs: number
  /** How often the first two are looked at: they fire up to this much late. */
  readonly checkMs: number
  /** What is still open this long after `close` began is cut. */
  readonly closeGraceMs: number
  /** Connections at a time; further ones are closed at once. */
  readonly connectionsMax: number
  /** Bytes of a request's body. */
  readonly bodyBytesMax: number
}

/** Limits that fit a listener for people and scripts; each with its reason. */
const DEFAULT_LIMITS: ServerLimits = {
  headersMs: 5_000, // a head is one packet; slower is a slow-loris or a dead peer
  requestMs: 30_000, // our largest request body is a comment
  idleMs: 10_000, // event streams send a heartbeat well within it
  keepAliveMs: 5_000, // a script's next call comes at once or not at all
  handlerMs: 60_000, // a suspension waits for the disk: seconds, not minutes
  checkMs: 500, // Node's own 30 s would let a 5 s limit fire at 35 s
  closeGraceMs: 2_000, // a graceful stop takes at most 10 s, and others wait in it too
  connectionsMax: 64, // a handful of people, a dashboard each, a scraper
  bodyBytesMax: 16_384, // a comment of 512 characters, each escaped as \uXXXX\uXXXX, is 6 KiB
}

/** An upgrade that a listener offers on one path. */
interface OfferedUpgrade {
  readonly path: string
  /** The protocols that are spoken, as the `Upgrade` header names them. */
  readonly protocols: readonly string[]
  /** Whether what an `Upgrade` header offers has one of them in it. */
  readonly speaks: (upgradeHeader: string | undefined) => boolean
  /** Takes the socket over: answers 101 (or refuses), and closes it. Everything before has been checked. */
  readonly accept: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
}

/** What a hardened app is built from. */
export interface HardenedAppOptions {
  readonly methods: readonly string[]
  readonly limits?: Partial<ServerLimits>
  readonly upgrade?: OfferedUpgrade
  /** Hears of every failure that was answered with 500: a fault of ours that wants a line in the log. */
  readonly onFault: (fault: unknown) => void
}

/** Longest head of a request, in bytes: 64 headers of 128. */
const HEAD_BYTES_MAX = 8_192
/** Longest path parameter, in characters: the longest storage group name. */
const PARAMETER_CHARACTERS_MAX = 64

/**
 * Headers of every answer, refusals included. Nothing is for other sites or caches, and a page of ours may load only from us.
 */
const ANSWER_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'content-security-policy':
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
}

/**
 * Builds a fastify app with every limit set and one door before all routes: requests are judged by line and headers before
 * the router sees them and before a byte of the body is read, and every refusal is a problem document on a connection that
 * then closes.
 */
export function createHardenedApp(options: HardenedAppOptions): FastifyInstance {
  const limits: ServerLimits = { ...DEFAULT_LIMITS, ...options.limits }
  const connections = new Connections()
  const app = fastify({
    bodyLimit: limits.bodyBytesMax,
    trustProxy: false,
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    routerOptions: { maxParamLength: PARAMETER_CHARACTERS_MAX },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: false } },
    serverFactory: (handler) => guardedServer({ options, limits, connections, handler }),
    clientErrorHandler: (error, socket) => connections.endUnparsed(socket, unparsedProblem(error.code)),
    frameworkErrors: (error, _request, reply) => {
      sendProblem(reply, problemOfFailure(error, options.onFault))
    },
  })
  // Forms and plain text are what another site's page may send without asking; JSON it may not.
  app.removeContentTypeParser('text/plain')
  // Response schemas describe; they must not drop or convert what a handler answers.
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer))
  answerErrors(app, options.onFault)
  cutAfterGrace(app, connections, limits.closeGraceMs)
  return app
}

interface Guarded {
  readonly options: HardenedAppOptions
  readonly limits: ServerLimits
  readonly connections: Connections
  readonly handler: RequestListener
}

function guardedServer(guarded: Guarded): Server {
  const { options, limits } = guarded
  const server = createServer({
    maxHeaderSize: HEAD_BYTES_MAX,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: limits.checkMs,
    insecureHTTPParser: false,
    requireHostHeader: false, // our own check answers with a problem document
  })
  server.setTimeout(limits.idleMs)
  server.maxConnections = limits.connectionsMax
  server.maxHeadersCount = 0 // a limit here would drop headers silently; the admission counts them
  server.on('connection', (socket) => guarded.connections.opened(socket))
  server.on('request', (request, response) => admit(guarded, request, response))
  server.on('checkExpectation', (_, response: ServerResponse) => {
    setAnswerHeaders(response)
    writeProblem(
      response,
      problemOf(requestInvalid('an expectation that cannot be met', 'Send no Expect header.'), 417),
    )
  })
  if (options.upgrade !== undefined) offerUpgrade(server, options.upgrade, guarded)
  return server
}

function admit(guarded: Guarded, request: IncomingMessage, response: ServerResponse): void {
  guarded.connections.answering(request.socket, response)
  setAnswerHeaders(response)
  const rules: AdmissionRules = { methods: guarded.options.methods, upgrade: false }
  const refusal = refusalOf(request, rules)
  if (refusal === null) {
    limitHandler(response, guarded.limits.handlerMs)
    guarded.handler(request, response)
  } else writeProblem(response, problemOf(refusal.error, refusal.status), allowed(refusal.status, rules.methods))
}

/**
 * Answers 504 in place of a handler that has not begun to answer in time. The framework has such a limit too, but forgets it
 * once the body has been read.
 */
function limitHandler(response: ServerResponse, handlerMs: number): void {
  const timer = setTimeout(() => {
    // What has begun to stream has a deadline of its own.
    if (!response.headersSent) writeProblem(response, problemOf(tooSlow()))
  }, handlerMs)
  response.once('close', () => clearTimeout(timer))
}

function tooSlow(): ReplicationError {
  const hint = 'Look at the status: what was asked for may have happened. Ask again later.'
  return new ReplicationError({ code: 'WAIT_TIMED_OUT', message: 'the answer took too long', hint })
}

function setAnswerHeaders(response: ServerResponse): void {
  for (const [name, value] of Object.entries(ANSWER_HEADERS)) response.setHeader(name, value)
}

function allowed(status: number, methods: readonly string[]): Record<string, string> {
  return status === 405 ? { allow: methods.join(', ') } : {}
}

/** Upgrades pass the same door as requests, then must name the one path and protocol that is offered. */
function offerUpgrade(server: Server, offered: OfferedUpgrade, { options, connections }: Guarded): void {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const refusal = refusalOf(request, { methods: options.methods, upgrade: true })
    if (refusal !== null) return endWithProblem(socket, problemOf(refusal.error, refusal.status))
    const misfit = upgradeMisfit(request, offered)
    if (misfit !== null) return endWithProblem(socket, misfit, [`upgrade: ${offered.protocols.join(', ')}`])
    // The idle limit of requests does not fit frames; their protocol has heartbeats of its own.
    if (socket instanceof Socket) socket.setTimeout(0)
    if (connections.mayUpgrade(socket)) offered.accept(request, socket, head)
  })
}

function upgradeMisfit(request: IncomingMessage, offered: OfferedUpgrade): ProblemDocument | null {
  const hint = `Ask with "GET ${offered.path}" and "Upgrade: ${offered.protocols.join(', ')}".`
  if (request.method !== 'GET' || request.url !== offered.path)
    return problemOf(requestInvalid('no upgrade is offered for this path', hint), 400)
  if (offered.speaks(request.headers.upgrade)) return null
  return problemOf(requestInvalid('none of the offered protocols is spoken here', hint), 426)
}

/** After `close` began, gives what is under way a short time, then cuts it, so that closing always ends. */
function cutAfterGrace(app: FastifyInstance, connections: Connections, graceMs: number): void {
  app.addHook('preClose', (done) => {
    connections.endAll()
    const cut = setTimeout(() => connections.cutAll(), graceMs)
    app.server.once('close', () => clearTimeout(cut))
    done()
  })
}

function unparsedProblem(code: string | undefined): ProblemDocument {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return problemOf(requestInvalid('the request did not come in time', 'Send it in one go.'), 408)
  if (code === 'HPE_HEADER_OVERFLOW')
    return problemOf(
      requestInvalid(`a request head above ${HEAD_BYTES_MAX} bytes`, 'Send fewer or shorter headers.'),
      431,
    )
  return problemOf(requestInvalid('not an HTTP/1.1 request', 'Send plain HTTP/1.1, without TLS.'), 400)
}
