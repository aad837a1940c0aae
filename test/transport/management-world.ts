import type { FastifyInstance } from 'fastify'
import type { MailboxOperation } from '../../engine/database/mailbox-session.ts'
import type { PageDigest } from '../../engine/database/page-digest.ts'
import { asGeneration } from '../../engine/generation.ts'
import { copyStatus } from '../../engine/replication/copy-status.ts'
import { explainCopyTruncation } from '../../engine/replication/explain-truncation.ts'
import { startReplica } from '../../engine/replication/replica-state.ts'
import { startSource } from '../../engine/source/source-state.ts'
import type { ServerLimits } from '../../transport/hardening.ts'
import { type BoundAddress, listenOnLoopback } from '../../transport/loopback.ts'
import { createManagementApp, type ManagementPorts } from '../../transport/management-app.ts'
import type { ManagementEvent } from '../../transport/management-events.ts'
import type { StoreStatus } from '../../transport/management-store-documents.ts'
import type { ManagedStore } from '../../transport/management-stores.ts'
import {
  BACKUP_OF_A_TEST,
  PLAN_OF_A_TEST,
  RATE_OF_A_TEST,
  RESTORE_OF_A_TEST,
  SEED_OF_A_TEST,
} from './backup-documents.ts'

/** A service in memory with a copy, a share and a store named SG1, which records every command and can raise events. */
export class ManagementWorld {
  readonly commands: (readonly (string | number | null)[])[] = []
  readonly faults: unknown[] = []
  readonly events: ManagementEvent[] = []
  /** Messages by number; all of one mailbox. */
  readonly messages = new Map<number, Uint8Array>()
  isReady = true
  /** What the next command rejects with. */
  refusal: Error | null = null
  /** Digests that a store and a copy give, in pieces; behind null nothing comes any more. */
  digests: (readonly PageDigest[] | null)[] = []
  /** Whether commands never come to an end. */
  stall = false
  #followers = new Set<() => void>()

  /** Everything that a request could have changed. */
  get digest(): string {
    return JSON.stringify([this.commands, this.events, this.faults.map(String)])
  }

  get followers(): number {
    return this.#followers.size
  }

  raise(storageGroup = 'SG1'): void {
    const sequence = this.events.length + 1
    const text = `${storageGroup}: Deleting log files 1 to ${sequence}.`
    const event = { sequence, time: '2007-06-14T16:42:01.000Z', id: 224, source: 'ESE', level: 'information' } as const
    this.events.push({ ...event, storageGroup, text, values: [1, sequence] })
    for (const told of [...this.#followers]) told()
  }

  ports(limits: Partial<ServerLimits>): ManagementPorts {
    const status = copyStatus(startReplica('SG1'))
    const shared = {
      state: startSource('SG1', { copiesExpected: 1, passiveGate: 'inspected' }),
      directory: '/logs',
      format: { kind: 'ese', baseName: 'E00' },
    } as const
    return {
      server: 'NODE2',
      version: '0.1.0',
      copies: {
        list: () => [status],
        get: (name) => (name === 'SG1' ? status : null),
        suspend: (name, comment) => this.#commanded(['suspend', name, comment]),
        resume: (name) => this.#commanded(['resume', name]),
        explain: (name) => explainCopyTruncation(startReplica(name), 0),
        digestPages: (name) => (through, signal) => this.#digest(['digest copy', name, through], signal),
      },
      shares: {
        list: () => [shared],
        get: (name) => (name === 'SG1' ? shared : null),
        markBackup: (name, through) => this.#commanded(['mark', name, asGeneration(through)]),
        disableCopy: (name, copyId) => this.#commanded(['disable', name, copyId]),
      },
      stores: {
        list: () => [this.#store()],
        get: (name) => (name === 'SG1' ? this.#store() : null),
      },
      ...this.#backupPorts(),
      events: {
        page: async ({ after, limit, storageGroup }) =>
          this.events
            .filter(
              (event) => event.sequence > (after ?? 0) && (storageGroup ?? event.storageGroup) === event.storageGroup,
            )
            .slice(0, limit),
        follow: ({ after, signal }) => this.#follow(after ?? this.events.length, signal),
      },
      metrics: {
        text: async () => 'ccr_copy_queue_length 0\n',
        contentType: 'text/plain; version=0.0.4; charset=utf-8',
      },
      ready: () => this.isReady,
      limits,
      onFault: (fault) => this.faults.push(fault),
    }
  }

  #backupPorts(): Required<Pick<ManagementPorts, 'backups' | 'restores' | 'seeds'>> {
    return {
      backups: {
        list: () => [BACKUP_OF_A_TEST],
        get: (id) => (id === BACKUP_OF_A_TEST.id ? BACKUP_OF_A_TEST : null),
        take: async (order) => {
          await this.#commanded(['back up', JSON.stringify(order)])
          return BACKUP_OF_A_TEST
        },
        giveUp: (id) => void this.#commanded(['give up', id]),
        setRate: (id, bytesPerSecond) => void this.#commanded(['rate', id, bytesPerSecond]),
      },
      seeds: {
        list: () => [SEED_OF_A_TEST],
        get: (id) => (id === SEED_OF_A_TEST.id ? SEED_OF_A_TEST : null),
        begin: async (order) => {
          await this.#commanded(['seed', JSON.stringify(order)])
          return SEED_OF_A_TEST
        },
        plan: async () => PLAN_OF_A_TEST,
        giveUp: (id) => void this.#commanded(['give seed up', id]),
        rate: () => RATE_OF_A_TEST,
        setRate: (setting) => {
          void this.#commanded(['seed rate', setting])
          return RATE_OF_A_TEST
        },
      },
      restores: {
        get: (name) => (name === 'SG1' ? RESTORE_OF_A_TEST : null),
        begin: (order) => {
          void this.#commanded(['restore', JSON.stringify(order)])
          return RESTORE_OF_A_TEST
        },
      },
    }
  }

  #store(): ManagedStore {
    return {
      status: async () => STORE_STATUS_OF_A_TEST,
      transact: async (transactions) => {
        await this.#commanded(['transact', JSON.stringify(transactions)])
        return transactions.map(({ operations }) => this.#make(operations))
      },
      read: async ({ id }) => this.messages.get(id) ?? null,
      list: async ({ mailbox, after, limit }) => {
        await this.#commanded(['list', mailbox, after, limit])
        const ids = [...this.messages.keys()].filter((id) => id > after)
        const messages = ids.slice(0, limit).map((id) => ({ id, bytes: this.messages.get(id)?.length ?? 0 }))
        return { messages, more: ids.length > limit }
      },
      roll: async () => {
        await this.#commanded(['roll'])
        return asGeneration(7)
      },
      digestPages: (through, signal) => this.#digest(['digest store', through], signal),
      mount: async () => void (await this.#commanded(['mount'])),
      dismount: async () => void (await this.#commanded(['dismount'])),
      maintain: async (durationMs) => {
        await this.#commanded(['maintain', durationMs])
        return MAINTENANCE_OF_A_TEST
      },
    }
  }

  /** The digests of a test, until one of them is null: then no more come. */
  async *#digest(
    command: readonly (string | number)[],
    signal: AbortSignal,
  ): AsyncGenerator<readonly PageDigest[], void> {
    await this.#commanded(command)
    for (const piece of this.digests) {
      if (piece === null)
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      else yield piece
    }
  }

  #make(operations: readonly MailboxOperation[]) {
    const taken = operations.find(({ op, id }) => op === 'insert' && this.messages.has(id))
    if (taken !== undefined)
      return { committed: false, code: 'MESSAGE_EXISTS', message: `message ${taken.id} is there` } as const
    for (const operation of operations)
      if (operation.op !== 'delete' && 'bytes' in operation.content)
        this.messages.set(operation.id, operation.content.bytes)
    return { committed: true } as const
  }

  async #commanded(command: readonly (string | number | null)[]): Promise<string> {
    if (this.refusal !== null) throw this.refusal
    if (this.stall) return await new Promise<string>(() => undefined)
    this.commands.push(command)
    return 'noted'
  }

  async *#follow(after: number, signal: AbortSignal): AsyncGenerator<ManagementEvent> {
    for (let next = after; !signal.aborted; ) {
      const event = this.events[next]
      if (event === undefined) await this.#nextEvent(signal)
      else {
        next += 1
        yield event
      }
    }
  }

  #nextEvent(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const told = () => {
        this.#followers.delete(told)
        resolve()
      }
      this.#followers.add(told)
      signal.addEventListener('abort', told, { once: true })
    })
  }
}

const MAINTENANCE_OF_A_TEST = {
  state: 'working',
  nextPage: 65,
  pages: { seen: 64, bad: 1, corrected: 2, empty: 3, zeroed: 4 },
  lastCompletedMs: null,
} as const

const STORE_STATUS_OF_A_TEST: StoreStatus = {
  storageGroup: 'SG1',
  directory: '/SG1',
  state: 'running',
  failure: '',
  databaseState: 'Dirty Shutdown',
  openGeneration: 12,
  checkpointGeneration: 3,
  lowestRequired: 3,
  requiredLogs: { low: 3, high: 9, committed: 12 },
  waypointDepth: 10,
  databasePages: 77,
  cacheBytes: 67_108_864,
  circularLogging: false,
  dbtime: 4711,
  maintenance: MAINTENANCE_OF_A_TEST,
  backups: {
    full: { first: 3, last: 9, kind: 'os-snapshot', mark: '(0x9,8,16)', atMs: 1_166_140_800_000 },
    incremental: null,
    copy: null,
    differential: null,
  },
  transactions: { committed: 5, refused: 1 },
  recovery: { outcome: 'recovered', logsRedone: 9, transactionsUndone: 1, mendedPages: 0, durationMs: 40 },
}

/** A listening management API over a world in memory. */
export interface RunningManagement {
  readonly app: FastifyInstance
  readonly at: BoundAddress
  readonly world: ManagementWorld
}

/** Starts a management API on a free port. The caller closes `app`. */
export async function startManagement(
  world: ManagementWorld,
  limits: Partial<ServerLimits> = {},
): Promise<RunningManagement> {
  const app = createManagementApp(world.ports(limits))
  const at = await listenOnLoopback(app, { host: '127.0.0.1', port: 0 })
  return { app, at, world }
}
