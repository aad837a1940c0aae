// Goal: the status shows one condition out of several by their precedence, and its counters and times are what they are called.
// Method: states built by hand, every condition alone and with each other; written against mutants that the stories let live.
import { describe, expect, it } from 'vitest'
import type { Suspension } from '../../../engine/fact.ts'
import { asGeneration } from '../../../engine/generation.ts'
import { UNSEEN_DATABASE } from '../../../engine/replication/copy-database.ts'
import { copyStatus } from '../../../engine/replication/copy-status.ts'
import { type Failure, startReplica } from '../../../engine/replication/replica-state.ts'
import { aCopy, announcing, timeOf } from './build.ts'

const failure: Failure = { kind: 'transient', message: 'the disk is full', sinceMs: 1 }
const suspension: Suspension = {
  comment: 'a new disk',
  sinceMs: 1,
  inspected: asGeneration(2),
  inspectedTimeMs: timeOf(2),
  database: null,
}

describe('the summary', () => {
  const none = { failed: false, suspended: false, resynchronizing: false, initializing: false }

  it.each([
    ['Initializing', { phase: 'unstarted' }, { initializing: true }],
    ['Initializing', {}, { initializing: true }],
    ['Initializing', { phase: 'waiting' }, {}],
    ['Initializing', { phase: 'waiting', sawLog: true }, {}],
    ['Healthy', { sawLog: true }, {}],
    ['Resynchronizing', { phase: 'checking' }, { resynchronizing: true }],
    ['Resynchronizing', { phase: 'checking', sawLog: true }, { resynchronizing: true }],
    ['Suspended', { suspension }, { suspended: true }],
    ['Suspended', { suspension, sawLog: true }, { suspended: true }],
    ['Suspended', { suspension, phase: 'checking' }, { suspended: true }],
    ['Failed', { failure }, { failed: true }],
    ['Failed', { failure, sawLog: true }, { failed: true }],
    ['Failed', { failure, phase: 'waiting' }, { failed: true }],
    ['Failed', { failure, phase: 'checking' }, { failed: true, resynchronizing: true }],
    ['Failed', { failure, suspension }, { failed: true, suspended: true }],
  ] as const)('is %s of %o', (summary, change, flags) => {
    expect(copyStatus(aCopy(2, change))).toMatchObject({ summary, ...none, ...flags })
  })

  it('comes with why it failed and why it was suspended, and with nothing otherwise', () => {
    expect(copyStatus(aCopy(2))).toMatchObject({ failedMessage: '', suspendComment: '' })
    expect(copyStatus(aCopy(2, { failure, suspension }))).toMatchObject({
      failedMessage: 'the disk is full',
      suspendComment: 'a new disk',
    })
  })
})

describe('the counters', () => {
  it('are those of the announcement and of the copy', () => {
    const copy = aCopy(5, {
      announcement: announcing(1, 12, { closedThrough: asGeneration(9) }),
      copied: asGeneration(7),
      copiedTimeMs: timeOf(7),
      database: {
        ...UNSEEN_DATABASE,
        phase: 'open',
        progress: {
          replayedThrough: asGeneration(3),
          logTimeMs: timeOf(3),
          requiredLow: asGeneration(2),
          requiredHigh: asGeneration(4),
        },
        batch: { first: asGeneration(3), last: asGeneration(5) },
      },
    })

    expect(copyStatus(copy)).toEqual({
      storageGroup: 'SG1',
      seeding: false,
      summary: 'Initializing',
      failed: false,
      failedMessage: '',
      initializing: true,
      resynchronizing: false,
      suspended: false,
      suspendComment: '',
      copyQueueLength: 7,
      replayQueueLength: 2,
      latestAvailableLogTimeMs: timeOf(12),
      lastNotifiedLogTimeMs: timeOf(12),
      lastCopiedLogTimeMs: timeOf(7),
      lastInspectedLogTimeMs: timeOf(5),
      lastReplayedLogTimeMs: timeOf(3),
      lastLogGenerated: 12,
      lastLogCopyNotified: 9,
      lastLogCopied: 7,
      lastLogInspected: 5,
      lastLogReplayed: 3,
      replayBatch: { size: 3, complete: 1, remaining: 2 },
      requiredLogs: { low: 2, high: 4 },
      lowestLog: 1,
      connected: true,
      remark: '',
    })
  })

  it('never say that the source has less than the copy, which may know it from before', () => {
    expect(copyStatus(aCopy(5))).toMatchObject({ lastLogGenerated: 5, lastLogCopyNotified: 5, lastLogCopied: 5 })
  })

  it('have no times before there is a log', () => {
    expect(copyStatus(startReplica('SG1'))).toMatchObject({
      latestAvailableLogTimeMs: null,
      lastNotifiedLogTimeMs: null,
      lastCopiedLogTimeMs: null,
      lastInspectedLogTimeMs: null,
      connected: false,
    })
  })
})
