// Goal: databases and checkpoints that real ESE wrote are verified, looked over and written back byte for byte.
// Method: real files of 4, 8, 16 and 32 KB pages, read beside the checkout; skipped where they are absent.

import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { readBackupTrailer } from '../../../engine/database/backup-trailer.ts'
import { readCheckpointFile, writeCheckpoint } from '../../../engine/database/checkpoint-file.ts'
import { type DatabaseHeader, writeDatabaseHeader } from '../../../engine/database/database-header.ts'
import { faultOfDatabaseHeader, readDatabaseHeader } from '../../../engine/database/database-header-copies.ts'
import { type LogBytes, openLogBytes } from '../../../engine/database/log-bytes.ts'
import { openPage } from '../../../engine/database/page.ts'
import { checkPage } from '../../../engine/database/page-check.ts'
import { correctPage, sealPage, verifyPage } from '../../../engine/database/page-seal.ts'
import { hasDamagedPages, startPageTally, tallyPages } from '../../../engine/database/page-tally.ts'
import { HAS_SPECIMENS, SPECIMENS_NOTE, specimen } from './build.ts'

const DATABASES = [
  { name: 'winmail-v7-8k-A/WindowsMail.MSMessageStore', pageBytes: 8192, used: 28, state: 'clean-shutdown' },
  { name: 'winmail-v7-8k-A/backup-new/WindowsMail.MSMessageStore', pageBytes: 8192, used: 19, state: 'dirty-shutdown' },
  { name: 'edb-4k-16k-32k/dissect-basic.edb.gz', pageBytes: 4096, used: 23, state: 'clean-shutdown' },
  { name: 'edb-4k-16k-32k/dissect-binary.edb.gz', pageBytes: 4096, used: 25, state: 'clean-shutdown' },
  { name: 'edb-4k-16k-32k/dissect-default.edb.gz', pageBytes: 4096, used: 23, state: 'clean-shutdown' },
  { name: 'edb-4k-16k-32k/dissect-index.edb.gz', pageBytes: 4096, used: 47, state: 'clean-shutdown' },
  { name: 'edb-4k-16k-32k/dissect-large-32k.edb.gz', pageBytes: 32_768, used: 381, state: 'clean-shutdown' },
  { name: 'edb-4k-16k-32k/dissect-multi.edb.gz', pageBytes: 4096, used: 34, state: 'clean-shutdown' },
  { name: 'edb-4k-16k-32k/dissect-text.edb.gz', pageBytes: 4096, used: 32, state: 'clean-shutdown' },
  { name: 'edb-4k-16k-32k/goese-qmgr-16k-dirty.db.gz', pageBytes: 16_384, used: 43, state: 'dirty-shutdown' },
  { name: 'edb-4k-16k-32k/goese-ual-4k-dirty.mdb.gz', pageBytes: 4096, used: 53, state: 'dirty-shutdown' },
  { name: 'edb-4k-16k-32k/plaso-Catalog1-4k.edb.gz', pageBytes: 4096, used: 209, state: 'clean-shutdown' },
] as const

function database(name: string): LogBytes {
  const bytes = specimen(name)
  return openLogBytes(name.endsWith('.gz') ? new Uint8Array(gunzipSync(bytes)) : bytes)
}

function headerOf(file: LogBytes): DatabaseHeader {
  const read = readDatabaseHeader(file.bytes)
  if (read.verdict === 'rejected') throw new Error(read.rejection.detail)
  // One of them says that it has no shadow.
  expect([read.copy, read.other]).toEqual(['first', (read.header.flags & 1) === 0 ? 'same' : 'absent'])
  return read.header
}

/** The pages of a file by number, the two headers left out. */
function* pagesOf(file: LogBytes, pageBytes: number): Generator<{ number: number; lo: number }> {
  for (let lo = 2 * pageBytes; lo + pageBytes <= file.bytes.length; lo += pageBytes)
    yield { number: lo / pageBytes - 1, lo }
}

describe.skipIf(!HAS_SPECIMENS)(`the real database${SPECIMENS_NOTE}`, () => {
  test.each(DATABASES)('$name has a header that is written as it was read', ({ name, pageBytes, state }) => {
    const file = database(name)
    const header = headerOf(file)
    const written = new Uint8Array(pageBytes)
    writeDatabaseHeader(written, header)

    expect(header).toMatchObject({ pageBytes, state, fileType: 1 })
    expect(faultOfDatabaseHeader(header)).toBeNull()
    expect(Buffer.compare(written, file.bytes.subarray(0, pageBytes))).toBe(0)
  })

  test.each(DATABASES)('$name has no page with another checksum than ours', ({ name, pageBytes, used }) => {
    const file = database(name)
    let sound = 0

    for (const { number, lo } of pagesOf(file, pageBytes)) {
      const { verdict } = verifyPage(file, lo, { bytes: pageBytes, number })
      // Page 257 of the backup is its trailer, which is no page of the database.
      if (!(name.includes('backup-new') && number === 257)) expect([number, verdict]).not.toContain('bad')
      if (verdict === 'sound') sound += 1
    }

    expect(sound).toBe(used)
  })

  test.each(DATABASES)('$name has pages that are sealed as they were', ({ name, pageBytes }) => {
    const file = database(name)

    for (const { number, lo } of pagesOf(file, pageBytes)) {
      if (verifyPage(file, lo, { bytes: pageBytes, number }).verdict !== 'sound') continue
      const page = openLogBytes(file.bytes.slice(lo, lo + pageBytes))
      for (const at of [0, 4]) page.view.setUint32(at, 0, true)
      sealPage(page, 0, { bytes: pageBytes, number })
      expect(Buffer.compare(page.bytes, file.bytes.subarray(lo, lo + pageBytes))).toBe(0)
    }
  })

  test.each(DATABASES)('$name has a page mended after a bit was turned', ({ name, pageBytes }) => {
    const file = database(name)
    const used = [...pagesOf(file, pageBytes)].filter(
      ({ number, lo }) => verifyPage(file, lo, { bytes: pageBytes, number }).verdict === 'sound',
    )
    for (const [index, { number, lo }] of used.entries()) {
      const page = openLogBytes(file.bytes.slice(lo, lo + pageBytes))
      const bit = 512 + ((index * 7_368_787) % (pageBytes * 8 - 512))
      correctPage(page, 0, [bit])

      expect(verifyPage(page, 0, { bytes: pageBytes, number })).toEqual({ verdict: 'correctable', bits: [bit] })
    }
  })

  test.each(DATABASES.filter(({ pageBytes }) => pageBytes <= 8192))(
    '$name has pages whose tags, keys and free space make sense to us',
    ({ name, pageBytes }) => {
      const file = database(name)

      for (const { number, lo } of pagesOf(file, pageBytes)) {
        if (verifyPage(file, lo, { bytes: pageBytes, number }).verdict !== 'sound') continue
        expect([number, checkPage(openPage(file.bytes.slice(lo, lo + pageBytes)))]).toEqual([number, null])
      }
    },
  )
})

describe.skipIf(!HAS_SPECIMENS)(`the real stream of logs${SPECIMENS_NOTE}`, () => {
  const LIVE = 'winmail-v7-8k-A/WindowsMail.MSMessageStore'
  const BACKUP = 'winmail-v7-8k-A/backup-new/WindowsMail.MSMessageStore'

  test('has a checkpoint that is written as it was read, in its second generation', () => {
    const file = specimen('winmail-v7-8k-A/edb.chk')
    const read = readCheckpointFile(file)
    if (read.verdict === 'rejected') throw new Error(read.rejection.detail)
    const written = new Uint8Array(4096)
    writeCheckpoint(written, read.checkpoint)

    expect(read).toMatchObject({ copy: 'first', other: 'same', checkpoint: { checkpoint: { generation: 2 } } })
    expect(Buffer.compare(written, file.subarray(0, 4096))).toBe(0)
    expect(Buffer.compare(written, file.subarray(4096))).toBe(0)
  })

  test('has a backup that ends with its trailer, made for this database and these logs', () => {
    const backup = database(BACKUP)
    const header = headerOf(backup)
    const trailer = readBackupTrailer(backup, backup.bytes.length - 8192, 8192)
    const live = headerOf(database(LIVE))

    expect(trailer).toMatchObject({ signature: header.signature, logSignature: header.logSignature })
    expect(trailer?.backup).toMatchObject({ firstGeneration: 1, lastGeneration: 1 })
    expect(header.backups.currentFull).toMatchObject({ firstGeneration: 1, lastGeneration: 0 })
    expect(trailer?.backup.mark).toEqual(header.backups.currentFull.mark)
    expect(live.backups.previousFull).toEqual({ ...trailer?.backup, kind: 'streaming' })
    expect([header.dbtime, live.dbtime]).toEqual([204n, 431n])
  })

  test('has databases whose pages are all sound, and a trailer that is told from them', () => {
    for (const { name, pageBytes, used } of DATABASES) {
      const file = database(name)
      const pages = openLogBytes(file.bytes.subarray(2 * pageBytes))
      const tally = tallyPages(startPageTally(pageBytes, file.bytes.length), pages)

      expect([name, hasDamagedPages(tally), tally.trailer !== null]).toEqual([name, false, name === BACKUP])
      expect(tally.seen - tally.empty - (tally.trailer === null ? 0 : 1)).toBe(used)
    }
  })

  test('has no other page that looks like a trailer', () => {
    for (const { name, pageBytes } of DATABASES) {
      const file = database(name)
      const found = [...pagesOf(file, pageBytes)].filter(({ lo }) => readBackupTrailer(file, lo, pageBytes) !== null)
      expect(found.map(({ number }) => number)).toEqual(name === BACKUP ? [257] : [])
    }
  })
})
