import type { BackupSlots } from '../../engine/database/backup-slot.ts'
import { ReplicationError } from '../../engine/error.ts'
import type { SourceFact } from '../../engine/fact.ts'
import { type Generation, NO_GENERATION } from '../../engine/generation.ts'
import type { SourceOrder } from '../../engine/order.ts'
import {
  type BackupRequest,
  type BackupSession,
  copyOfSession,
  type FinishedBackupFact,
} from '../../engine/source/backup-session.ts'
import type { SourceState } from '../../engine/source/source-state.ts'
import type { SurrogateAnswer, SurrogateAsk } from '../../transport/surrogate-backup.ts'
import { faultOf, type UntimedFact } from '../copy-work.ts'
import { sizeOf } from '../file-size.ts'
import type { OperatorRequests } from '../operator-requests.ts'
import { historyOf } from './active-store.ts'

/** What the store of the active does for a backup. Each rejects when it cannot, and then the backup is given up. */
export interface ActiveBackups {
  /** Absolute path of its database. */
  readonly database: string
  /** Notes that a backup begins; what its database needs from then on stays. */
  readonly begin: (session: BackupSession) => Promise<void>
  /**
   * Closes the open log, and for a snapshot stands still from then on. Resolves with the last closed log, and the first log that the
   * database needed then.
   */
  readonly prepare: (
    session: BackupSession,
  ) => Promise<{ readonly closed: Generation; readonly checkpoint: Generation }>
  /** Goes on behind a snapshot, and tells how long it stood still and whether its bound had ended that before. */
  readonly thaw: () => Promise<{ readonly frozenMs: number; readonly timedOut: boolean }>
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
  /** The database may be read over the wire in this session of a seed; null for no more. */
  readonly serve: (session: number, database: string | null) => void
}

/** Orders about a backup. */
export type BackupOrder = Extract<SourceOrder, { kind: 'prepare-backup' | 'record-backup' | 'release-backup' }>

/** The backups of one share: what is asked of its instance, and what the instance orders of the store. */
export class ShareBackups {
  readonly #parts: ShareBackupsParts
  #slots: BackupSlots | null = null

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
    const session = this.#present()
    try {
      await this.#parts.active?.begin(session)
    } catch (error) {
      this.broken(session.id, error)
      throw error
    }
    return session
  }

  /** Settles which logs belong to the backup; a store stands still from then on where it is a snapshot. Errors: as {@link begin}. */
  async prepare(session: number): Promise<BackupSession> {
    const { requests, tell } = this.#parts
    await requests.put((requestId) => tell({ kind: 'backup-logs-wanted', requestId, session }))
    const present = this.#present()
    if (present.id === session) return present
    throw brokenMeanwhile()
  }

  /** Lets a store go on that stands still for a snapshot. Answers whether it had not gone on by itself before. Errors: `STATE_REFUSED`. */
  async thaw(session: number): Promise<boolean> {
    const { active, tell } = this.#parts
    const thawed = (await active?.thaw()) ?? { frozenMs: 0, timedOut: false }
    tell({ kind: 'backup-thawed', session, ...thawed })
    return !thawed.timedOut
  }

  /** What the header of the active's database remembers; null where there is none, or it is not known yet. */
  get slots(): BackupSlots | null {
    return this.#slots
  }

  /** The header of the database says which backups there were. */
  known(slots: BackupSlots): void {
    this.#slots = slots
    this.#parts.tell({ kind: 'backups-known', history: historyOf(slots) })
  }

  /** The store has ended, and with it what it did for a backup. */
  storeEnded(error: ReplicationError): void {
    const { session } = this
    if (session !== null) this.broken(session.id, error)
  }

  /** What the node of a passive copy asks about a backup or a seed of it. Errors: as {@link begin}. */
  async surrogate(ask: SurrogateAsk): Promise<SurrogateAnswer> {
    switch (ask.ask) {
      case 'begin': {
        const { copyId, scope, first, last, required } = ask
        const surrogate = { copyId, required, range: { first, last } }
        const session = await this.begin({ scope, method: 'vss', surrogate })
        return { session: session.id }
      }
      case 'size-of-seed':
        return { session: 0, bytes: await this.#databaseBytes() }
      case 'begin-seed':
        return await this.#beginSeed(ask)
      case 'close-log': {
        this.#ofCopy(ask)
        const { range } = await this.prepare(ask.session)
        return { session: ask.session, closed: range?.last ?? NO_GENERATION }
      }
      case 'continue':
        this.#ofCopy(ask)
        this.#parts.tell({ kind: 'backup-continued', session: ask.session })
        return { session: ask.session }
      case 'end': {
        this.#ofCopy(ask)
        const { session, outcome, reason } = ask
        await this.end(session, { outcome, logsRead: true, reason })
        return { session }
      }
    }
  }

  async #beginSeed({ copyId, from }: Extract<SurrogateAsk, { ask: 'begin-seed' }>): Promise<SurrogateAnswer> {
    const { active, serve, state } = this.#parts
    const request = { scope: 'copy', method: 'streaming', surrogate: null, seed: { copyId, from } } as const
    const { id, pinnedFrom } = await this.begin(request)
    // What another program writes was refused: it has no database.
    serve(id, active?.database ?? null)
    return { session: id, pinnedFrom, stream: state().stream, bytes: await this.#databaseBytes() }
  }

  async #databaseBytes(): Promise<number> {
    const { active } = this.#parts
    return active === null ? 0 : await sizeOf(active.database)
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
    const { active, journal, state, serve } = this.#parts
    switch (order.kind) {
      case 'prepare-backup': {
        const found = (await active?.prepare(order.session)) ?? { closed: state().generated, checkpoint: NO_GENERATION }
        return { kind: 'backup-prepared', session: order.session.id, ...found }
      }
      case 'record-backup':
        await (active === null ? journal(order.backup) : active.record(order.backup))
        return { kind: 'backup-recorded', session: order.session }
      case 'release-backup':
        serve(order.session, null)
        await active?.release()
        return null
    }
  }

  /** Another copy's backup, or one of the active, is nothing that a copy may speak of. */
  #ofCopy({ copyId, session }: { readonly copyId: string; readonly session: number }): void {
    const { session: present } = this
    if (present?.id === session && copyOfSession(present) === copyId) return
    throw new ReplicationError({
      code: 'STATE_REFUSED',
      message: `backup or seed ${session} of copy ${copyId} is not under way`,
      hint: 'The source was started again, or has not heard of it for a minute: begin it again.',
    })
  }

  #present(): BackupSession {
    const { session } = this.#parts.state()
    if (session === null) throw brokenMeanwhile()
    return session
  }
}

/** Between the answer and whoever waits for it the store may end, and the backup with it. */
function brokenMeanwhile(): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: 'the backup ended while it was being begun: its store has stopped',
    hint: 'Nothing was truncated. Take it again when the store is mounted.',
  })
}
