import { resolve } from 'node:path'
import { resilienceDepth } from '../engine/database/lost-log-resilience.ts'
import { parseMaintenanceWindow } from '../engine/database/maintenance-window.ts'
import { ReplicationError } from '../engine/error.ts'
import { asStorageGroupName } from '../engine/storage-group.ts'
import type { FileOperations } from '../storage/file-operations.ts'
import { nodeFileOperations } from '../storage/node-file-operations.ts'
import type { ManagedStore, StoresPort } from '../transport/management-stores.ts'
import type { MailboxSettings, MaintenanceSettings } from '../workers/mailbox-start.ts'
import type { StoreCommand, StoreReport } from '../workers/store-messages.ts'
import type { Clock } from './clock.ts'
import { SETTINGS, type Settings } from './config.ts'
import type { EventLog } from './event-log.ts'
import { hereAlready, tooManyHere } from './service-faults.ts'
import type { ServiceLog } from './service-log.ts'
import { digestsOfStore } from './store-digests.ts'
import { StoreInstance } from './store-instance.ts'
import type { StartWorker } from './supervised-worker.ts'
import { startStoreWorker } from './worker-tasks.ts'

/** What a {@link StoreHost} is started with. */
export interface StoreHostOptions {
  readonly events: EventLog
  readonly log: ServiceLog
  readonly clock: Clock
  /** How a store worker is started, where it is not the usual way. */
  readonly startWorker?: StartWorker<StoreCommand, StoreReport>
}

/** One mailbox store to be run. */
export interface StoreRequest {
  /** Path of the folder of the storage group, with `logs` and `database`; it is made where it is not there. */
  readonly root: string
  /** Name of the storage group. */
  readonly name: string
  /** Three letters or digits that every log begins with; `E00` by default. */
  readonly baseName?: string
  /** The name of the database's file; `priv1.edb` by default. */
  readonly databaseName?: string
  /** Those of the table of settings by default. */
  readonly settings?: Partial<MailboxSettings>
  /** Whether committed logs that are lost are accepted, as after a lossy failover; false by default. */
  readonly ignoreLostLogs?: boolean
}

/** The stores of one process: each has a thread of its own, and memory for its pages. */
const STORES_PER_PROCESS_MAX = 50
/** The base name of the first storage group of a server. */
export const BASE_NAME = 'E00'
const DATABASE_NAME = 'priv1.edb'

/** Runs mailbox stores: each in a worker thread that owns it. */
export class StoreHost {
  readonly #options: StoreHostOptions
  readonly #files: FileOperations = nodeFileOperations({ shortCalls: 'pooled' })
  readonly #stores = new Map<string, StoreInstance>()

  constructor(options: StoreHostOptions) {
    this.#options = options
  }

  /** Every store, in the order in which they were added. */
  get stores(): readonly StoreInstance[] {
    return [...this.#stores.values()]
  }

  /** Whether every store takes requests that is not dismounted. */
  get isReady(): boolean {
    return this.stores.every(({ state }) => state === 'running' || state === 'dismounted')
  }

  /** What the management API shows and does. */
  get port(): StoresPort {
    return {
      list: () => this.stores.map(managed),
      get: (name) => {
        const store = this.#stores.get(name)
        return store === undefined ? null : managed(store)
      },
    }
  }

  /**
   * Starts a store; resolves when it takes requests, which after a crash is when its logs are redone.
   *
   * Errors: `NAME_INVALID`, `STATE_REFUSED`, and those of `StoreInstance.start`.
   */
  async add(request: StoreRequest): Promise<StoreInstance> {
    const name = asStorageGroupName(request.name)
    if (this.#stores.has(name)) throw hereAlready('store', name)
    if (this.#stores.size >= STORES_PER_PROCESS_MAX) throw tooManyHere('stores', STORES_PER_PROCESS_MAX)
    const { events, log, clock, startWorker = startStoreWorker } = this.#options
    const store = new StoreInstance({
      name,
      root: resolve(request.root),
      baseName: request.baseName ?? BASE_NAME,
      databaseName: request.databaseName ?? DATABASE_NAME,
      settings: { ...DEFAULTS, ...request.settings },
      ignoreLostLogs: request.ignoreLostLogs ?? false,
      files: this.#files,
      clock,
      log,
      events,
      startWorker,
    })
    this.#stores.set(name, store)
    try {
      await store.start()
      return store
    } catch (error) {
      this.#stores.delete(name)
      throw error
    }
  }

  /** Stops a store in order. */
  async remove(store: StoreInstance): Promise<void> {
    await store.close()
    this.#stores.delete(store.name)
  }

  /** Stops every store in order. May be called twice. */
  async close(): Promise<void> {
    await Promise.all(this.stores.map((store) => store.close()))
  }
}

/** What a store is run with, as the settings say it. */
export function mailboxSettings(settings: Pick<Settings, StoreKey>): MailboxSettings {
  return {
    cacheBytes: settings['store.cacheBytes'],
    checkpointDepthBytes: settings['store.checkpointDepth'],
    resilienceDepth: resilienceDepth(RESILIENCE[settings['store.resilience']]),
    circularLogging: settings['store.circularLogging'] === 'on',
    maintenance: maintenanceSettings(settings),
  }
}

const STORE_KEYS = [
  'store.cacheBytes',
  'store.checkpointDepth',
  'store.resilience',
  'store.circularLogging',
  'maintenance.checksum',
  'maintenance.zero',
  'maintenance.throttle',
  'maintenance.window',
] as const
type StoreKey = (typeof STORE_KEYS)[number]

/** Zeroing goes along with verifying, as in Exchange 2007, and is nothing by itself. Errors: `CONFIG_INVALID`. */
function maintenanceSettings(settings: Pick<Settings, StoreKey>): MaintenanceSettings {
  const checksum = settings['maintenance.checksum'] === 'on'
  const zero = settings['maintenance.zero'] === 'on'
  if (zero && !checksum)
    throw new ReplicationError({
      code: 'CONFIG_INVALID',
      message: 'maintenance.zero is on and maintenance.checksum is off',
      hint: 'Pages are zeroed in the pass that verifies them: set maintenance.checksum to on too.',
      fields: { key: 'maintenance.zero' },
    })
  const rules = { checksum, zero, throttleMs: settings['maintenance.throttle'] }
  return { rules, window: parseMaintenanceWindow(settings['maintenance.window']) }
}

/** What each word stands for. In RTM the depth follows from the logs that the mount dial lets a failover lose. */
const RESILIENCE = {
  standalone: { clustered: false, release: 'sp1', lostLogsTolerated: 0 },
  'ccr-sp1': { clustered: true, release: 'sp1', lostLogsTolerated: 0 },
  'ccr-rtm-lossless': { clustered: true, release: 'rtm', lostLogsTolerated: 0 },
  'ccr-rtm-good': { clustered: true, release: 'rtm', lostLogsTolerated: 3 },
  'ccr-rtm-best': { clustered: true, release: 'rtm', lostLogsTolerated: 6 },
} as const

const DEFAULTS: MailboxSettings = mailboxSettings(
  Object.fromEntries(STORE_KEYS.map((key) => [key, SETTINGS[key].default])) as Pick<Settings, StoreKey>, // each key has the default of its own row
)

function managed(store: StoreInstance): ManagedStore {
  return {
    status: () => store.status(),
    transact: (transactions) => store.ask({ ask: 'transact', transactions }),
    read: (name) => store.ask({ ask: 'read', name }),
    list: (query) => store.ask({ ask: 'list', query }),
    roll: () => store.ask({ ask: 'roll' }),
    digestPages: (through, signal) => digestsOfStore(store, through, signal),
    mount: () => store.mount(),
    dismount: () => store.dismount(),
    maintain: (durationMs) => store.ask({ ask: 'maintain', durationMs }),
  }
}
