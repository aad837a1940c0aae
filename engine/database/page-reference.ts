import { NO_DBTIME, readDbtime } from './dbtime.ts'
import { dbtimeBeforeOf, dbtimeOf, pageOf } from './log-record-page.ts'
import { RECORD } from './log-record-table.ts'

/**
 * Takes one page that a record touches. `dbtimeBefore` is the dbtime that the record found there, or `NO_DBTIME` where that
 * does not count: the page is new, or a split of the same macro has made it.
 */
export type VisitPage = (page: number, dbtimeBefore: number, dbtime: number) => void

/** Visits the pages of the record at `at`, whose type it fits. */
type References = (view: DataView, at: number, visit: VisitPage) => void

/** A field with a page number, and the field with the dbtime that was found there; null for a page that is new. */
type PageFields = readonly [page: number, dbtimeBefore: number | null]

/** Bytes of one entry in the list of an EmptyTree, and where its fields lie: the dbtime found, the page, its flags. */
const EMPTIED = { entryBytes: 16, dbtimeBefore: 0, page: 8, listBytes: 44, list: 46 } as const

/** The page of the record itself. */
const ownPage: References = (view, at, visit) => visit(pageOf(view, at), dbtimeBeforeOf(view, at), dbtimeOf(view, at))

/** The page of the record itself, which is new. */
const newPage: References = (view, at, visit) => visit(pageOf(view, at), NO_DBTIME, dbtimeOf(view, at))

/** The record's own page and others, all of them with the dbtime of the record; a page 0 is none. */
function withOthers(own: References, others: readonly PageFields[]): References {
  return (view, at, visit) => {
    own(view, at, visit)
    const dbtime = dbtimeOf(view, at)
    for (const [pageField, beforeField] of others) {
      const page = view.getUint32(at + pageField, true)
      if (page !== 0) visit(page, beforeField === null ? NO_DBTIME : readDbtime(view, at + beforeField), dbtime)
    }
  }
}

/** EmptyTree: the root, and every page that the tree gives up. */
const emptiedPages: References = (view, at, visit) => {
  ownPage(view, at, visit)
  const dbtime = dbtimeOf(view, at)
  const end = at + EMPTIED.list + view.getUint16(at + EMPTIED.listBytes, true)
  for (let entry = at + EMPTIED.list; entry + EMPTIED.entryBytes <= end; entry += EMPTIED.entryBytes)
    visit(view.getUint32(entry + EMPTIED.page, true), readDbtime(view, entry + EMPTIED.dbtimeBefore), dbtime)
}

/** The new page, the right neighbour and the parent of a split. */
const splitPages = withOthers(ownPage, [
  [32, null],
  [36, 40],
  [48, 52],
])
/** The right neighbour, the left one and the parent of a page that is merged. */
const mergedPages = withOthers(ownPage, [
  [32, 36],
  [44, 48],
  [56, 60],
])
/** The roots of the two trees that keep the space of a tree which had none. */
const convertedPages = withOthers(ownPage, [
  [36, null],
  [40, null],
])

/** Which pages a record type touches. Types that are missing touch none, or only in memory. */
const REFERENCES: Readonly<Record<number, References>> = {
  [RECORD.createMultipleExtent]: withOthers(newPage, [
    [36, null],
    [40, null],
  ]),
  [RECORD.createSingleExtent]: newPage,
  [RECORD.convert]: convertedPages,
  [RECORD.convert2]: convertedPages,
  [RECORD.split]: splitPages,
  [RECORD.split2]: splitPages,
  [RECORD.merge]: mergedPages,
  [RECORD.merge2]: mergedPages,
  [RECORD.emptyTree]: emptiedPages,
  [RECORD.insert]: ownPage,
  [RECORD.flagInsert]: ownPage,
  [RECORD.flagInsertAndReplace]: ownPage,
  [RECORD.flagDelete]: ownPage,
  [RECORD.replace]: ownPage,
  [RECORD.replaceDifference]: ownPage,
  [RECORD.delete]: ownPage,
  [RECORD.delta]: ownPage,
  [RECORD.setExternalHeader]: ownPage,
  [RECORD.undo]: ownPage,
  [RECORD.scrub]: ownPage,
  [RECORD.pageMove]: withOthers(ownPage, [
    [32, null],
    [36, 48],
    [40, 56],
    [44, 64],
  ]),
}

/** The same by type, dense, as a replay looks one up for each record. */
const BY_TYPE: readonly (References | null)[] = Array.from({ length: 256 }, (_, type) => REFERENCES[type] ?? null)

/** Whether records of a type name a database and a page, and a dbtime for it. */
export function touchesPages(type: number): boolean {
  return (BY_TYPE[type] ?? null) !== null
}

/**
 * Visits every page that the record of `type` at `at` changes, in the order in which a redo changes them. Payloads are not
 * read, so it serves the logs of any engine of format 7,3704; a page may be visited twice by one macro.
 */
export function visitPages(
  view: DataView,
  record: { readonly type: number; readonly at: number },
  visit: VisitPage,
): void {
  BY_TYPE[record.type]?.(view, record.at, visit)
}
