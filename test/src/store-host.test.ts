// Goal: a mailbox store in its worker thread answers many clients, outlives faults of its disk and of its thread, and stops in order.
// Method: real threads over real directories, with a clock that only tests move.
import { mkdtemp, readFile, rm, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type EventLog, openEventLog } from '../../src/event-log.ts'
import { serviceLog } from '../../src/service-log.ts'
import { mailboxSettings, StoreHost } from '../../src/store-host.ts'
import type { StoreInstance } from '../../src/store-instance.ts'
import type { WorkerLine } from '../../src/supervised-worker.ts'
import { startStoreWorker } from '../../src/worker-tasks.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { lockStore } from '../../storage/store-lock.ts'
import type { StoreCommand } from '../../workers/store-messages.ts'
import { insert, isContent, transaction, words } from '../workers/mailbox-rig.ts'
import { StoreClock } from './store-clock.ts'

let root: string
let events: EventLog
let clock: StoreClock
let hosts: StoreHost[]
/** The threads that were started, the newest last. */
let lines: WorkerLine<StoreCommand>[]

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'store-host-'))
  clock = new StoreClock()
  events = await openEventLog({ directory: root, clock, log: serviceLog('silent') })
  hosts = []
  lines = []
})
afterEach(async () => {
  for (const host of hosts) await host.close()
  await events.close()
  await rm(root, { recursive: true })
})

async function start(
  host = new StoreHost({ events, log: serviceLog('silent'), clock, startWorker }),
): Promise<StoreInstance> {
  hosts.push(host)
  return host.add({ name: 'SG1', root: join(root, 'SG1') })
}

const startWorker: typeof startStoreWorker = async (onReport) => {
  const line = await startStoreWorker(onReport)
  lines.push(line)
  return line
}

async function ids(): Promise<number[]> {
  return (await events.page({ after: 0, limit: 100, storageGroup: 'SG1' })).map(({ id }) => id)
}

const transact = (store: StoreInstance, id: number) =>
  store.ask({ ask: 'transact', transactions: [transaction(insert(id, 5_000))] })
const read = (store: StoreInstance, id: number) => store.ask({ ask: 'read', name: { mailbox: 1, id } })

it('a store keeps messages of many clients at a time, over a stop in order', async () => {
  const store = await start()
  const all = Array.from({ length: 200 }, (_, id) => id)
  const results = await Promise.all(all.map((id) => transact(store, id)))
  const status = await store.status()
  await store.close()
  await expect(transact(store, 999)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })

  const again = await start()

  expect(results.flatMap(words)).toEqual(all.map(() => 'committed'))
  expect(status).toMatchObject({ state: 'running', recovery: { outcome: 'created' }, transactions: { committed: 200 } })
  expect(await again.status()).toMatchObject({ recovery: { outcome: 'clean', logsRedone: 0 } })
  for (const id of [0, 77, 199]) expect(isContent(await read(again, id), 5_000, id)).toBe(true)
  expect(await again.ask({ ask: 'list', query: { mailbox: 1, after: 197, limit: 9 } })).toMatchObject({ more: false })
  expect(await ids()).toEqual([102, 325, 327, 103, 102, 326])
})

it('a thread that dies loses nothing that it has answered, and another one recovers the store', async () => {
  const store = await start()
  for (let id = 0; id < 20; id++) await transact(store, id)
  const opened = clock.waitFor(() => store.state === 'running' && lines.length === 2)

  const asked = transact(store, 99).catch((error: unknown) => error)
  // A command that nobody knows is a fault of the program, and ends the thread where it stands.
  lines[0]?.post({ kind: 'no such command' } as unknown as StoreCommand)
  await opened

  expect(await asked).toSatisfy((answer) => Array.isArray(answer) || Reflect.get(Object(answer), 'code') !== undefined)
  for (let id = 0; id < 20; id++) expect(isContent(await read(store, id), 5_000, id)).toBe(true)
  expect(await store.status()).toMatchObject({ state: 'running', recovery: { outcome: 'recovered' } })
})

it('a store whose open log is taken away fails, tells why, and is started again by itself', async () => {
  const store = await start()
  await transact(store, 1)
  const path = join(root, 'SG1', 'logs', 'E00.log')
  const bytes = await readFile(path)

  await unlink(path)
  await clock.waitFor(() => store.state === 'failed')
  const failed = await store.status()
  await expect(transact(store, 2)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await writeFile(path, bytes)
  clock.wakeAll()
  await clock.waitFor(() => store.state === 'running')

  expect(failed).toMatchObject({ state: 'failed', failure: expect.stringContaining('E00.log'), openGeneration: null })
  expect(await ids()).toEqual([102, 325, 104, 102, 302, 326])
  expect(isContent(await read(store, 1), 5_000, 1)).toBe(true)
  expect((await store.status()).recovery).toMatchObject({ outcome: 'recovered' })
})

it('a store cannot be run twice, nor where another storage group is', async () => {
  const store = await start()

  const other = new StoreHost({ events, log: serviceLog('silent'), clock })
  hosts.push(other)

  await expect(other.add({ name: 'SG2', root: join(root, 'SG1') })).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  await expect(hosts[0]?.add({ name: 'SG1', root: join(root, 'x') })).rejects.toMatchObject({ code: 'STATE_REFUSED' })
  await expect(other.add({ name: '../x', root })).rejects.toMatchObject({ code: 'NAME_INVALID' })
  expect(other.stores).toEqual([])
  expect(words(await transact(store, 1))).toEqual(['committed'])
})

it('a store that cannot be recovered is not started, and says why', async () => {
  const store = await start()
  await transact(store, 1)
  await hosts[0]?.close()
  await writeFile(join(root, 'SG1', 'database', 'priv1.edb'), new Uint8Array(32_768))

  await expect(start()).rejects.toMatchObject({ code: 'DATABASE_REJECTED' })
})

const MAINTENANCE = {
  'maintenance.checksum': 'on',
  'maintenance.zero': 'on',
  'maintenance.throttle': 5,
  'maintenance.window': '22:00-04:30',
} as const

it('the settings of maintenance are refused where pages are to be zeroed and not verified', () => {
  const settings = {
    'store.cacheBytes': 1,
    'store.checkpointDepth': 2,
    'store.circularLogging': 'on',
    'store.resilience': 'standalone',
    ...MAINTENANCE,
  } as const

  expect(mailboxSettings(settings).maintenance).toEqual({
    rules: { checksum: true, zero: true, throttleMs: 5 },
    window: { fromMinute: 22 * 60, toMinute: 4 * 60 + 30 },
  })
  expect(() => mailboxSettings({ ...settings, 'maintenance.checksum': 'off' })).toThrow('maintenance.checksum is off')
})

it('a window of maintenance that somebody opens is told of by events and by the status', async () => {
  const host = new StoreHost({ events, log: serviceLog('silent'), clock, startWorker })
  hosts.push(host)
  const rules = { checksum: true, zero: true, throttleMs: 0 }
  const settings = { maintenance: { rules, window: null } }
  const store = await host.add({ name: 'SG1', root: join(root, 'SG1'), settings })
  await transact(store, 1)

  expect(await store.ask({ ask: 'maintain', durationMs: 60_000 })).toMatchObject({ state: 'working', nextPage: 1 })
  while ((await store.status()).maintenance?.state === 'working');

  expect((await store.status()).maintenance).toMatchObject({ state: 'waiting', nextPage: null, pages: { bad: 0 } })
  expect((await ids()).slice(-2)).toEqual([718, 722])
})

it('what a backup leaves behind is told to who watches, over a start of the store', async () => {
  const store = await start()
  const told: number[] = []
  store.watchBackups((slots) => told.push(slots.previousFull.lastGeneration))
  await store.ask({ ask: 'begin-backup', scope: 'full', method: 'vss' })
  const { closed } = await store.ask({ ask: 'freeze', boundMs: 60_000 })
  await expect(store.ask({ ask: 'freeze', boundMs: 1 })).rejects.toMatchObject({ code: 'STATE_REFUSED' })
  expect(await store.ask({ ask: 'thaw' })).toMatchObject({ timedOut: false })
  const backup = { scope: 'full', kind: 'os-snapshot', first: closed, last: closed } as const
  await store.ask({ ask: 'end-backup', outcome: 'completed', backup, roll: false })
  await store.close()

  const again = await start()
  again.watchBackups((slots) => told.push(slots.previousFull.lastGeneration))

  expect(told).toEqual([0, closed, closed])
  expect((await again.status()).backups).toMatchObject({
    full: { first: closed, last: closed, kind: 'os-snapshot' },
    incremental: null,
  })
})

it('a frozen store refuses what is too much to wait, and thaws all the same', async () => {
  const store = await start()
  await store.ask({ ask: 'freeze', boundMs: 60_000 })
  const asked = Promise.allSettled(Array.from({ length: 1030 }, (_, id) => transact(store, id)))

  expect(await store.ask({ ask: 'thaw' })).toMatchObject({ timedOut: false })

  const refused = (await asked).filter((answer) => answer.status === 'rejected')
  expect(refused).toHaveLength(1030 - 1024)
  for (const { reason } of refused) expect(reason).toMatchObject({ code: 'STORE_BUSY' })
})

it('a store that is dismounted stays so over a start of the service, until it is mounted', async () => {
  const store = await start()
  await transact(store, 1)
  const asked = transact(store, 2).catch((error: unknown) => error)
  await Promise.all([store.dismount(), store.dismount()])
  expect(await asked).toSatisfy((answer) => Array.isArray(answer) || Reflect.get(Object(answer), 'code') !== undefined)
  await expect(read(store, 1)).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    hint: expect.stringContaining('ccr mount SG1'),
  })
  clock.wakeAll()
  await hosts[0]?.close()

  const again = await start()
  const dismounted = await again.status()
  expect(hosts[1]?.isReady).toBe(true)
  await again.mount()
  await again.mount()

  expect(dismounted).toMatchObject({ state: 'dismounted', openGeneration: null, backups: null, failure: '' })
  expect(isContent(await read(again, 1), 5_000, 1)).toBe(true)
  expect(await again.status()).toMatchObject({ state: 'running', recovery: { outcome: 'clean' } })
  expect(await ids()).toEqual([102, 325, 327, 103, 102, 326])
  await hosts[1]?.close()
  expect((await start()).state).toBe('running')
})

it('a folder of a dismounted store is free for others, and one that they have is not mounted', async () => {
  const store = await start()
  await store.dismount()
  const path = join(root, 'SG1', 'database', 'priv1.edb')
  const bytes = await readFile(path)

  const lock = await lockStore({
    root: join(root, 'SG1'),
    files: nodeFileOperations({ shortCalls: 'pooled' }),
    onLost: () => undefined,
  })
  await expect(store.mount()).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  await lock.release()
  await writeFile(path, new Uint8Array(32_768))
  await expect(store.mount()).rejects.toMatchObject({ code: 'DATABASE_REJECTED' })
  expect(await store.status()).toMatchObject({ state: 'dismounted', failure: expect.stringContaining('-1206') })
  await writeFile(path, bytes)
  await store.mount()

  expect(words(await transact(store, 1))).toEqual(['committed'])
})

it('a dismount is refused with the number of the engine while a backup needs the store', async () => {
  const store = await start()
  let isBackedUp = true
  store.guardDismount(() => (isBackedUp ? { error: -617, why: 'a backup of the copy runs' } : null))

  await expect(store.dismount()).rejects.toMatchObject({ code: 'STATE_REFUSED', fields: { eseError: -617 } })
  expect(words(await transact(store, 1))).toEqual(['committed'])
  isBackedUp = false
  await store.dismount()

  expect(store.state).toBe('dismounted')
})

it('a store that has failed can be dismounted, and is then started by nothing', async () => {
  const store = await start()
  await unlink(join(root, 'SG1', 'logs', 'E00.log'))
  await clock.waitFor(() => store.state === 'failed')

  await store.dismount()
  clock.wakeAll()

  expect(store.state).toBe('dismounted')
  expect((await ids()).filter((id) => id === 102)).toHaveLength(1)
})

it('a window is not opened where maintenance is off', async () => {
  const store = await start()

  await expect(store.ask({ ask: 'maintain', durationMs: 1 })).rejects.toMatchObject({ code: 'STATE_REFUSED' })
})

it('the settings of lost log resilience mean the depths that Exchange 2007 has', () => {
  const words = ['standalone', 'ccr-sp1', 'ccr-rtm-lossless', 'ccr-rtm-good', 'ccr-rtm-best'] as const
  const depths = words.map((word) => {
    const settings = { 'store.cacheBytes': 1, 'store.checkpointDepth': 2, 'store.circularLogging': 'on' } as const
    return mailboxSettings({ ...settings, ...MAINTENANCE, 'store.resilience': word })
  })

  expect(depths.map(({ resilienceDepth }) => resilienceDepth)).toEqual([1, 10, 1, 4, 7])
  expect(depths[0]).toMatchObject({ cacheBytes: 1, checkpointDepthBytes: 2, circularLogging: true })
})
