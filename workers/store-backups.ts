import {
  type BackupMethod,
  layBackupStep,
  slotsAfter,
  stepOfGroup,
  stepOfHeader,
} from '../engine/database/backup-record.ts'
import {
  type BackupKind,
  type BackupScope,
  type BackupSlots,
  withCurrent,
  withoutCurrent,
} from '../engine/database/backup-slot.ts'
import type { LogPosition } from '../engine/database/log-position.ts'
import { BACKUP_PHASE } from '../engine/database/log-record-database.ts'
import { type LogTime, logTimeAt } from '../engine/database/log-time.ts'
import { ReplicationError } from '../engine/error.ts'
import type { Generation } from '../engine/generation.ts'
import { StoreFreeze, type StoreFreezeParts } from './store-freeze.ts'

/** What {@link StoreBackups} works with. */
export interface StoreBackupParts extends StoreFreezeParts {
  /** The slots of the header are other ones, durably. */
  readonly onBackups: (slots: BackupSlots) => void
}

/** A backup that begins. */
export interface BackupBeginning {
  readonly scope: BackupScope
  readonly method: BackupMethod
}

/** What a backup that begins has to read: logs from `required` on recover any page that is read from now on. */
export interface BackupBegun {
  readonly required: Generation
  readonly slots: BackupSlots
}

/** The log that was closed for a backup, and the first log that the database needs then, durably. */
export interface BackupPrepared {
  readonly closed: Generation
  readonly checkpoint: Generation
}

/** How a backup has ended. */
export interface BackupEnding {
  readonly outcome: 'completed' | 'aborted'
  /** What a completed one is remembered as, with the first and the last of its logs. */
  readonly backup: {
    readonly scope: BackupScope
    readonly kind: Exclude<BackupKind, 'snapshot'>
    readonly first: Generation
    readonly last: Generation
  } | null
  /** Whether the log is closed afterwards, so that the copies learn of it soon. */
  readonly roll: boolean
}

/** What the header remembers afterwards. `mark` is where the log stood when the backup began; null where none had begun. */
export interface BackupEnded {
  readonly slots: BackupSlots
  readonly mark: LogPosition | null
}

interface Session extends BackupBeginning {
  readonly mark: LogPosition
  readonly markTime: LogTime
}

const METHOD_OF = { streaming: 'streaming', 'os-snapshot': 'vss', surrogate: 'surrogate' } as const

/**
 * The store's side of a backup: its records in the log, its slots in the header, and the logs that circular logging leaves for it. It
 * lives in memory: a store that ends forgets the backup, and the source aborts it.
 */
export class StoreBackups {
  readonly freezing: StoreFreeze
  readonly #parts: StoreBackupParts
  #slots: BackupSlots
  #session: Session | null = null

  constructor(parts: StoreBackupParts) {
    this.#parts = parts
    this.#slots = parts.store.header.backups
    this.freezing = new StoreFreeze(parts)
    parts.onBackups(this.#slots)
  }

  /** The slots that the header has, or will have when what is under way is durable. */
  get slots(): BackupSlots {
    return this.#slots
  }

  /** A backup begins; resolves when its record is durable, and the header says so where the database is copied. Errors: `STATE_REFUSED`. */
  async begin(beginning: BackupBeginning): Promise<BackupBegun> {
    const { store, loop } = this.#parts
    const required = await loop.when(
      () => store.mayBegin,
      () => this.#layBegin(beginning),
    )
    if (required === null) throw refused('a backup is under way already', 'Wait for its end, or abort it.')
    await this.#settled(store.end)
    return { required, slots: this.#slots }
  }

  /** Closes the log behind the last page that was read of a running database. Errors: `STATE_REFUSED`. */
  async prepare(): Promise<BackupPrepared> {
    const { store, loop } = this.#parts
    const session = this.#underWay()
    const closed = await loop.when(
      () => store.mayBegin,
      () => {
        const generation = store.forceRoll('a backup copies the logs')
        layBackupStep(store, stepOfGroup(session, BACKUP_PHASE.prepareLogs))
        return generation
      },
    )
    await loop.when(
      () => store.openGeneration > closed,
      () => undefined,
    )
    return { closed, checkpoint: store.lowestRequired }
  }

  /** A backup has ended; resolves when records and header say so durably. Thaws a frozen store. Errors: `STATE_REFUSED`. */
  async end(ending: BackupEnding): Promise<BackupEnded> {
    const { store, loop, onBackups } = this.#parts
    if (this.#session === null && ending.outcome === 'aborted') return { slots: this.#slots, mark: null }
    const session = this.#underWay()
    if (ending.outcome === 'completed' && ending.backup === null)
      throw refused('nothing says what the backup is', 'Say what it is of, and which logs it has.')
    this.freezing.end()
    this.#session = null // whoever ends it once more is refused
    const closed = await loop.when(
      () => store.mayBegin,
      () => this.#layEnd(session, ending),
    )
    await this.#settled(store.end)
    onBackups(this.#slots)
    if (closed !== null)
      await loop.when(
        () => store.openGeneration > closed,
        () => undefined,
      )
    return { slots: this.#slots, mark: session.mark }
  }

  #layBegin({ scope, method }: BackupBeginning): Generation | null {
    const { store, nowMs } = this.#parts
    if (this.#session !== null) return null
    const session = { scope, method, mark: store.end, markTime: logTimeAt(nowMs()) }
    const required = store.lowestRequired
    this.#session = session
    store.holdLogsFrom(required)
    layBackupStep(store, stepOfGroup(session, BACKUP_PHASE.begin))
    const hasDatabase = scope === 'full' || scope === 'copy'
    if (hasDatabase && method !== 'surrogate') {
      const slot = method === 'streaming' ? 'currentFull' : 'currentSnapshot'
      this.#amend(withCurrent(this.#slots, slot, { ...markOf(session), firstGeneration: required }))
    }
    return required
  }

  #layEnd(session: Session, { outcome, backup, roll }: BackupEnding): Generation | null {
    const { store } = this.#parts
    let slots = this.#slots
    if (outcome === 'completed' && backup !== null) {
      const { scope, kind, first, last } = backup
      const made = { ...session, scope, method: METHOD_OF[kind] }
      const step = stepOfHeader(made, { databaseId: store.header.databaseId, first, last })
      layBackupStep(store, step)
      slots = slotsAfter(slots, step)
    }
    const last = outcome === 'completed' ? BACKUP_PHASE.stop : BACKUP_PHASE.abort
    layBackupStep(store, stepOfGroup(session, last))
    store.holdLogsFrom(null)
    this.#amend(withoutCurrent(slots))
    return roll ? store.forceRoll('a backup has ended') : null
  }

  #amend(slots: BackupSlots): void {
    this.#slots = slots
    this.#parts.store.amendHeader({ backups: slots })
  }

  /** Everything that was laid so far is durable, and the header says what it is to say. */
  async #settled(end: LogPosition): Promise<void> {
    const { store, loop } = this.#parts
    const slots = this.#slots
    store.requestFlush()
    await loop.when(
      () => store.header.backups === slots || this.#slots !== slots,
      () => undefined,
    )
    await loop.durable(end)
  }

  #underWay(): Session {
    if (this.#session === null)
      throw refused(
        'no backup is under way in it',
        'The store was started anew meanwhile, perhaps: begin the backup again.',
      )
    return this.#session
  }
}

function markOf({ mark, markTime }: Session): Pick<Session, 'mark' | 'markTime'> {
  return { mark, markTime }
}

function refused(why: string, hint: string): ReplicationError {
  return new ReplicationError({ code: 'STATE_REFUSED', message: `the store cannot go on with a backup: ${why}`, hint })
}
