// Goal: reconnections neither hammer a source nor come all at once.
// Method: the arithmetic itself, with chance as an argument.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backoffMs, RECONNECT_BACKOFF } from '../../transport/backoff.ts'

describe('the wait before a reconnection', () => {
  it('doubles from 0.1 s to 30 s', () => {
    const waits = [1, 2, 3, 4, 8, 9, 10, 1000].map((failures) => backoffMs(failures, 0) * 2)

    expect(waits).toEqual([100, 200, 400, 800, 12_800, 25_600, 30_000, 30_000])
  })

  it('lies in the upper half of its span, whatever chance says', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 100_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (n, random) => {
          const wait = backoffMs(n, random)
          const span = backoffMs(n, 0) * 2

          expect(wait).toBeGreaterThanOrEqual(span / 2)
          expect(wait).toBeLessThanOrEqual(span)
          expect(span).toBeLessThanOrEqual(RECONNECT_BACKOFF.mostMs)
        },
      ),
    )
  })
})
