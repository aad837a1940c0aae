// Goal: a backup finds a running store as it needs it: its log closed, its files still as long as it says, and its header that remembers.
// Method: the store over real files; what lies there is compared byte by byte while clients go on, and copies of it are started.
import { createHash } from 'node:crypto'
import { cp, mkdir, open, readdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NO_BACKUPS } from '../../engine/database/backup-slot.ts'
import { trailerOf, trailerPage } from '../../engine/database/backup-trailer.ts'
import { readDatabaseHeader } from '../../engine/database/database-header-copies.ts'
import { type LogBytes, openLogBytes } from '../../engine/database/log-bytes.ts'
import { checkContinuation } from '../../engine/database/log-chain.ts'
import { verifyLog } from '../../engine/database/log-file.ts'
import { PAGE_BYTES } from '../../engine/database/page.ts'
import { readPage } from '../../engine/database/page-reading.ts'
import { startPageTally, tallyPages } from '../../engine/database/page-tally.ts'
import { asGeneration } from '../../engine/generation.ts'
import type { LogIdentity } from '../../engine/log-identity.ts'
import type { MailboxHost } from '../../workers/mailbox-host.ts'
import { insert, isContent, MailboxWorld, remove, transaction } from './mailbox-rig.ts'

const MINUTE_MS = 60_000

let world: MailboxWorld
beforeEach(async () => {
  world = await MailboxWorld.make()
})
afterEach(() => world.end())

const fill = (store: MailboxHost, ids: readonly number[]) =>
  store.transact(ids.map((id) => transaction(insert(id, 3_000))))
const from = (first: number, count: number): number[] => Array.from({ length: count }, (_, index) => first + index)
const header = async () => headerIn(await readFile(join(world.root, 'database', 'priv1.edb')))
const headerIn = (file: Uint8Array) => {
  const read = readDatabaseHeader(file.subarray(0, 2 * PAGE_BYTES))
  if (read.verdict !== 'read') throw new Error('the header is whole')
  return read.header
}
const full = { scope: 'full', kind: 'os-snapshot', first: asGeneration(1), last: asGeneration(2) } as const

describe('a backup of a running store', () => {
  it('closes the log where it ends to read pages, and is remembered durably by log and header', async () => {
    const store = await world.start()
    await fill(store, from(0, 40))
    const begun = await store.backups.begin({ scope: 'full', method: 'streaming' })
    expect((await header()).backups.currentFull).toMatchObject({ firstGeneration: begun.required, lastGeneration: 0 })
    const open = (await store.status()).openGeneration

    const prepared = await store.backups.prepare()
    const backup = { ...full, kind: 'streaming', first: begun.required, last: prepared.closed } as const
    const { slots, mark } = await store.backups.end({ outcome: 'completed', backup, roll: false })

    expect(prepared).toMatchObject({ closed: open, checkpoint: (await store.status()).lowestRequired })
    expect(slots.previousFull).toMatchObject({ kind: 'streaming', mark, lastGeneration: prepared.closed })
    expect((await header()).backups).toEqual(slots)
    expect(world.backups).toEqual([NO_BACKUPS, slots])
    expect((await store.status()).backups).toEqual(slots)
    await store.close()
    expect((await world.start()).backups.slots).toEqual(slots)
  })

  it('is remembered after a crash by its record, and forgets what was under way', async () => {
    const store = await world.start()
    await store.backups.begin({ scope: 'full', method: 'vss' })
    await store.backups.end({ outcome: 'completed', backup: full, roll: true })
    await store.backups.begin({ scope: 'copy', method: 'vss' })
    store.fail(new Error('the process dies') as never)
    await store.close()

    const again = await world.start()

    expect(again.backups.slots.previousFull).toMatchObject({ lastGeneration: 2, kind: 'os-snapshot' })
    expect(again.backups.slots.currentSnapshot).toEqual(NO_BACKUPS.currentSnapshot)
    await expect(again.backups.prepare()).rejects.toMatchObject({ code: 'STATE_REFUSED' })
    await expect(again.backups.end({ outcome: 'completed', backup: full, roll: false })).rejects.toMatchObject({
      code: 'STATE_REFUSED',
    })
    expect((await again.backups.end({ outcome: 'aborted', backup: null, roll: false })).mark).toBeNull()
  })

  it('of the copy closes the log at its end, so that the copy learns of it', async () => {
    const store = await world.start()
    await store.backups.begin({ scope: 'incremental', method: 'surrogate' })
    const before = (await store.status()).openGeneration

    const backup = { ...full, scope: 'incremental', kind: 'surrogate' } as const
    const { slots } = await store.backups.end({ outcome: 'completed', backup, roll: true })

    expect((await store.status()).openGeneration).toBe(before + 1)
    expect(slots.previousIncremental.kind).toBe('os-snapshot')
  })

  it('changes nothing when it is aborted, and one at a time is taken', async () => {
    const store = await world.start()
    const both = await Promise.allSettled([
      store.backups.begin({ scope: 'full', method: 'vss' }),
      store.backups.begin({ scope: 'copy', method: 'streaming' }),
    ])

    const { slots } = await store.backups.end({ outcome: 'aborted', backup: null, roll: false })

    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(slots).toEqual(NO_BACKUPS)
    expect((await header()).backups).toEqual(NO_BACKUPS)
  })

  it('keeps the logs that it needs from circular logging', async () => {
    const store = await world.start({ settings: { circularLogging: true } })
    await fill(store, from(0, 400))
    const { required } = await store.backups.begin({ scope: 'full', method: 'streaming' })
    await fill(store, from(400, 800))
    const held = await logs()
    await store.backups.end({ outcome: 'aborted', backup: null, roll: false })
    await fill(store, from(1200, 400))

    expect((await store.status()).lowestRequired).toBeGreaterThan(required + 4)
    expect(held).toContain(required)
    expect(await logs()).not.toContain(required)
  })
})

async function logs(): Promise<number[]> {
  const names = await readdir(join(world.root, 'logs'))
  return names.flatMap((name) => {
    const digits = /^E00([0-9A-F]{8})\.log$/.exec(name)?.[1]
    return digits === undefined ? [] : [Number.parseInt(digits, 16)]
  })
}

describe('a frozen store', () => {
  it('changes no byte of database, checkpoint and closed logs, and commits nothing, until it thaws', async () => {
    const store = await world.start()
    await fill(store, from(0, 100))
    const under = fill(store, from(100, 200))
    const frozen = await store.backups.freezing.begin(MINUTE_MS)
    const before = await snapshotDigest(frozen.closed)

    let isAnswered = false
    const waiting = fill(store, from(1000, 50)).then(() => {
      isAnswered = true
    })
    for (let turn = 0; turn < 200; turn++) {
      if (turn % 50 === 0) world.tick()
      await new Promise((resolve) => setImmediate(resolve))
    }
    const status = await store.status()
    const during = await snapshotDigest(frozen.closed)

    expect(during).toEqual(before)
    expect(isAnswered).toBe(false)
    expect(status.openGeneration).toBe(frozen.closed + 1)
    expect(frozen.required.high).toBeLessThanOrEqual(frozen.closed)
    expect(store.backups.freezing.thaw()).toMatchObject({ timedOut: false })
    await Promise.all([waiting, under])
    expect(isContent(await store.read({ mailbox: 1, id: 1049 }), 3_000, 1049)).toBe(true)
  })

  it('is copied as a database that recovers with its logs to what was acknowledged', async () => {
    const store = await world.start()
    await fill(store, from(0, 100))
    await store.backups.begin({ scope: 'full', method: 'vss' })
    const acknowledged: number[] = []
    const load = from(100, 30).map(async (id) => {
      await fill(store, [id])
      acknowledged.push(id)
    })
    await load[3]
    const frozen = await store.backups.freezing.begin(MINUTE_MS)
    const known = [...acknowledged]
    const copy = await MailboxWorld.make()
    await cp(world.root, copy.root, { recursive: true })
    store.backups.freezing.thaw()
    await Promise.all(load)
    for (const name of ['E00.log', 'priv1.edb.saved'])
      await unlink(join(copy.root, name === 'E00.log' ? 'logs' : 'database', name)).catch(() => undefined)

    const restored = await copy.start()

    expect((await restored.status()).openGeneration).toBeGreaterThan(frozen.closed)
    for (const id of [...from(0, 100), ...known])
      expect([id, isContent(await restored.read({ mailbox: 1, id }), 3_000, id)]).toEqual([id, true])
    await copy.end()
  })

  it('thaws by itself when its time has passed, and says so', async () => {
    const store = await world.start()
    await store.backups.freezing.begin(5)
    const waiting = fill(store, [1])
    await expect(store.backups.freezing.begin(5)).rejects.toMatchObject({ code: 'STATE_REFUSED' })

    world.tick()
    await waiting

    expect(world.timedOut).toHaveLength(1)
    expect(store.backups.freezing.thaw()).toMatchObject({ timedOut: true })
    expect(() => store.backups.freezing.thaw()).toThrow('it is not frozen')
    await store.backups.freezing.begin(5)
  })

  it('refuses what does not fit to wait, and stops in order', async () => {
    const store = await world.start()
    await store.backups.freezing.begin(MINUTE_MS)
    const asked = Array.from({ length: 1030 }, (_, id) => fill(store, [id]))
    const settled = Promise.allSettled(asked)

    await store.close()

    const answers = await settled
    expect(answers.filter(({ status }) => status === 'rejected')).toHaveLength(1030 - 1024)
    expect((await world.start()).opening.outcome).toBe('clean')
  })
})

describe('a folder that a backup was put into', () => {
  it('of a snapshot needs no open log, and goes on in the same stream', async () => {
    const store = await world.start()
    await fill(store, from(0, 120))
    await store.backups.begin({ scope: 'full', method: 'vss' })
    const { closed, required } = await store.backups.freezing.begin(MINUTE_MS)
    const copy = await MailboxWorld.make()
    await put(copy, await readFile(databaseOf(world)), await logsOf(world, required.low, closed))
    store.backups.freezing.thaw()

    const restored = await copy.start()
    await fill(restored, [999])
    expect(await restored.roll()).toBe(closed + 1)

    const [before, after] = [...(await logsOf(copy, closed, closed + 1)).values()].map(identityOf)
    expect(before !== undefined && after !== undefined && checkContinuation(before, after)).toBeNull()
    for (const id of from(0, 120)) expect(isContent(await restored.read({ mailbox: 1, id }), 3_000, id)).toBe(true)
    expect(restored.backups.slots.currentSnapshot).toEqual(NO_BACKUPS.currentSnapshot)
    await copy.end()
  })

  it('of a running store, page by page under load, has all that was acknowledged when the last page was read', async () => {
    const store = await world.start()
    await fill(store, from(0, 200))
    let isCopied = false
    const acknowledged: number[] = []
    const client = async (first: number): Promise<void> => {
      for (let id = first; !isCopied; id += 4) {
        await store.transact([transaction(insert(id, 2_000), remove(id - 200))])
        acknowledged.push(id)
      }
    }
    const { required } = await store.backups.begin({ scope: 'full', method: 'streaming' })
    const clients = [200, 201, 202, 203].map(client)
    const more = async (): Promise<void> => {
      for (const wanted = acknowledged.length + 8; acknowledged.length < wanted; ) await store.status()
    }
    const database = await copyUnderLoad(more)
    const known = [...acknowledged]
    const { closed } = await store.backups.prepare()
    isCopied = true
    await Promise.all(clients)
    const copy = await MailboxWorld.make()
    const trailer = trailerPage(trailerOf(headerIn(database), closed), PAGE_BYTES)
    await put(copy, Buffer.concat([database, trailer]), await logsOf(world, required, closed))

    const restored = await copy.start()

    expect(known.length).toBeGreaterThan(40)
    for (const id of known)
      expect([id, isContent(await restored.read({ mailbox: 1, id }), 2_000, id)]).toEqual([id, true])
    for (const id of known) expect(await restored.read({ mailbox: 1, id: id - 200 })).toBeNull()
    await restored.close()
    const pages = await pagesIn(copy)
    const tally = startPageTally(PAGE_BYTES, pages.bytes.length + 2 * PAGE_BYTES)
    expect(tallyPages(tally, pages)).toMatchObject({ trailer: null, findings: [] })
    await copy.end()
  })
})

const databaseOf = ({ root }: MailboxWorld): string => join(root, 'database', 'priv1.edb')
const nameOf = (generation: number): string => `E00${generation.toString(16).toUpperCase().padStart(8, '0')}.log`

async function logsOf({ root }: MailboxWorld, first: number, last: number): Promise<Map<string, Uint8Array>> {
  const logs = new Map<string, Uint8Array>()
  for (const generation of from(first, last - first + 1))
    logs.set(nameOf(generation), await readFile(join(root, 'logs', nameOf(generation))))
  return logs
}

async function put({ root }: MailboxWorld, database: Uint8Array, logs: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for (const name of ['logs', 'database']) await mkdir(join(root, name))
  await writeFile(join(root, 'database', 'priv1.edb'), database)
  for (const [name, bytes] of logs) await writeFile(join(root, 'logs', name), bytes)
}

function identityOf(bytes: Uint8Array): LogIdentity {
  const verdict = verifyLog(bytes)
  if (verdict.verdict !== 'sound') throw new Error('the log is sound')
  return verdict.identity
}

async function pagesIn(copy: MailboxWorld): Promise<LogBytes> {
  return openLogBytes(new Uint8Array(await readFile(databaseOf(copy))).subarray(2 * PAGE_BYTES))
}

/** The header first, then pages from the last to the first and those that came meanwhile, each again until it is whole; more comes between. */
async function copyUnderLoad(more: () => Promise<void>): Promise<Uint8Array> {
  const file = await open(databaseOf(world), 'r')
  const read = async (position: number, length: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(length)
    await file.read(bytes, 0, length, position)
    return bytes
  }
  const pages = new Map<number, Uint8Array>()
  let header = await read(0, 2 * PAGE_BYTES)
  while (readDatabaseHeader(header).verdict !== 'read') header = await read(0, 2 * PAGE_BYTES)
  const count = async (): Promise<number> => Math.floor((await file.stat()).size / PAGE_BYTES) - 2
  for (let last = 0, rounds = 0; rounds < 3 && last < (await count()); rounds++) {
    const [first, next] = [last + 1, await count()]
    for (let number = next; number >= first; ) {
      const bytes = await read((number + 1) * PAGE_BYTES, PAGE_BYTES)
      if (readPage(number, bytes).reading === 'bad' && bytes.some((byte) => byte !== 0)) continue
      pages.set(number--, bytes)
      if (number % 8 === 0) await more()
    }
    last = next
  }
  await file.close()
  return Buffer.concat([header, ...[...pages].sort(([a], [b]) => a - b).map(([, bytes]) => bytes)])
}

/** The files that a snapshot is made of. */
async function snapshotDigest(closed: number): Promise<Record<string, string>> {
  const last = `E00${closed.toString(16).toUpperCase().padStart(8, '0')}.log`
  const names = (await readdir(join(world.root, 'logs'))).filter((name) => /^E00[0-9A-F]{8}\.log$|chk$/.test(name))
  expect(names).toContain(last)
  const paths = [...names.map((name) => join('logs', name)), join('database', 'priv1.edb')]
  const digests = paths.map(async (path) => [path, await sha256(join(world.root, path))])
  return Object.fromEntries(await Promise.all(digests))
}

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}
