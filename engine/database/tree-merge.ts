import { findPlace, type PathStep, type TreeShape } from './b-tree.ts'
import { type Blocked, type ChangeWriter, isBlocked, macroBytes, NO_AUTHOR, type RecordDraft } from './change-writer.ts'
import { NO_DBTIME } from './dbtime.ts'
import { MERGE_FLAG, MERGE_TYPE, MERGE2_FIXED_BYTES, type Merge2, writeMerge2 } from './log-record-merge.ts'
import { pageDbtime, pageNext, pagePrevious } from './page.ts'
import { nodeCount } from './page-node.ts'
import type { ByteRange } from './page-tag.ts'
import { LINK_RECORD_BYTES, linkRecord, readSpace, SPACE_PAGE, SPACE_RECORD_BYTES, spaceRecord } from './space.ts'

/** A page that goes out, without its dbtime. */
type MergeFields = Omit<Merge2, 'dbtime'>

const NO_BYTES = new Uint8Array(0)

/**
 * Takes the leaf where a key would be out of the tree when it has no node any more, with all pages above it that lead to nothing
 * else, and gives them to the chain of free pages. The last leaf of a tree stays, and so do its levels.
 *
 * @returns null when it is done or there was nothing to do
 */
export function takeOutIfEmpty(writer: ChangeWriter, tree: TreeShape, key: ByteRange): Blocked | null {
  const place = findPlace(writer, tree, key)
  if (isBlocked(place)) return place
  const { path, leaf } = place
  if (nodeCount(leaf.page) > 0) return null
  const keeper = path.findLastIndex(({ page }) => nodeCount(page) > 1)
  return keeper < 0 ? null : takeOut(writer, tree, path.slice(keeper))
}

/** Takes out all pages of a stretch of a way but the first, which loses its entry for the second. */
function takeOut(writer: ChangeWriter, tree: TreeShape, [keeper, ...leaving]: readonly PathStep[]): Blocked | null {
  const spacePage = writer.find(SPACE_PAGE)
  if (isBlocked(spacePage)) return spacePage
  const merges: MergeFields[] = []
  for (const step of leaving) {
    const parent = merges.length === 0 && keeper !== undefined ? keeper : null
    const merge = mergeFields(writer, tree, { step, parent })
    if (isBlocked(merge)) return merge
    merges.push(merge)
  }
  const drafts = [...merges.flatMap(() => MERGE_RECORDS), { bytes: SPACE_RECORD_BYTES }]
  const blocked = writer.lacksRoom(macroBytes(drafts))
  if (blocked !== null) return blocked
  const { firstFree, lastPage } = readSpace(spacePage)
  const dbtime = writer.nextDbtime()
  const records = merges.flatMap((merge, index) => {
    const next = merges[index - 1]?.page ?? firstFree
    return [mergeRecord({ ...merge, dbtime }), linkRecord(writer, { page: merge.page, next, dbtime })]
  })
  const space = { firstFree: merges.at(-1)?.page ?? firstFree, lastPage }
  records.push(spaceRecord(writer, space, { dbtime, dbtimeBefore: pageDbtime(spacePage) }))
  writer.writeMacro(dbtime, records)
  return null
}

/** The records of one page that goes out. */
const MERGE_RECORDS: readonly { readonly bytes: number }[] = [
  { bytes: MERGE2_FIXED_BYTES },
  { bytes: LINK_RECORD_BYTES },
]

function mergeRecord(merge: Merge2): RecordDraft {
  return { bytes: MERGE2_FIXED_BYTES, lay: (log, at) => writeMerge2(log, at, merge) }
}

function mergeFields(
  writer: ChangeWriter,
  tree: TreeShape,
  { step, parent }: { step: PathStep; parent: PathStep | null },
): MergeFields | Blocked {
  const leftPage = pagePrevious(step.page)
  const rightPage = pageNext(step.page)
  const left = leftPage === 0 ? null : writer.find(leftPage)
  if (isBlocked(left)) return left
  const right = rightPage === 0 ? null : writer.find(rightPage)
  if (isBlocked(right)) return right
  return {
    ...NO_AUTHOR,
    databaseId: writer.redo.databaseId,
    page: step.number,
    dbtimeBefore: pageDbtime(step.page),
    line: step.line,
    leftPage,
    leftDbtimeBefore: left === null ? NO_DBTIME : pageDbtime(left),
    rightPage,
    rightDbtimeBefore: right === null ? NO_DBTIME : pageDbtime(right),
    parentPage: parent?.number ?? 0,
    parentDbtimeBefore: parent === null ? NO_DBTIME : pageDbtime(parent.page),
    rootPage: tree.rootPage,
    objectId: tree.objectId,
    ...NOTHING_MOVES,
  }
}

const NOTHING_MOVES = {
  movedBytes: 0,
  movedBytesMax: 0,
  uncommittedFree: 0,
  lineOfMerge: 0,
  mergeFlags: MERGE_FLAG.emptyPage,
  mergeType: MERGE_TYPE.emptyPage,
  imageFlags: 0,
  parentKey: NO_BYTES,
  pageImage: NO_BYTES,
} as const
