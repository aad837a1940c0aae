import { setTimeout as delay } from 'node:timers/promises'
import { ReplicationError } from '../../engine/error.ts'
import type { BackupJobDocument } from '../../transport/management-backup-documents.ts'
import type { BackupOrder } from '../../transport/management-backups.ts'
import { readBackup } from '../backup/format-backup.ts'
import type { RealNode } from './real-node.ts'

/** As slow as a backup may be, in bytes in a second: a log of 1 MiB takes a quarter of an hour. */
const HELD_BYTES_PER_SECOND = 1_024
/** A streaming backup is prepared behind its pages: fast enough for those, and half a second for each log behind them. */
const PREPARING_BYTES_PER_SECOND = 2_097_152
/** As long as a copy may stand still for a snapshot, in milliseconds: one that is held is not to fail of that. */
const FREEZE_MS = 600_000
/** Between two looks, and how long a backup may take to be prepared, and to end when it is let go, in milliseconds. */
const LOOK_MS = 50
const ENDED_MS_MAX = 600_000

/** A backup that a node takes as slowly as it can, until it is told to hurry or to give it up. */
export class HeldBackup {
  readonly node: RealNode
  readonly #path: string

  private constructor(node: RealNode, id: number) {
    this.node = node
    this.#path = `/api/v1/backups/${id}`
  }

  /** Begins it; resolves when it is prepared, so that the active knows of it. Errors: those of the node. */
  static async begin(node: RealNode, order: Omit<BackupOrder, 'bytesPerSecond' | 'freezeMs'>): Promise<HeldBackup> {
    const isStreaming = order.method === 'streaming'
    const bytesPerSecond = isStreaming ? PREPARING_BYTES_PER_SECOND : HELD_BYTES_PER_SECOND
    const body = { ...order, bytesPerSecond, freezeMs: FREEZE_MS }
    const { id } = readBackup(await node.connection.json('POST', '/api/v1/backups', body))
    const held = new HeldBackup(node, id)
    const before: readonly BackupJobDocument['phase'][] = isStreaming ? ['beginning', 'database'] : ['beginning']
    const { error } = await held.#until(({ phase }) => !before.includes(phase))
    if (error !== null) throw ReplicationError.fromJSON(error)
    if (isStreaming) await held.tell('rate', { bytesPerSecond: HELD_BYTES_PER_SECOND })
    return held
  }

  /** Tells the node what to do with it. Errors: those of the node. */
  async tell(what: 'rate' | 'give-up', body: object): Promise<void> {
    await this.node.connection.json('POST', `${this.#path}/${what}`, body)
  }

  /** Waits for its end. Errors: why it failed where it was to complete, `STATE_REFUSED` where it completed before it was given up. */
  async ended(meant: 'completed' | 'aborted'): Promise<void> {
    const { phase, error } = await this.#until((job) => job.phase === 'completed' || job.phase === 'failed')
    if (meant === 'completed' && error !== null) throw ReplicationError.fromJSON(error)
    if (meant === 'aborted' && phase === 'completed')
      throw new ReplicationError({
        code: 'STATE_REFUSED',
        message: 'the backup had completed before it was given up',
        hint: 'Hold one that has more to copy.',
      })
  }

  async #until(isSo: (job: BackupJobDocument) => boolean): Promise<BackupJobDocument> {
    const givesUpMs = performance.now() + ENDED_MS_MAX
    for (;;) {
      const job = readBackup(await this.node.connection.json('GET', this.#path))
      if (isSo(job)) return job
      if (performance.now() > givesUpMs)
        throw new ReplicationError({
          code: 'WAIT_TIMED_OUT',
          message: `the backup is ${job.phase} for ${ENDED_MS_MAX} ms`,
          hint: 'Look at it with "ccr backup list".',
        })
      await delay(LOOK_MS)
    }
  }
}
