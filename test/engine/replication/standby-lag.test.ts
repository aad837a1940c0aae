// Goal: a standby target replays and deletes no log before its time, and none later than its lags and the 50 logs ask for.
// Method: random lags, log times and clocks against a twin that keeps the time of each log; then the cases by hand.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asGeneration, type Generation } from '../../../engine/generation.ts'
import { brokenGuarantee, replicaGuarantees } from '../../../engine/guarantee.ts'
import type { ReplicaOrder } from '../../../engine/order.ts'
import { copyStatus } from '../../../engine/replication/copy-status.ts'
import { stepReplica } from '../../../engine/replication/replica-instance.ts'
import { type ReplicaState, startReplica } from '../../../engine/replication/replica-state.ts'
import {
  lagAfterInspection,
  lagAfterReplay,
  lagAfterScan,
  lagReleasesThrough,
  replayableThrough,
  type StandbyOptions,
  startLag,
} from '../../../engine/replication/standby-lag.ts'
import { announcing } from './build.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** A standby target with this many logs, of which one was closed each `everyMs` up to now. */
function aTarget(
  options: StandbyOptions,
  { logs, everyMs, nowMs }: Record<'logs' | 'everyMs' | 'nowMs', number>,
): ReplicaState {
  const logTimes = Array.from({ length: logs }, (_, index) => ({
    generation: asGeneration(index + 1),
    logTimeMs: nowMs - (logs - index - 1) * everyMs,
  }))
  const run = { first: asGeneration(1), last: asGeneration(logs) }
  const contents = { run, identity: null, logTimeMs: nowMs, logTimes }
  const started = { kind: 'copy-started', nowMs, contents, suspension: null, stream: 0 } as const
  const [state] = stepReplica(startReplica('SG1', { replays: true, standby: options }), started)
  // It has looked at its source before.
  return opened({ ...state, look: 'none' }, nowMs)[0]
}

function opened(state: ReplicaState, nowMs: number): readonly [ReplicaState, readonly ReplicaOrder[]] {
  const progress = {
    replayedThrough: asGeneration(0),
    logTimeMs: 0,
    requiredLow: asGeneration(1),
    requiredHigh: asGeneration(0),
  }
  return stepReplica(state, { kind: 'database-opened', nowMs, session: state.session, progress })
}

function wakesIn(orders: readonly ReplicaOrder[]): readonly number[] {
  return orders.flatMap((order) => (order.kind === 'wake-at' ? [order.atMs] : []))
}

describe('the replay lag', () => {
  it.each([
    ['100 h at a log an hour', 100 * HOUR_MS, HOUR_MS, 200, 100],
    ['24 h at a log in two minutes', DAY_MS, 120_000, 2_000, 1_280],
    ['no lag', 0, HOUR_MS, 200, 150],
    ['a short one: the 50 logs come second', HOUR_MS, HOUR_MS, 200, 150],
    ['too few logs', 0, HOUR_MS, 50, 0],
    ['one log to replay', 0, HOUR_MS, 51, 1],
    ['a minute at a log a second', 60_000, 1_000, 200, 140],
  ])('lets logs be replayed through the right one with %s', (_, replayLagMs, everyMs, logs, expected) => {
    for (const truncationLagMs of [0, 7 * DAY_MS]) {
      const state = aTarget({ replayLagMs, truncationLagMs }, { logs, everyMs, nowMs: 10 * DAY_MS })

      expect(replayableThrough(state, 10 * DAY_MS), `truncation lag ${truncationLagMs}`).toBe(expected)
    }
  })

  it('asks to be woken when the next log is old enough, once', () => {
    const nowMs = 10 * DAY_MS
    const state = aTarget({ replayLagMs: 300 * HOUR_MS, truncationLagMs: 0 }, { logs: 100, everyMs: HOUR_MS, nowMs })
    const [known, orders] = stepReplica(
      { ...state, lag: state.lag && { ...state.lag, wakeAtMs: 0 } },
      { kind: 'source-connected', nowMs },
    )

    expect(wakesIn(orders)).toEqual([nowMs - 99 * HOUR_MS + 300 * HOUR_MS])
    expect(wakesIn(stepReplica(known, { kind: 'time-passed', nowMs: nowMs + 1 })[1])).toEqual([])
  })

  it('is over at the moment it was asked for, and the log is replayed', () => {
    const nowMs = 10 * DAY_MS
    const state = aTarget({ replayLagMs: 300 * HOUR_MS, truncationLagMs: 0 }, { logs: 100, everyMs: HOUR_MS, nowMs })
    const atMs = state.lag?.wakeAtMs ?? 0

    expect(stepReplica(state, { kind: 'time-passed', nowMs: atMs - 1 })[1]).toEqual([])
    const [, orders] = stepReplica(state, { kind: 'time-passed', nowMs: atMs })
    expect(orders).toContainEqual({ kind: 'replay-logs', session: 1, range: { first: 1, last: 1 } })
  })

  it('does not grow by a clock of the source that is ahead', () => {
    const nowMs = 10 * DAY_MS
    const state = aTarget({ replayLagMs: HOUR_MS, truncationLagMs: 0 }, { logs: 60, everyMs: -DAY_MS, nowMs })

    expect(replayableThrough(state, nowMs + HOUR_MS)).toBe(10)
  })

  it('begins with the latest time below a log, also where the newest log of a scan is older', () => {
    const nowMs = 10 * DAY_MS
    const options = { replayLagMs: 2 * HOUR_MS, truncationLagMs: 0 }
    const lag = startLag(options)
    const logTimes = Array.from({ length: 60 }, (_, index) => ({
      generation: asGeneration(index + 1),
      logTimeMs: nowMs - (index === 0 ? HOUR_MS : 3 * HOUR_MS),
    }))
    const run = { first: asGeneration(1), last: asGeneration(60) }
    const found = lag && lagAfterScan(lag, { run, identity: null, logTimeMs: nowMs - 3 * HOUR_MS, logTimes }, nowMs)
    const state = { ...startReplica('SG1', { replays: true }), lag: found, inspected: run.last }

    expect(replayableThrough(state, nowMs)).toBe(0)
    expect(replayableThrough(state, nowMs + HOUR_MS)).toBe(10)
  })

  it('says in the status why nothing is replayed', () => {
    const nowMs = 10 * DAY_MS
    const few = aTarget({ replayLagMs: DAY_MS, truncationLagMs: 0 }, { logs: 7, everyMs: HOUR_MS, nowMs })

    expect(copyStatus(few)).toMatchObject({
      replayQueueLength: 7,
      remark:
        'log 00000001 may be replayed at 1970-01-11 18:00:00 UTC, or when log 00000033 is inspected, whichever comes second',
    })
  })
})

describe('the truncation lag', () => {
  const options = { replayLagMs: HOUR_MS, truncationLagMs: 2 * HOUR_MS }

  it('begins when a log was replayed, however old it was then', () => {
    const nowMs = 10 * DAY_MS
    const state = aTarget(options, { logs: 100, everyMs: HOUR_MS, nowMs })
    const lag = state.lag && lagAfterReplay(state.lag, asGeneration(30), nowMs)

    expect(lagReleasesThrough({ ...state, lag }, nowMs + 2 * HOUR_MS - 1)).toBe(0)
    expect(lagReleasesThrough({ ...state, lag }, nowMs + 2 * HOUR_MS)).toBe(30)
  })

  it('counts anew for logs that a new database replays once more', () => {
    const state = aTarget(options, { logs: 100, everyMs: HOUR_MS, nowMs: 10 * DAY_MS })
    const times = [30, 0, 20].reduce(
      (lag, through, hour) => lagAfterReplay(lag, asGeneration(through), 10 * DAY_MS + hour * HOUR_MS),
      state.lag ?? startLag(options) ?? { ...options, logTimes: [], replayTimes: [], wakeAtMs: 0 },
    )

    expect(lagReleasesThrough({ ...state, lag: times }, 10 * DAY_MS + 3 * HOUR_MS)).toBe(0)
    expect(lagReleasesThrough({ ...state, lag: times }, 10 * DAY_MS + 4 * HOUR_MS)).toBe(20)
  })

  it('holds 50 logs of a copy without a database', () => {
    const state = aTarget({ replayLagMs: 0, truncationLagMs: 0 }, { logs: 80, everyMs: HOUR_MS, nowMs: DAY_MS })

    expect(lagReleasesThrough({ ...state, database: null }, DAY_MS)).toBe(30)
  })
})

describe('a standby target', () => {
  it('is never frozen for a backup', () => {
    const state = aTarget({ replayLagMs: 0, truncationLagMs: 0 }, { logs: 60, everyMs: 1, nowMs: DAY_MS })

    const [, orders] = stepReplica(state, { kind: 'operator-froze', nowMs: DAY_MS, requestId: 1 })

    expect(orders[0]).toMatchObject({
      refusal: { code: 'STATE_REFUSED', message: expect.stringContaining('standby target') },
    })
  })

  it('tells its kind with each report', () => {
    const state = aTarget({ replayLagMs: 0, truncationLagMs: 0 }, { logs: 60, everyMs: 1, nowMs: DAY_MS })

    const [, orders] = stepReplica(state, { kind: 'source-connected', nowMs: DAY_MS })

    expect(orders).toContainEqual(
      expect.objectContaining({ kind: 'report-progress', report: expect.objectContaining({ kind: 'scr' }) }),
    )
  })

  it('keeps its guarantees when all logs are announced as truncated', () => {
    const before = aTarget(
      { replayLagMs: HOUR_MS, truncationLagMs: 0 },
      { logs: 90, everyMs: HOUR_MS, nowMs: 10 * DAY_MS },
    )
    const announcement = announcing(0, 0, { generated: asGeneration(90), truncatedBelow: asGeneration(91) })
    const fact = { kind: 'logs-announced', nowMs: 10 * DAY_MS, announcement } as const
    const [after, orders] = stepReplica(before, fact)

    expect(brokenGuarantee(replicaGuarantees, { before, fact, after, orders })).toBeNull()
    expect(orders.filter(({ kind }) => kind === 'truncate-logs')).toEqual([])
  })
})

describe('the times of logs', () => {
  it('are never forgotten too early, nor kept much longer than the lag, whatever the times are', () => {
    const gaps = fc.array(fc.oneof(fc.nat(20_000), fc.nat(300)), { minLength: 1, maxLength: 400 })
    fc.assert(
      fc.property(
        fc.nat(300_000),
        fc.nat(300_000),
        gaps,
        fc.nat(400_000),
        (replayLagMs, truncationLagMs, waits, laterMs) => {
          const twin: { generation: Generation; logTimeMs: number }[] = []
          let lag = startLag({ replayLagMs, truncationLagMs })
          let nowMs = DAY_MS
          for (const waitMs of waits) {
            nowMs += waitMs
            const log = { generation: asGeneration(twin.length + 1), logTimeMs: nowMs }
            twin.push(log)
            lag = lag && lagAfterInspection(lag, [log], nowMs)
          }
          const inspected = asGeneration(twin.length)
          const state = { ...startReplica('SG1', { replays: true }), lag, inspected }
          const atMs = nowMs + laterMs
          const exact = (slackMs: number): number =>
            twin.filter((log) => atMs - log.logTimeMs >= replayLagMs + slackMs && inspected - log.generation >= 50)
              .length
          const through = replayableThrough(state, atMs)

          // Logs of one step wait for the newest of them: by a 1,440th of the replay lag at most, whatever the truncation lag is.
          expect(through).toBeLessThanOrEqual(exact(0))
          expect(through).toBeGreaterThanOrEqual(exact(replayLagMs / 1_440))
          expect(lag?.logTimes.length).toBeLessThanOrEqual(2 * 1_443)
        },
      ),
    )
  })
})
