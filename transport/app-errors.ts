import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ReplicationError } from '../engine/error.ts'
import { PROBLEM_MEDIA_TYPE, type ProblemDocument, problemOf, requestInvalid } from './problem.ts'

const PATHS_HINT =
  'A replication address lists what it has at /shares; a management address says at /openapi.json what each request takes.'

/** A route as the router knows it, to tell a wrong method (405) from a wrong path (404). */
interface KnownRoute {
  readonly methods: readonly string[]
  /** Segments of the path; one that starts with `:` stands for any. */
  readonly segments: readonly string[]
}

/**
 * Lets an app answer every failure with a problem document: errors of ours by their code, requests that fail validation or
 * parsing with their 4xx, a wrong method with 405 and `Allow`, an unknown path with 404, and everything else with a 500 that
 * tells nothing of the inside. Call it before routes are added.
 */
export function answerErrors(app: FastifyInstance, onFault: (fault: unknown) => void): void {
  const routes: KnownRoute[] = []
  app.addHook('onRoute', ({ method, path }) => {
    routes.push({ methods: [method].flat(), segments: path.split('/') })
  })
  app.setErrorHandler((error, _request, reply) => sendProblem(reply, problemOfFailure(error, onFault)))
  app.setNotFoundHandler((request, reply) => {
    const methods = methodsOf(routes, request)
    if (methods.length === 0) return sendProblem(reply, NO_SUCH_PATH)
    return sendProblem(reply.header('allow', methods.join(', ')), wrongMethod(request.method, methods))
  })
}

/** What a failure is answered with. `onFault` hears of those that are ours. */
export function problemOfFailure(failure: unknown, onFault: (fault: unknown) => void): ProblemDocument {
  if (failure instanceof ReplicationError) {
    const problem = problemOf(failure)
    if (problem.status === 500) onFault(failure)
    return problem
  }
  const refused = failure instanceof Error ? refusedByFramework(failure) : null
  if (refused !== null) return refused
  onFault(failure)
  return problemOf(
    new ReplicationError({
      code: 'INTERNAL',
      message: 'the server failed to answer',
      hint: 'This is a fault of the program: look at its log, and report it with the lines found there.',
    }),
  )
}

/** Sends a problem document and ends the connection after it. */
export function sendProblem(reply: FastifyReply, problem: ProblemDocument): FastifyReply {
  // Bytes, because to a text the framework would add a charset that this media type does not have.
  const body = Buffer.from(JSON.stringify(problem))
  return reply.code(problem.status).header('connection', 'close').type(PROBLEM_MEDIA_TYPE).send(body)
}

function refusedByFramework(failure: Partial<FastifyError> & Error): ProblemDocument | null {
  const status = failure.statusCode ?? 500
  if (status < 400 || status > 499) return null
  if (failure.validation !== undefined) return problemOf(requestInvalid(failure.message, PATHS_HINT), 400)
  return problemOf(requestInvalid(frameworkText(failure), PATHS_HINT), status)
}

/** Sentences of the framework that would repeat what the sender sent at length. */
const OWN_SENTENCES: Readonly<Record<string, string>> = {
  FST_ERR_BAD_URL: 'the path is not percent-encoded UTF-8',
  FST_ERR_MAX_PARAM_LENGTH: 'a name in the path is too long',
}

/** The framework's sentences in our grammar: lower case, no full stop, no control characters of the sender's choosing. */
function frameworkText(failure: Partial<FastifyError> & Error): string {
  const own = OWN_SENTENCES[failure.code ?? '']
  if (own !== undefined) return own
  const text = failure.message.replace(/\p{Cc}/gu, ' ').slice(0, 200)
  return text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, '')
}

const NO_SUCH_PATH: ProblemDocument = problemOf(requestInvalid('no such path', PATHS_HINT), 404)

function wrongMethod(method: string, methods: readonly string[]): ProblemDocument {
  return problemOf(requestInvalid(`method ${method} has no meaning for this path`, `Use ${methods.join(', ')}.`), 405)
}

function methodsOf(routes: readonly KnownRoute[], request: FastifyRequest): string[] {
  const asked = (request.url.split('?')[0] ?? '').split('/')
  const matching = routes.filter(
    ({ segments }) =>
      segments.length === asked.length &&
      segments.every((segment, index) => (segment.startsWith(':') ? asked[index] !== '' : segment === asked[index])),
  )
  return [...new Set(matching.flatMap(({ methods }) => methods))].sort()
}
