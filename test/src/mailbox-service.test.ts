// Goal: a mailbox store and the source of its logs work on one directory: what is committed reaches the copy, and no log goes that a database needs.
// Method: real services over real directories: the store in its worker, the share, and a copy that replays.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { asGeneration } from '../../engine/generation.ts'
import { type MailboxService, type MailboxServiceOptions, startMailboxService } from '../../src/mailbox-service.ts'
import { serviceLog } from '../../src/service-log.ts'
import type { MailboxSettings } from '../../workers/mailbox-start.ts'
import { insert, isContent, transaction, words } from '../workers/mailbox-rig.ts'
import { ANY_PORT, eventIds, patience, ServiceWorld } from './service-world.ts'

const MEBIBYTE = 1024 * 1024

let world: ServiceWorld
beforeEach(async () => {
  world = await ServiceWorld.make()
})
afterEach(() => world.end())

/** A service whose store needs few logs: its pages are written soon, and are held back for one log only. */
async function start(
  settings: Partial<MailboxSettings> = {},
  options: Partial<MailboxServiceOptions> = {},
): Promise<MailboxService> {
  const small = { cacheBytes: 2 * MEBIBYTE, checkpointDepthBytes: MEBIBYTE, resilienceDepth: 1 }
  const mailbox = { root: join(world.root, 'SG1'), settings: { ...small, ...settings } }
  const common = { name: 'SG1', listen: ANY_PORT, manage: null, log: serviceLog('silent'), scanIntervalMs: 200 }
  return world.keep(await startMailboxService({ ...common, mailbox, ...options }))
}

/** So many messages of 100,000 bytes: some nine of them fill a log of 1 MiB. */
async function deliver(service: MailboxService, first: number, count: number): Promise<void> {
  for (let id = first; id < first + count; id++) {
    const results = await service.store.ask({ ask: 'transact', transactions: [transaction(insert(id, 100_000))] })
    expect(words(results)).toEqual(['committed'])
  }
}

const logs = () => world.logsIn(join(world.root, 'SG1', 'logs'))

describe('an active node', () => {
  it('ships what its store closes, and a copy replays it', async () => {
    const service = await start()
    const copy = await world.copy(service.url)
    await deliver(service, 0, 30)

    const closed = await service.store.ask({ ask: 'roll' })
    const status = await copy.whenStatus(({ LastLogReplayed }) => LastLogReplayed >= closed, patience())

    expect(status).toMatchObject({ SummaryCopyStatus: 'Healthy', Failed: false })
    expect((await logs()).length).toBeGreaterThanOrEqual(3)
  })

  it('serves the logs of a dismounted store, also after its next start, and truncates none', async () => {
    const first = await start({}, { copiesExpected: 0 })
    await deliver(first, 0, 30)
    const closed = await first.store.ask({ ask: 'roll' })
    await first.whenStatus(({ generated }) => generated >= closed, patience())
    await first.store.dismount()
    const before = await logs()
    await first.markBackup(closed)
    expect(first.explain().held).toMatchObject([{ reasons: [{ rule: 'checkpoint' }] }])
    await first.close()

    const second = await start({}, { copiesExpected: 0 })
    const copy = await world.copy(second.url)
    await second.whenStatus(({ generated }) => generated >= closed, patience())
    await copy.whenStatus(({ LastLogReplayed }) => LastLogReplayed >= closed, patience())

    expect(await second.store.status()).toMatchObject({ state: 'dismounted' })
    expect(await logs()).toEqual(before)
    await second.store.mount()
    await second.whenStatus(({ lowest }) => lowest > 1, patience())
    expect(isContent((await second.store.ask({ ask: 'read', name: { mailbox: 1, id: 7 } })) ?? null, 100_000, 7)).toBe(
      true,
    )
  })

  it('truncates below the checkpoint only, however much was backed up, and goes on as the checkpoint moves', async () => {
    const service = await start({ checkpointDepthBytes: 8 * MEBIBYTE }, { copiesExpected: 0 })
    await deliver(service, 0, 60)
    const closed = await service.store.ask({ ask: 'roll' })
    await service.whenStatus(({ generated }) => generated >= closed, patience())

    await service.markBackup(closed)
    const held = service.explain()
    await deliver(service, 60, 120)
    await service.whenStatus(({ lowest }) => lowest > closed, patience())

    expect(held.held.at(-1)?.reasons.map(({ rule }) => rule)).toEqual(['checkpoint'])
    const { lowestRequired } = await service.store.status()
    expect(lowestRequired).toBeGreaterThan(closed)
    expect((await logs())[0]).toBe(`E00${(closed + 1).toString(16).toUpperCase().padStart(8, '0')}.log`)
  })

  it('is found whole by the next start, after truncation too', async () => {
    const first = await start({}, { copiesExpected: 0 })
    await deliver(first, 0, 60)
    const closed = await first.store.ask({ ask: 'roll' })
    await first.whenStatus(({ generated }) => generated >= closed, patience())
    await first.markBackup(closed)
    await first.whenStatus(({ lowest }) => lowest > 1, patience())
    await first.close()

    const second = await start({}, { copiesExpected: 0 })

    for (const id of [0, 31, 59])
      expect(isContent(await second.store.ask({ ask: 'read', name: { mailbox: 1, id } }), 100_000, id)).toBe(true)
    expect(await second.store.status()).toMatchObject({ recovery: { outcome: 'clean' } })
    expect(await eventIds(second)).toEqual(expect.arrayContaining([325, 103, 326, 224]))
  })

  it('answers for its store in the management API, and is ready when both are', async () => {
    const service = await start({}, { manage: ANY_PORT })
    const body = JSON.stringify({
      transactions: [{ operations: [{ op: 'insert', mailbox: 1, id: 5, size: 10, seed: 5 }] }],
    })
    const headers = { 'content-type': 'application/json' }
    const store = `${service.managementUrl}/api/v1/stores/SG1`

    const posted = await fetch(`${store}/transactions`, { method: 'POST', headers, body })
    const message = await fetch(`${store}/mailboxes/1/messages/5`)

    expect(await posted.json()).toEqual({ results: [{ committed: true }] })
    expect(isContent(new Uint8Array(await message.arrayBuffer()), 10, 5)).toBe(true)
    expect(await (await fetch(store)).json()).toMatchObject({ state: 'running', storageGroup: 'SG1' })
    expect((await fetch(`${service.managementUrl}/readyz`)).status).toBe(200)
  })

  it('cannot be started twice over one folder', async () => {
    await start()

    await expect(start()).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  })
})

describe('circular logging', () => {
  it('uses logs again by itself, and refuses backups with the number of the engine', async () => {
    const service = await start({ circularLogging: true }, { copiesExpected: 0 })
    await deliver(service, 0, 120)
    const closed = await service.store.ask({ ask: 'roll' })
    await service.whenStatus(({ generated }) => generated >= closed, patience())

    const marked = service.markBackup(asGeneration(1))

    await expect(marked).rejects.toMatchObject({ code: 'STATE_REFUSED', message: expect.stringContaining('-526') })
    expect(service.explain().held[0]?.reasons.map(({ rule }) => rule)).toEqual(['circular'])
    expect((await logs()).length).toBeLessThan(closed - 3)
  })

  it('leaves a copy that was away without logs: it fails, and needs a seed', async () => {
    const service = await start({ circularLogging: true })
    const copy = await world.copy(service.url)
    await deliver(service, 0, 12)
    const closed = await service.store.ask({ ask: 'roll' })
    await copy.whenStatus(({ LastLogReplayed }) => LastLogReplayed >= closed, patience())
    await copy.close()
    await deliver(service, 12, 150)

    const again = await world.copy(service.url)
    const failed = await again.whenStatus(({ Failed }) => Failed, patience())

    expect(failed).toMatchObject({ SummaryCopyStatus: 'Failed', LastLogInspected: closed })
    expect(await eventIds(again)).toContain(2059)
    expect(await readdir(join(world.store(), 'database'))).toContain('priv1.edb')
  })
})
