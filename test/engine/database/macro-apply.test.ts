// Goal: the records of a macro are one change: all of its pages that lack it get it, or none does.
// Method: splits and merges of small trees, over one log and over two, aborted, cut, half redone and with pages that do not fit.

import { beforeEach, describe, expect, test } from 'vitest'
import { childAt } from '../../../engine/database/branch-page.ts'
import { NO_DBTIME } from '../../../engine/database/dbtime.ts'
import { MERGE_FLAG, MERGE_TYPE, writeMerge2 } from '../../../engine/database/log-record-merge.ts'
import { writeFlagDelete } from '../../../engine/database/log-record-node.ts'
import { writeMacroAbort, writeMacroBegin, writeMacroCommit } from '../../../engine/database/log-record-transaction.ts'
import { SPLIT_TYPE, type Split2, writeSplit2 } from '../../../engine/database/log-record-tree.ts'
import {
  PAGE_FLAGS,
  pageDbtime,
  pageFlags,
  pageNext,
  pagePrevious,
  setPageDbtime,
} from '../../../engine/database/page.ts'
import { nodeCount } from '../../../engine/database/page-node.ts'
import type { RedoStep } from '../../../engine/database/redo-step.ts'
import {
  bytesOf,
  changeAt,
  create,
  insert,
  RedoRig,
  RIG_NODE,
  RIG_PAGE_BYTES,
  RIG_SESSION,
  type Write,
} from './redo-rig.ts'

const NO_BYTES = new Uint8Array(0)

let rig: RedoRig

beforeEach(() => {
  rig = new RedoRig()
})

const kinds = (steps: readonly RedoStep[]): string[] => steps.map(({ kind }) => kind)

const macroBegin =
  (dbtime: number): Write =>
  (log, at) =>
    writeMacroBegin(log, at, { session: RIG_SESSION, dbtime })
const macroCommit =
  (dbtime: number): Write =>
  (log, at) =>
    writeMacroCommit(log, at, { session: RIG_SESSION, dbtime })

/** A split of page 2, whose lines from `lineOfSplit` on go to page 7. */
function split(fields: Partial<Split2>): Write {
  const image = rig.pool.read(2).bytes.slice()
  return (log, at) =>
    writeSplit2(log, at, {
      ...changeAt({ line: 0, from: 14, to: 20 }),
      newPage: 7,
      rightPage: 0,
      rightDbtimeBefore: NO_DBTIME,
      parentPage: 0,
      parentDbtimeBefore: NO_DBTIME,
      splitType: SPLIT_TYPE.right,
      operation: 0,
      lineOfChange: 0,
      lineOfSplit: 2,
      lines: 4,
      newPageFlags: PAGE_FLAGS.leaf,
      splitPageFlags: PAGE_FLAGS.leaf,
      parentKey: NO_BYTES,
      pageImage: image,
      ...fields,
    })
}

describe('a macro', () => {
  /** The pages around page 2: 5 is its parent, 6 its right neighbour. */
  function neighbours(): void {
    rig.pool.read(5)
    rig.pool.read(6)
    rig.redoAll(create(5, 5, PAGE_FLAGS.parentOfLeaf | PAGE_FLAGS.root), create(6, 5))
    rig.redoAll(
      insert({ page: 5, line: 0, from: 5, to: 6 }, '', '\u0002\0\0\0'),
      insert({ page: 5, line: 1, from: 6, to: 7 }, 'm', '\u0006\0\0\0'),
    )
    rig.fourNodes()
  }
  const around = {
    rightPage: 6,
    rightDbtimeBefore: 5,
    parentPage: 5,
    parentDbtimeBefore: 7,
    parentKey: bytesOf('c'),
  }

  test('splits a page to its right when it is committed, and not before', () => {
    neighbours()

    const steps = rig.redoAll(
      macroBegin(20),
      split(around),
      insert({ page: 7, line: 2, from: NO_DBTIME, to: 20 }, 'e', '1'),
      macroCommit(20),
    )

    expect(kinds(steps)).toEqual(['held', 'held', 'held', 'page-needed'])
    expect(rig.nodes(2)).toHaveLength(4)
    rig.pool.read(7)
    const again = rig.replay()
    expect(kinds(again)).toEqual(['held', 'held', 'held', 'applied'])
    expect(rig.nodes(2)).toEqual(['a=1', 'b=1'])
    expect(rig.nodes(7)).toEqual(['c=1', 'd=1', 'e=1'])
    expect([
      pageNext(rig.pool.read(2)),
      pagePrevious(rig.pool.read(7)),
      pageNext(rig.pool.read(7)),
      pagePrevious(rig.pool.read(6)),
    ]).toEqual([7, 2, 6, 7])
    expect([0, 1, 2].map((line) => childAt(rig.pool.read(5), line))).toEqual([2, 7, 6])
    expect([2, 5, 6, 7].map((page) => pageDbtime(rig.pool.read(page)))).toEqual([20, 20, 20, 20])
    expect(rig.pool.changes.slice(-4).map(({ page }) => page)).toEqual([2, 7, 6, 5])
  })

  test('changes those of its pages that lack it: the new page does not need the old state of the split one', () => {
    neighbours()
    rig.pool.read(7)
    const record = split(around)
    rig.redoAll(macroBegin(20), record, macroCommit(20))
    const after = new Map([...rig.pool.pages].map(([number, page]) => [number, page.bytes.slice()]))
    rig.pool.pages.delete(7)
    rig.pool.read(7)

    expect(kinds(rig.replay())).toEqual(['held', 'held', 'applied'])
    expect(new Map([...rig.pool.pages].map(([number, page]) => [number, page.bytes]))).toEqual(after)
  })

  test('makes a root the parent of a page that takes all of its lines', () => {
    rig.fourNodes()
    rig.pool.read(7)

    rig.redoAll(
      macroBegin(20),
      split({
        splitType: SPLIT_TYPE.vertical,
        lineOfSplit: 0,
        splitPageFlags: PAGE_FLAGS.root | PAGE_FLAGS.parentOfLeaf,
      }),
      macroCommit(20),
    )

    expect(rig.nodes(7)).toEqual(['a=1', 'b=1', 'c=1', 'd=1'])
    expect(nodeCount(rig.pool.read(2))).toBe(1)
    expect(childAt(rig.pool.read(2), 0)).toBe(7)
    expect(pageFlags(rig.pool.read(2)) & PAGE_FLAGS.leaf).toBe(0)
  })

  test('appends a page without any image', () => {
    rig.fourNodes()
    rig.pool.read(7)

    rig.redoAll(
      macroBegin(20),
      split({ splitType: SPLIT_TYPE.append, lineOfSplit: 4, pageImage: NO_BYTES }),
      macroCommit(20),
    )

    expect([rig.nodes(2).length, rig.nodes(7).length, pageNext(rig.pool.read(2))]).toEqual([4, 0, 7])
  })

  test('takes an empty page out of its tree', () => {
    neighbours()
    rig.pool.read(7)
    rig.redoAll(macroBegin(20), split(around), macroCommit(20))
    const neighboursOf7 = {
      rightPage: 6,
      rightDbtimeBefore: 20,
      leftPage: 2,
      leftDbtimeBefore: 20,
      parentPage: 5,
      parentDbtimeBefore: 20,
    }
    const moved = { movedBytes: 0, movedBytesMax: 0, uncommittedFree: 0, lineOfMerge: 0 }
    const kind = { mergeFlags: MERGE_FLAG.emptyPage, mergeType: MERGE_TYPE.emptyPage, imageFlags: 0 }

    rig.redoAll(
      macroBegin(30),
      (log, at) =>
        writeMerge2(log, at, {
          ...changeAt({ page: 7, line: 0, from: 20, to: 30 }),
          ...neighboursOf7,
          ...moved,
          ...kind,
          parentKey: NO_BYTES,
          pageImage: NO_BYTES,
        }),
      macroCommit(30),
    )

    expect(pageFlags(rig.pool.read(7)) & PAGE_FLAGS.empty).not.toBe(0)
    expect([pageNext(rig.pool.read(2)), pagePrevious(rig.pool.read(6))]).toEqual([6, 2])
    expect([0, 1].map((line) => childAt(rig.pool.read(5), line))).toEqual([2, 6])
  })

  test('may begin in one log and end in the next, whose memory is another', () => {
    rig.fourNodes()
    rig.redoAll(macroBegin(20), insert({ line: 4, from: 14, to: 20 }, 'e', '1'), (log, at) =>
      writeFlagDelete(log, at, { ...RIG_NODE, session: 9, page: 2, line: 0, dbtimeBefore: 14, dbtime: 14 }),
    )
    const begin = rig.redo.macros.oldestBegin
    rig.logs.at(-1)?.log.bytes.fill(0)

    const steps = rig.redoAll(insert({ line: 5, from: NO_DBTIME, to: 20 }, 'f', '1'), macroCommit(20))

    expect(begin).toEqual({ generation: 2, sector: 8, byte: 22 })
    expect(kinds(steps)).toEqual(['held', 'applied'])
    expect(rig.nodes(2).slice(-2)).toEqual(['e=1', 'f=1'])
    expect(rig.pool.changes.at(-1)).toEqual({ page: 2, position: begin })
    expect(rig.redo.macros.count).toBe(0)
  })

  test('that is aborted, or that a crash has cut, does nothing', () => {
    rig.fourNodes()
    const e = insert({ line: 4, from: 14, to: 20 }, 'e', '1')

    rig.redoAll(
      macroBegin(20),
      e,
      (log, at) => writeMacroAbort(log, at, { session: RIG_SESSION, dbtime: 20 }),
      macroCommit(20),
    )
    rig.redoAll(macroBegin(20), e)
    rig.redoAll(macroBegin(21), insert({ line: 4, from: 14, to: 21 }, 'f', '1'), macroCommit(21))

    expect(rig.nodes(2).slice(4)).toEqual(['f=1'])
  })

  test('with a page that does not fit changes none', () => {
    neighbours()
    rig.pool.read(7)
    setPageDbtime(rig.pool.read(6), 19)
    const before = rig.pool.read(2).bytes.slice()

    const steps = rig.redoAll(macroBegin(20), split(around), macroCommit(20))

    expect(steps.at(-1)).toMatchObject({ kind: 'fault', fault: 'too-new', page: 6, error: -567 })
    expect(rig.pool.read(2).bytes).toEqual(before)
  })

  test.each([
    ['none', NO_BYTES],
    ['one that is no page', new Uint8Array(RIG_PAGE_BYTES).fill(0xff)],
    ['one with other lines', new Uint8Array(RIG_PAGE_BYTES)],
  ])('whose split needs a page image and has %s is refused', (_, pageImage) => {
    rig.fourNodes()
    rig.pool.read(7)

    expect(rig.redoAll(macroBegin(20), split({ pageImage }), macroCommit(20)).at(-1)).toMatchObject({
      kind: 'fault',
      fault: 'bad-image',
      error: -501,
    })
  })
})
