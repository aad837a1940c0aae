// The dumb twin of every recovery and replay: all logs from the first, on pages that lie in a map.
import { findEndOfLog } from '../../../../engine/database/end-of-log.ts'
import { openLogBytes } from '../../../../engine/database/log-bytes.ts'
import { verifyLog } from '../../../../engine/database/log-file.ts'
import { readLogHeader } from '../../../../engine/database/log-header.ts'
import { openRecords } from '../../../../engine/database/log-record.ts'
import { RECORD } from '../../../../engine/database/log-record-table.ts'
import { PAGE_BYTES, type Page, pageDbtime } from '../../../../engine/database/page.ts'
import { readPage } from '../../../../engine/database/page-reading.ts'
import { applyRecord } from '../../../../engine/database/record-apply.ts'
import { openRedo } from '../../../../engine/database/redo-context.ts'
import { PagesInMemory } from '../pages-in-memory.ts'
import type { ModelStoreDisk } from './model-store-disk.ts'

/** The pages as the logs up to `through` tell of them, the open one up to its end included. */
export function naiveRedo(disk: ModelStoreDisk, through = Number.POSITIVE_INFINITY): ReadonlyMap<number, Page> {
  const pool = new PagesInMemory(PAGE_BYTES)
  let redo = openRedo({ pool, databaseId: 1 })
  const { closed, hasOpenLog } = disk.scan()
  const logs = closed.filter((generation) => generation <= through).map((generation) => disk.closedLog(generation))
  if (hasOpenLog) logs.push(disk.openLog())
  for (const bytes of logs) {
    const read = readLogHeader(bytes)
    if (read.verdict !== 'read') throw new Error(read.rejection.detail)
    const { header } = read
    if (header.generation > through) break
    const log = openLogBytes(bytes)
    const cursor = openRecords(log, header, endOf(bytes))
    while (cursor.next()) {
      // A macro that a crash has cut is never committed; its session changes pages again, outside of any macro.
      if (cursor.type === RECORD.recoveryUndo2) redo = openRedo({ pool, databaseId: 1 })
      let step = applyRecord(redo, { header, log }, cursor)
      for (; step.kind === 'page-needed'; step = applyRecord(redo, { header, log }, cursor)) pool.read(step.page)
      if (step.kind === 'fault') throw new Error(`the twin meets ${step.fault} in log ${header.generation}`)
    }
  }
  return pool.pages
}

function endOf(bytes: Uint8Array): number {
  const closed = verifyLog(bytes)
  if (closed.verdict === 'sound') return closed.endByte
  const read = readLogHeader(bytes)
  if (read.verdict !== 'read') throw new Error(read.rejection.detail)
  const end = findEndOfLog(openLogBytes(bytes), read.header)
  if (end.state === 'corrupt') throw new Error(end.detail)
  return end.endByte
}

/** The numbers of the pages that differ, checksums aside, between a file and what logs tell of. */
export function differingPages(disk: ModelStoreDisk, pages: ReadonlyMap<number, Page>): number[] {
  const differing: number[] = []
  for (let number = 1; number <= Math.max(disk.pageCount(), ...pages.keys()); number++) {
    const told = pages.get(number)?.bytes ?? new Uint8Array(PAGE_BYTES)
    if (Buffer.compare(disk.page(number).subarray(8), told.subarray(8)) !== 0) differing.push(number)
  }
  return differing
}

/**
 * What does not hold of a database file after a crash, or null: what its header says not to need must be in it, and nothing may be in
 * it that the header does not know of. Pages that the crash tore are left out; recovery puts them back.
 */
export function faultOfDatabase(disk: ModelStoreDisk): string | null {
  const header = disk.scan().database
  if (header === null || header.state !== 'dirty-shutdown') return null
  const { minRequired, maxRequired } = header.required
  const before = naiveRedo(disk, minRequired - 1)
  const after = naiveRedo(disk, maxRequired)
  for (let number = 1; number <= Math.max(disk.pageCount(), ...before.keys()); number++) {
    const reading = readPage(number, disk.page(number))
    if (reading.reading === 'bad') continue
    const dbtime = Number(new DataView(reading.bytes.buffer, reading.bytes.byteOffset).getBigUint64(8, true))
    const least = dbtimeIn(before, number)
    const most = dbtimeIn(after, number)
    if (dbtime < least)
      return `page ${number} has ${dbtime}, but logs before ${minRequired}, which are not required, left ${least}`
    if (dbtime > most)
      return `page ${number} has ${dbtime}, but logs up to ${maxRequired}, the last required, left ${most}`
  }
  return null
}

function dbtimeIn(pages: ReadonlyMap<number, Page>, number: number): number {
  const page = pages.get(number)
  return page === undefined ? 0 : pageDbtime(page)
}
