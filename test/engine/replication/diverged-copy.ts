import { expect } from 'vitest'
import type { Announcement, CopiedLog, DatabaseProgress, ReplicaFact } from '../../../engine/fact.ts'
import { asGeneration } from '../../../engine/generation.ts'
import { brokenGuarantee, replicaGuarantees } from '../../../engine/guarantee.ts'
import type { ReplicaOrder } from '../../../engine/order.ts'
import { stepReplica } from '../../../engine/replication/replica-instance.ts'
import { type ReplicaState, startReplica } from '../../../engine/replication/replica-state.ts'
import { aCopiedLog, aFault, announcing, only } from './build.ts'

/** The newest log of the copy, unless it has none. */
export const NEWEST = 10

/** What the copy keeps, how far its database is, and from which log on its source differs. */
interface Case {
  readonly first: number
  /** Nothing lies in the log directory of the copy. */
  readonly isEmpty?: boolean
  /** Its lowest log; 1 when absent. */
  readonly from?: number
  /** The stream that its logs belong to; 0 when absent. */
  readonly stream?: number | null
  /** What the source says besides; it has generated two logs more than the copy. */
  readonly says?: Partial<Announcement>
  /** Logs of the source that another program holds. */
  readonly held?: readonly number[]
  readonly progress?: DatabaseProgress
  readonly lowest?: number
  readonly missing?: readonly number[]
}

/** A database that has replayed through a log, and whose header requires these. */
export function filed(replayed: number, low: number, high: number): DatabaseProgress {
  const [replayedThrough, requiredLow, requiredHigh] = [asGeneration(replayed), asGeneration(low), asGeneration(high)]
  return { replayedThrough, requiredLow, requiredHigh, logTimeMs: 0 }
}

/** The source's log: another one from the first that differs on. */
function theirs(generation: number, first: number): CopiedLog {
  const log = aCopiedLog(generation)
  const { createTime, previousCreateTime } = log.identity
  const identity = {
    ...log.identity,
    createTime: generation >= first ? `${createTime}'` : createTime,
    previousCreateTime: generation > first ? `${previousCreateTime}'` : previousCreateTime,
  }
  return { ...log, identity }
}

/** Plays facts, and lets the store and the source answer what they are asked, until the copy has made up its mind. */
export class DivergedCopy {
  readonly orders: ReplicaOrder[] = []
  state: ReplicaState
  readonly #case: Case
  #through = NEWEST

  constructor(one: Case) {
    this.#case = one
    this.state = startReplica('SG1', { replays: one.progress !== undefined })
    const contents = this.#contents()
    const { stream = 0 } = one
    this.take({ kind: 'copy-started', nowMs: 1, contents, suspension: null, stream })
    this.take({ kind: 'source-connected', nowMs: 1 })
    this.hears({})
  }

  /** The source says how it is. */
  hears(says: Partial<Announcement>): void {
    const { lowest = 1, says: usual } = this.#case
    const generated = says.generated ?? usual?.generated ?? NEWEST + 2
    const announcement = announcing(lowest, generated, { stream: 1, ...usual, ...says })
    this.take({ kind: 'logs-announced', nowMs: 2, announcement })
  }

  take(fact: ReplicaFact): void {
    const before = this.state
    const [after, orders] = stepReplica(before, fact)
    expect(brokenGuarantee(replicaGuarantees, { before, fact, after, orders })).toBeNull()
    this.state = after
    this.orders.push(...orders)
    for (const order of orders) this.#answer(order)
  }

  #answer(order: ReplicaOrder): void {
    const { first, progress, missing = [], held = [] } = this.#case
    switch (order.kind) {
      case 'open-database': {
        const { session } = order
        if (progress !== undefined) this.take({ kind: 'database-opened', nowMs: 3, session, progress })
        return
      }
      case 'identify-log': {
        const { session, generation } = order
        this.take({ kind: 'log-identified', nowMs: 4, session, generation, identity: aCopiedLog(generation).identity })
        return
      }
      case 'compare-log': {
        const { session, generation } = order
        const code = missing.includes(generation) ? 'LOG_MISSING' : held.includes(generation) ? 'FILE_HELD' : null
        if (code !== null) this.take({ kind: 'copy-failed', nowMs: 5, session, generation, fault: aFault(code) })
        else this.take({ kind: 'log-copied', nowMs: 5, session, log: theirs(generation, first) })
        return
      }
      case 'match-log':
        this.take({ kind: 'log-matched', nowMs: 6, session: order.session, log: order.log, isSame: true })
        return
      case 'set-aside-diverged': {
        this.#through = order.range.first - 1
        this.take({ kind: 'store-checked', nowMs: 6, session: order.session, contents: this.#contents() })
      }
    }
  }

  #contents(): Extract<ReplicaFact, { kind: 'store-checked' }>['contents'] {
    const { from = 1, isEmpty = false } = this.#case
    if (isEmpty || this.#through < from) return { run: null, identity: null, logTimeMs: 0 }
    const last = asGeneration(this.#through)
    const { identity, logTimeMs } = aCopiedLog(this.#through)
    return { run: { first: asGeneration(from), last }, identity, logTimeMs }
  }
}

/** The events that the copy has raised. */
export function eventsOf({ orders }: DivergedCopy): readonly number[] {
  return only(orders, 'raise-event').map(({ id }) => id)
}

/** The logs that it has set aside, each time from the first to the last. */
export function setAside({ orders }: DivergedCopy): readonly (readonly number[])[] {
  return only(orders, 'set-aside-diverged').map(({ range }) => [range.first, range.last])
}
