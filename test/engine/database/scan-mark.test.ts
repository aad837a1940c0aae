// Goal: where a pass stands survives in the header of a database, beside whatever else stands there.
// Method: any mark in any rest of a header, written and read, through a whole header as well.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { newDatabaseHeader, readDatabaseFields, writeDatabaseHeader } from '../../../engine/database/database-header.ts'
import { openLogBytes } from '../../../engine/database/log-bytes.ts'
import { logTimeAt } from '../../../engine/database/log-time.ts'
import { NO_SCAN, readScanMark, withScanMark } from '../../../engine/database/scan-mark.ts'
import { SIGNATURE } from './build.ts'

const anyTime = fc.nat(2 ** 31).map((seconds) => logTimeAt(seconds * 1000))
const anyMark = fc.record({ previousEnd: anyTime, start: anyTime, highestPage: fc.nat(2 ** 31) })

test('is read as it was written, and touches nothing around it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 190 }), anyMark, (later, mark) => {
      const marked = withScanMark(later, mark)

      expect(readScanMark(marked)).toEqual(mark)
      const around = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0
      for (let at = 0; at < marked.length; at++)
        if (at < 40 || at >= 60) expect(around(marked, at)).toBe(around(later, at))
    }),
  )
})

test('is none in a header of Exchange 2007, and survives in ours', () => {
  const header = newDatabaseHeader(SIGNATURE, SIGNATURE)
  expect(readScanMark(header.later)).toEqual(NO_SCAN)

  const mark = { previousEnd: logTimeAt(1_000_000), start: logTimeAt(2_000_000), highestPage: 4711 }
  const bytes = new Uint8Array(header.pageBytes)
  writeDatabaseHeader(bytes, { ...header, later: withScanMark(header.later, mark) })
  const read = readDatabaseFields(openLogBytes(bytes))
  expect(typeof read === 'string' ? read : readScanMark(read.later)).toEqual(mark)
  expect(openLogBytes(bytes).view.getUint32(532, true)).toBe(4711)
})
