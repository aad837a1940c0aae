// Goal: a copy with a real database comes back from a source that has gone another way, byte for byte, unless its pages have gone too far.
// Method: real services and worker threads over real directories; two streams of a real store that have their first logs in common.
import { readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PageDigest } from '../../engine/database/page-digest.ts'
import { asGeneration } from '../../engine/generation.ts'
import { eseLogName } from '../../engine/log-format.ts'
import type { CopyService, CopyServiceOptions } from '../../src/copy-service.ts'
import type { ShareService } from '../../src/share-service.ts'
import { divergedLogs, logsOfStore } from '../workers/replay-rig.ts'
import { digestOf, ESE, eventIds, patience, ServiceWorld } from './service-world.ts'

/** What both streams have. */
const SHARED = 12
/** What the copy has when its source goes another way: with a target that stays 50 logs behind, of ten logs at most. */
const NEWEST = 60
const TARGET: Partial<CopyServiceOptions> = { replay: true, standby: { replayLagMs: 0, truncationLagMs: 0 } }

let world: ServiceWorld
let share: ShareService

beforeEach(async () => {
  world = await ServiceWorld.make()
  share = await world.share({ format: ESE, store: 'mailbox' })
})
afterEach(() => world.end())

function logPath(generation: number, directory = world.logs): string {
  return join(directory, eseLogName('E00', asGeneration(generation)))
}

function closeLogs(logs: readonly Uint8Array[], first: number, last: number): void {
  for (const [index, bytes] of logs.entries()) {
    const [path, generation] = [logPath(index + 1), index + 1]
    if (generation < first || generation > last) continue
    writeFileSync(`${path}.tmp`, bytes)
    utimesSync(`${path}.tmp`, 1_200_000_000 + index, 1_200_000_000 + index)
    renameSync(`${path}.tmp`, path)
  }
}

async function restore(newest: number): Promise<void> {
  for (let generation = SHARED + 1; generation <= newest; generation++) rmSync(logPath(generation))
  await share.logsRestored()
}

function replayed(copy: CopyService, generation: number) {
  return copy.whenStatus((status) => status.LastLogReplayed === generation && !status.Failed, patience())
}

async function lookAgain(copy: CopyService): Promise<void> {
  await copy.suspend(null)
  await copy.resume()
}

async function pagesOf(copy: CopyService, through: number): Promise<PageDigest[]> {
  const digests: PageDigest[] = []
  for await (const some of copy.digestPages(asGeneration(through), patience())) digests.push(...some)
  return digests
}

function setAside(): number {
  const names = readdirSync(join(world.store(), 'logs', 'IgnoredLogs', 'E00OutOfDate'))
  return names.filter((name) => name.endsWith('.log') || /\.log\.[0-9a-f]{32}$/.test(name)).length
}

describe('a standby target', () => {
  it('gives up the logs that its source has lost, and has the pages of a target that never had them', async () => {
    closeLogs(logsOfStore(NEWEST), 1, NEWEST)
    const copy = await world.copy(share.url, TARGET)
    await replayed(copy, NEWEST - 50)
    await restore(NEWEST)
    closeLogs(divergedLogs(80, SHARED), SHARED + 1, 80)
    await lookAgain(copy)

    const status = await replayed(copy, 30)
    const fresh = await world.copy(share.url, { ...TARGET, store: world.store('fresh') })
    await replayed(fresh, 30)

    expect(status).toMatchObject({ SummaryCopyStatus: 'Healthy', LastLogInspected: 80 })
    expect(setAside()).toBe(NEWEST - SHARED)
    expect(await eventIds(copy)).toContain(9030)
    expect(await pagesOf(copy, 30)).toEqual(await pagesOf(fresh, 30))
  })

  it('finishes after an end in the middle, when some of the logs were set aside', async () => {
    closeLogs(logsOfStore(NEWEST), 1, NEWEST)
    const copy = await world.copy(share.url, TARGET)
    await replayed(copy, NEWEST - 50)
    await restore(NEWEST)
    await lookAgain(copy)
    await copy.whenStatus(({ Failed }) => Failed, patience())
    await copy.close()
    for (let generation = NEWEST; generation > 40; generation--)
      rmSync(logPath(generation, join(world.store(), 'logs')))
    closeLogs(divergedLogs(80, SHARED), SHARED + 1, 80)

    const again = await world.copy(share.url, {})
    await replayed(again, 30)

    expect(setAside()).toBe(40 - SHARED)
  })
})

describe('a passive copy', () => {
  it('whose database has what its source does not have is Failed, says so, and keeps all of it', async () => {
    closeLogs(logsOfStore(SHARED + 3), 1, SHARED + 3)
    const copy = await world.copy(share.url)
    await replayed(copy, SHARED + 3)
    await restore(SHARED + 3)
    closeLogs(divergedLogs(SHARED + 6, SHARED), SHARED + 1, SHARED + 6)
    await copy.suspend(null)
    const before = await digestOf(join(world.store(), 'logs'))
    await copy.resume()

    const status = await copy.whenStatus(({ Failed }) => Failed, patience())
    await copy.suspend(null)

    expect(status.FailedMessage).toMatch(/log 0000000E .* its database already has changes of logs through .*seeded/)
    expect(await eventIds(copy)).toContain(2058)
    expect(await digestOf(join(world.store(), 'logs'))).toBe(before)
  })
})
