import { fastifySwagger } from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { assert } from '../engine/assert.ts'
import { createHardenedApp, type ServerLimits } from './hardening.ts'
import { addBackupRoutes, type BackupsPort } from './management-backups.ts'
import { addCopyRoutes, type CopiesPort } from './management-copies.ts'
import { addEventRoutes, type EventsPort } from './management-events.ts'
import { addPagesRoute } from './management-pages.ts'
import { addRestoreRoutes, type RestoresPort } from './management-restores.ts'
import { foundGroup } from './management-route.ts'
import { addSeedRoutes, type SeedsPort } from './management-seeds.ts'
import { addShareRoutes, type SharesPort } from './management-shares.ts'
import { addStoreRoutes, type StoresPort } from './management-stores.ts'
import { addWriterRoutes, type WritersPort } from './management-writers.ts'

/** What a management API shows and does: implemented by the service that it belongs to. */
export interface ManagementPorts {
  /** Name of this machine, as `Identity` and `CCRTargetNode` show it. */
  readonly server: string
  /** Version of the program, for the OpenAPI document. */
  readonly version: string
  /** Absent in a process that keeps no copies. */
  readonly copies?: CopiesPort
  /** Absent in a process that shares no logs. */
  readonly shares?: SharesPort
  /** Absent in a process that runs no mailbox store. */
  readonly stores?: StoresPort
  /** Absent in a process that has no database. */
  readonly backups?: BackupsPort
  /** Absent in a process that runs no mailbox store. */
  readonly restores?: RestoresPort
  /** Absent in a process that has no database. */
  readonly writers?: WritersPort
  /** Absent in a process that keeps no copies. */
  readonly seeds?: SeedsPort
  readonly events: EventsPort
  /** The text of `/metrics` in the format that `contentType` names. */
  readonly metrics: { readonly text: () => Promise<string>; readonly contentType: string }
  /** Whether the service does its work: its listeners are open and its directories were read. */
  readonly ready: () => boolean
  readonly limits?: Partial<ServerLimits>
  /** Hears of every failure that was answered with 500. */
  readonly onFault: (fault: unknown) => void
}

const DESCRIPTION =
  'Status and control of one service of the CCR emulator. Generations are integers, times ISO 8601 (UTC) or null. Errors are problem documents (RFC 9457) with the members code, hint and retriable; the codes are those of docs/ERRORS.md.'

/**
 * The management API of one service, for people, scripts and the dashboard. Bodies are JSON and nothing else; what a request
 * says beyond its schema is refused, and nothing is converted.
 *
 * Errors are problem documents: `REQUEST_INVALID` 4xx, `NAME_INVALID` 400, `STORAGE_GROUP_UNKNOWN` 404, `STATE_REFUSED` 409
 * and whatever a port rejects with.
 */
export function createManagementApp(ports: ManagementPorts): FastifyInstance {
  const { limits, onFault } = ports
  const app = createHardenedApp({
    methods: ['GET', 'HEAD', 'POST'],
    ...(limits === undefined ? {} : { limits }),
    onFault,
  })
  const closing = new AbortController()
  app.addHook('preClose', (done) => {
    closing.abort()
    done()
  })
  const info = { title: 'CCR emulator management API', version: ports.version, description: DESCRIPTION }
  app.register(fastifySwagger, { openapi: { openapi: '3.1.0', info } })
  // The document lists the routes that are added after it was registered.
  app.register((api, _options, done) => {
    addHealthRoutes(api, ports)
    addCopyRoutes(api, ports.server, ports.copies)
    addShareRoutes(api, ports.shares)
    addStoreRoutes(api, ports.stores)
    addBackupRoutes(api, ports.backups)
    addRestoreRoutes(api, ports.restores)
    addWriterRoutes(api, ports.writers)
    addSeedRoutes(api, ports.seeds)
    addPagesRoutes(api, ports, closing.signal)
    addEventRoutes(api, { events: ports.events, closing: closing.signal, onFault })
    done()
  })
  return app
}

function addPagesRoutes(
  api: FastifyInstance,
  { copies, stores, onFault }: ManagementPorts,
  closing: AbortSignal,
): void {
  addPagesRoute(api, {
    tag: 'stores',
    summary: 'Digests of all pages at the end of a log, which is closed for it; transactions go on',
    find: (name) => foundGroup(name, stores, 'store').digestPages,
    closing,
    onFault,
  })
  addPagesRoute(api, {
    tag: 'copies',
    summary: 'Digests of all pages at the end of a log, once the copy has replayed it; replay is held up meanwhile',
    find: (name) => {
      const { storageGroup } = foundGroup(name, copies, 'copy')
      assert(copies !== undefined, 'what was found is in a port')
      return copies.digestPages(storageGroup)
    },
    closing,
    onFault,
  })
}

function addHealthRoutes(api: FastifyInstance, { ready, metrics }: ManagementPorts): void {
  const described = (summary: string) => ({ schema: { summary, tags: ['health'] } })
  api.get('/livez', described('Answers as long as the process does'), () => ({ live: true }))
  api.get('/readyz', described('200 when the service does its work, else 503'), (_request, reply) => {
    const isReady = ready()
    return reply.code(isReady ? 200 : 503).send({ ready: isReady })
  })
  api.get('/metrics', described('Metrics for Prometheus'), async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  )
  api.get('/openapi.json', { schema: { hide: true } }, () => api.swagger())
}
