// Goal: what a failover may lose never was in a database file, and a mount knows what it does without.
// Method: the tables of the reference; random rolls and crashes for the laws that nothing goes back.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  headerAtRoll,
  isRollDue,
  judgeMount,
  lostLogsText,
  nextWaypoint,
  type RequiredRange,
  rangeAfterLoss,
  resilienceDepth,
  rollPeriodMs,
} from '../../../engine/database/lost-log-resilience.ts'
import { asGeneration } from '../../../engine/generation.ts'

const TIME = '0102030405060700'

function aRange(min: number, max: number, committed: number, committedCreateTime = TIME): RequiredRange {
  return {
    minRequired: asGeneration(min),
    maxRequired: asGeneration(max),
    maxCommitted: asGeneration(committed),
    committedCreateTime,
  }
}

describe('lost log resilience', () => {
  test.each([
    ['stand-alone, LCR and SCR', false, 'rtm', 6, 1, '15 min', 96],
    ['stand-alone with the first service pack', false, 'sp1', 0, 1, '15 min', 96],
    ['CCR, lossless', true, 'rtm', 0, 1, '15 min', 96],
    ['CCR, good availability', true, 'rtm', 3, 4, '3.75 min', 384],
    ['CCR, best availability', true, 'rtm', 6, 7, '2.142857142857143 min', 672],
    ['CCR with the first service pack, whatever the dial', true, 'sp1', 0, 10, '1.5 min', 960],
    ['the same', true, 'sp1', 6, 10, '1.5 min', 960],
  ] as const)('of %s', (_, clustered, release, lostLogsTolerated, depth, period, rollsPerDay) => {
    expect(resilienceDepth({ clustered, release, lostLogsTolerated })).toBe(depth)
    expect(`${rollPeriodMs(depth) / 60_000} min`).toBe(period)
    expect(Math.round(86_400_000 / rollPeriodMs(depth))).toBe(rollsPerDay)
  })

  test('rolls no log more often than every 30 s, however deep it is', () => {
    expect(rollPeriodMs(30)).toBe(30_000)
    expect(rollPeriodMs(1000)).toBe(30_000)
  })

  test('rolls a log when its time is up and something is held back, and never without activity', () => {
    const due = { nowMs: 90_000, lastRollMs: 0, depth: 10, holdsChangesBack: true }

    expect(isRollDue(due)).toBe(true)
    expect(isRollDue({ ...due, nowMs: 89_999 })).toBe(false)
    expect(isRollDue({ ...due, nowMs: 10 ** 9, holdsChangesBack: false })).toBe(false)
  })
})

describe('the waypoint', () => {
  const log = (open: number, durable: number, depth: number) => ({
    open: asGeneration(open),
    durable: asGeneration(durable),
    depth,
  })

  test('stays the depth behind the open log, and behind what is durable', () => {
    expect(nextWaypoint(asGeneration(5), log(30, 29, 10))).toBe(20)
    expect(nextWaypoint(asGeneration(5), log(30, 12, 10))).toBe(12)
    expect(nextWaypoint(asGeneration(0), log(4, 3, 10))).toBe(0)
  })

  test('comes up to the open log when nothing is held back', () => {
    expect(nextWaypoint(asGeneration(5), log(30, 30, 0))).toBe(30)
    expect(nextWaypoint(asGeneration(5), log(30, 29, 0))).toBe(29)
  })

  test('never goes back, not even when the depth grows', () => {
    const anyLog = fc.record({ open: fc.integer({ min: 1, max: 500 }), behind: fc.nat(3), depth: fc.nat(20) })

    fc.assert(
      fc.property(fc.array(anyLog), (logs) => {
        let waypoint = asGeneration(0)
        for (const { open, behind, depth } of logs) {
          const durable = Math.max(0, open - behind)
          const next = nextWaypoint(waypoint, log(open, durable, depth))
          expect(next).toBeGreaterThanOrEqual(waypoint)
          expect(next).toBeLessThanOrEqual(Math.max(waypoint, durable))
          waypoint = next
        }
      }),
    )
  })
})

describe('the header at a roll', () => {
  const roll = (generation: number, waypoint: number, minRequired: number) => ({
    generation: asGeneration(generation),
    createTime: `time of ${generation}`,
    waypoint: asGeneration(waypoint),
    minRequired: asGeneration(minRequired),
  })

  test('keeps the newest committed log in memory only while nothing more is required', () => {
    expect(headerAtRoll(aRange(3, 5, 15), roll(16, 5, 3))).toEqual({
      range: aRange(3, 5, 16, 'time of 16'),
      rewrite: null,
    })
  })

  test('is written when more is required, after the logs of it are durable', () => {
    expect(headerAtRoll(aRange(3, 5, 15), roll(16, 6, 3))).toEqual({
      range: aRange(3, 6, 16, 'time of 16'),
      rewrite: { logThrough: 6, databaseFile: false },
    })
  })

  test('is written when less is required, after the database file is durable', () => {
    expect(headerAtRoll(aRange(3, 5, 15), roll(16, 5, 4)).rewrite).toEqual({ logThrough: null, databaseFile: true })
  })

  test('never goes back, keeps its order, and on the disk knows of all but the depth', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.array(fc.nat(5)), (depth, lags) => {
        let range = aRange(1, 1, 1)
        let onDisk = range
        let waypoint = asGeneration(1)
        for (const [index, lag] of lags.entries()) {
          const open = asGeneration(index + 2)
          const durable = asGeneration(open - 1)
          waypoint = nextWaypoint(waypoint, { open, durable, depth })
          const minRequired = asGeneration(Math.max(1, waypoint - lag))
          const next = headerAtRoll(range, { generation: open, createTime: '', waypoint, minRequired })
          expect(next.range.minRequired).toBeGreaterThanOrEqual(range.minRequired)
          expect(next.range.maxRequired).toBeGreaterThanOrEqual(range.maxRequired)
          expect(next.range.maxCommitted).toBe(open)
          expect(next.range.minRequired).toBeLessThanOrEqual(next.range.maxRequired)
          expect(next.range.maxRequired).toBeLessThanOrEqual(next.range.maxCommitted)
          if (next.rewrite?.logThrough !== null && next.rewrite !== null)
            expect(next.rewrite.logThrough).toBeLessThanOrEqual(durable)
          range = next.range
          if (next.rewrite !== null) onDisk = range
          // The header on the disk tells of every generation whose changes can be in the database file.
          expect(onDisk.maxRequired).toBe(range.maxRequired)
          expect(range.maxCommitted - onDisk.maxCommitted).toBeLessThanOrEqual(depth)
        }
      }),
    )
  })
})

describe('a mount', () => {
  const judge = (last: number, fields: { ignoreLostLogs?: boolean; damage?: boolean } = {}) =>
    judgeMount({
      range: aRange(5, 20, 30),
      last: asGeneration(last),
      lastIsFollowedByDamage: fields.damage ?? false,
      ignoreLostLogs: fields.ignoreLostLogs ?? false,
    })

  test('needs every log whose changes may be in the database file, whoever accepts what', () => {
    expect(judge(19)).toEqual({ verdict: 'required-missing', error: -543 })
    expect(judge(19, { ignoreLostLogs: true, damage: true })).toEqual({ verdict: 'required-missing', error: -543 })
  })

  test('misses committed logs, or accepts that they are lost', () => {
    const lost = { count: 10, first: 21, last: 30 }

    expect(judge(20)).toEqual({ verdict: 'committed-missing', error: -582, lost })
    expect(judge(20, { damage: true })).toEqual({ verdict: 'committed-corrupt', error: -586, lost })
    expect(judge(20, { ignoreLostLogs: true })).toEqual({ verdict: 'lossy', lost })
    expect(judge(29)).toMatchObject({ lost: { count: 1, first: 30, last: 30 } })
  })

  test('is complete with the last committed log, and with any after it', () => {
    expect(judge(30)).toEqual({ verdict: 'complete' })
    expect(judge(33, { damage: true })).toEqual({ verdict: 'complete' })
  })

  test('of a database that was shut down in order needs nothing', () => {
    const range = aRange(0, 0, 0)
    const last = asGeneration(0)

    expect(judgeMount({ range, last, lastIsFollowedByDamage: false, ignoreLostLogs: false }).verdict).toBe('complete')
  })

  test('that accepts a loss ends the range with what was replayed, and says what was lost', () => {
    const last = { generation: asGeneration(22), createTime: '0a' }

    expect(rangeAfterLoss(aRange(5, 20, 30), last)).toEqual(aRange(5, 20, 22, '0a'))
    expect(lostLogsText('Mailbox Database.edb', { count: 8, first: asGeneration(23), last: asGeneration(30) })).toBe(
      'Database Mailbox Database.edb has lost 8 committed log files (23-30). ' +
        'Lost log resilience has allowed it to be recovered to a consistent state, but with data loss.',
    )
  })
})
