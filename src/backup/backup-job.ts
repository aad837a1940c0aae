import type { BackupScope } from '../../engine/database/backup-slot.ts'
import { ReplicationError } from '../../engine/error.ts'
import type { GenerationRange } from '../../engine/generation.ts'
import { isLogOnly } from '../../engine/source/backup-session.ts'
import type { SetFile } from '../../storage/backup-manifest.ts'
import { asReplicationError } from '../../storage/file-error.ts'
import type { BackupJobDocument, BackupJobPhase } from '../../transport/management-backup-documents.ts'
import type { BackupAnswers, BackupQuery } from '../../workers/backup-messages.ts'
import type { Clock } from '../clock.ts'
import type { EventLog } from '../event-log.ts'
import { sizeOf } from '../file-size.ts'
import { VERSION } from '../version.ts'
import type { BackedUpCopy } from './backed-up-copy.ts'
import { BackupThread, type BackupWatch } from './backup-thread.ts'

/** A backup that is wanted in a directory. */
interface BackupWanted {
  readonly scope: BackupScope
  readonly method: 'streaming' | 'vss'
  /** Absolute path of a directory on this machine that is absent or empty. */
  readonly directory: string
  /** Bytes in a second; null for as fast as it goes. */
  readonly bytesPerSecond: number | null
  /** How long the copy may stand still for a snapshot, in milliseconds. */
  readonly freezeMs: number
}

/** What a {@link BackupJob} works with. */
export interface BackupJobParts {
  readonly id: number
  readonly wanted: BackupWanted
  readonly of: BackedUpCopy
  readonly events: EventLog
  readonly clock: Clock
}

/**
 * One backup from its beginning to its end: it asks the copy, has a thread write the set, and tells the copy how it ended. The set is
 * written and durable before the copy hears of success; what fails is given up, and leaves no set, unless all that failed was the answer to that.
 */
export class BackupJob {
  readonly #parts: BackupJobParts
  readonly #giveUp = new AbortController()
  readonly #begunMs: number
  #phase: BackupJobPhase = 'beginning'
  #error: ReplicationError | null = null
  #thread: BackupThread | null = null
  #bytesPerSecond: number | null
  /** Of files that are copied already. */
  #copiedBytes = 0
  #doneBytes = 0
  #totalBytes = 0
  #logs: GenerationRange | null = null
  #endedMs: number | null = null
  #ended: Promise<void> | null = null
  #tellBegun: (error: ReplicationError | null) => void = () => undefined
  readonly #begun = new Promise<ReplicationError | null>((resolve) => {
    this.#tellBegun = resolve
  })

  constructor(parts: BackupJobParts) {
    this.#parts = parts
    this.#begunMs = parts.clock.nowMs()
    this.#bytesPerSecond = parts.wanted.bytesPerSecond
  }

  get isOver(): boolean {
    return this.#phase === 'completed' || this.#phase === 'failed'
  }

  /** How it stands. */
  get document(): BackupJobDocument {
    const { id, wanted, of, clock } = this.#parts
    const { scope, method, directory } = wanted
    return {
      id,
      storageGroup: of.storageGroup,
      of: of.copy,
      node: of.node,
      scope,
      method,
      directory,
      phase: this.#phase,
      doneBytes: this.#copiedBytes + this.#doneBytes,
      totalBytes: this.#copiedBytes + this.#totalBytes,
      bytesPerSecondMax: this.#bytesPerSecond,
      elapsedMs: (this.#endedMs ?? clock.nowMs()) - this.#begunMs,
      begun: new Date(this.#begunMs).toISOString(),
      logs: this.#logs,
      error: this.#error?.toJSON() ?? null,
    }
  }

  /** Takes the backup; resolves when it is over, whatever came of it. May be called twice. */
  run(): Promise<void> {
    this.#ended ??= this.#run()
    return this.#ended
  }

  /** Resolves when the copy has let it begin. Rejects when it did not come so far. */
  async whenBegun(): Promise<void> {
    const error = await this.#begun
    if (error !== null) throw error
  }

  /** Gives it up; it ends soon after that. */
  giveUp(): void {
    this.#giveUp.abort()
  }

  /** From now on so many bytes in a second are copied; null for no bound. */
  setRate(bytesPerSecond: number | null): void {
    this.#bytesPerSecond = bytesPerSecond
    this.#thread?.setRate(bytesPerSecond)
  }

  async #run(): Promise<void> {
    const { of, clock } = this.#parts
    try {
      await this.#take()
      this.#phase = 'completed'
    } catch (error) {
      this.#error = asReplicationError(error)
      // A thread that died has removed nothing and can say nothing.
      if (this.#thread !== null) await this.#ask({ ask: 'abandon-set' }).catch(() => undefined)
      await of.abort(this.#error.message)
      this.#tellBadPage(this.#error)
      this.#phase = 'failed'
      this.#tellBegun(this.#error)
    } finally {
      this.#endedMs = clock.nowMs()
      await this.#thread?.close()
    }
  }

  async #take(): Promise<void> {
    const { wanted, of } = this.#parts
    const { scope, method, directory, freezeMs } = wanted
    this.#thread = await BackupThread.start()
    this.#thread.setRate(this.#bytesPerSecond)
    await this.#ask({ ask: 'begin-set', directory })
    await of.begin({ scope, method, freezeMs })
    this.#tellBegun(null)
    const closed = method === 'vss' ? await this.#snapshot() : await this.#stream()
    this.#phase = 'finishing'
    const description = {
      storageGroup: of.storageGroup,
      baseName: of.files.baseName,
      scope,
      method,
      of: { copy: of.copy, node: of.node },
      product: VERSION,
      closed,
      ...of.history(),
      begunMs: this.#begunMs,
      endedMs: this.#parts.clock.nowMs(),
    }
    // From here on the set is whole, and giving it up comes too late.
    await this.#ask({ ask: 'finish-set', description })
    await of.complete().catch((error: unknown) => Promise.reject(notRecorded(asReplicationError(error), directory)))
  }

  /** The copy stands still while its database is copied, not while its logs are: these do not change any more. */
  async #snapshot() {
    const { of, wanted } = this.#parts
    const { logs, closed } = await of.prepare()
    let thawed: Promise<boolean> | null = null
    const thaw = (): void => {
      thawed ??= of.thaw()
      thawed.catch(() => undefined) // looked at below
    }
    if (!isLogOnly(wanted.scope)) {
      this.#phase = 'database'
      this.#copied(await this.#ask({ ask: 'copy-checkpoint', path: of.files.checkpoint }))
      const query = { ask: 'copy-database', path: of.files.database, mode: 'snapshot' } as const
      this.#copied(await this.#ask(query, thaw))
    }
    thaw()
    if (!(await thawed)) throw frozenTooLong(of.storageGroup)
    await this.#copyLogs(logs)
    return closed
  }

  async #stream() {
    const { of, wanted } = this.#parts
    const hasDatabase = !isLogOnly(wanted.scope)
    if (hasDatabase) {
      this.#phase = 'database'
      const size = await sizeOf(of.files.database)
      this.#raise(220, [of.files.database, size])
      await this.#ask({ ask: 'copy-database', path: of.files.database, mode: 'streaming' })
    }
    const { logs, closed } = await of.prepare()
    if (hasDatabase) {
      this.#copied(await this.#ask({ ask: 'end-database', last: closed }))
      this.#raise(221, [of.files.database])
    }
    await this.#copyLogs(logs)
    return closed
  }

  async #copyLogs(range: GenerationRange | null): Promise<void> {
    this.#phase = 'logs'
    this.#logs = range
    if (range === null) return
    const { logs: directory, baseName } = this.#parts.of.files
    for (const file of await this.#ask({ ask: 'copy-logs', directory, baseName, range })) this.#copied(file)
  }

  #copied(file: SetFile | null): void {
    this.#copiedBytes += file?.bytes ?? 0
    this.#doneBytes = 0
    this.#totalBytes = 0
  }

  #ask<Query extends BackupQuery>(query: Query, onTaken?: () => void): Promise<BackupAnswers[Query['ask']]> {
    this.#refuseGivenUp(query)
    if (this.#thread === null) throw new Error('must hold: the thread is started before it is asked')
    const watch: BackupWatch = {
      onProgress: (doneBytes, totalBytes) => {
        this.#doneBytes = doneBytes
        this.#totalBytes = totalBytes
      },
      signal: this.#giveUp.signal,
      ...(onTaken === undefined ? {} : { onTaken }),
    }
    return this.#thread.ask(query, query.ask === 'abandon-set' ? {} : watch).catch(tellRoom)
  }

  #refuseGivenUp(query?: BackupQuery): void {
    if (!this.#giveUp.signal.aborted || query?.ask === 'abandon-set') return
    throw new ReplicationError({
      code: 'STATE_REFUSED',
      message: `the backup of ${this.#parts.of.storageGroup} was given up`,
      hint: 'Nothing was truncated, and its directory was emptied: take it again.',
    })
  }

  #tellBadPage({ code, message, fields }: ReplicationError): void {
    const { page } = fields
    if (code === 'PAGE_REJECTED')
      this.#raise(217, [page === undefined ? 0 : String(page), this.#parts.of.files.database, message])
  }

  #raise(id: 217 | 220 | 221, values: readonly (string | number)[]): void {
    this.#parts.events.raise(this.#parts.of.storageGroup, id, values)
  }
}

/**
 * The set is whole, and the word that its backup is recorded did not come. It stays: the source may have recorded it, and later backups
 * build on what its header says.
 */
function notRecorded({ code, message, fields }: ReplicationError, directory: string): ReplicationError {
  return new ReplicationError({
    code,
    message: `${message}; its set is whole, and was kept in ${directory}`,
    hint: 'Whether the backup counts, "ccr store SG" says by its last backups. If it does not, remove the set and take it again.',
    fields: { ...fields, path: directory },
  })
}

/** What copying does by itself when there is room again, a backup does not. */
function tellRoom(error: unknown): never {
  if (!(error instanceof ReplicationError) || error.code !== 'DISK_FULL') throw error
  const { code, message, fields, cause } = error
  const hint =
    'Free space on the volume of the set, and take the backup again: nothing was truncated, what it wrote is removed.'
  throw new ReplicationError({ code, message, hint, fields, cause })
}

function frozenTooLong(storageGroup: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `${storageGroup} could not be kept frozen until its database was copied (error -2402)`,
    hint: 'Allow a longer freeze with --freeze, take a streaming backup, or use a file system with reflinks.',
    fields: { storageGroup, eseError: -2402 },
  })
}
