// Goal: a database on a disk has a whole header after any crash, and pages that were flushed stay.
// Method: the real code over the modelled disk, the power cut at every call with every kind of loss, twice in a row; single faults.
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type DatabaseHeader, writeDatabaseHeader } from '../../engine/database/database-header.ts'
import { readDatabaseHeader } from '../../engine/database/database-header-copies.ts'
import { openLogBytes } from '../../engine/database/log-bytes.ts'
import { initialisePage, openPage, PAGE_BYTES } from '../../engine/database/page.ts'
import { sealPage } from '../../engine/database/page-seal.ts'
import { createDatabaseFile, type DatabaseFile, openDatabaseFile } from '../../storage/database-file.ts'
import { wholeOf } from '../../storage/file-operations.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { FULL_HEADER } from '../engine/database/database-build.ts'
import { type Choose, CrashDisk, FileNode } from './crash-disk.ts'
import { type ModelOperations, operationsOver, type RunPlan } from './crash-disk-operations.ts'

const PATH = '/priv1.edb'
/** Headers that differ in both of their sectors that count, so that a mixture of two is none of them. */
const headerOf = (dbtime: number): DatabaseHeader => ({
  ...FULL_HEADER,
  dbtime: BigInt(dbtime),
  later: Uint8Array.from({ length: 150 }, (_, at) => (at >= 191 && at < 195 ? 0 : dbtime + at)),
})
/** Of what a crash left unsynced: all kept, all dropped, zeroed, garbage, and each sector otherwise. */
const FATES: readonly (readonly [string, () => Choose])[] = [
  ['kept', () => () => 0],
  ['dropped', () => (bound) => Math.min(1, bound - 1)],
  ['zeroed', () => (bound) => Math.min(2, bound - 1)],
  ['garbled', () => (bound) => Math.min(3, bound - 1)],
  ['mixed', () => mixed()],
]

/** A different fate for each sector; 4 asks for that. */
function mixed(): Choose {
  let turn = 0
  return (bound) => (bound === 5 ? 4 : turn++ % bound)
}

async function aDatabase(disk: CrashDisk, plan: RunPlan = {}): Promise<[ModelOperations, DatabaseFile]> {
  await (
    await createDatabaseFile(operationsOver(disk), {
      directory: '/',
      name: 'priv1.edb',
      attemptId: 'a1',
      header: headerOf(100),
    })
  ).close()
  const files = operationsOver(disk, plan)
  return [files, await openDatabaseFile(files, PATH, 'write')]
}

function aPage(number: number, dbtime: number): Uint8Array {
  const page = openPage(new Uint8Array(PAGE_BYTES))
  initialisePage(page, { objectId: 10, flags: 2, dbtime, previous: 0, next: 0 })
  sealPage(page, 0, { bytes: PAGE_BYTES, number })
  return page.bytes
}

function contentOf(disk: CrashDisk): Buffer {
  const node = disk.find(PATH)
  if (!(node instanceof FileNode)) throw new Error('there is no database')
  return node.content
}

function dbtimeOn(disk: CrashDisk): number {
  const read = readDatabaseHeader(contentOf(disk))
  if (read.verdict === 'rejected') throw new Error(read.rejection.detail)
  return Number(read.header.dbtime)
}

describe('a database', () => {
  it('is made whole, opened and never made over another', async () => {
    const disk = new CrashDisk()
    const [files, database] = await aDatabase(disk)
    await database.close()

    const again = createDatabaseFile(files, { directory: '/', name: 'priv1.edb', attemptId: 'a2', header: headerOf(1) })

    await expect(again).rejects.toMatchObject({ code: 'FILE_EXISTS' })
    expect([contentOf(disk).length, dbtimeOn(disk), files.openFiles()]).toEqual([2 * PAGE_BYTES, 100, 0])
  })

  it('comes into being whole or not at all, wherever the power fails', async () => {
    for (let crashAt = 1; crashAt <= 6; crashAt++) {
      for (const [, choose] of FATES) {
        const disk = new CrashDisk()
        const files = operationsOver(disk, { crashAt })
        const made = await createDatabaseFile(files, {
          directory: '/',
          name: 'priv1.edb',
          attemptId: 'a1',
          header: headerOf(100),
        }).then(
          () => true,
          () => false,
        )
        const survivor = disk.afterPowerCut('any subset', choose())
        expect(survivor.find(PATH) === null ? 'none' : dbtimeOn(survivor)).toSatisfy(
          (found) => found === 100 || (!made && found === 'none'),
        )
      }
    }
  })

  it('has the pages that were written, verified as they are read', async () => {
    const [files, database] = await aDatabase(new CrashDisk())
    const two = new Uint8Array(2 * PAGE_BYTES)
    two.set(aPage(3, 70))
    two.set(aPage(4, 71), PAGE_BYTES)
    await database.writePages(3, wholeOf(two))
    await database.flush()
    const memory = openLogBytes(new Uint8Array(PAGE_BYTES))

    const verdicts = []
    for (const number of [1, 3, 4, 5, 99]) verdicts.push((await database.readPage(number, memory)).verdict)

    expect(verdicts).toEqual(['empty', 'sound', 'sound', 'empty', 'empty'])
    expect([await database.pageCount(), await database.readPages(4, wholeOf(new Uint8Array(3 * PAGE_BYTES)))]).toEqual([
      4, 1,
    ])
    await database.writePages(1, wholeOf(aPage(3, 70)))
    expect(await database.readPage(1, memory)).toMatchObject({ verdict: 'bad', ownNumber: 3 })
    await database.close()
    await database.close()
    expect(files.openFiles()).toBe(0)
  })

  it('is the same on the real file system', async () => {
    const directory = fs.mkdtempSync(join(tmpdir(), 'ccr-database-'))
    try {
      const files = nodeFileOperations({ shortCalls: 'pooled' })
      const made = await createDatabaseFile(files, { directory, name: 'a.edb', attemptId: 'a1', header: headerOf(100) })
      await made.writePages(2, wholeOf(aPage(2, 70)))
      await made.writeHeader(headerOf(101))
      await made.close()

      const opened = await openDatabaseFile(files, join(directory, 'a.edb'), 'read')
      const memory = openLogBytes(new Uint8Array(PAGE_BYTES))

      expect([opened.header.dbtime, await opened.pageCount()]).toEqual([101n, 2])
      expect([await opened.readPage(1, memory), await opened.readPage(2, memory)]).toEqual([
        { verdict: 'empty' },
        { verdict: 'sound' },
      ])
      expect(fs.readdirSync(directory)).toEqual(['a.edb'])
      await opened.close()
    } finally {
      fs.rmSync(directory, { recursive: true })
    }
  })

  it('keeps pages from the flush on, and before a header that speaks of them', async () => {
    for (const settle of ['flush', 'header'] as const) {
      const disk = new CrashDisk()
      const [, database] = await aDatabase(disk)
      await database.writePages(1, wholeOf(aPage(1, 70)))
      if (settle === 'flush') await database.flush()
      else await database.writeHeader(headerOf(101))

      const survivor = disk.afterPowerCut('any subset', (bound) => bound - 1)

      const found = contentOf(survivor).subarray(2 * PAGE_BYTES)
      expect(Buffer.compare(found, Buffer.from(aPage(1, 70)))).toBe(0)
    }
  })

  it('never has a header that is ahead of its pages, although the disk writes the header first', async () => {
    for (let crashAt = 2; crashAt <= 6; crashAt++) {
      const disk = new CrashDisk()
      const [, database] = await aDatabase(disk, { crashAt })
      await database.writePages(1, wholeOf(aPage(1, 70)))
      await database.writeHeader(headerOf(101)).catch(() => undefined)
      const sectors = { lost: PAGE_BYTES / 512 }

      // Of what is unsynced the first page's worth is dropped, the rest kept.
      const survivor = disk.afterPowerCut('any subset', (bound) => {
        if (bound === 5) return 4
        return sectors.lost-- > 0 ? Math.min(1, bound - 1) : 0
      })

      const page = contentOf(survivor).subarray(2 * PAGE_BYTES)
      if (dbtimeOn(survivor) === 101) expect(Buffer.compare(page, Buffer.from(aPage(1, 70)))).toBe(0)
    }
  })

  it('keeps its page size and takes no state that may not follow', async () => {
    const [, database] = await aDatabase(new CrashDisk())

    await expect(database.writeHeader({ ...headerOf(101), pageBytes: 4096 })).rejects.toThrow('must hold')
    await expect(database.writeHeader({ ...headerOf(101), state: 'just-created' })).rejects.toThrow('must hold')
    await expect(database.writeHeader({ ...headerOf(101), state: 'clean-shutdown' })).rejects.toThrow('must hold')
    await database.writeHeader(headerOf(102))
    expect(database.header.dbtime).toBe(102n)
  })
})

describe('the header', () => {
  it.each(FATES)(
    'is the old or the new one after a crash at any call, with what was under way %s',
    async (_, choose) => {
      for (let crashAt = 1; crashAt <= 5; crashAt++) {
        const disk = new CrashDisk()
        const [, database] = await aDatabase(disk, { crashAt })
        const told = await database.writeHeader(headerOf(101)).then(
          () => true,
          () => false,
        )
        const survivor = disk.afterPowerCut('any subset', choose())

        const found = dbtimeOn(survivor)
        expect(told ? [101] : [100, 101]).toContain(found)
      }
    },
  )

  it.each(FATES)(
    'survives a second crash too, as opening mends the copy that the first one damaged (%s)',
    async (_, choose) => {
      for (let first = 1; first <= 4; first++) {
        for (let second = 1; second <= 7; second++) {
          const disk = new CrashDisk()
          const [, database] = await aDatabase(disk, { crashAt: first })
          await database.writeHeader(headerOf(101)).catch(() => undefined)
          const once = disk.afterPowerCut('any subset', choose())
          const before = dbtimeOn(once)
          const next = operationsOver(once, { crashAt: second })
          const told = await openDatabaseFile(next, PATH, 'write')
            .then((opened) => opened.writeHeader(headerOf(102)))
            .then(
              () => true,
              () => false,
            )

          const found = dbtimeOn(once.afterPowerCut('any subset', choose()))

          expect(told ? [102] : [before, 102]).toContain(found)
        }
      }
    },
  )

  it('is mended at the next opening for writing, not for reading, whichever copy is damaged or older', async () => {
    for (const lo of [0, PAGE_BYTES]) {
      const disk = new CrashDisk()
      const [files, database] = await aDatabase(disk)
      await database.close()
      const file = await files.open(PATH, 'extend')
      await files.write(file, wholeOf(new Uint8Array(512)), lo)
      await (await openDatabaseFile(files, PATH, 'read')).close()
      const untouched = readDatabaseHeader(contentOf(disk))

      await (await openDatabaseFile(files, PATH, 'write')).close()

      expect(untouched).toMatchObject({ copy: lo === 0 ? 'shadow' : 'first', other: 'damaged' })
      expect(readDatabaseHeader(contentOf(disk))).toMatchObject({ copy: 'first', other: 'same' })
    }
    const disk = new CrashDisk()
    const [files, database] = await aDatabase(disk)
    const newer = new Uint8Array(PAGE_BYTES)
    writeDatabaseHeader(newer, headerOf(101))
    const file = await files.open(PATH, 'extend')
    await files.write(file, wholeOf(newer), 0)
    await database.close()

    const reopened = await openDatabaseFile(files, PATH, 'write')

    expect(reopened.header.dbtime).toBe(101n)
    expect(readDatabaseHeader(contentOf(disk))).toMatchObject({ other: 'same' })
  })

  it('that was not written, or not synced, ends all changes until the file is opened anew', async () => {
    const faults = [
      { operation: 'write', at: 2, errno: 'EIO', code: 'WRITE_FAILED' },
      { operation: 'write', at: 1, errno: 'ENOSPC', code: 'DISK_FULL' },
      { operation: 'datasync', at: 2, errno: 'EIO', code: 'SYNC_FAILED' },
    ] as const
    for (const { code, ...fault } of faults) {
      const disk = new CrashDisk()
      const [files, database] = await aDatabase(disk, { faults: [fault] })

      await expect(database.writeHeader(headerOf(101))).rejects.toMatchObject({ code })
      await expect(database.writeHeader(headerOf(102))).rejects.toMatchObject({ code })
      await expect(database.writePages(1, wholeOf(aPage(1, 70)))).rejects.toMatchObject({ code })
      await expect(database.flush()).rejects.toMatchObject({ code })
      await database.close()

      const reopened = await openDatabaseFile(files, PATH, 'write')
      await reopened.writeHeader(headerOf(103))
      expect(dbtimeOn(disk)).toBe(103)
    }
  })

  it('that cannot be taken is refused, and the file is closed', async () => {
    const disk = new CrashDisk()
    const [files, database] = await aDatabase(disk)
    await database.close()
    const file = await files.open(PATH, 'extend')
    await files.write(file, wholeOf(new Uint8Array(3 * PAGE_BYTES)), 0)
    await files.close(file)

    await expect(openDatabaseFile(files, PATH, 'write')).rejects.toMatchObject({
      code: 'DATABASE_REJECTED',
      hint: expect.stringContaining('ccr dump database'),
      fields: { eseError: -1206 },
    })
    await expect(openDatabaseFile(files, '/none.edb', 'read')).rejects.toMatchObject({ fields: { errno: 'ENOENT' } })
    expect(files.openFiles()).toBe(0)
  })

  it('whose required logs make no sense is refused although its checksum fits', async () => {
    const disk = new CrashDisk()
    const files = operationsOver(disk)
    const header: DatabaseHeader = { ...headerOf(100), state: 'clean-shutdown' }

    const made = createDatabaseFile(files, { directory: '/', name: 'priv1.edb', attemptId: 'a1', header })

    await expect(made).rejects.toMatchObject({ code: 'DATABASE_REJECTED' })
  })

  it('is written alone where a database keeps no shadow', async () => {
    const disk = new CrashDisk()
    const [files, database] = await aDatabase(disk)
    await database.writeHeader({ ...headerOf(101), flags: 1 })
    await database.close()
    const before = files.steps()

    const reopened = await openDatabaseFile(files, PATH, 'write')

    expect(files.steps()).toBe(before)
    expect(reopened.header).toMatchObject({ dbtime: 101n, flags: 1 })
    expect(contentOf(disk)[PAGE_BYTES + 16]).toBe(100)
  })
})
