// Goal: a page keeps what is put into it, knows its free space to the byte, and the same changes always give the same bytes.
// Method: a model that is a plain array of nodes, driven by random changes, with every invariant looked over after each of them.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type LogBytes, openLogBytes } from '../../../engine/database/log-bytes.ts'
import {
  freeBytes,
  initialisePage,
  openPage,
  PAGE_BYTES,
  PAGE_FLAGS,
  type Page,
  type PageStart,
  pageDbtime,
  pageFlags,
  pageNext,
  pageObjectId,
  pagePrevious,
  setDataEnd,
  setPageDbtime,
  setPageFlags,
  setPageNext,
  setPagePrevious,
  setUncommittedFreeBytes,
} from '../../../engine/database/page.ts'
import { checkPage } from '../../../engine/database/page-check.ts'
import {
  compareKey,
  deleteNode,
  externalHeaderBytes,
  externalHeaderStart,
  findLine,
  flagNode,
  insertNode,
  NODE_FLAGS,
  nodeCount,
  nodeDataBytes,
  nodeDataStart,
  nodeFlags,
  nodeKeyBytes,
  nodeKeyStart,
  replaceNodeData,
  roomForNode,
  setExternalHeader,
  unflagNode,
} from '../../../engine/database/page-node.ts'
import { sealPage, verifyPage } from '../../../engine/database/page-seal.ts'
import { type ByteRange, compactPage, type PageFault } from '../../../engine/database/page-tag.ts'

const START: PageStart = { objectId: 10, flags: PAGE_FLAGS.root | PAGE_FLAGS.leaf, dbtime: 64, previous: 0, next: 0 }
/** Behind the header of 40 bytes and the tag of the external header. */
const ROOM = PAGE_BYTES - 40 - 4

function aPage(): Page {
  const page = openPage(new Uint8Array(PAGE_BYTES))
  initialisePage(page, START)
  return page
}

/** Bytes in a log as it were: at an odd place of other memory. */
function range(bytes: readonly number[] | Uint8Array): ByteRange {
  const from = openLogBytes(Uint8Array.from([0xee, 0xee, 0xee, ...bytes, 0xee]))
  return { from, start: 3, bytes: bytes.length }
}

interface ModelNode {
  readonly key: readonly number[]
  readonly data: readonly number[]
  readonly flags: number
}

function put(page: Page, line: number, node: ModelNode): PageFault | null {
  return insertNode(page, line, { key: range(node.key), data: range(node.data), flags: node.flags })
}

function nodesOf(page: Page): ModelNode[] {
  const part = (log: LogBytes, start: number, bytes: number): number[] => [...log.bytes.subarray(start, start + bytes)]
  return Array.from({ length: nodeCount(page) }, (_, line) => ({
    key: part(page, nodeKeyStart(page, line), nodeKeyBytes(page, line)),
    data: part(page, nodeDataStart(page, line), nodeDataBytes(page, line)),
    flags: nodeFlags(page, line),
  }))
}

function headerOf(page: Page): number[] {
  const start = externalHeaderStart(page)
  return [...page.bytes.subarray(start, start + externalHeaderBytes(page))]
}

/** A page, and what it should hold. */
interface Model {
  readonly nodes: ModelNode[]
  header: readonly number[]
}

function freeInModel({ nodes, header }: Model): number {
  return ROOM - header.length - nodes.reduce((sum, { key, data }) => sum + 4 + 2 + key.length + data.length, 0)
}

type Change = (page: Page, model: Model) => void

const anyBytes = (maxLength: number): fc.Arbitrary<readonly number[]> =>
  fc.oneof(
    fc.array(fc.nat(255), { maxLength: 40 }),
    fc
      .tuple(fc.nat(maxLength), fc.nat(255))
      .map(([length, first]) => Array.from({ length }, (_, at) => (first + at) & 255)),
  )

/** One past the last line is tried as well. */
const lineOf = (model: Model, at: number): number => at % (model.nodes.length + 1)

const anInsert = fc
  .record({ at: fc.nat(), key: anyBytes(300), data: anyBytes(3000), flags: fc.nat(3) })
  .map(({ at, ...node }): Change => {
    return (page, model) => {
      const fits = 4 + 2 + node.key.length + node.data.length <= freeInModel(model)
      const line = lineOf(model, at)
      expect(put(page, line, node)).toBe(fits ? null : 'page-full')
      if (fits) model.nodes.splice(line, 0, node)
    }
  })

const aReplacement = fc.record({ at: fc.nat(), data: anyBytes(4000) }).map(({ at, data }): Change => {
  return (page, model) => {
    const line = lineOf(model, at)
    const node = model.nodes[line]
    const fits = node !== undefined && data.length - node.data.length <= freeInModel(model)
    expect(replaceNodeData(page, line, range(data))).toBe(
      node === undefined ? 'no-such-line' : fits ? null : 'page-full',
    )
    if (node !== undefined && fits) model.nodes[line] = { ...node, data }
  }
})

const aDeletion = fc.nat().map((at): Change => {
  return (page, model) => {
    const line = lineOf(model, at)
    expect(deleteNode(page, line)).toBe(line < model.nodes.length ? null : 'no-such-line')
    model.nodes.splice(line, 1)
  }
})

const aFlag = fc.record({ at: fc.nat(), flags: fc.nat(3), set: fc.boolean() }).map(({ at, flags, set }): Change => {
  return (page, model) => {
    const line = lineOf(model, at)
    const node = model.nodes[line]
    const fault = set ? flagNode(page, line, flags) : unflagNode(page, line, flags)
    expect(fault).toBe(node === undefined ? 'no-such-line' : null)
    if (node !== undefined) model.nodes[line] = { ...node, flags: set ? node.flags | flags : node.flags & ~flags }
  }
})

const aHeader = anyBytes(2000).map((content): Change => {
  return (page, model) => {
    const fits = content.length - model.header.length <= freeInModel(model)
    expect(setExternalHeader(page, range(content))).toBe(fits ? null : 'page-full')
    if (fits) model.header = content
  }
})

const aCompaction = fc.constant<Change>((page) => compactPage(page))

const changes = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: anInsert },
    { weight: 4, arbitrary: aReplacement },
    { weight: 3, arbitrary: aDeletion },
    { weight: 1, arbitrary: aFlag },
    { weight: 1, arbitrary: aHeader },
    { weight: 1, arbitrary: aCompaction },
  ),
  { maxLength: 60, size: 'max' },
)

describe('a page', () => {
  test('holds after every change what an array of nodes would hold', () => {
    fc.assert(
      fc.property(changes, (list) => {
        const page = aPage()
        const model: Model = { nodes: [], header: [] }
        for (const change of list) {
          change(page, model)
          expect(checkPage(page)).toBeNull()
          expect(freeBytes(page)).toBe(freeInModel(model))
          expect(nodesOf(page)).toEqual(model.nodes)
          expect(headerOf(page)).toEqual(model.header)
        }
      }),
      { numRuns: 150 },
    )
  })

  test('has the same bytes after the same changes, also when it is carried over in the middle', () => {
    fc.assert(
      fc.property(changes, fc.nat(60), (list, middle) => {
        const active = aPage()
        const models: [Model, Model] = [
          { nodes: [], header: [] },
          { nodes: [], header: [] },
        ]
        let passive = openPage(active.bytes.slice())
        for (const [index, change] of list.entries()) {
          if (index === middle) passive = openPage(active.bytes.slice())
          change(active, models[0])
          change(passive, models[1])
        }
        expect(passive.bytes).toEqual(active.bytes)
      }),
      { numRuns: 60 },
    )
  })

  test('is not touched by a change that it refuses', () => {
    const page = aPage()
    put(page, 0, { key: [1], data: Array.from({ length: 5000 }, () => 7), flags: 0 })
    const before = page.bytes.slice()
    const tooLong = Array.from({ length: 4000 }, () => 8)

    const faults = [
      put(page, 0, { key: [0], data: tooLong, flags: 0 }),
      put(page, 2, { key: [0], data: [], flags: 0 }),
      put(page, -1, { key: [0], data: [], flags: 0 }),
      replaceNodeData(page, 1, range([])),
      setExternalHeader(page, range(tooLong)),
      deleteNode(page, 1),
      flagNode(page, -1, NODE_FLAGS.deleted),
    ]

    expect(faults.map((fault) => fault ?? 'changed')).toEqual([
      'page-full',
      'no-such-line',
      'no-such-line',
      'no-such-line',
      'page-full',
      'no-such-line',
      'no-such-line',
    ])
    expect(page.bytes).toEqual(before)
  })

  test('is not half written from a range that is none, or from itself', () => {
    const page = aPage()
    const before = page.bytes.slice()
    const beyond = { ...range([1, 2, 3]), bytes: 9 }
    const own: ByteRange = { from: page, start: 40, bytes: 4 }

    for (const wrong of [beyond, own]) {
      expect(() => insertNode(page, 0, { key: range([1]), data: wrong, flags: 0 })).toThrow('must hold')
      expect(() => setExternalHeader(page, wrong)).toThrow('must hold')
    }
    expect(page.bytes).toEqual(before)
  })

  test('takes a node of exactly the room that it has', () => {
    const page = aPage()
    const longest = Array.from({ length: roomForNode(page) - 2 }, (_, at) => at & 255)

    expect(put(page, 0, { key: [], data: [...longest, 1], flags: 0 })).toBe('page-full')
    expect(put(page, 0, { key: [], data: longest, flags: 0 })).toBeNull()
    expect([roomForNode(page), freeBytes(page)]).toEqual([-4, 0])
    expect(checkPage(page)).toBeNull()
  })

  test('leaves alone the bytes that a transaction may want back', () => {
    const page = aPage()
    setUncommittedFreeBytes(page, 8000)

    expect(put(page, 0, { key: [1], data: Array.from({ length: 200 }, () => 1), flags: 0 })).toBe('page-full')
    expect(put(page, 0, { key: [1], data: Array.from({ length: 100 }, () => 1), flags: 0 })).toBeNull()
    expect(() => setUncommittedFreeBytes(page, freeBytes(page) + 1)).toThrow('must hold')
  })

  test('hides a deleted node behind a flag, which an undo takes away again', () => {
    const page = aPage()
    put(page, 0, { key: [5], data: [6], flags: NODE_FLAGS.versioned })

    flagNode(page, 0, NODE_FLAGS.deleted)
    const hidden = nodeFlags(page, 0)
    unflagNode(page, 0, NODE_FLAGS.deleted)

    expect([hidden, nodeFlags(page, 0)]).toEqual([3, NODE_FLAGS.versioned])
    expect(nodesOf(page)).toEqual([{ key: [5], data: [6], flags: 1 }])
  })

  test('is found through by its keys, the shorter of two first', () => {
    const page = aPage()
    const keys = [[1], [1, 0], [1, 200], [2], [9, 9]]
    for (const [line, key] of keys.entries()) put(page, line, { key, data: [], flags: 0 })

    expect(keys.map((key) => findLine(page, range(key)))).toEqual([0, 1, 2, 3, 4])
    expect([[], [1, 1], [1, 201], [9, 9, 0]].map((key) => findLine(page, range(key)))).toEqual([0, 2, 3, 5])
    expect([compareKey(page, 1, range([1, 0])), Math.sign(compareKey(page, 1, range([1, 1])))]).toEqual([0, -1])
  })
})

describe('the header of a page', () => {
  test('lies where the format says', () => {
    const page = openPage(new Uint8Array(PAGE_BYTES).fill(0xee))
    initialisePage(page, { objectId: 0x0a0b0c0d, flags: 3, dbtime: 2 ** 32 * 5 + 6, previous: 7, next: 8 })
    const { view } = page

    expect([8, 12, 16, 20, 24, 36].map((at) => view.getUint32(at, true))).toEqual([6, 5, 7, 8, 0x0a0b0c0d, 0x2003])
    expect([28, 30, 32, 34].map((at) => view.getUint16(at, true))).toEqual([ROOM, 0, 0, 1])
    expect(page.bytes.subarray(40).every((byte) => byte === 0)).toBe(true)
  })

  test('is read as it was set', () => {
    const page = aPage()
    setPageDbtime(page, Number.MAX_SAFE_INTEGER)
    setPagePrevious(page, 0xffffffff)
    setPageNext(page, 12)
    setPageFlags(page, PAGE_FLAGS.leaf)

    expect([pageDbtime(page), pagePrevious(page), pageNext(page), pageObjectId(page), pageFlags(page)]).toEqual([
      Number.MAX_SAFE_INTEGER,
      0xffffffff,
      12,
      10,
      PAGE_FLAGS.leaf | PAGE_FLAGS.newChecksum,
    ])
  })

  test('takes no dbtime that a number cannot hold, and no page of another size or place', () => {
    const page = aPage()

    for (const dbtime of [-1, 0.5, 2 ** 53]) expect(() => setPageDbtime(page, dbtime)).toThrow('must hold')
    expect(() => openPage(new Uint8Array(16_384))).toThrow('must hold')
    expect(() => openPage(new Uint8Array(PAGE_BYTES + 1).subarray(1))).toThrow('must hold')
  })

  test('survives its seal', () => {
    const page = aPage()
    put(page, 0, { key: [1, 2], data: [3, 4], flags: 0 })
    sealPage(page, 0, { bytes: PAGE_BYTES, number: 5 })

    expect(verifyPage(page, 0, { bytes: PAGE_BYTES, number: 5 })).toEqual({ verdict: 'sound' })
    expect(checkPage(page)).toBeNull()
  })
})

describe('the look over a page', () => {
  const wrong: readonly (readonly [string, RegExp, (page: Page) => void])[] = [
    ['without a tag', /none at all/, (page) => page.view.setUint16(34, 0, true)],
    ['with more tags than fit', /more than the page holds/, (page) => page.view.setUint16(34, 2500, true)],
    ['whose data runs into its tags', /into the tags/, (page) => setDataEnd(page, ROOM)],
    ['whose tag lies behind its data', /behind the end/, (page) => setDataEnd(page, 10)],
    ['whose tags overlap', /overlaps/, (page) => page.view.setUint16(PAGE_BYTES - 10, 2, true)],
    ['whose free bytes are miscounted', /said to be free/, (page) => page.view.setUint16(28, 5, true)],
    ['with too many uncommitted', /uncommitted/, (page) => page.view.setUint16(30, 9000, true)],
    ['with a key that is too long', /longer than its node/, (page) => page.view.setUint16(40, 100, true)],
  ]

  test.each(wrong)('finds one %s', (_, fault, change) => {
    const page = aPage()
    put(page, 0, { key: [1, 1], data: [2, 2], flags: 0 })
    put(page, 1, { key: [3, 3], data: [4, 4], flags: 0 })
    expect(checkPage(page)).toBeNull()

    change(page)

    expect(checkPage(page)).toMatch(fault)
  })

  test('finds a node that is too short for the length of its key', () => {
    const page = aPage()
    put(page, 0, { key: [], data: [], flags: 0 })

    flagNode(page, 0, NODE_FLAGS.compressedKey)

    expect(checkPage(page)).toMatch(/no room for the length/)
  })

  test('takes any bytes without an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: PAGE_BYTES, maxLength: PAGE_BYTES }), fc.nat(40), (bytes, tags) => {
        const page = openPage(bytes.slice())
        page.view.setUint16(34, tags, true)
        expect(['string', 'object']).toContain(typeof checkPage(page))
      }),
      { numRuns: 300 },
    )
  })
})
