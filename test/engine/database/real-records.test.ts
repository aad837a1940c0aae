// Goal: the records of real logs are the ones that this engine reads and writes, byte by byte.
// Method: every record of a known type is read from real logs and written again beside it; skipped where they are absent.

import { describe, expect, test } from 'vitest'
import { type LogBytes, openLogBytes } from '../../../engine/database/log-bytes.ts'
import { verifyLog } from '../../../engine/database/log-file.ts'
import { openRecords } from '../../../engine/database/log-record.ts'
import * as database from '../../../engine/database/log-record-database.ts'
import * as engine from '../../../engine/database/log-record-engine.ts'
import { readMerge2, writeMerge2 } from '../../../engine/database/log-record-merge.ts'
import * as node from '../../../engine/database/log-record-node.ts'
import { readNodeChange } from '../../../engine/database/log-record-page.ts'
import { RECORD } from '../../../engine/database/log-record-table.ts'
import * as transaction from '../../../engine/database/log-record-transaction.ts'
import * as tree from '../../../engine/database/log-record-tree.ts'
import { HAS_SPECIMENS, SPECIMEN_STREAMS, SPECIMENS_NOTE, specimen } from './build.ts'

/** Reads the record at the first place of the first log and writes it at the second place of the second. */
type Rewrite = (from: LogBytes, at: number, to: LogBytes) => number

/** Room for a record with the image of a page. */
const PAGE_AND_MORE = 16_384

const outer = ({ view }: LogBytes, at: number) => ({
  session: transaction.sessionOf(view, at),
  id: transaction.transactionOf(view, at),
})
const macro = ({ view }: LogBytes, at: number) => ({
  session: transaction.sessionOf(view, at),
  dbtime: transaction.macroDbtimeOf(view, at),
})

const REWRITES: Readonly<Record<number, Rewrite>> = {
  [RECORD.begin0]: (from, at, to) =>
    transaction.writeBegin0(to, 0, { ...outer(from, at), levels: transaction.levelsOpened(from.view, at) }),
  [RECORD.commit0]: (from, at, to) => transaction.writeCommit0(to, 0, outer(from, at)),
  [RECORD.begin]: (from, at, to) =>
    transaction.writeBegin(to, 0, {
      session: transaction.sessionOf(from.view, at),
      level: transaction.levelBefore(from.view, at),
      levels: transaction.levelsOpened(from.view, at),
    }),
  [RECORD.commit]: (from, at, to) =>
    transaction.writeCommit(to, 0, {
      session: transaction.sessionOf(from.view, at),
      level: transaction.levelsOf(from.view, at),
    }),
  [RECORD.rollback]: (from, at, to) =>
    transaction.writeRollback(to, 0, {
      session: transaction.sessionOf(from.view, at),
      levels: transaction.levelsOf(from.view, at),
    }),
  [RECORD.macroBegin]: (from, at, to) => transaction.writeMacroBegin(to, 0, macro(from, at)),
  [RECORD.macroCommit]: (from, at, to) => transaction.writeMacroCommit(to, 0, macro(from, at)),
  [RECORD.macroAbort]: (from, at, to) => transaction.writeMacroAbort(to, 0, macro(from, at)),
  [RECORD.insert]: (from, at, to) => node.writeInsert(to, 0, node.readInsert(from, at)),
  [RECORD.replace]: (from, at, to) => node.writeReplace(to, 0, node.readReplace(from, at)),
  [RECORD.flagDelete]: (from, at, to) => node.writeFlagDelete(to, 0, readNodeChange(from.view, at)),
  [RECORD.delete]: (from, at, to) => node.writeDelete(to, 0, readNodeChange(from.view, at)),
  [RECORD.undoInfo]: (from, at, to) => node.writeUndoInfo(to, 0, node.readUndoInfo(from, at)),
  [RECORD.undo]: (from, at, to) => node.writeUndo(to, 0, node.readUndo(from, at)),
  [RECORD.createSingleExtent]: (from, at, to) =>
    tree.writeCreateSingleExtent(to, 0, tree.readCreateSingleExtent(from.view, at)),
  [RECORD.createMultipleExtent]: (from, at, to) =>
    tree.writeCreateMultipleExtent(to, 0, tree.readCreateMultipleExtent(from.view, at)),
  [RECORD.setExternalHeader]: (from, at, to) =>
    node.writeSetExternalHeader(to, 0, node.readSetExternalHeader(from, at)),
  [RECORD.merge2]: (from, at, to) => writeMerge2(to, 0, readMerge2(from, at)),
  [RECORD.split2]: (from, at, to) => tree.writeSplit2(to, 0, tree.readSplit2(from, at)),
  [RECORD.init2]: (from, at, to) => engine.writeInit2(to, 0, engine.readInit2(from, at)),
  [RECORD.term2]: (from, at, to) => engine.writeTerm2(to, 0, engine.readEngineEnd(from.view, at)),
  [RECORD.recoveryQuit2]: (from, at, to) => engine.writeRecoveryQuit2(to, 0, engine.readEngineEnd(from.view, at)),
  [RECORD.recoveryUndo2]: (from, at, to) => engine.writeRecoveryUndo2(to, 0, engine.readRecoveryUndo2(from.view, at)),
  [RECORD.shutDownMark]: (_, __, to) => engine.writeShutDownMark(to, 0),
  [RECORD.trace]: (from, at, to) => engine.writeTrace(to, 0, engine.readTextRecord(from, at)),
  [RECORD.forceLogRollover]: (from, at, to) => engine.writeForceLogRollover(to, 0, engine.readTextRecord(from, at)),
  [RECORD.createDatabase]: (from, at, to) => database.writeCreateDatabase(to, 0, database.readCreateDatabase(from, at)),
  [RECORD.attachDatabase]: (from, at, to) => database.writeAttachDatabase(to, 0, database.readAttachDatabase(from, at)),
  [RECORD.detachDatabase]: (from, at, to) => database.writeDetachDatabase(to, 0, database.readDetachDatabase(from, at)),
  [RECORD.backup2]: (from, at, to) => database.writeBackup2(to, 0, database.readBackup2(from.view, at)),
}

/**
 * What of a real record is not written again: how many bytes of a key its page kept apart, and in a split the lines whose
 * keys were shortened and the space that a rollback may free. Ours have none of that.
 */
const NOT_OURS: Readonly<Record<number, readonly [lo: number, hi: number]>> = {
  [RECORD.insert]: [44, 48],
  [RECORD.split2]: [84, 96],
}
/** Real CreateDB records have four bytes of version before the path. */
const VERSION = { at: 43, end: 47, flags: 42 }

/** Whether a split has parts of keys in it that its pages keep apart; then the parts behind them lie elsewhere than in ours. */
function carriesPrefixes({ view }: LogBytes, { type, at }: { readonly type: number; readonly at: number }): boolean {
  return type === RECORD.split2 && view.getUint32(at + 96, true) !== 0
}

/** A record as hexadecimal digits, without what is not ours. */
function comparable(type: number, record: Uint8Array): string {
  const bytes = [...record]
  const [lo, hi] = NOT_OURS[type] ?? [0, 0]
  bytes.fill(0, lo, hi)
  if (type === RECORD.createDatabase && (record[VERSION.flags] ?? 0) >= 8) {
    if (((record[VERSION.flags] ?? 0) & 4) !== 0) bytes.splice(VERSION.at, VERSION.end - VERSION.at)
    bytes[VERSION.flags] = 8
  }
  return Buffer.from(bytes).toString('hex')
}

describe.skipIf(!HAS_SPECIMENS)(`the records of real logs${SPECIMENS_NOTE}`, () => {
  const names = SPECIMEN_STREAMS.flatMap(({ first, open }) => [first, open])

  test.each(names)('are written again as they were: %s', (name) => {
    const log = openLogBytes(specimen(name))
    const verdict = verifyLog(log.bytes)
    if (verdict.verdict === 'rejected') throw new Error(verdict.rejection.detail)
    const to = openLogBytes(new Uint8Array(PAGE_AND_MORE))
    const cursor = openRecords(log, verdict.header, verdict.endByte)
    const kinds = new Set<number>()
    while (cursor.next()) {
      const rewrite = REWRITES[cursor.type]
      if (rewrite === undefined || carriesPrefixes(log, cursor)) continue
      const end = rewrite(log, cursor.at, to)
      const written = comparable(cursor.type, to.bytes.subarray(0, end))
      expect(written).toBe(comparable(cursor.type, log.bytes.subarray(cursor.at, cursor.at + cursor.bytes)))
      kinds.add(cursor.type)
    }

    expect(kinds.size).toBeGreaterThan(10)
  })
})
