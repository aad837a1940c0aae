import { type Blocked, type ChangeWriter, isBlocked, NO_AUTHOR } from './change-writer.ts'
import { SCRUB_FIXED_BYTES, writeScrub } from './log-record-scrub.ts'
import { pageDbtime, pageObjectId } from './page.ts'
import { checkPage } from './page-check.ts'
import { nodeCount } from './page-node.ts'
import { holdsRemains } from './page-zeroing.ts'
import { SPACE_PAGE } from './space.ts'
import { STORE_TREES } from './store-layout.ts'

/**
 * Zeroes what a page holds without using it, by a record, so that a copy does the same.
 *
 * @returns whether something stood there. A page that was never written, and one that makes no sense, is left as it is
 */
export function zeroPage(writer: ChangeWriter, number: number): boolean | Blocked {
  const page = writer.find(number)
  if (isBlocked(page)) return page
  if (checkPage(page) !== null || !holdsRemains(page)) return false
  const operations = new Uint8Array(nodeCount(page))
  const bytes = SCRUB_FIXED_BYTES + operations.byteLength
  const blocked = writer.lacksRoom(bytes)
  if (blocked !== null) return blocked
  const objectId = pageObjectId(page)
  const scrub = {
    ...NO_AUTHOR,
    databaseId: writer.redo.databaseId,
    page: number,
    line: 0,
    dbtimeBefore: pageDbtime(page),
    dbtime: writer.nextDbtime(),
    rootPage: STORE_TREES.find((tree) => tree.objectId === objectId)?.rootPage ?? SPACE_PAGE,
    objectId,
    isFreePage: false,
    operations,
  }
  writer.write({ bytes, lay: (log, at) => writeScrub(log, at, scrub) })
  return true
}
