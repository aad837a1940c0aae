// Goal: however many threads take from one rate, together they take no more than it lets go in any window, and each but for a moment late; a new
// rate holds at once.
// Method: several takers over one memory in this process, with chosen interleavings and a clock that is set by hand.
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { SharedRate } from '../../workers/shared-rate.ts'

/** As in the throttle: so far it runs ahead after a pause. */
const BURST_MS = 50

let now = 1_000
beforeEach(() => {
  now = 1_000
  vi.spyOn(process.hrtime, 'bigint').mockImplementation(() => BigInt(Math.round(now * 1e6)))
})
afterEach(() => vi.restoreAllMocks())

interface Taken {
  readonly atMs: number
  readonly bytes: number
}

/** The most that was taken in any window, above what its length lets go. */
function excess(taken: readonly Taken[], rate: number): number {
  let worst = 0
  for (let from = 0; from < taken.length; from++) {
    let bytes = 0
    for (let to = from; to < taken.length; to++) {
      bytes += taken[to]?.bytes ?? 0
      const windowMs = (taken[to]?.atMs ?? 0) - (taken[from]?.atMs ?? 0)
      worst = Math.max(worst, bytes - (windowMs * rate) / 1_000)
    }
  }
  return worst
}

const STEP = fc.record({
  taker: fc.nat(3),
  bytes: fc.constantFrom(16_384, 65_536, 1_048_576),
  waitMs: fc.constantFrom(0, 0, 1, 7, 50, 400),
})

describe('a rate that several take from', () => {
  it('is passed in no window by more than a burst and a piece of each', () => {
    fc.assert(
      fc.property(
        fc.array(STEP, { minLength: 5, maxLength: 120 }),
        fc.integer({ min: 16_384, max: 50_000_000 }),
        (steps, rate) => {
          now = 1_000
          const first = new SharedRate()
          first.set(rate)
          const takers = [first, ...[1, 2, 3].map(() => new SharedRate(first.memory))]
          const taken: Taken[] = []
          for (const { taker, bytes, waitMs } of steps) {
            now += waitMs
            if (takers[taker]?.take(bytes) === true) taken.push({ atMs: now, bytes })
          }
          expect(excess(taken, rate)).toBeLessThanOrEqual((rate * BURST_MS) / 1_000 + 4 * 1_048_576)
        },
      ),
    )
  })

  it('keeps nobody waiting longer than what was taken is worth', () => {
    const first = new SharedRate()
    first.set(1_000_000)
    const second = new SharedRate(first.memory)
    now += 1_000

    expect(first.take(100_000)).toBe(true)
    expect([second.take(1), second.waitMs()]).toEqual([false, 50])
    now += 50
    expect(second.take(100_000)).toBe(true)
  })

  it('takes a new rate at once, for all, with what is owed paid at it; and off lifts it', () => {
    const first = new SharedRate()
    first.set(100_000)
    const second = new SharedRate(first.memory)
    expect(second.take(100_000)).toBe(true)
    expect(first.waitMs()).toBeCloseTo(1_000, 3)

    second.set(1_000_000)
    expect([first.bytesPerSecond, Math.round(first.waitMs())]).toEqual([1_000_000, 100])
    first.set(null)
    expect([second.bytesPerSecond, second.waitMs(), second.take(1e9), second.take(1e9)]).toEqual([null, 0, true, true])
    second.set(16_384)
    expect(first.take(16_384)).toBe(true)
    expect(first.take(1)).toBe(false)
  })

  it('lets one of two go that look at the same moment, and the other look again', () => {
    const first = new SharedRate()
    first.set(1_000_000)
    const second = new SharedRate(first.memory)
    let isNested = false
    // The other one takes between the look and the claim.
    vi.spyOn(process.hrtime, 'bigint').mockImplementation(() => {
      if (!isNested) {
        isNested = true
        expect(second.take(1_000_000)).toBe(true)
      }
      return BigInt(Math.round(now * 1e6))
    })

    expect(first.take(1_000_000)).toBe(false)
    expect(first.waitMs()).toBeGreaterThan(900)
  })
})
