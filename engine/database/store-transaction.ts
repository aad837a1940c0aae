import { assert } from '../assert.ts'
import type { TreeShape } from './b-tree.ts'
import { type Blocked, type ChangeWriter, isBlocked, NO_AUTHOR } from './change-writer.ts'
import type { LogPosition } from './log-position.ts'
import { OPERATION } from './log-record-node.ts'
import { PAGE_FLAG } from './log-record-page.ts'
import { nodeName } from './store-layout.ts'
import {
  type Author,
  dataOf,
  deleteFromTree,
  findNode,
  flagInTree,
  insertIntoTree,
  type NodeUndo,
  replaceInTree,
  undoInTree,
} from './tree-node.ts'

/** What others see of a node that a transaction has changed: that there is none, or its data; null for the data that it has. */
type NodeBefore = { readonly data: Uint8Array | null } | 'absent'

/** A transaction that is open, as its owner sees it. */
export interface OpenTransaction {
  readonly session: number
  readonly id: number
  /** Where its Begin0 lies: a checkpoint may not go beyond. */
  readonly begin: LogPosition
}

/** All changes are made at this depth: a session's transactions are not nested. */
export const LEVEL = 1
const NO_BYTES = new Uint8Array(0)

/** The author of a transaction's change. */
export function authorOf({ session, id }: Pick<OpenTransaction, 'session' | 'id'>, version: number): Author {
  return { session, transaction: id, level: LEVEL, flags: PAGE_FLAG.versioned, version }
}

/**
 * A transaction of a session: what it has changed, so that it can be undone, and what others see instead.
 *
 * A class, since it owns the locks and the before-images until it ends.
 */
export class StoreTransaction implements OpenTransaction {
  readonly session: number
  readonly id: number
  readonly begin: LogPosition
  /** The messages that it has locked. */
  readonly locked: Set<number> = new Set()
  /** Whether an operation of it is under way. */
  isBusy: boolean = false
  /** By version, in the order in which they were made. */
  readonly #changes = new Map<number, NodeUndo>()
  readonly #before = new Map<string, NodeBefore>()
  /** The versions of the deletions that count at present. */
  readonly #flagged = new Map<string, number>()

  constructor({ session, id, begin }: OpenTransaction) {
    this.session = session
    this.id = id
    this.begin = begin
  }

  /** What it takes to undo it, in the order in which the changes were made. */
  get changes(): readonly NodeUndo[] {
    return [...this.#changes.values()]
  }

  /** What others see of a node; undefined where this transaction has not changed it. */
  beforeOf(tree: TreeShape, key: Uint8Array): NodeBefore | undefined {
    return this.#before.get(nodeName(tree, key))
  }

  /** A change was made. */
  remember(change: NodeUndo): void {
    const { operation, dataBefore } = change
    const name = nodeName(change.tree, change.key)
    this.#changes.set(change.version, change)
    if (operation === OPERATION.flagDelete) this.#flagged.set(name, change.version)
    const before = this.#before.get(name)
    if (before === undefined) this.#before.set(name, beforeImage(operation, dataBefore))
    else if (before !== 'absent' && before.data === null && operation === OPERATION.replace)
      this.#before.set(name, { data: dataBefore })
  }

  /** A change was undone. */
  forget({ tree, key, operation, version }: NodeUndo): void {
    this.#changes.delete(version)
    if (operation === OPERATION.flagDelete) this.#flagged.delete(nodeName(tree, key))
  }

  /** The nodes that it has deleted. */
  get flaggedNodes(): readonly Pick<NodeUndo, 'tree' | 'key'>[] {
    return this.changes.filter(({ operation }) => operation === OPERATION.flagDelete)
  }

  /** This transaction's own deletion of a node, where it has deleted it. */
  flaggingOf(tree: TreeShape, key: Uint8Array): NodeUndo | null {
    const version = this.#flagged.get(nodeName(tree, key))
    return version === undefined ? null : (this.#changes.get(version) ?? null)
  }
}

/** A node to be changed by a transaction. */
interface TransactionWrite {
  readonly transaction: StoreTransaction
  readonly tree: TreeShape
  readonly key: Uint8Array
  readonly data: Uint8Array
  /** A number that no other change has. */
  readonly version: number
}

/**
 * Brings a node to be there with this data, by one record at a time: false says that the next one is still to be made. A node
 * that the same transaction has deleted gets its flag taken away first; one that an earlier one has deleted is taken out.
 */
export function putStep(writer: ChangeWriter, put: TransactionWrite): boolean | Blocked {
  const { transaction, tree, key, data, version } = put
  const node = findNode(writer, tree, key)
  if (isBlocked(node)) return node
  const write = { tree, key, data, author: authorOf(transaction, version) }
  if (node === null) {
    const done = { tree, key, version, operation: OPERATION.insert, dataBefore: NO_BYTES }
    return insertIntoTree(writer, write) ?? remembered(transaction, done)
  }
  if (node.isFlagged) {
    const flagging = transaction.flaggingOf(tree, key)
    if (flagging === null) return deleteFromTree(writer, { tree, author: NO_AUTHOR }, node) ?? false
    const blocked = undoInTree(writer, flagging, write.author)
    if (blocked === null) transaction.forget(flagging)
    return blocked ?? false
  }
  const dataBefore = dataOf(node)
  const done = { tree, key, version, operation: OPERATION.replace, dataBefore }
  return replaceInTree(writer, write, dataBefore) ?? remembered(transaction, done)
}

/** Flags a node as deleted. False where there is no such node; one that is flagged already stays so. */
export function flagStep(writer: ChangeWriter, write: Omit<TransactionWrite, 'data'>): boolean | Blocked {
  const { transaction, tree, key, version } = write
  const node = findNode(writer, tree, key)
  if (isBlocked(node)) return node
  if (node === null || node.isFlagged) return node !== null
  const done = { tree, key, version, operation: OPERATION.flagDelete, dataBefore: NO_BYTES }
  const author = authorOf(transaction, version)
  return flagInTree(writer, { tree, key, author }, node) ?? remembered(transaction, done)
}

function remembered(transaction: StoreTransaction, change: NodeUndo): true {
  assert(change.version > 0, 'a change of a transaction has a version')
  transaction.remember(change)
  return true
}

function beforeImage(operation: number, dataBefore: Uint8Array): NodeBefore {
  if (operation === OPERATION.insert) return 'absent'
  return { data: operation === OPERATION.replace ? dataBefore : null }
}
