// Goal: the inspector lets in what continues the chain, refuses by its reason what does not, and waits for what is missing.
// Method: arrivals put beside a copy by hand; written against mutants that the stories let live.
import { describe, expect, it } from 'vitest'
import type { CopiedLog } from '../../../engine/fact.ts'
import { inspectArrived } from '../../../engine/replication/inspector.ts'
import { aCopiedLog, aCopy, aForeignLog, announcing } from './build.ts'

/** What becomes of these arrivals at a copy that holds 1 to 2 of a source with 9 logs. */
function verdict(arrived: readonly CopiedLog[], generated = 9): { accepted: number[]; refused: string | null } {
  const { accepted, refused } = inspectArrived(aCopy(2, { arrived, announcement: announcing(1, generated) }))
  const reason =
    refused === null ? null : `${refused.log.generation} ${refused.rejection.reason}: ${refused.rejection.detail}`
  return { accepted: accepted.map(({ generation }) => generation), refused: reason }
}

describe('the inspector', () => {
  it.each([
    ['nothing when nothing arrived', [], []],
    ['what follows', [aCopiedLog(3), aCopiedLog(4)], [3, 4]],
    ['what follows up to a gap', [aCopiedLog(3), aCopiedLog(5)], [3]],
    ['nothing above a gap', [aCopiedLog(4), aCopiedLog(5)], []],
  ])('accepts %s', (_, arrived, accepted) => {
    expect(verdict(arrived)).toEqual({ accepted, refused: null })
  })

  it('refuses the first log that does not continue the chain, and looks at none after it', () => {
    expect(verdict([aCopiedLog(3), aForeignLog(4), aCopiedLog(5)])).toEqual({
      accepted: [3],
      refused: "4 bad-signature: signature ff is not aa, the stream's own",
    })
  })

  it('refuses a log whose header says another generation', () => {
    const identity = { ...aCopiedLog(4).identity }

    expect(verdict([aCopiedLog(3, { identity })])).toEqual({
      accepted: [],
      refused: '3 generation-mismatch: header says generation 4, asked for 3',
    })
  })

  it('refuses a log above everything the source has generated', () => {
    expect(verdict([aCopiedLog(3), aCopiedLog(4)], 3)).toEqual({
      accepted: [3],
      refused: '4 future-generation: generation 4 is above 3, the highest generated',
    })
  })

  it('lets an empty copy take any stream, and holds it to that', () => {
    const begin = (arrived: readonly CopiedLog[]): unknown =>
      inspectArrived(aCopy(0, { arrived, announcement: announcing(1, 9) })).accepted.map(({ generation }) => generation)

    expect(begin([aForeignLog(1)])).toEqual([1])
    expect(begin([aForeignLog(1), aCopiedLog(2)])).toEqual([1])
  })
})
