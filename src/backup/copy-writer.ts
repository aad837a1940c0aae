import type { BackupScope } from '../../engine/database/backup-slot.ts'
import { ReplicationError } from '../../engine/error.ts'
import { FREEZE_MS_DEFAULT } from '../../engine/freeze-bound.ts'
import { eseLogName } from '../../engine/log-format.ts'
import type { Refusal } from '../../engine/order.ts'
import { isLogOnly } from '../../engine/source/backup-session.ts'
import {
  NEXT_CALL,
  type Provocation,
  STABLE_WRITER,
  stepWriter,
  type VssWriter,
  type WriterFact,
  whyNotCall,
  whyNotProvoke,
  writerStanding,
} from '../../engine/source/vss-writer.ts'
import { asReplicationError } from '../../storage/file-error.ts'
import type { WriterDocument, WriterFiles } from '../../transport/management-writer-documents.ts'
import type { WriterName, WriterOrder } from '../../transport/management-writers.ts'
import { type Clock, doneWithin } from '../clock.ts'
import type { BackedUpCopy, PreparedBackup } from './backed-up-copy.ts'
import { freezeTooLong, takesLong, votedNo, writerFailure } from './writer-faults.ts'

/** What a {@link CopyWriter} works with. */
export interface CopyWriterParts {
  readonly name: WriterName
  /** The copy, for one backup. Errors: `STORAGE_GROUP_UNKNOWN`, `STORE_UNAVAILABLE`. */
  readonly find: () => BackedUpCopy
  readonly clock: Clock
}

interface OpenBackup {
  readonly copy: BackedUpCopy
  readonly scope: BackupScope
  readonly freezeMs: number
  prepared: PreparedBackup | null
  /** When the freeze ends by itself, in milliseconds since 1970; null while it is not frozen. */
  frozenUntilMs: number | null
  /** Resolves when it has. */
  bound: Promise<void>
  cancelBound: () => void
}

/** The same where a freeze is to last too long: a copy comes to rest in it, and nobody waits long for the failure. */
const FREEZE_MS_PROVOKED = 1_000
/** So much after its bound a freeze is looked at, in milliseconds: the copy itself has ended it then. */
const BOUND_GRACE_MS = 50
/** How long a call is answered at the latest, in milliseconds: clients wait for 30 s unless they are told otherwise. */
const ANSWER_MS_MAX = 20_000

/**
 * The writer of one copy: other people's tools take its backup, step by step, with the same copy as our own backups. A backup whose tool
 * has died stays until it is aborted or the service ends, as in the real product.
 */
export class CopyWriter {
  readonly #parts: CopyWriterParts
  #machine: VssWriter = STABLE_WRITER
  #backup: OpenBackup | null = null
  #work: Promise<void> = Promise.resolve()

  constructor(parts: CopyWriterParts) {
    this.#parts = parts
  }

  /** How it stands. Errors: those of the copy, where it is not there. */
  get document(): WriterDocument {
    const { name, find } = this.#parts
    const { phase, scope, sinceMs, failure, provocation } = this.#machine
    const { shownState, shownError, state } = writerStanding(this.#machine)
    const copy = this.#backup?.copy ?? find()
    return {
      name: 'Microsoft Exchange Writer',
      instance: name.of === 'active' ? 'Exchange Information Store' : 'Exchange Replication Service',
      ...name,
      node: copy.node,
      state,
      shownState,
      lastError: shownError,
      reason: failure?.reason ?? '',
      eseError: failure?.eseError ?? null,
      phase,
      next: NEXT_CALL[phase],
      scope,
      since: timeOf(sinceMs === 0 ? null : sinceMs),
      frozenUntil: timeOf(this.#backup?.frozenUntilMs ?? null),
      provocation,
      files: filesOf(copy, this.#backup),
    }
  }

  /**
   * Does what a tool calls. Errors: `STATE_REFUSED` for what comes in the wrong order, which changes nothing; those of the copy, which end
   * the backup; `WAIT_TIMED_OUT` for what takes longer than an answer may, and goes on.
   */
  async call(order: WriterOrder): Promise<void> {
    const { clock, name } = this.#parts
    if (await doneWithin(clock, ANSWER_MS_MAX, this.#perform(order))) return
    throw takesLong(name, order.call)
  }

  /** The failure of the next backup; null for none. Errors: `STATE_REFUSED` while one is under way. */
  provoke(provocation: Provocation | null): void {
    this.#refuse(whyNotProvoke(this.#machine, this.#label))
    this.#step({ kind: 'provoked', provocation })
  }

  /** Gives up what is under way, since the service ends. May be called twice. */
  async close(): Promise<void> {
    await this.#work
    await this.#giveUp('the service has ended')
  }

  async #perform(order: WriterOrder): Promise<void> {
    // Who gives up waits for what is under way, which is bounded; it cannot be stopped half way.
    if (order.call === 'abort') await this.#work
    this.#refuse(whyNotCall(this.#machine, order.call, this.#label))
    const scope = order.call === 'prepare' ? { scope: order.scope } : {}
    this.#step({ kind: 'call-came', call: order.call, nowMs: this.#parts.clock.nowMs(), ...scope })
    const work = this.#settle(order)
    this.#work = work.catch(() => undefined) // whoever called is told
    await work
  }

  async #settle(order: WriterOrder): Promise<void> {
    try {
      await this.#carryOut(order)
    } catch (thrown) {
      const error = asReplicationError(thrown)
      await this.#giveUp(error.message)
      this.#step({ kind: 'call-failed', failure: writerFailure(order.call, error) })
      throw error
    }
  }

  async #carryOut(order: WriterOrder): Promise<void> {
    switch (order.call) {
      case 'prepare':
        await this.#prepare(order)
        break
      case 'freeze':
        await this.#freeze(this.#open())
        break
      case 'thaw':
        await this.#thaw(this.#open())
        break
      case 'post':
        if (order.outcome === 'success' && this.#machine.provocation === 'lose-post')
          return this.#step({ kind: 'call-lost' })
        await this.#post(order.outcome)
        break
      case 'abort':
        await this.#giveUp('its tool gave it up')
    }
    this.#step({ kind: 'call-done' })
  }

  async #prepare({ scope, freezeMs }: Extract<WriterOrder, { call: 'prepare' }>): Promise<void> {
    const { provocation } = this.#machine
    const asked = freezeMs ?? FREEZE_MS_DEFAULT
    const isShort = provocation === 'freeze-timeout' || provocation === 'no-thaw'
    const bound = isShort ? Math.min(asked, FREEZE_MS_PROVOKED) : asked
    const copy = this.#parts.find()
    const open = { copy, scope, freezeMs: bound, prepared: null, frozenUntilMs: null }
    this.#backup = { ...open, bound: Promise.resolve(), cancelBound: () => undefined }
    await copy.begin({ scope, method: 'vss', freezeMs: bound })
  }

  async #freeze(backup: OpenBackup): Promise<void> {
    if (this.#machine.provocation === 'vote-no') throw votedNo(this.#label)
    backup.prepared = await backup.copy.prepare()
    const { clock } = this.#parts
    backup.frozenUntilMs = clock.nowMs() + backup.freezeMs
    backup.bound = new Promise((resolve) => {
      backup.cancelBound = clock.wakeAfter(backup.freezeMs + BOUND_GRACE_MS, () => {
        resolve()
        this.#expire(backup)
      })
    })
    if (this.#machine.provocation !== 'freeze-timeout') return
    await backup.bound
    await this.#thawNow(backup)
    throw freezeTooLong(this.#label, backup.freezeMs)
  }

  async #thaw(backup: OpenBackup): Promise<void> {
    if (this.#machine.provocation === 'no-thaw') await backup.bound
    if (!(await this.#thawNow(backup))) throw freezeTooLong(this.#label, backup.freezeMs)
  }

  async #thawNow(backup: OpenBackup): Promise<boolean> {
    backup.cancelBound()
    const isUntouched = await backup.copy.thaw()
    backup.frozenUntilMs = null
    return isUntouched
  }

  async #post(outcome: 'success' | 'failure'): Promise<void> {
    if (outcome === 'failure') return await this.#giveUp('its tool says that it has failed')
    await this.#open().copy.complete()
    this.#backup = null
  }

  /** Nobody has called for the thaw in time: the copy has gone on by itself, and the snapshot is worth nothing. */
  #expire(backup: OpenBackup): void {
    if (this.#backup !== backup || this.#machine.phase !== 'frozen' || this.#machine.underWay !== null) return
    const { storageGroup, of } = this.#parts.name
    void this.#perform({ storageGroup, of, call: 'thaw' }).catch(() => undefined) // the writer shows it from now on
  }

  async #giveUp(reason: string): Promise<void> {
    const backup = this.#backup
    if (backup === null) return
    backup.cancelBound()
    await backup.copy.abort(reason)
    this.#backup = null
  }

  #open(): OpenBackup {
    if (this.#backup === null) throw new Error('must hold: what is called after prepare has a backup')
    return this.#backup
  }

  #refuse(refusal: Refusal | null): void {
    if (refusal === null) return
    const { eseError, ...parts } = refusal
    throw new ReplicationError({ ...parts, ...(eseError === undefined ? {} : { fields: { eseError } }) })
  }

  #step(fact: WriterFact): void {
    this.#machine = stepWriter(this.#machine, fact)
  }

  get #label(): string {
    const { storageGroup, of } = this.#parts.name
    return `the writer of ${storageGroup} (${of})`
  }
}

function filesOf({ files }: BackedUpCopy, backup: OpenBackup | null): WriterFiles {
  const { database, checkpoint, logs, baseName } = files
  const hasDatabase = backup === null || !isLogOnly(backup.scope)
  const range = backup?.prepared?.logs ?? null
  return {
    database: hasDatabase ? database : null,
    checkpoint: hasDatabase ? checkpoint : null,
    logs,
    baseName,
    range:
      range === null
        ? null
        : { ...range, firstName: eseLogName(baseName, range.first), lastName: eseLogName(baseName, range.last) },
  }
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
