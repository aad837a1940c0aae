import { assert } from '../assert.ts'
import { findPlace, nodeBytes, rangeOf, type TreePlace, type TreeShape } from './b-tree.ts'
import { type Blocked, type ChangeWriter, isBlocked, type RecordDraft } from './change-writer.ts'
import {
  INSERT_FIXED_BYTES,
  OPERATION,
  REPLACE_FIXED_BYTES,
  UNDO_FIXED_BYTES,
  UNDO_INFO_FIXED_BYTES,
  writeDelete,
  writeFlagDelete,
  writeInsert,
  writeReplace,
  writeUndo,
  writeUndoInfo,
} from './log-record-node.ts'
import { NODE_CHANGE_BYTES, type NodeChange } from './log-record-page.ts'
import { pageDbtime } from './page.ts'
import { NODE_FLAGS, nodeDataBytes, nodeDataStart, nodeFlags } from './page-node.ts'
import { placeWithRoom } from './tree-split.ts'

/** Who makes a change, and under which number it is found again. */
export type Author = Pick<NodeChange, 'session' | 'transaction' | 'level' | 'flags' | 'version'>

/** A node as it lies in its leaf, for as long as the step lasts. */
interface FoundNode {
  readonly place: TreePlace
  readonly isFlagged: boolean
}

/** A change that a transaction has made, with what it takes to undo it. */
export interface NodeUndo {
  readonly tree: TreeShape
  readonly key: Uint8Array
  /** One of `OPERATION`. */
  readonly operation: number
  readonly version: number
  /** What a replaced node had; empty for other operations. */
  readonly dataBefore: Uint8Array
}

/** A node to be written, by whom. */
interface NodeWrite {
  readonly tree: TreeShape
  readonly key: Uint8Array
  readonly data: Uint8Array
  readonly author: Author
}

const NO_BYTES = new Uint8Array(0)

/** Looks a node up, one that is flagged as deleted too; null where there is none. */
export function findNode(writer: ChangeWriter, tree: TreeShape, key: Uint8Array): FoundNode | Blocked | null {
  const place = findPlace(writer, tree, rangeOf(key))
  if (isBlocked(place)) return place
  if (!place.found) return null
  return { place, isFlagged: (nodeFlags(place.leaf.page, place.leaf.line) & NODE_FLAGS.deleted) !== 0 }
}

/** A copy of the data of a node that was found. */
export function dataOf({ place }: FoundNode): Uint8Array {
  const { page, line } = place.leaf
  const start = nodeDataStart(page, line)
  return page.bytes.slice(start, start + nodeDataBytes(page, line))
}

/** Inserts a node whose key is not in the tree. Returns null when it is done; so do all below. */
export function insertIntoTree(writer: ChangeWriter, { tree, key, data, author }: NodeWrite): Blocked | null {
  const newcomer = { key, range: rangeOf(key), dataBytes: data.byteLength, presentBytes: 0 }
  const place = placeWithRoom(writer, tree, newcomer)
  if (isBlocked(place)) return place
  assert(!place.found, 'the key is new in the tree')
  const bytes = INSERT_FIXED_BYTES + key.byteLength + data.byteLength
  const blocked = writer.lacksRoom(bytes)
  if (blocked !== null) return blocked
  const change = changeAt(writer, tree, { place, author })
  writer.write({ bytes, lay: (log, at) => writeInsert(log, at, { ...change, key, data }) })
  return null
}

/** Replaces the data of a node that is in the tree, with its before-image in front. */
export function replaceInTree(
  writer: ChangeWriter,
  { tree, key, data, author }: NodeWrite,
  dataBefore: Uint8Array,
): Blocked | null {
  const place = placeForGrowth(writer, tree, {
    key,
    dataBytes: data.byteLength,
    dataBytesBefore: dataBefore.byteLength,
  })
  if (isBlocked(place)) return place
  const info = undoInfo(
    writer,
    { tree, key, author },
    { operation: OPERATION.replace, dataBefore, added: data.byteLength - dataBefore.byteLength },
  )
  const bytes = REPLACE_FIXED_BYTES + data.byteLength
  const blocked = writer.lacksRoom(info.bytes + bytes)
  if (blocked !== null) return blocked
  writer.write(info)
  const change = changeAt(writer, tree, { place, author })
  const dataBytesBefore = dataBefore.byteLength
  writer.write({ bytes, lay: (log, at) => writeReplace(log, at, { ...change, dataBytesBefore, data }) })
  return null
}

/** Flags a node as deleted, with its key in front, by which it is found again. */
export function flagInTree(
  writer: ChangeWriter,
  { tree, key, author }: Omit<NodeWrite, 'data'>,
  { place }: FoundNode,
): Blocked | null {
  const info = undoInfo(
    writer,
    { tree, key, author },
    { operation: OPERATION.flagDelete, dataBefore: NO_BYTES, added: 0 },
  )
  const blocked = writer.lacksRoom(info.bytes + NODE_CHANGE_BYTES)
  if (blocked !== null) return blocked
  writer.write(info)
  const change = changeAt(writer, tree, { place, author })
  writer.write({ bytes: NODE_CHANGE_BYTES, lay: (log, at) => writeFlagDelete(log, at, change) })
  return null
}

/** Takes a node out for good. */
export function deleteFromTree(
  writer: ChangeWriter,
  { tree, author }: Pick<NodeWrite, 'tree' | 'author'>,
  { place }: FoundNode,
): Blocked | null {
  const blocked = writer.lacksRoom(NODE_CHANGE_BYTES)
  if (blocked !== null) return blocked
  const change = changeAt(writer, tree, { place, author })
  writer.write({ bytes: NODE_CHANGE_BYTES, lay: (log, at) => writeDelete(log, at, change) })
  return null
}

/** Undoes a change, wherever its node lies by now. A node that gets more data back than it has may need a split for it. */
export function undoInTree(writer: ChangeWriter, undo: NodeUndo, author: Author): Blocked | null {
  const { tree, key, operation, version, dataBefore } = undo
  const node = findNode(writer, tree, key)
  if (isBlocked(node)) return node
  assert(node !== null, 'a node that was changed stays until its transaction has ended')
  const place =
    operation === OPERATION.replace
      ? placeForGrowth(writer, tree, {
          key,
          dataBytes: dataBefore.byteLength,
          dataBytesBefore: dataOf(node).byteLength,
        })
      : node.place
  if (isBlocked(place)) return place
  const bytes = UNDO_FIXED_BYTES + key.byteLength + dataBefore.byteLength
  const blocked = writer.lacksRoom(bytes)
  if (blocked !== null) return blocked
  const change = changeAt(writer, tree, { place, author: { ...author, version } })
  const fields = { ...change, key, operation, levelUndone: author.level, dataBefore }
  writer.write({ bytes, lay: (log, at) => writeUndo(log, at, fields) })
  return null
}

function placeForGrowth(
  writer: ChangeWriter,
  tree: TreeShape,
  { key, dataBytes, dataBytesBefore }: { key: Uint8Array; dataBytes: number; dataBytesBefore: number },
): TreePlace | Blocked {
  const presentBytes = nodeBytes(key.byteLength, dataBytesBefore)
  return placeWithRoom(writer, tree, { key, range: rangeOf(key), dataBytes, presentBytes })
}

function changeAt(
  writer: ChangeWriter,
  tree: TreeShape,
  { place, author }: { place: TreePlace; author: Author },
): NodeChange {
  const { number, page, line } = place.leaf
  return {
    ...author,
    databaseId: writer.redo.databaseId,
    page: number,
    line,
    dbtimeBefore: pageDbtime(page),
    dbtime: writer.nextDbtime(),
    rootPage: tree.rootPage,
    objectId: tree.objectId,
  }
}

function undoInfo(
  { redo }: ChangeWriter,
  { tree, key, author }: Omit<NodeWrite, 'data'>,
  change: { operation: number; dataBefore: Uint8Array; added: number },
): RecordDraft {
  const { operation, dataBefore, added } = change
  const fields = {
    ...author,
    databaseId: redo.databaseId,
    rootPage: tree.rootPage,
    objectId: tree.objectId,
    key,
    operation,
    dataBefore,
    dataBytesMax: dataBefore.byteLength + Math.max(0, added),
    dataBytesAdded: added,
  }
  return {
    bytes: UNDO_INFO_FIXED_BYTES + key.byteLength + dataBefore.byteLength,
    lay: (log, at) => writeUndoInfo(log, at, fields),
  }
}
