// Goal: every record this engine writes has its real layout: what is written is read again, and a walk finds its exact length.
// Method: random fields for each type, written behind one another into memory full of rubbish; fields of a few by their bytes.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AssertionError } from '../../../engine/assert.ts'
import { NO_DBTIME, readDbtime, writeDbtime } from '../../../engine/database/dbtime.ts'
import { type LogBytes, openLogBytes } from '../../../engine/database/log-bytes.ts'
import { openRecords } from '../../../engine/database/log-record.ts'
import {
  insertDataBytesOf,
  insertKeyBytesOf,
  replaceDataBytesOf,
  writeFlagDelete,
  writeInsert,
  writeReplace,
} from '../../../engine/database/log-record-node.ts'
import {
  databaseIdOf,
  dbtimeBeforeOf,
  dbtimeOf,
  flagsOf,
  levelOf,
  lineOf,
  objectIdOf,
  outerTransactionOf,
  pageOf,
  versionOf,
} from '../../../engine/database/log-record-page.ts'
import { RECORD, recordTypeMax, shapeOfRecord } from '../../../engine/database/log-record-table.ts'
import { sessionOf } from '../../../engine/database/log-record-transaction.ts'
import type { RecordCase } from './record-case.ts'
import { ANY_RECORD } from './record-kinds.ts'

/** The records laid behind one another in memory that is full of rubbish. */
function lay(records: readonly RecordCase[]): { log: LogBytes; places: number[]; end: number } {
  const length = records.reduce((sum, { bytes }) => sum + bytes, 0)
  const log = openLogBytes(new Uint8Array(length).fill(0xa5))
  const places: number[] = []
  let at = 0
  for (const record of records) {
    places.push(at)
    at = record.write(log, at)
  }
  return { log, places, end: at }
}

describe('a record', () => {
  test.each(ANY_RECORD.map((kind) => [fc.sample(kind, { numRuns: 1, seed: 1 })[0]?.name ?? '', kind] as const))(
    '%s is read as it was written',
    (_, kind) => {
      fc.assert(
        fc.property(kind, (record) => {
          const { log, end } = lay([record])

          expect(end).toBe(record.bytes)
          record.readsBack(log, 0)
        }),
        { numRuns: 60 },
      )
    },
  )

  test('has the length that the table of records has for its type, whatever stands before and behind it', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(...ANY_RECORD), { minLength: 1, maxLength: 12 }), (records) => {
        const { log, places, end } = lay(records)
        const cursor = openRecords(log, { headerSectors: 0, sectorBytes: 512 }, end)
        const met: string[] = []
        while (cursor.next()) met.push(`${cursor.type} ${cursor.at} ${cursor.bytes}`)

        expect(met).toEqual(records.map((record, index) => `${record.type} ${places[index]} ${record.bytes}`))
        expect(cursor).toMatchObject({ stop: 'end', at: end, records: records.length })
        for (const [index, record] of records.entries()) record.readsBack(log, places[index] ?? -1)
      }),
      { numRuns: 150 },
    )
  })

  test('has the name that the table gives its type', () => {
    for (const kind of ANY_RECORD) {
      const [record] = fc.sample(kind, { numRuns: 1, seed: 1 })
      expect(shapeOfRecord(record?.type ?? 0)?.name).toBe(record?.name)
    }
  })

  test('of a page gives single fields to who makes no object of it', () => {
    const data = Uint8Array.of(9, 9, 9)
    const change = {
      session: 1,
      databaseId: 2,
      page: 3,
      dbtime: 40,
      dbtimeBefore: 39,
      transaction: 5,
      level: 6,
      line: 7,
    }
    const node = { ...change, flags: 8, version: 9, rootPage: 10, objectId: 11 }
    const log = openLogBytes(new Uint8Array(200))
    const next = writeInsert(log, 0, { ...node, key: Uint8Array.of(1, 2), data })
    writeReplace(log, next, { ...node, dataBytesBefore: 1, data })
    const { view } = log

    expect([sessionOf, databaseIdOf, pageOf, dbtimeOf, dbtimeBeforeOf].map((read) => read(view, 0))).toEqual([
      1, 2, 3, 40, 39,
    ])
    expect([outerTransactionOf, levelOf, lineOf, flagsOf, versionOf].map((read) => read(view, 0))).toEqual([
      5, 6, 7, 8, 9,
    ])
    expect([objectIdOf, insertKeyBytesOf, insertDataBytesOf].map((read) => read(view, 0))).toEqual([11, 2, 3])
    expect(replaceDataBytesOf(view, next)).toBe(3)
  })

  test('of a node has its fields where the engine has them', () => {
    const log = openLogBytes(new Uint8Array(64))
    const change = { session: 0x0102, databaseId: 3, page: 0x04050607, dbtime: 0x1122334455, dbtimeBefore: NO_DBTIME }
    const rest = { transaction: 0x0a0b0c0d, level: 1, line: 0x0203, flags: 5 }
    writeFlagDelete(log, 0, { ...change, ...rest, version: 0x21222324, rootPage: 0x31323334, objectId: 0x41424344 })
    const hex = [...log.bytes.subarray(0, 44)].map((byte) => byte.toString(16).padStart(2, '0')).join('')

    expect(hex).toBe(
      ['20', '0201', '03', '07060504', '5544332211000000', 'ffffffffffffffff', '0d0c0b0a', '01', '0302', '05'].join(
        '',
      ) + ['24232221', '34333231', '44434241'].join(''),
    )
  })
})

describe('a dbtime', () => {
  test('is refused when it is no whole number below 2^53', () => {
    const { view } = openLogBytes(new Uint8Array(8))

    for (const value of [2 ** 53, 1.5, -2, Number.NaN])
      expect(() => writeDbtime(view, 0, value)).toThrow(AssertionError)
  })

  test('reads as none for both marks of the format, and for anything above 2^53', () => {
    const { view } = openLogBytes(new Uint8Array(8))

    for (const value of [2n ** 64n - 1n, 2n ** 64n - 2n, 2n ** 53n]) {
      view.setBigUint64(0, value, true)
      expect(readDbtime(view, 0)).toBe(NO_DBTIME)
    }
    view.setBigUint64(0, 2n ** 53n - 1n, true)
    expect(readDbtime(view, 0)).toBe(2 ** 53 - 1)
  })
})

describe('the update of a format', () => {
  test('bounds the types of its records: Exchange 2007 has none above Backup2, its first service pack none above Scrub', () => {
    expect([10, 11, 12, 13, 17].map(recordTypeMax)).toEqual([
      RECORD.backup2,
      RECORD.merge2,
      RECORD.scrub,
      RECORD.pageMove,
      RECORD.pageMove,
    ])
  })
})
