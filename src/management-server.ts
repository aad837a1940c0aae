import { hostname } from 'node:os'
import { type ListenAddress, listenOnLoopback } from '../transport/loopback.ts'
import { createManagementApp, type ManagementPorts } from '../transport/management-app.ts'
import type { EventLog } from './event-log.ts'
import type { Metrics } from './metrics.ts'
import type { ServiceLog } from './service-log.ts'
import { VERSION } from './version.ts'

/** What a management listener shows and does. */
export interface ManagementParts
  extends Pick<
    ManagementPorts,
    'copies' | 'shares' | 'stores' | 'backups' | 'restores' | 'writers' | 'seeds' | 'ready'
  > {
  /** Null: no listener at all. */
  readonly listen: ListenAddress | null
  readonly events: EventLog
  readonly metrics: Metrics
  readonly log: ServiceLog
}

/** The management listener of a service. */
export interface ManagementServer {
  /** `http://HOST:PORT`, or null without a listener. */
  readonly url: string | null
  /** Ends every stream and connection. May be called twice. */
  readonly close: () => Promise<void>
}

/** Opens the management listener. Errors: `BIND_REFUSED`, `PORT_IN_USE`. */
export async function startManagement(parts: ManagementParts): Promise<ManagementServer> {
  const { listen, events, metrics, log, ready, copies, shares, stores, backups, restores, writers, seeds } = parts
  if (listen === null) return { url: null, close: () => Promise.resolve() }
  const app = createManagementApp({
    server: hostname(),
    version: VERSION,
    ...(copies === undefined ? {} : { copies }),
    ...(shares === undefined ? {} : { shares }),
    ...(stores === undefined ? {} : { stores }),
    ...(backups === undefined ? {} : { backups }),
    ...(restores === undefined ? {} : { restores }),
    ...(writers === undefined ? {} : { writers }),
    ...(seeds === undefined ? {} : { seeds }),
    events: { page: (wanted) => events.page(wanted), follow: (wanted) => events.follow(wanted) },
    metrics: { text: metrics.text, contentType: metrics.contentType },
    ready,
    onFault: (error) => log.error({ error }, 'request-failed'),
  })
  try {
    const { origin } = await listenOnLoopback(app, listen)
    return { url: origin, close: () => app.close() }
  } catch (error) {
    await app.close()
    throw error
  }
}
