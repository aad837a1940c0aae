// Goal: RTM meets a gap and a log that it cannot replay again and again, and SP1 once, in the same situation.
// Method: the same facts to a copy of each release that holds logs 1 to 5 and has replayed them.
import { describe, expect, it } from 'vitest'
import type { ReplicaFact } from '../../../engine/fact.ts'
import { asGeneration } from '../../../engine/generation.ts'
import { brokenGuarantee } from '../../../engine/guarantee.ts'
import type { ReplicaOrder } from '../../../engine/order.ts'
import type { Release } from '../../../engine/release.ts'
import { UNSEEN_DATABASE } from '../../../engine/replication/copy-database.ts'
import { copyStatus } from '../../../engine/replication/copy-status.ts'
import { releaseGuarantees } from '../../../engine/replication/release-guarantee.ts'
import type { ReplicaState } from '../../../engine/replication/replica-state.ts'
import { TRIAL_MS } from '../../../engine/replication/restart.ts'
import { aCopiedLog, aFault, announcing, asked } from './build.ts'
import { atWork, type Bench, kinds, lacking, progressAt, RELEASES } from './release-bench.ts'

describe('a gap in the middle', () => {
  it('is Failed with SP1 until the log is put back, and everything else goes on', () => {
    const bench = atWork('sp1').announce(lacking(6, 9))

    expect(kinds(bench.orders)).toEqual(['event 2059'])
    expect([bench.summary, bench.queues]).toEqual(['Failed', [4, 0]])
    expect(bench.advance(3_600_000).summary).toBe('Failed')
    expect(kinds(bench.orders)).toEqual([])
    expect(asked(bench.announce(announcing(1, 9)).orders)).toEqual([[6, 9]])
  })

  it('stops the copy of RTM, which is started again, and is Healthy until it meets the gap again', () => {
    const bench = atWork('rtm').announce(lacking(6, 9))

    expect(kinds(bench.orders)).toEqual(['stop-copying', 'stop-replaying', 'event 2059', 'wake-at'])
    expect([bench.summary, bench.queues]).toEqual(['Failed', [4, 3]])
    expect(bench.advance(1_000).summary).toBe('Healthy')
    expect(kinds(bench.orders)).toEqual(['check-store', 'wake-at'])
    expect(bench.check(5).remark).toBe(
      'RTM has started the copy again and forgotten: log 00000006 is missing on the source',
    )
    expect(bench.advance(TRIAL_MS - 10).summary).toBe('Healthy')
    expect(bench.advance(10).summary).toBe('Failed')
    expect(kinds(bench.orders)).toContain('event 2059')
  })

  it('is met for ever, each time after twice the wait, at most 30 s, with both queues growing', () => {
    const bench = atWork('rtm').announce(lacking(6, 9))
    const seen = []
    for (let round = 0; round < 7; round++) {
      seen.push([bench.state.retryAtMs - bench.nowMs, ...bench.queues])
      bench.announce(lacking(6, 10 + round))
      bench
        .advance(bench.state.retryAtMs - bench.nowMs)
        .check(5)
        .advance(TRIAL_MS)
    }

    expect(seen).toEqual([
      [1_000, 4, 3],
      [2_000, 5, 4],
      [4_000, 6, 5],
      [8_000, 7, 6],
      [16_000, 8, 7],
      [30_000, 9, 8],
      [30_000, 10, 9],
    ])
  })

  it('is over for RTM as for SP1 once the log is put back', () => {
    const bench = atWork('rtm').announce(lacking(6, 9)).advance(1_000).check(5)

    expect(asked(bench.announce(announcing(1, 9)).orders)).toEqual([[6, 9]])
    expect(bench.advance(TRIAL_MS).ship(6, 9).summary).toBe('Healthy')
    expect(bench.remark).toBe('')
  })

  it('lets RTM replay what is inspected below it', () => {
    const bench = atWork('rtm').announce(announcing(1, 6)).ship(6, 6).announce(lacking(7, 9))

    expect(kinds(bench.advance(1_000).check(6).orders)).toContain('replay-logs')
    expect(bench.tell({ kind: 'logs-replayed', progress: progressAt(6) }).queues).toEqual([3, 2])
  })

  it('at the lower edge of the source asks for nothing in the trial', () => {
    const bench = atWork('rtm').announce(announcing(8, 9)).advance(1_000).check(5)

    expect([bench.summary, bench.queues, asked(bench.orders)]).toEqual(['Healthy', [4, 2], []])
    expect(bench.advance(TRIAL_MS).summary).toBe('Failed')
  })

  it('leaves a copy of RTM Failed that is started again while its source is away', () => {
    const bench = atWork('rtm')
      .announce(lacking(6, 9))
      .tell({ kind: 'source-lost', fault: aFault('NODE_UNREACHABLE') })
    const away = copyStatus(bench.advance(1_000).check(5).state)

    expect(away).toMatchObject({ summary: 'Failed', failedMessage: 'the source cannot be reached' })
    expect(bench.tell({ kind: 'source-connected' }).summary).toBe('Healthy')
    expect(bench.announce(lacking(6, 9)).advance(TRIAL_MS).summary).toBe('Failed')
  })
})

describe('a log that cannot be replayed', () => {
  const failed = (release: Release, eseError = -567): Bench =>
    atWork(release).announce(announcing(1, 6)).ship(6, 6).failReplay(eseError)

  it('is the end with SP1, until an operator acts', () => {
    const bench = failed('sp1')

    expect([bench.state.database?.phase, bench.summary]).toEqual(['failed', 'Failed'])
    expect(bench.announce(announcing(1, 9)).queues).toEqual([3, 1])
    expect(bench.advance(3_600_000).summary).toBe('Failed')
    expect(kinds(bench.orders)).toEqual([])
  })

  it('is tried again by RTM: Healthy, with logs that come meanwhile, until it is replayed again', () => {
    const bench = failed('rtm').announce(announcing(1, 8))
    const queues = [bench.queues]

    expect(kinds(bench.advance(1_000).orders)).toEqual(['check-store', 'wake-at'])
    queues.push(bench.check(6).ship(7, 8).queues)
    expect([bench.summary, bench.remark]).toEqual(['Healthy', expect.stringContaining('has to be seeded')])
    expect(kinds(bench.advance(TRIAL_MS).orders)).toEqual(['replay-logs'])
    expect(bench.failReplay(-567).summary).toBe('Failed')
    queues.push(bench.announce(announcing(1, 11)).queues)
    expect(queues).toEqual([
      [2, 1],
      [0, 3],
      [3, 3],
    ])
    expect(bench.state.retryAtMs).toBeGreaterThan(bench.nowMs + 1_900)
  })

  it.each([
    ['sp1', 'Failed'],
    ['rtm', 'Healthy'],
  ] as const)('for want of a disk is %s: %s when it is tried again', (release, summary) => {
    const bench = failed(release, -1022).advance(1_000)

    expect(bench.check(6).summary).toBe(summary)
  })

  it('because it decayed is copied again three times with either, and not once more', () => {
    for (const release of RELEASES) {
      const bench = failed(release, -501)
      bench.check(5).ship(6, 6).failReplay(-501).check(5).ship(6, 6).failReplay(-501)
      expect([bench.summary, kinds(bench.orders).includes('set-aside-log')]).toEqual(['Failed', false])
      if (release === 'sp1') continue
      bench.advance(1_000).check(6).advance(TRIAL_MS).failReplay(-501)
      expect([bench.summary, kinds(bench.orders).includes('set-aside-log')]).toEqual(['Failed', false])
    }
  })

  it('does not make RTM forget a log that failed inspection three times', () => {
    const bench = atWork('rtm').announce(announcing(1, 7)).ship(6, 6)
    const rejection = { reason: 'corrupt-checksum', detail: 'why' }
    for (let times = 0; times < 3; times++) bench.tell({ kind: 'log-copied', log: { ...aCopiedLog(7), rejection } })
    bench.failReplay(-567)

    expect(bench.advance(1_000).check(6).summary).toBe('Failed')
    expect(copyStatus(bench.state).failedMessage).toContain('failed inspection 3 times')
  })
})

describe('a full disk', () => {
  it.each([
    ['sp1', 'Failed'],
    ['rtm', 'Healthy'],
  ] as const)('is, with %s, %s when it is tried again with logs to be copied', (release, summary) => {
    const full = { kind: 'store-failed', fault: aFault('DISK_FULL') } as const
    const bench = atWork(release).announce(announcing(1, 9)).tell(full)

    expect(bench.summary).toBe('Failed')
    expect(bench.advance(1_000).check(5).summary).toBe(summary)
  })
})

describe('the guarantees of the releases', () => {
  const trial = { untilMs: 50, forgot: 'why' }
  const fact: ReplicaFact = { kind: 'time-passed', nowMs: 10 }
  const broken = (release: Release, change: Partial<ReplicaState>, orders: readonly ReplicaOrder[] = []): string => {
    const before = atWork(release).state
    return brokenGuarantee(releaseGuarantees, { before, fact, after: { ...before, ...change }, orders }) ?? ''
  }

  it('see a copy of SP1 that forgets', () => {
    expect(broken('sp1', { trial })).toContain('never forgets by itself why it failed')
  })

  it('see a copy of RTM that misses a log and is not started again', () => {
    const failure = { kind: 'missing', message: 'why', sinceMs: 1 } as const

    expect(broken('rtm', { failure })).toContain('it is running and Failed')
    expect(broken('rtm', { failure, phase: 'waiting', retryAtMs: 30_011 })).toContain('it waits until 30011')
    expect(broken('rtm', { failure, phase: 'waiting', retryAtMs: 30_010 })).not.toContain('started again')
  })

  it('see a trial that does not end, or in which logs are replayed', () => {
    const range = { first: asGeneration(6), last: asGeneration(6) }
    const trouble = { message: 'why', sinceMs: 1, faults: 1, isFinal: true }
    const database = { ...UNSEEN_DATABASE, trouble }

    expect(broken('rtm', { trial: { ...trial, untilMs: 10 } })).toContain('it is over and goes on')
    expect(broken('rtm', { trial: { ...trial, untilMs: 11 + TRIAL_MS } })).toContain('it lasts until')
    const replay = [{ kind: 'replay-logs', session: 1, range }] as const
    expect(broken('rtm', { trial, database }, replay)).toContain('logs are replayed in it')
    expect(broken('rtm', { trial }, replay)).not.toContain('logs are replayed in it')
  })
})
