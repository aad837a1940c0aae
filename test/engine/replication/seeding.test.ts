// Goal: while a copy is seeded nothing else touches it; what it says of itself never promises more than any crash can keep.
// Method: facts by hand into the replica's step.
import { describe, expect, it } from 'vitest'
import type { ReplicaFact } from '../../../engine/fact.ts'
import { asGeneration } from '../../../engine/generation.ts'
import type { ReplicaOrder } from '../../../engine/order.ts'
import { UNSEEN_DATABASE } from '../../../engine/replication/copy-database.ts'
import { copyStatus } from '../../../engine/replication/copy-status.ts'
import { stepReplica } from '../../../engine/replication/replica-instance.ts'
import { type ReplicaState, startReplica } from '../../../engine/replication/replica-state.ts'
import { whyNotSeeded } from '../../../engine/replication/seeding.ts'
import { aCopy } from './build.ts'

const g = asGeneration
const NOW = 9_000

function database(replayedThrough: number, requiredLow: number): NonNullable<ReplicaState['database']> {
  const progress = {
    replayedThrough: g(replayedThrough),
    logTimeMs: 0,
    requiredLow: g(requiredLow),
    requiredHigh: g(8),
  }
  return { ...UNSEEN_DATABASE, progress }
}

function tell(state: ReplicaState, fact: ReplicaFact): readonly [ReplicaState, readonly ReplicaOrder[]] {
  return stepReplica(state, fact)
}

function suspended(): ReplicaState {
  const state = aCopy(8, { database: database(8, 6) })
  return tell(state, { kind: 'operator-suspended', nowMs: NOW, requestId: 1, comment: null })[0]
}

function seeding(): ReplicaState {
  return tell(suspended(), { kind: 'operator-began-seed', nowMs: NOW, requestId: 2 })[0]
}

const refusalOf = (orders: readonly ReplicaOrder[]): string | null => {
  const answer = orders.find((order) => order.kind === 'answer-operator')
  return answer?.kind === 'answer-operator' ? (answer.refusal?.message ?? null) : 'nobody is answered'
}
const kinds = (orders: readonly ReplicaOrder[]): string[] => orders.map(({ kind }) => kind)
const COMPLETED = { kind: 'seed-completed', required: { first: g(5), last: g(12) }, stream: 3, nowMs: NOW } as const

describe('a copy', () => {
  it('may be seeded when it is suspended, has a database, and nobody else uses it; the first reason is told', () => {
    const all = { ...seeding(), database: null, suspension: null, frozen: true }
    const why = (change: Partial<ReplicaState>): string | undefined => whyNotSeeded({ ...all, ...change })?.message

    expect(why({})).toMatch(/keeps logs only/)
    expect(why({ database: database(8, 6) })).toMatch(/being seeded already/)
    expect(why({ database: database(8, 6), seeding: null })).toMatch(/is not suspended/)
    const { suspension } = suspended()
    expect(why({ database: database(8, 6), seeding: null, suspension })).toMatch(/snapshot/)
    expect(why({ database: database(8, 6), seeding: null, suspension, frozen: false })).toBeUndefined()
  })

  it('that is refused stays as it is', () => {
    const state = aCopy(8, { database: database(8, 6) })

    const [after, orders] = tell(state, { kind: 'operator-began-seed', nowMs: NOW, requestId: 2 })

    expect([after.seeding, after.suspension, refusalOf(orders)]).toEqual([
      null,
      null,
      expect.stringContaining('is not suspended'),
    ])
  })

  it('is Seeding meanwhile, is not resumed, and is suspended again when that came to nothing', () => {
    const state = seeding()
    expect(copyStatus(state).summary).toBe('Seeding')

    const [same, orders] = tell(state, { kind: 'operator-resumed', nowMs: NOW, requestId: 3 })
    expect([same, refusalOf(orders)]).toEqual([state, expect.stringContaining('is being seeded')])
    const [ended, told] = tell(state, { kind: 'seed-ended', nowMs: NOW, fault: { code: 'DISK_FULL', message: 'full' } })
    expect([copyStatus(ended).summary, told]).toEqual([
      'Suspended',
      [{ kind: 'raise-event', id: 9025, values: ['full'] }],
    ])
    const [elsewhere, silent] = tell(state, { kind: 'seed-ended', nowMs: NOW, fault: null })
    expect([copyStatus(elsewhere).summary, silent]).toEqual(['Suspended', []])
  })

  it.each([
    [4, { inspected: 3, replayedThrough: 3, requiredLow: 4 }],
    [7, { inspected: 6, replayedThrough: 6, requiredLow: 6 }],
    [30, { inspected: 8, replayedThrough: 8, requiredLow: 6 }],
  ])('that pins log %i says the lower of both databases, durably, and never more than before', (from, expected) => {
    const [state, orders] = tell(seeding(), { kind: 'seed-pinned', nowMs: NOW, from: g(from) })

    const { inspected, ...progress } = expected
    expect([state.inspected, state.database?.progress]).toEqual([inspected, expect.objectContaining(progress)])
    expect(orders).toContainEqual({
      kind: 'record-suspension',
      suspension: expect.objectContaining({ inspected, database: expect.objectContaining(progress) }),
    })
  })

  it('whose seed has completed stands where its database does, records that first, and is resumed', () => {
    const [state, orders] = tell(seeding(), { ...COMPLETED, resumes: true })

    expect(state).toMatchObject({ seeding: null, suspension: null, stream: 3, inspected: 4 })
    expect(kinds(orders).slice(0, 3)).toEqual(['record-stream', 'record-suspension', 'raise-event'])
    expect(orders.flatMap((order) => (order.kind === 'raise-event' ? [order.id] : []))).toEqual([9024, 9002])
    expect(kinds(orders)).not.toContain('answer-operator')
    expect(kinds(orders)).toContain('check-store')
  })

  it('stays suspended on demand, where its new database is, and a service that starts again knows it', () => {
    const [state, orders] = tell(seeding(), { ...COMPLETED, resumes: false })

    expect(copyStatus(state).summary).toBe('Suspended')
    const recorded = orders.find((order) => order.kind === 'record-suspension')
    const suspension = recorded?.kind === 'record-suspension' ? recorded.suspension : null
    expect(suspension).toMatchObject({ inspected: 4, database: { requiredLow: 5, requiredHigh: 12 } })
    const [started] = tell(
      { ...startReplica('SG1'), database: UNSEEN_DATABASE },
      {
        kind: 'copy-started',
        nowMs: NOW,
        contents: null,
        suspension,
        stream: 3,
      },
    )
    expect(copyStatus(started).summary).toBe('Suspended')
    expect(started).toMatchObject({ seeding: null, inspected: 4, stream: 3 })
  })
})
