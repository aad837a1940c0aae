import { rangeOf } from './b-tree.ts'
import type { ChangeWriter } from './change-writer.ts'
import { OPERATION } from './log-record-node.ts'
import { INNER_TRANSACTION_BYTES, writeRollback } from './log-record-transaction.ts'
import { authorOf, LEVEL, type OpenTransaction } from './store-transaction.ts'
import { takeOutIfEmpty } from './tree-merge.ts'
import { type NodeUndo, undoInTree } from './tree-node.ts'
import { untilMade, type Work } from './work.ts'

/** A transaction that is to be undone: by a rollback, or because a recovery found it open. */
export interface UndoableTransaction extends Pick<OpenTransaction, 'session' | 'id'> {
  /** In the order in which they were made. */
  readonly changes: readonly NodeUndo[]
  /** Told of each change that is undone. */
  forget(change: NodeUndo): void
}

/** Undoes all changes of a transaction, the last one first, each by an Undo record, and ends it with a Rollback record. */
export function* rollBack(writer: ChangeWriter, transaction: UndoableTransaction): Work<void> {
  for (const change of [...transaction.changes].reverse()) {
    const author = authorOf(transaction, change.version)
    yield* untilMade(() => undoInTree(writer, change, author))
    transaction.forget(change)
    if (change.operation === OPERATION.insert)
      yield* untilMade(() => takeOutIfEmpty(writer, change.tree, rangeOf(change.key)))
  }
  yield* untilMade(() => writer.lacksRoom(INNER_TRANSACTION_BYTES))
  const ended = { session: transaction.session, levels: LEVEL }
  writer.write({ bytes: INNER_TRANSACTION_BYTES, lay: (log, at) => writeRollback(log, at, ended) })
}
