// Goal: zeroing takes what nobody can read any more, all of it and nothing else, and a copy takes the same.
// Method: random pages beside a twin that knows the used bytes one by one; then single messages of a store whose bytes are looked for.

import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { openLogBytes } from '../../../engine/database/log-bytes.ts'
import { writeDelete } from '../../../engine/database/log-record-node.ts'
import { writeScrub } from '../../../engine/database/log-record-scrub.ts'
import { initialisePage, openPage, PAGE_FLAGS, type Page, pageDbtime, tagCount } from '../../../engine/database/page.ts'
import { checkPage } from '../../../engine/database/page-check.ts'
import { deleteNode, insertNode, nodeCount, replaceNodeData } from '../../../engine/database/page-node.ts'
import { tagBytes, tagStart } from '../../../engine/database/page-tag.ts'
import { holdsRemains, zeroRemains } from '../../../engine/database/page-zeroing.ts'
import { bytesOf, changeAt, insert, RedoRig, type Write } from './redo-rig.ts'

const PAGE_BYTES = 2048

interface PageStep {
  readonly kind: 'insert' | 'replace' | 'delete'
  readonly line: number
  readonly bytes: number
}

const anyStep: fc.Arbitrary<PageStep> = fc.record({
  kind: fc.constantFrom('insert' as const, 'insert' as const, 'replace' as const, 'delete' as const),
  line: fc.nat(12),
  bytes: fc.nat(300),
})

function pageAfter(steps: readonly PageStep[]): Page {
  const page = openPage(new Uint8Array(PAGE_BYTES))
  initialisePage(page, { objectId: 2, flags: PAGE_FLAGS.leaf, dbtime: 64, previous: 0, next: 0 })
  const key = { from: openLogBytes(bytesOf('key')), start: 0, bytes: 3 }
  for (const { kind, line, bytes } of steps) {
    const data = { from: openLogBytes(new Uint8Array(bytes).fill(0xa5)), start: 0, bytes }
    if (kind === 'insert') insertNode(page, Math.min(line, nodeCount(page)), { key, data, flags: 0 })
    else if (kind === 'replace') replaceNodeData(page, line, data)
    else deleteNode(page, line)
  }
  return page
}

/** The bytes that count, by a map of all of them. */
function usedBytes(page: Page): boolean[] {
  const tags = tagCount(page)
  const used = Array.from({ length: PAGE_BYTES }, (_, at) => at < 40 || at >= PAGE_BYTES - 4 * tags)
  for (let tag = 0; tag < tags; tag++)
    for (let at = tagStart(page, tag); at < tagStart(page, tag) + tagBytes(page, tag); at++) used[at] = true
  return used
}

describe('zeroing a page', () => {
  test('makes every unused byte zero and leaves every other as it is', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 40 }), (steps) => {
        const page = pageAfter(steps)
        const before = page.bytes.slice()
        const used = usedBytes(page)
        const hadRemains = before.some((byte, at) => byte !== 0 && used[at] !== true)

        expect(holdsRemains(page)).toBe(hadRemains)
        zeroRemains(page)

        expect([...page.bytes]).toEqual([...before].map((byte, at) => (used[at] === true ? byte : 0)))
        expect(holdsRemains(page)).toBe(false)
        expect(checkPage(page)).toBeNull()
      }),
    )
  })

  test('finds what a deletion leaves behind, in a gap and at the end', () => {
    const step = { line: 0, bytes: 50 }
    const filled = [
      { kind: 'insert' as const, ...step },
      { kind: 'insert' as const, ...step },
    ]

    expect(holdsRemains(pageAfter(filled))).toBe(false)
    expect(holdsRemains(pageAfter([...filled, { kind: 'delete', line: 0, bytes: 0 }]))).toBe(true)
    expect(holdsRemains(pageAfter([...filled, { kind: 'delete', line: 1, bytes: 0 }]))).toBe(true)
  })
})

describe('the record that tells of it', () => {
  let rig: RedoRig

  beforeEach(() => {
    rig = new RedoRig()
    rig.fourNodes()
    rig.redoAll(insert({ line: 4, from: 14, to: 15 }, 'e', 'secret'), (log, at) =>
      writeDelete(log, at, changeAt({ line: 4, from: 15, to: 16 })),
    )
  })

  const scrub =
    (of: { readonly isFreePage?: boolean; readonly operations: readonly number[] }): Write =>
    (log, at) =>
      writeScrub(log, at, {
        ...changeAt({ line: 0, from: 16, to: 17 }),
        isFreePage: of.isFreePage ?? false,
        operations: Uint8Array.from(of.operations),
      })

  test('zeroes the page where it is redone, once', () => {
    expect(new TextDecoder().decode(rig.pool.read(2).bytes)).toContain('secret')

    expect(rig.redoAll(scrub({ operations: [0, 0, 0, 0] }))).toEqual([{ kind: 'applied' }])

    expect(new TextDecoder().decode(rig.pool.read(2).bytes)).not.toContain('secret')
    expect(rig.nodes(2)).toEqual(['a=1', 'b=1', 'c=1', 'd=1'])
    expect(pageDbtime(rig.pool.read(2))).toBe(17)
    expect(rig.replay()).toEqual([{ kind: 'skipped' }])
  })

  test.each([
    ['counts other nodes than the page has', { operations: [0, 0, 0] }, 'no-such-line'],
    ['overwrites a node, which ours never does', { operations: [0, 1, 0, 0] }, 'unknown-change'],
    ['says that the page is free, which ours never does', { operations: [], isFreePage: true }, 'unknown-change'],
  ])('is refused where it %s, and leaves no trace', (_, of, fault) => {
    const before = rig.pool.read(2).bytes.slice()

    expect(rig.redoAll(scrub(of))).toMatchObject([{ kind: 'fault', fault }])
    expect(rig.pool.read(2).bytes).toEqual(before)
  })
})
