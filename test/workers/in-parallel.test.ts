// Goal: bounded work keeps its bound and its order, and leaves nothing under way behind a failure.
// Method: pieces of work that end when the test says so.
import { describe, expect, it } from 'vitest'
import { inParallel } from '../../workers/in-parallel.ts'

/** Work whose pieces end by hand. */
class Pieces {
  readonly begun: string[] = []
  readonly #ends = new Map<string, (outcome: string | Error) => void>()

  readonly work = (item: string): Promise<string> => {
    this.begun.push(item)
    return new Promise((resolve, reject) => {
      this.#ends.set(item, (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)))
    })
  }

  async end(item: string, outcome: string | Error): Promise<void> {
    this.#ends.get(item)?.(outcome)
    for (let turn = 0; turn < 5; turn++) await Promise.resolve()
  }
}

describe('work in parallel', () => {
  it('is done so many at a time, and answered in the order of the items', async () => {
    const pieces = new Pieces()
    const all = inParallel(['a', 'b', 'c'], 2, pieces.work)
    expect(pieces.begun).toEqual(['a', 'b'])

    await pieces.end('b', 'B')
    expect(pieces.begun).toEqual(['a', 'b', 'c'])
    await pieces.end('c', 'C')
    await pieces.end('a', 'A')

    expect(await all).toEqual(['A', 'B', 'C'])
  })

  it('begins nothing more behind a failure, and rejects when nothing is under way', async () => {
    const pieces = new Pieces()
    let rejected: unknown = null
    void inParallel(['a', 'b', 'c'], 2, pieces.work).catch((error: unknown) => {
      rejected = error
    })
    const failure = new Error('b')

    await pieces.end('b', failure)
    expect(rejected).toBeNull()
    await pieces.end('a', 'A')

    expect(rejected).toBe(failure)
    expect(pieces.begun).toEqual(['a', 'b'])
  })
})
