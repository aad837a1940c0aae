// Goal: what a store orders is what lies on the disk afterwards, under the names that every store uses.
// Method: one suite over the real file system and the modelled disk: orders are given by hand, then the directories are read.
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  aPage,
  BODY,
  checkpointAt,
  databaseHeader,
  freshLog,
  LOG_BYTES,
  logHeader,
  prepare,
  roll,
  write,
} from '../../bench/soak/store-script.ts'
import { readCheckpointFile } from '../../engine/database/checkpoint-file.ts'
import { readDatabaseHeader } from '../../engine/database/database-header-copies.ts'
import { fillWithPattern } from '../../engine/database/fill-pattern.ts'
import { PAGE_BYTES } from '../../engine/database/page.ts'
import { asGeneration } from '../../engine/generation.ts'
import { type FileOperations, wholeOf } from '../../storage/file-operations.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import type { StoreFilesOptions } from '../../storage/store-files.ts'
import { CrashDisk } from '../storage/crash-disk.ts'
import { operationsOver } from '../storage/crash-disk-operations.ts'
import { StoreRig } from '../storage/store-rig.ts'

interface World {
  readonly files: FileOperations
  readonly root: string
  dispose(): void
}

function realWorld(): World {
  const base = fs.mkdtempSync(join(tmpdir(), 'ccr-store-'))
  return {
    files: nodeFileOperations({ shortCalls: 'inline' }),
    root: join(base, 'SG1'),
    dispose: () => fs.rmSync(base, { recursive: true }),
  }
}

function modelledWorld(): World {
  return { files: operationsOver(new CrashDisk()), root: '/data/SG1', dispose: () => undefined }
}

const MAKERS: readonly (readonly [string, () => World])[] = [
  ['the real file system', realWorld],
  ['the modelled disk', modelledWorld],
]
const G = asGeneration
const PATTERN = new Uint8Array(LOG_BYTES)
fillWithPattern(PATTERN, 0, LOG_BYTES)

describe.each(MAKERS)('the files of a store over %s', (_name, make) => {
  let world: World
  let rig: StoreRig

  const open = (options: Partial<StoreFilesOptions> = {}): Promise<StoreRig> =>
    StoreRig.open(world.files, { root: world.root, ...options })
  const names = async (directory: string): Promise<string[]> =>
    [...(await world.files.readDirectory(`${world.root}/${directory}`))].sort()

  async function content(path: string): Promise<Uint8Array> {
    const file = await world.files.open(`${world.root}/${path}`, 'read')
    const bytes = new Uint8Array(200_000)
    const length = await world.files.read(file, wholeOf(bytes), 0)
    await world.files.close(file)
    return bytes.subarray(0, length)
  }

  /** Rolls to `last` from nothing, each generation prepared before. */
  async function rollThrough(last: number): Promise<void> {
    for (let opens = 1; opens <= last; opens++) await rig.log(prepare(), roll(opens === 1 ? null : opens - 1, opens))
  }

  beforeEach(async () => {
    world = make()
    rig = await open()
  })
  afterEach(async () => {
    await rig.store.close()
    world.dispose()
  })

  it('a new store has its directories and two reserve logs, full of the pattern', async () => {
    expect(await names('logs')).toEqual(['E00res00001.jrs', 'E00res00002.jrs', 'IgnoredLogs'])
    expect(await names('database')).toEqual([])
    expect(await content('logs/E00res00002.jrs')).toEqual(PATTERN)
    expect(await rig.store.list()).toMatchObject({
      hasOpenLog: false,
      hasPreparedLog: false,
      closed: [],
      reserveLogs: 2,
      checkpoint: null,
      databaseStart: null,
      foreign: { total: 0 },
    })
  })

  it('a roll closes the open log under its generation and opens the prepared one', async () => {
    await rollThrough(2)
    await rig.log(write(2, 0, 0xaa), write(2, 1, 0xbb), prepare(), roll(2, 3))

    expect(await names('logs')).toEqual([
      'E00.log',
      'E0000000001.log',
      'E0000000002.log',
      'E00res00001.jrs',
      'E00res00002.jrs',
      'IgnoredLogs',
    ])
    const expected = freshLog(2)
    expected.fill(0xaa, BODY, BODY + 512).fill(0xbb, BODY + 512, BODY + 1536)
    expect(await content('logs/E0000000002.log')).toEqual(expected)
    expect(await content('logs/E00.log')).toEqual(freshLog(3))
    expect(rig.facts.filter(({ fact }) => fact === 'log-prepared')).toEqual(
      Array.from({ length: 3 }, () => ({ fact: 'log-prepared', reserve: false })),
    )
  })

  it('a roll prepares for itself what nobody has, and trusts no prepared log of an earlier process', async () => {
    await rig.log(roll(null, 1), prepare())
    await rig.store.close()
    const file = await world.files.open(`${world.root}/logs/E00tmp.log`, 'extend')
    await world.files.write(file, wholeOf(new Uint8Array(600)), 5000)
    await world.files.close(file)

    rig = await open({ mustExist: true })
    await rig.log(roll(1, 2))

    expect(await content('logs/E00.log')).toEqual(freshLog(2))
  })

  it('a roll to logs of another length prepares anew, and no reserve log of the old length is taken', async () => {
    const longer = LOG_BYTES + 1024
    await rig.log(prepare(), { ...roll(null, 1), fileBytes: longer })

    expect((await content('logs/E00.log')).length).toBe(longer)
    expect((await rig.store.list()).reserveLogs).toBe(2)
  })

  it('an order that is given again does no harm', async () => {
    await rollThrough(2)
    await rig.log(write(2, 0, 1))
    await rig.log(roll(1, 2))
    await rig.store.close()

    rig = await open()
    await rig.log(roll(1, 2), write(2, 0, 1))

    const expected = freshLog(2)
    expected.fill(1, BODY, BODY + 1024)
    expect(await content('logs/E00.log')).toEqual(expected)
    expect((await rig.store.list()).closed).toEqual([{ first: 1, last: 1 }])
  })

  it('a roll that a crash cut between its renames is finished', async () => {
    await rollThrough(1)
    await rig.log(prepare())
    await rig.store.close()
    await world.files.rename(`${world.root}/logs/E00.log`, `${world.root}/logs/E0000000001.log`)

    rig = await open()
    const found = await rig.store.list()
    await rig.log(roll(1, 2))

    expect(found).toMatchObject({ hasOpenLog: false, hasPreparedLog: true, closed: [{ first: 1, last: 1 }] })
    expect(await content('logs/E00.log')).toEqual(freshLog(2))
  })

  it('circular logging makes the prepared log out of the oldest closed one', async () => {
    await rollThrough(3)
    await rig.log(write(3, 0, 7), prepare(1), roll(3, 4))
    await rig.log(prepare(1), roll(4, 5))

    expect((await rig.store.list()).closed).toEqual([{ first: 2, last: 4 }])
    expect(await content('logs/E00.log')).toEqual(freshLog(5))
  })

  it('a mended log replaces the open one, and writing goes on in it', async () => {
    await rollThrough(1)
    const mended = freshLog(1)
    mended.fill(9, BODY, BODY + 512)
    await rig.log({ order: 'mend-log', generation: G(1), bytes: mended }, write(1, 1, 3))

    expect(await content('logs/E00.log')).toEqual(mended.fill(3, BODY + 512, BODY + 1536))
  })

  it('discarded logs are kept for the operator, each with a note', async () => {
    await rollThrough(5)
    await rig.log({ order: 'discard-logs', from: G(3) })
    await rig.log({ order: 'discard-logs', from: G(3) }, roll(null, 3))

    expect((await rig.store.list()).closed).toEqual([{ first: 1, last: 2 }])
    const kept = await names('logs/IgnoredLogs/E00OutOfDate')
    expect(kept.filter((name) => !name.endsWith('.json')).map((name) => name.split('.log')[0])).toEqual([
      'E00',
      'E0000000003',
      'E0000000004',
    ])
    expect(kept.length).toBe(6)
  })

  it('closed logs are deleted, and those that are missing passed over', async () => {
    await rollThrough(6)
    await rig.database({ order: 'delete-logs', first: G(1), last: G(2) })
    await rig.database({ order: 'delete-logs', first: G(1), last: G(4) })

    expect((await rig.store.list()).closed).toEqual([{ first: 5, last: 5 }])
  })

  it('pages lie where their numbers say, neighbours and others, and read as zero behind the end', async () => {
    await rig.database({ order: 'create-database', header: databaseHeader(1) })
    const pages = [1, 2, 3, 7, 9].map((number) => aPage(number, 20 + number))
    await rig.database({ order: 'write-pages', pages }, { order: 'sync-database' })

    for (const page of pages)
      expect(await rig.store.ask({ order: 'read-page', number: page.number })).toEqual(page.bytes)
    expect(await rig.store.ask({ order: 'read-page', number: 12 })).toEqual(new Uint8Array(PAGE_BYTES))
    rig.store.fetchPage(7)
    await rig.until(({ fact }) => fact === 'page-read')
    expect(rig.facts.at(-1)).toEqual({ fact: 'page-read', number: 7, bytes: aPage(7, 27).bytes })
  })

  it('the newest batch of saved pages is answered, whatever lies behind it, until the database is made anew', async () => {
    const batchOf = (dbtime: number, numbers: readonly number[]) => numbers.map((number) => aPage(number, dbtime))
    await rig.database({ order: 'create-database', header: databaseHeader(1) })
    expect(await rig.store.ask({ order: 'read-saved-pages' })).toEqual([])
    await rig.database({ order: 'save-pages', pages: batchOf(5, [1, 2, 3, 4]), headerDigest: 5n })
    await rig.database({ order: 'save-pages', pages: batchOf(6, [2, 9]), headerDigest: 2n ** 64n - 1n })
    await rig.store.close()

    rig = await open()
    const saved = await rig.store.ask({ order: 'read-saved-pages' })
    await rig.database({ order: 'create-database', header: databaseHeader(2) })

    expect(saved).toEqual(batchOf(6, [2, 9]).map((page) => ({ ...page, headerDigest: 2n ** 64n - 1n })))
    expect(await names('database')).toEqual(['priv1.edb'])
    expect(await rig.store.ask({ order: 'read-saved-pages' })).toEqual([])
  })

  it('header and checkpoint are found by the listing', async () => {
    await rig.database(
      { order: 'create-database', header: databaseHeader(1) },
      { order: 'write-header', header: databaseHeader(2) },
      { order: 'write-checkpoint', checkpoint: checkpointAt(4) },
      { order: 'write-checkpoint', checkpoint: checkpointAt(5) },
    )

    const { databaseStart, checkpoint, foreign } = await rig.store.list()

    expect(readDatabaseHeader(databaseStart ?? new Uint8Array())).toMatchObject({
      header: { dbtime: 2n },
      other: 'same',
    })
    expect(readCheckpointFile(checkpoint ?? new Uint8Array())).toMatchObject({
      checkpoint: { checkpoint: { generation: 5 } },
    })
    expect(foreign.total).toBe(0)
  })

  it('logs are read in ascending order, ahead of the question and with gaps', async () => {
    await rollThrough(5)
    await rig.database({ order: 'delete-logs', first: G(1), last: G(1) })
    const ask = (generation: number, isOpen = false) =>
      rig.store.ask({ order: 'read-log', generation: G(generation), open: isOpen, last: G(9) })

    const read: (number | null)[] = []
    for (const generation of [1, 2, 3, 4, 5, 2])
      read.push(((await ask(generation)) ?? [null, null, null, null, null])[4] ?? null)
    const openLog = await ask(5, true)

    expect(read).toEqual([null, 2, 3, 4, null, 2])
    expect(openLog).toEqual(freshLog(5))
    const foreignLog = await world.files.open(`${world.root}/logs/E00junk.txt`, 'create')
    await world.files.close(foreignLog)
    expect((await rig.store.list()).foreign.listed).toEqual([{ name: 'E00junk.txt', reason: 'not a log name' }])
  })

  it('never names a log over another one', async () => {
    await rollThrough(2)
    const stray = await world.files.open(`${world.root}/logs/E0000000002.log`, 'create')
    await world.files.write(stray, wholeOf(logHeader(2)), 0)
    await world.files.close(stray)

    const ended = await rig.log(roll(2, 3))

    expect(ended).toBe(false)
    expect(rig.failure).toMatchObject({ code: 'FILE_EXISTS', fields: { order: 'roll-log' } })
    expect(await content('logs/E0000000002.log')).toEqual(logHeader(2))
  })

  it('ends when the open log is another one than it was told', async () => {
    await rollThrough(2)
    await rig.store.close()

    rig = await open()
    await rig.log(write(1, 0, 1))

    expect(rig.failure).toMatchObject({ code: 'LOG_CHANGED', hint: expect.stringContaining('mount the store again') })
    expect(await content('logs/E00.log')).toEqual(freshLog(2))
  })

  it('sweeps what a crash left half done, and makes no store where one must be', async () => {
    await rollThrough(2)
    await rig.store.close()
    const logs = `${world.root}/logs`
    await world.files.close(await world.files.open(`${logs}/E00.chk.a1.tmp`, 'create'))
    await world.files.close(await world.files.open(`${logs}/somebody.else.tmp`, 'create'))
    await world.files.link(`${logs}/E00.log`, `${logs}/IgnoredLogs/E00OutOfDate/E00.log.a1`)

    rig = await open({ mustExist: true })

    expect(await names('logs/IgnoredLogs/E00OutOfDate')).toEqual([])
    expect(await names('logs')).not.toContain('E00.chk.a1.tmp')
    expect(await names('logs')).toContain('somebody.else.tmp')
    expect((await rig.store.list()).hasOpenLog).toBe(true)
    await expect(open({ root: `${world.root}2`, mustExist: true })).rejects.toMatchObject({ code: 'DIRECTORY_MISSING' })
    expect(await world.files.lookUp(`${world.root}2`)).toBeNull()
  })
})
