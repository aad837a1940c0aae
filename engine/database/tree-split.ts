import { assert } from '../assert.ts'
import { entryBytesMax, findPlace, isLeaf, nodeBytes, type PathStep, type TreePlace, type TreeShape } from './b-tree.ts'
import { type Blocked, type ChangeWriter, isBlocked, macroBytes, NO_AUTHOR, type RecordDraft } from './change-writer.ts'
import { NO_DBTIME } from './dbtime.ts'
import { SPLIT_TYPE, SPLIT2_FIXED_BYTES, type Split2, writeSplit2 } from './log-record-tree.ts'
import { PAGE_FLAGS, type Page, pageDbtime, pageFlags, pageNext, TAG_BYTES } from './page.ts'
import { nodeCount, nodeKeyBytes, nodeKeyStart, roomForNode } from './page-node.ts'
import { type ByteRange, tagBytes } from './page-tag.ts'
import { lookUpFreePage, SPACE_RECORD_BYTES, spaceRecord, type Taken } from './space.ts'

/** A node that wants in. */
interface Newcomer {
  readonly key: Uint8Array
  readonly range: ByteRange
  readonly dataBytes: number
  /** Bytes that a node of this key has already, where it is to grow. */
  readonly presentBytes: number
}

/** A split as it is decided: of which page, by which kind, from which line on. */
interface SplitPlan {
  readonly tree: TreeShape
  readonly step: PathStep
  /** Null for a root. */
  readonly parent: PathStep | null
  readonly splitType: Split2['splitType']
  readonly lineOfSplit: number
  /** The lowest key of the new page. */
  readonly parentKey: Uint8Array
}

const NO_BYTES = new Uint8Array(0)

/**
 * Finds the place of a node and makes room for it there. Each page that is full on the way is split by a macro of its own, the
 * highest one first, so that the tree is whole after each of them; the one that was made before a step is blocked stays.
 */
export function placeWithRoom(writer: ChangeWriter, tree: TreeShape, newcomer: Newcomer): TreePlace | Blocked {
  for (;;) {
    const place = findPlace(writer, tree, newcomer.range)
    if (isBlocked(place)) return place
    const missing = nodeBytes(newcomer.key.byteLength, newcomer.dataBytes) - newcomer.presentBytes
    if (missing <= roomAt(place.leaf.page, newcomer)) return place
    const blocked = writeSplit(writer, planSplit(tree, place, newcomer))
    if (blocked !== null) return blocked
  }
}

/** The room for a new node, or for more bytes of one that is there, which has its tag already. */
function roomAt(page: Page, { presentBytes }: Newcomer): number {
  return roomForNode(page) + (presentBytes > 0 ? TAG_BYTES : 0)
}

/** The page to split first: the highest of those that are full in a row above the leaf. */
function planSplit(tree: TreeShape, { path }: TreePlace, newcomer: Newcomer): SplitPlan {
  let level = path.length - 1
  while (level > 0 && roomForNode(stepAt(path, level - 1).page) < entryBytesMax(tree)) level--
  const step = stepAt(path, level)
  if (level === 0) {
    return { tree, step, parent: null, splitType: SPLIT_TYPE.vertical, lineOfSplit: 0, parentKey: NO_BYTES }
  }
  const lineOfSplit = isLeaf(step.page) ? leafSplitLine(tree, step, newcomer) : branchSplitLine(step)
  const appends = lineOfSplit === nodeCount(step.page)
  const parentKey = appends ? newcomer.key : keyAt(step.page, lineOfSplit)
  const splitType = appends ? SPLIT_TYPE.append : SPLIT_TYPE.right
  return { tree, step, parent: stepAt(path, level - 1), splitType, lineOfSplit, parentKey }
}

function stepAt(path: readonly PathStep[], level: number): PathStep {
  const step = path[level]
  assert(step !== undefined, 'the way has this level')
  return step
}

/** In ascending order pages get full, behind a group too; elsewhere the bytes are halved. */
function leafSplitLine(tree: TreeShape, { page, line }: PathStep, { range, presentBytes }: Newcomer): number {
  const lines = nodeCount(page)
  if (line === lines || (presentBytes === 0 && line > 0 && !sharesGroup(page, line, { range, tree }))) return line
  return middleLine(page)
}

function sharesGroup(page: Page, line: number, { range, tree }: { range: ByteRange; tree: TreeShape }): boolean {
  const bytes = Math.min(tree.groupBytes, range.bytes)
  const start = nodeKeyStart(page, line)
  for (let at = 0; at < bytes; at++)
    if (page.view.getUint8(start + at) !== range.from.view.getUint8(range.start + at)) return false
  return true
}

/** A page above the leaves keeps an entry and gives one at least. */
function branchSplitLine({ page, line }: PathStep): number {
  const lines = nodeCount(page)
  return line === lines - 1 ? line : Math.max(1, middleLine(page))
}

/** The first line that has half of all bytes before it; the last one at most. */
function middleLine(page: Page): number {
  const lines = nodeCount(page)
  let total = 0
  for (let line = 0; line < lines; line++) total += tagBytes(page, line + 1)
  let before = 0
  for (let line = 0; line < lines - 1; line++) {
    if (2 * before >= total) return line
    before += tagBytes(page, line + 1)
  }
  return lines - 1
}

function keyAt(page: Page, line: number): Uint8Array {
  const start = nodeKeyStart(page, line)
  return page.bytes.slice(start, start + nodeKeyBytes(page, line))
}

/** Looks up everything that the split needs, and then writes it: all of it or nothing. */
function writeSplit(writer: ChangeWriter, plan: SplitPlan): Blocked | null {
  const taken = lookUpFreePage(writer)
  if (isBlocked(taken)) return taken
  const { page } = plan.step
  const rightPage = plan.parent === null ? 0 : pageNext(page)
  const right = rightPage === 0 ? null : writer.find(rightPage)
  if (isBlocked(right)) return right
  const rightDbtimeBefore = right === null ? NO_DBTIME : pageDbtime(right)
  const split = splitFields(writer, plan, { rightPage, rightDbtimeBefore, newPage: taken.page })
  const bytes = SPLIT2_FIXED_BYTES + split.parentKey.byteLength + split.pageImage.byteLength
  const blocked =
    writer.lacksRoom(macroBytes([{ bytes }, { bytes: SPACE_RECORD_BYTES }])) ??
    (taken.isNew ? writer.makePage(taken.page) : null)
  if (blocked !== null) return blocked
  writeSplitMacro(writer, taken, { bytes, split })
  return null
}

/** What a split says, but for its dbtime. */
type SplitFields = Omit<Split2, 'dbtime'>

function writeSplitMacro(
  writer: ChangeWriter,
  taken: Taken,
  { bytes, split }: { bytes: number; split: SplitFields },
): void {
  const dbtime = writer.nextDbtime()
  const splitRecord: RecordDraft = { bytes, lay: (log, at) => writeSplit2(log, at, { ...split, dbtime }) }
  writer.writeMacro(dbtime, [
    splitRecord,
    spaceRecord(writer, taken.space, { dbtime, dbtimeBefore: taken.dbtimeBefore }),
  ])
}

function splitFields(
  { redo }: ChangeWriter,
  { tree, step, parent, splitType, lineOfSplit, parentKey }: SplitPlan,
  pages: Pick<Split2, 'rightPage' | 'rightDbtimeBefore' | 'newPage'>,
): SplitFields {
  const { page, number, line } = step
  const lines = nodeCount(page)
  const kind = pageFlags(page) & (PAGE_FLAGS.leaf | PAGE_FLAGS.parentOfLeaf)
  const raised = PAGE_FLAGS.root | (isLeaf(page) ? PAGE_FLAGS.parentOfLeaf : 0)
  return {
    ...NO_AUTHOR,
    ...pages,
    databaseId: redo.databaseId,
    page: number,
    dbtimeBefore: pageDbtime(page),
    line,
    parentPage: parent?.number ?? 0,
    parentDbtimeBefore: parent === null ? NO_DBTIME : pageDbtime(parent.page),
    rootPage: tree.rootPage,
    objectId: tree.objectId,
    splitType,
    operation: 0, // the change that wanted the room is a record of its own
    lineOfChange: line,
    lineOfSplit,
    lines,
    newPageFlags: kind,
    splitPageFlags: parent === null ? raised : kind,
    parentKey,
    pageImage: lineOfSplit < lines ? page.bytes.slice() : NO_BYTES,
  }
}
