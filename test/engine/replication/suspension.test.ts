// Goal: Suspend and Resume keep their promises to the letter: what is recorded, since when, and what the status says meanwhile.
// Method: single steps of the replica; written against mutants that the stories let live.
import { describe, expect, it } from 'vitest'
import { copyStatus } from '../../../engine/replication/copy-status.ts'
import { stepReplica } from '../../../engine/replication/replica-instance.ts'
import { type ReplicaState, startReplica } from '../../../engine/replication/replica-state.ts'

function aRunningCopy(): ReplicaState {
  const contents = { run: null, identity: null, logTimeMs: 0 }
  return stepReplica(startReplica('SG1'), { kind: 'copy-started', nowMs: 1, contents, suspension: null, stream: 0 })[0]
}

function suspended(comment: string | null, nowMs: number, before = aRunningCopy()): ReplicaState {
  return stepReplica(before, { kind: 'operator-suspended', nowMs, requestId: 1, comment })[0]
}

describe('a suspension', () => {
  it('stops the work, is recorded and only then answered', () => {
    const [, orders] = stepReplica(aRunningCopy(), { kind: 'operator-suspended', nowMs: 5, requestId: 1, comment: 'x' })

    expect(orders.map((order) => order.kind)).toEqual([
      'stop-copying',
      'record-suspension',
      'raise-event',
      'answer-operator',
    ])
  })

  it('counts from when it was asked for, also when its comment is replaced', () => {
    expect(suspended('first', 5).suspension).toMatchObject({ comment: 'first', sinceMs: 5 })
    expect(suspended('second', 9, suspended('first', 5)).suspension).toMatchObject({ comment: 'second', sinceMs: 5 })
  })

  it('keeps its comment when it is asked for again without one', () => {
    expect(suspended(null, 9, suspended('first', 5)).suspension).toMatchObject({ comment: 'first' })
  })

  it('begins a new session, so that late outcomes are ignored', () => {
    const before = aRunningCopy()

    expect(suspended(null, 5, before).session).toBe(before.session + 1)
  })

  it('is over with Resume, which checks the store before anything else', () => {
    const [resumed, orders] = stepReplica(suspended('x', 5), { kind: 'operator-resumed', nowMs: 7, requestId: 2 })

    expect(copyStatus(resumed)).toMatchObject({ summary: 'Resynchronizing', suspended: false, suspendComment: '' })
    expect(orders.at(-1)).toEqual({ kind: 'check-store', session: resumed.session })
  })
})
