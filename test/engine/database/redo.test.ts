// Goal: redo takes each change once, refuses pages of another history, and sees every page that a record touches.
// Method: the rule as a table; records of all types laid by hand; small logs with macros of several sessions.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NO_DBTIME } from '../../../engine/database/dbtime.ts'
import { DbtimeReplayer, type ReplayedDatabase } from '../../../engine/database/dbtime-replayer.ts'
import { LogBuffer } from '../../../engine/database/log-buffer.ts'
import { type LogBytes, openLogBytes } from '../../../engine/database/log-bytes.ts'
import { openRecords } from '../../../engine/database/log-record.ts'
import { writeRecoveryUndo2 } from '../../../engine/database/log-record-engine.ts'
import { writeFlagDelete, writeUndoInfo } from '../../../engine/database/log-record-node.ts'
import { dbtimeOf, pageOf } from '../../../engine/database/log-record-page.ts'
import { shapeOfRecord } from '../../../engine/database/log-record-table.ts'
import { writeMacroAbort, writeMacroBegin, writeMacroCommit } from '../../../engine/database/log-record-transaction.ts'
import { writeSplit2 } from '../../../engine/database/log-record-tree.ts'
import { logTimeAt } from '../../../engine/database/log-time.ts'
import { touchesPages, visitPages } from '../../../engine/database/page-reference.ts'
import { headerOfNewLog } from '../../../engine/database/prepared-log.ts'
import { judgeRedo } from '../../../engine/database/redo.ts'
import { RedoOrder } from '../../../engine/database/redo-order.ts'
import { MOMENT_MS, place } from './build.ts'

const CHANGE = { attached: true, beyondRequired: false, pageDbtime: 10, dbtimeBefore: 10, dbtime: 12 }

describe('redo', () => {
  test.each([
    ['applies a change to the page as the record found it', {}, 'apply'],
    ['skips a change that the page has', { pageDbtime: 12 }, 'already-applied'],
    ['skips a change when the page has a later one', { pageDbtime: 40 }, 'already-applied'],
    ['finds a page too old that lacks a change between', { pageDbtime: 9 }, 'too-old'],
    ['finds a page too new that has a change of another history', { pageDbtime: 11 }, 'too-new'],
    ['makes a new page of whatever is older', { pageDbtime: 3, dbtimeBefore: NO_DBTIME }, 'apply-new'],
    ['makes a new page where none was', { pageDbtime: 0, dbtimeBefore: NO_DBTIME }, 'apply-new'],
    ['does not make a new page twice', { pageDbtime: 12, dbtimeBefore: NO_DBTIME }, 'already-applied'],
    [
      'finds a page from the future that no database may have',
      { pageDbtime: 12, beyondRequired: true },
      'from-the-future',
    ],
    ['applies a change of a generation that the database never had', { beyondRequired: true }, 'apply'],
    ['skips whatever belongs to an earlier life of the database', { attached: false, pageDbtime: 9 }, 'not-attached'],
  ] as const)('%s', (_, change, verdict) => {
    expect(judgeRedo({ ...CHANGE, ...change })).toBe(verdict)
  })

  test('of a run of changes comes to the same end from any point of it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        fc.nat(),
        fc.nat(),
        (steps, from, have) => {
          const times = [
            5,
            ...steps.map((_, index) => 5 + steps.slice(0, index + 1).reduce((sum, step) => sum + step, 0)),
          ]
          let page = times[have % times.length] ?? 5
          const first = from % (times.indexOf(page) + 1)
          for (let index = first; index + 1 < times.length; index++) {
            const change = {
              ...CHANGE,
              pageDbtime: page,
              dbtimeBefore: times[index] ?? 0,
              dbtime: times[index + 1] ?? 0,
            }
            const verdict = judgeRedo(change)
            expect(['apply', 'already-applied']).toContain(verdict)
            if (verdict === 'apply') page = change.dbtime
          }
          expect(page).toBe(times[times.length - 1])
        },
      ),
    )
  })
})

/** Lays a record of `type`: page 7 with dbtime 50 and 40 before, database 1, session 3, and numbers at further offsets. */
function aRecord(type: number, numbers: Readonly<Record<number, number>>, bytes = 160): DataView {
  const view = new DataView(new ArrayBuffer(bytes))
  view.setUint8(0, type)
  view.setUint16(1, 3, true)
  view.setUint8(3, 1)
  view.setUint32(4, 7, true)
  view.setUint32(8, 50, true)
  view.setUint32(16, 40, true)
  for (const [offset, value] of Object.entries(numbers)) view.setUint32(Number(offset), value, true)
  return view
}

function pagesOf(type: number, numbers: Readonly<Record<number, number>> = {}): string[] {
  const visited: string[] = []
  visitPages(aRecord(type, numbers), { type, at: 0 }, (page, before, after) =>
    visited.push(`${page}: ${before}-${after}`),
  )
  return visited
}

describe('the pages of a record', () => {
  test.each([29, 30, 31, 32, 33, 34, 35, 37, 38, 39, 64])('are its own page: type %i', (type) => {
    expect(pagesOf(type)).toEqual(['7: 40-50'])
  })

  test.each([27, 62])(
    'that splits are the split one, the new one, the right neighbour and the parent: type %i',
    (type) => {
      expect(pagesOf(type, { 32: 8, 36: 9, 40: 41, 48: 2, 52: 42 })).toEqual([
        '7: 40-50',
        '8: -1-50',
        '9: 41-50',
        '2: 42-50',
      ])
      expect(pagesOf(type, { 32: 8 })).toEqual(['7: 40-50', '8: -1-50'])
    },
  )

  test.each([28, 63])('that merges are the merged one, its neighbours and the parent: type %i', (type) => {
    expect(pagesOf(type, { 32: 8, 36: 41, 44: 9, 48: 42, 56: 2, 60: 43 })).toEqual([
      '7: 40-50',
      '8: 41-50',
      '9: 42-50',
      '2: 43-50',
    ])
    expect(pagesOf(type, { 56: 2, 60: 43 })).toEqual(['7: 40-50', '2: 43-50'])
  })

  test('that creates a tree are new', () => {
    expect(pagesOf(25)).toEqual(['7: -1-50'])
    expect(pagesOf(24, { 36: 8, 40: 9 })).toEqual(['7: -1-50', '8: -1-50', '9: -1-50'])
  })

  test.each([26, 58])('that gives a tree space trees are its root and two new ones: type %i', (type) => {
    expect(pagesOf(type, { 36: 8, 40: 9 })).toEqual(['7: 40-50', '8: -1-50', '9: -1-50'])
  })

  test('that empties a tree are its root and all that it gives up', () => {
    expect(pagesOf(48, { 44: 32, 46: 41, 54: 8, 62: 42, 70: 9 })).toEqual(['7: 40-50', '8: 41-50', '9: 42-50'])
  })

  test('that moves a page are the old place, the new one, the neighbours and the parent', () => {
    expect(pagesOf(65, { 32: 8, 36: 9, 40: 10, 44: 2, 48: 41, 56: 42, 64: 43 })).toEqual([
      '7: 40-50',
      '8: -1-50',
      '9: 41-50',
      '10: 42-50',
      '2: 43-50',
    ])
  })

  test('are none for every other type of the format', () => {
    const without = [...Array(66).keys()].filter((type) => shapeOfRecord(type) !== null && !touchesPages(type))

    expect(without).toEqual([
      0, 1, 2, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 22, 23, 36, 42, 45, 49, 50, 51, 52, 57, 59, 60, 61,
    ])
    for (const type of without) expect(pagesOf(type)).toEqual([])
  })
})

const BEFORE_ALL = { generation: 0, sector: 0, byte: 0 }

/** A database whose pages all have dbtime 100. */
function aDatabase(fields: Partial<ReplayedDatabase> = {}): ReplayedDatabase {
  return { databaseId: 1, attach: BEFORE_ALL, generationMaxRequired: 99, dbtimeOf: () => 100, ...fields }
}

type Lay = (log: LogBytes, at: number) => number

/** One change of a page by a session. */
function change(
  page: number,
  before: number,
  after: number,
  fields: { session?: number; databaseId?: number } = {},
): Lay {
  const rest = { transaction: 1, level: 1, line: 0, flags: 0, version: 0, rootPage: 2, objectId: 10 }
  const of = { session: 1, databaseId: 1, page, dbtimeBefore: before, dbtime: after }
  return (log, at) => writeFlagDelete(log, at, { ...of, ...rest, ...fields })
}

const begin =
  (session: number): Lay =>
  (log, at) =>
    writeMacroBegin(log, at, { session, dbtime: 0 })
const commit =
  (session: number, dbtime: number): Lay =>
  (log, at) =>
    writeMacroCommit(log, at, { session, dbtime })
const abort =
  (session: number): Lay =>
  (log, at) =>
    writeMacroAbort(log, at, { session, dbtime: 0 })

/** Replays logs of these records, generation 5 and on, and tells what became of the pages. */
function replayed(logs: readonly (readonly Lay[])[], database = aDatabase()): string {
  const replayer = new DbtimeReplayer(database)
  for (const [index, records] of logs.entries()) {
    const header = headerOfNewLog(place(5 + index), { sizeBytes: 16_384 })
    const buffer = new LogBuffer(header)
    let next = buffer.end
    for (const lay of records) next = lay(buffer.log, next)
    buffer.reserve(next - buffer.end)
    const fault = replayer.replayLog(openLogBytes(buffer.log.bytes), header, buffer.end)
    if (fault !== null)
      return `${fault.fault} page ${fault.page} at ${fault.position.generation}:${fault.position.sector}:${fault.position.byte}`
  }
  return [...replayer.pages].map(([page, dbtime]) => `${page}=${dbtime}`).join(' ')
}

describe('the order of redo', () => {
  test('is that of the log, but for macros, which come whole where they commit', () => {
    const records = [
      begin(1),
      change(3, 100, 0),
      change(4, 100, 101, { session: 2 }),
      change(5, 9, 0),
      commit(1, 120),
      change(6, 1, 2),
    ]
    const buffer = new LogBuffer(headerOfNewLog(place(5), { sizeBytes: 16_384 }))
    let next = buffer.end
    for (const lay of records) next = lay(buffer.log, next)
    const order = new RedoOrder()
    const cursor = openRecords(buffer.log, buffer.header, next)
    const seen: string[] = []
    const open: number[] = []
    while (cursor.next()) {
      if (cursor.type === 42) continue
      order.take(buffer.log, cursor, ({ view }, { at }) => seen.push(`${pageOf(view, at)}: ${dbtimeOf(view, at)}`))
      open.push(order.openMacros)
    }

    expect(seen).toEqual(['4: 101', '3: 120', '5: 120', '6: 2'])
    expect(open).toEqual([1, 1, 1, 1, 0, 0])
  })
})

describe('a replay', () => {
  test('follows the changes of one database', () => {
    expect(replayed([[change(3, 100, 101), change(3, 101, 105), change(4, 50, 60, { databaseId: 2 })]])).toBe('3=105')
  })

  test('stops at the first change that does not fit, and says where', () => {
    expect(replayed([[change(3, 100, 101)], [change(4, 100, 102), change(3, 104, 105), change(9, 1, 2)]])).toBe(
      'too-old page 3 at 6:8:66',
    )
  })

  test('leaves the pages of a before-image alone', () => {
    const info = {
      session: 1,
      databaseId: 1,
      transaction: 1,
      level: 1,
      flags: 0,
      version: 4,
      rootPage: 2,
      objectId: 10,
    }
    const rest = {
      operation: 2,
      dataBytesMax: 1,
      dataBytesAdded: 0,
      key: new Uint8Array(2),
      dataBefore: new Uint8Array(9),
    }

    expect(replayed([[(log, at) => writeUndoInfo(log, at, { ...info, ...rest })]])).toBe('')
  })

  test('skips what lies before the attachment of the database, in the same log and in earlier ones', () => {
    const attach = { generation: 6, sector: 8, byte: 22 + 44 }
    const logs = [[change(3, 7, 9)], [change(3, 1, 2), change(4, 7, 9), change(5, 100, 103)]]

    expect(replayed(logs, aDatabase({ attach }))).toBe('3=100 4=100 5=103')
  })

  test('redoes a macro when it commits, with its dbtime on every page, though it began in the log before', () => {
    const first = [begin(1), change(3, 100, 999)]
    const second = [change(4, 100, 999), commit(1, 110)]

    expect(replayed([first, second])).toBe('3=110 4=110')
  })

  test('drops a macro that is aborted, and one that no log ends', () => {
    expect(replayed([[begin(1), change(3, 0, 1), abort(1), change(4, 100, 101)]])).toBe('4=101')
    expect(replayed([[begin(1), change(3, 0, 1)]])).toBe('')
  })

  test('drops the macros that a crash has cut where the recovery undoes, and goes on with their sessions', () => {
    const undo: Lay = (log, at) => writeRecoveryUndo2(log, at, logTimeAt(MOMENT_MS))
    const first = [begin(0), change(3, 100, 110, { session: 0 })]
    const second = [undo, change(3, 100, 111, { session: 0 }), change(3, 111, 112)]

    expect(replayed([first, second])).toBe('3=112')
  })

  test('keeps the macros of sessions apart', () => {
    const records = [
      begin(1),
      begin(2),
      change(3, 100, 0, { session: 1 }),
      change(4, 100, 0, { session: 2 }),
      abort(2),
      commit(1, 120),
    ]

    expect(replayed([records])).toBe('3=120')
  })

  test('takes the insert of a split for what the split has done', () => {
    const split = {
      session: 1,
      databaseId: 1,
      page: 3,
      dbtime: 120,
      dbtimeBefore: 100,
      transaction: 1,
      level: 1,
      line: 0,
      flags: 0,
    }
    const pages = {
      newPage: 8,
      rightPage: 0,
      rightDbtimeBefore: 0,
      parentPage: 2,
      parentDbtimeBefore: 100,
      rootPage: 2,
    }
    const lines = { objectId: 10, splitType: 1, operation: 1, lineOfChange: 0, lineOfSplit: 1, lines: 2 }
    const flags = { newPageFlags: 2, splitPageFlags: 2, parentKey: Uint8Array.of(1), pageImage: new Uint8Array(8192) }
    const records: Lay[] = [
      begin(1),
      (log, at) => writeSplit2(log, at, { ...split, ...pages, ...lines, ...flags }),
      change(3, NO_DBTIME, 120),
      commit(1, 120),
    ]

    expect(replayed([records])).toBe('3=120 8=120 2=120')
  })
})
