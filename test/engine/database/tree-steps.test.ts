// Goal: a step that lacks something says what, and leaves neither the log nor any page different.
// Method: a small tree, from which the one page is taken away, or the one byte of log or of memory, that the step needs.

import { beforeEach, describe, expect, test } from 'vitest'
import { rangeOf, type TreeShape } from '../../../engine/database/b-tree.ts'
import { type Blocked, ChangeWriter, NO_AUTHOR } from '../../../engine/database/change-writer.ts'
import { createDatabase } from '../../../engine/database/database-creation.ts'
import { LogBuffer } from '../../../engine/database/log-buffer.ts'
import { logTimeAt } from '../../../engine/database/log-time.ts'
import { pageNext, pagePrevious } from '../../../engine/database/page.ts'
import { nodeCount } from '../../../engine/database/page-node.ts'
import { headerOfNewLog } from '../../../engine/database/prepared-log.ts'
import { readSpace, SPACE_PAGE } from '../../../engine/database/space.ts'
import { takeOutIfEmpty } from '../../../engine/database/tree-merge.ts'
import { deleteFromTree, findNode, insertIntoTree } from '../../../engine/database/tree-node.ts'
import { MOMENT_MS, place, SIGNATURE } from './build.ts'
import { StoreWorld, WORLD_PAGE_BYTES } from './store-world.ts'
import { brokenInvariants } from './tree-invariants.ts'

const TREE: TreeShape = { rootPage: 2, objectId: 2, keyBytesMax: 4, groupBytes: 0 }
const DATA_BYTES = 400
/** Four nodes of this size and their tags fill a page. */
const PER_PAGE = 4

/** More pages than the trees here have. */
const CAPACITY = 100

let world: StoreWorld

beforeEach(() => {
  world = new StoreWorld({ seed: 1, capacity: CAPACITY })
  const { header } = world.logs[0] ?? expect.fail()
  const creation = { environment: header.environment, time: logTimeAt(MOMENT_MS), trees: [TREE] }
  const database = { signature: SIGNATURE, path: 'db' }
  world.run(() => createDatabase(world.writer, { ...creation, database }))
})

function keyOf(number: number): Uint8Array {
  const key = new Uint8Array(4)
  new DataView(key.buffer).setUint32(0, number)
  return key
}

const put = (number: number): Blocked | null =>
  insertIntoTree(world.writer, { tree: TREE, key: keyOf(number), data: new Uint8Array(DATA_BYTES), author: NO_AUTHOR })

function remove(number: number): void {
  world.run(() => {
    const node = findNode(world.writer, TREE, keyOf(number))
    if (node === null || 'kind' in node) return node
    return deleteFromTree(world.writer, { tree: TREE, author: NO_AUTHOR }, node)
  })
}

/** Full leaves of ascending keys, two apart. Their pages, from left to right. */
function fullLeaves(count: number): number[] {
  for (let number = 0; number < count * PER_PAGE; number++) world.run(() => put(number * 2))
  const leaves: number[] = []
  for (let number = lastLeaf(); number !== 0; number = pagePrevious(world.pageNow(number))) leaves.unshift(number)
  expect(leaves.map((number) => nodeCount(world.pageNow(number)))).toEqual(new Array(count).fill(PER_PAGE))
  return leaves
}

function lastLeaf(): number {
  const node = world.run(() => findNode(world.writer, TREE, keyOf(0)))
  let number = node?.place.leaf.number ?? expect.fail()
  while (pageNext(world.pageNow(number)) !== 0) number = pageNext(world.pageNow(number))
  return number
}

/** Expects that a step is blocked and leaves no trace; then gets what it lacks, and the step is made. */
function expectBlocked(step: () => Blocked | null, lacks: object): void {
  const position = world.writer.position
  const versions = world.versions.length

  const blocked = step()

  expect(blocked).toMatchObject(lacks)
  expect([world.writer.position, world.versions.length]).toEqual([position, versions])
  world.run(step)
  expect(brokenInvariants(world.pages(), [TREE])).toEqual([])
}

describe('a split', () => {
  test('needs the right neighbour of the page', () => {
    const [, second = 0, third = 0] = fullLeaves(3)
    world.throwOut(third)

    expectBlocked(() => put(PER_PAGE * 2 + 1), { kind: 'page-needed', page: third, isNew: false })
    expect(pageNext(world.pageNow(second))).not.toBe(third)
  })

  test('needs the space', () => {
    fullLeaves(2)
    world.throwOut(SPACE_PAGE)

    expectBlocked(() => put(1), { kind: 'page-needed', page: SPACE_PAGE })
  })

  test('needs the free page that it takes', () => {
    const [, second = 0] = fullLeaves(3)
    for (let number = PER_PAGE; number < 2 * PER_PAGE; number++) remove(number * 2)
    world.run(() => takeOutIfEmpty(world.writer, TREE, rangeOf(keyOf(PER_PAGE * 2))))
    expect(readSpace(world.pageNow(SPACE_PAGE)).firstFree).toBe(second)
    world.throwOut(second)

    expectBlocked(() => put(1), { kind: 'page-needed', page: second })
  })

  test('needs memory for a page that was never written', () => {
    fullLeaves(2)
    const { lastPage } = readSpace(world.pageNow(SPACE_PAGE))
    world.hasMemory = false

    expectBlocked(() => put(1), { kind: 'memory-needed', page: lastPage + 1 })
  })

  test('is not begun where the log has no room for all of its macro', () => {
    fullLeaves(2)
    for (let number = 100; world.room > WORLD_PAGE_BYTES; number++) world.run(() => put(number))
    const logs = world.logs.length

    expectBlocked(() => put(1), { kind: 'log-full', bytes: 11 + 110 + 4 + WORLD_PAGE_BYTES + 54 + 11 })
    expect(world.logs.length).toBe(logs + 1)
  })
})

describe('a leaf that is taken out', () => {
  test.each([0, 2])('needs its neighbours: leaf %i of the three around it', (index) => {
    const leaves = fullLeaves(3)
    for (let number = PER_PAGE; number < 2 * PER_PAGE; number++) remove(number * 2)
    world.throwOut(leaves[index] ?? 0)

    expectBlocked(() => takeOutIfEmpty(world.writer, TREE, rangeOf(keyOf(PER_PAGE * 2))), {
      kind: 'page-needed',
      page: leaves[index],
    })
  })

  test('stays when it is the last one', () => {
    fullLeaves(2)
    for (let number = 0; number < 2 * PER_PAGE; number++) remove(number * 2)
    for (const number of [0, PER_PAGE * 2]) world.run(() => takeOutIfEmpty(world.writer, TREE, rangeOf(keyOf(number))))

    expect(brokenInvariants(world.pages(), [TREE])).toEqual([])
    expect(readSpace(world.pageNow(SPACE_PAGE))).toMatchObject({ lastPage: 4 })
    expect(readSpace(world.pageNow(SPACE_PAGE)).firstFree).not.toBe(0)
  })
})

test('a log of Exchange 2007 before its first service pack has no splits, so no store writes it', () => {
  const { redo } = world.writer
  const log = new LogBuffer(headerOfNewLog(place(1), { update: 10 }))

  expect(() => new ChangeWriter({ redo, log, dbtime: 0 })).toThrow('update 11 or later')
  expect(() => world.writer.continueIn(log)).toThrow('update 11 or later')
})
