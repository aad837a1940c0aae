// Goal: what a seed has read is the database of its source, byte for byte, or the seed says why not; whatever the way does to the bytes, and whatever
// a seed that was cut off has left. Little is read twice.
// Method: the reading over the modelled disk, against a source on a real socket that answers wrongly in one way at a time.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readDatabaseHeader } from '../../engine/database/database-header-copies.ts'
import { asGeneration } from '../../engine/generation.ts'
import type { FileOperations } from '../../storage/file-operations.ts'
import { CopyPace } from '../../workers/copy-pace.ts'
import { endSeed, firstOfPart, readSeed, type SeedRead } from '../../workers/seed-reading.ts'
import { turnBit } from '../engine/database/database-build.ts'
import { CrashDisk } from '../storage/crash-disk.ts'
import { operationsOver } from '../storage/crash-disk-operations.ts'
import { SeedWire, type SeedWirePlan, seededDatabase } from './seed-wire.ts'
import { contentOf, partsOver, put } from './set-rig.ts'

const PAGE_BYTES = 8192
const PIECE_BYTES = 1_048_576
const TO = '/SG1/seeding/priv1.edb.stream-1'
/** Three pieces of a MiB, the last of which is no whole one. */
const PAGES = 300

let files: FileOperations
let wire: SeedWire
beforeEach(async () => {
  files = operationsOver(new CrashDisk())
  await put(files, '/SG1/seeding/other', new Uint8Array(1))
})
afterEach(() => wire.close())

async function read(pace = new CopyPace()): Promise<SeedRead> {
  const signal = new AbortController().signal
  return await readSeed(await partsOver(files, pace), { client: wire.client(), to: TO, named: 'the database', signal })
}

async function open(plan: Partial<SeedWirePlan> = {}): Promise<Uint8Array> {
  const file = plan.file ?? seededDatabase(PAGES)
  wire = await SeedWire.open({ ...plan, file })
  return file
}

/** Comparing megabytes by expect takes seconds. */
const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

async function expectRead(file: Uint8Array): Promise<SeedRead> {
  const done = await read()
  expect(isSame(await contentOf(files, TO), file)).toBe(true)
  expect(done.bytes).toBe(file.length)
  return done
}

/** With some bits turned, as one byte of a page that is torn. */
function torn(bytes: Uint8Array, position: number): Uint8Array {
  const other = bytes.slice()
  for (const bit of [1, 9]) turnBit(other, position * 8 + bit)
  return other
}

describe('a database that is read for a seed', () => {
  it.each([1, 2, 3, 126, 127, 128, 300])('of %i pages comes whole', async (pages) => {
    await expectRead(await open({ file: seededDatabase(pages) }))
  })

  it('is read again where a page is torn while its store writes it', async () => {
    const file = seededDatabase(PAGES)
    const times = new Map<number, number>()
    // The header, its shadow, the first page and one of the second piece: each is wrong in its first three readings.
    await open({
      file,
      read: ({ position, length }, bytes) => {
        const before = times.get(position) ?? 0
        if (length > 1) times.set(position, before + 1)
        if (before >= 3) return bytes
        const places = [300, PAGE_BYTES + 300, 2 * PAGE_BYTES + 99, PIECE_BYTES + 5 * PAGE_BYTES]
        const here = places.filter((place) => place >= position && place < position + bytes.length)
        return here.reduce((other, place) => torn(other, place - position), bytes)
      },
    })

    await expectRead(file)
    expect(times.get(PIECE_BYTES)).toBe(4)
  })

  it('is refused where a page is really damaged, which is named; what was read stays', async () => {
    await open({ file: torn(seededDatabase(PAGES), 200 * PAGE_BYTES + 100) })

    await expect(read()).rejects.toMatchObject({ code: 'PAGE_REJECTED', fields: { page: 199, eseError: -1018 } })
    expect((await files.lookUp(TO))?.sizeBytes).toBeGreaterThanOrEqual(PIECE_BYTES)
  })

  it('is read as far as it has come when it grows', async () => {
    const whole = seededDatabase(PAGES)
    await open({
      file: whole.slice(0, 130 * PAGE_BYTES + 100),
      read: ({ position }, bytes) => {
        if (position >= PIECE_BYTES) wire.plan.file = whole
        return bytes
      },
    })

    await expectRead(whole)
  })
})

describe('a way that changes bytes', () => {
  const PAGES_FEW = 4

  /** Where one bit of one answer is turned: every fifth byte of the head, and places of header and pages. */
  function places(): number[] {
    const head = Array.from({ length: 40 }, (_, index) => index * 5)
    return [...head, 300, 1_000, PAGE_BYTES + 400, 2 * PAGE_BYTES + 8, 4 * PAGE_BYTES]
  }

  it('never leaves other bytes: a turned bit at any place of an answer is found, and the piece asked for again', async () => {
    const file = seededDatabase(PAGES_FEW)
    for (const place of places())
      for (const nth of [1, 2]) {
        files = operationsOver(new CrashDisk())
        await put(files, '/SG1/seeding/other', new Uint8Array(1))
        await open({
          file,
          send: ({ number }, answer) => {
            if (number === nth && place < answer.length) turnBit(answer, place * 8 + (place % 7))
            return answer
          },
        })
        const told = await read().then(
          () => 'read',
          (error: Error) => error.message,
        )

        expect({ place, nth, told }).toEqual({ place, nth, told: 'read' })
        expect(isSame(await contentOf(files, TO), file), `place ${place}`).toBe(true)
        await wire.close()
      }
    await open()
  }, 120_000)

  it('and never stops doing so ends the seed, with what is wrong', async () => {
    await open({
      send: ({ length }, answer) => {
        if (length > 1) turnBit(answer, (answer.length - 1) * 8)
        return answer
      },
    })

    await expect(read()).rejects.toMatchObject({
      code: 'PAGE_REJECTED',
      message: expect.stringContaining('read 5 times'),
    })
  })

  it.each([
    ['breaks within a piece', { send: ({ number }, answer) => (number === 3 ? null : answer) }],
    [
      'ends a piece in its middle',
      { send: ({ number }, answer) => (number === 3 ? answer.subarray(0, 9_000) : answer) },
    ],
    ['says that the database is longer', { total: ({ number }) => (PAGES + 2 + (number === 1 ? 70 : 0)) * PAGE_BYTES }],
    ['says that it is shorter', { total: ({ number }) => (PAGES + 2 - (number === 1 ? 70 : 0)) * PAGE_BYTES }],
    ['says so of a piece', { total: ({ number }) => (PAGES + 2 - (number === 3 ? 100 : 0)) * PAGE_BYTES }],
    ['answers with less', { read: ({ number }, bytes) => (number === 3 ? bytes.subarray(0, 8_192) : bytes) }],
  ] satisfies [string, Partial<SeedWirePlan>][])('%s once is asked again', async (_, plan) => {
    await expectRead(await open(plan))
  })
})

describe('a seed that was cut off', () => {
  /** So much of it is there. */
  async function left(bytes: Uint8Array): Promise<void> {
    await put(files, TO, bytes)
  }

  it.each([
    ['in its first MiB', 100 * PAGE_BYTES],
    ['a page behind it', PIECE_BYTES + PAGE_BYTES],
    ['two pages behind it', PIECE_BYTES + 2 * PAGE_BYTES],
    ['within a page', PIECE_BYTES + 100 * PAGE_BYTES + 17],
    ['at its end', (PAGES + 2) * PAGE_BYTES],
  ])('%s goes on there, and reads a MiB at most again', async (_, bytes) => {
    const file = await open()
    await left(file.slice(0, bytes))

    const { resumedBytes } = await expectRead(file)

    expect(wire.sentBytes - resumedBytes).toBeGreaterThan(-file.length)
    expect(resumedBytes + PIECE_BYTES + 2 * PAGE_BYTES).toBeGreaterThanOrEqual(bytes)
    expect(wire.sentBytes).toBeLessThanOrEqual(file.length - resumedBytes + 65_536 + 10)
  })

  it.each([
    ['a bit of its header is turned', (bytes: Uint8Array) => turnBit(bytes, 300 * 8)],
    ['a bit of both headers is turned', (bytes: Uint8Array) => [300, 8_492].map((byte) => turnBit(bytes, byte * 8))],
    ['a bit of its first page is turned', (bytes: Uint8Array) => turnBit(bytes, (2 * PAGE_BYTES + 70) * 8)],
    ['a page of it is zeros', (bytes: Uint8Array) => bytes.fill(0, 50 * PAGE_BYTES, 51 * PAGE_BYTES)],
    ['all of it is zeros', (bytes: Uint8Array) => bytes.fill(0)],
    ['its tail is torn', (bytes: Uint8Array) => bytes.fill(0xa5, bytes.length - 500_000)],
    [
      "pages stand in each other's place",
      (bytes: Uint8Array) => bytes.copyWithin(9 * PAGE_BYTES, 20 * PAGE_BYTES, 21 * PAGE_BYTES),
    ],
  ])('where %s comes to what one reading gives', async (_, change) => {
    const file = await open()
    const present = file.slice(0, 260 * PAGE_BYTES)
    change(present)
    await left(present)

    await expectRead(file)
  })

  it('of another database, or one that no seed has read, or one that is longer, begins anew', async () => {
    const file = await open()
    for (const other of [
      seededDatabase(250, { random: 99 }),
      seededDatabase(250, { first: 0 }),
      seededDatabase(PAGES + 9),
    ]) {
      await left(other)
      await expectRead(file)
    }
  })

  it('keeps the first log that its pages need, also where its beginning was not believed', async () => {
    // Meanwhile the store goes on: another session, whose header begins later, and pages that need its logs only.
    const file = await open({ file: seededDatabase(PAGES, { first: 9, last: 12, age: 1_000 }) })
    for (const [what, change] of [
      ['whole', () => undefined],
      ['with a turned bit in a page', (bytes: Uint8Array) => turnBit(bytes, (5 * PAGE_BYTES + 70) * 8)],
      ['with a turned bit in the header', (bytes: Uint8Array) => turnBit(bytes, 300 * 8)],
      ['with a page of zeros', (bytes: Uint8Array) => bytes.fill(0, 50 * PAGE_BYTES, 51 * PAGE_BYTES)],
    ] as const) {
      const present = seededDatabase(PAGES).slice(0, 290 * PAGE_BYTES)
      change(present)
      await left(present)

      const { resumedBytes } = await read()

      const found = await contentOf(files, TO)
      expect(resumedBytes, what).toBeGreaterThan(PIECE_BYTES)
      expect(isSame(found.subarray(resumedBytes), file.subarray(resumedBytes)), what).toBe(true)
      expect(await firstOfPart(files, TO), what).toBe(3)
      const range = await endSeed(files, TO, { last: asGeneration(13), createTime: '0607080f0c6a0100' })
      expect(range, what).toEqual({ first: 3, last: 13 })
    }
  })
})

describe('the header of a seed', () => {
  it('requires all logs from the first that any page may need to the one that was closed, and is in no backup', async () => {
    const file = await open()
    await read()

    await endSeed(files, TO, { last: asGeneration(8), createTime: '0607080f0c6a0100' })

    const ended = await contentOf(files, TO)
    const header = readDatabaseHeader(ended)
    expect(header).toMatchObject({
      verdict: 'read',
      other: 'same',
      header: {
        required: { minRequired: 3, maxRequired: 8, maxCommitted: 8 },
        backups: { currentFull: { firstGeneration: 0 } },
      },
    })
    expect(isSame(ended.subarray(2 * PAGE_BYTES), file.subarray(2 * PAGE_BYTES))).toBe(true)
    await expect(endSeed(files, TO, { last: asGeneration(8), createTime: '' })).rejects.toMatchObject({
      code: 'DATABASE_REJECTED',
      message: /was not begun as a seed/,
    })
  })
})
