import type { CopiedLog, Fault, ReplicaFact, Suspension } from '../engine/fact.ts'
import type { Generation, GenerationRange } from '../engine/generation.ts'
import type { LogFormat } from '../engine/log-format.ts'
import type { ReplicaOrder, WakeOrder } from '../engine/order.ts'
import { asReplicationError } from '../storage/file-error.ts'
import type { CopyCommand } from '../workers/messages.ts'
import type { CopyDisk } from './copy-disk.ts'
import type { EventLog } from './event-log.ts'
import type { HeldDirectory } from './held-directory.ts'
import type { IntentKeeper } from './intent-keeper.ts'
import { type AdoptedSource, type CopyIntent, type CopyRecord, sameFormat } from './intent-records.ts'
import type { CopyTally } from './metrics.ts'
import type { OperatorRequests } from './operator-requests.ts'
import type { ReplayWork } from './replay-work.ts'

/** The orders of a copy that somebody has to do. */
export type CopyOrder = Exclude<ReplicaOrder, WakeOrder>

type SetAsideOrder = Extract<CopyOrder, { kind: 'set-aside-diverged' }>

/** A fact without its time, which is added where it is taken in. */
export type UntimedFact<Fact> = Fact extends { readonly nowMs: number } ? Omit<Fact, 'nowMs'> : never

/** What a source ships. */
export type Offered = Pick<AdoptedSource, 'format' | 'store'>

/** What a {@link CopyWork} works with. */
export interface CopyWorkParts {
  readonly copy: number
  readonly name: string
  /** Absolute path of the store. */
  readonly root: string
  readonly disk: CopyDisk
  readonly held: HeldDirectory
  readonly intents: IntentKeeper<CopyRecord>
  readonly requests: OperatorRequests
  readonly events: EventLog
  readonly tally: CopyTally
  readonly adopted: CopyIntent['adopted']
  readonly replay: ReplayWork
  /** Sends to the copy worker; false while there is none. */
  readonly post: (command: CopyCommand) => boolean
  readonly onStoreMade: () => Promise<void>
  readonly tell: (fact: UntimedFact<ReplicaFact>) => void
  readonly onCrash: (error: unknown) => void
}

/** Does the orders of one copy: some itself, those with the bytes of logs by its worker. */
export class CopyWork {
  readonly #parts: CopyWorkParts
  /** What goes on beside the queue of orders and ends in a fact. */
  readonly #background = new Set<Promise<void>>()
  #adopted: CopyIntent['adopted']
  /** What the source of a new store ships, until the store is made for it. */
  #offered: Offered | null = null
  #stopped: (() => void)[] = []
  /** Ends with the last look at the store. Two at once could both find no store, and both make it. */
  #checked: Promise<void> = Promise.resolve()
  /** The session in which the database of a store that is not made yet is to be opened. */
  #openingWhenMade: number | null = null

  constructor(parts: CopyWorkParts) {
    this.#parts = parts
    this.#adopted = parts.adopted
  }

  /** The format that the store was made for; null before its source was reached. */
  get format(): LogFormat | null {
    return this.#adopted?.format ?? null
  }

  /** Does one order. A promise: the next one waits for it. */
  perform(order: CopyOrder): Promise<void> | undefined {
    const { copy, name, disk, events, requests, post } = this.#parts
    switch (order.kind) {
      case 'copy-logs':
      case 'inspect-logs':
      case 'report-progress':
        post({ ...order, copy })
        return undefined
      case 'compare-log': {
        const { session, generation } = order
        post({ kind: 'copy-logs', copy, session, range: { first: generation, last: generation } })
        return undefined
      }
      case 'identify-log':
        return this.#begin(() => this.#identify(order.session, order.generation))
      case 'match-log':
        return this.#begin(() => this.#match(order.session, order.log))
      case 'discard-log':
        return disk.discard(order.log)
      case 'record-stream':
        return this.#parts.intents.record({ kind: 'stream-seen', stream: order.stream })
      case 'stop-copying':
        return this.stop()
      case 'quarantine-log':
        this.#count(order.reason)
        return disk.quarantine(order.log, { reason: order.reason, detail: order.detail })
      case 'set-aside-log':
        return disk.setAside(order)
      case 'open-database':
        return this.#openDatabase(order.session)
      case 'replay-logs':
      case 'stop-replaying':
      case 'abandon-database':
        return this.#parts.replay.perform(order)
      case 'check-store':
        return this.#begin(() => this.#checkStore(order.session))
      case 'set-aside-diverged':
        return this.#begin(() => this.#setAsideDiverged(order))
      case 'truncate-logs':
        return this.#begin(() => this.#truncate(order.range))
      case 'record-suspension':
        return this.#record(order.suspension)
      case 'raise-event':
        events.raise(name, order.id, order.values)
        return undefined
      case 'answer-operator':
        requests.answer(order)
        return undefined
    }
  }

  /** Resolves when no I/O on the store is left. */
  async stop(): Promise<void> {
    this.#openingWhenMade = null
    const workerStopped = new Promise<void>((resolve) => this.#stopped.push(resolve))
    if (!this.#parts.post({ kind: 'stop-copying', copy: this.#parts.copy })) this.workerStopped()
    await Promise.all([workerStopped, this.#parts.disk.stop()])
    while (this.#background.size > 0) await Promise.all(this.#background)
  }

  /** The worker does no more I/O on the store, or is gone. */
  workerStopped(): void {
    for (const resolve of this.#stopped.splice(0)) resolve()
  }

  /**
   * Takes in what the source ships. Says `refused` when the store was made for something else, `known` when it fits, `adopt`
   * when the store has to be made first.
   */
  offer(offered: Offered): 'refused' | 'known' | 'adopt' {
    if (this.#adopted !== null) return sameFormat(this.#adopted.format, offered.format) ? 'known' : 'refused'
    this.#offered = offered
    return 'adopt'
  }

  /** Makes a new store for what its source ships; ends in `store-checked` or `store-failed` of the session. */
  async adopt(session: number): Promise<void> {
    await this.#begin(() => this.#checkStore(session), 'awaited')
  }

  #checkStore(session: number): Promise<void> {
    const checked = this.#checked.then(() => this.#checkStoreNow(session))
    this.#checked = checked.catch(() => undefined) // whoever asked for that look has its error
    return checked
  }

  async #checkStoreNow(session: number): Promise<void> {
    const { disk, held, tell } = this.#parts
    try {
      await held.take()
      if (this.#adopted !== null) await disk.open(this.#adopted.format, true)
      else if (this.#offered !== null) await this.#makeStore(this.#offered)
      const contents = await disk.check()
      tell({ kind: 'store-checked', session, contents })
    } catch (error) {
      tell({ kind: 'store-failed', session, fault: faultOf(error) })
    }
  }

  async #identify(session: number, generation: Generation): Promise<void> {
    const { disk, tell } = this.#parts
    try {
      tell({ kind: 'log-identified', session, generation, identity: await disk.identify(generation) })
    } catch (error) {
      tell({ kind: 'store-failed', session, fault: faultOf(error) })
    }
  }

  async #match(session: number, log: CopiedLog): Promise<void> {
    const { disk, tell } = this.#parts
    try {
      tell({ kind: 'log-matched', session, log, isSame: await disk.matches(log) })
    } catch (error) {
      tell({ kind: 'store-failed', session, fault: faultOf(error) })
    }
  }

  /** A store that was told to be quiet meanwhile is looked at anew by whoever did so. */
  async #setAsideDiverged({ session, range, detail }: SetAsideOrder): Promise<void> {
    const { disk, tell } = this.#parts
    try {
      if (await disk.setAsideDiverged(range, detail)) await this.#checkStore(session)
    } catch (error) {
      tell({ kind: 'store-failed', session, fault: faultOf(error) })
    }
  }

  async #makeStore(offered: Offered): Promise<void> {
    const { disk, intents, name, onStoreMade, tell } = this.#parts
    await disk.open(offered.format, false)
    const adopted = { storageGroup: name, ...offered }
    await intents.record({ kind: 'source-adopted', ...adopted })
    this.#adopted = adopted
    if (offered.store === 'mailbox') tell({ kind: 'database-wanted' })
    await onStoreMade()
    if (this.#openingWhenMade !== null) this.#openDatabase(this.#openingWhenMade)
  }

  async #truncate(range: GenerationRange): Promise<void> {
    const { disk, tally, tell } = this.#parts
    try {
      const outcome = await disk.truncate(range)
      // A store that was told to be quiet: what is left is found when it is looked at again.
      if (outcome.aborted) return
      if (outcome.failure !== null) return tell({ kind: 'deletion-failed', range, fault: faultOf(outcome.failure) })
      tally.truncated = range.last
      tell({ kind: 'logs-deleted', range, alreadyMissing: outcome.missing })
    } catch (error) {
      tell({ kind: 'deletion-failed', range, fault: faultOf(error) })
    }
  }

  #record(suspension: Suspension | null): Promise<void> {
    return this.#parts.intents.record(suspension === null ? { kind: 'resumed' } : { kind: 'suspended', ...suspension })
  }

  /** A new store is made when its source is reached, and its database after that. */
  #openDatabase(session: number): undefined {
    const { format } = this
    this.#openingWhenMade = format === null ? session : null
    if (format === null) return
    this.#parts.replay.open(session, { root: this.#parts.root, format })
  }

  #count(reason: string): void {
    const { rejections } = this.#parts.tally
    rejections.set(reason, (rejections.get(reason) ?? 0) + 1)
  }

  #begin(work: () => Promise<void>): undefined
  #begin(work: () => Promise<void>, awaited: 'awaited'): Promise<void>
  #begin(work: () => Promise<void>, awaited?: 'awaited'): Promise<void> | undefined {
    const done = work()
      .catch(this.#parts.onCrash)
      .finally(() => this.#background.delete(done))
    this.#background.add(done)
    return awaited === undefined ? undefined : done
  }
}

/** An error of the world as a fact carries it; a programmer's fault is thrown on. */
export function faultOf(error: unknown): Fault {
  const { code, message } = asReplicationError(error)
  return { code, message }
}
