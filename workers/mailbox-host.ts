import type { LogPosition } from '../engine/database/log-position.ts'
import {
  bytesOfTransactions,
  type MailboxTransaction,
  type Outcome,
  runList,
  runRead,
  runTransactions,
  type SessionScript,
  type TransactionOutcome,
} from '../engine/database/mailbox-session.ts'
import type { PageDigest } from '../engine/database/page-digest.ts'
import { lookUpSpace } from '../engine/database/space.ts'
import type { MessageName } from '../engine/database/store-layout.ts'
import type { ReplicationError } from '../engine/error.ts'
import type { Generation } from '../engine/generation.ts'
import type { StoreFiles } from '../storage/store-files.ts'
import { BoundaryDigesting } from './boundary-digesting.ts'
import type { IdleWork } from './idle-work.ts'
import {
  cannotUndo,
  digestRefused,
  found,
  type ListQuery,
  type MailboxStatus,
  type MessageList,
  oneOperation,
  resultOf,
  standingOf,
  type TransactionResult,
  unavailable,
} from './mailbox-answers.ts'
import type { OpenMailboxStore, StoreOpening } from './mailbox-opening.ts'
import type { MaintenanceRunner, MaintenanceStatus } from './maintenance-runner.ts'
import { RequestBudget } from './request-budget.ts'
import { SessionPool } from './session-pool.ts'
import type { StoreBackups } from './store-backups.ts'

/** What a {@link MailboxHost} is made of. */
export interface MailboxHostParts extends OpenMailboxStore {
  readonly files: StoreFiles
  readonly waypointDepth: number
  readonly cacheBytes: number
  readonly maintenance: MaintenanceRunner
  readonly backups: StoreBackups
  /** The store cannot go on: nothing more may be written. */
  readonly abandon: (error: ReplicationError) => void
  /** Ends the clock of the store. */
  readonly stopClock: () => void
}

/** Deleted nodes that are taken out in one piece of idle work: some milliseconds at most. */
const CLEAN_UP_NODES = 32
/** With more of them waiting, they are taken out although sessions work: each holds a key in memory. */
const CLEAN_UPS_WAITING_MAX = 4096

/**
 * A mailbox store that runs: it takes transactions of many clients and answers each when it is durable. Use `startMailboxHost`.
 *
 * The transactions of one request are made one after the other by one session; requests are made side by side. What is read is what
 * is committed.
 */
export class MailboxHost {
  readonly #parts: MailboxHostParts
  readonly #budget = new RequestBudget()
  readonly #sessions = new SessionPool()
  #committed = 0
  #refused = 0
  #databasePages = 0
  #digesting: BoundaryDigesting | null = null
  #closing: Promise<void> | null = null
  #failure: ReplicationError | null = null

  constructor(parts: MailboxHostParts) {
    this.#parts = parts
    void this.idleWith([]) // nothing is under way yet
  }

  /** How the store was found, and what the start did. */
  get opening(): StoreOpening {
    return this.#parts.opening
  }

  /** The first log that the database needs, durably: what lies below may go. */
  get lowestRequired(): Generation {
    return this.#parts.store.lowestRequired
  }

  /** What the store does for a backup. Errors: `STORE_UNAVAILABLE`. */
  get backups(): StoreBackups {
    this.#refuseEnded()
    return this.#parts.backups
  }

  /**
   * What else is done while no session works, beside the clean-up of what was deleted. Resolves when nothing of what was done before
   * is under way any more.
   */
  idleWith(work: readonly IdleWork[]): Promise<void> {
    return this.#parts.loop.idleWith([this.#cleanUp(), ...work])
  }

  /**
   * Makes transactions, one after the other; a refused one does not keep the next from being made. Resolves when all that were
   * committed are durable. Rejects with `STORE_BUSY` before anything was done; with the error of a store that has ended meanwhile,
   * when what was made may or may not be committed.
   */
  async transact(transactions: readonly MailboxTransaction[]): Promise<readonly TransactionResult[]> {
    this.#refuseEnded()
    const bytes = bytesOfTransactions(transactions)
    this.#budget.take(bytes)
    try {
      const outcomes = await this.#inSession((session) => this.#making(session, transactions))
      await this.#settle(outcomes)
      return transactions.map((_, index) => resultOf(outcomes[index]))
    } finally {
      this.#budget.give(bytes)
    }
  }

  /** The bytes of a message, or null where there is none. Errors: `PAGE_REJECTED`, `STORE_BUSY`, `STORE_UNAVAILABLE`. */
  async read(name: MessageName): Promise<Uint8Array | null> {
    return found(await this.#reading(runRead(this.#parts.mailbox, name)))
  }

  /** Messages of a mailbox. Errors: as {@link read}. */
  async list({ mailbox, after, limit }: ListQuery): Promise<MessageList> {
    // One more than is shown tells whether there are more.
    const range = { from: after + 1, limit: limit + 1 }
    const listed = found(await this.#reading(runList(this.#parts.mailbox, mailbox, range)))
    return { messages: listed.slice(0, limit), more: listed.length > limit }
  }

  /** Closes the open log, full or not; resolves with its generation when it is closed, durable and may be shipped. */
  async roll(): Promise<Generation> {
    this.#refuseEnded()
    const { loop, store } = this.#parts
    const closed = await loop.when(
      () => store.mayBegin,
      () => store.forceRoll('an operator asked for it'),
    )
    return loop.when(
      () => store.openGeneration > closed,
      () => closed,
    )
  }

  /**
   * Opens a window of maintenance now, for so long, and answers where it stands then. Errors: `STATE_REFUSED` where maintenance is off,
   * `STORE_UNAVAILABLE`.
   */
  maintain(durationMs: number): MaintenanceStatus {
    this.#refuseEnded()
    this.#parts.maintenance.openFor(durationMs)
    return this.#parts.maintenance.status
  }

  /**
   * Begins to digest all pages as they are at the end of log `through`, which it closes; one comparison at a time. Errors:
   * `STATE_REFUSED`, `STORE_UNAVAILABLE`.
   */
  async beginDigest(through: Generation): Promise<void> {
    this.#refuseEnded()
    if (this.#digesting !== null) throw digestRefused('its pages are being compared already')
    const digesting = new BoundaryDigesting(this.#parts)
    this.#digesting = digesting
    await digesting.begin(through).catch((error: unknown) => {
      this.endDigest()
      throw error
    })
  }

  /** The next digests, or null behind the last. Errors: `PAGE_REJECTED`, and as {@link beginDigest}. */
  async nextDigests(): Promise<readonly PageDigest[] | null> {
    this.#refuseEnded()
    if (this.#digesting === null) throw digestRefused('nobody compares its pages')
    return await this.#digesting.next()
  }

  /** The comparison has ended, or is given up. May be called twice. */
  endDigest(): void {
    this.#digesting?.end()
    this.#digesting = null
  }

  /** How the store stands. Errors: `STORE_UNAVAILABLE` when it has ended. */
  async status(): Promise<MailboxStatus> {
    const { store, writer, opening, waypointDepth, cacheBytes, maintenance, backups } = this.#parts
    const mayWork = this.#closing === null && this.#failure === null && !backups.freezing.isFrozen
    if (mayWork) await this.#countPages()
    return {
      ...standingOf(store),
      waypointDepth,
      databasePages: this.#databasePages,
      cacheBytes,
      dbtime: writer.dbtime,
      committed: this.#committed,
      refused: this.#refused,
      opening,
      maintenance: maintenance.status,
      backups: backups.slots,
    }
  }

  /**
   * Stops in order: takes no further request, ends those under way, takes out what was deleted, and closes the database, which is
   * clean then. A store that has ended already is only closed. May be called twice.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** The files have ended: whoever waits gets the error. */
  fail(error: ReplicationError): void {
    this.#failure ??= error
    this.#parts.loop.fail(error)
  }

  async #close(): Promise<void> {
    const { loop, store, files, stopClock, maintenance, backups } = this.#parts
    try {
      backups.freezing.end()
      await maintenance.close()
      await this.#sessions.rest()
      await this.#cleanUpAll()
      await loop.when(
        () => store.mayBegin,
        () => store.stop('term'),
      )
      await loop.when(
        () => store.isAtRest,
        () => undefined,
      )
    } catch (error) {
      // Whoever made the store was told of it; what is left to do is to give the files back.
      if (this.#failure === null) throw error
    } finally {
      stopClock()
      await files.close()
    }
  }

  /** Once the database is clean nothing tells of them any more: they would stay in the trees for ever. */
  async #cleanUpAll(): Promise<void> {
    const { loop, mailbox } = this.#parts
    await loop.idleWith([])
    while (mailbox.cleanUpsWaiting > 0) {
      const outcome = await loop.run(oneOperation(() => mailbox.cleanUp(CLEAN_UP_NODES)))
      if (outcome.state === 'bad-page') return
    }
  }

  #cleanUp(): IdleWork {
    const { mailbox } = this.#parts
    return {
      name: 'clean-up',
      next: () => (mailbox.cleanUpsWaiting > 0 ? mailbox.cleanUp(CLEAN_UP_NODES) : null),
      isUrgent: () => mailbox.cleanUpsWaiting > CLEAN_UPS_WAITING_MAX,
    }
  }

  async #inSession<Result>(act: (session: number) => SessionScript<Result>): Promise<Result> {
    const session = await this.#sessions.take()
    try {
      return await this.#parts.loop.run(act(session))
    } finally {
      this.#sessions.give(session)
    }
  }

  /** What is committed is wanted durable as soon as the last transaction is made. */
  *#making(session: number, transactions: readonly MailboxTransaction[]): SessionScript<readonly TransactionOutcome[]> {
    const { mailbox, store } = this.#parts
    const outcomes = yield* runTransactions({ mailbox, session }, transactions, () => this.#closing !== null)
    store.requestFlush()
    return outcomes
  }

  async #settle(outcomes: readonly TransactionOutcome[]): Promise<void> {
    const ends = outcomes.flatMap((outcome) => (outcome.outcome === 'committed' ? [outcome.end] : []))
    const stuck = outcomes.find(({ outcome }) => outcome === 'stuck')
    if (stuck?.outcome === 'stuck') this.#parts.abandon(cannotUndo(stuck.refusal))
    const last: LogPosition | undefined = ends.at(-1)
    if (last !== undefined) await this.#parts.loop.durable(last)
    this.#committed += ends.length
    this.#refused += outcomes.length - ends.length
  }

  async #reading<Answer>(script: SessionScript<Outcome<Answer>>): Promise<Outcome<Answer>> {
    this.#refuseEnded()
    this.#budget.take(0)
    try {
      return await this.#inSession(() => script)
    } finally {
      this.#budget.give(0)
    }
  }

  async #countPages(): Promise<void> {
    const { loop, writer } = this.#parts
    const outcome = await loop.run(oneOperation(() => lookUpSpace(writer)))
    if (outcome.state === 'done') this.#databasePages = outcome.answer.lastPage
  }

  #refuseEnded(): void {
    if (this.#failure !== null) throw unavailable('it has failed', this.#failure)
    if (this.#closing !== null) throw unavailable('it is stopping')
  }
}
