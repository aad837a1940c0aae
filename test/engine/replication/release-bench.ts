import { expect } from 'vitest'
import type { Announcement, DatabaseProgress, ReplicaFact } from '../../../engine/fact.ts'
import { asGeneration } from '../../../engine/generation.ts'
import { brokenGuarantee, replicaGuarantees } from '../../../engine/guarantee.ts'
import type { ReplicaOrder } from '../../../engine/order.ts'
import type { Release } from '../../../engine/release.ts'
import { copyStatus } from '../../../engine/replication/copy-status.ts'
import { stepReplica } from '../../../engine/replication/replica-instance.ts'
import { type ReplicaState, startReplica } from '../../../engine/replication/replica-state.ts'
import { aCopiedLog, aFault, announcing } from './build.ts'

/** Both, the later one first. */
export const RELEASES: readonly Release[] = ['sp1', 'rtm']
const g = asGeneration

/** A fact without what the bench knows by itself: the time and the session. */
export type Told = Record<string, unknown> & { readonly kind: ReplicaFact['kind'] }

/** A copy of a release with its own clock; every guarantee is checked at every step. */
export class Bench {
  state: ReplicaState
  orders: readonly ReplicaOrder[] = []
  nowMs = 0

  constructor(release: Release) {
    this.state = startReplica('SG1', { replays: true, release })
  }

  get summary(): string {
    return copyStatus(this.state).summary
  }

  get remark(): string {
    return copyStatus(this.state).remark
  }

  get queues(): readonly [number, number] {
    const { copyQueueLength, replayQueueLength } = copyStatus(this.state)
    return [copyQueueLength, replayQueueLength]
  }

  tell(told: Told): this {
    this.nowMs += 1
    // Each test tells facts that are whole but for these two.
    const fact = { session: this.state.session, nowMs: this.nowMs, ...told } as unknown as ReplicaFact
    const before = this.state
    const [after, orders] = stepReplica(before, fact)
    expect(brokenGuarantee(replicaGuarantees, { before, fact, after, orders })).toBeNull()
    this.state = after
    this.orders = orders
    return this
  }

  announce(announcement: Announcement): this {
    return this.tell({ kind: 'logs-announced', announcement })
  }

  advance(ms: number): this {
    this.nowMs += ms
    return this.tell({ kind: 'time-passed' })
  }

  /** The store was looked at and the database opened, after a restart. */
  check(last: number): this {
    const contents = { run: { first: g(1), last: g(last) }, identity: aCopiedLog(last).identity, logTimeMs: 1 }
    this.tell({ kind: 'store-checked', contents })
    return this.tell({ kind: 'database-opened', progress: progressAt(5) })
  }

  /** Logs come and are inspected, one by one. */
  ship(first: number, last: number): this {
    for (let generation = first; generation <= last; generation++) {
      this.tell({ kind: 'log-copied', log: aCopiedLog(generation) })
      this.tell({ kind: 'logs-inspected', range: { first: g(generation), last: g(generation) } })
    }
    return this
  }

  failReplay(eseError: number, generation = 6): this {
    const fault = { ...aFault('DATABASE_REJECTED', 'why'), eseError, generation: g(generation) }
    return this.tell({ kind: 'replay-failed', fault })
  }
}

/** A database that was written out after this log. */
export function progressAt(replayedThrough: number): DatabaseProgress {
  return {
    replayedThrough: g(replayedThrough),
    logTimeMs: 1,
    requiredLow: g(replayedThrough + 1),
    requiredHigh: g(replayedThrough),
  }
}

/** A copy that holds logs 1 to 5 and has replayed them: all that there is. */
export function atWork(release: Release): Bench {
  const contents = { run: { first: g(1), last: g(4) }, identity: aCopiedLog(4).identity, logTimeMs: 1 }
  const bench = new Bench(release)
    .tell({ kind: 'copy-started', contents, suspension: null, stream: 0 })
    .tell({ kind: 'database-opened', progress: progressAt(4) })
    .tell({ kind: 'source-connected' })
    .announce(announcing(1, 5))
    .ship(5, 5)
    .tell({ kind: 'logs-replayed', progress: progressAt(5) })
  expect([bench.summary, bench.remark]).toEqual(['Healthy', ''])
  return bench
}

/** What a source says that lacks one log below others. */
export function lacking(missing: number, generated: number): Announcement {
  return announcing(1, missing - 1, { generated: g(generated), missing: g(missing) })
}

/** The orders by kind and the events by number, without the reports. */
export function kinds(orders: readonly ReplicaOrder[]): readonly string[] {
  return orders
    .map((order) => (order.kind === 'raise-event' ? `event ${order.id}` : order.kind))
    .filter((kind) => kind !== 'report-progress')
}
