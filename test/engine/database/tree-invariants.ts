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
import { NODE_FLAGS, nodeCount, nodeFlags, nodeKeyBytes, nodeKeyStart } from '../../../engine/database/page-node.ts'
import { nextFreePage, readSpace, SPACE_PAGE } from '../../../engine/database/space.ts'

/** Every page of a database, by number. */
type Pages = ReadonlyMap<number, Uint8Array>

/** What does not hold of the pages of a database; nothing where all is well. */
export function brokenInvariants(pages: Pages, trees: readonly TreeShape[]): string[] {
  const check = new DatabaseCheck(pages)
  check.checkSpace()
  for (const tree of trees) check.checkTree(tree)
  check.checkOwners()
  return check.wrong
}

/** The nodes that are flagged as deleted, each by its page. */
export function flaggedNodes(pages: Pages): number[] {
  return [...pages].flatMap(([number, bytes]) => {
    const page = openPage(bytes)
    const lines = Array.from({ length: nodeCount(page) }, (_, line) => line)
    return lines.filter((line) => (nodeFlags(page, line) & NODE_FLAGS.deleted) !== 0).map(() => number)
  })
}

/** A page with the keys that may lie in it: from `low` on, below `high`; null for no bound. */
interface Bounded {
  readonly number: number
  readonly low: string | null
  readonly high: string | null
}

/** Collects what is wrong while it walks over everything. */
class DatabaseCheck {
  readonly wrong: string[] = []
  readonly #pages: ReadonlyMap<number, Page>
  readonly #owners = new Map<number, string>([[SPACE_PAGE, 'space']])

  constructor(pages: Pages) {
    this.#pages = new Map([...pages].map(([number, bytes]) => [number, openPage(bytes)]))
    for (const [number, page] of this.#pages)
      this.#expect(checkPage(page) === null, `page ${number}: ${checkPage(page)}`)
  }

  checkSpace(): void {
    for (let free = readSpace(this.#at(SPACE_PAGE)).firstFree; free !== 0; free = nextFreePage(this.#at(free))) {
      this.#own(free, 'the free chain')
      this.#expect(hasFlag(this.#at(free), PAGE_FLAGS.empty), `page ${free} is free and not empty`)
    }
  }

  checkOwners(): void {
    const { lastPage } = readSpace(this.#at(SPACE_PAGE))
    for (let number = 1; number <= lastPage; number++) this.#expect(this.#owners.has(number), `page ${number} is lost`)
    this.#expect(this.#owners.size === lastPage, `${this.#owners.size} pages have an owner, ${lastPage} are in use`)
  }

  /** Walks a tree level by level, from the root down. */
  checkTree(tree: TreeShape): void {
    let level: Bounded[] = [{ number: tree.rootPage, low: null, high: null }]
    while (level.length > 0) {
      level.forEach(({ number }, index) => {
        this.#own(number, `tree ${tree.objectId}`)
        this.#checkLinks(number, [level[index - 1]?.number ?? 0, level[index + 1]?.number ?? 0])
      })
      level = level.flatMap((bounded) => this.#checkPage(tree, bounded))
    }
  }

  #checkLinks(number: number, [before, after]: readonly [number, number]): void {
    const links = `${pagePrevious(this.#at(number))} and ${pageNext(this.#at(number))}`
    this.#expect(links === `${before} and ${after}`, `page ${number} links to ${links}, not to ${before} and ${after}`)
  }

  /** Checks one page of a tree; the pages below it. */
  #checkPage(tree: TreeShape, { number, low, high }: Bounded): Bounded[] {
    const page = this.#at(number)
    const isLeaf = hasFlag(page, PAGE_FLAGS.leaf)
    const keys = keysOf(page)
    this.#expect(pageObjectId(page) === tree.objectId, `page ${number} is of object ${pageObjectId(page)}`)
    this.#expect(hasFlag(page, PAGE_FLAGS.root) === (number === tree.rootPage), `page ${number}: flag of a root`)
    const counted = isLeaf ? keys : keys.slice(1)
    counted.forEach((key, line) => {
      this.#expect(line === 0 || (counted[line - 1] ?? '') < key, `page ${number}: keys do not ascend at line ${line}`)
      this.#expect(low === null || key >= low, `page ${number}: a key of the page before`)
      this.#expect(high === null || key < high, `page ${number}: a key of the page behind`)
    })
    if (isLeaf) return []
    this.#expect(keys.length > 0, `page ${number} leads to nothing`)
    const below = keys.map((key, line) => ({
      number: childAt(page, line),
      low: line === 0 ? low : key,
      high: keys[line + 1] ?? high,
    }))
    const leavesBelow = below.filter((child) => hasFlag(this.#at(child.number), PAGE_FLAGS.leaf)).length
    const expected = hasFlag(page, PAGE_FLAGS.parentOfLeaf) ? below.length : 0
    this.#expect(leavesBelow === expected, `page ${number}: ${leavesBelow} of its pages are leaves`)
    return below
  }

  #own(number: number, owner: string): void {
    this.#expect(!this.#owners.has(number), `page ${number} belongs to ${this.#owners.get(number)} and to ${owner}`)
    this.#owners.set(number, owner)
  }

  #at(number: number): Page {
    const page = this.#pages.get(number)
    if (page === undefined) throw new Error(`page ${number} is not there`)
    return page
  }

  #expect(holds: boolean, otherwise: string): void {
    if (!holds) this.wrong.push(otherwise)
  }
}

function hasFlag(page: Page, flag: number): boolean {
  return (pageFlags(page) & flag) !== 0
}

function keysOf(page: Page): string[] {
  return Array.from({ length: nodeCount(page) }, (_, line) => {
    const start = nodeKeyStart(page, line)
    return Buffer.from(page.bytes.subarray(start, start + nodeKeyBytes(page, line))).toString('hex')
  })
}
