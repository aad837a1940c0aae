import type { SourceFact } from '../../engine/fact.ts'
import { type Generation, NO_GENERATION } from '../../engine/generation.ts'
import type { SourceOrder } from '../../engine/order.ts'
import type { BackupRequest, BackupSession, FinishedBackupFact } from '../../engine/source/backup-session.ts'
import type { SourceState } from '../../engine/source/source-state.ts'
import { faultOf, type UntimedFact } from '../copy-work.ts'
import type { OperatorRequests } from '../operator-requests.ts'

/** What the store of the active does for a backup. Each rejects when it cannot, and then the backup is given up. */
export interface ActiveBackups {
  /**
   * Closes the open log, and for a snapshot stands still from then on. Resolves with the last closed log, and the first log that the
   * database needed then.
   */
  readonly prepare: (
    session: BackupSession,
  ) => Promise<{ readonly closed: Generation; readonly checkpoint: Generation }>
  /** Resolves when the header of the database has the backup, durably. */
  readonly record: (backup: FinishedBackupFact) => Promise<void>
  /** The backup is given up: goes on where it stands still. Called also when nothing was prepared. */
  readonly release: () => Promise<void>
}

/** How a backup ended, as whoever took it says. */
export interface BackupEnd {
  readonly outcome: 'completed' | 'aborted'
  readonly logsRead: boolean
  /** Why it was given up; `''` when it has completed. */
  readonly reason: string
}

/** What {@link ShareBackups} works with. */
export interface ShareBackupsParts {
  readonly state: () => SourceState
  readonly tell: (fact: UntimedFact<SourceFact>) => void
  readonly requests: OperatorRequests
  /** Makes durable that a backup has completed, where no store does. */
  readonly journal: (backup: FinishedBackupFact) => Promise<void>
  /** Null where another program writes the logs. */
  readonly active: ActiveBackups | null
}

/** Orders about a backup. */
export type BackupOrder = Extract<SourceOrder, { kind: 'prepare-backup' | 'record-backup' | 'release-backup' }>

/** The backups of one share: what is asked of its instance, and what the instance orders of the store. */
export class ShareBackups {
  readonly #parts: ShareBackupsParts

  constructor(parts: ShareBackupsParts) {
    this.#parts = parts
  }

  /** The backup under way, or null. */
  get session(): BackupSession | null {
    return this.#parts.state().session
  }

  /** Begins a backup. Errors: `STATE_REFUSED` with the engine's number in the field `eseError`. */
  async begin(request: BackupRequest): Promise<BackupSession> {
    const { requests, tell } = this.#parts
    await requests.put((requestId) => tell({ kind: 'backup-asked', requestId, request }))
    return this.#present()
  }

  /** Settles which logs belong to the backup; a store stands still from then on where it is a snapshot. Errors: as {@link begin}. */
  async prepare(session: number): Promise<BackupSession> {
    const { requests, tell } = this.#parts
    await requests.put((requestId) => tell({ kind: 'backup-logs-wanted', requestId, session }))
    return this.#present()
  }

  /** The freeze has ended. */
  thawed(session: number, freeze: { readonly frozenMs: number; readonly timedOut: boolean }): void {
    this.#parts.tell({ kind: 'backup-thawed', session, ...freeze })
  }

  /** Whoever takes a backup of a passive copy is still at it. */
  continued(session: number): void {
    this.#parts.tell({ kind: 'backup-continued', session })
  }

  /** The service that does its part of the backup has ended. */
  broken(session: number, error: unknown): void {
    this.#parts.tell({ kind: 'backup-broken', session, fault: faultOf(error) })
  }

  /** Ends a backup; resolves when it is recorded and what it grants is durable. Errors: as {@link begin}; then nothing was granted. */
  async end(session: number, end: BackupEnd): Promise<void> {
    const { requests, tell } = this.#parts
    await requests.put((requestId) => tell({ kind: 'backup-ended', requestId, session, ...end }))
  }

  /** Carries an order out; what comes of it is told as a fact. */
  perform(order: BackupOrder): void {
    const session = order.kind === 'prepare-backup' ? order.session.id : order.session
    this.#carryOut(order).then(
      (fact) => (fact === null ? undefined : this.#parts.tell(fact)),
      (error: unknown) => this.broken(session, error),
    )
  }

  async #carryOut(order: BackupOrder): Promise<UntimedFact<SourceFact> | null> {
    const { active, journal, state } = this.#parts
    switch (order.kind) {
      case 'prepare-backup': {
        const found = (await active?.prepare(order.session)) ?? { closed: state().generated, checkpoint: NO_GENERATION }
        return { kind: 'backup-prepared', session: order.session.id, ...found }
      }
      case 'record-backup':
        await (active === null ? journal(order.backup) : active.record(order.backup))
        return { kind: 'backup-recorded', session: order.session }
      case 'release-backup':
        await active?.release()
        return null
    }
  }

  #present(): BackupSession {
    const { session } = this.#parts.state()
    if (session === null) throw new Error('must hold: a backup that was answered is under way')
    return session
  }
}
