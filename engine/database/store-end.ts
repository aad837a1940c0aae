import { positionOf } from './log-position.ts'
import {
  QUIT_BYTES,
  SHUT_DOWN_MARK_BYTES,
  TEXT_FIXED_BYTES,
  writeForceLogRollover,
  writeRecoveryQuit2,
  writeShutDownMark,
  writeTerm2,
} from './log-record-engine.ts'
import { RECORD, recordTypeMax } from './log-record-table.ts'
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

/** Lays what says why a log is closed although it is not full, where its version knows the record and there is room. */
export function layRollover(store: StoreEngine, text: string): void {
  const { header, room } = store.buffer
  const bytes = TEXT_FIXED_BYTES + text.length + 1
  if (recordTypeMax(header.version.update) < RECORD.forceLogRollover || bytes > room) return
  store.write(bytes, (log, at) => writeForceLogRollover(log, at, { session: 0, text }))
}
