// Goal: what one fact changes and what it must leave alone: sessions, failures that heal and that do not, reports, the first log.
// Method: single steps of the replica; each line was written against a mutant that the stories let live.
import { describe, expect, it } from 'vitest'
import type { ReplicaFact } from '../../../engine/fact.ts'
import { asGeneration, type GenerationRange } from '../../../engine/generation.ts'
import { copyStatus } from '../../../engine/replication/copy-status.ts'
import { copyQueueLength, stepReplica } from '../../../engine/replication/replica-instance.ts'
import { type Failure, type ReplicaState, startReplica } from '../../../engine/replication/replica-state.ts'
import { aCopiedLog, aCopy, aFault, aForeignLog, announcing, asked, only, ordersOf, play } from './build.ts'

const PERMANENT: Failure = { kind: 'permanent', message: 'somebody must look', sinceMs: 1 }
const MISSING: Failure = { kind: 'missing', message: 'log 00000003 is missing on the source', sinceMs: 1 }

function announced(lowest: number, generated: number, nowMs = 10): ReplicaFact {
  return { kind: 'logs-announced', nowMs, announcement: announcing(lowest, generated) }
}

function copied(generation: number, session = 1): ReplicaFact {
  return { kind: 'log-copied', nowMs: 20, session, log: aCopiedLog(generation) }
}

function inspected(first: number, last = first, session = 1): ReplicaFact {
  return { kind: 'logs-inspected', nowMs: 30, session, range: range(first, last) }
}

function range(first: number, last: number): GenerationRange {
  return { first: asGeneration(first), last: asGeneration(last) }
}

function timePassed(nowMs: number): ReplicaFact {
  return { kind: 'time-passed', nowMs }
}

function suspended(nowMs: number): ReplicaFact {
  return { kind: 'operator-suspended', nowMs, requestId: 1, comment: null }
}

function lost(message: string, nowMs = 20, kind: 'source-lost' | 'source-refused' = 'source-lost'): ReplicaFact {
  return { kind, nowMs, fault: aFault('NODE_UNREACHABLE', message) }
}

function diskFull(nowMs = 20, session = 1): ReplicaFact {
  return { kind: 'inspection-failed', nowMs, session, fault: aFault('DISK_FULL') }
}

function checked(last: number, session: number): ReplicaFact {
  const contents = { run: range(1, last), identity: aCopiedLog(last).identity, logTimeMs: 0 }
  return { kind: 'store-checked', nowMs: 2_000, session, contents }
}

/** Holds 1 to 2 and has asked for 3 to 9. */
function asking(change: Partial<ReplicaState> = {}): ReplicaState {
  return { ...play(aCopy(2), announced(1, 9)), ...change }
}

describe('a start', () => {
  const contents = { run: null, identity: null, logTimeMs: 0 }
  const start: ReplicaFact = { kind: 'copy-started', nowMs: 0, contents, suspension: null, stream: 0 }

  it('happens once', () => {
    expect(() => play(startReplica('SG1'), start, start)).toThrow('a copy starts once')
  })

  it('reads the store unless the copy is suspended', () => {
    const unread: ReplicaFact = { ...start, contents: null }

    expect(() => play(startReplica('SG1'), unread)).toThrow('a suspended copy is not read, any other is')
  })

  it('comes before any report', () => {
    expect(ordersOf(startReplica('SG1'), { kind: 'source-connected', nowMs: 0 })).toEqual([])
  })
})

describe('an outcome of an older session', () => {
  const resumed = play(asking(), suspended(15), { kind: 'operator-resumed', nowMs: 16, requestId: 2 }, checked(2, 3))

  it.each([
    checked(1, 2),
    { kind: 'store-failed', nowMs: 20, session: 2, fault: aFault('DISK_FULL') },
    copied(3),
    { kind: 'copy-failed', nowMs: 20, session: 1, generation: asGeneration(3), fault: aFault('FILE_HELD') },
    inspected(3),
    diskFull(),
  ] as const)('changes nothing: $kind', (fact) => {
    expect(resumed.session).toBe(3)
    expect(stepReplica(resumed, fact)).toEqual([resumed, []])
  })
})

describe('a fact that changes nothing', () => {
  it('leaves the very state that it found, since most facts of a quiet copy are such', () => {
    const copy = asking()

    expect(stepReplica(copy, timePassed(50))[0]).toBe(copy)
  })
})

describe('an arrival', () => {
  it('happens once for each log, and above what is here', () => {
    const copy = play(asking(), copied(5))

    expect(() => play(copy, copied(5))).toThrow('a log arrives once')
    expect(() => play(copy, copied(2))).toThrow('a log arrives once and above the end of the chain')
  })

  it('counts as copied up to the first gap', () => {
    const above = play(asking(), copied(4), copied(5))

    expect(copyStatus(above)).toMatchObject({ lastLogCopied: 2, lastCopiedLogTimeMs: 2_000 })
    expect(copyStatus(play(above, copied(3)))).toMatchObject({ lastLogCopied: 5, lastCopiedLogTimeMs: 5_000 })
  })
})

describe('an inspection', () => {
  it('is of the logs that were ordered', () => {
    const message = 'what was ordered is what was inspected'

    expect(() => play(asking(), inspected(3))).toThrow(message)
    expect(() => play(asking(), copied(3), inspected(3, 4))).toThrow(message)
  })

  it('takes all logs together that came meanwhile', () => {
    const copy = play(asking(), copied(3), copied(4), copied(5))

    expect(only(ordersOf(copy, inspected(3)), 'inspect-logs')).toMatchObject([
      { logs: [{ generation: 4 }, { generation: 5 }] },
    ])
  })

  it('tells the first log since the start, and only that', () => {
    const copy = play(asking(), copied(4), copied(3))

    expect(only(ordersOf(copy, inspected(3, 4)), 'raise-event')).toEqual([
      { kind: 'raise-event', id: 2114, values: ['00000003'] },
    ])
    expect(only(ordersOf(play(copy, inspected(3, 4), copied(5)), inspected(5)), 'raise-event')).toEqual([])
  })

  it('forgets the attempts at what is inspected, and no others', () => {
    const failed = (generation: number): ReplicaFact => ({
      kind: 'copy-failed',
      nowMs: 20,
      session: 1,
      generation: asGeneration(generation),
      fault: aFault('FILE_HELD'),
    })
    const copy = play(asking(), failed(3), failed(4), failed(6), timePassed(2_000), copied(4), copied(3))

    expect(play(copy, inspected(3, 4)).attempts).toMatchObject([{ generation: 6 }])
  })
})

describe('an empty copy', () => {
  it('begins anew when the lowest log of its source moves before the first log has come', () => {
    const asked1to9 = play(aCopy(0), announced(1, 9))

    expect(play(asked1to9, announced(3, 9)).session).toBe(2)
    const orders = ordersOf(asked1to9, announced(3, 9))
    expect(asked(orders)).toEqual([[3, 9]])
    // Logs of the session before would be logs that nobody asked for.
    expect(orders[0]).toEqual({ kind: 'stop-copying' })
  })

  it('goes on when only the newest log moves', () => {
    const asked1to9 = play(aCopy(0), announced(1, 9))

    expect(play(asked1to9, announced(1, 10)).session).toBe(1)
    expect(asked(ordersOf(asked1to9, announced(1, 10)))).toEqual([[10, 10]])
  })

  it.each([
    ['its first log is being inspected', [copied(1)]],
    ['as many logs wait for inspection as are being inspected', [copied(1), copied(2)]],
  ])('stays with the stream it has begun once %s', (_, arrivals) => {
    const begun = play(aCopy(0), announced(1, 9), ...arrivals)

    expect(play(begun, announced(3, 9)).session).toBe(1)
  })
})

describe('a lost source', () => {
  it('is news once, however often it is lost in other words', () => {
    const before = asking()

    expect(only(ordersOf(before, lost('reset')), 'raise-event')).toMatchObject([{ id: 2060, values: ['reset'] }])
    expect(ordersOf(before, lost('reset'), lost('refused'))).toEqual([])
    expect(ordersOf({ ...before, failure: MISSING }, lost('reset'))).toEqual([])
  })

  it('that refuses is news whenever it gives another reason', () => {
    const refusing = play(asking(), lost('reset'), lost('disabled', 30, 'source-refused'))

    expect(ordersOf(refusing, lost('disabled', 40, 'source-refused'))).toEqual([])
    expect(only(ordersOf(refusing, lost('too many', 40, 'source-refused')), 'raise-event')).toMatchObject([
      { id: 2060, values: ['too many'] },
    ])
  })

  it('does not make a suspended copy Failed, but is shown', () => {
    const copy = play(asking(), suspended(15), lost('reset'))

    expect(copyStatus(copy)).toMatchObject({ summary: 'Suspended', connected: false, failed: false })
  })

  it('tells nothing of missing logs: what it announced is old', () => {
    const copy = aCopy(2, { connected: false, announcement: announcing(5, 9) })

    expect(stepReplica(copy, timePassed(50))).toEqual([copy, []])
  })
})

describe('a source that answers', () => {
  it.each([
    ['ends a transient failure of a copy at work', { failure: { ...MISSING, kind: 'transient' } }, null],
    ['does not repair what an operator must', { failure: PERMANENT }, PERMANENT],
    ['does not bring a missing log back', { failure: MISSING, announcement: announcing(5, 9) }, MISSING],
  ] as const)('%s', (_, change, failure) => {
    expect(play(asking({ ...change, connected: false }), { kind: 'source-connected', nowMs: 50 }).failure).toEqual(
      failure,
    )
  })

  it('does not make room on a disk that was full', () => {
    const waiting = play(asking(), diskFull(), { kind: 'source-connected', nowMs: 50 })

    expect(copyStatus(waiting)).toMatchObject({ summary: 'Failed', failedMessage: 'it was DISK_FULL' })
  })

  it('is told since when the copy has been what it is', () => {
    const connected: ReplicaFact = { kind: 'source-connected', nowMs: 50 }
    const since = (copy: ReplicaState, fact: ReplicaFact): unknown => only(ordersOf(copy, fact), 'report-progress')

    expect(since(asking(), connected)).toMatchObject([{ report: { condition: 'running', sinceMs: 50 } }])
    expect(since(play(asking(), suspended(15)), connected)).toMatchObject([
      { report: { condition: 'suspended', sinceMs: 15 } },
    ])
    expect(since(asking({ failure: PERMANENT }), connected)).toMatchObject([
      { report: { condition: 'failed', sinceMs: 1 } },
    ])
    expect(since(play(asking(), copied(3)), inspected(3))).toMatchObject([
      { report: { condition: 'running', inspected: 3, sinceMs: 0 } },
    ])
    expect(since(play(asking(), copied(3)), suspended(15))).toMatchObject([
      { report: { condition: 'suspended', inspected: 2, sinceMs: 15 } },
    ])
  })
})

describe('a store at fault', () => {
  it('is looked at when the wait is over, not before, and never while the copy is suspended', () => {
    const waiting = play(asking(), diskFull())

    expect(ordersOf(waiting, timePassed(1_019))).toEqual([])
    expect(ordersOf(waiting, timePassed(1_020))).toEqual([{ kind: 'check-store', session: 2 }])
    expect(copyStatus(play(waiting, timePassed(1_020))).resynchronizing).toBe(true)
    expect(ordersOf(waiting, suspended(30), timePassed(1_020))).toEqual([])
  })

  it.each([
    ['heals with the check when nothing waits to be copied', {}, 9, null],
    ['stays Failed until a log goes through when some wait', {}, 8, { kind: 'transient', message: 'it was DISK_FULL' }],
    [
      'is a source that cannot be reached when that was lost meanwhile',
      { connected: false },
      9,
      { kind: 'transient', message: 'the source cannot be reached', sinceMs: 20 },
    ],
    ['stays what an operator must repair', { failure: PERMANENT }, 9, PERMANENT],
  ] as const)('%s', (_, change, last, failure) => {
    const checking = play({ ...play(asking(), diskFull()), ...change }, timePassed(1_020))
    const after = play(checking, checked(last, 2)).failure

    if (failure === null) expect(after).toBeNull()
    else expect(after).toMatchObject(failure)
  })

  it('at a deletion is looked at too, and the deletion is over', () => {
    const fact: ReplicaFact = { kind: 'deletion-failed', nowMs: 20, range: range(1, 1), fault: aFault('DISK_FULL') }

    expect(play(asking({ deleting: true }), fact)).toMatchObject({ deleting: false, phase: 'waiting' })
  })
})

describe('a missing log', () => {
  const missing3: ReplicaFact = {
    kind: 'logs-announced',
    nowMs: 40,
    announcement: announcing(1, 9, { closedThrough: asGeneration(2), missing: asGeneration(3) }),
  }

  it('is told once', () => {
    expect(only(ordersOf(asking(), missing3), 'raise-event')).toEqual([
      { kind: 'raise-event', id: 2059, values: ['00000003'] },
    ])
    expect(ordersOf(asking(), missing3, timePassed(60))).toEqual([])
    expect(play(asking(), missing3, timePassed(60)).failure).toEqual({ ...MISSING, sinceMs: 40 })
  })

  it('is no news when the copy has refused that log for good', () => {
    const foreign: ReplicaFact = { kind: 'log-copied', nowMs: 50, session: 1, log: aForeignLog(3) }
    const refused = play(asking(), foreign, foreign, missing3, foreign)

    expect(refused.failure?.kind).toBe('permanent')
  })

  it('that is put back is asked for at once, with what was postponed because of it, and nothing is asked for twice', () => {
    const attempts = [
      { generation: asGeneration(5), rejected: 0, postponed: 4, retryAtMs: 9_000 },
      { generation: asGeneration(6), rejected: 0, postponed: 1, retryAtMs: 0 },
    ]

    expect(asked(ordersOf(asking({ failure: MISSING, attempts }), announced(1, 10, 60)))).toEqual([
      [5, 5],
      [10, 10],
    ])
  })
})

describe('the copy queue', () => {
  it.each([
    [0, 0, announcing(0, 0)],
    [0, 9, announcing(1, 9)],
    [0, 9, announcing(1, 7)],
    [4, 5, announcing(1, 9)],
    [5, 0, announcing(5, 9)],
  ])('is %i', (length, holding, announcement) => {
    expect(copyQueueLength(aCopy(holding, { announcement }))).toBe(length)
  })
})
