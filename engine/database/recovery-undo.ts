import type { ChangeWriter } from './change-writer.ts'
import { RECOVERY_UNDO2_BYTES, writeRecoveryUndo2 } from './log-record-engine.ts'
import type { LogTime } from './log-time.ts'
import { rollBack, type UndoableTransaction } from './store-rollback.ts'
import { untilMade, type Work } from './work.ts'

/**
 * The second half of a recovery: undoes every transaction that no Commit0 has ended. A RecoveryUndo2 says that it begins; then
 * come the records of a rollback for each, the newest transaction first. A crash in the middle leaves the rest to the next recovery.
 *
 * @param open as a `TransactionTable` has them when everything is redone
 */
export function* undoAll(writer: ChangeWriter, open: readonly UndoableTransaction[], time: LogTime): Work<void> {
  yield* untilMade(() => writer.lacksRoom(RECOVERY_UNDO2_BYTES))
  writer.write({ bytes: RECOVERY_UNDO2_BYTES, lay: (log, at) => writeRecoveryUndo2(log, at, time) })
  for (const transaction of [...open].reverse()) yield* rollBack(writer, transaction)
}
