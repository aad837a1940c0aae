// Goal: each kind of failure has its own consequence: postponed, Failed and postponed, a restart of the instance, a quarantine.
// Method: a table of every error code, then single steps; written against mutants that the stories let live.
import { describe, expect, it } from 'vitest'
import { ERROR_CODES, type ErrorCode } from '../../../engine/error.ts'
import type { CopiedLog, ReplicaFact } from '../../../engine/fact.ts'
import { asGeneration } from '../../../engine/generation.ts'
import { failureOr, restartAfterFault, STORE_FAULTS } from '../../../engine/replication/copy-failure.ts'
import { copyStatus } from '../../../engine/replication/copy-status.ts'
import type { Failure, ReplicaState } from '../../../engine/replication/replica-state.ts'
import { aCopiedLog, aCopy, aFault, aForeignLog, announcing, only, ordersOf, play, timeOf } from './build.ts'

/** The source answered, and what it holds is the trouble. */
const OF_THE_SOURCE: readonly ErrorCode[] = ['LOG_MISSING', 'LOG_CHANGED', 'READ_FAILED', 'FILE_HELD']
const ALL = Object.keys(ERROR_CODES) as ErrorCode[] // the record has exactly these keys
const OF_THE_WIRE = ALL.filter((code) => !OF_THE_SOURCE.includes(code) && !STORE_FAULTS.includes(code))

/** Holds 1 to 2 and has asked for 3 to 9. */
function asking(): ReplicaState {
  return play(aCopy(2), { kind: 'logs-announced', nowMs: 10, announcement: announcing(1, 9) })
}

function copyFailed(code: ErrorCode, generation = 5, nowMs = 20): ReplicaFact {
  return { kind: 'copy-failed', nowMs, session: 1, generation: asGeneration(generation), fault: aFault(code) }
}

function copied(log: CopiedLog, nowMs = 20): ReplicaFact {
  return { kind: 'log-copied', nowMs, session: 1, log }
}

function badlyCopied(generation: number): ReplicaFact {
  return copied(aCopiedLog(generation, { rejection: { reason: 'corrupt-checksum', detail: 'sector 37' } }))
}

describe('a log that could not be copied', () => {
  it.each(OF_THE_SOURCE)('for %s makes the copy Failed, is told as event 2104 and tried again', (code) => {
    const orders = ordersOf(asking(), copyFailed(code))

    expect(play(asking(), copyFailed(code)).failure).toEqual({
      kind: 'transient',
      message: `it was ${code}`,
      sinceMs: 20,
    })
    expect(only(orders, 'raise-event')).toEqual([
      { kind: 'raise-event', id: 2104, values: [`it was ${code} (log 00000005)`] },
    ])
    expect(only(orders, 'wake-at')).toEqual([{ kind: 'wake-at', atMs: 1_020 }])
  })

  it.each(OF_THE_WIRE)('for %s is tried again and nothing else: a lost connection has its own fact', (code) => {
    expect(play(asking(), copyFailed(code)).failure).toBeNull()
    expect(ordersOf(asking(), copyFailed(code))).toEqual([{ kind: 'wake-at', atMs: 1_020 }])
  })

  it('is of the store where its directory or its disk is at fault, and for a fault of the program', () => {
    const named = ALL.filter((code) =>
      /^DIRECTORY_|^DISK_|^(WRITE|SYNC)_FAILED|^FILE_(EXISTS|NOT_REGULAR)|^INTERNAL/.test(code),
    )

    expect([...STORE_FAULTS].sort()).toEqual(named.sort())
  })

  it.each(STORE_FAULTS)('for %s stops all work, and the store is looked at again', (code) => {
    const orders = ordersOf(asking(), copyFailed(code))

    expect(play(asking(), copyFailed(code))).toMatchObject({ phase: 'waiting', session: 2, requested: 2, attempts: [] })
    const kinds = orders.map(({ kind }) => kind).filter((kind) => kind !== 'record-stream')
    expect(kinds).toEqual(['stop-copying', 'raise-event', 'wake-at', 'report-progress'])
  })

  it('waits longer each time, by itself, and does not count as refused', () => {
    const failing = play(asking(), copyFailed('FILE_HELD'), copyFailed('FILE_HELD', 4), copyFailed('FILE_HELD'))

    expect(failing.attempts).toEqual([
      { generation: 4, rejected: 0, postponed: 1, retryAtMs: 1_020 },
      { generation: 5, rejected: 0, postponed: 2, retryAtMs: 2_020 },
    ])
  })

  it('does not heal a graver failure', () => {
    const failure: Failure = { kind: 'permanent', message: 'log 00000003 failed inspection', sinceMs: 1 }

    expect(play({ ...asking(), failure }, copyFailed('FILE_HELD')).failure).toBe(failure)
  })
})

describe('a fault of the store', () => {
  it.each([
    ['DIRECTORY_MISSING', 2073, 'transient'],
    ['DISK_FULL', 2060, 'transient'],
  ] as const)('with %s is told as event %i and is %s', (code, id, kind) => {
    const [after, orders] = restartAfterFault(asking(), aFault(code), 20)

    expect(after.failure).toEqual({ kind, message: `it was ${code}`, sinceMs: 20 })
    expect(orders).toEqual([
      { kind: 'stop-copying' },
      { kind: 'raise-event', id, values: [`it was ${code}`] },
      { kind: 'wake-at', atMs: 1_020 },
    ])
  })

  it('with a log of other content under its name is permanent, and nobody knows of which stream the copy is', () => {
    const [after, orders] = restartAfterFault(asking(), aFault('FILE_EXISTS'), 20)

    expect(after).toMatchObject({ failure: { kind: 'permanent' }, stream: null, look: 'wanted' })
    expect(orders).toContainEqual({ kind: 'record-stream', stream: null })
  })

  it('lets the instance wait longer each time', () => {
    const [once] = restartAfterFault(asking(), aFault('DISK_FULL'), 20)
    const [twice, orders] = restartAfterFault(once, aFault('DISK_FULL'), 30)

    expect([once.retryAtMs, twice.retryAtMs]).toEqual([1_020, 2_030])
    expect(only(orders, 'wake-at')).toEqual([{ kind: 'wake-at', atMs: 2_030 }])
  })

  it('does nothing to a copy that is suspended: it touches its store no more', () => {
    const range = { first: asGeneration(1), last: asGeneration(1) }
    const suspended = play(
      { ...asking(), deleting: true },
      { kind: 'operator-suspended', nowMs: 15, requestId: 1, comment: null },
    )
    const late: ReplicaFact = { kind: 'deletion-failed', nowMs: 20, range, fault: aFault('DISK_FULL') }

    expect(ordersOf(suspended, late)).toEqual([])
    expect(play(suspended, late)).toEqual({ ...suspended, deleting: false })
  })
})

describe('a log that is refused', () => {
  it('goes into quarantine, is told as event 2075 with its number, and is asked for again at once', () => {
    const orders = ordersOf(asking(), badlyCopied(3))

    expect(orders).toEqual([
      {
        kind: 'quarantine-log',
        log: expect.objectContaining({ generation: 3 }),
        reason: 'corrupt-checksum',
        detail: 'sector 37',
      },
      { kind: 'raise-event', id: 2075, values: ['00000003', 1, 3, 'corrupt-checksum (-501), sector 37'] },
      { kind: 'copy-logs', session: 1, range: { first: 3, last: 3 } },
    ])
  })

  it('three times makes the copy Failed for good, told as event 2058', () => {
    const message = 'log 00000003 failed inspection 3 times: corrupt-checksum (-501), sector 37'
    const twice = play(asking(), badlyCopied(3), badlyCopied(3))

    const orders = ordersOf(twice, badlyCopied(3))

    expect(twice.failure).toBeNull()
    expect(play(twice, badlyCopied(3)).failure).toEqual({ kind: 'permanent', message, sinceMs: 20 })
    expect(only(orders, 'raise-event').map(({ id, values }) => [id, values[1]])).toEqual([
      [2075, 3],
      [2058, undefined],
    ])
    expect(only(orders, 'copy-logs')).toEqual([])
  })

  it('above a gap leaves what was copied below the gap copied', () => {
    const after = play(asking(), copied(aCopiedLog(3)), badlyCopied(6))

    expect(copyStatus(after)).toMatchObject({ lastLogCopied: 3, lastCopiedLogTimeMs: timeOf(3) })
  })

  it.each([
    ['the inspected ones', [3], 2],
    ['the one that is being inspected', [3, 4], 3],
    ['those that wait for inspection', [3, 4, 5], 4],
    ['all of those that wait for inspection', [3, 4, 5, 6], 5],
  ] as const)('by its neighbour leaves %s copied', (_, generations, left) => {
    const good = generations.slice(0, -1).map((generation) => copied(aCopiedLog(generation)))
    const after = play(asking(), ...good, copied(aForeignLog(left + 1)))

    expect(after.attempts).toMatchObject([{ generation: left + 1, rejected: 1 }])
    expect(copyStatus(after)).toMatchObject({ lastLogCopied: left, lastCopiedLogTimeMs: timeOf(left) })
  })

  it('by its neighbour takes the logs above it out of what counts as copied, and keeps them', () => {
    const after = play(asking(), copied(aCopiedLog(4)), copied(aCopiedLog(5)), copied(aForeignLog(3)))

    expect(after.arrived.map(({ generation }) => generation)).toEqual([4, 5])
    expect(copyStatus(after)).toMatchObject({ lastLogCopied: 2, lastCopiedLogTimeMs: timeOf(2) })
  })
})

describe('of two failures', () => {
  const old: Failure = { kind: 'missing', message: 'log 00000003 is missing on the source', sinceMs: 1 }

  it.each([
    ['the only one counts', null, { ...old, sinceMs: 2 }, 'fresh'],
    ['the graver one counts', old, { ...old, kind: 'permanent', sinceMs: 2 }, 'fresh'],
    ['the graver one counts, also when it is the older', old, { ...old, kind: 'transient', sinceMs: 2 }, 'old'],
    ['the older one counts when both say the same', old, { ...old, sinceMs: 2 }, 'old'],
    ['the newer one counts when it says something new', old, { ...old, message: 'log 00000004', sinceMs: 2 }, 'fresh'],
  ] as const)('%s', (_, before, fresh, which) => {
    expect(failureOr(before, fresh)).toBe(which === 'old' ? before : fresh)
  })
})
