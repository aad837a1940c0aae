import type { TreeShape } from './b-tree.ts'
import type { LogBytes } from './log-bytes.ts'
import { type LogPosition, positionOf } from './log-position.ts'
import type { LogRecord } from './log-record.ts'
import { INSERT_FIXED_BYTES, insertKeyBytesOf, OPERATION, readUndoInfo, type UndoInfo } from './log-record-node.ts'
import { databaseIdOf, objectIdOf, versionOf } from './log-record-page.ts'
import { RECORD } from './log-record-table.ts'
import { sessionOf, transactionOf } from './log-record-transaction.ts'
import type { RedoLog } from './record-apply.ts'
import type { UndoableTransaction } from './store-rollback.ts'
import type { OpenTransaction } from './store-transaction.ts'
import type { NodeUndo } from './tree-node.ts'

const NO_BYTES = new Uint8Array(0)
/** Nodes that {@link TransactionTable.flagged} tells of, the newest: a store takes them out soon after the commit. */
const FLAGGED_MAX = 65_536

/** A transaction as the records so far tell of it. */
class SeenTransaction implements OpenTransaction, UndoableTransaction {
  readonly session: number
  readonly id: number
  readonly begin: LogPosition
  /** Before-images and keys of changes, by version; a change counts when its own record comes. */
  readonly announced: Map<number, Pick<NodeUndo, 'key' | 'dataBefore'>> = new Map()
  readonly #changes = new Map<number, NodeUndo>()

  constructor({ session, id, begin }: OpenTransaction) {
    this.session = session
    this.id = id
    this.begin = begin
  }

  get changes(): readonly NodeUndo[] {
    return [...this.#changes.values()]
  }

  add(change: NodeUndo): void {
    this.#changes.set(change.version, change)
  }

  forget({ version }: Pick<NodeUndo, 'version'>): void {
    this.#changes.delete(version)
  }
}

/**
 * Which transactions are open where a redo stands, and what it takes to undo them: rebuilt from their records, while these are
 * redone. The redo must have begun at or before the oldest Begin0 of them; that is what a checkpoint sees to.
 *
 * A class, since it goes on from one log to the next.
 */
export class TransactionTable {
  readonly #databaseId: number
  readonly #trees: ReadonlyMap<number, TreeShape>
  readonly #open = new Map<number, SeenTransaction>()
  #flagged: Pick<NodeUndo, 'tree' | 'key'>[] = []

  /** @param trees whose changes can be undone; those of others are passed over */
  constructor(databaseId: number, trees: readonly TreeShape[]) {
    this.#databaseId = databaseId
    this.#trees = new Map(trees.map((tree) => [tree.objectId, tree]))
  }

  /** The open transactions, the oldest first. */
  get open(): readonly (OpenTransaction & UndoableTransaction)[] {
    return [...this.#open.values()]
  }

  /** Nodes that committed transactions have deleted: they may still have to be taken out. */
  get flagged(): readonly Pick<NodeUndo, 'tree' | 'key'>[] {
    return this.#flagged.slice(-FLAGGED_MAX)
  }

  /** Takes the next record of the log, of any type. */
  note({ header, log }: RedoLog, record: LogRecord): void {
    const { type, at } = record
    const { view } = log
    if (type === RECORD.begin0) {
      const session = sessionOf(view, at)
      const begin = positionOf(header, at)
      this.#open.set(session, new SeenTransaction({ session, id: transactionOf(view, at), begin }))
    } else if (type === RECORD.commit0) this.#commit(sessionOf(view, at))
    else if (type === RECORD.rollback) this.#open.delete(sessionOf(view, at))
    else if (CHANGES.has(type) && databaseIdOf(view, at) === this.#databaseId) this.#noteChange(log, record)
  }

  #noteChange(log: LogBytes, { type, at }: LogRecord): void {
    const { view } = log
    const transaction = this.#open.get(sessionOf(view, at))
    const tree = this.#trees.get(objectIdOf(view, at))
    if (transaction === undefined || tree === undefined) return
    const version = versionOf(view, at)
    if (type === RECORD.insert)
      transaction.add({ tree, key: keyOfInsert(log, at), operation: OPERATION.insert, version, dataBefore: NO_BYTES })
    else if (type === RECORD.undo) transaction.forget({ version })
    else if (type === RECORD.undoInfo) transaction.announced.set(version, copyOf(readUndoInfo(log, at)))
    else {
      const announced = transaction.announced.get(version)
      const operation = type === RECORD.replace ? OPERATION.replace : OPERATION.flagDelete
      if (announced !== undefined) transaction.add({ tree, operation, version, ...announced })
      transaction.announced.delete(version)
    }
  }

  #commit(session: number): void {
    for (const { tree, key, operation } of this.#open.get(session)?.changes ?? [])
      if (operation === OPERATION.flagDelete) this.#flagged.push({ tree, key })
    this.#open.delete(session)
    if (this.#flagged.length > 2 * FLAGGED_MAX) this.#flagged = this.#flagged.slice(-FLAGGED_MAX)
  }
}

/** The types that change a node for a transaction, or tell what such a change found. */
const CHANGES: ReadonlySet<number> = new Set([
  RECORD.insert,
  RECORD.replace,
  RECORD.flagDelete,
  RECORD.undoInfo,
  RECORD.undo,
])

/** The parts of a record are views of its log, which may be gone when they are needed. */
function copyOf({ key, dataBefore }: UndoInfo): Pick<NodeUndo, 'key' | 'dataBefore'> {
  return { key: key.slice(), dataBefore: dataBefore.slice() }
}

function keyOfInsert({ bytes, view }: LogBytes, at: number): Uint8Array {
  const start = at + INSERT_FIXED_BYTES
  return bytes.slice(start, start + insertKeyBytesOf(view, at))
}
