// Goal: an arriving file is whole and durable under its temporary name, or gone; no mistake of a caller or disk leaves half of one.
// Method: the real code over the modelled disk with single faults, and over the real file system for direct I/O.
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  type ArrivingLog,
  arrivalsIn,
  isTemporaryName,
  PIECE_BYTES_MAX,
  replaceDurably,
} from '../../storage/durable-file.ts'
import { type Piece, wholeOf } from '../../storage/file-operations.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { publisherInto } from '../../storage/publisher.ts'
import { CrashDisk, FileNode } from './crash-disk.ts'
import { operationsOver, type RunPlan } from './crash-disk-operations.ts'
import { pageAligned } from './page-aligned.ts'

const log = (lengthBytes: number, memory: ArrivingLog['memory'] = 'any'): ArrivingLog => ({
  name: 'E0000000001.log',
  attemptId: 'a1',
  lengthBytes,
  memory,
})

function over(plan: RunPlan = {}) {
  const disk = new CrashDisk()
  const files = operationsOver(disk, plan)
  return { disk, files, arrivals: arrivalsIn('/', files) }
}

const hard = (bound: number): number => bound - 1

describe('an arriving log', () => {
  it('is durable when it is finished, in one piece or in several', async () => {
    const { disk, files, arrivals } = over()
    const feed = await arrivals.begin(log(10))
    await feed.write(wholeOf(Buffer.from('hello ')))
    await feed.write({ bytes: Buffer.from('xxyou!xx'), offset: 2, length: 4 })
    await feed.finish()
    await files.syncDirectory('/') // the name, which the publisher syncs later

    expect(disk.afterPowerCut('any subset', hard).find(feed.temporaryPath)).toMatchObject({
      content: Buffer.from('hello you!'),
    })
    expect(files.openFiles()).toBe(0)
  })

  it.each([9, 11])('of %i bytes instead of 10 is refused and removed', async (length) => {
    const { disk, files, arrivals } = over()
    const feed = await arrivals.begin(log(10))

    const end = feed.write(wholeOf(Buffer.alloc(length))).then(() => feed.finish())

    await expect(end).rejects.toMatchObject({ code: 'WRITE_FAILED' })
    expect(disk.root.entries.size).toBe(0)
    expect(files.openFiles()).toBe(0)
  })

  it.each([
    ['write', 'ENOSPC', 'DISK_FULL'],
    ['write', 'EIO', 'WRITE_FAILED'],
    ['datasync', 'EIO', 'SYNC_FAILED'],
    ['datasync', 'ENOSPC', 'SYNC_FAILED'],
    ['create', 'EACCES', 'DIRECTORY_NOT_WRITABLE'],
    ['create', 'EROFS', 'DIRECTORY_NOT_WRITABLE'],
    ['create', 'EMFILE', 'WRITE_FAILED'],
  ] as const)('after a %s that answers %s is gone, with the code %s', async (operation, errno, code) => {
    const { disk, files, arrivals } = over({ faults: [{ operation, at: 1, errno }] })

    await expect(arrivals.write(log(4), wholeOf(Buffer.from('text')))).rejects.toMatchObject({
      code,
      fields: { errno },
    })

    expect(disk.root.entries.size).toBe(0)
    expect(files.openFiles()).toBe(0)
  })

  it('goes through the page cache where direct I/O is refused, at opening or at writing, and is synced then', async () => {
    const refusals: readonly RunPlan[] = [
      { refusesDirect: true },
      { faults: [{ operation: 'write', at: 1, errno: 'EINVAL' }] },
    ]
    for (const plan of refusals) {
      const { disk, files, arrivals } = over(plan)
      const bytes = new Uint8Array(4096).fill(7)
      const path = await arrivals.write(log(4096, 'page-aligned'), wholeOf(bytes))
      await files.syncDirectory('/')

      const survivor = disk.afterPowerCut('any subset', hard).find(path)
      expect(survivor instanceof FileNode && survivor.content.equals(bytes)).toBe(true)
    }
  })

  it('keeps the time of its source', async () => {
    const { disk, arrivals } = over()

    const path = await arrivals.write({ ...log(1), modifiedMs: 42_000 }, wholeOf(Buffer.from('x')))

    expect(disk.find(path)).toMatchObject({ modifiedMs: 42_000 })
  })

  it('of several megabytes goes past the page cache on the real disk, byte for byte', async () => {
    const base = fs.mkdtempSync(join(tmpdir(), 'ccr-arriving-'))
    try {
      const slot = pageAligned(48)
      for (let at = 0; at < slot.length; at++) slot[at] = (at * 7) % 253
      const arrivals = arrivalsIn(base, nodeFileOperations({ shortCalls: 'inline' }))
      const feed = await arrivals.begin(log(slot.length, 'page-aligned'))
      for (let offset = 0; offset < slot.length; offset += PIECE_BYTES_MAX)
        await feed.write({ bytes: slot, offset, length: PIECE_BYTES_MAX } satisfies Piece)
      await feed.finish()

      expect(fs.readFileSync(feed.temporaryPath).equals(slot)).toBe(true)
      expect(fs.statSync(feed.temporaryPath).mode & 0o777).toBe(0o600)
    } finally {
      fs.rmSync(base, { recursive: true })
    }
  })

  it('has a name that is swept, and no log or state file has one', () => {
    expect(['E0000000001.log.a1.tmp', 'store.json.0f-_.tmp'].map(isTemporaryName)).toEqual([true, true])
    expect(['E0000000001.log', 'E00tmp.log', 'a.tmp', '.a1.tmp', 'x.a b.tmp'].map(isTemporaryName)).toEqual([
      false,
      false,
      false,
      false,
      false,
    ])
  })
})

describe('a state file', () => {
  it('has its old or its new content after any crash', async () => {
    const replace = (files: ReturnType<typeof operationsOver>, text: string) =>
      replaceDurably(files, { directory: '/', name: 'state', attemptId: text, bytes: Buffer.from(text) })
    for (let crashAt = 1; crashAt <= 6; crashAt++) {
      for (const choose of [() => 0, hard]) {
        const disk = new CrashDisk()
        await replace(operationsOver(disk), 'old')
        const told = await replace(operationsOver(disk, { crashAt }), 'new').then(
          () => true,
          () => false,
        )

        const node = disk.afterPowerCut('any subset', choose).find('/state')
        expect(node instanceof FileNode ? node.content.toString() : null).toMatch(told ? /^new$/ : /^(old|new)$/)
      }
    }
  })
})

describe('a publisher', () => {
  async function published(plan: RunPlan, count: number) {
    const { disk, files, arrivals } = over(plan)
    await files.makeDirectory('/logs')
    const publisher = publisherInto(
      { directory: '/logs', temporaryDirectory: '/', sameContent: async () => false },
      files,
    )
    const items = []
    for (let index = 0; index < count; index++) {
      const name = `log${index}`
      items.push({
        temporaryPath: await arrivals.write({ ...log(1), name }, wholeOf(Buffer.from('x'))),
        finalName: name,
      })
    }
    return { disk, publisher, items }
  }

  it('tells exactly which logs are durable when a batch ends in the middle', async () => {
    const { disk, publisher, items } = await published({ faults: [{ operation: 'link', at: 3, errno: 'EIO' }] }, 4)

    const outcome = await publisher.publish(items)

    expect(outcome).toMatchObject({ durable: 2, alreadyThere: 0, failure: { code: 'WRITE_FAILED' } })
    const survivor = disk.afterPowerCut('any subset', hard)
    expect([0, 1, 2, 3].map((index) => survivor.find(`/logs/log${index}`) !== null)).toEqual([true, true, false, false])
    expect(await publisher.publish(items.slice(2))).toMatchObject({ durable: 2, failure: null })
  })

  it('takes its names back after a failed sync of the directory, and publishes no more', async () => {
    const { disk, publisher, items } = await published(
      { faults: [{ operation: 'sync directory', at: 1, errno: 'EIO' }] },
      2,
    )

    expect(await publisher.publish(items.slice(0, 1))).toMatchObject({ durable: 0, failure: { code: 'SYNC_FAILED' } })

    expect(disk.find('/logs/log0')).toBeNull()
    expect(await publisher.publish(items.slice(1))).toMatchObject({ durable: 0, failure: { code: 'SYNC_FAILED' } })
    expect(disk.find('/logs/log1')).toBeNull()
  })

  it('tells a missing log directory from a missing temporary file', async () => {
    const { disk, publisher, items } = await published({}, 1)
    const lost = { temporaryPath: '/none', finalName: 'log9' }

    expect(await publisher.publish([lost])).toMatchObject({ failure: { code: 'LOG_MISSING' } })
    disk.rename(disk.root, [{ name: 'logs', node: null }])
    expect(await publisher.publish(items)).toMatchObject({ durable: 0, failure: { code: 'DIRECTORY_MISSING' } })
  })
})
