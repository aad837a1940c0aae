// Goal: each rule that holds truncation is told by its own name, with its own edge and since when; every cell of the rule's table.
// Method: build the state of a source by hand, ask for its holds; written against mutants that the stories let live.
import { describe, expect, it } from 'vitest'
import type { CopyReport } from '../../../engine/fact.ts'
import { asGeneration } from '../../../engine/generation.ts'
import type { SourceCopy } from '../../../engine/source/source-state.ts'
import { holds, planTruncation, truncatableThrough } from '../../../engine/source/truncation-rule.ts'
import { aSource, aSourceCopy, REPORT } from './build.ts'

function aReplayingCopy(change: Partial<CopyReport> = {}): SourceCopy {
  return aSourceCopy({ report: { ...REPORT, requiredLow: asGeneration(3), ...change } })
}

describe('a copy holds the source', () => {
  it.each([
    ['not-inspected', 7, 1_000, aSourceCopy()],
    ['failed', 7, 1_000, aSourceCopy({ report: { ...REPORT, condition: 'failed' } })],
    ['suspended', 7, 1_000, aSourceCopy({ report: { ...REPORT, condition: 'suspended' } })],
    ['suspended', 7, 1_000, aSourceCopy({ connected: false, report: { ...REPORT, condition: 'suspended' } })],
    ['unreachable', 7, 9_000, aSourceCopy({ connected: false })],
    ['unreachable', 7, 9_000, aSourceCopy({ connected: false, report: { ...REPORT, condition: 'failed' } })],
    ['not-heard', 0, 0, aSourceCopy({ report: null })],
    ['not-heard', 0, 0, aSourceCopy({ report: null, connected: false })],
  ] as const)('as %s through %i since %i', (rule, through, sinceMs, copy) => {
    const [, hold] = holds(aSource([copy]))

    expect(hold).toEqual({ rule, through, sinceMs, copy: { copyId: 'c1', label: 'node2:/store' } })
  })

  it('that keeps logs only with what it has inspected, whatever the gate', () => {
    const source = aSource([aSourceCopy()], { passiveGate: 'replayed' })

    expect(holds(source)[1]).toMatchObject({ rule: 'not-inspected', through: 7 })
  })

  it('that has a database with what it has replayed, and with what it requires', () => {
    const source = aSource([aReplayingCopy()], { passiveGate: 'replayed' })

    expect(holds(source).slice(1)).toMatchObject([
      { rule: 'not-replayed', through: 4 },
      { rule: 'required', through: 2 },
    ])
    expect(truncatableThrough(source)).toBe(2)
  })

  it('that has a database with what it has inspected, where the gate says so', () => {
    const source = aSource([aReplayingCopy()], { passiveGate: 'inspected' })

    expect(holds(source).slice(1)).toMatchObject([{ rule: 'not-inspected', through: 7 }])
  })

  it.each([
    ['suspended', aReplayingCopy({ condition: 'suspended' })],
    ['failed', aReplayingCopy({ condition: 'failed' })],
    ['unreachable', { ...aReplayingCopy(), connected: false }],
  ] as const)('that has a database and is %s by one rule, at what it requires', (rule, copy) => {
    expect(holds(aSource([copy], { passiveGate: 'replayed' })).slice(1)).toMatchObject([{ rule, through: 2 }])
  })

  it('with everything while its database was not opened', () => {
    const source = aSource([aReplayingCopy({ requiredLow: asGeneration(0) })], { passiveGate: 'replayed' })

    expect(truncatableThrough(source)).toBe(0)
  })
})

describe('the active holds the source', () => {
  it('with everything before its store has said what it needs, then from the first log that its database needs on', () => {
    const source = aSource([], { copiesExpected: 0, active: 'mailbox' })
    const told = { ...source, activeRequired: asGeneration(6) }

    expect(holds(source)[1]).toEqual({ rule: 'checkpoint', through: 0, copy: null, sinceMs: 0 })
    expect(holds(told)[1]).toMatchObject({ rule: 'checkpoint', through: 5 })
    expect([truncatableThrough(source), truncatableThrough(told)]).toEqual([0, 5])
  })

  it('not at all where another program writes the logs', () => {
    expect(holds(aSource([], { copiesExpected: 0 })).map(({ rule }) => rule)).toEqual(['not-backed-up'])
  })

  it('by one rule alone under circular logging, and nothing is deleted but by the store', () => {
    const source = aSource([aSourceCopy()], { active: 'circular' })

    expect(holds(source)).toEqual([{ rule: 'circular', through: 0, copy: null, sinceMs: 0 }])
    expect(planTruncation({ ...source, activeRequired: asGeneration(9) }, 5)).toBeNull()
  })
})

describe('the edge of truncation', () => {
  it.each([
    [7, [aSourceCopy()], 1],
    [3, [aSourceCopy(), aSourceCopy({ copyId: 'c2', report: { ...REPORT, inspected: asGeneration(3) } })], 1],
    [0, [aSourceCopy()], 2],
    [0, [], 1],
    [9, [], 0],
    [9, [aSourceCopy({ report: { ...REPORT, inspected: asGeneration(10) } })], 1],
  ])('is %i', (through, copies, copiesExpected) => {
    expect(truncatableThrough(aSource(copies, { copiesExpected }))).toBe(through)
  })

  it('is nothing before a backup was reported', () => {
    expect(truncatableThrough({ ...aSource([aSourceCopy()]), mark: null })).toBe(0)
  })

  it('is deleted from the lowest log on, and not while a deletion runs, waits, or has nothing to do', () => {
    const source = aSource([aSourceCopy()])
    const range = { first: asGeneration(1), last: asGeneration(7) }

    expect(planTruncation(source, 5)).toEqual(range)
    expect(planTruncation({ ...source, truncating: range }, 5)).toBeNull()
    expect(planTruncation({ ...source, truncateAgainMs: 6 }, 5)).toBeNull()
    expect(planTruncation({ ...source, truncateAgainMs: 5 }, 5)).toEqual(range)
    expect(planTruncation({ ...source, closed: null }, 5)).toBeNull()
    expect(planTruncation({ ...source, mark: null }, 5)).toBeNull()
  })
})
