import { join } from 'node:path'
import type { BackupSlots } from '../engine/database/backup-slot.ts'
import { outcomeOf } from '../engine/database/mailbox-session.ts'
import { isInWindow, type MaintenanceWindow } from '../engine/database/maintenance-window.ts'
import type { MaintenanceRules } from '../engine/database/online-maintenance.ts'
import { LOG_BYTES_2007 } from '../engine/database/prepared-log.ts'
import type { StoreFact } from '../engine/database/store-order.ts'
import { ReplicationError } from '../engine/error.ts'
import type { EventId } from '../engine/event-catalogue.ts'
import type { Generation } from '../engine/generation.ts'
import type { FileOperations } from '../storage/file-operations.ts'
import type { ReachFailpoint } from '../storage/store-failpoint.ts'
import { openStoreFiles, type StoreFiles } from '../storage/store-files.ts'
import type { StoreLock } from '../storage/store-lock.ts'
import type { StoreNames } from '../storage/store-places.ts'
import { MailboxHost } from './mailbox-host.ts'
import { type OpenMailboxStore, openMailboxStore } from './mailbox-opening.ts'
import { MaintenanceRunner } from './maintenance-runner.ts'
import { StoreBackups } from './store-backups.ts'
import { StoreLanes } from './store-lanes.ts'
import type { StoreLoop } from './store-loop.ts'

/** How a mailbox store works; a message between threads can carry it. */
export interface MailboxSettings {
  /** Memory for pages, in bytes. */
  readonly cacheBytes: number
  /** How far the checkpoint may lag behind the log, in bytes; 20,971,520 in Exchange 2007. */
  readonly checkpointDepthBytes: number
  /** How many generations changes are held back from the database file; see `resilienceDepth`. */
  readonly resilienceDepth: number
  /** Whether closed logs that the database does not need any more are used again. Not for a storage group that has a copy. */
  readonly circularLogging: boolean
  readonly maintenance: MaintenanceSettings
}

/** What online maintenance does, and when. */
export interface MaintenanceSettings {
  readonly rules: MaintenanceRules
  /** In the local time of the machine; null for none: then it works only when somebody says so. */
  readonly window: MaintenanceWindow | null
}

/** No maintenance. */
export const NO_MAINTENANCE: MaintenanceSettings = {
  rules: { checksum: false, zero: false, throttleMs: 0 },
  window: null,
}

/** What {@link startMailboxHost} needs. Callbacks are never called after `close` has resolved. */
export interface MailboxHostOptions extends StoreNames {
  readonly files: FileOperations
  /** The right to use the store, taken by `lockStore`; it is given back when the store is closed, or cannot be started. */
  readonly lock: StoreLock
  /** Fires when that right was lost, with the error as its reason: nothing more is written, whatever is under way. */
  readonly lost?: AbortSignal
  /** The store was there before: a missing directory is a vanished volume, and nothing is made in its place. */
  readonly mustExist: boolean
  readonly settings: MailboxSettings
  /** The length of the logs of a new stream, in bytes; that of Exchange 2007 by default. */
  readonly logFileBytes?: number
  /** Whether committed logs that are lost are accepted; false by default. */
  readonly ignoreLostLogs?: boolean
  readonly clock: StoreClock
  /** Makes ids that never repeat, of 32 hexadecimal digits. */
  readonly newId: () => string
  /** A random number of 32 bits, for signatures. */
  readonly random: () => number
  /** The first log that the database needs has moved, durably: what lies below may go. */
  readonly onRequired: (first: Generation) => void
  /** A page was found damaged: told once for each. What needs it is refused, everything else goes on. */
  readonly onBadPage: (page: number, detail: string) => void
  /** What the header remembers of backups: once after the start, and after each change, durably. */
  readonly onBackups: (slots: BackupSlots) => void
  /** A freeze was ended by its bound. */
  readonly onFreezeTimedOut: (frozenMs: number) => void
  /** The store has something to tell an operator. */
  readonly onEvent: (id: EventId, values: readonly (string | number)[]) => void
  /** The store has ended by itself, after it was started. Close it, and start it again: it recovers. */
  readonly onFailed: (error: ReplicationError) => void
  /** Tests only. */
  readonly reach?: ReachFailpoint
}

/** The time and the waiting that a store is given. */
interface StoreClock {
  /** Milliseconds since 1970. */
  nowMs(): number
  /** Calls `act` once, after at least this many milliseconds. Returns what cancels it. */
  wakeAfter(delayMs: number, act: () => void): () => void
}

/** Between two ticks of a store's clock, in milliseconds: what the engine's rules of time are made for. */
const TICK_MS = 1000
/** Paths that an attach list of a log can name: its 2,048 bytes hold two bytes for each character. */
const PATH_IN_LOGS = /^[\x20-\x7e]{1,900}$/

/**
 * Starts a mailbox store over its files: recovers what lies there, and takes requests then. It needs no thread of its own, but shares
 * whatever thread it is given with nothing that must answer within milliseconds.
 *
 * Errors: those of `openStoreFiles`, and `DATABASE_REJECTED`. Nothing is held when it fails.
 */
export async function startMailboxHost(options: MailboxHostOptions): Promise<MailboxHost> {
  const start = new MailboxStart(options)
  const files = await openStoreFiles({
    ...options,
    logFileBytes: options.logFileBytes ?? LOG_BYTES_2007,
    nowMs: () => options.clock.nowMs(),
    onFact: (fact) => start.take(fact),
    onFailed: (error) => start.fail(error),
  })
  const { lost } = options
  const abandon = (): void => files.abandon(lost?.reason)
  if (lost?.aborted === true) abandon()
  else lost?.addEventListener('abort', abandon, { once: true })
  try {
    return await start.open(files)
  } catch (error) {
    start.stop()
    await files.close()
    throw error
  }
}

/** The parts of a store as they come into being, and who of them hears what. */
class MailboxStart {
  readonly #options: MailboxHostOptions
  #lanes: StoreLanes | null = null
  #loop: StoreLoop | null = null
  #host: MailboxHost | null = null
  #failure: ReplicationError | null = null
  #maintenance: MaintenanceRunner | null = null
  #required = 0
  #cancelTick: () => void = () => undefined

  constructor(options: MailboxHostOptions) {
    this.#options = options
  }

  async open(files: StoreFiles): Promise<MailboxHost> {
    const { settings, clock, random, ignoreLostLogs = false, logFileBytes = LOG_BYTES_2007 } = this.#options
    this.#lanes = new StoreLanes(files)
    const { cacheBytes, maintenance: _, ...engine } = settings
    const parts = await openMailboxStore({
      files,
      lanes: this.#lanes,
      settings: { ...engine, databasePath: pathInLogs(this.#options) },
      cacheBytes,
      logFileBytes,
      ignoreLostLogs,
      nowMs: () => clock.nowMs(),
      random,
      loop: {
        onBadPage: (page, detail) => this.#options.onBadPage(page, detail),
        onStepped: () => this.#tellRequired(),
      },
      onLoop: (loop) => {
        this.#loop = loop
        this.#tick(files)
      },
    })
    if (this.#failure !== null) throw this.#failure
    const abandon = (error: ReplicationError): void => {
      this.#host?.fail(error)
      files.abandon(error)
    }
    const stopClock = (): void => this.stop()
    this.#host = new MailboxHost({
      ...parts,
      files,
      waypointDepth: settings.resilienceDepth,
      cacheBytes,
      abandon,
      stopClock,
      maintenance: this.#maintain(parts, files),
      backups: this.#backUp(parts),
    })
    this.#tellRequired()
    return this.#host
  }

  #backUp({ store, loop }: OpenMailboxStore): StoreBackups {
    const { clock, onBackups, onFreezeTimedOut } = this.#options
    return new StoreBackups({
      store,
      loop,
      nowMs: () => clock.nowMs(),
      wakeAfter: (delayMs, act) => clock.wakeAfter(delayMs, act),
      onBackups,
      onFreezeTimedOut,
    })
  }

  #maintain({ store, loop, mailbox }: OpenMailboxStore, files: StoreFiles): MaintenanceRunner {
    const { settings, clock, onEvent } = this.#options
    const { rules, window } = settings.maintenance
    this.#maintenance = new MaintenanceRunner({
      rules,
      store,
      isInWindow: (nowMs) => window !== null && isInWindow(window, minuteOfDay(nowMs)),
      when: (holds) => loop.when(holds, () => undefined),
      zeroPage: async (page) => {
        await loop.run(outcomeOf(mailbox.zero(page))) // a page that is bad by now was told of
      },
      readPages: (first, bytes) => files.readPages(first, bytes),
      nowMs: () => clock.nowMs(),
      wakeAfter: (delayMs, act) => clock.wakeAfter(delayMs, act),
      onEvent,
    })
    return this.#maintenance
  }

  stop(): void {
    this.#cancelTick()
  }

  take(fact: StoreFact): void {
    const known = this.#lanes?.translate(fact) ?? null
    if (known !== null) this.#loop?.take(known)
  }

  fail(error: unknown): void {
    this.#cancelTick()
    const failure = error instanceof ReplicationError ? error : faultOfProgram(error)
    this.#failure = failure
    this.#lanes?.fail(failure)
    this.#loop?.fail(failure)
    if (this.#host === null) return
    this.#host.fail(failure)
    this.#options.onFailed(failure)
  }

  #tick(files: StoreFiles): void {
    const { clock } = this.#options
    this.#cancelTick = clock.wakeAfter(TICK_MS, () => {
      void files.checkStillThere() // what it finds comes by onFailed
      this.take({ fact: 'clock-ticked', nowMs: clock.nowMs() })
      if (this.#failure !== null) return
      this.#maintenance?.tick()
      this.#tick(files)
    })
  }

  #tellRequired(): void {
    const first = this.#host?.lowestRequired
    if (first === undefined || first === this.#required) return
    this.#required = first
    this.#options.onRequired(first)
  }
}

/** Since midnight, in the local time of the machine. */
function minuteOfDay(unixMs: number): number {
  const time = new Date(unixMs)
  return time.getHours() * 60 + time.getMinutes()
}

/** As the logs name the database: by its path, or by its name alone where a log cannot hold the path. */
function pathInLogs({ root, databaseName }: StoreNames): string {
  const path = join(root, 'database', databaseName)
  return PATH_IN_LOGS.test(path) ? path : databaseName
}

function faultOfProgram(cause: unknown): ReplicationError {
  return new ReplicationError({
    code: 'INTERNAL',
    message: `the store has ended by a fault of the program: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: 'Report it with the log of the service; the store is started again, and recovers.',
    cause,
  })
}
