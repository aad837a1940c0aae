// Goal: a frozen copy is left alone, and nobody but who froze it notices; afterwards it goes on as if nothing had been.
// Method: single steps of the replica, with logs on their way and a source that talks.
import { describe, expect, it } from 'vitest'
import type { ReplicaFact } from '../../../engine/fact.ts'
import { asGeneration } from '../../../engine/generation.ts'
import { copyStatus } from '../../../engine/replication/copy-status.ts'
import { aCopiedLog, aCopy, aFault, announcing, asked, only, ordersOf, play } from './build.ts'

const announced: ReplicaFact = { kind: 'logs-announced', nowMs: 1, announcement: announcing(1, 9) }
const froze: ReplicaFact = { kind: 'operator-froze', nowMs: 2, requestId: 7 }
const thawed: ReplicaFact = { kind: 'operator-thawed', nowMs: 3, requestId: 8 }
const asking = () => play(aCopy(5), announced)

describe('a freeze', () => {
  it('is answered when all work has stopped, and tells the source nothing', () => {
    expect(ordersOf(asking(), froze).map(({ kind }) => kind)).toEqual(['stop-copying', 'answer-operator'])
  })

  it('leaves the status what it was', () => {
    const { copyQueueLength: _, ...before } = copyStatus(asking())

    expect(copyStatus(play(asking(), froze))).toMatchObject(before)
  })

  it('does not end by what comes from the source, or came too late', () => {
    const frozen = play(asking(), froze)
    const late: ReplicaFact = { kind: 'log-copied', nowMs: 3, session: 1, log: aCopiedLog(6) }

    expect(ordersOf(frozen, late)).toEqual([])
    expect(ordersOf(frozen, { kind: 'logs-announced', nowMs: 3, announcement: announcing(1, 20) })).toEqual([])
    expect(ordersOf(frozen, { kind: 'source-connected', nowMs: 3 })).toEqual([])
    expect(
      ordersOf(frozen, { kind: 'store-failed', nowMs: 3, session: frozen.session, fault: aFault('DISK_FULL') }),
    ).toEqual([])
  })

  it.each([
    ['frozen', play(asking(), froze)],
    ['suspended', play(asking(), { kind: 'operator-suspended', nowMs: 2, requestId: 1, comment: null })],
    ['Failed', play(asking(), { kind: 'source-lost', nowMs: 2, fault: aFault('NODE_UNREACHABLE') })],
    ['looked at', play(asking(), froze, thawed)],
  ])('is refused while the copy is %s, with what to do', (_, state) => {
    const [answer] = only(ordersOf(state, froze), 'answer-operator')

    expect(answer?.refusal).toMatchObject({ code: 'STATE_REFUSED', hint: expect.stringMatching(/.../) })
  })
})

describe('a thaw', () => {
  it('looks at the store first, then asks for what was on its way', () => {
    const frozen = play(asking(), froze)
    const thawedNow = play(frozen, thawed)
    const contents = {
      run: { first: asGeneration(1), last: asGeneration(5) },
      identity: aCopiedLog(5).identity,
      logTimeMs: 0,
    }

    expect(ordersOf(frozen, thawed).map(({ kind }) => kind)).toEqual(['answer-operator', 'check-store'])
    expect(
      asked(ordersOf(thawedNow, { kind: 'store-checked', nowMs: 4, session: thawedNow.session, contents })),
    ).toEqual([[6, 9]])
  })

  it('of a copy that is not frozen says so', () => {
    expect(ordersOf(asking(), thawed)).toMatchObject([
      { kind: 'answer-operator', refusal: null, remark: 'the copy was not frozen' },
    ])
  })

  it('leaves a copy suspended that was suspended meanwhile, and a Resume waits for it', () => {
    const resumed: ReplicaFact = { kind: 'operator-resumed', nowMs: 4, requestId: 9 }
    const suspended = play(asking(), froze, { kind: 'operator-suspended', nowMs: 3, requestId: 1, comment: null })

    expect(only(ordersOf(suspended, resumed), 'answer-operator')[0]?.refusal?.code).toBe('STATE_REFUSED')
    expect(play(suspended, thawed)).toMatchObject({ frozen: false, suspension: { sinceMs: 3 } })
  })
})
