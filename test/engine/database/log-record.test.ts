// Goal: the walk visits every record exactly once, in order, and stops at the first that makes no sense.
// Method: records laid by hand behind a sealed header, and the sizes of the format's own table.

import { describe, expect, test } from 'vitest'
import { openLogBytes } from '../../../engine/database/log-bytes.ts'
import { type LogHeader, readLogHeader } from '../../../engine/database/log-header.ts'
import { type LogRecord, walkRecords } from '../../../engine/database/log-record.ts'
import { shapeOfRecord } from '../../../engine/database/log-record-table.ts'
import { aLog } from './build.ts'

function headerOf(log: Uint8Array): LogHeader {
  const read = readLogHeader(log)
  if (read.verdict !== 'read') throw new Error('the header is sound')
  return read.header
}

/** Walks `bytes` as the body of a log. */
function walk(bytes: readonly number[]): { visited: string[]; fault: string } {
  const file = aLog(2)
  file.set(bytes, 4096)
  const visited: string[] = []
  const visit = (record: LogRecord): void => {
    visited.push(`${shapeOfRecord(record.type)?.name} ${record.at - 4096} ${record.bytes}`)
  }
  const verdict = walkRecords(openLogBytes(file), headerOf(file), { endByte: 4096 + bytes.length, visit })
  return { visited, fault: verdict.fault }
}

function zeros(length: number): number[] {
  return new Array<number>(length).fill(0)
}

describe('a walk', () => {
  test('skips padding and visits each record with its length', () => {
    const insert = [29, ...zeros(43), 3, 0, 2, 0, 5, 0, ...new Array<number>(10).fill(0xff)]
    const bytes = [0, 0, 8, ...zeros(7), ...insert, 9, ...zeros(7), 0, 4]

    expect(walk(bytes)).toEqual({
      visited: ['Begin0 2 8', 'Insert 10 60', 'Commit0 70 8', 'End 79 1'],
      fault: '',
    })
  })

  test.each([
    ['CreateDB 0 53', 14, 43 + 6 + 4, { 40: 6, 42: 12 }],
    ['CreateDB 0 49', 14, 43 + 6, { 40: 6, 42: 8 }],
    ['Replace 0 57', 33, 50 + 7, { 44: 7, 45: 0x80 }],
    ['Split2 0 120', 62, 110 + 1 + 2 + 3 + 4, { 96: 1, 98: 2, 100: 3, 106: 4 }],
    ['PageMove 0 107', 65, 96 + 5 + 6, { 88: 5, 92: 6 }],
    ['UndoInfo 0 62', 36, 56 + 6, { 44: 1, 46: 2, 54: 3 }],
    ['Backup2 0 39', 60, 35 + 4, { 33: 4 }],
    ['Trace 0 14', 22, 5 + 9, { 3: 9 }],
  ])('takes the lengths where the record keeps them: %s', (visited, type, length, fields) => {
    const bytes = zeros(length)
    bytes[0] = type
    for (const [offset, value] of Object.entries(fields)) bytes[Number(offset)] = value

    expect(walk(bytes).visited).toEqual([visited])
  })

  test('stops at a type that no record has, or that the format of the log does not know', () => {
    expect(walk([4, 3]).fault).toBe('no record has the type 3 at byte 4097')
    expect(walk([4, 255]).fault).toBe('no record has the type 255 at byte 4097')
    expect(walk([76, ...zeros(20)]).fault).toMatch('FragmentBegin')
  })

  test('stops at a record that would pass the end of the log', () => {
    expect(walk([8, ...zeros(6)]).fault).toBe('record Begin0 at byte 4096 does not fit')
    expect(walk([22, 0, 0, 255, 255, 1]).fault).toBe('record Trace at byte 4096 does not fit')
  })
})

describe('the table of records', () => {
  test('has a length for each type that format 7,3704 writes, and none where the numbers were retired', () => {
    const retired = [3, 10, 19, 20, 21, 40, 41, 43, 44, 46, 47, 53, 54, 55, 56]
    const missing: number[] = []
    for (let type = 0; type <= 65; type++) if (shapeOfRecord(type) === null) missing.push(type)

    expect(missing).toEqual(retired)
  })

  test('knows every later type up to 101 and none above', () => {
    for (let type = 66; type <= 101; type++) expect(shapeOfRecord(type)?.fixed).toBeGreaterThan(0)
    for (let type = 102; type <= 255; type++) expect(shapeOfRecord(type)).toBeNull()
  })
})
