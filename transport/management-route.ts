import type { FastifySchema } from 'fastify'
import type { TSchema } from 'typebox'
import { ReplicationError } from '../engine/error.ts'
import { asStorageGroupName } from '../engine/storage-group.ts'
import { GROUP_PARAMS, PROBLEM } from './management-schemas.ts'

/** The typed part of a route about one storage group. */
export interface GroupRoute {
  Params: { storageGroup: string }
}

/** What the OpenAPI document says of a route. */
export interface RouteDescription {
  readonly tag: string
  readonly summary: string
  /** `bytes`: none of JSON, but the bytes of a message. `lines`: many documents of JSON, a line each. */
  readonly answer: TSchema | 'bytes' | 'lines'
  readonly body?: TSchema
  readonly query?: TSchema
  /** Whether the path names a storage group, and nothing else. */
  readonly group?: boolean
  /** What else the path names. */
  readonly params?: TSchema
}

const BYTES = {
  description: 'The bytes',
  content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
} as const

const LINES = {
  description: 'Lines of JSON; the last one says whether the list is whole',
  content: { 'application/x-ndjson': { schema: { type: 'string' } } },
} as const

/** The schema of a route: what it takes is enforced, what it answers is documented. */
export function describedBy(route: RouteDescription): { schema: FastifySchema } {
  const { tag, summary, answer, body, query, group = false, params = group ? GROUP_PARAMS : undefined } = route
  return {
    schema: {
      tags: [tag],
      summary,
      ...(params === undefined ? {} : { params }),
      ...(body === undefined ? {} : { body }),
      ...(query === undefined ? {} : { querystring: query }),
      response: {
        200: answer === 'bytes' ? BYTES : answer === 'lines' ? LINES : answer,
        '4xx': PROBLEM,
        '5xx': PROBLEM,
      },
    },
  }
}

/**
 * Finds what a path names. Errors: `NAME_INVALID`, `STORAGE_GROUP_UNKNOWN`; `service` says in the message what the process
 * does have.
 */
export function foundGroup<Found>(name: string, port: GroupsPort<Found> | undefined, service: string): Found {
  const checked = asStorageGroupName(name)
  const found = port?.get(checked) ?? null
  if (found !== null) return found
  throw new ReplicationError({
    code: 'STORAGE_GROUP_UNKNOWN',
    message: `no ${service} of a storage group named ${checked} in this process`,
    hint:
      port === undefined
        ? `This process has no ${service} at all: give the address of the one that has with --server.`
        : `"ccr status" and GET /api/v1/copies, /api/v1/shares or /api/v1/stores list what there is here.`,
    fields: { storageGroup: checked },
  })
}

/** The part that ports about storage groups have in common. */
export interface GroupsPort<Found> {
  readonly get: (name: string) => Found | null
}
