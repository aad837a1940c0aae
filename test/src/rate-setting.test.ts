// Goal: what an operator writes as a bound of seeds is understood or refused with the reason; a timetable changes the rate by itself.
// Method: texts, good and bad; a clock that is moved by hand.
import { describe, expect, it } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { parseRateSetting, RateKeeper } from '../../src/rate-setting.ts'
import { SharedRate } from '../../workers/shared-rate.ts'

const MIB = 1_048_576

/** A clock of this machine's time zone, with one wait at a time. */
class HandClock implements Clock {
  now: number
  wait: { readonly atMs: number; readonly act: () => void } | null = null

  constructor(hours: number, minutes: number) {
    this.now = new Date(2007, 2, 8, hours, minutes).getTime()
  }

  nowMs(): number {
    return this.now
  }

  wakeAfter(delayMs: number, act: () => void): () => void {
    const wait = { atMs: this.now + delayMs, act }
    this.wait = wait
    return () => {
      if (this.wait === wait) this.wait = null
    }
  }

  moveOn(): string {
    const { wait } = this
    if (wait === null) throw new Error('nobody waits')
    this.wait = null
    this.now = wait.atMs
    wait.act()
    return new Date(this.now).toTimeString().slice(0, 5)
  }
}

describe('a bound of seeds', () => {
  it.each([
    ['25M', [{ minute: 0, bytesPerSecond: 25 * MIB }]],
    [' 25MiB/s ', [{ minute: 0, bytesPerSecond: 25 * MIB }]],
    ['OFF', [{ minute: 0, bytesPerSecond: null }]],
    ['16K', [{ minute: 0, bytesPerSecond: 16_384 }]],
    [
      '19:00,off  8:05,5M',
      [
        { minute: 485, bytesPerSecond: 5 * MIB },
        { minute: 1_140, bytesPerSecond: null },
      ],
    ],
    ['00:00,1M', [{ minute: 0, bytesPerSecond: MIB }]],
  ])('%s is understood', (text, expected) => {
    expect(parseRateSetting(text)).toEqual(expected)
  })

  it.each([
    ['', /./],
    ['fast', /fast/],
    ['0', /below 16K/],
    ['16383', /below 16K/],
    ['-5M', /-5M/],
    ['08:00', /./],
    ['24:00,5M', /is no time and rate/],
    ['08:60,5M', /is no time and rate/],
    ['08:00,5M 19:00', /is no time and rate/],
    ['08:00,5M;19:00,off', /./],
    ['08:00,5M 8:00,off', /one time stands in it twice/],
    ['08:00,1K', /below 16K/],
    [Array.from({ length: 49 }, (_, n) => `${n % 24}:${n < 24 ? 10 : n < 48 ? 20 : 30},5M`).join(' '), /at most 48/],
  ])('%s is refused', (text, why) => {
    expect(() => parseRateSetting(text)).toThrow(why)
    expect(() => parseRateSetting(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  it('follows its timetable from day to day, until another one is set', () => {
    const clock = new HandClock(7, 30)
    const shared = new SharedRate()
    const rate = new RateKeeper(shared, clock)
    rate.set('08:00,5M 19:00,off')
    expect([shared.bytesPerSecond, rate.document.changes]).toEqual([null, new Date(2007, 2, 8, 8, 0).toISOString()])

    expect([clock.moveOn(), shared.bytesPerSecond]).toEqual(['08:00', 5 * MIB])
    expect([clock.moveOn(), shared.bytesPerSecond]).toEqual(['19:00', null])
    expect([clock.moveOn(), shared.bytesPerSecond]).toEqual(['08:00', 5 * MIB])
    expect(rate.presentOf('2M')).toBe(2 * MIB)
    expect(shared.bytesPerSecond).toBe(5 * MIB)
    rate.set('3M')
    expect([shared.bytesPerSecond, clock.wait, rate.document]).toEqual([
      3 * MIB,
      null,
      { bytesPerSecond: 3 * MIB, setting: '3M', changes: null },
    ])
    expect(() => rate.set('fast')).toThrow()
    expect(shared.bytesPerSecond).toBe(3 * MIB)
    rate.set('08:00,5M 19:00,off')
    rate.close()
    expect(clock.wait).toBeNull()
  })
})
