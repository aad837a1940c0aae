// Goal: the first log that differs is found wherever it is, with few comparisons, and never where it cannot be known.
// Method: every pair of streams of up to 40 logs, some of them out of reach, against a twin that looks at all logs.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asGeneration, type Generation } from '../../../engine/generation.ts'
import type { LogIdentity } from '../../../engine/log-identity.ts'
import {
  beginSearch,
  type Comparison,
  compareLogs,
  type DivergenceSearch,
  isFound,
  narrowed,
  nextToCompare,
} from '../../../engine/replication/divergence-search.ts'

interface Played {
  readonly found: number | null
  readonly comparisons: number
}

function play(newest: number, lowest: number, result: (generation: Generation) => Comparison | 'unknown'): Played {
  let search: DivergenceSearch = narrowed(beginSearch(asGeneration(newest), asGeneration(lowest)), 'differs')
  for (let comparisons = 0; ; comparisons++) {
    if (isFound(search)) return { found: search.differs, comparisons }
    const asked = nextToCompare(search)
    if (asked === null) return { found: null, comparisons }
    search = narrowed({ ...search, asked }, result(asked))
  }
}

/** Two streams that share everything below `first`. */
function sharedBelow(first: number): (generation: Generation) => Comparison {
  return (generation) => (generation < first ? 'same' : 'differs')
}

function log(generation: number, stream: number, before: number): LogIdentity {
  return {
    generation: asGeneration(generation),
    signature: 'aa',
    createTime: `t${generation}.${stream}`,
    previousCreateTime: `t${generation - 1}.${before}`,
  }
}

describe('the search for the first log that differs', () => {
  it('finds it wherever it is', () => {
    for (let newest = 1; newest <= 40; newest++)
      for (let first = 2; first <= newest; first++) expect(play(newest, 1, sharedBelow(first)).found).toBe(first)
  })

  it('knows nothing where every log that both sides have differs', () => {
    expect(play(40, 20, sharedBelow(20)).found).toBeNull()
    expect(play(40, 20, sharedBelow(5)).found).toBeNull()
    expect(play(7, 7, sharedBelow(7)).found).toBeNull()
  })

  it('needs few comparisons for a few logs, and not many in a long stream', () => {
    expect(play(100_000, 1, sharedBelow(99_995)).comparisons).toBeLessThanOrEqual(6)
    expect(play(100_000, 1, sharedBelow(2)).comparisons).toBeLessThanOrEqual(34)
  })

  it('finds no other log where some cannot be compared', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 40 }),
        fc.integer({ min: 2, max: 40 }),
        fc.uniqueArray(fc.nat(40)),
        (a, b, gone) => {
          const [newest, first] = [Math.max(a, b), Math.min(a, b)]
          const result = sharedBelow(first)

          const { found } = play(newest, 1, (generation) =>
            gone.includes(generation) ? 'unknown' : result(generation),
          )

          expect([first, null]).toContain(found)
        },
      ),
    )
  })

  it('ends with a log that says itself that it is the first', () => {
    const played = play(40, 12, (generation) => (generation === 12 ? 'first-to-differ' : 'differs'))

    expect(played.found).toBe(12)
  })
})

describe('two logs of one generation', () => {
  it('are the same when they say the same', () => {
    expect(compareLogs(log(7, 0, 0), log(7, 0, 0))).toBe('same')
  })

  it('are the first that differ when the same log comes before them', () => {
    expect(compareLogs(log(7, 0, 0), log(7, 1, 0))).toBe('first-to-differ')
  })

  it('differ when other logs come before them', () => {
    expect(compareLogs(log(7, 0, 0), log(7, 1, 1))).toBe('differs')
    expect(compareLogs(log(7, 0, 0), log(7, 0, 1))).toBe('differs')
  })

  it('have nothing in common when their signatures differ', () => {
    expect(compareLogs(log(7, 0, 0), { ...log(7, 0, 0), signature: 'bb' })).toBe('foreign')
  })
})
