// Goal: the explanation names for each log every rule that holds it, by rows that meet without a gap, and what would release it.
// Method: build the state of a source by hand and explain it; every rule has its sentence. Written against mutants.
import { describe, expect, it } from 'vitest'
import { asGeneration, NO_GENERATION } from '../../../engine/generation.ts'
import {
  explainInWords,
  explainTruncation,
  type TruncationExplanation,
} from '../../../engine/source/explain-truncation.ts'
import type { SourceCopy, SourceOptions, SourceState } from '../../../engine/source/source-state.ts'
import type { HoldingRule } from '../../../engine/source/truncation-rule.ts'
import { aSource, aSourceCopy, REPORT } from './build.ts'

/** The rows, as `first-last: rule, rule`. */
function rows({ held }: TruncationExplanation): readonly string[] {
  return held.map(({ range, reasons }) => `${range.first}-${range.last}: ${reasons.map(({ rule }) => rule).join(', ')}`)
}

function backedUpThrough(through: number, copies: readonly SourceCopy[]): SourceState {
  return { ...aSource(copies), mark: { through: asGeneration(through), atMs: 0 } }
}

function inspectedThrough(inspected: number, copyId = 'c1'): SourceCopy {
  return aSourceCopy({ copyId, label: `${copyId}:/store`, report: { ...REPORT, inspected: asGeneration(inspected) } })
}

describe('the explanation', () => {
  it.each([
    ['where a backup ends', backedUpThrough(9, [inspectedThrough(10)]), ['1-9: ', '10-10: not-backed-up']],
    [
      'where each copy stands, whatever the order of the rules',
      backedUpThrough(8, [inspectedThrough(6, 'c1'), inspectedThrough(2, 'c2')]),
      [
        '1-2: ',
        '3-6: not-inspected',
        '7-8: not-inspected, not-inspected',
        '9-10: not-backed-up, not-inspected, not-inspected',
      ],
    ],
    ['after the lowest log', backedUpThrough(1, [inspectedThrough(10)]), ['1-1: ', '2-10: not-backed-up']],
    ['nowhere when all rules end with the newest log', backedUpThrough(10, [inspectedThrough(10)]), ['1-10: ']],
    ['nowhere when a rule holds everything', backedUpThrough(0, [inspectedThrough(10)]), ['1-10: not-backed-up']],
    [
      'nowhere below the lowest log',
      {
        ...backedUpThrough(3, [inspectedThrough(2)]),
        closed: {
          lowest: asGeneration(4),
          closedThrough: asGeneration(10),
          generated: asGeneration(10),
          logTimeMs: 0,
        },
      },
      ['4-10: not-backed-up, not-inspected'],
    ],
  ] as const)('splits the logs %s', (_, source, expected) => {
    expect(rows(explainTruncation(source))).toEqual(expected)
  })

  it('says how far the backup, the rules and the deletion have come', () => {
    const source = { ...aSource([aSourceCopy()]), truncatedBelow: asGeneration(3), truncateFailure: 'log 1 is held' }

    expect(explainTruncation(source)).toMatchObject({
      storageGroup: 'SG1',
      closed: { first: 1, last: 10 },
      backedUpThrough: 9,
      truncatableThrough: 7,
      truncatedBelow: 3,
      lastFailure: 'log 1 is held',
    })
  })

  it.each([
    ['cannot be read', null],
    ['is empty', { lowest: NO_GENERATION, closedThrough: NO_GENERATION, generated: NO_GENERATION, logTimeMs: 0 }],
  ])('holds nothing when the directory %s', (_, closed) => {
    expect(explainTruncation({ ...aSource([aSourceCopy()]), closed, mark: null })).toMatchObject({
      closed: null,
      backedUpThrough: 0,
      held: [],
    })
  })
})

describe('each rule', () => {
  const failed = aSourceCopy({ report: { ...REPORT, condition: 'failed' } })
  const suspended = aSourceCopy({ report: { ...REPORT, condition: 'suspended' } })

  it.each([
    ['not-inspected', [aSourceCopy()], {}, 'copy node2:/store has inspected logs through 00000007', 'by itself'],
    [
      'suspended',
      [suspended],
      {},
      'copy node2:/store was suspended when it had processed logs through 00000007',
      'ccr resume',
    ],
    ['failed', [failed], {}, 'copy node2:/store failed when it had processed logs through 00000007', 'ccr status'],
    [
      'unreachable',
      [aSourceCopy({ connected: false })],
      {},
      'copy node2:/store cannot be reached and had processed logs through 00000007',
      'ccr disable',
    ],
    [
      'not-heard',
      [aSourceCopy({ report: null })],
      {},
      'copy node2:/store has not reported since the source started',
      'ccr disable',
    ],
  ] as const satisfies readonly (readonly [
    HoldingRule,
    readonly SourceCopy[],
    Partial<SourceOptions>,
    string,
    string,
  ])[])('about a copy names it: %s', (rule, copies, options, why, release) => {
    const newest = explainTruncation({
      ...aSource(copies, options),
      mark: { through: asGeneration(10), atMs: 0 },
    }).held.at(-1)

    expect(newest?.reasons).toMatchObject([{ rule, copyId: 'c1', why, release: expect.stringContaining(release) }])
  })

  it('about a copy with a database names it: not-replayed, and required', () => {
    const copies = [aSourceCopy({ report: { ...REPORT, requiredLow: asGeneration(3) } })]
    const source = { ...aSource(copies, { passiveGate: 'replayed' }), mark: { through: asGeneration(10), atMs: 0 } }

    const held = explainTruncation(source).held.map(({ range, reasons }) => [range, reasons.map(({ why }) => why)])
    const required = 'copy node2:/store needs the logs above 00000002 to recover its database'
    expect(held).toEqual([
      [{ first: 1, last: 2 }, []],
      [{ first: 3, last: 4 }, [required]],
      [{ first: 5, last: 10 }, ['copy node2:/store has replayed logs through 00000004', required]],
    ])
  })

  it.each([
    [
      'not-backed-up',
      aSource([inspectedThrough(10)]),
      'the last backup lets go of logs through 00000009',
      'ccr backup mark',
    ],
    ['not-backed-up', { ...aSource([inspectedThrough(10)]), mark: null }, 'no backup lets it go', 'ccr backup mark'],
    ['no-copy', backedUpThrough(10, []), 'no copy has been enrolled, so it exists nowhere else', 'ccr copy'],
  ] as const)('about no copy names none: %s', (rule, source, why, release) => {
    expect(explainTruncation(source).held.at(-1)?.reasons).toEqual([
      { rule, copyId: '', sinceMs: 0, why, release: expect.stringContaining(release) },
    ])
  })
})

describe('in words', () => {
  it('one log was, several were, and what nothing holds is going', () => {
    const { held } = explainTruncation(backedUpThrough(9, [aSourceCopy()]))

    expect(held.map((run) => explainInWords('SG1', run))).toEqual([
      'Logs 00000001 to 00000007 of SG1 may go and are being deleted.',
      'Logs 00000008 to 00000009 of SG1 were not truncated because copy node2:/store has inspected logs through 00000007.',
      'Log 0000000A of SG1 was not truncated because the last backup lets go of logs through 00000009; and copy node2:/store has inspected logs through 00000007.',
    ])
  })
})
