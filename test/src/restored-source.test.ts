// Goal: a source that was restored to an earlier state is met by its copy as Exchange's is: silence without Suspend and Resume, an incremental
// reseed where newer logs were left, a new beginning where they were removed; and no log is let go meanwhile.
// Method: real services over real ESE logs; the backup is a copy of the log directory, and the writer goes on from it with other logs.
import { cp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { asGeneration } from '../../engine/generation.ts'
import type { CopyService } from '../../src/copy-service.ts'
import { openLogWriter } from '../../src/log-writer.ts'
import type { ShareService } from '../../src/share-service.ts'
import { digestOf, ESE, eventIds, inspected, patience, ServiceWorld } from './service-world.ts'

let world: ServiceWorld
let share: ShareService
let copy: CopyService

beforeEach(async () => {
  world = await ServiceWorld.make()
  await writeLogs(3, 1)
  await cp(world.logs, join(world.root, 'backup'), { recursive: true })
  share = await world.share({ format: ESE })
  copy = await world.copy(share.url)
  await writeLogs(2, 1)
  await inspected(copy, 5)
  await restore()
})
afterEach(() => world.end())

/** A seed decides what is in the logs, and an hour of its own when they were made. */
async function writeLogs(count: number, seed: number): Promise<void> {
  const nowMs = (): number => Date.UTC(2026, 0, 1, seed)
  const writer = await openLogWriter({ directory: world.logs, baseName: 'E00', seed, nowMs })
  for (let i = 0; i < count; i++) await writer.roll()
  await writer.close()
}

async function restore(): Promise<void> {
  for (const name of await readdir(world.logs))
    if (name.startsWith('E00')) await rm(join(world.logs, name), { force: true })
  await cp(join(world.root, 'backup'), world.logs, { recursive: true })
  await share.logsRestored()
}

describe('after a restore to an earlier state', () => {
  it('a copy that nobody resumed waits in silence, and says so once', async () => {
    await writeLogs(1, 2)
    await share.whenStatus(({ generated }) => generated === 4, patience())

    const status = await copy.whenStatus(({ Remark }) => Remark.includes('log 00000004'), patience())

    expect(status).toMatchObject({ SummaryCopyStatus: 'Healthy', CopyQueueLength: 0, LastLogInspected: 5 })
    expect((await eventIds(copy)).filter((id) => id === 9020)).toHaveLength(1)
  })

  it('a copy whose newer logs were left is Failed when it is resumed, until they can be compared and are set aside', async () => {
    await copy.suspend(null)
    await copy.resume()
    const ahead = await copy.whenStatus(({ Failed }) => Failed, patience())
    await writeLogs(3, 2)
    const status = await copy.whenStatus(
      ({ Failed, LastLogInspected }) => !Failed && LastLogInspected === 6,
      patience(),
    )
    await share.markBackup(asGeneration(6))
    await share.whenStatus(({ truncatedBelow }) => truncatedBelow === 7, patience())

    expect(ahead.FailedMessage).toContain('00000004 to 00000005')
    expect(status).toMatchObject({ SummaryCopyStatus: 'Healthy', CopyQueueLength: 0 })
    expect(await eventIds(copy)).toEqual(expect.arrayContaining([2058, 9030]))
    const kept = await readdir(join(world.store(), 'logs', 'IgnoredLogs', 'E00OutOfDate'))
    expect(kept.filter((name) => !name.endsWith('.why.json')).map((name) => name.slice(0, 15))).toEqual([
      'E0000000004.log',
      'E0000000005.log',
    ])
    expect(kept.filter((name) => name.endsWith('.why.json'))).toHaveLength(2)
  })

  it('a copy that was emptied begins anew, and releases logs again', async () => {
    await copy.suspend(null)
    const logs = join(world.store(), 'logs')
    for (const name of await world.logsOf()) await rm(join(logs, name))
    await writeLogs(3, 2)
    await copy.resume()

    await inspected(copy, 6)
    const [there, here] = [await digestOf(world.logs), await world.logsOf()]
    await share.markBackup(asGeneration(6))
    await share.whenStatus(({ truncatedBelow }) => truncatedBelow === 7, patience())

    expect(here).toHaveLength(6)
    expect(there).not.toBe('')
  })

  it('the source remembers over a restart that its copies have not looked', async () => {
    await writeLogs(2, 2)
    await share.close()
    share = await world.share({ format: ESE })

    await share.markBackup(asGeneration(5))
    const { held } = share.explain()

    expect(share.status()).toMatchObject({ lowest: 1, truncatedBelow: 0, mark: { through: 5 } })
    expect(held.flatMap(({ reasons }) => reasons.map(({ rule }) => rule))).toEqual(['not-heard'])
  })

  it('a copy that was started again has looked, and remembers it', async () => {
    await copy.close()
    await rm(world.store(), { recursive: true })
    copy = await world.copy(share.url)
    await inspected(copy, 3)
    await copy.close()
    copy = await world.copy(share.url)
    await writeLogs(1, 2)

    const status = await inspected(copy, 4)

    expect(status).toMatchObject({ SummaryCopyStatus: 'Healthy', Remark: '' })
    expect(await eventIds(copy)).not.toContain(9020)
  })
})
