// Goal: what is copied of a database is what verifies: a page that a store is writing is read again, a damaged one is named, a file that grows
// is copied as far as it has come; whatever the length of the pieces.
// Method: the reading over the modelled disk, whose reads tear pages for a while; databases of several pieces at several rates.
import { describe, expect, it } from 'vitest'
import type { FileOperations } from '../../storage/file-operations.ts'
import { checkDatabase, DatabasePass, type DatabaseReading } from '../../workers/checked-database.ts'
import { CopyPace } from '../../workers/copy-pace.ts'
import { turnBit } from '../engine/database/database-build.ts'
import { CrashDisk } from '../storage/crash-disk.ts'
import { operationsOver } from '../storage/crash-disk-operations.ts'
import { contentOf, databaseBytes, partsOver, put } from './set-rig.ts'

const PAGE_BYTES = 8192
const READING = { from: '/SG1/database/priv1.edb', to: '/set/priv1.edb', state: 'in-use', againMs: 0 } as const

/** Files of which the first reads of a stretch of the database find other bytes there. */
async function tearing(
  byte: number,
  times: number,
  pages = 3,
): Promise<{ files: FileOperations; reads: () => number }> {
  const files = operationsOver(new CrashDisk())
  await put(files, READING.from, databaseBytes([3, 4], pages))
  await put(files, '/set/other', new Uint8Array(1))
  let reads = 0
  return {
    reads: () => reads,
    files: {
      ...files,
      read: async (file, piece, position) => {
        const count = await files.read(file, piece, position)
        const isThere = file.path === READING.from && byte >= position && byte < position + count
        if (isThere && ++reads <= times)
          for (const bit of [1, 9]) turnBit(piece.bytes.subarray(piece.offset), (byte - position) * 8 + bit)
        return count
      },
    },
  }
}

/** Comparing megabytes by expect takes seconds. */
const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

async function copy(files: FileOperations, changes: Partial<DatabaseReading> = {}): Promise<Uint8Array> {
  const pass = await DatabasePass.open(await partsOver(files), { ...READING, ...changes })
  await pass.readOn()
  const { bytes } = await pass.finish(null)
  const copied = await contentOf(files, READING.to)
  expect(copied.length).toBe(bytes)
  return copied
}

describe('a database in use', () => {
  it.each([
    ['a page', 3 * PAGE_BYTES + 100],
    ['the header', 300],
    ['the shadow of the header', PAGE_BYTES + 300],
    ['a page of a later piece', 140 * PAGE_BYTES + 5],
  ])('is read again where %s is torn, and copied as it is then', async (_, byte) => {
    const { files, reads } = await tearing(byte, 4, 150)

    expect(isSame(await copy(files), databaseBytes([3, 4], 150))).toBe(true)
    expect(reads()).toBe(5)
  })

  it('is damaged where a page does not verify in five readings; nothing of the copy stays', async () => {
    const { files, reads } = await tearing(4 * PAGE_BYTES + 100, 99)

    await expect(copy(files)).rejects.toMatchObject({
      code: 'PAGE_REJECTED',
      message: expect.stringMatching(/^page 3 of .* fails verification \(-1018\), read 5 times: checksum/),
      fields: { page: 3, eseError: -1018 },
    })
    expect(reads()).toBe(5)
    expect(await files.lookUp(READING.to)).toBeNull()
  })

  it('is copied as far as it has come, whole pages only, with the trailer behind', async () => {
    const { files } = await tearing(0, 0)
    const file = await files.open(READING.from, 'extend')
    const half = { bytes: new Uint8Array(PAGE_BYTES).fill(1), offset: 0, length: 100 }
    await files.write(file, half, 5 * PAGE_BYTES)
    const trailer = new Uint8Array(PAGE_BYTES).fill(9)
    const pass = await DatabasePass.open(await partsOver(files), READING)
    await pass.readOn()
    await files.write(file, { bytes: new Uint8Array(PAGE_BYTES), offset: 0, length: PAGE_BYTES }, 5 * PAGE_BYTES)

    // What it grows by after that may be of logs that the trailer does not name.
    const { bytes, pages } = await pass.finish(() => trailer)

    expect([bytes, pages.seen]).toEqual([6 * PAGE_BYTES, 3])
    expect((await contentOf(files, READING.to)).subarray(5 * PAGE_BYTES)).toEqual(trailer)
  })

  it('is none when it is empty, or became shorter', async () => {
    const { files } = await tearing(0, 0, 300)
    const shrinking: FileOperations = {
      ...files,
      read: (file, piece, position) => (position > 0 ? Promise.resolve(0) : files.read(file, piece, position)),
    }
    await expect(copy(shrinking)).rejects.toMatchObject({ code: 'READ_FAILED', message: /became shorter/ })
    await put(files, READING.from, new Uint8Array(0))
    await expect(copy(files)).rejects.toMatchObject({ code: 'DATABASE_REJECTED', message: /it is empty/ })
  })
})

describe('a database that nobody writes', () => {
  it('is read once: a page that does not verify is damaged', async () => {
    const { files, reads } = await tearing(4 * PAGE_BYTES + 100, 1)

    await expect(copy(files, { state: 'whole' })).rejects.toMatchObject({ code: 'PAGE_REJECTED', fields: { page: 3 } })
    expect(reads()).toBe(1)
  })

  it('is not whole with half a page at its end', async () => {
    const { files } = await tearing(0, 0)
    await put(files, READING.from, databaseBytes([3, 4]).subarray(0, 4 * PAGE_BYTES + 512))

    await expect(copy(files, { state: 'whole' })).rejects.toMatchObject({ code: 'DATABASE_REJECTED' })
  })

  it.each([null, 12, 24])(
    'has the same checksum at any rate, which decides the pieces: %s MiB/s',
    async (mebibytes) => {
      const pace = new CopyPace()
      pace.setRate(mebibytes === null ? null : mebibytes * 1_048_576)
      const { files } = await tearing(0, 0, 400)
      const parts = await partsOver(files, pace)

      const checked = await checkDatabase(parts, { ...READING, to: null, state: 'whole' })

      expect(checked.xxh64).toBe((await checkDatabase(await partsOver(files), { ...READING, state: 'whole' })).xxh64)
      expect(checked.pages.seen).toBe(400)
      expect(isSame(await contentOf(files, READING.to), databaseBytes([3, 4], 400))).toBe(true)
    },
  )
})
