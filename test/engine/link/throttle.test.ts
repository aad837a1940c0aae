// Goal: a throttle lets no window pass its rate by more than the burst, loses nothing to late wakers, and heeds a new rate at once.
// Method: random pieces and lateness against a plain count of bytes over time.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { startThrottle, type Throttle, takeBytes, throttleWaitMs, withRate } from '../../../engine/link/throttle.ts'

const BURST_MS = 50

interface Sent {
  readonly atMs: number
  readonly bytes: number
}

/** Sends pieces one after the other, each as late after its time as it says. */
function send(rate: number, pieces: readonly { bytes: number; lateMs: number }[]): Sent[] {
  let throttle: Throttle = startThrottle(rate, 0)
  let nowMs = 0
  return pieces.map(({ bytes, lateMs }) => {
    nowMs += throttleWaitMs(throttle, nowMs) + lateMs
    throttle = takeBytes(throttle, bytes, nowMs)
    return { atMs: nowMs, bytes }
  })
}

const PIECES = fc.array(
  fc.record({ bytes: fc.integer({ min: 1, max: 65_536 }), lateMs: fc.integer({ min: 0, max: 500 }) }),
  { minLength: 2, maxLength: 100 },
)

describe('a throttle', () => {
  it('lets no window pass its rate by more than the burst and one piece', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: 10_000_000 }), PIECES, (rate, pieces) => {
        const sent = send(rate, pieces)
        for (const [first, { atMs: fromMs }] of sent.entries()) {
          let bytes = 0
          for (const one of sent.slice(first)) {
            const allowed = (rate * (one.atMs - fromMs + BURST_MS)) / 1000
            expect(bytes).toBeLessThanOrEqual(allowed + 1e-6 * allowed + 1)
            bytes += one.bytes
          }
        }
      }),
    )
  })

  it('keeps to its rate although each waker is late, by less than the burst and than a piece takes', () => {
    const pieces = fc.array(
      fc.record({
        takesMs: fc.integer({ min: BURST_MS, max: 500 }),
        lateMs: fc.integer({ min: 0, max: BURST_MS - 1 }),
      }),
      { minLength: 2, maxLength: 100 },
    )
    fc.assert(
      fc.property(pieces, (all) => {
        const sent = send(
          1000,
          all.map(({ takesMs, lateMs }) => ({ bytes: takesMs, lateMs })),
        )
        const takenMs = all.slice(0, -1).reduce((sum, { takesMs }) => sum + takesMs, 0)

        expect(sent.at(-1)?.atMs).toBeLessThanOrEqual(takenMs + BURST_MS)
      }),
    )
  })

  it('lets everything go at once without a rate', () => {
    const throttle = takeBytes(startThrottle(null, 0), 2 ** 40, 0)

    expect(throttleWaitMs(throttle, 0)).toBe(0)
  })

  it('pays what it owes at the new rate, and nothing when the bound is taken away', () => {
    const owing = takeBytes(startThrottle(1000, 0), 2000, 0)

    expect(throttleWaitMs(owing, 500)).toBe(1500)
    expect(throttleWaitMs(withRate(owing, 3000, 500), 500)).toBe(500)
    expect(throttleWaitMs(withRate(owing, null, 500), 500)).toBe(0)
  })
})
