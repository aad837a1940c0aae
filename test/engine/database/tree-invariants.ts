import type { TreeShape } from '../../../engine/database/b-tree.ts'
import { childAt } from '../../../engine/database/branch-page.ts'
import {
  openPage,
  PAGE_FLAGS,
  type Page,
  pageFlags,
  pageNext,
  pageObjectId,
  pagePrevious,
} from '../../../engine/database/page.ts'
import { checkPage } from '../../../engine/database/page-check.ts'
import { nodeCount, nodeKeyBytes, nodeKeyStart } from '../../../engine/database/page-node.ts'
import { nextFreePage, readSpace, SPACE_PAGE } from '../../../engine/database/space.ts'

/** Every page of a database, by number. */
type Pages = ReadonlyMap<number, Uint8Array>

/** What does not hold of the pages of a database; nothing where all is well. */
export function brokenInvariants(pages: Pages, trees: readonly TreeShape[]): string[] {
  const wrong: string[] = []
  const open = new Map([...pages].map(([number, bytes]) => [number, openPage(bytes)]))
  for (const [number, page] of open) {
    const fault = checkPage(page)
    if (fault !== null) wrong.push(`page ${number}: ${fault}`)
  }
  const owners = new Map<number, string>([[SPACE_PAGE, 'space']])
  const own = (number: number, owner: string): void => {
    const before = owners.get(number)
    if (before !== undefined) wrong.push(`page ${number} belongs to ${before} and to ${owner}`)
    owners.set(number, owner)
  }
  const at = (number: number): Page => {
    const page = open.get(number)
    if (page === undefined) throw new Error(`page ${number} is not there`)
    return page
  }
  const { firstFree, lastPage } = readSpace(at(SPACE_PAGE))
  for (let free = firstFree; free !== 0; free = nextFreePage(at(free))) {
    own(free, 'the free chain')
    if ((pageFlags(at(free)) & PAGE_FLAGS.empty) === 0) wrong.push(`page ${free} is free and not empty`)
  }
  for (const tree of trees) wrong.push(...brokenTree(tree, at, own))
  for (let number = 1; number <= lastPage; number++) if (!owners.has(number)) wrong.push(`page ${number} is lost`)
  if (owners.size !== lastPage) wrong.push(`${owners.size} pages have an owner, ${lastPage} are in use`)
  return wrong
}

/** Walks a tree level by level, from the root down. */
function brokenTree(
  tree: TreeShape,
  at: (number: number) => Page,
  own: (number: number, owner: string) => void,
): string[] {
  const wrong: string[] = []
  let level = [tree.rootPage]
  let bounds: (string | null)[] = [null]
  for (;;) {
    const below: number[] = []
    const boundsBelow: (string | null)[] = []
    level.forEach((number, index) => {
      const page = at(number)
      own(number, `tree ${tree.objectId}`)
      if (pageObjectId(page) !== tree.objectId) wrong.push(`page ${number} is of object ${pageObjectId(page)}`)
      const [before, after] = [level[index - 1] ?? 0, level[index + 1] ?? 0]
      if (pagePrevious(page) !== before || pageNext(page) !== after)
        wrong.push(`page ${number} links to ${pagePrevious(page)} and ${pageNext(page)}, not to ${before} and ${after}`)
      const isLeaf = (pageFlags(page) & PAGE_FLAGS.leaf) !== 0
      if (((pageFlags(page) & PAGE_FLAGS.root) !== 0) !== (number === tree.rootPage))
        wrong.push(`page ${number}: root flag`)
      const keys = keysOf(page)
      const counted = isLeaf ? keys : keys.slice(1)
      const low = bounds[index] ?? null
      const high = bounds.slice(index + 1).find((bound) => bound !== null) ?? null
      counted.forEach((key, line) => {
        const previous = counted[line - 1]
        if (previous !== undefined && previous >= key) wrong.push(`page ${number}: keys do not ascend at line ${line}`)
        if (low !== null && key < low) wrong.push(`page ${number}: key below the page's lowest`)
        if (high !== null && key >= high) wrong.push(`page ${number}: key of the next page`)
      })
      if (isLeaf) return
      if (keys.length === 0) wrong.push(`page ${number} leads to nothing`)
      keys.forEach((key, line) => {
        below.push(childAt(page, line))
        boundsBelow.push(line === 0 ? low : key)
      })
      const parentOfLeaf = (pageFlags(page) & PAGE_FLAGS.parentOfLeaf) !== 0
      const childIsLeaf = keys.length > 0 && (pageFlags(at(childAt(page, 0))) & PAGE_FLAGS.leaf) !== 0
      if (parentOfLeaf !== childIsLeaf) wrong.push(`page ${number}: flag of a parent of leaves`)
    })
    if (below.length === 0) return wrong
    level = below
    bounds = boundsBelow
  }
}

function keysOf(page: Page): string[] {
  return Array.from({ length: nodeCount(page) }, (_, line) => {
    const start = nodeKeyStart(page, line)
    return Buffer.from(page.bytes.subarray(start, start + nodeKeyBytes(page, line))).toString('hex')
  })
}
