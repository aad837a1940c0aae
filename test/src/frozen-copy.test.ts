// Goal: what lies in the files of a frozen copy stays as it is byte for byte, is enough to recover from, and the copy goes on afterwards.
// Method: real services that ship and replay the logs of a real store; a set is made by copying files, and a copy is started on it.

import { renameSync, writeFileSync } from 'node:fs'
import { cp, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { asGeneration } from '../../engine/generation.ts'
import { eseLogName } from '../../engine/log-format.ts'
import type { CopyService } from '../../src/copy-service.ts'
import type { ShareService } from '../../src/share-service.ts'
import { logsOfStore } from '../workers/replay-rig.ts'
import { digestOf, ESE, patience, ServiceWorld } from './service-world.ts'

let world: ServiceWorld
let share: ShareService
let copy: CopyService

beforeEach(async () => {
  world = await ServiceWorld.make()
  closeStoreLogs(1, 6)
  share = await world.share({ format: ESE, store: 'mailbox' })
  copy = await world.copy(share.url)
  await replayed(copy, 6)
})
afterEach(() => world.end())

function closeStoreLogs(first: number, last: number): void {
  for (const [index, bytes] of logsOfStore(last).entries()) {
    const path = join(world.logs, eseLogName('E00', asGeneration(index + 1)))
    if (index + 1 < first) continue
    writeFileSync(`${path}.tmp`, bytes)
    renameSync(`${path}.tmp`, path)
  }
}

function replayed(one: CopyService, generation: number) {
  return one.whenStatus(({ LastLogReplayed, Failed }) => LastLogReplayed >= generation && !Failed, patience())
}

describe('a frozen copy', () => {
  it('is not touched while its source goes on, and catches up when it is thawed', async () => {
    const { databasePath, logsPath } = await copy.freeze()
    const files = async (): Promise<string> =>
      (await digestOf(logsPath)) + (await digestOf(join(databasePath ?? '', '..')))
    const before = await files()

    closeStoreLogs(7, 9)
    const status = await copy.whenStatus(({ LastLogGenerated }) => LastLogGenerated === 9, patience())

    expect(status).toMatchObject({ SummaryCopyStatus: 'Healthy', LastLogInspected: 6, CopyQueueLength: 3 })
    expect(await files()).toBe(before)
    expect(await copy.thaw()).toBe(true)
    expect(await replayed(copy, 9)).toMatchObject({ SummaryCopyStatus: 'Healthy' })
  })

  it('has in its files what another copy can go on from', async () => {
    const { first, last, databasePath, logsPath } = await copy.freeze()
    const set = world.store('set')
    for (const directory of ['logs', 'database']) await mkdir(join(set, directory), { recursive: true })
    for (let g = first; g <= last; g = asGeneration(g + 1))
      await cp(join(logsPath, eseLogName('E00', g)), join(set, 'logs', eseLogName('E00', g)))
    await cp(databasePath ?? '', join(set, 'database', 'priv1.edb'))
    await copy.thaw()

    await copy.suspend(null)
    for (const directory of ['logs', 'database'])
      for (const name of await readdir(join(set, directory)))
        await cp(join(set, directory, name), join(world.store(), directory, name), { force: true })
    await copy.resume()
    closeStoreLogs(7, 8)

    expect([first <= last, last]).toEqual([true, 6])
    expect(await replayed(copy, 8)).toMatchObject({ SummaryCopyStatus: 'Healthy' })
  })

  it('refuses a second freeze, a comparison and a Resume, and says when nothing was frozen', async () => {
    await copy.freeze()

    await expect(copy.freeze()).rejects.toMatchObject({ code: 'STATE_REFUSED' })
    await expect(copy.resume()).resolves.toBe('the copy was not suspended')
    expect(() => copy.digestPages(asGeneration(6), patience())).toThrow(/snapshot/)
    expect([await copy.thaw(), await copy.thaw()]).toEqual([true, false])
  })

  it('is refused while it is suspended, and forgets a freeze with its process', async () => {
    await copy.suspend('disk')
    await expect(copy.freeze()).rejects.toMatchObject({
      code: 'STATE_REFUSED',
      hint: expect.stringContaining('resume'),
    })
    await copy.resume()
    closeStoreLogs(7, 7)
    await replayed(copy, 7)
    await copy.freeze()
    await copy.close()

    copy = await world.copy(share.url)

    closeStoreLogs(8, 8)
    expect(await replayed(copy, 8)).toMatchObject({ Suspend: false })
  })
})
