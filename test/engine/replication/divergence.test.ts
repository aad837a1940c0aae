// Goal: a copy looks at its source when it must, by one log at most, and what it reports is about the stream that it has seen.
// Method: single steps of the replica, from a copy that holds the logs 1 to 5 or none.
import { describe, expect, it } from 'vitest'
import type { CopiedLog, ReplicaFact } from '../../../engine/fact.ts'
import { asGeneration } from '../../../engine/generation.ts'
import type { ReplicaOrder } from '../../../engine/order.ts'
import { copyStatus } from '../../../engine/replication/copy-status.ts'
import type { ReplicaState } from '../../../engine/replication/replica-state.ts'
import { aCopiedLog, aCopy, aFault, aForeignLog, announcing, asked, only, ordersOf, play } from './build.ts'

const FIVE = asGeneration(5)

function says(lowest: number, generated: number, stream = 0): ReplicaFact {
  return { kind: 'logs-announced', nowMs: 9, announcement: announcing(lowest, generated, { stream }) }
}

function arrives(state: ReplicaState, log: CopiedLog): ReplicaFact {
  return { kind: 'log-copied', nowMs: 10, session: state.session, log }
}

function fails(state: ReplicaState, code: Parameters<typeof aFault>[0]): ReplicaFact {
  return { kind: 'copy-failed', nowMs: 10, session: state.session, generation: FIVE, fault: aFault(code) }
}

function matched(state: ReplicaState, log: CopiedLog, isSame = true): ReplicaFact {
  return { kind: 'log-matched', nowMs: 10, session: state.session, log, isSame }
}

/** A copy of five logs that was at work, was suspended and is resumed now, with what its source said last. */
function resumed(before: ReplicaFact): ReplicaState {
  const state = play(
    aCopy(5),
    before,
    { kind: 'operator-suspended', nowMs: 3, requestId: 1, comment: null },
    { kind: 'operator-resumed', nowMs: 4, requestId: 2 },
  )
  const { run, identity, logTimeMs } = {
    run: { first: asGeneration(1), last: FIVE },
    identity: aCopiedLog(5).identity,
    logTimeMs: 0,
  }
  return play(state, {
    kind: 'store-checked',
    nowMs: 5,
    session: state.session,
    contents: { run, identity, logTimeMs },
  })
}

function reports(orders: readonly ReplicaOrder[]): readonly (number | null)[] {
  return only(orders, 'report-progress').map(({ report }) => report.stream)
}

describe('a copy that starts', () => {
  it('does not look at a source that goes on with the stream it knew', () => {
    const orders = ordersOf(aCopy(5), says(1, 7))

    expect(only(orders, 'compare-log')).toEqual([])
    expect(asked(orders)).toEqual([[6, 7]])
  })

  it('compares its newest log with a restored source before it asks for any', () => {
    const orders = ordersOf(aCopy(5), says(1, 7, 1))

    expect(only(orders, 'compare-log').map(({ generation }) => generation)).toEqual([5])
    expect(asked(orders)).toEqual([])
  })

  it('without a log belongs to whatever its source has', () => {
    const orders = ordersOf(aCopy(0), says(3, 7, 2))

    expect(only(orders, 'record-stream')).toEqual([{ kind: 'record-stream', stream: 2 }])
    expect(asked(orders)).toEqual([[3, 7]])
    expect(reports(orders)).toEqual([2])
  })

  it('waits for a source that holds no log: it may not have read its directory', () => {
    const orders = ordersOf(aCopy(5), says(0, 0, 1))

    expect(orders).toEqual([])
  })
})

describe('a resumed copy', () => {
  const state = resumed(says(1, 7))

  it('asks again for the newest log that it has, and for no other', () => {
    expect(state.look).toBe('asked')
    expect(state.requested).toBe(FIVE)
  })

  it('goes on when the log is the same, and keeps no second file of it', () => {
    const log = aCopiedLog(5)
    expect(ordersOf(state, arrives(state, log))).toEqual([{ kind: 'match-log', session: state.session, log }])
    const orders = ordersOf(state, arrives(state, log), matched(state, log))

    expect(orders).toEqual([{ kind: 'discard-log', log }, expect.objectContaining({ kind: 'copy-logs' })])
  })

  it('gives a log up that says the same of itself and has other bytes', () => {
    const log = aCopiedLog(5)
    const orders = ordersOf(state, arrives(state, log), matched(state, log, false))

    expect(only(orders, 'set-aside-diverged').map(({ range }) => range)).toEqual([{ first: 5, last: 5 }])
  })

  it('has diverged when the log is another one, and says which', () => {
    const after = play(state, arrives(state, aForeignLog(5)))
    const orders = ordersOf(state, arrives(state, aForeignLog(5)))

    expect(after.failure).toMatchObject({
      kind: 'permanent',
      message: expect.stringMatching(/log 00000005 .*diverged.*seeded/),
    })
    expect(only(orders, 'raise-event').map(({ id }) => id)).toEqual([2058])
    expect(reports(orders)).toEqual([null])
    expect(asked(orders)).toEqual([])
  })

  it.each(['LOG_MISSING', 'READ_FAILED', 'FILE_HELD', 'LOG_CHANGED'] as const)(
    'lets the next log prove it when the newest cannot be had (%s)',
    (code) => {
      const orders = ordersOf(state, fails(state, code))

      expect(asked(orders)).toEqual([[6, 7]])
    },
  )

  it('lets the next log prove it when the newest decayed on the source', () => {
    const rejection = { reason: 'corrupt-checksum', detail: 'x' } as const
    const after = play(state, arrives(state, aCopiedLog(5, { rejection })))

    expect(after).toMatchObject({ look: 'by-next-log', failure: null })
  })

  it('asks for the newest log again when the next one does not continue it, as long as that may come better', () => {
    const without = play(state, fails(state, 'LOG_MISSING'))
    const strange = aCopiedLog(6, { identity: { ...aCopiedLog(6).identity, previousCreateTime: 'another' } })
    const orders = ordersOf(without, arrives(without, strange))

    expect(only(orders, 'compare-log').map(({ generation }) => generation)).toEqual([5])
    expect(asked(orders)).toEqual([])
    const again = play(without, arrives(without, strange), fails(state, 'LOG_MISSING'))
    expect(only(ordersOf(again, arrives(again, strange)), 'compare-log')).toHaveLength(1)
    const third = play(again, arrives(again, strange), fails(state, 'LOG_MISSING'))
    expect(only(ordersOf(third, arrives(third, strange)), 'compare-log')).toEqual([])
  })

  it('is not proved by the replay of logs that were here before', () => {
    const progress = {
      replayedThrough: asGeneration(3),
      requiredLow: asGeneration(3),
      requiredHigh: asGeneration(4),
      logTimeMs: 0,
    }
    const database = {
      phase: 'open',
      progress,
      batch: { first: asGeneration(4), last: FIVE },
      trouble: null,
      damaged: null,
    } as const
    const waiting: ReplicaState = { ...play(state, fails(state, 'LOG_MISSING')), database }
    const replayed = { ...progress, replayedThrough: FIVE }
    const after = play(waiting, { kind: 'logs-replayed', nowMs: 12, session: waiting.session, progress: replayed })

    expect(after).toMatchObject({ look: 'by-next-log', stream: 0 })
  })

  it('asks again over the next connection when this one broke', () => {
    const lost = play(state, fails(state, 'NODE_UNREACHABLE'), {
      kind: 'source-lost',
      nowMs: 11,
      fault: aFault('NODE_UNREACHABLE'),
    })
    const orders = ordersOf(lost, { kind: 'source-connected', nowMs: 12 }, says(1, 7))

    expect(only(orders, 'compare-log')).toHaveLength(1)
  })

  it('looks at its store anew when its own disk failed meanwhile', () => {
    expect(play(state, fails(state, 'DISK_FULL'))).toMatchObject({ phase: 'waiting', look: 'wanted' })
  })

  it('begins to look again when the source is restored in the middle', () => {
    const orders = ordersOf(state, says(1, 6, 1))

    expect(only(orders, 'compare-log')).toEqual([{ kind: 'compare-log', session: state.session + 1, generation: 5 }])
  })
})

describe('a copy whose source is restored while the next log is to prove the stream', () => {
  const state = resumed(says(1, 7))
  const proving = play(state, fails(state, 'LOG_MISSING'))

  it('stops what is on its way before it asks for the same logs again', () => {
    const orders = ordersOf(proving, says(1, 6, 1))

    expect(orders.map(({ kind }) => kind)).toEqual(['stop-copying', 'compare-log'])
  })

  it('looks at its store anew behind logs that are being named', () => {
    const naming = play(proving, arrives(proving, aCopiedLog(6)))
    const orders = ordersOf(naming, says(1, 6, 1))

    expect(orders).toEqual([{ kind: 'stop-copying' }, { kind: 'check-store', session: naming.session + 1 }])
    expect(play(naming, says(1, 6, 1))).toMatchObject({ phase: 'checking', look: 'wanted', inspecting: [] })
  })

  it('looks at its store anew where it was looking at it', () => {
    const failed = play(proving, fails(proving, 'DISK_FULL'))
    const checking = play(failed, { kind: 'time-passed', nowMs: failed.retryAtMs })
    const orders = ordersOf(checking, says(1, 6, 1))

    expect(checking).toMatchObject({ phase: 'checking', look: 'by-next-log' })
    expect(only(orders, 'check-store')).toEqual([{ kind: 'check-store', session: checking.session + 1 }])
  })

  it('leaves its store alone where it is suspended', () => {
    const suspended = play(proving, { kind: 'operator-suspended', nowMs: 11, requestId: 3, comment: null })

    expect(only(ordersOf(suspended, says(1, 6, 1)), 'check-store')).toEqual([])
  })
})

describe('a copy ahead of its source', () => {
  const state = resumed(says(1, 3))

  it('is Failed, names the logs that are too many, and counts for nothing', () => {
    expect(state.failure).toMatchObject({ kind: 'ahead', message: expect.stringContaining('00000004 to 00000005') })
    expect(state.stream).toBeNull()
    expect(copyStatus(state)).toMatchObject({ summary: 'Failed', copyQueueLength: 0 })
  })

  it('compares as soon as the source comes there, and is well when it was the same all the time', () => {
    const there = play(state, says(1, 5))
    const after = play(there, arrives(there, aCopiedLog(5)), matched(there, aCopiedLog(5)))

    expect(after).toMatchObject({ failure: null, stream: 0, look: 'none' })
  })

  it('goes on with the next log when the source has truncated the newest', () => {
    const there = play(state, says(6, 6))
    const log = aCopiedLog(6)
    const inspected = {
      kind: 'logs-inspected',
      nowMs: 12,
      session: there.session,
      range: { first: asGeneration(6), last: asGeneration(6) },
    } as const

    expect(play(there, arrives(there, log), inspected)).toMatchObject({ failure: null, stream: 0, look: 'none' })
  })
})

describe('a copy that nobody resumed', () => {
  const state = play(aCopy(5), says(1, 5))

  it('tells of the restore once, and changes nothing else', () => {
    const orders = ordersOf(state, says(1, 3, 1))
    const after = play(state, says(1, 3, 1))

    expect(orders).toEqual([{ kind: 'raise-event', id: 9020, values: ['00000003', '00000006'] }])
    expect(copyStatus(after)).toMatchObject({
      failed: false,
      copyQueueLength: 0,
      remark: expect.stringContaining('00000006'),
    })
    expect(ordersOf(after, says(1, 4, 1))).toEqual([])
  })

  it('reports the stream that it has seen', () => {
    const orders = ordersOf(state, says(1, 3, 1), { kind: 'source-connected', nowMs: 20 })

    expect(reports(orders)).toEqual([0])
  })
})
