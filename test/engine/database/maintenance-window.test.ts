// Goal: a window is open in its minutes of each day and in no other, also over midnight.
// Method: texts that are windows and texts that are none; every minute of a day beside a walk round the clock.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isInWindow, parseMaintenanceWindow } from '../../../engine/database/maintenance-window.ts'

const DAY = 24 * 60

function textOf(minute: number): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`
}

test('is open in the minutes that a walk round the clock passes between its ends', () => {
  fc.assert(
    fc.property(fc.nat(DAY - 1), fc.nat(DAY), (from, to) => {
      const window = parseMaintenanceWindow(`${textOf(from)}-${textOf(to)}`)
      expect(window === null).toBe(from === to)
      if (window === null) return

      const walked = new Set<number>()
      for (let minute = from; minute !== to; minute = minute + 1 === DAY && to !== DAY ? 0 : minute + 1)
        walked.add(minute)
      for (let minute = 0; minute < DAY; minute++) expect(isInWindow(window, minute)).toBe(walked.has(minute))
    }),
    { numRuns: 50 },
  )
})

test.each([
  '',
  '1:00-5:00',
  '01:00',
  '01:00-25:00',
  '24:00-05:00',
  '01:60-05:00',
  '01:00-01:00',
  '01:00 - 05:00',
  '23:00-24:30',
])('is none of %j', (text) => {
  expect(parseMaintenanceWindow(text)).toBeNull()
})
