// Goal: databases and checkpoints that real ESE wrote are verified, looked over and written back byte for byte.
// Method: real files of 4, 8, 16 and 32 KB pages, read beside the checkout; skipped where they are absent.

import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { type LogBytes, openLogBytes } from '../../../engine/database/log-bytes.ts'
import { openPage } from '../../../engine/database/page.ts'
import { checkPage } from '../../../engine/database/page-check.ts'
import { correctPage, sealPage, verifyPage } from '../../../engine/database/page-seal.ts'
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

/** The pages of a file by number, the two headers left out. */
function* pagesOf(file: LogBytes, pageBytes: number): Generator<{ number: number; lo: number }> {
  for (let lo = 2 * pageBytes; lo + pageBytes <= file.bytes.length; lo += pageBytes)
    yield { number: lo / pageBytes - 1, lo }
}

describe.skipIf(!HAS_SPECIMENS)(`the real database${SPECIMENS_NOTE}`, () => {
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
