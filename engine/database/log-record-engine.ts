import { type LogBytes, readText, writeText } from './log-bytes.ts'
import { type LogEnvironment, readEnvironment, writeEnvironment } from './log-environment.ts'
import { type LogPosition, readLogPosition, writeLogPosition } from './log-position.ts'
import { RECORD } from './log-record-table.ts'
import { LOG_TIME_BYTES, type LogTime, readLogTime, writeLogTime } from './log-time.ts'

/** Bytes of a ShutDownMark. */
export const SHUT_DOWN_MARK_BYTES = 1
/** Bytes of a RecoveryUndo2. */
export const RECOVERY_UNDO2_BYTES = 9
/** Bytes of a Term2 and of a RecoveryQuit2. */
export const QUIT_BYTES = 26
/** Bytes of an Init2. */
export const INIT2_BYTES = 576
/** Bytes of a Trace or of a ForceLogRollover before its text. */
export const TEXT_FIXED_BYTES = 5

/** The start of the engine. */
export interface EngineStart {
  readonly environment: LogEnvironment
  readonly time: LogTime
}

/** The end of the engine's work, or of a recovery. */
export interface EngineEnd {
  /** Where the record itself lies. */
  readonly position: LogPosition
  /** Where a redo would begin from: the checkpoint. */
  readonly redoFrom: LogPosition
  /** Whether it ends a restore from a backup rather than an ordinary start. */
  readonly hard: boolean
  readonly time: LogTime
}

/** A text for people. */
export interface TextRecord {
  /** 0 for a text of no session. */
  readonly session: number
  /** ANSI, at most 65,534 characters. */
  readonly text: string
}

const INIT2_TIME = 568
const QUIT = { position: 1, redoFrom: 9, hard: 17, time: 18 } as const
const SESSION = 1
const TEXT_BYTES = 3

/** Init2: the engine starts; the first record of a stream. Returns where the next record goes; so do all below. */
export function writeInit2(log: LogBytes, at: number, start: EngineStart): number {
  log.view.setUint8(at, RECORD.init2)
  writeEnvironment(log.view, at + 1, start.environment)
  writeLogTime(log.view, at + INIT2_TIME, start.time)
  return at + INIT2_BYTES
}

/** ShutDownMark: an orderly end begins. */
export function writeShutDownMark(log: LogBytes, at: number): number {
  log.view.setUint8(at, RECORD.shutDownMark)
  return at + SHUT_DOWN_MARK_BYTES
}

/** Term2: the engine has stopped in order; the last record before it starts again. */
export function writeTerm2(log: LogBytes, at: number, end: EngineEnd): number {
  return writeQuit(log.view, at, { type: RECORD.term2, ...end })
}

/** RecoveryUndo2: a recovery has redone everything, and undoes now what was not committed. */
export function writeRecoveryUndo2(log: LogBytes, at: number, time: LogTime): number {
  log.view.setUint8(at, RECORD.recoveryUndo2)
  writeLogTime(log.view, at + 1, time)
  return at + 1 + LOG_TIME_BYTES
}

/** RecoveryQuit2: a recovery is done. */
export function writeRecoveryQuit2(log: LogBytes, at: number, end: EngineEnd): number {
  return writeQuit(log.view, at, { type: RECORD.recoveryQuit2, ...end })
}

/** Trace: a text for people. */
export function writeTrace(log: LogBytes, at: number, text: TextRecord): number {
  return writeTextRecord(log, at, { type: RECORD.trace, ...text })
}

/** ForceLogRollover: the log is closed although it is not full; logs of update 12 and later may say so. */
export function writeForceLogRollover(log: LogBytes, at: number, text: TextRecord): number {
  return writeTextRecord(log, at, { type: RECORD.forceLogRollover, ...text })
}

/** Reads the Init2 at `at`. */
export function readInit2(log: LogBytes, at: number): EngineStart {
  return {
    environment: readEnvironment(log.bytes, log.view, at + 1),
    time: readLogTime(log.view, at + INIT2_TIME),
  }
}

/** Reads the Term2 or RecoveryQuit2 at `at`. */
export function readEngineEnd(view: DataView, at: number): EngineEnd {
  return {
    position: readLogPosition(view, at + QUIT.position),
    redoFrom: readLogPosition(view, at + QUIT.redoFrom),
    hard: view.getUint8(at + QUIT.hard) !== 0,
    time: readLogTime(view, at + QUIT.time),
  }
}

/** Reads the time of the RecoveryUndo2 at `at`. */
export function readRecoveryUndo2(view: DataView, at: number): LogTime {
  return readLogTime(view, at + 1)
}

/** Reads the Trace or ForceLogRollover at `at`. */
export function readTextRecord(log: LogBytes, at: number): TextRecord {
  const { bytes, view } = log
  return {
    session: view.getUint16(at + SESSION, true),
    text: readText(bytes, at + TEXT_FIXED_BYTES, view.getUint16(at + TEXT_BYTES, true)),
  }
}

function writeQuit(view: DataView, at: number, end: EngineEnd & { readonly type: number }): number {
  view.setUint8(at, end.type)
  writeLogPosition(view, at + QUIT.position, end.position)
  writeLogPosition(view, at + QUIT.redoFrom, end.redoFrom)
  view.setUint8(at + QUIT.hard, end.hard ? 1 : 0)
  writeLogTime(view, at + QUIT.time, end.time)
  return at + QUIT_BYTES
}

function writeTextRecord(log: LogBytes, at: number, record: TextRecord & { readonly type: number }): number {
  const { bytes, view } = log
  const length = record.text.length + 1 // its NUL
  view.setUint8(at, record.type)
  view.setUint16(at + SESSION, record.session, true)
  view.setUint16(at + TEXT_BYTES, length, true)
  writeText(bytes, at + TEXT_FIXED_BYTES, { text: record.text, length })
  return at + TEXT_FIXED_BYTES + length
}
