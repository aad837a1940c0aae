// Goal: a copy that has diverged gives up exactly the logs that differ, and none that its database may have; else it is Failed and says why.
// Method: single steps of a copy with ten logs whose source has gone another way from some log on.
import { describe, expect, it } from 'vitest'
import type { CopiedLog, DatabaseProgress, ReplicaFact } from '../../../engine/fact.ts'
import { asGeneration } from '../../../engine/generation.ts'
import { brokenGuarantee, replicaGuarantees } from '../../../engine/guarantee.ts'
import type { ReplicaOrder } from '../../../engine/order.ts'
import { copyStatus } from '../../../engine/replication/copy-status.ts'
import { stepReplica } from '../../../engine/replication/replica-instance.ts'
import { type ReplicaState, startReplica } from '../../../engine/replication/replica-state.ts'
import { aCopiedLog, aFault, announcing, only } from './build.ts'

const NEWEST = 10

/** What the copy keeps, how far its database is, and from which log on its source differs. */
interface Case {
  readonly first: number
  readonly progress?: DatabaseProgress
  readonly lowest?: number
  readonly missing?: readonly number[]
}

/** A database that has replayed through a log, and whose header requires these. */
function filed(replayed: number, low: number, high: number): DatabaseProgress {
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
class Bench {
  readonly orders: ReplicaOrder[] = []
  state: ReplicaState
  readonly #case: Case
  #through = NEWEST

  constructor(one: Case) {
    this.#case = one
    this.state = startReplica('SG1', { replays: one.progress !== undefined })
    const contents = this.#contents()
    this.take({ kind: 'copy-started', nowMs: 1, contents, suspension: null, stream: 0 })
    this.take({ kind: 'source-connected', nowMs: 1 })
    const announcement = announcing(one.lowest ?? 1, NEWEST + 2, { stream: 1 })
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
    const { first, progress, missing = [] } = this.#case
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
        if (missing.includes(generation))
          this.take({ kind: 'copy-failed', nowMs: 5, session, generation, fault: aFault('LOG_MISSING') })
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
    const last = asGeneration(this.#through)
    const { identity, logTimeMs } = aCopiedLog(this.#through)
    return { run: { first: asGeneration(1), last }, identity, logTimeMs }
  }
}

function eventsOf({ orders }: Bench): readonly number[] {
  return only(orders, 'raise-event').map(({ id }) => id)
}

function setAside({ orders }: Bench): readonly (readonly number[])[] {
  return only(orders, 'set-aside-diverged').map(({ range }) => [range.first, range.last])
}

describe('a copy that keeps logs only', () => {
  it.each([2, 5, 9, 10])('gives up its logs from %i on, and copies those of its source', (first) => {
    const bench = new Bench({ first })

    expect(setAside(bench)).toEqual([[first, NEWEST]])
    expect(only(bench.orders, 'record-stream').map(({ stream }) => stream)).toEqual([null, 1])
    expect(only(bench.orders, 'copy-logs').map(({ range }) => range.first)).toEqual([first])
    expect(eventsOf(bench)).toContain(9030)
    expect(bench.state).toMatchObject({ failure: null, stream: 1, look: 'none', search: null })
  })

  it('is Failed where its source has no log that is the same', () => {
    const bench = new Bench({ first: 4, lowest: 6 })

    expect(setAside(bench)).toEqual([])
    expect(bench.state.failure).toMatchObject({
      kind: 'permanent',
      message: expect.stringMatching(/logs 00000006 to 0000000A .*diverged.*seeded/),
    })
  })

  it('is brought back also where the lowest log of its source is the first that differs', () => {
    expect(setAside(new Bench({ first: 6, lowest: 6 }))).toEqual([[6, NEWEST]])
  })

  it('is Failed where the logs that would tell cannot be had', () => {
    const bench = new Bench({ first: 5, missing: [1, 2, 3, 4, 5] })

    expect(setAside(bench)).toEqual([])
    expect(copyStatus(bench.state)).toMatchObject({ summary: 'Failed' })
  })
})

describe('a copy with a database', () => {
  it('is brought back when nothing of the logs that differ is in the file', () => {
    const bench = new Bench({ first: 8, progress: filed(6, 7, 7) })

    expect(setAside(bench)).toEqual([[8, NEWEST]])
    expect(only(bench.orders, 'abandon-database')).toHaveLength(1)
    expect(bench.state).toMatchObject({ failure: null, stream: 1 })
  })

  it.each([
    ['requires the first log that differs', 8, filed(6, 7, 8)],
    ['has everything below a higher log', 8, filed(9, 10, 9)],
    ['was shut down in order in that log', 8, filed(7, 8, 0)],
  ])('is Failed when the database %s', (_, first, progress) => {
    const bench = new Bench({ first, progress })

    expect(setAside(bench)).toEqual([])
    expect(eventsOf(bench)).toContain(2058)
    expect(bench.state.failure?.message).toMatch(/log 00000008 .*its database already has changes .*seeded/)
    expect(only(bench.orders, 'replay-logs')).toEqual([])
  })

  it('replays nothing before it has looked, and then goes on', () => {
    const bench = new Bench({ first: 8, progress: filed(4, 5, 4) })
    const replayed = bench.orders.findIndex(({ kind }) => kind === 'replay-logs')

    expect(replayed).toBeGreaterThan(bench.orders.findIndex(({ kind }) => kind === 'set-aside-diverged'))
    expect(only(bench.orders, 'replay-logs')[0]?.range).toEqual({ first: 5, last: 7 })
  })

  it('throws its memory away first, and looks at the header anew, when it has replayed what differs', () => {
    const bench = new Bench({ first: 8, progress: filed(9, 5, 6) })
    const kinds = bench.orders.map(({ kind }) => kind)

    expect(kinds.slice(kinds.indexOf('abandon-database'))).toEqual(['abandon-database', 'check-store'])
    expect(setAside(bench)).toEqual([])
    expect(bench.state).toMatchObject({ phase: 'checking', look: 'wanted', stream: null, failure: null })
  })
})

describe('while it compares', () => {
  const bench = new Bench({ first: 5, missing: [] })

  it('is Resynchronizing', () => {
    const asked = only(bench.orders, 'compare-log')[0]
    const state: ReplicaState = { ...bench.state, look: 'asked' }

    expect(asked?.generation).toBe(NEWEST)
    expect(copyStatus(state)).toMatchObject({ summary: 'Resynchronizing', resynchronizing: true })
  })

  it('counts for nothing from the first difference on', () => {
    const reports = only(bench.orders, 'report-progress').map(({ report }) => [report.inspected, report.stream])

    expect(reports).toEqual([
      [10, 0],
      [10, null],
      [4, null],
      [4, 1],
    ])
  })
})
