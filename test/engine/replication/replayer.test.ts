// Goal: each error of a replay gets the remedy of the reference, each batch its bounds; what a story would tell only once.
// Method: single steps of a replica whose store holds some logs and whose database says how far it is.
import { describe, expect, it } from 'vitest'
import type { DatabaseProgress, ReplayFault, ReplicaFact } from '../../../engine/fact.ts'
import { asGeneration } from '../../../engine/generation.ts'
import type { ReplicaOrder } from '../../../engine/order.ts'
import { copyStatus } from '../../../engine/replication/copy-status.ts'
import { REPLAY_BATCH_LOGS_MAX } from '../../../engine/replication/replayer.ts'
import { stepReplica } from '../../../engine/replication/replica-instance.ts'
import { type ReplicaState, startReplica } from '../../../engine/replication/replica-state.ts'

type Stepped = readonly [ReplicaState, readonly ReplicaOrder[]]

const g = asGeneration

function aProgress(replayedThrough: number, requiredLow = replayedThrough + 1): DatabaseProgress {
  return {
    replayedThrough: g(replayedThrough),
    logTimeMs: replayedThrough * 1_000,
    requiredLow: g(requiredLow),
    requiredHigh: g(replayedThrough),
  }
}

/** A copy with inspected logs whose database was just opened; its source answers and has closed the same logs. */
function anOpenCopy(held: { readonly first: number; readonly last: number }, progress: DatabaseProgress): Stepped {
  const [first, last] = [g(held.first), g(held.last)]
  const createTime = '00'.repeat(8)
  const identity = { generation: last, signature: '', createTime, previousCreateTime: createTime }
  const contents = { run: { first, last }, identity, logTimeMs: 1 }
  const facts: readonly ReplicaFact[] = [
    { kind: 'copy-started', nowMs: 1, contents, suspension: null, stream: 0 },
    { kind: 'source-connected', nowMs: 2 },
    { kind: 'logs-announced', nowMs: 3, announcement: anAnnouncement(held.last) },
    { kind: 'database-opened', nowMs: 4, session: 1, progress },
  ]
  return facts.reduce<Stepped>(
    ([state], fact) => stepReplica(state, fact),
    [startReplica('SG1', { replays: true }), []],
  )
}

function anAnnouncement(last: number) {
  const generation = g(last)
  return {
    lowest: g(1),
    closedThrough: generation,
    generated: generation,
    missing: g(0),
    truncatedBelow: g(0),
    stream: 0,
    logTimeMs: 9,
  }
}

function failing(eseError: number, generation = 4): ReplicaFact {
  const fault: ReplayFault = { code: 'DATABASE_REJECTED', message: 'why', eseError, generation: g(generation) }
  return { kind: 'replay-failed', nowMs: 10, session: 1, fault }
}

function kinds(orders: readonly ReplicaOrder[]): readonly string[] {
  return orders.map((order) => (order.kind === 'raise-event' ? `event ${order.id}` : order.kind))
}

describe('a batch', () => {
  it.each([
    [{ first: 1, last: 9 }, aProgress(3), { first: 4, last: 9 }],
    [{ first: 1, last: 90 }, aProgress(3), { first: 4, last: 3 + REPLAY_BATCH_LOGS_MAX }],
    [{ first: 1, last: 9 }, aProgress(8, 2), { first: 9, last: 9 }],
    [{ first: 4, last: 9 }, aProgress(3), { first: 4, last: 9 }],
  ])('over logs %o with %o is %o', (held, progress, range) => {
    const [, orders] = anOpenCopy(held, progress)

    expect(orders).toContainEqual({ kind: 'replay-logs', session: 1, range })
  })

  it.each([
    ['everything is replayed', { first: 1, last: 9 }, aProgress(9)],
    ['the database is ahead of the logs', { first: 1, last: 9 }, aProgress(12)],
    ['a log that recovery needs is not here', { first: 4, last: 9 }, aProgress(5, 3)],
  ])('is not begun when %s', (_, held, progress) => {
    const [, orders] = anOpenCopy(held, progress)

    expect(kinds(orders)).not.toContain('replay-logs')
  })

  it('is counted while it goes on, and followed by the next', () => {
    const [replaying] = anOpenCopy({ first: 1, last: 90 }, aProgress(0))
    const [half] = stepReplica(replaying, { kind: 'logs-replayed', nowMs: 5, session: 1, progress: aProgress(10, 1) })
    const [, orders] = stepReplica(half, { kind: 'logs-replayed', nowMs: 6, session: 1, progress: aProgress(32, 30) })

    expect(copyStatus(half)).toMatchObject({
      lastLogReplayed: 10,
      replayQueueLength: 80,
      lastReplayedLogTimeMs: 10_000,
      replayBatch: { size: 32, complete: 10, remaining: 22 },
    })
    expect(orders).toContainEqual({ kind: 'replay-logs', session: 1, range: { first: 33, last: 64 } })
  })
})

describe('a log that recovery needs and that is not here', () => {
  it('is copied again, with all that follow it', () => {
    const [state, orders] = anOpenCopy({ first: 4, last: 9 }, aProgress(5, 3))

    expect(orders).toContainEqual({ kind: 'copy-logs', session: 1, range: { first: 3, last: 9 } })
    expect(copyStatus(state)).toMatchObject({ lastLogInspected: 2, lastLogReplayed: 2 })
  })
})

describe('a copy whose source turns out to be a mailbox store', () => {
  const contents = { run: null, identity: null, logTimeMs: 0 }
  const fresh = stepReplica(startReplica('SG1'), {
    kind: 'copy-started',
    nowMs: 1,
    contents,
    suspension: null,
    stream: 0,
  })[0]

  it('opens its database before it asks for a log', () => {
    const [state, orders] = stepReplica(fresh, { kind: 'database-wanted', nowMs: 2 })

    expect(kinds(orders)).toEqual(['open-database'])
    expect(state.database?.phase).toBe('opening')
  })

  it('keeps the database that it has', () => {
    const [open] = anOpenCopy({ first: 1, last: 9 }, aProgress(3))

    expect(stepReplica(open, { kind: 'database-wanted', nowMs: 9 })[0].database).toBe(open.database)
  })
})

describe('a replay that fails', () => {
  it.each([-539, -551, -566, -567, -625])('with %i has diverged: Failed until a seed', (eseError) => {
    const [open] = anOpenCopy({ first: 1, last: 9 }, aProgress(3))
    const [state, orders] = stepReplica(open, failing(eseError))

    expect(copyStatus(state).summary).toBe('Failed')
    expect(copyStatus(state).failedMessage).toContain('has diverged')
    expect(state.failure?.kind).toBe('permanent')
    expect(kinds(orders)).toContain('event 2058')
  })

  it('with -1018 needs a seed, and says why', () => {
    const [open] = anOpenCopy({ first: 1, last: 9 }, aProgress(3))
    const [state, orders] = stepReplica(open, failing(-1018))

    expect(copyStatus(state).failedMessage).toBe(
      'the database of the copy is damaged: why (-1018) at log 00000004; the copy has to be seeded',
    )
    expect(kinds(orders)).toEqual(['event 474', 'event 2058', 'report-progress'])
  })

  it.each([
    [-501, 465, 'corrupt-checksum'],
    [-513, 465, 'generation-mismatch'],
    [-515, 454, 'gap'],
    [-530, 454, 'bad-signature'],
    [-541, 465, 'bad-size'],
    [-1812, 465, 'bad-file-type'],
    [-1852, 465, 'corrupt-checksum'],
  ])('with %i has the log set aside before the store is looked at again', (eseError, event, reason) => {
    const [open] = anOpenCopy({ first: 1, last: 9 }, aProgress(3))
    const [state, orders] = stepReplica(open, failing(eseError))

    expect(orders.find(({ kind }) => kind === 'set-aside-log')).toMatchObject({ reason, generation: 4 })
    expect(copyStatus(state).summary).toBe('Resynchronizing')
    expect(kinds(orders)).toEqual([
      'stop-copying',
      'stop-replaying',
      'set-aside-log',
      `event ${event}`,
      'event 9008',
      'check-store',
    ])
  })

  it.each([
    [-543, 'event 452'],
    [-1022, 'event 454'],
    [-1808, 'event 454'],
    [0, 'event 454'],
  ])('with %i is tried again after a wait', (eseError, event) => {
    const [open] = anOpenCopy({ first: 1, last: 9 }, aProgress(3))
    const [state, orders] = stepReplica(open, failing(eseError))
    const [, later] = stepReplica(state, { kind: 'time-passed', nowMs: 1_010 })

    expect(state.failure?.kind).toBe('transient')
    expect(kinds(orders)).toEqual(['stop-copying', 'stop-replaying', event, 'event 2060', 'wake-at', 'report-progress'])
    expect(kinds(later)).toEqual(['check-store'])
  })

  it('is Failed until a log is replayed again, however well the copying goes', () => {
    const [open] = anOpenCopy({ first: 1, last: 9 }, aProgress(3))
    const contents = { run: { first: g(1), last: g(9) }, identity: open.identity, logTimeMs: 1 }
    const facts: readonly ReplicaFact[] = [
      failing(-1022),
      { kind: 'time-passed', nowMs: 1_010 },
      { kind: 'store-checked', nowMs: 1_011, session: 2, contents },
      { kind: 'database-opened', nowMs: 1_012, session: 2, progress: aProgress(3) },
    ]
    const reopened = facts.reduce((state, fact) => stepReplica(state, fact)[0], open)
    const replayed: ReplicaFact = { kind: 'logs-replayed', nowMs: 1_020, session: 2, progress: aProgress(4) }
    const [goesOn] = stepReplica(reopened, replayed)

    expect(copyStatus(reopened).failed).toBe(true)
    expect(copyStatus(goesOn).failed).toBe(false)
  })
})

describe('a suspension', () => {
  it('brings the replay to rest before it is recorded, and keeps how far the database was', () => {
    const [open] = anOpenCopy({ first: 1, last: 9 }, aProgress(3))
    const [state, orders] = stepReplica(open, { kind: 'operator-suspended', nowMs: 9, requestId: 1, comment: 'x' })
    const [rested] = stepReplica(state, { kind: 'replay-stopped', nowMs: 10, progress: aProgress(5, 4) })

    expect(kinds(orders).slice(0, 3)).toEqual(['stop-copying', 'stop-replaying', 'record-suspension'])
    expect(state.suspension?.database).toEqual(aProgress(3))
    expect(copyStatus(rested)).toMatchObject({ summary: 'Suspended', lastLogReplayed: 5, replayQueueLength: 4 })
  })
})
