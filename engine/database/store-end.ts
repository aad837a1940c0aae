import { positionOf } from './log-position.ts'
import {
  QUIT_BYTES,
  SHUT_DOWN_MARK_BYTES,
  writeRecoveryQuit2,
  writeShutDownMark,
  writeTerm2,
} from './log-record-engine.ts'
import type { LogTime } from './log-time.ts'
import type { StoreEngine } from './store-engine.ts'

/** How a store ends its work: in order, or as the last step of a recovery. Both leave the database clean. */
export type StoreEnd = 'term' | 'recovery-quit'

/** Lays what says that a store begins to end; a recovery says nothing. */
export function layBeginOfEnd(store: StoreEngine, by: StoreEnd): void {
  if (by === 'term') store.write(SHUT_DOWN_MARK_BYTES, writeShutDownMark)
}

/** Lays the last record of a life, which tells where a redo would begin. */
export function layEnd(store: StoreEngine, by: StoreEnd, time: LogTime): void {
  const write = by === 'term' ? writeTerm2 : writeRecoveryQuit2
  const redoFrom = store.checkpoint.checkpoint
  store.write(QUIT_BYTES, (log, at) => {
    write(log, at, { position: positionOf(store.buffer.header, at), redoFrom, hard: false, time })
  })
}
