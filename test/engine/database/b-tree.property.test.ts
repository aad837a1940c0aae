// Goal: a tree holds exactly what was put in, its pages are always whole, and its log alone leads to the same bytes.
// Method: random changes beside a map, over a pool of few pages; then replay of the whole log from nothing and from old pages.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TreeShape } from '../../../engine/database/b-tree.ts'
import { findNext, rangeOf } from '../../../engine/database/b-tree.ts'
import { NO_AUTHOR } from '../../../engine/database/change-writer.ts'
import { createDatabase } from '../../../engine/database/database-creation.ts'
import { logTimeAt } from '../../../engine/database/log-time.ts'
import { nodeDataBytes, nodeDataStart } from '../../../engine/database/page-node.ts'
import { takeOutIfEmpty } from '../../../engine/database/tree-merge.ts'
import { dataOf, deleteFromTree, findNode, insertIntoTree, replaceInTree } from '../../../engine/database/tree-node.ts'
import { MOMENT_MS, SIGNATURE } from './build.ts'
import { PagesInMemory } from './pages-in-memory.ts'
import { earlierPages, replayLogs, StoreWorld, WORLD_PAGE_BYTES } from './store-world.ts'
import { brokenInvariants } from './tree-invariants.ts'

/** Long keys make low pages above the leaves: three levels take some hundred nodes. */
const KEY_BYTES = 90
const TREE: TreeShape = { rootPage: 2, objectId: 2, keyBytesMax: KEY_BYTES, groupBytes: 2 }
/** Two of the largest nodes fill a page. */
const DATA_BYTES_MAX = (WORLD_PAGE_BYTES - 44) / 2 - 4 - 2 - KEY_BYTES

interface Change {
  readonly kind: 'put' | 'delete' | 'delete-run'
  readonly key: number
  readonly bytes: number
}

const anyChange = (keys: number): fc.Arbitrary<Change> =>
  fc.record({
    kind: fc.constantFrom('put', 'put', 'put', 'delete', 'delete-run'),
    key: fc.nat(keys),
    bytes: fc.oneof(fc.nat(40), fc.nat(DATA_BYTES_MAX)),
  })

/** Keys are grouped by their first two bytes, as messages are by their mailbox. */
function keyOf(number: number): Uint8Array {
  const key = new Uint8Array(KEY_BYTES)
  const view = new DataView(key.buffer)
  view.setUint16(0, number % 7)
  view.setUint32(KEY_BYTES - 4, Math.floor(number / 7))
  return key
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** A tree in a world, and what it should hold. */
class TreeRig {
  readonly world: StoreWorld
  readonly model = new Map<string, string>()
  #content = 0

  constructor(seed: number, capacity: number) {
    this.world = new StoreWorld({ seed, capacity })
    const { writer, logs } = this.world
    const environment = logs[0]?.header.environment ?? expect.fail()
    const creation = {
      environment,
      time: logTimeAt(MOMENT_MS),
      database: { signature: SIGNATURE, path: 'a' },
      trees: [TREE],
    }
    this.world.run(() => createDatabase(writer, creation))
  }

  make({ kind, key, bytes }: Change): void {
    if (kind === 'put') this.put(keyOf(key), bytes)
    else if (kind === 'delete') this.delete(keyOf(key))
    else for (let next = key; next < key + 70; next += 7) this.delete(keyOf(next))
  }

  put(key: Uint8Array, bytes: number): void {
    const { world } = this
    const data = new Uint8Array(bytes).fill(++this.#content)
    const write = { tree: TREE, key, data, author: NO_AUTHOR }
    const node = world.run(() => findNode(world.writer, TREE, key))
    const before = node === null ? null : dataOf(node)
    expect(before === null ? undefined : hex(before)).toEqual(this.model.get(hex(key)))
    world.run(() =>
      before === null ? insertIntoTree(world.writer, write) : replaceInTree(world.writer, write, before),
    )
    this.model.set(hex(key), hex(data))
  }

  delete(key: Uint8Array): void {
    const { writer } = this.world
    this.world.run(() => {
      const node = findNode(writer, TREE, key)
      if (node === null || 'kind' in node) return node
      return deleteFromTree(writer, { tree: TREE, author: NO_AUTHOR }, node)
    })
    this.world.run(() => takeOutIfEmpty(writer, TREE, rangeOf(key)))
    this.model.delete(hex(key))
  }

  /** All nodes in order, found one after the other. */
  content(): [string, string][] {
    const found: [string, string][] = []
    let key = new Uint8Array(0)
    for (;;) {
      const next = this.world.run(() => findNext(this.world.writer, TREE, rangeOf(key)))
      if (next === null) return found
      const { page, line } = next
      const start = nodeDataStart(page, line)
      const own = page.bytes.slice(start - KEY_BYTES, start)
      found.push([hex(own), hex(page.bytes.subarray(start, start + nodeDataBytes(page, line)))])
      key = Uint8Array.from([...own, 0])
    }
  }

  expectSound(): void {
    expect(brokenInvariants(this.world.pages(), [TREE])).toEqual([])
    expect(this.content()).toEqual([...this.model].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  earlier(): PagesInMemory {
    return earlierPages(this.world.versions, this.world.dice)
  }

  expectReplayable(): void {
    const pages = this.world.pages()
    const fromNothing = new PagesInMemory(WORLD_PAGE_BYTES)
    for (const pool of [fromNothing, fromNothing, this.earlier(), this.earlier()]) {
      replayLogs(this.world.logs, pool)
      for (const [number, bytes] of pages) expect(hex(pool.read(number).bytes), `page ${number}`).toBe(hex(bytes))
    }
  }
}

const world = { seed: fc.integer(), capacity: fc.integer({ min: 12, max: 40 }) }

describe('a tree', () => {
  test('holds what was put in, however its pages split and merge', { timeout: 60_000 }, () => {
    const changes = fc.array(anyChange(400), { minLength: 50, maxLength: 500, size: 'max' })
    fc.assert(
      fc.property(changes, fc.record(world), (list, { seed, capacity }) => {
        const rig = new TreeRig(seed, capacity)

        for (const change of list) rig.make(change)

        rig.expectSound()
        rig.expectReplayable()
      }),
      { numRuns: 25 },
    )
  })

  test('gives all of its pages back but one way down when it is emptied, and takes them again', () => {
    const rig = new TreeRig(1, 30)
    const keys = Array.from({ length: 900 }, (_, number) => keyOf(number))
    for (const key of keys) rig.put(key, 90)
    rig.expectSound()
    const before = rig.world.pages().size

    for (const key of keys) rig.delete(key)

    rig.expectSound()
    for (const key of keys) rig.put(key, 90)
    rig.expectSound()
    rig.expectReplayable()
    expect(rig.world.pages().size).toBeLessThanOrEqual(before + 2)
  })

  test('fills its pages when keys ascend, in each of several groups', () => {
    const rig = new TreeRig(1, 40)

    for (let number = 0; number < 2100; number++) rig.put(keyOf(number), 90)

    const leaves = Math.ceil((2100 * (2 + KEY_BYTES + 90 + 4)) / (WORLD_PAGE_BYTES - 44))
    rig.expectSound()
    expect(rig.world.pages().size).toBeLessThan(leaves * 1.25)
  })
})
