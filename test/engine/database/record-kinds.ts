import fc from 'fast-check'
import type { LogBytes } from '../../../engine/database/log-bytes.ts'
import {
  ATTACH_DATABASE_FIXED_BYTES,
  BACKUP_PHASE,
  BACKUP_SCOPE,
  BACKUP_TYPE,
  BACKUP2_FIXED_BYTES,
  CREATE_DATABASE_FIXED_BYTES,
  DETACH_DATABASE_FIXED_BYTES,
  pathBytesOf,
  readAttachDatabase,
  readBackup2,
  readCreateDatabase,
  readDetachDatabase,
  writeAttachDatabase,
  writeBackup2,
  writeCreateDatabase,
  writeDetachDatabase,
} from '../../../engine/database/log-record-database.ts'
import {
  type EngineEnd,
  INIT2_BYTES,
  QUIT_BYTES,
  RECOVERY_UNDO2_BYTES,
  readEngineEnd,
  readInit2,
  readRecoveryUndo2,
  readTextRecord,
  SHUT_DOWN_MARK_BYTES,
  TEXT_FIXED_BYTES,
  type TextRecord,
  writeForceLogRollover,
  writeInit2,
  writeRecoveryQuit2,
  writeRecoveryUndo2,
  writeShutDownMark,
  writeTerm2,
  writeTrace,
} from '../../../engine/database/log-record-engine.ts'
import {
  EXTERNAL_HEADER_FIXED_BYTES,
  INSERT_FIXED_BYTES,
  OPERATION,
  REPLACE_FIXED_BYTES,
  readInsert,
  readReplace,
  readSetExternalHeader,
  readUndo,
  readUndoInfo,
  UNDO_FIXED_BYTES,
  UNDO_INFO_FIXED_BYTES,
  writeDelete,
  writeFlagDelete,
  writeInsert,
  writeReplace,
  writeSetExternalHeader,
  writeUndo,
  writeUndoInfo,
} from '../../../engine/database/log-record-node.ts'
import { NODE_CHANGE_BYTES, type NodeChange, readNodeChange } from '../../../engine/database/log-record-page.ts'
import { readScrub, SCRUB_FIXED_BYTES, writeScrub } from '../../../engine/database/log-record-scrub.ts'
import {
  INNER_TRANSACTION_BYTES,
  levelBefore,
  levelsOf,
  levelsOpened,
  MACRO_BYTES,
  macroDbtimeOf,
  OUTER_TRANSACTION_BYTES,
  sessionOf,
  transactionOf,
  writeBegin,
  writeBegin0,
  writeCommit,
  writeCommit0,
  writeMacroAbort,
  writeMacroBegin,
  writeMacroCommit,
  writeRollback,
} from '../../../engine/database/log-record-transaction.ts'
import { logTimeAt } from '../../../engine/database/log-time.ts'
import { bytesUpTo, casesOf, dbtime, nibble, pageChange, type RecordCase, u8, u16, u32 } from './record-case.ts'
import { TREE_RECORDS } from './record-kinds-tree.ts'

const text = fc.string({ unit: 'grapheme-ascii', maxLength: 60 })
const path = fc.string({ unit: fc.constantFrom('a', 'Z', '\\', ':', 'é', '字', ' '), maxLength: 200 })
const time = fc.nat(2 ** 40).map(logTimeAt)
const position = fc.record({ generation: fc.integer({ min: 0, max: 2 ** 31 - 1 }), sector: u16, byte: u16 })
const signature = fc.record({ random: u32, createTime: time, computer: fc.constantFrom('', 'EXCH-A') })
const environment = fc.record({
  systemPath: text,
  logPath: text,
  circularLogging: fc.boolean(),
  sessions: u32,
  openTables: u32,
  versionPages: u32,
  cursors: u32,
  logBuffers: u32,
  logFileSectors: u32,
  cacheSizeMax: u32,
})
const nodeChange = { ...pageChange, version: u32, rootPage: u32, objectId: u32 }
const operation = fc.constantFrom(...Object.values(OPERATION))
const { page: _page, line: _line, dbtime: _dbtime, dbtimeBefore: _before, ...undoInfoChange } = nodeChange
const mark = fc.record({ position, time, generationLow: u32, generationHigh: u32 })
const quit = fc.record({ position, redoFrom: position, hard: fc.boolean(), time })
const macro = fc.record({ session: u16, dbtime })

const outer = fc.record({ session: u16, id: u32 })
const readOuter = ({ view }: LogBytes, at: number) => ({ session: sessionOf(view, at), id: transactionOf(view, at) })
const inner = fc.record({ session: u16, level: u8 })
const readMacro = ({ view }: LogBytes, at: number) => ({
  session: sessionOf(view, at),
  dbtime: macroDbtimeOf(view, at),
})
const MACRO = { read: readMacro, bytes: () => MACRO_BYTES }
const NODE = {
  read: ({ view }: LogBytes, at: number): NodeChange => readNodeChange(view, at),
  bytes: () => NODE_CHANGE_BYTES,
}
const textRecord = fc.record({ session: u16, text })
const QUIT = { read: ({ view }: LogBytes, at: number): EngineEnd => readEngineEnd(view, at), bytes: () => QUIT_BYTES }
const TEXT = { read: readTextRecord, bytes: (record: TextRecord) => TEXT_FIXED_BYTES + record.text.length + 1 }

/** Every type that this engine writes, each with any fields. */
export const ANY_RECORD: readonly fc.Arbitrary<RecordCase>[] = [
  casesOf({
    name: 'Begin0',
    type: 8,
    fields: fc.record({ session: u16, id: u32, levels: nibble }),
    write: writeBegin0,
    read: (log, at) => ({ ...readOuter(log, at), levels: levelsOpened(log.view, at) }),
    bytes: () => OUTER_TRANSACTION_BYTES,
  }),
  casesOf({
    name: 'Commit0',
    type: 9,
    fields: outer,
    write: writeCommit0,
    read: readOuter,
    bytes: () => OUTER_TRANSACTION_BYTES,
  }),
  casesOf({
    name: 'Begin',
    type: 5,
    fields: fc.record({ session: u16, level: nibble, levels: nibble }),
    write: writeBegin,
    read: ({ view }, at) => ({
      session: sessionOf(view, at),
      level: levelBefore(view, at),
      levels: levelsOpened(view, at),
    }),
    bytes: () => INNER_TRANSACTION_BYTES,
  }),
  casesOf({
    name: 'Commit',
    type: 6,
    fields: inner,
    write: writeCommit,
    read: ({ view }, at) => ({ session: sessionOf(view, at), level: levelsOf(view, at) }),
    bytes: () => INNER_TRANSACTION_BYTES,
  }),
  casesOf({
    name: 'Rollback',
    type: 7,
    fields: fc.record({ session: u16, levels: u8 }),
    write: writeRollback,
    read: ({ view }, at) => ({ session: sessionOf(view, at), levels: levelsOf(view, at) }),
    bytes: () => INNER_TRANSACTION_BYTES,
  }),
  casesOf({ name: 'MacroBegin', type: 11, fields: macro, write: writeMacroBegin, ...MACRO }),
  casesOf({ name: 'MacroCommit', type: 12, fields: macro, write: writeMacroCommit, ...MACRO }),
  casesOf({ name: 'MacroAbort', type: 13, fields: macro, write: writeMacroAbort, ...MACRO }),
  casesOf({
    name: 'Insert',
    type: 29,
    fields: fc.record({ ...nodeChange, key: bytesUpTo(30), data: bytesUpTo(300) }),
    write: writeInsert,
    read: readInsert,
    bytes: ({ key, data }) => INSERT_FIXED_BYTES + key.length + data.length,
  }),
  casesOf({
    name: 'Replace',
    type: 33,
    fields: fc.record({ ...nodeChange, dataBytesBefore: u16, data: bytesUpTo(300) }),
    write: writeReplace,
    read: readReplace,
    bytes: ({ data }) => REPLACE_FIXED_BYTES + data.length,
  }),
  casesOf({ name: 'FlagDelete', type: 32, fields: fc.record(nodeChange), write: writeFlagDelete, ...NODE }),
  casesOf({ name: 'Delete', type: 35, fields: fc.record(nodeChange), write: writeDelete, ...NODE }),
  casesOf({
    name: 'UndoInfo',
    type: 36,
    fields: fc.record({
      ...undoInfoChange,
      key: bytesUpTo(30),
      operation,
      dataBefore: bytesUpTo(300),
      dataBytesMax: fc.nat(0x7fff),
      dataBytesAdded: fc.integer({ min: -0x8000, max: 0x7fff }),
    }),
    write: writeUndoInfo,
    read: readUndoInfo,
    bytes: ({ key, dataBefore }) => UNDO_INFO_FIXED_BYTES + key.length + dataBefore.length,
  }),
  casesOf({
    name: 'Undo',
    type: 39,
    fields: fc.record({ ...nodeChange, key: bytesUpTo(30), operation, levelUndone: u8, dataBefore: bytesUpTo(60) }),
    write: writeUndo,
    read: readUndo,
    bytes: ({ key, dataBefore }) => UNDO_FIXED_BYTES + key.length + dataBefore.length,
  }),
  casesOf({
    name: 'SetExternalHeader',
    type: 38,
    fields: fc.record({ ...nodeChange, content: bytesUpTo(60) }),
    write: writeSetExternalHeader,
    read: readSetExternalHeader,
    bytes: ({ content }) => EXTERNAL_HEADER_FIXED_BYTES + content.length,
  }),
  casesOf({
    name: 'Scrub',
    type: 64,
    fields: fc.record({ ...nodeChange, isFreePage: fc.boolean(), operations: bytesUpTo(60) }),
    write: writeScrub,
    read: readScrub,
    bytes: ({ operations }) => SCRUB_FIXED_BYTES + operations.length,
  }),
  ...TREE_RECORDS,
  casesOf({
    name: 'Init2',
    type: 49,
    fields: fc.record({ environment, time }),
    write: writeInit2,
    read: readInit2,
    bytes: () => INIT2_BYTES,
  }),
  casesOf({
    name: 'ShutDownMark',
    type: 23,
    fields: fc.constant(null),
    write: (log, at) => writeShutDownMark(log, at),
    read: () => null,
    bytes: () => SHUT_DOWN_MARK_BYTES,
  }),
  casesOf({ name: 'Term2', type: 50, fields: quit, write: writeTerm2, ...QUIT }),
  casesOf({ name: 'RecoveryQuit2', type: 52, fields: quit, write: writeRecoveryQuit2, ...QUIT }),
  casesOf({
    name: 'RecoveryUndo2',
    type: 51,
    fields: time,
    write: writeRecoveryUndo2,
    read: ({ view }, at) => readRecoveryUndo2(view, at),
    bytes: () => RECOVERY_UNDO2_BYTES,
  }),
  casesOf({ name: 'Trace', type: 22, fields: textRecord, write: writeTrace, ...TEXT }),
  casesOf({ name: 'ForceLogRollover', type: 61, fields: textRecord, write: writeForceLogRollover, ...TEXT }),
  casesOf({
    name: 'CreateDB',
    type: 14,
    fields: fc.record({ session: u16, databaseId: u8, options: u32, pagesMax: u32, signature, path }),
    write: writeCreateDatabase,
    read: readCreateDatabase,
    bytes: (database) => CREATE_DATABASE_FIXED_BYTES + pathBytesOf(database.path),
  }),
  casesOf({
    name: 'AttachDB',
    type: 15,
    fields: fc.record({
      session: u16,
      databaseId: u8,
      pagesMax: u32,
      consistent: position,
      signature,
      logSignature: signature,
      path,
    }),
    write: writeAttachDatabase,
    read: readAttachDatabase,
    bytes: (database) => ATTACH_DATABASE_FIXED_BYTES + pathBytesOf(database.path),
  }),
  casesOf({
    name: 'DetachDB',
    type: 16,
    fields: fc.record({ session: u16, databaseId: u8, path }),
    write: writeDetachDatabase,
    read: readDetachDatabase,
    bytes: (database) => DETACH_DATABASE_FIXED_BYTES + pathBytesOf(database.path),
  }),
  casesOf({
    name: 'Backup2',
    type: 60,
    fields: fc.record({
      phase: fc.constantFrom(...Object.values(BACKUP_PHASE)),
      type: fc.constantFrom(...Object.values(BACKUP_TYPE)),
      scope: fc.constantFrom(...Object.values(BACKUP_SCOPE)),
      databaseId: u8,
      mark,
    }),
    write: writeBackup2,
    read: ({ view }, at) => readBackup2(view, at),
    bytes: () => BACKUP2_FIXED_BYTES,
  }),
]
