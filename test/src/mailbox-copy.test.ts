// Goal: a copy of a mailbox store has a database and replays its logs, and whatever is done to its files it heals or says what helps.
// Method: real services and worker threads over real directories; the logs of a real store, changed between inspection and replay.
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PAGE_BYTES } from '../../engine/database/page.ts'
import { comparePages, type PageDigest } from '../../engine/database/page-digest.ts'
import { asGeneration } from '../../engine/generation.ts'
import { eseLogName } from '../../engine/log-format.ts'
import type { CopyService } from '../../src/copy-service.ts'
import { logsOfStore } from '../workers/replay-rig.ts'
import { ESE, eventIds, inspected, patience, ServiceWorld } from './service-world.ts'

let world: ServiceWorld
beforeEach(async () => {
  world = await ServiceWorld.make()
})
afterEach(() => world.end())

const MAILBOX = { format: ESE, store: 'mailbox' } as const

function logPath(generation: number, directory = world.logs): string {
  return join(directory, eseLogName('E00', asGeneration(generation)))
}

/** The source closes logs of a mailbox store. */
function closeStoreLogs(first: number, last: number, random?: number): void {
  for (const [index, bytes] of logsOfStore(last, random).entries()) {
    const path = logPath(index + 1)
    if (index + 1 < first) continue
    writeFileSync(`${path}.tmp`, bytes)
    utimesSync(`${path}.tmp`, 1_200_000_000 + index, 1_200_000_000 + index)
    renameSync(`${path}.tmp`, path)
  }
}

const databasePath = (): string => join(world.store(), 'database', 'priv1.edb')
const copiedLog = (generation: number): string => logPath(generation, join(world.store(), 'logs'))

function replayed(copy: CopyService, generation: number) {
  return copy.whenStatus((status) => status.LastLogReplayed >= generation && !status.Failed, patience())
}

function failed(copy: CopyService) {
  return copy.whenStatus((status) => status.Failed, patience())
}

async function pagesOf(copy: CopyService, through: number): Promise<PageDigest[]> {
  const digests: PageDigest[] = []
  for await (const some of copy.digestPages(asGeneration(through), patience())) digests.push(...some)
  return digests
}

/** Turns two bits of a byte in each of so many pages, which no checksum turns back. */
function spoilPages(count: number): void {
  const bytes = readFileSync(databasePath())
  for (let page = 1; page <= count; page++)
    for (const at of [100, 300]) bytes[(page + 1) * PAGE_BYTES + at] = (bytes[(page + 1) * PAGE_BYTES + at] ?? 0) ^ 1
  writeFileSync(databasePath(), bytes)
}

describe('a copy of a mailbox store', () => {
  it('replays, because its source says so, and its status tells how far it is', async () => {
    closeStoreLogs(1, 6)
    const share = await world.share(MAILBOX)
    const copy = await world.copy(share.url)

    const status = await replayed(copy, 6)

    expect(status).toMatchObject({
      SummaryCopyStatus: 'Healthy',
      ReplayQueueLength: 0,
      LastLogReplayed: 6,
      LastReplayedLogTime: new Date(1_200_000_005_000).toISOString(),
      LowestRequiredLog: expect.any(Number),
    })
    expect(existsSync(databasePath())).toBe(true)
    expect(await eventIds(copy)).toContain(300)
  })

  it('goes on with its database after a restart, also where the source does not say any more that it is a store', async () => {
    closeStoreLogs(1, 4)
    const first = await world.share(MAILBOX)
    const copy = await world.copy(first.url)
    await replayed(copy, 4)
    await copy.close()
    await first.close()
    closeStoreLogs(5, 8)
    const share = await world.share({ format: ESE })

    const again = await world.copy(share.url)

    expect(await replayed(again, 8)).toMatchObject({ LastLogReplayed: 8 })
  })

  it('keeps logs only where the source is another program, and no thread replays', async () => {
    closeStoreLogs(1, 3)
    const share = await world.share({ format: ESE })
    const copy = await world.copy(share.url)

    await inspected(copy, 3)

    expect(copy.status()).toMatchObject({ LastLogReplayed: 0, ReplayQueueLength: 0 })
    expect(readdirSync(join(world.store(), 'database'))).toEqual([])
  })

  it('replays the logs of any ESE store when an operator says so, and stays with it', async () => {
    closeStoreLogs(1, 3)
    const share = await world.share({ format: ESE })
    const copy = await world.copy(share.url, { replay: true })
    await replayed(copy, 3)
    await copy.close()
    closeStoreLogs(4, 5)

    const again = await world.copy(share.url)

    expect(await replayed(again, 5)).toMatchObject({ LastLogReplayed: 5 })
  })

  it('digests its pages at the end of a log, equal on two copies, and refuses one that is past', async () => {
    closeStoreLogs(1, 5)
    const share = await world.share({ ...MAILBOX, copiesExpected: 2 })
    const [one, other] = [await world.copy(share.url), await world.copy(share.url, { store: world.store('other') })]
    await Promise.all([replayed(one, 5), replayed(other, 5)])
    const waiting = [pagesOf(one, 7), pagesOf(other, 7)] as const
    closeStoreLogs(6, 9)

    const found = comparePages(await waiting[0], await waiting[1])

    expect(found).toMatchObject({ differing: 0, first: null })
    expect(found.pages).toBeGreaterThan(20)
    await replayed(one, 9)
    await expect(pagesOf(one, 7)).rejects.toMatchObject({ code: 'STATE_REFUSED' })
  })

  it('lets its source truncate what its database does not need any more', async () => {
    closeStoreLogs(1, 8)
    const share = await world.share(MAILBOX)
    const copy = await world.copy(share.url)
    await replayed(copy, 8)

    await share.markBackup(asGeneration(8))

    const status = await share.whenStatus(({ truncatedBelow }) => truncatedBelow >= 8, patience())
    expect(status.truncatedBelow).toBe(8)
    expect(copy.status()).toMatchObject({ LowestRequiredLog: 8, HighestRequiredLog: 8 })
  })

  it('is at rest when Suspend returns, and replays on with Resume', async () => {
    closeStoreLogs(1, 3)
    const share = await world.share(MAILBOX)
    const copy = await world.copy(share.url)
    await replayed(copy, 3)

    await copy.suspend('volume work')
    const bytes = readFileSync(databasePath())
    closeStoreLogs(4, 6)
    expect(readFileSync(databasePath()).equals(bytes)).toBe(true)
    await copy.resume()

    expect(await replayed(copy, 6)).toMatchObject({ LastLogReplayed: 6 })
  })
})

describe('a copy of a mailbox store heals', () => {
  /** Inspected through log 6 and replayed through 3: the copy was closed, and another life left three logs more. */
  async function behindBy3(): Promise<{ readonly url: string }> {
    closeStoreLogs(1, 3)
    const share = await world.share(MAILBOX)
    const copy = await world.copy(share.url)
    await replayed(copy, 3)
    await copy.close()
    closeStoreLogs(4, 6)
    for (const generation of [4, 5, 6]) writeFileSync(copiedLog(generation), readFileSync(logPath(generation)))
    return share
  }

  it.each([
    ['was removed', () => rmSync(copiedLog(5)), 452],
    ['has another content', () => spoil(copiedLog(5)), 465],
    ['is another one under its name', () => writeFileSync(copiedLog(5), readFileSync(copiedLog(4))), 465],
    ['is of another stream', () => writeFileSync(copiedLog(5), logsOfStore(5, 99)[4] ?? ''), 454],
    ['was cut', () => writeFileSync(copiedLog(5), readFileSync(copiedLog(5)).subarray(0, 65_536)), 465],
  ])('when a log between inspection and replay %s', async (what, harm, event) => {
    const share = await behindBy3()
    harm()

    const copy = await world.copy(share.url)

    expect(await replayed(copy, 6)).toMatchObject({ LastLogReplayed: 6, Failed: false })
    // A log that is simply gone is missed by the look at the store already.
    if (what !== 'was removed') expect(await eventIds(copy)).toContain(event)
  })

  it('when its database was removed and log 1 is there still: it is built anew', async () => {
    const share = await behindBy3()
    rmSync(databasePath())

    const copy = await world.copy(share.url)

    expect(await replayed(copy, 6)).toMatchObject({ LastLogReplayed: 6, LowestLog: 1 })
  })

  it('when the directory of its database comes back', async () => {
    closeStoreLogs(1, 3)
    const share = await world.share(MAILBOX)
    const copy = await world.copy(share.url)
    await replayed(copy, 3)
    const directory = join(world.store(), 'database')
    renameSync(directory, `${directory}.away`)
    closeStoreLogs(4, 4)

    const status = await failed(copy)
    renameSync(`${directory}.away`, directory)

    expect(status.FailedMessage).toContain('database is not the directory of this store any more')
    expect(await replayed(copy, 4)).toMatchObject({ LastLogReplayed: 4 })
  })
})

describe('a copy of a mailbox store is Failed, and says what helps', () => {
  it('when a page of its database is damaged', async () => {
    closeStoreLogs(1, 8)
    const share = await world.share(MAILBOX)
    const copy = await world.copy(share.url)
    await replayed(copy, 8)
    await copy.close()
    rmSync(`${databasePath()}.saved`, { force: true })
    spoilPages(20)
    closeStoreLogs(9, 10)

    const again = await world.copy(share.url)

    const status = await failed(again)
    expect(status.FailedMessage).toMatch(
      /^the database of the copy is damaged: page \d+: .* \(-1018\) at log .*; the copy has to be seeded$/,
    )
    expect(await eventIds(again)).toEqual(expect.arrayContaining([474, 2058]))
  })

  it('when its database is gone and the source has no log 1 any more', async () => {
    closeStoreLogs(1, 6)
    for (const generation of [1, 2]) rmSync(logPath(generation))
    const share = await world.share(MAILBOX)

    const copy = await world.copy(share.url)

    const status = await failed(copy)
    expect(status.FailedMessage).toContain('00000001')
    expect(await eventIds(copy)).toContain(2059)
  })

  it('when an operator has logs replayed that are none of the ESE format', async () => {
    await world.closeLogs(1, 3)
    const share = await world.share()

    const copy = await world.copy(share.url, { replay: true })

    expect((await failed(copy)).FailedMessage).toContain('are not of the ESE format')
  })
})

function spoil(path: string): void {
  const bytes = readFileSync(path)
  bytes[9000] = (bytes[9000] ?? 0) ^ 1
  writeFileSync(path, bytes)
}
