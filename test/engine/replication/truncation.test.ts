// Goal: a copy deletes what its source truncated, never its newest log, and one range at a time.
// Method: states built by hand; written against mutants that the stories let live.
import { describe, expect, it } from 'vitest'
import { asGeneration } from '../../../engine/generation.ts'
import { planCopyTruncation } from '../../../engine/replication/truncation.ts'
import { aCopy, announcing } from './build.ts'

describe('the truncation of a copy', () => {
  const truncated = (truncatedBelow: number): ReturnType<typeof announcing> =>
    announcing(truncatedBelow, 9, { truncatedBelow: asGeneration(truncatedBelow) })

  it.each([
    ['follows its source', 5, truncated(4), [1, 3]],
    ['takes one log when that is all', 5, truncated(2), [1, 1]],
    ['spares the newest log', 5, truncated(9), [1, 4]],
    ['spares the only log', 1, truncated(9), null],
    ['is nothing before the source truncated', 5, announcing(1, 9), null],
    ['is nothing when the source truncated nothing that is here', 5, truncated(1), null],
    ['is nothing of an empty copy', 0, truncated(4), null],
  ] as const)('%s', (_, inspected, announcement, expected) => {
    const range = planCopyTruncation(aCopy(inspected, { announcement }), 0)

    expect(range === null ? null : [range.first, range.last]).toEqual(expected)
  })

  it('goes on only when the deletion under way is over', () => {
    expect(planCopyTruncation(aCopy(5, { announcement: truncated(4), deleting: true }), 0)).toBeNull()
  })
})
