import { join } from 'node:path'
import type { BackupSlots } from '../../engine/database/backup-slot.ts'
import { readDatabaseHeader } from '../../engine/database/database-header-copies.ts'
import { ReplicationError } from '../../engine/error.ts'
import { type Generation, higherOf, nextGeneration } from '../../engine/generation.ts'
import type { ReplicaState } from '../../engine/replication/replica-state.ts'
import { isLogOnly, lastBackedUp } from '../../engine/source/backup-session.ts'
import { DATABASE_NAME } from '../../storage/store-places.ts'
import type { LogShareClient } from '../../transport/log-share-client.ts'
import { reasonToTell, type SurrogateAnswer, type SurrogateAsk } from '../../transport/surrogate-backup.ts'
import type { Clock } from '../clock.ts'
import type { CopyInstance, FrozenCopy } from '../copy-instance.ts'
import { readHeadOf } from '../ese-file.ts'
import type { EventLog } from '../event-log.ts'
import { historyFor } from './active-copy.ts'
import { historyOf } from './active-store.ts'
import type { BackedUpCopy, CopyBackupRequest } from './backed-up-copy.ts'

/** What the passive copy of a storage group consists of. */
export interface PassiveCopyParts {
  readonly copy: CopyInstance
  /** Closed by its owner. */
  readonly client: LogShareClient
  readonly events: EventLog
  readonly clock: Clock
  /** Name of the node. */
  readonly node: string
}

/** Between two words to the source that the backup goes on, in milliseconds; it waits for a minute. */
const CONTINUE_MS = 10_000

/**
 * The passive copy, as something that is backed up once. It freezes itself first, and asks its source then, since only it knows which
 * logs its snapshot has; the source decides what may go, and records the backup. Source: the surrogate backup of Exchange 2007.
 */
export function passiveCopy(parts: PassiveCopyParts): BackedUpCopy {
  const backup = new PassiveBackup(parts)
  const { copy, node } = parts
  return {
    copy: 'passive',
    storageGroup: copy.name,
    node,
    files: backup.files,
    begin: (request) => backup.begin(request),
    prepare: () => backup.prepare(),
    thaw: () => backup.thaw(),
    history: () => backup.history(),
    complete: () => backup.complete(),
    abort: (reason) => backup.abort(reason),
  }
}

class PassiveBackup {
  readonly files: BackedUpCopy['files']
  readonly #parts: PassiveCopyParts
  #request: CopyBackupRequest = { scope: 'copy', method: 'vss' }
  #slots: BackupSlots | null = null
  #session = 0
  #frozenSinceMs: number | null = null
  #isOverdue = false
  #cancelOverdue: () => void = () => undefined
  #cancelContinue: () => void = () => undefined

  constructor(parts: PassiveCopyParts) {
    this.#parts = parts
    const { root, format } = parts.copy
    const baseName = format?.kind === 'ese' ? format.baseName : ''
    const logs = join(root, 'logs')
    const [database, checkpoint] = [join(root, 'database', DATABASE_NAME), join(logs, `${baseName}.chk`)]
    this.files = { database, checkpoint, logs, baseName }
  }

  async begin(request: CopyBackupRequest): Promise<void> {
    this.#request = request
    const { database, lag } = this.#parts.copy.state
    if (lag !== null) throw standbyTarget(this.#parts.copy.name)
    if (database === null) throw logsOnly(this.#parts.copy.name)
    this.#raise(2021, [])
    this.#raise(2023, [request.scope])
  }

  async prepare() {
    const { copy, clock } = this.#parts
    this.#raise(2025, [])
    await this.#untilLookedAt()
    const frozen = await copy.freeze()
    this.#frozenSinceMs = clock.nowMs()
    const { freezeMs } = this.#request
    if (freezeMs !== undefined) this.#cancelOverdue = clock.wakeAfter(freezeMs, () => void this.#timeOut())
    this.#slots = await this.#slotsOfHeader()
    const { first, last } = this.#logsOf(frozen)
    this.#raise(2027, [first, last])
    const required = higherOf(frozen.first, first)
    const { session } = await this.#say({
      ask: 'begin',
      ...this.#who,
      scope: this.#request.scope,
      first,
      last,
      required,
    })
    this.#session = session
    this.#continueLater()
    return { logs: first <= last ? { first, last } : null, closed: last }
  }

  /** Behind a thaw or a Resume the store is looked at for a moment, and is not frozen meanwhile. */
  async #untilLookedAt(): Promise<void> {
    const judge = ({ phase }: ReplicaState): true | null => (phase === 'checking' ? null : true)
    await this.#parts.copy.until(judge, AbortSignal.timeout(LOOKING_MS_MAX)).catch(() => undefined) // the freeze says why not
  }

  async thaw(): Promise<boolean> {
    if (this.#frozenSinceMs === null) return !this.#isOverdue
    const { copy, clock } = this.#parts
    const frozenMs = clock.nowMs() - this.#frozenSinceMs
    this.#frozenSinceMs = null
    this.#cancelOverdue()
    const isUntouched = await copy.thaw()
    this.#raise(2029, [frozenMs])
    if (isUntouched) this.#raise(2035, [])
    return isUntouched && !this.#isOverdue
  }

  history(): ReturnType<BackedUpCopy['history']> {
    return historyFor(this.#request.scope, this.#slots)
  }

  async complete(): Promise<void> {
    this.#cancelContinue()
    await this.#say({ ask: 'end', ...this.#who, session: this.#session, outcome: 'completed', reason: '' })
    this.#session = 0
    this.#raise(2046, [])
  }

  async abort(reason: string): Promise<void> {
    this.#cancelContinue()
    this.#cancelOverdue()
    if (this.#frozenSinceMs !== null) await this.thaw().catch(() => undefined) // a copy that is stopping is thawed by that
    if (this.#session > 0) {
      const end = { ask: 'end', session: this.#session, outcome: 'aborted', reason: reasonToTell(reason) } as const
      // A source that cannot be told gives it up by itself, within a minute.
      await this.#say({ ...end, ...this.#who }).catch(() => undefined)
      this.#session = 0
    }
    this.#raise(2033, [reason])
  }

  get #who(): { readonly copyId: string } {
    return { copyId: this.#parts.copy.copyId }
  }

  /** A full backup has what its database needs and all behind it; the others what no backup has, by the header of the passive. */
  #logsOf({ first, last }: FrozenCopy): { readonly first: Generation; readonly last: Generation } {
    if (!isLogOnly(this.#request.scope) || this.#slots === null) return { first, last: higherOf(first, last) }
    const next = nextGeneration(lastBackedUp(historyOf(this.#slots)))
    if (next <= last) return { first: next, last }
    throw new ReplicationError({
      code: 'STATE_REFUSED',
      message: `the passive copy of ${this.#parts.copy.name} has no log behind ${next - 1}, the last one that is backed up`,
      hint: 'Wait until a log was closed and inspected, then take the backup again.',
    })
  }

  async #slotsOfHeader(): Promise<BackupSlots | null> {
    const head = await readHeadOf(this.files.database, 'database')
    const read = readDatabaseHeader(head.bytes)
    return read.verdict === 'read' ? read.header.backups : null
  }

  async #timeOut(): Promise<void> {
    this.#isOverdue = true
    await this.thaw().catch(() => undefined) // the backup fails in any case, and says so
  }

  #continueLater(): void {
    this.#cancelContinue = this.#parts.clock.wakeAfter(CONTINUE_MS, () => {
      // The source says by refusing the end whether it has given the backup up; a word that is lost is said again.
      void this.#say({ ask: 'continue', ...this.#who, session: this.#session })
        .catch(() => undefined)
        .then(() => this.#session > 0 && this.#continueLater())
    })
  }

  /** Ends by itself: the client's limits hold for every call. */
  #say(ask: SurrogateAsk): Promise<SurrogateAnswer> {
    const { client, copy } = this.#parts
    return client.askBackup(copy.source, ask, new AbortController().signal)
  }

  #raise(id: 2021 | 2023 | 2025 | 2027 | 2029 | 2033 | 2035 | 2046, values: readonly (string | number)[]): void {
    this.#parts.events.raise(this.#parts.copy.name, id, values)
  }
}

/** How long a look at the store may take before a backup gives up waiting for it, in milliseconds. */
const LOOKING_MS_MAX = 10_000

/** Source: neither streaming nor snapshot backups are taken of a standby target. */
function standbyTarget(name: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `the copy of ${name} is a standby target, of which no backup is taken (error -1003)`,
    hint: 'Back up the active, or a copy that is no standby target.',
    fields: { storageGroup: name, eseError: -1003 },
  })
}

function logsOnly(name: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `the copy of ${name} keeps logs only, and has no database to back up`,
    hint: 'A copy that replays has one: ccr copy --replay, or a source with a mailbox store.',
    fields: { storageGroup: name },
  })
}
