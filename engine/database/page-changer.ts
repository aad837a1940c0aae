import { assert } from '../assert.ts'
import type { LogBytes } from './log-bytes.ts'
import type { LogRecord } from './log-record.ts'
import {
  EXTERNAL_HEADER_FIXED_BYTES,
  externalHeaderBytesOf,
  INSERT_FIXED_BYTES,
  insertDataBytesOf,
  insertKeyBytesOf,
  OPERATION,
  REPLACE_FIXED_BYTES,
  replaceDataBytesOf,
  UNDO_FIXED_BYTES,
  undoDataBytesOf,
  undoKeyBytesOf,
  undoneOperationOf,
} from './log-record-node.ts'
import { lineOf } from './log-record-page.ts'
import { readScrub } from './log-record-scrub.ts'
import { RECORD } from './log-record-table.ts'
import { readCreateSingleExtent } from './log-record-tree.ts'
import { initialisePage, type Page } from './page.ts'
import {
  deleteNode,
  flagNode,
  insertNode,
  NODE_FLAGS,
  nodeCount,
  replaceNodeData,
  setExternalHeader,
  unflagNode,
} from './page-node.ts'
import type { ByteRange, PageFault } from './page-tag.ts'
import { zeroRemains } from './page-zeroing.ts'
import type { TreeFault } from './tree-change.ts'

/** The types of record that change one page only, which is their own. */
const OWN_PAGE_TYPES: ReadonlySet<number> = new Set([
  RECORD.insert,
  RECORD.replace,
  RECORD.flagDelete,
  RECORD.delete,
  RECORD.undo,
  RECORD.setExternalHeader,
  RECORD.createSingleExtent,
  RECORD.scrub,
])

/** The same by type, dense: redo asks for each record. */
const CHANGES_OWN_PAGE: readonly boolean[] = Array.from({ length: 256 }, (_, type) => OWN_PAGE_TYPES.has(type))

/** Whether records of a type are for {@link PageChanger.change}. */
export function changesOwnPage(type: number): boolean {
  return CHANGES_OWN_PAGE[type] ?? false
}

/** A range that is set anew for each record. */
type MovingRange = { -readonly [Field in keyof ByteRange]: ByteRange[Field] }

/**
 * Makes the changes of records that change their own page only.
 *
 * A class, since it owns the ranges that it takes the parts of a record with: a redo makes none for each.
 */
export class PageChanger {
  readonly #key: MovingRange
  readonly #data: MovingRange
  readonly #node: { readonly key: ByteRange; readonly data: ByteRange; readonly flags: number }

  /** @param anywhere any memory that stays; the ranges lie in it until the first record comes */
  constructor(anywhere: LogBytes) {
    this.#key = { from: anywhere, start: 0, bytes: 0 }
    this.#data = { from: anywhere, start: 0, bytes: 0 }
    this.#node = { key: this.#key, data: this.#data, flags: 0 }
  }

  /**
   * Makes the change of the record on its page. The dbtimes are the caller's.
   *
   * @param record of a type that {@link changesOwnPage}
   * @returns null, or why no byte of the page was changed
   */
  change(page: Page, log: LogBytes, record: LogRecord): TreeFault | null {
    const { view } = log
    const { at } = record
    switch (record.type) {
      case RECORD.insert:
        return this.#insert(page, log, at)
      case RECORD.replace:
        this.#takeData(log, at + REPLACE_FIXED_BYTES, replaceDataBytesOf(view, at))
        return replaceNodeData(page, lineOf(view, at), this.#data)
      case RECORD.flagDelete:
        return flagNode(page, lineOf(view, at), NODE_FLAGS.deleted)
      case RECORD.delete:
        return deleteNode(page, lineOf(view, at))
      case RECORD.undo:
        return this.#undo(page, log, at)
      case RECORD.setExternalHeader:
        this.#takeData(log, at + EXTERNAL_HEADER_FIXED_BYTES, externalHeaderBytesOf(view, at))
        return setExternalHeader(page, this.#data)
      case RECORD.scrub:
        return scrubPage(page, log, at)
      default:
        assert(record.type === RECORD.createSingleExtent, 'the record changes its own page only')
        return createTree(page, view, at)
    }
  }

  #insert(page: Page, log: LogBytes, at: number): PageFault | null {
    const keyBytes = insertKeyBytesOf(log.view, at)
    const key = this.#key
    key.from = log
    key.start = at + INSERT_FIXED_BYTES
    key.bytes = keyBytes
    this.#takeData(log, at + INSERT_FIXED_BYTES + keyBytes, insertDataBytesOf(log.view, at))
    return insertNode(page, lineOf(log.view, at), this.#node)
  }

  /** An insertion is undone by taking the node out, a deletion by taking the flag away. */
  #undo(page: Page, log: LogBytes, at: number): PageFault | null {
    const line = lineOf(log.view, at)
    const operation = undoneOperationOf(log.view, at)
    if (operation === OPERATION.insert) return deleteNode(page, line)
    if (operation === OPERATION.flagDelete) return unflagNode(page, line, NODE_FLAGS.deleted)
    this.#takeData(log, at + UNDO_FIXED_BYTES + undoKeyBytesOf(log.view, at), undoDataBytesOf(log.view, at))
    return replaceNodeData(page, line, this.#data)
  }

  #takeData(log: LogBytes, start: number, bytes: number): void {
    const data = this.#data
    data.from = log
    data.start = start
    data.bytes = bytes
  }
}

/** The root of a new tree, without nodes. */
function createTree(page: Page, view: DataView, at: number): null {
  const { objectId, pageFlags } = readCreateSingleExtent(view, at)
  initialisePage(page, { objectId, flags: pageFlags, dbtime: 0, previous: 0, next: 0 })
  return null
}

/** Of the kinds of scrubbing that the record has, ours leaves every node alone. */
function scrubPage(page: Page, log: LogBytes, at: number): TreeFault | null {
  const { isFreePage, operations } = readScrub(log, at)
  if (isFreePage || operations.some((operation) => operation !== 0)) return 'unknown-change'
  if (operations.byteLength !== nodeCount(page)) return 'no-such-line'
  zeroRemains(page)
  return null
}
