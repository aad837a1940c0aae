// Goal: a copy that has diverged gives up exactly the logs that differ, and none that its database may have; else it is Failed and says why.
// Method: single steps of a copy with ten logs whose source has gone another way from some log on.
import { describe, expect, it } from 'vitest'
import type { ReplicaFact } from '../../../engine/fact.ts'
import { asGeneration } from '../../../engine/generation.ts'
import { brokenGuarantee, replicaGuarantees } from '../../../engine/guarantee.ts'
import { copyStatus } from '../../../engine/replication/copy-status.ts'
import { stepReplica } from '../../../engine/replication/replica-instance.ts'
import type { ReplicaState } from '../../../engine/replication/replica-state.ts'
import { aCopiedLog, aCopy, announcing, only, play } from './build.ts'
import { DivergedCopy, eventsOf, filed, NEWEST, setAside } from './diverged-copy.ts'

describe('a copy that keeps logs only', () => {
  it.each([2, 5, 9, 10])('gives up its logs from %i on, and copies those of its source', (first) => {
    const bench = new DivergedCopy({ first })

    expect(setAside(bench)).toEqual([[first, NEWEST]])
    expect(only(bench.orders, 'record-stream').map(({ stream }) => stream)).toEqual([null, 1])
    expect(only(bench.orders, 'copy-logs').map(({ range }) => range.first)).toEqual([first])
    expect(eventsOf(bench)).toContain(9030)
    expect(bench.state).toMatchObject({ failure: null, stream: 1, look: 'none', search: null })
  })

  it('is Failed where its source has no log that is the same', () => {
    const bench = new DivergedCopy({ first: 4, lowest: 6 })

    expect(setAside(bench)).toEqual([])
    expect(bench.state.failure).toMatchObject({
      kind: 'permanent',
      message: expect.stringMatching(/logs 00000006 to 0000000A .*diverged.*seeded/),
    })
  })

  it('is brought back also where the lowest log of its source is the first that differs', () => {
    expect(setAside(new DivergedCopy({ first: 6, lowest: 6 }))).toEqual([[6, NEWEST]])
  })

  it('is Failed where the logs that would tell cannot be had', () => {
    const bench = new DivergedCopy({ first: 5, missing: [1, 2, 3, 4, 5] })

    expect(setAside(bench)).toEqual([])
    expect(copyStatus(bench.state)).toMatchObject({ summary: 'Failed' })
  })
})

it('a copy that finds a gap in a stream that was restored sets aside what lies above it, and keeps every promise', () => {
  const before = aCopy(12)
  const restored = play(before, { kind: 'logs-announced', nowMs: 0, announcement: announcing(2, 11, { stream: 1 }) })
  const resumed = play(
    restored,
    { kind: 'operator-suspended', nowMs: 1, requestId: 1, comment: null },
    { kind: 'operator-resumed', nowMs: 1, requestId: 2 },
  )
  const { identity } = aCopiedLog(4)
  const contents = {
    run: { first: asGeneration(2), last: asGeneration(4) },
    above: asGeneration(12),
    identity,
    logTimeMs: 4,
  }
  const checked: ReplicaFact = { kind: 'store-checked', nowMs: 2, session: resumed.session, contents }

  const [after, orders] = stepReplica(resumed, checked)

  expect(only(orders, 'set-aside-diverged').map(({ range: { first, last } }) => [first, last])).toEqual([[5, 12]])
  expect(brokenGuarantee(replicaGuarantees, { before: resumed, fact: checked, orders, after })).toBeNull()
})

describe('a copy with a database', () => {
  it('is brought back when nothing of the logs that differ is in the file', () => {
    const bench = new DivergedCopy({ first: 8, progress: filed(6, 7, 7) })

    expect(setAside(bench)).toEqual([[8, NEWEST]])
    expect(only(bench.orders, 'abandon-database')).toHaveLength(1)
    expect(bench.state).toMatchObject({ failure: null, stream: 1 })
  })

  it.each([
    ['requires the first log that differs', 8, filed(6, 7, 8)],
    ['has everything below a higher log', 8, filed(9, 10, 9)],
    ['was shut down in order in that log', 8, filed(7, 8, 0)],
  ])('is Failed when the database %s', (_, first, progress) => {
    const bench = new DivergedCopy({ first, progress })

    expect(setAside(bench)).toEqual([])
    expect(eventsOf(bench)).toContain(2058)
    expect(bench.state.failure?.message).toMatch(/log 00000008 .*its database already has changes .*seeded/)
    expect(only(bench.orders, 'replay-logs')).toEqual([])
  })

  it('replays nothing before it has looked, and then goes on', () => {
    const bench = new DivergedCopy({ first: 8, progress: filed(4, 5, 4) })
    const replayed = bench.orders.findIndex(({ kind }) => kind === 'replay-logs')

    expect(replayed).toBeGreaterThan(bench.orders.findIndex(({ kind }) => kind === 'set-aside-diverged'))
    expect(only(bench.orders, 'replay-logs')[0]?.range).toEqual({ first: 5, last: 7 })
  })

  it('throws its memory away first, and looks at the header anew, when it has replayed what differs', () => {
    const bench = new DivergedCopy({ first: 8, progress: filed(9, 5, 6) })
    const kinds = bench.orders.map(({ kind }) => kind)

    expect(kinds.slice(kinds.indexOf('abandon-database'))).toEqual(['abandon-database', 'check-store'])
    expect(setAside(bench)).toEqual([])
    expect(bench.state).toMatchObject({ phase: 'checking', look: 'wanted', stream: null, failure: null })
  })
})

describe('while it compares', () => {
  const bench = new DivergedCopy({ first: 5, missing: [] })

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
