// Goal: a record changes the page that lacks it, once, and leaves no trace where it cannot.
// Method: single records of every type that we write, on small pages.

import { beforeEach, describe, expect, test } from 'vitest'
import { NO_DBTIME } from '../../../engine/database/dbtime.ts'
import {
  OPERATION,
  writeDelete,
  writeFlagDelete,
  writeReplace,
  writeSetExternalHeader,
  writeUndo,
} from '../../../engine/database/log-record-node.ts'
import { writeBegin0 } from '../../../engine/database/log-record-transaction.ts'
import { writeCreateMultipleExtent } from '../../../engine/database/log-record-tree.ts'
import { pageDbtime, setPageDbtime } from '../../../engine/database/page.ts'
import { checkPage } from '../../../engine/database/page-check.ts'
import type { RedoStep } from '../../../engine/database/redo-step.ts'
import { bytesOf, type ChangeAt, changeAt, create, insert, RedoRig, RIG_NODE, type Write } from './redo-rig.ts'

let rig: RedoRig

beforeEach(() => {
  rig = new RedoRig()
})

const kinds = (steps: readonly RedoStep[]): string[] => steps.map(({ kind }) => kind)

describe('a record', () => {
  test('needs its page in memory, and says whether it makes it new', () => {
    expect(rig.redoAll(create(2, 10))).toEqual([{ kind: 'page-needed', page: 2, isNew: true }])
    expect(rig.redoAll(insert({ line: 0, from: 10, to: 11 }, 'a', '1'))).toEqual([
      { kind: 'page-needed', page: 2, isNew: false },
    ])
  })

  test('inserts, replaces, flags and deletes nodes, and changes what lies beside them', () => {
    rig.fourNodes()

    const steps = rig.redoAll(
      (log, at) =>
        writeReplace(log, at, { ...changeAt({ line: 1, from: 14, to: 15 }), dataBytesBefore: 1, data: bytesOf('22') }),
      (log, at) => writeFlagDelete(log, at, changeAt({ line: 2, from: 15, to: 16 })),
      (log, at) => writeDelete(log, at, changeAt({ line: 0, from: 16, to: 17 })),
      (log, at) =>
        writeSetExternalHeader(log, at, { ...changeAt({ line: 0, from: 17, to: 18 }), content: bytesOf('x') }),
    )

    expect(kinds(steps)).toEqual(['applied', 'applied', 'applied', 'applied'])
    expect(rig.nodes(2)).toEqual(['b=22', '-c=1', 'd=1'])
    expect(pageDbtime(rig.pool.read(2))).toBe(18)
    expect(checkPage(rig.pool.read(2))).toBeNull()
  })

  test('undoes an insertion, a replacement with the data that it carries, and a deletion', () => {
    rig.fourNodes()
    const undo = (at: ChangeAt, key: string, undone: { operation: number; data?: string }): Write => {
      const dataBefore = bytesOf(undone.data ?? '')
      return (log, to) =>
        writeUndo(log, to, {
          ...changeAt(at),
          key: bytesOf(key),
          operation: undone.operation,
          levelUndone: 1,
          dataBefore,
        })
    }

    rig.redoAll(
      (log, at) => writeFlagDelete(log, at, changeAt({ line: 2, from: 14, to: 15 })),
      undo({ line: 2, from: 15, to: 16 }, 'c', { operation: OPERATION.flagDelete }),
      undo({ line: 1, from: 16, to: 17 }, 'b', { operation: OPERATION.replace, data: 'before' }),
      undo({ line: 0, from: 17, to: 18 }, 'a', { operation: OPERATION.insert }),
    )

    expect(rig.nodes(2)).toEqual(['b=before', 'c=1', 'd=1'])
  })

  test('is skipped the second time, and tells the pool of a change only the first', () => {
    rig.fourNodes()
    const before = rig.pool.read(2).bytes.slice()
    const told = rig.pool.changes.length

    const again = rig.logs.flatMap((log) => rig.replay(log))

    expect(kinds(again)).toEqual(['skipped', 'skipped', 'skipped', 'skipped', 'skipped'])
    expect(rig.pool.read(2).bytes).toEqual(before)
    expect(rig.pool.changes).toHaveLength(told)
    expect(rig.pool.changes[0]).toEqual({ page: 2, position: { generation: 1, sector: 8, byte: 22 } })
  })

  test.each([
    ['too-old', 13, -566],
    ['too-new', 15, -567],
  ])('does not fit a page that is %s', (fault, found, error) => {
    rig.fourNodes()
    setPageDbtime(rig.pool.read(2), found)

    const steps = rig.redoAll(insert({ line: 0, from: 14, to: 20 }, 'A', '1'))

    expect(steps).toEqual([{ kind: 'fault', fault, error, page: 2, pageDbtime: found, dbtimeBefore: 14, dbtime: 20 }])
    expect(rig.nodes(2)).toHaveLength(4)
  })

  test('finds a page that has a change of a generation which the database says it does not need', () => {
    rig.fourNodes()
    rig.redo.generationMaxRequired = 0

    expect(rig.logs.flatMap((log) => rig.replay(log))[0]).toMatchObject({ fault: 'from-the-future', error: -625 })
  })

  test('of an earlier life, or of another database, is skipped without its page', () => {
    rig.redo.attached = false
    expect(kinds(rig.redoAll(create(9, 10)))).toEqual(['skipped'])
    rig.redo.attached = true
    const other = { ...RIG_NODE, databaseId: 2, page: 9, line: 0, dbtime: 10, dbtimeBefore: 9 }
    expect(kinds(rig.redoAll((log, at) => writeFlagDelete(log, at, other)))).toEqual(['skipped'])
    expect(kinds(rig.redoAll((log, at) => writeBegin0(log, at, { session: 3, id: 1, levels: 1 })))).toEqual(['skipped'])
  })

  test.each([
    ['a line that the page has not', insert({ line: 9, from: 14, to: 15 }, 'x', '1'), 'no-such-line'],
    ['more than the page holds', insert({ line: 0, from: 14, to: 15 }, 'x', 'y'.repeat(2000)), 'page-full'],
  ])('that asks for %s changes nothing', (_, record, fault) => {
    rig.fourNodes()
    const before = rig.pool.read(2).bytes.slice()

    expect(rig.redoAll(record)).toMatchObject([{ kind: 'fault', fault, error: -1206, page: 2 }])
    expect(rig.pool.read(2).bytes).toEqual(before)
  })

  test('of a type that our engine never writes ends the replay', () => {
    const foreign = { ...RIG_NODE, page: 2, line: 0, dbtime: 10, dbtimeBefore: NO_DBTIME, objectId: 9 }
    const more = { parentPage: 1, extentPages: 1, pageFlags: 0, ownedPage: 3, availablePage: 4 }

    expect(rig.redoAll((log, at) => writeCreateMultipleExtent(log, at, { ...foreign, ...more }))).toMatchObject([
      { kind: 'fault', fault: 'unknown-change', error: -514, page: 2 },
    ])
  })
})
