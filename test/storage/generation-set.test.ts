// Goal: the set of generations in ranges is the set of generations.
// Method: random additions and removals against a dumb twin, a Set of numbers.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asGeneration } from '../../engine/generation.ts'
import { GenerationSet, gapsBetween } from '../../storage/generation-set.ts'

const HIGHEST = 24
const change = fc.record({ add: fc.boolean(), generation: fc.integer({ min: 1, max: HIGHEST }).map(asGeneration) })

describe('a set of generations', () => {
  it('answers as a plain set does after any additions and removals', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 80 }), (changes) => {
        const set = new GenerationSet()
        const twin = new Set<number>()
        for (const { add, generation } of changes) {
          const expected = add ? !twin.has(generation) : twin.has(generation)
          expect(add ? set.add(generation) : set.delete(generation)).toBe(expected)
          if (add) twin.add(generation)
          else twin.delete(generation)
        }
        expectSame(set, twin)
      }),
    )
  })

  it('is the same when it is made at once, from any order and with repetitions', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: HIGHEST }), { maxLength: 60 }), (generations) => {
        expectSame(GenerationSet.of(Float64Array.from(generations)), new Set(generations))
      }),
    )
  })

  it('gives the part within bounds and its own extent', () => {
    const set = GenerationSet.of(Float64Array.from([2, 3, 4, 8, 9, 12]))

    expect(set.rangesWithin({ first: asGeneration(3), last: asGeneration(8) })).toEqual([
      { first: 3, last: 4 },
      { first: 8, last: 8 },
    ])
    expect(set.extent()).toEqual({ lowest: 2, closedThrough: 4, highest: 12 })
    expect(new GenerationSet().extent()).toEqual({ lowest: 0, closedThrough: 0, highest: 0 })
    expect(gapsBetween(set.ranges())).toEqual([
      { first: 5, last: 7 },
      { first: 10, last: 11 },
    ])
  })
})

function expectSame(set: GenerationSet, twin: ReadonlySet<number>): void {
  expect(set.size).toBe(twin.size)
  const held: number[] = []
  const ranges = set.ranges()
  for (const { first, last } of ranges) for (let at: number = first; at <= last; at++) held.push(at)
  expect(held).toEqual([...twin].sort((a, b) => a - b))
  for (const gap of gapsBetween(ranges)) expect(gap.first).toBeLessThanOrEqual(gap.last)
  for (let at = 1; at <= HIGHEST; at++) expect(set.has(asGeneration(at))).toBe(twin.has(at))
}
