// Goal: headers, checkpoints and what the pages of a database come to are shown line by line as eseutil shows them.
// Method: whole outputs compared; small databases with one thing wrong at a time, given whole and in pieces.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sealBlock } from '../../../engine/database/block-checksum.ts'
import { dumpCheckpoint } from '../../../engine/database/checkpoint-dump.ts'
import { readCheckpointFile } from '../../../engine/database/checkpoint-file.ts'
import { type DatabaseCheck, dumpDatabaseCheck, isDatabaseDamaged } from '../../../engine/database/database-check.ts'
import { dumpDatabaseHeader } from '../../../engine/database/database-dump.ts'
import { newDatabaseHeader, writeDatabaseHeader } from '../../../engine/database/database-header.ts'
import { readDatabaseHeader } from '../../../engine/database/database-header-copies.ts'
import { openLogBytes } from '../../../engine/database/log-bytes.ts'
import { PAGE_BYTES } from '../../../engine/database/page.ts'
import { FINDINGS_MAX, type PageTally, startPageTally, tallyPages } from '../../../engine/database/page-tally.ts'
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

function checkOf(file: Uint8Array): DatabaseCheck {
  return { header: readDatabaseHeader(file), pages: tallyOf(file), restBytes: file.length % PAGE_BYTES }
}

describe('the pages of a database', () => {
  test('are counted, the empty ones apart, with the highest dbtime and where it is', () => {
    const check = checkOf(aDatabase([70, 0, 0x1ef15, 90, 0]))

    expect(isDatabaseDamaged(check)).toBe(false)
    expect(dumpDatabaseCheck('D:\\priv1.edb', check)).toEqual([
      '        Database: D:\\priv1.edb',
      '',
      '7 pages seen',
      '0 bad checksums',
      '0 correctable checksums',
      '2 uninitialized pages',
      '0 wrong page numbers',
      '0x1ef15 highest dbtime (pgno 0x3)',
      '',
      'No damaged pages were found.',
    ])
  })

  test('are named where they are damaged, with the bits that the checksum would turn back', () => {
    const file = aDatabase([70, 71, 72, 73, 74])
    turnBit(file, bitOf(2, 100) + 3)
    turnBit(file, bitOf(4, 100))
    turnBit(file, bitOf(4, 200))
    file.copyWithin(4 * PAGE_BYTES, 6 * PAGE_BYTES, 7 * PAGE_BYTES) // page 5 over page 3

    const check = checkOf(file)

    expect(isDatabaseDamaged(check)).toBe(true)
    expect(dumpDatabaseCheck('priv1.edb', check).slice(2)).toEqual([
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

    const pages = tallyOf(file, 100)

    expect([pages.correctable, pages.findings.length]).toEqual([FINDINGS_MAX + 2, FINDINGS_MAX])
    expect(dumpDatabaseCheck('priv1.edb', { ...checkOf(aDatabase([])), pages })[FINDINGS_MAX + 2]).toBe(
      '2 more after the first 1000 are not named',
    )
  })

  test('end with whole ones: what is left of a page is not counted', () => {
    expect(startPageTally(PAGE_BYTES, 4 * PAGE_BYTES + 100).filePages).toBe(2)
    expect(startPageTally(PAGE_BYTES, PAGE_BYTES).filePages).toBe(0)
  })
})

describe('the headers of a database', () => {
  const headerLine = (file: Uint8Array): string => {
    const [, , line = ''] = dumpDatabaseCheck('priv1.edb', checkOf(file))
    return `${isDatabaseDamaged(checkOf(file)) ? 'damaged' : 'sound'}: ${line}`
  }

  test('are named with the numbers that eseutil gives them where one is damaged', () => {
    const first = aDatabase([70])
    turnBit(first, 800)
    const shadow = aDatabase([70])
    turnBit(shadow, PAGE_BYTES * 8 + 800)

    expect(headerLine(first)).toBe('damaged: ERROR: page -1 (header) checksum failed. The other copy is whole.')
    expect(headerLine(shadow)).toBe('damaged: ERROR: page 0 (header) checksum failed. The other copy is whole.')
  })

  test('may be of two moments without harm, as a crash leaves them', () => {
    const file = aDatabase([70])
    writeDatabaseHeader(file.subarray(0, PAGE_BYTES), { ...FULL_HEADER, dbtime: 99n })

    expect(headerLine(file)).toBe('sound: WARNING: page 0 (header) is another one than page -1 (header), which counts.')
  })

  test('are no headers at all, or state what cannot be', () => {
    const none: DatabaseCheck = { header: readDatabaseHeader(new Uint8Array(65_536)), pages: null, restBytes: 0 }
    const file = aDatabase([70], { ...FULL_HEADER, state: 'clean-shutdown' })

    expect(isDatabaseDamaged(none)).toBe(true)
    expect(dumpDatabaseCheck('x', none)).toContain(
      'ERROR: header damaged (unusable): neither copy of the header is whole. Error -1206.',
    )
    expect(headerLine(file)).toMatch(
      /^damaged: ERROR: page -1 \(header\): a database in the state clean-shutdown .* -1206\.$/,
    )
  })

  test('come before pages that are all whole: a file that ends inside one was cut', () => {
    const file = aDatabase([70, 71])

    expect(headerLine(file.subarray(0, file.length - 100))).toBe(
      'damaged: ERROR: 8092 bytes behind the last page are no whole page.',
    )
  })
})

describe('any bytes', () => {
  test('behind a checksum that fits are read or refused, and shown, without an exception', () => {
    const anyPage = fc.uint8Array({ minLength: PAGE_BYTES, maxLength: PAGE_BYTES })

    fc.assert(
      fc.property(anyPage, fc.nat(8), fc.nat(4), (bytes, state, kind) => {
        const file = new Uint8Array(2 * PAGE_BYTES)
        const copy = openLogBytes(file.subarray(0, PAGE_BYTES))
        copy.bytes.set(bytes)
        for (const [at, value] of [
          [4, 0x89abcdef],
          [8, 0x620],
          [52, state],
          [236, PAGE_BYTES],
          [667, 1],
        ] as const)
          copy.view.setUint32(at, value, true)
        for (const at of [356, 360, 468, 472]) copy.view.setUint32(at, kind, true)
        sealBlock(copy, 0, PAGE_BYTES)
        const header = readDatabaseHeader(file)

        expect(header.verdict).toBe(state > 0 && kind < 4 ? 'read' : 'rejected')
        expect(dumpDatabaseCheck('x', { header, pages: tallyOf(file), restBytes: 0 }).length).toBeGreaterThan(2)
        if (header.verdict === 'read') expect(dumpDatabaseHeader(header.header).length).toBeGreaterThan(40)
      }),
      { numRuns: 200 },
    )
  })

  test('of a checkpoint are read or refused, and shown, without an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4096, maxLength: 4096 }), (bytes) => {
        const file = new Uint8Array(8192)
        const copy = openLogBytes(file.subarray(0, 4096))
        copy.bytes.set(bytes)
        copy.view.setUint32(667, 4, true)
        sealBlock(copy, 0, 4096)
        const read = readCheckpointFile(file)

        if (read.verdict === 'read') expect(dumpCheckpoint(read.checkpoint).length).toBeGreaterThan(8)
        else expect(read.rejection.reason).toBe('bad-field')
      }),
      { numRuns: 200 },
    )
  })

  test('are some kind of page, without an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 3 * PAGE_BYTES }), (bytes) => {
        const pages = tallyPages(startPageTally(PAGE_BYTES, bytes.length + 2 * PAGE_BYTES), openLogBytes(bytes))
        expect(pages.seen).toBe(Math.floor(bytes.length / PAGE_BYTES))
      }),
      { numRuns: 200 },
    )
  })
})
