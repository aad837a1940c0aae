import { hostname } from 'node:os'
import { join } from 'node:path'
import { ReplicationError } from '../engine/error.ts'
import { makeDirectoriesDurably } from '../storage/durable-directory.ts'
import { nodeFileOperations } from '../storage/node-file-operations.ts'
import { LogShareClient } from '../transport/log-share-client.ts'
import { authorityOf } from '../transport/loopback.ts'
import { sharePath } from '../transport/share-paths.ts'
import { backupsOfStore, connectStore } from './backup/active-store.ts'
import { BackupHost } from './backup/backup-host.ts'
import { copyToBackUp, databasesOf, foldersOf, groupToRestore } from './backup/copy-to-back-up.ts'
import { RestoreHost } from './backup/restore-host.ts'
import { WriterHost } from './backup/writer-host.ts'
import { type Clock, systemClock } from './clock.ts'
import { Closing } from './closing.ts'
import type { Cluster, ClusterGroup, ClusterNode } from './cluster.ts'
import type { Settings } from './config.ts'
import { CopyHost } from './copy-host.ts'
import { crashTo } from './crash.ts'
import { type EventLog, openEventLog } from './event-log.ts'
import { type RandomBytes, systemRandom } from './fresh-id.ts'
import { startManagement } from './management-server.ts'
import { type Metrics, serviceMetrics } from './metrics.ts'
import { nearestWord } from './nearest-word.ts'
import { SeedHost } from './seed/seed-host.ts'
import type { ServiceLog } from './service-log.ts'
import { ShareHost } from './share-host.ts'
import { mailboxSettings, StoreHost } from './store-host.ts'

/** How a node of a cluster is run. */
export interface NodeServiceOptions {
  readonly cluster: Cluster
  /** Which of its nodes. */
  readonly name: string
  readonly settings: Settings
  readonly log: ServiceLog
  readonly clock?: Clock
  readonly random?: RandomBytes
  /** What to do when a rule of the program broke; by default the process ends with the error. */
  readonly onCrash?: (error: unknown) => void
}

/** A running node: the stores that are active on it, and the copies that it keeps. */
export interface NodeService {
  readonly name: string
  /** `http://HOST:PORT` of the management listener. */
  readonly managementUrl: string
  /** What copies of the storage groups that are active here connect to. */
  readonly shares: readonly { readonly storageGroup: string; readonly url: string }[]
  /** The storage groups that have a copy here. */
  readonly copies: readonly string[]
  /** Stops: within 10 s, with everything ordered done or given up. May be called twice. */
  readonly close: () => Promise<void>
}

/**
 * Runs one node of a cluster: mounts the stores of the storage groups that are active on it and shares their logs, and keeps the
 * copies that it has of others.
 *
 * Errors: `CONFIG_INVALID` for a node that the cluster does not have, those of its listeners, stores, shares and copies. A node
 * whose sources cannot be reached starts all the same.
 */
export async function startNodeService(options: NodeServiceOptions): Promise<NodeService> {
  const closing = new Closing()
  try {
    return await open(options, closing)
  } catch (error) {
    await closing.all()
    throw error
  }
}

/** What the parts of a node are made with. */
interface NodeParts {
  readonly node: ClusterNode
  readonly cluster: Cluster
  readonly settings: Settings
  readonly events: EventLog
  readonly log: ServiceLog
  readonly clock: Clock
  readonly random: RandomBytes
  readonly onCrash: (error: unknown) => void
}

async function open(options: NodeServiceOptions, closing: Closing): Promise<NodeService> {
  const { cluster, settings, log, clock = systemClock(), random = systemRandom } = options
  const node = nodeNamed(cluster, options.name)
  await makeDirectoriesDurably(nodeFileOperations({ shortCalls: 'pooled' }), node.data)
  const events = closing.add(
    await openEventLog({ directory: node.data, clock, log, fileBytesMax: settings['events.size'] }),
  )
  const onCrash = options.onCrash ?? crashTo(log)
  const parts: NodeParts = { node, cluster, settings, events, log, clock, random, onCrash }
  const hosts = makeHosts(parts, closing)
  const management = await startManagement({
    listen: node.manage,
    stores: hosts.stores.port,
    shares: hosts.shares.port,
    copies: hosts.copies.port,
    backups: hosts.backups.port,
    restores: hosts.restores.port,
    writers: hosts.writers.port,
    seeds: hosts.seeds.port,
    ready: () => hosts.stores.isReady && hosts.shares.isReady && hosts.copies.isReady,
    events,
    metrics: hosts.metrics,
    log,
  })
  closing.add(management)
  const mounted = cluster.groups.filter(({ active }) => active === node.name)
  for (const group of mounted) await mount(parts, hosts, group)
  await hosts.shares.start()
  const held = cluster.groups.filter(({ copies }) => copies.includes(node.name))
  for (const group of held) await keep(parts, hosts, group)
  await hosts.copies.start()
  for (const { name } of [...mounted, ...held]) raiseStarted(events, name, closing)
  log.info({ node: node.name, manage: management.url }, 'node-started')
  return {
    name: node.name,
    managementUrl: management.url ?? '',
    shares: mounted.map(({ name }) => ({ storageGroup: name, url: hosts.shares.origin + sharePath(name) })),
    copies: held.map(({ name }) => name),
    close: () => closing.all(),
  }
}

interface Hosts {
  readonly stores: StoreHost
  readonly shares: ShareHost
  readonly copies: CopyHost
  readonly backups: BackupHost
  readonly restores: RestoreHost
  readonly writers: WriterHost
  readonly seeds: SeedHost
  readonly metrics: Metrics
}

function makeHosts(parts: NodeParts, closing: Closing): Hosts {
  const { node, settings, events, log, clock, random, onCrash } = parts
  const metrics = serviceMetrics({
    copies: () => copies.copies,
    shares: () => shares.shares,
    seeds: () => seeds.port.list(),
  })
  // Closed in the reverse order: copies first, and a store after the share that watches it.
  const stores = closing.add(new StoreHost({ events, log, clock }))
  const shares = closing.add(new ShareHost({ listen: node.listen, events, log, clock, random, metrics, onCrash }))
  const { 'copy.workers': workers, 'copy.cache': cacheBytes, 'copy.rate': rate, 'copy.release': release } = settings
  const kept = { workers, cacheBytes, rate, release }
  const copies = closing.add(new CopyHost({ ...kept, events, log, clock, random, metrics, onCrash }))
  const client = closing.add(new LogShareClient())
  const holders = { stores, shares, copies, client, events, clock, node: node.name }
  const find = (storageGroup: string, of: 'active' | 'passive') => copyToBackUp(holders, storageGroup, of)
  const backups = closing.add(new BackupHost({ find, folders: () => foldersOf(stores, copies), events, clock }))
  const restores = closing.add(new RestoreHost({ find: (name) => groupToRestore(stores, shares, name), clock }))
  const writers = closing.add(new WriterHost({ names: () => databasesOf(holders), find, clock }))
  const seeded = { find: (name: string) => copies.named(name), client, clock, node: node.name }
  const seeds = closing.add(new SeedHost({ ...seeded, rate: settings['seed.rate'] }))
  return { stores, shares, copies, backups, restores, writers, seeds, metrics }
}

/** The store first: its share must not announce logs that its recovery still mends. */
async function mount({ node, settings }: NodeParts, { stores, shares }: Hosts, group: ClusterGroup): Promise<void> {
  const { name, baseName, copies } = group
  const root = join(node.data, name)
  const store = await stores.add({ root, name, baseName, settings: mailboxSettings(settings) })
  const share = await shares.add({
    logs: store.logs,
    name,
    format: { kind: 'ese', baseName },
    state: join(root, 'share'),
    store: 'mailbox',
    active: store.activeStore,
    backups: backupsOfStore(store),
    copiesExpected: copies.length,
    passiveGate: settings['truncation.passiveGate'],
    scanIntervalMs: settings['share.scanInterval'],
  })
  connectStore(store, share)
}

async function keep({ node, cluster }: NodeParts, { copies }: Hosts, group: ClusterGroup): Promise<void> {
  const standby = group.standby?.get(node.name)
  await copies.add({
    sourceUrl: `http://${authorityOf(nodeNamed(cluster, group.active).listen)}${sharePath(group.name)}`,
    store: join(node.data, group.name),
    label: `${hostname()}:${node.name}`,
    ...(standby && { standby }),
  })
}

function raiseStarted(events: EventLog, storageGroup: string, closing: Closing): void {
  events.raise(storageGroup, 2001, [])
  closing.add({ close: async () => void events.raise(storageGroup, 2002, []) })
}

function nodeNamed({ nodes }: Cluster, name: string): ClusterNode {
  const node = nodes.find((each) => each.name === name)
  if (node !== undefined) return node
  const names = nodes.map((each) => each.name)
  const nearest = nearestWord(name, names)
  throw new ReplicationError({
    code: 'CONFIG_INVALID',
    message: `the configuration has no node ${name}`,
    hint: `${nearest === null ? '' : `Did you mean ${nearest}? `}It has ${names.join(', ')}.`,
  })
}
