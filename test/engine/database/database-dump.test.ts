// Goal: headers, checkpoints and what the pages of a database come to are shown line by line as eseutil shows them.
// Method: whole outputs compared; small databases with one thing wrong at a time, given whole and in pieces.

import { describe, expect, test } from 'vitest'
import { dumpCheckpoint } from '../../../engine/database/checkpoint-dump.ts'
import { dumpDatabaseHeader } from '../../../engine/database/database-dump.ts'
import { newDatabaseHeader } from '../../../engine/database/database-header.ts'
import { openLogBytes } from '../../../engine/database/log-bytes.ts'
import { PAGE_BYTES } from '../../../engine/database/page.ts'
import {
  FINDINGS_MAX,
  hasDamagedPages,
  type PageTally,
  startPageTally,
  tallyPages,
} from '../../../engine/database/page-tally.ts'
import { dumpPageTally } from '../../../engine/database/page-tally-dump.ts'
import { SIGNATURE } from './build.ts'
import { aDatabase, DATABASE_SIGNATURE, FULL_CHECKPOINT, FULL_HEADER, turnBit } from './database-build.ts'

describe('the dump of a database header', () => {
  test('has the lines of eseutil /mh in their order', () => {
    expect(dumpDatabaseHeader(FULL_HEADER)).toEqual([
      '        File Type: Database',
      '   Format ulMagic: 0x89abcdef',
      '   Engine ulMagic: 0x89abcdef',
      ' Format ulVersion: 0x620,12',
      ' Engine ulVersion: 0x620,12',
      'Created ulVersion: 0x620,11',
      '     DB Signature: Create time:12/15/2006 00:00:00 Rand:17 Computer:',
      '         cbDbPage: 8192',
      '           dbtime: 4294967361 (0x100000041)',
      '            State: Dirty Shutdown',
      '     Log Required: 452-455 (0x1c4-0x1c7)',
      '    Log Committed: 0-458 (0x0-0x1ca)',
      '   Streaming File: Yes',
      '         Shadowed: Yes',
      '       Last Objid: 129',
      '     Scrub Dbtime: 64 (0x40)',
      '       Scrub Date: 12/15/2006 00:00:05',
      '     Repair Count: 1',
      '      Repair Date: 12/15/2006 00:00:04',
      ' Old Repair Count: 2',
      '  Last Consistent: (0x1,2,3)  12/15/2006 00:00:01',
      '      Last Attach: (0x4,5,6)  12/15/2006 00:00:02',
      '      Last Detach: (0x7,8,9)  12/15/2006 00:00:03',
      '             Dbid: 3',
      '    Log Signature: Create time:12/15/2006 00:00:00 Rand:3405648436 Computer:MAILBOX01',
      '       OS Version: (5.2.3790 SP 1)',
      ...backup('Previous Full Backup', 10, ' - OSSnapshot'),
      ...backup('Previous Incremental Backup', 20, ''),
      ...backup('Previous Copy Backup', 30, ' - Surrogate'),
      ...backup('Previous Differential Backup', 40, ' - Snapshot'),
      ...backup('Current Full Backup', 50, ''),
      ...backup('Current Shadow copy backup', 60, ''),
      '',
      '     cpgUpgrade55Format: 3',
      '    cpgUpgradeFreePages: 4',
      'cpgUpgradeSpaceMapPages: 5',
      '',
      '       ECC Fix Success Count: found (6)',
      '   Last ECC Fix Success Date: 12/15/2006 00:00:07',
      '   Old ECC Fix Success Count: found (7)',
      '         ECC Fix Error Count: none',
      '     Old ECC Fix Error Count: found (9)',
      '    Bad Checksum Error Count: found (10)',
      'Last Bad Checksum Error Date: 12/15/2006 00:00:09',
      'Old bad Checksum Error Count: none',
    ])
  })

  test('shows a database that needs no log', () => {
    const lines = dumpDatabaseHeader({
      ...newDatabaseHeader(DATABASE_SIGNATURE, SIGNATURE),
      state: 'clean-shutdown',
      flags: 1,
    })

    expect(lines).toEqual(
      expect.arrayContaining([
        '            State: Clean Shutdown',
        '     Log Required: 0-0 (0x0-0x0)',
        '    Log Committed: 0-0 (0x0-0x0)',
        '   Streaming File: No',
        '         Shadowed: No',
      ]),
    )
  })

  function backup(title: string, generation: number, suffix: string): string[] {
    const hex = (value: number): string => value.toString(16)
    const second = String(generation % 60).padStart(2, '0')
    const range = `${generation - 2}-${generation} (0x${hex(generation - 2)}-0x${hex(generation)})${suffix}`
    return [
      '',
      `${title}:`,
      `        Log Gen: ${range}`,
      `           Mark: (0x${hex(generation).toUpperCase()},1,2)`,
      `           Mark: 12/15/2006 00:0${Math.floor(generation / 60)}:${second}`,
    ]
  }
})

describe('the dump of a checkpoint', () => {
  test('has the lines of eseutil /mk in their order', () => {
    expect(dumpCheckpoint(FULL_CHECKPOINT)).toEqual([
      '      LastFullBackupCheckpoint: (0x1,2,3)',
      '      Checkpoint: (0x1C4,FFFF,FFFF)',
      '      FullBackup: (0x4,5,6)',
      '      FullBackup time: 12/15/2006 00:00:00',
      '      IncBackup: (0x7,8,9)',
      '      IncBackup time: 12/15/2006 00:00:01',
      '      Signature: Create time:12/15/2006 00:00:00 Rand:3405648436 Computer:',
      '      Env (CircLog,Session,Opentbl,VerPage,Cursors,LogBufs,LogFile,Buffers)',
      '          (     on,      1,      2,      3,      4,      5,   2048,      7)',
      '      1 D:\\priv1.edb',
      '         dbtime: 70 (0-70)',
      '         objidLast: 9',
      '         Signature: Create time:12/15/2006 00:00:00 Rand:17 Computer:',
      '         MaxDbSize: 0 pages',
      '         Last Attach: (0x1,8,0)',
      '         Last Consistent: (0x1,8,0)',
    ])
  })
})

/** The bit of page `page` (from 1) at byte `at`. */
function bitOf(page: number, at: number): number {
  return ((page + 1) * PAGE_BYTES + at) * 8
}

function tallyOf(file: Uint8Array, pagesPerChunk = 2): PageTally {
  let tally = startPageTally(PAGE_BYTES, file.length)
  for (let lo = 2 * PAGE_BYTES; lo < file.length; lo += pagesPerChunk * PAGE_BYTES)
    tally = tallyPages(tally, openLogBytes(file.subarray(lo, lo + pagesPerChunk * PAGE_BYTES)))
  return tally
}

describe('the pages of a database', () => {
  test('are counted, the empty ones apart, with the highest dbtime and where it is', () => {
    const tally = tallyOf(aDatabase([70, 0, 0x1ef15, 90, 0]))

    expect(hasDamagedPages(tally)).toBe(false)
    expect(dumpPageTally(tally)).toEqual([
      '7 pages seen',
      '0 bad checksums',
      '0 correctable checksums',
      '2 uninitialized pages',
      '0 wrong page numbers',
      '0x1ef15 highest dbtime (pgno 0x3)',
    ])
  })

  test('are named where they are damaged, with the bits that the checksum would turn back', () => {
    const file = aDatabase([70, 71, 72, 73, 74])
    turnBit(file, bitOf(2, 100) + 3)
    turnBit(file, bitOf(4, 100))
    turnBit(file, bitOf(4, 200))
    file.copyWithin(4 * PAGE_BYTES, 6 * PAGE_BYTES, 7 * PAGE_BYTES) // page 5 over page 3

    const tally = tallyOf(file)

    expect(hasDamagedPages(tally)).toBe(true)
    expect(dumpPageTally(tally)).toEqual([
      'WARNING: page 2 checksum verification failed but the corruption ( bit 803 ) can be corrected',
      expect.stringMatching(/^ERROR: page 3 has a wrong page number: .* that of page 5\. Error -1018\.$/),
      expect.stringMatching(
        /^ERROR: page 4 checksum failed: checksum [0-9a-f]{16}, computed [0-9a-f]{16}\. Error -1018\.$/,
      ),
      '',
      '7 pages seen',
      '1 bad checksums',
      '1 correctable checksums',
      '0 uninitialized pages',
      '1 wrong page numbers',
      '0x4a highest dbtime (pgno 0x5)',
    ])
  })

  test('come to the same whether they are given at once or in pieces', () => {
    const file = aDatabase([70, 0, 72, 73, 74, 75, 0])
    turnBit(file, bitOf(3, 100))

    for (const pages of [1, 3, 100]) expect(tallyOf(file, pages)).toEqual(tallyOf(file))
  })

  test('of another file are damaged, not astray, where this one has no page of that number', () => {
    const file = aDatabase([70, 71])
    file.set(aDatabase([1, 2, 3, 4, 5, 6]).subarray(7 * PAGE_BYTES), 2 * PAGE_BYTES) // page 6 over page 1

    expect(tallyOf(file)).toMatchObject({ bad: 1, wrongNumber: 0, findings: [{ page: 1, kind: 'bad' }] })
  })

  test('are named up to a limit, and counted beyond it', () => {
    const file = aDatabase(Array.from({ length: FINDINGS_MAX + 2 }, () => 64))
    for (let page = 1; page <= FINDINGS_MAX + 2; page++) turnBit(file, bitOf(page, 500))

    const tally = tallyOf(file, 100)

    expect([tally.correctable, tally.findings.length]).toEqual([FINDINGS_MAX + 2, FINDINGS_MAX])
    expect(dumpPageTally(tally)[FINDINGS_MAX]).toBe('2 more after the first 1000 are not named')
  })

  test('end with whole ones: what is left of a page is not counted', () => {
    expect(startPageTally(PAGE_BYTES, 4 * PAGE_BYTES + 100).filePages).toBe(2)
    expect(startPageTally(PAGE_BYTES, PAGE_BYTES).filePages).toBe(0)
  })
})
