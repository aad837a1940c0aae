// Goal: a timetable gives the rate of every minute of every day, and says when it changes; an estimate of the rest is steady and ends right.
// Method: a dumb twin that walks the minutes; progress with known ends.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lookAt, type ProgressRate, remainingMs, startProgress } from '../../../engine/link/progress-rate.ts'
import { minutesToNext, type RateTimetable, rateAt } from '../../../engine/link/rate-timetable.ts'

const DAY = 1_440
const OFFICE: RateTimetable = [
  { minute: 480, bytesPerSecond: 5 },
  { minute: 1_140, bytesPerSecond: null },
]

describe('a timetable of rates', () => {
  it('has the rate of the last entry, before the first one that of the day before', () => {
    expect([0, 479.99, 480, 1_139.99, 1_140, 1_439].map((minute) => rateAt(OFFICE, minute))).toEqual([
      null,
      null,
      5,
      5,
      null,
      null,
    ])
    expect([0, 479.5, 480, 1_140, 1_439].map((minute) => minutesToNext(OFFICE, minute))).toEqual([
      480, 0.5, 660, 780, 481,
    ])
  })

  it('with one entry never changes', () => {
    const always: RateTimetable = [{ minute: 600, bytesPerSecond: 7 }]

    expect([rateAt(always, 0), rateAt(always, 700), minutesToNext(always, 600)]).toEqual([7, 7, null])
  })

  it('says for every minute what walking the day says', () => {
    const entries = fc.uniqueArray(fc.nat(DAY - 1), { minLength: 2, maxLength: 10 })
    fc.assert(
      fc.property(entries, fc.nat(DAY - 1), (minutes, minute) => {
        const timetable = minutes.sort((a, b) => a - b).map((at) => ({ minute: at, bytesPerSecond: at + 1 }))
        let back = minute
        while (!minutes.includes(back)) back = (back + DAY - 1) % DAY
        let ahead = 1
        while (!minutes.includes((minute + ahead) % DAY)) ahead++

        expect(rateAt(timetable, minute)).toBe(back + 1)
        expect(minutesToNext(timetable, minute)).toBe(ahead)
      }),
    )
  })
})

describe('a progress', () => {
  const looked = (looks: readonly (readonly [bytes: number, atMs: number])[]): ProgressRate =>
    looks.reduce((progress, [bytes, atMs]) => lookAt(progress, bytes, atMs), startProgress(0, 0))

  it('says nothing before two looks that lie apart, and the rest at an even rate exactly', () => {
    expect(remainingMs(startProgress(0, 0), 100)).toBeNull()
    expect(looked([[10, 49]]).bytesPerSecond).toBeNull()
    const even = looked([100, 200, 300, 400].map((ms) => [ms * 10, ms]))
    expect(even.bytesPerSecond).toBeCloseTo(10_000, 6)
    expect(remainingMs(even, 14_000)).toBeCloseTo(1_000, 6)
    expect(remainingMs(even, 1)).toBe(0)
  })

  it('follows a change slowly, says nothing of a standstill from the start, and begins anew when bytes go back', () => {
    const faster = looked([
      [10_000, 1_000],
      [30_000, 2_000],
    ])
    expect(faster.bytesPerSecond).toBeGreaterThan(10_000)
    expect(faster.bytesPerSecond).toBeLessThan(13_000)
    expect(remainingMs(looked([[0, 1_000]]), 5)).toBeNull()
    expect(lookAt(faster, 5, 3_000)).toEqual({ atMs: 3_000, bytes: 5, bytesPerSecond: null })
  })
})
