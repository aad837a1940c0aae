// Goal: for each log on a copy it is told why it is there, and what is told agrees with what the copy deletes.
// Method: a property against the deletor's own plan, and the rules one by one.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asGeneration } from '../../../engine/generation.ts'
import { UNSEEN_DATABASE } from '../../../engine/replication/copy-database.ts'
import { explainCopyInWords, explainCopyTruncation } from '../../../engine/replication/explain-truncation.ts'
import { mayWork, type ReplicaState } from '../../../engine/replication/replica-state.ts'
import { planCopyTruncation } from '../../../engine/replication/truncation.ts'
import { aCopy, announcing } from './build.ts'

const g = asGeneration

function withDatabase(requiredLow: number, phase: 'open' | 'closed' = 'open'): Partial<ReplicaState> {
  const progress = { ...UNSEEN_DATABASE.progress, requiredLow: g(requiredLow), replayedThrough: g(requiredLow) }
  return { database: { ...UNSEEN_DATABASE, phase, progress } }
}

function rulesOf(state: ReplicaState): (readonly [string, readonly string[]])[] {
  return explainCopyTruncation(state, 0).held.map(({ range, reasons }) => [
    `${range.first}-${range.last}`,
    reasons.map(({ rule }) => rule),
  ])
}

describe('an explanation at the copy', () => {
  it('splits where the rules change', () => {
    const announcement = announcing(4, 9, { truncatedBelow: g(8) })

    expect(rulesOf(aCopy(9, { announcement, ...withDatabase(6) }))).toEqual([
      ['1-5', []],
      ['6-7', ['required']],
      ['8-8', ['not-truncated', 'required']],
      ['9-9', ['not-truncated', 'required', 'newest']],
    ])
  })

  it.each([
    ['suspended', { suspension: { comment: '', sinceMs: 1, inspected: g(9), inspectedTimeMs: 1, database: null } }],
    ['frozen', { frozen: true }],
    ['failed', { failure: { kind: 'permanent', message: 'x', sinceMs: 1 } }],
    ['not-ready', { phase: 'checking' }],
    ['not-ready', withDatabase(9, 'closed')],
  ] as const)('names what keeps the whole copy from deleting: %s', (rule, change) => {
    const announcement = announcing(4, 9, { truncatedBelow: g(4) })
    const { held, truncatableThrough } = explainCopyTruncation(aCopy(9, { announcement, ...change }), 0)

    expect(truncatableThrough).toBe(0)
    for (const { reasons } of held) expect(reasons[0]?.rule).toBe(rule)
  })

  it('is empty for an empty copy, and a sentence for any other', () => {
    const [held] = explainCopyTruncation(aCopy(1), 0).held

    expect(explainCopyTruncation(aCopy(0), 0)).toMatchObject({ logs: null, held: [] })
    expect(held === undefined ? '' : explainCopyInWords('SG1', held)).toMatch(
      /^Log 00000001 of the copy of SG1 is kept because .*nothing/,
    )
  })

  it('agrees with what is deleted', () => {
    const numbers = {
      inspected: fc.integer({ min: 0, max: 9 }),
      edge: fc.integer({ min: 0, max: 12 }),
      required: fc.integer({ min: 0, max: 10 }),
    }
    fc.assert(
      fc.property(fc.record({ ...numbers, frozen: fc.boolean(), isOpen: fc.boolean() }), (drawn) => {
        const { inspected, edge, required, frozen, isOpen } = drawn
        const database = required === 0 ? {} : withDatabase(required, isOpen ? 'open' : 'closed')
        const state = aCopy(inspected, {
          announcement: announcing(1, 12, { truncatedBelow: g(edge) }),
          frozen,
          ...database,
        })
        const plan = mayWork(state) ? planCopyTruncation(state, 0) : null
        const { held, truncatableThrough } = explainCopyTruncation(state, 0)

        expect(truncatableThrough >= 1 && inspected > 0 ? truncatableThrough : null).toBe(plan?.last ?? null)
        expect(held.filter(({ reasons }) => reasons.length === 0).map(({ range }) => range.last)).toEqual(
          plan === null ? [] : [plan.last],
        )
      }),
    )
  })
})
