// Goal: the rule of redo is the real one: replayed over a real backup, real logs lead to the real database.
// Method: only the dbtimes of the pages are followed, through both generations; controls with a fault must fail by its number.

import { describe, expect, test } from 'vitest'
import { DbtimeReplayer, type ReplayedDatabase, type ReplayFault } from '../../../engine/database/dbtime-replayer.ts'
import { type LogBytes, openLogBytes } from '../../../engine/database/log-bytes.ts'
import { type SoundLog, verifyLog } from '../../../engine/database/log-file.ts'
import type { LogHeader } from '../../../engine/database/log-header.ts'
import { readLogPosition } from '../../../engine/database/log-position.ts'
import { openRecords } from '../../../engine/database/log-record.ts'
import { dbtimeOf, pageOf } from '../../../engine/database/log-record-page.ts'
import { RECORD } from '../../../engine/database/log-record-table.ts'
import { visitPages } from '../../../engine/database/page-reference.ts'
import { ESE_ERROR_OF_REDO } from '../../../engine/database/redo.ts'
import { HAS_SPECIMENS, SPECIMENS_NOTE, specimen } from './build.ts'

const FOLDER = 'winmail-v7-8k-A'
const PAGE_BYTES = 8192
/** Where a header keeps the position of its last attach, and a page its dbtime. */
const ATTACH = 80
const DBTIME = 8

interface RealDatabase extends ReplayedDatabase {
  readonly pages: number
}

/** A database as its file is. `trailer` is a page behind the last one that is none. */
function database(path: string, trailerPages = 0): RealDatabase {
  const bytes = specimen(`${FOLDER}/${path}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const pages = bytes.byteLength / PAGE_BYTES - 2 - trailerPages
  return {
    databaseId: 1,
    attach: readLogPosition(view, ATTACH),
    generationMaxRequired: Number.POSITIVE_INFINITY,
    dbtimeOf: (page) => Number(view.getBigUint64((page + 1) * PAGE_BYTES + DBTIME, true)),
    pages,
  }
}

const backup = (): RealDatabase => database('backup-new/WindowsMail.MSMessageStore', 1)
const live = (): RealDatabase => database('WindowsMail.MSMessageStore')

function sound(log: Uint8Array): SoundLog {
  const verdict = verifyLog(log)
  if (verdict.verdict === 'rejected') throw new Error(verdict.rejection.detail)
  return verdict
}

/** The first record that changes a page beyond the state of the backup, and the dbtime that it leaves. */
function firstChangeOf(
  page: number,
  log: LogBytes,
  of: { header: LogHeader; endByte: number },
): { at: number; bytes: number; dbtime: number } {
  const cursor = openRecords(log, of.header, of.endByte)
  while (cursor.next()) {
    if (cursor.type === RECORD.insert && pageOf(log.view, cursor.at) === page)
      return { at: cursor.at, bytes: cursor.bytes, dbtime: dbtimeOf(log.view, cursor.at) }
  }
  throw new Error(`no record changes page ${page}`)
}

function replay(replayer: DbtimeReplayer, names: readonly string[], folder: string = FOLDER): ReplayFault | null {
  let fault: ReplayFault | null = null
  for (const name of names) {
    const log = specimen(`${folder}/${name}`)
    const { header, endByte } = sound(log)
    fault ??= replayer.replayLog(openLogBytes(log), header, endByte)
  }
  return fault
}

/** The dbtimes of all pages as the first records that touch them found them. */
function pagesAsFound(folder: string): Map<number, number> {
  const first = new Map<number, number>()
  for (const name of LOGS) {
    const log = openLogBytes(specimen(`${folder}/${name}`))
    const { header, endByte } = sound(log.bytes)
    const cursor = openRecords(log, header, endByte)
    const visit = (page: number, dbtimeBefore: number): void => {
      if (!first.has(page)) first.set(page, Math.max(0, dbtimeBefore))
    }
    while (cursor.next()) visitPages(log.view, cursor, visit)
  }
  return first
}

const BEFORE_ALL = { generation: 0, sector: 0, byte: 0 }
const LOGS = ['edb00001.log', 'edb.log'] as const

describe.skipIf(!HAS_SPECIMENS)(`a real backup and real logs${SPECIMENS_NOTE}`, () => {
  test('lead to the real database, page by page', () => {
    const before = backup()
    const after = live()
    const replayer = new DbtimeReplayer(before)

    const fault = replay(replayer, LOGS)

    expect(fault).toBeNull()
    expect(replayer.counts).toEqual({ references: 226, applied: 156, skipped: 70 })
    expect(replayer.pages.size).toBe(20)
    for (const [page, dbtime] of replayer.pages) expect(`${page}: ${dbtime}`).toBe(`${page}: ${after.dbtimeOf(page)}`)
    expect(Math.max(...replayer.pages.values())).toBe(431)
    for (let page = 1; page <= after.pages; page++) {
      if (!replayer.pages.has(page)) expect(before.dbtimeOf(page)).toBe(after.dbtimeOf(page))
    }
  })

  test('change nothing when they are replayed once more', () => {
    const replayer = new DbtimeReplayer(live())

    expect(replay(replayer, LOGS)).toBeNull()
    expect(replayer.counts.applied).toBe(0)
  })

  test('do not fit when a record is missing (-566)', () => {
    const log = specimen(`${FOLDER}/edb.log`)
    const { header, endByte } = sound(log)
    const dropped = firstChangeOf(14, openLogBytes(log), { header, endByte })
    log.fill(0, dropped.at, dropped.at + dropped.bytes)

    const fault = new DbtimeReplayer(backup()).replayLog(openLogBytes(log), header, endByte)

    expect(fault).toMatchObject({ fault: 'too-old', page: 14, dbtimeBefore: dropped.dbtime })
    expect(ESE_ERROR_OF_REDO['too-old']).toBe(-566)
  })

  test.each([FOLDER, 'winmail-v7-512B'])(
    'fit one another without any database: %s, but not in the wrong order (-566)',
    (folder) => {
      const first = pagesAsFound(folder)
      const database = { ...backup(), attach: BEFORE_ALL, dbtimeOf: (page: number) => first.get(page) ?? 0 }

      expect(replay(new DbtimeReplayer(database), LOGS, folder)).toBeNull()
      expect(replay(new DbtimeReplayer(database), [...LOGS].reverse(), folder)).toMatchObject({ fault: 'too-old' })
    },
  )

  test('do not fit a database with a change that they have not (-567)', () => {
    const before = backup()
    const fork = { ...before, dbtimeOf: (page: number) => (page === 7 ? 272 : before.dbtimeOf(page)) }

    expect(replay(new DbtimeReplayer(fork), LOGS)).toMatchObject({ fault: 'too-new', page: 7, pageDbtime: 272 })
    expect(ESE_ERROR_OF_REDO['too-new']).toBe(-567)
  })

  test('do not fit a database that has changes of generations which it says that it does not need (-625)', () => {
    const fault = replay(new DbtimeReplayer({ ...live(), attach: backup().attach, generationMaxRequired: 1 }), LOGS)

    expect(fault).toMatchObject({ fault: 'from-the-future', position: { generation: 2 } })
    expect(ESE_ERROR_OF_REDO['from-the-future']).toBe(-625)
  })
})
