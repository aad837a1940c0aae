// Goal: who waits for a copy to catch up waits for what was closed at the beginning, and not for what can never come.
// Method: the judge over states made by hand.
import { describe, expect, it } from 'vitest'
import type { Fault } from '../../engine/fact.ts'
import { asGeneration } from '../../engine/generation.ts'
import { type ReplicaState, startReplica } from '../../engine/replication/replica-state.ts'
import { caughtUpJudge, UNREACHABLE_PATIENCE_MS } from '../../src/caught-up.ts'

function aState(change: Partial<ReplicaState>, generated = 0): ReplicaState {
  const fresh = startReplica('SG1')
  const announcement = { ...fresh.announcement, generated: asGeneration(generated) }
  return { ...fresh, announcement, ...change }
}

function aJudge() {
  const world = { announced: true, lastFault: null as Fault | null, nowMs: 0 }
  const judge = caughtUpJudge({
    announced: () => world.announced,
    lastFault: () => world.lastFault,
    nowMs: () => world.nowMs,
  })
  return { world, judge }
}

/** A failure that comes and goes. */
function failed(message: string): Pick<ReplicaState, 'failure'> {
  return { failure: { kind: 'transient', message, sinceMs: 0 } }
}

describe('a copy has caught up', () => {
  it('when everything is inspected that was closed at the beginning, whatever was closed since', () => {
    const { judge } = aJudge()

    expect(judge(aState({ connected: true, inspected: asGeneration(3) }, 5))).toBeNull()
    expect(judge(aState({ connected: true, inspected: asGeneration(4) }, 50))).toBeNull()
    expect(judge(aState({ connected: true, inspected: asGeneration(5) }, 60))?.inspected).toBe(5)
  })

  it('not before its source has said what it holds', () => {
    const { judge, world } = aJudge()
    world.announced = false

    expect(judge(aState({ connected: true }))).toBeNull()
    world.announced = true
    expect(judge(aState({ connected: true }))).not.toBeNull()
  })
})

describe('waiting for a copy is given up', () => {
  it('when its source is out of reach for ten seconds on end', () => {
    const { judge, world } = aJudge()
    const away = aState({ connected: false, ...failed('refused') })
    world.lastFault = { code: 'NODE_UNREACHABLE', message: 'refused' }

    world.nowMs = UNREACHABLE_PATIENCE_MS - 1
    expect(judge(away)).toBeNull()
    expect(judge(aState({ connected: true }, 5))).toBeNull()
    world.nowMs += UNREACHABLE_PATIENCE_MS - 1
    expect(judge(away)).toBeNull()
    world.nowMs += 1
    expect(() => judge(away)).toThrow(/SG1 cannot be reached: refused/)
  })

  it('when its source says no', () => {
    const { judge, world } = aJudge()
    world.lastFault = { code: 'SHARE_UNKNOWN', message: 'no share named SG1' }

    expect(() => judge(aState(failed('no share named SG1')))).toThrow(
      expect.objectContaining({ code: 'SHARE_UNKNOWN', retriable: false }),
    )
  })

  it('when a log is missing, or was refused three times', () => {
    const { judge } = aJudge()
    const failure = { message: 'log 00000002 …', sinceMs: 0 }

    expect(() => judge(aState({ failure: { kind: 'missing', ...failure } }))).toThrow(
      expect.objectContaining({ code: 'LOG_MISSING' }),
    )
    expect(() => judge(aState({ failure: { kind: 'permanent', ...failure } }))).toThrow(
      expect.objectContaining({ code: 'LOG_REJECTED' }),
    )
  })
})
