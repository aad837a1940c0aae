// Goal: a LOGTIME survives writing and reading bit by bit, and its calendar is the Gregorian one.
// Method: properties against the platform's own Date, which the engine may not use.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  formatLogTime,
  logTimeAt,
  readLogTime,
  UNSET_LOG_TIME,
  unixMsOf,
  writeLogTime,
} from '../../../engine/database/log-time.ts'

const FIRST_MS = Date.UTC(1900, 0, 1)
const LAST_MS = Date.UTC(2155, 11, 31, 23, 59, 59)
const anySecond = fc.integer({ min: FIRST_MS / 1000, max: LAST_MS / 1000 }).map((seconds) => seconds * 1000)

describe('a LOGTIME', () => {
  test('has the calendar date of its moment', () => {
    fc.assert(
      fc.property(anySecond, (ms) => {
        const time = logTimeAt(ms)
        const date = new Date(ms)
        expect([time.year, time.month, time.day]).toEqual([
          date.getUTCFullYear(),
          date.getUTCMonth() + 1,
          date.getUTCDate(),
        ])
        expect([time.hour, time.minute, time.second]).toEqual([
          date.getUTCHours(),
          date.getUTCMinutes(),
          date.getUTCSeconds(),
        ])
        expect(unixMsOf(time)).toBe(ms)
      }),
    )
  })

  test('knows the leap days of 1900, 2000 and 2004', () => {
    const date = (ms: number): string => formatLogTime(logTimeAt(ms))

    expect(date(Date.UTC(1900, 1, 28) + 86_400_000)).toBe('03/01/1900 00:00:00')
    expect(date(Date.UTC(2000, 1, 28) + 86_400_000)).toBe('02/29/2000 00:00:00')
    expect(date(Date.UTC(2004, 1, 28) + 86_400_000)).toBe('02/29/2004 00:00:00')
  })

  test('is written and read back bit by bit, but for the four bits that no version uses', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), (bytes) => {
        bytes[7] = (bytes[7] ?? 0) & 0x0f
        const copy = new Uint8Array(8)
        writeLogTime(new DataView(copy.buffer), 0, readLogTime(new DataView(bytes.buffer, bytes.byteOffset), 0))
        expect(copy).toEqual(bytes)
      }),
    )
  })

  test('is unset when all bytes are zero, and prints as eseutil prints that', () => {
    const unset = readLogTime(new DataView(new ArrayBuffer(8)), 0)

    expect(unset).toEqual(UNSET_LOG_TIME)
    expect(formatLogTime(unset)).toBe('00/00/1900 00:00:00')
    expect(unixMsOf(unset)).toBeNull()
  })

  test('keeps milliseconds in the ten bits that newer formats give them', () => {
    const memory = new DataView(new ArrayBuffer(8))
    writeLogTime(memory, 0, { ...logTimeAt(0), millisecond: 999, snapshot: true })

    expect(readLogTime(memory, 0)).toMatchObject({ millisecond: 999, utc: true, snapshot: true })
    expect(memory.getUint8(6)).toBe(((999 & 0x7f) << 1) | 1)
    expect(memory.getUint8(7)).toBe(((999 >> 7) << 1) | 1)
  })
})
