import { ReplicationError } from '../../engine/error.ts'
import { FREEZE_MS_DEFAULT } from '../../engine/freeze-bound.ts'
import { refuseWithin } from '../../storage/durable-directory.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import type { BackupJobDocument } from '../../transport/management-backup-documents.ts'
import type { BackupOrder, BackupsPort } from '../../transport/management-backups.ts'
import type { Clock } from '../clock.ts'
import type { EventLog } from '../event-log.ts'
import type { BackedUpCopy } from './backed-up-copy.ts'
import { BackupJob } from './backup-job.ts'

/** What a {@link BackupHost} works with. */
export interface BackupHostParts {
  /** The copy of a storage group that this process has, for one backup. Errors: `STORAGE_GROUP_UNKNOWN`, `STATE_REFUSED`. */
  readonly find: (storageGroup: string, of: 'active' | 'passive') => BackedUpCopy
  /** The folders of all storage groups that this process has, stores and copies; no set may lie in one. */
  readonly folders: () => readonly string[]
  readonly events: EventLog
  readonly clock: Clock
}

/** Backups that are over and still told of. */
const OVER_KEPT = 32
/** Backups under way at a time: each has a thread and reads a disk. */
const UNDER_WAY_MAX = 8

/** Takes the backups of one process. They are in memory only: a service that ends gives up what is under way. */
export class BackupHost {
  readonly #parts: BackupHostParts
  #jobs: { readonly id: number; readonly job: BackupJob }[] = []
  #lastId = 0

  constructor(parts: BackupHostParts) {
    this.#parts = parts
  }

  /** What the management API shows and does. */
  get port(): BackupsPort {
    return {
      list: () => this.#jobs.map(({ job }) => job.document).reverse(),
      get: (id) => this.#job(id)?.document ?? null,
      take: (order) => this.take(order),
      giveUp: (id) => this.#job(id)?.giveUp(),
      setRate: (id, bytesPerSecond) => this.#job(id)?.setRate(bytesPerSecond),
    }
  }

  /** Takes a backup; resolves when it is under way. Errors: those of the copy and of the directory, before anything is changed. */
  async take(order: BackupOrder): Promise<BackupJobDocument> {
    const { find, events, clock } = this.#parts
    if (order.of === 'passive' && order.method === 'streaming') throw streamingOfPassive(order.storageGroup)
    if (this.#jobs.filter(({ job }) => !job.isOver).length >= UNDER_WAY_MAX) throw tooMany()
    const of = find(order.storageGroup, order.of)
    await this.#refuseOwnFolders(order.directory)
    this.#lastId += 1
    const { scope, method, directory, bytesPerSecond } = order
    const wanted = { scope, method, directory, bytesPerSecond, freezeMs: order.freezeMs ?? FREEZE_MS_DEFAULT }
    const job = new BackupJob({ id: this.#lastId, wanted, of, events, clock })
    this.#jobs = [...this.#jobs.slice(-OVER_KEPT), { id: this.#lastId, job }]
    void job.run() // never rejects
    await job.whenBegun()
    return job.document
  }

  /** Gives up what is under way. May be called twice. */
  async close(): Promise<void> {
    const under = this.#jobs.filter(({ job }) => !job.isOver)
    for (const { job } of under) job.giveUp()
    await Promise.all(under.map(({ job }) => job.run()))
  }

  /** A set among the files of a storage group is lost with them, and its logs are foreign there. */
  async #refuseOwnFolders(directory: string): Promise<void> {
    const files = nodeFileOperations({ shortCalls: 'pooled' })
    const hint = 'Give a directory outside the folders of storage groups, best on another disk; nothing was changed.'
    for (const folder of this.#parts.folders()) await refuseWithin(files, directory, { directory: folder, hint })
  }

  #job(id: number): BackupJob | undefined {
    return this.#jobs.find((entry) => entry.id === id)?.job
  }
}

function streamingOfPassive(storageGroup: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `the passive copy of ${storageGroup} cannot be backed up by streaming`,
    hint: 'Use --method vss for the passive, or take a streaming backup of the active: its engine alone has the streaming interface.',
    fields: { storageGroup },
  })
}

function tooMany(): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `${UNDER_WAY_MAX} backups are under way on this node, which is the limit`,
    hint: 'Wait until one of them has ended.',
  })
}
