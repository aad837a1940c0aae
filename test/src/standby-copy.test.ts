// Goal: a standby target stays behind across restarts, holds its source by nothing but what it has not inspected, and stays what it is.
// Method: real services over real directories; a replayer in this process that redoes nothing, but keeps the contract.
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DatabaseProgress } from '../../engine/fact.ts'
import { asGeneration, type Generation, nextGeneration } from '../../engine/generation.ts'
import type { CopyService, CopyServiceOptions } from '../../src/copy-service.ts'
import type { ConnectReplayer } from '../../src/replay-work.ts'
import { inspected, logNames, patience, ServiceWorld } from './service-world.ts'

let world: ServiceWorld
beforeEach(async () => {
  world = await ServiceWorld.make()
})
afterEach(() => world.end())

const DAY_MS = 86_400_000

/** A database that needs a log no more as soon as that is replayed. */
function aDatabase(): ConnectReplayer {
  let replayed: Generation = asGeneration(0)
  const progress = (): DatabaseProgress => ({
    replayedThrough: replayed,
    logTimeMs: 0,
    requiredLow: nextGeneration(replayed),
    requiredHigh: replayed,
  })
  return (_copy, tell) => ({
    isRunning: true,
    post: (command) => {
      if (command.kind === 'replay-logs') replayed = command.range.last
      setImmediate(() => {
        if (command.kind === 'open-database')
          tell({ kind: 'database-opened', copy: command.copy, session: command.session, progress: progress() })
        if (command.kind === 'replay-logs')
          tell({ kind: 'logs-replayed', copy: command.copy, session: command.session, progress: progress() })
        if (command.kind === 'stop-replaying')
          tell({ kind: 'replay-stopped', copy: command.copy, progress: progress() })
      })
      return true
    },
  })
}

function aTarget(
  url: string,
  standby: CopyServiceOptions['standby'] & object,
  replayer: ConnectReplayer,
): Promise<CopyService> {
  return world.copy(url, { standby, replayer, replay: true })
}

describe('a standby target', () => {
  it('without a lag stays 50 logs behind, also when it is started again without saying what it is', async () => {
    await world.closeLogs(1, 55)
    const share = await world.share()
    const database = aDatabase()
    const copy = await aTarget(share.url, { replayLagMs: 0, truncationLagMs: 0 }, database)

    const status = await copy.whenStatus(({ LastLogReplayed }) => LastLogReplayed === 5, patience())
    expect(status).toMatchObject({ SummaryCopyStatus: 'Healthy', LastLogInspected: 55, ReplayQueueLength: 50 })
    await copy.close()
    await world.closeLogs(56, 60)
    const again = await world.copy(share.url, { replayer: database })

    await again.whenStatus(({ LastLogReplayed }) => LastLogReplayed === 10, patience())
    expect(again.status()).toMatchObject({
      ReplayQueueLength: 50,
      Remark: 'log 0000000B may be replayed when log 0000003D is inspected',
    })
  })

  it('keeps what its source deletes, by the times that the files have after a restart too', async () => {
    await world.closeLogs(1, 60)
    const share = await world.share()
    const copy = await aTarget(share.url, { replayLagMs: DAY_MS, truncationLagMs: 0 }, aDatabase())
    await inspected(copy, 60)

    await share.markBackup(asGeneration(60))
    await share.whenStatus(({ truncatedBelow }) => truncatedBelow === 61, patience())
    await copy.close()
    const again = await aTarget(share.url, { replayLagMs: DAY_MS, truncationLagMs: 0 }, aDatabase())
    await inspected(again, 60)

    expect(again.status().LastLogReplayed).toBe(0)
    expect(await world.logsOf()).toEqual(logNames(1, 60))
    expect(again.status().Remark).toMatch(/^log 00000001 may be replayed at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/)
  })

  it('is refused with other lags, and so is a copy that was made to be none', async () => {
    const share = await world.share()
    const made = await aTarget(share.url, { replayLagMs: DAY_MS, truncationLagMs: 0 }, aDatabase())
    await made.close()

    await expect(aTarget(share.url, { replayLagMs: 0, truncationLagMs: 0 }, aDatabase())).rejects.toMatchObject({
      code: 'STATE_REFUSED',
      message: `${world.store()} holds a standby target with the replay lag of 24 h, and one with the replay lag of 0 is wanted`,
    })
    const store = join(world.root, 'other')
    await (await world.copy(share.url, { store })).close()
    await expect(
      world.copy(share.url, { store, standby: { replayLagMs: 0, truncationLagMs: 0 } }),
    ).rejects.toMatchObject({ code: 'STATE_REFUSED' })
  })

  it('is not frozen for a backup', async () => {
    const share = await world.share()
    const copy = await aTarget(share.url, { replayLagMs: 0, truncationLagMs: 0 }, aDatabase())
    await world.closeLogs(1, 2)
    await inspected(copy, 2)

    await expect(copy.freeze()).rejects.toMatchObject({ code: 'STATE_REFUSED' })
  })
})
