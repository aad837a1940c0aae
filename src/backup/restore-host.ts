import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ReplicationError } from '../../engine/error.ts'
import { asReplicationError } from '../../storage/file-error.ts'
import type { RestoreResult } from '../../storage/restore-set.ts'
import type { RestoreDocument, RestorePhase } from '../../transport/management-backup-documents.ts'
import type { RestoreOrder, RestoresPort } from '../../transport/management-restores.ts'
import type { Clock } from '../clock.ts'
import type { ShareInstance } from '../share-instance.ts'
import type { StoreInstance } from '../store-instance.ts'
import { VERSION } from '../version.ts'
import { BackupThread } from './backup-thread.ts'

/** The store that is restored, and the share of its logs. */
export interface RestoredGroup {
  readonly store: StoreInstance
  readonly share: ShareInstance
}

/** What a {@link RestoreHost} works with. */
export interface RestoreHostParts {
  /** Null where this process has no such store. */
  readonly find: (storageGroup: string) => RestoredGroup | null
  readonly clock: Clock
}

interface Restore {
  readonly order: RestoreOrder
  readonly begunMs: number
  phase: RestorePhase
  doneBytes: number
  totalBytes: number
  endedMs: number | null
  result: RestoreResult | null
  /** Whether the stream goes on from an earlier log than before, so that copies have to look at it anew. */
  wentBack: boolean
  error: ReplicationError | null
  thread: BackupThread | null
  done: Promise<void>
}

/**
 * Puts backups back into dismounted stores of one process. The last restore of each storage group is remembered until the process ends; one
 * that is interrupted goes on when it is asked for again.
 */
export class RestoreHost {
  readonly #parts: RestoreHostParts
  readonly #restores = new Map<string, Restore>()

  constructor(parts: RestoreHostParts) {
    this.#parts = parts
  }

  /** What the management API shows and does. */
  get port(): RestoresPort {
    return {
      get: (storageGroup) => {
        const restore = this.#restores.get(storageGroup)
        return restore === undefined ? null : this.#document(restore)
      },
      begin: (order) => this.begin(order),
    }
  }

  /** Begins a restore. Errors: `STORAGE_GROUP_UNKNOWN`, and `STATE_REFUSED` for a store that is not dismounted, or is being restored. */
  begin(order: RestoreOrder): RestoreDocument {
    const group = this.#parts.find(order.storageGroup)
    if (group === null) throw notActive(order.storageGroup)
    if (group.store.state !== 'dismounted') throw notDismounted(order.storageGroup, group.store.state)
    if (this.#restores.get(order.storageGroup)?.phase === 'restoring') throw underWay(order.storageGroup)
    const restore: Restore = {
      order,
      begunMs: this.#parts.clock.nowMs(),
      phase: 'restoring',
      doneBytes: 0,
      totalBytes: 0,
      endedMs: null,
      result: null,
      wentBack: false,
      error: null,
      thread: null,
      done: Promise.resolve(),
    }
    this.#restores.set(order.storageGroup, restore)
    restore.done = this.#run(restore, group)
    return this.#document(restore)
  }

  /** Interrupts what is under way. May be called twice. */
  async close(): Promise<void> {
    for (const { thread } of this.#restores.values()) await thread?.close()
    await Promise.all([...this.#restores.values()].map(({ done }) => done))
  }

  async #run(restore: Restore, group: RestoredGroup): Promise<void> {
    try {
      // What the database needed before says nothing of the one that comes: until it is mounted no log goes.
      await group.share.holdTruncation()
      restore.thread = await BackupThread.start()
      restore.result = await this.#restore(restore, restore.thread, group.store)
      restore.wentBack = await this.#tellShare(restore, group)
      // Only now may the store start: what its share knows of the logs, and of its copies, is durable.
      await restore.thread.ask({ ask: 'end-restore', root: group.store.names.root })
      restore.phase = 'completed'
    } catch (error) {
      restore.error = asReplicationError(error)
      restore.phase = 'failed'
    } finally {
      restore.endedMs = this.#parts.clock.nowMs()
      await restore.thread?.close()
      restore.thread = null
    }
  }

  #restore(restore: Restore, thread: BackupThread, store: StoreInstance): Promise<RestoreResult> {
    const { sets, pointInTime, storageGroup } = restore.order
    const { root, baseName, databaseName } = store.names
    const request = { sets, pointInTime, storageGroup, product: VERSION, root, baseName, databaseName, staysOpen: true }
    const onProgress = (doneBytes: number, totalBytes: number): void => {
      restore.doneBytes = doneBytes
      restore.totalBytes = totalBytes
    }
    return thread.ask({ ask: 'restore-sets', restore: request }, { onProgress })
  }

  /** Where the open log is still there, nothing that was committed is lost, and the stream goes on as if nothing had been. */
  async #tellShare({ order }: Restore, { store, share }: RestoredGroup): Promise<boolean> {
    const isOpenLogThere = await stat(join(store.logs, `${store.baseName}.log`)).then(
      () => true,
      () => false, // whatever keeps it from being seen, the copies look anew
    )
    if (isOpenLogThere && !order.pointInTime) return false
    await share.logsRestored()
    return true
  }

  #document({
    order,
    phase,
    begunMs,
    endedMs,
    doneBytes,
    totalBytes,
    result,
    wentBack,
    error,
  }: Restore): RestoreDocument {
    return {
      ...order,
      phase,
      doneBytes,
      totalBytes,
      elapsedMs: (endedMs ?? this.#parts.clock.nowMs()) - begunMs,
      logs: result?.logs ?? null,
      rolledForward: result?.rolledForward ?? null,
      replaced: result?.replaced ?? null,
      wasInterrupted: result?.wasInterrupted ?? false,
      wentBack,
      error: error?.toJSON() ?? null,
    }
  }
}

function notActive(storageGroup: string): ReplicationError {
  return new ReplicationError({
    code: 'STORAGE_GROUP_UNKNOWN',
    message: `no store named ${storageGroup} is active here, and a backup is put back into the active copy only`,
    hint: 'Give the address of the node with the store, with --server; a passive copy is seeded from it.',
    fields: { storageGroup },
  })
}

function notDismounted(storageGroup: string, state: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `the store of ${storageGroup} is ${state}, and a backup is put back into a dismounted one only`,
    hint: `Run "ccr dismount ${storageGroup}" first.`,
    fields: { storageGroup },
  })
}

function underWay(storageGroup: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `a backup is being put back into ${storageGroup} already`,
    hint: 'Wait until that has ended.',
    fields: { storageGroup },
  })
}
