// Goal: the copier asks for what the source holds, within its window, once each; and for nothing while a missing log blocks it.
// Method: plans of states built by hand, and single steps; written against mutants that the stories let live.
import { describe, expect, it } from 'vitest'
import type { Announcement, ReplicaFact } from '../../../engine/fact.ts'
import { asGeneration, NO_GENERATION } from '../../../engine/generation.ts'
import {
  COPY_WINDOW_LOGS,
  missingOnSource,
  outstandingLogs,
  planCopying,
  retryDelayMs,
} from '../../../engine/replication/copier.ts'
import type { Attempt } from '../../../engine/replication/replica-state.ts'
import { aCopiedLog, aCopy, aFault, announcing, asked, ordersOf, play } from './build.ts'

/** A source whose directory is gone or empty: it knows what it had generated and holds none of it. */
const EMPTIED = { lowest: NO_GENERATION, closedThrough: NO_GENERATION }

function announced(announcement: Announcement): ReplicaFact {
  return { kind: 'logs-announced', nowMs: 10, announcement }
}

function held(generation: number, nowMs: number): ReplicaFact {
  return { kind: 'copy-failed', nowMs, session: 1, generation: asGeneration(generation), fault: aFault('FILE_HELD') }
}

function anAttempt(generation: number, retryAtMs: number): Attempt {
  return { generation: asGeneration(generation), rejected: 0, postponed: 1, retryAtMs }
}

describe('the copier asks', () => {
  it.each([
    ['for everything that is closed', 0, announcing(1, 3), [[1, 3]]],
    ['from the log after the last inspected one on', 5, announcing(1, 9), [[6, 9]]],
    ['from the lowest log of the source when the copy is empty', 0, announcing(4, 9), [[4, 9]]],
    ['for as many logs as the window holds', 0, announcing(1, 500), [[1, COPY_WINDOW_LOGS]]],
    ['for nothing that lies above a hole', 2, announcing(1, 9, { closedThrough: asGeneration(4) }), [[3, 4]]],
    [
      'for what lies above a hole among logs that it has',
      5,
      announcing(1, 9, { closedThrough: asGeneration(3) }),
      [[6, 9]],
    ],
    ['for nothing when it has everything', 9, announcing(1, 9), []],
    ['for nothing of a source that holds nothing any more', 5, announcing(1, 9, EMPTIED), []],
    ['for nothing above a log that the source deleted too early', 2, announcing(5, 9), []],
  ] as const)('%s', (_, inspected, announcement, ranges) => {
    expect(asked(ordersOf(aCopy(inspected), announced(announcement)))).toEqual(ranges)
  })

  it('for one log more whenever one was inspected', () => {
    const range = { first: asGeneration(1), last: asGeneration(1) }

    const orders = ordersOf(
      aCopy(0),
      announced(announcing(1, 500)),
      { kind: 'log-copied', nowMs: 11, session: 1, log: aCopiedLog(1) },
      { kind: 'logs-inspected', nowMs: 12, session: 1, range },
    )

    expect(asked(orders)).toEqual([[COPY_WINDOW_LOGS + 1, COPY_WINDOW_LOGS + 1]])
  })

  it('for postponed logs when their wait is over, in ascending order, and once', () => {
    const waiting = play(aCopy(2), announced(announcing(1, 9)), held(7, 20), held(4, 25), held(9, 500))

    expect(asked(ordersOf(waiting, { kind: 'time-passed', nowMs: 1_019 }))).toEqual([])
    expect(asked(ordersOf(waiting, { kind: 'time-passed', nowMs: 1_025 }))).toEqual([
      [4, 4],
      [7, 7],
    ])
    const again = play(waiting, { kind: 'time-passed', nowMs: 1_025 })
    expect(asked(ordersOf(again, { kind: 'time-passed', nowMs: 1_026 }))).toEqual([])
  })

  it('not again for a log that a source which came back no longer announces', () => {
    const waiting = play(aCopy(2), announced(announcing(1, 9)), held(7, 20), announced(announcing(1, 6)))

    expect(asked(ordersOf(waiting, { kind: 'time-passed', nowMs: 5_000 }))).toEqual([])
  })

  it('for nothing, not even a postponed log, while a missing log blocks it', () => {
    const blocked = play(aCopy(2), announced(announcing(1, 9)), held(7, 20), announced(announcing(5, 9)))

    expect(blocked.failure?.kind).toBe('missing')
    expect(asked(ordersOf(blocked, { kind: 'time-passed', nowMs: 5_000 }))).toEqual([])
  })

  it('for nothing of a source that is not connected', () => {
    const copy = aCopy(2, { announcement: announcing(1, 9), connected: false })

    expect(planCopying(copy, 10)).toEqual({ ranges: [], state: copy })
  })

  it('and leaves the state what it is when there is nothing to ask for', () => {
    const copy = aCopy(9, { announcement: announcing(1, 9) })

    expect(planCopying(copy, 10).state).toBe(copy)
  })
})

describe('a wait before another try', () => {
  it('doubles from a second on and ends at half a minute', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 1_000].map(retryDelayMs)).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000,
    ])
  })
})

describe('the log that is missing on the source', () => {
  it.each([
    ['is none while nothing was generated', 0, 0, announcing(0, 0)],
    ['is none when the copy has everything', 0, 9, announcing(1, 9)],
    ['is none when the next log is there', 0, 8, announcing(1, 9)],
    ['is the next one below the lowest', 3, 2, announcing(5, 9)],
    ['is the next one that the source misses', 6, 5, announcing(1, 9, { missing: asGeneration(6) })],
    ['is the next one when that is the newest', 9, 8, announcing(1, 9, { missing: asGeneration(9) })],
    ['is none while the hole lies further up', 0, 4, announcing(1, 9, { missing: asGeneration(6) })],
    ['is none when the hole lies below', 0, 7, announcing(1, 9, { missing: asGeneration(6) })],
    [
      'is the next one when the source lost everything',
      6,
      5,
      announcing(1, 9, { ...EMPTIED, missing: asGeneration(1) }),
    ],
    ['is none while the source is not sure that it lost everything', 0, 5, announcing(1, 9, EMPTIED)],
  ] as const)('%s', (_, missing, inspected, announcement) => {
    expect(missingOnSource(aCopy(inspected, { announcement }))).toBe(missing)
  })
})

describe('what is outstanding', () => {
  it('is what was asked for and has neither arrived nor failed', () => {
    const copy = aCopy(2, {
      requested: asGeneration(9),
      inspecting: [aCopiedLog(3)],
      arrived: [aCopiedLog(6)],
      attempts: [anAttempt(7, 500), anAttempt(8, 0)],
    })

    expect(outstandingLogs(copy)).toEqual([4, 5, 8, 9])
  })

  it('is nothing before the first request, and nothing once a suspension gave everything up', () => {
    const asking = play(aCopy(2), announced(announcing(1, 4)))

    expect(outstandingLogs(aCopy(2))).toEqual([])
    expect(outstandingLogs(asking)).toEqual([3, 4])
    expect(
      outstandingLogs(play(asking, { kind: 'operator-suspended', nowMs: 11, requestId: 1, comment: null })),
    ).toEqual([])
  })

  it('stays outstanding over a reconnect, so that nothing is asked for twice', () => {
    const lost = play(
      aCopy(2),
      announced(announcing(1, 4)),
      { kind: 'source-lost', nowMs: 11, fault: aFault('NODE_UNREACHABLE') },
      { kind: 'source-connected', nowMs: 12 },
    )

    expect(outstandingLogs(lost)).toEqual([3, 4])
    expect(asked(ordersOf(lost, announced(announcing(1, 5))))).toEqual([[5, 5]])
  })
})
