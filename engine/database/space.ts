import { assert } from '../assert.ts'
import { type Blocked, type ChangeWriter, isBlocked, NO_AUTHOR, type RecordDraft } from './change-writer.ts'
import { NO_DBTIME } from './dbtime.ts'
import { EXTERNAL_HEADER_FIXED_BYTES, writeSetExternalHeader } from './log-record-node.ts'
import { type Page, pageDbtime } from './page.ts'
import { externalHeaderStart } from './page-node.ts'
import { SPACE_OBJECT } from './tree-change.ts'
import { untilMade, type Work } from './work.ts'

/** The page that keeps the space of the database, in its external header. */
export const SPACE_PAGE = 1

/** Which pages of the database are in use. */
interface Space {
  /** The first page of the chain of free ones; each of them names the next in its external header. 0 for none. */
  readonly firstFree: number
  /** The highest page that was ever taken. */
  readonly lastPage: number
}

/** Pages that a change takes: their numbers, what the space is afterwards, and which of them were never written. */
export interface Taken {
  readonly page: number
  readonly isNew: boolean
  readonly space: Space
  /** Of page 1 now. */
  readonly dbtimeBefore: number
}

/** Two page numbers. */
const SPACE_BYTES = 8
const LAST_PAGE = 4
/** One. */
const LINK_BYTES = 4
/** A database of this many pages has 16 TB: more than any file that it can lie in. */
const PAGES_MAX = 2 ** 31

/** Bytes of the record that says what the space is. */
export const SPACE_RECORD_BYTES: number = EXTERNAL_HEADER_FIXED_BYTES + SPACE_BYTES
/** Bytes of the record that says which free page follows another. */
export const LINK_RECORD_BYTES: number = EXTERNAL_HEADER_FIXED_BYTES + LINK_BYTES

/** The space of a database, from its page 1. */
export function readSpace(page: Page): Space {
  const at = externalHeaderStart(page)
  return { firstFree: page.view.getUint32(at, true), lastPage: page.view.getUint32(at + LAST_PAGE, true) }
}

/** Looks up the space of the database. */
export function* lookUpSpace(writer: ChangeWriter): Work<Space> {
  return readSpace(yield* untilMade(() => writer.find(SPACE_PAGE)))
}

/** The free page behind this one; 0 for none. */
export function nextFreePage(page: Page): number {
  return page.view.getUint32(externalHeaderStart(page), true)
}

/** Looks up which page a change would take: the first free one, or else the one behind the last. Nothing is changed. */
export function lookUpFreePage(writer: ChangeWriter): Taken | Blocked {
  const spacePage = writer.find(SPACE_PAGE)
  if (isBlocked(spacePage)) return spacePage
  const { firstFree, lastPage } = readSpace(spacePage)
  const dbtimeBefore = pageDbtime(spacePage)
  if (firstFree === 0) {
    const page = lastPage + 1
    assert(page < PAGES_MAX, 'a database has fewer than 2^31 pages')
    return { page, isNew: true, space: { firstFree: 0, lastPage: page }, dbtimeBefore }
  }
  const free = writer.find(firstFree)
  if (isBlocked(free)) return free
  return { page: firstFree, isNew: false, space: { firstFree: nextFreePage(free), lastPage }, dbtimeBefore }
}

/** The record that says what the space is from `dbtime` on. */
export function spaceRecord(
  writer: ChangeWriter,
  space: Space,
  at: { dbtime: number; dbtimeBefore: number },
): RecordDraft {
  const content = new Uint8Array(SPACE_BYTES)
  const view = new DataView(content.buffer)
  view.setUint32(0, space.firstFree, true)
  view.setUint32(LAST_PAGE, space.lastPage, true)
  return headerRecord(writer, { page: SPACE_PAGE, ...at, content })
}

/** The record that says which free page follows a page that the same macro frees. */
export function linkRecord(writer: ChangeWriter, link: { page: number; next: number; dbtime: number }): RecordDraft {
  const content = new Uint8Array(LINK_BYTES)
  new DataView(content.buffer).setUint32(0, link.next, true)
  return headerRecord(writer, { page: link.page, dbtime: link.dbtime, dbtimeBefore: NO_DBTIME, content })
}

function headerRecord(
  { redo }: ChangeWriter,
  change: { page: number; dbtime: number; dbtimeBefore: number; content: Uint8Array },
): RecordDraft {
  const fields = { ...NO_AUTHOR, databaseId: redo.databaseId, line: 0, rootPage: SPACE_PAGE, objectId: SPACE_OBJECT }
  return {
    bytes: EXTERNAL_HEADER_FIXED_BYTES + change.content.byteLength,
    lay: (log, at) => writeSetExternalHeader(log, at, { ...fields, ...change }),
  }
}
