// Goal: maintenance of a mailbox store over real files mends what its disk did, and takes what was deleted out of the file.
// Method: bits of the database are turned, and deleted messages looked for in it, while the store is down; the clock is the test's.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { PAGE_BYTES } from '../../engine/database/page.ts'
import { readPage } from '../../engine/database/page-reading.ts'
import type { MailboxHost } from '../../workers/mailbox-host.ts'
import { insert, isContent, MailboxWorld, remove, transaction } from './mailbox-rig.ts'

const MINUTE_MS = 60_000
const BIT = 8 * 5000 + 1

let world: MailboxWorld
beforeEach(async () => {
  world = await MailboxWorld.make()
})
afterEach(() => world.end())

const start = (window: 'always' | 'never', zero = false): Promise<MailboxHost> => {
  const rules = { checksum: true, zero, throttleMs: 0 }
  const minutes = window === 'always' ? { fromMinute: 0, toMinute: 1440 } : null
  return world.start({ settings: { maintenance: { rules, window: minutes } } })
}

async function worked(store: MailboxHost): Promise<void> {
  while ((await store.status()).maintenance.state === 'working') await new Promise((resolve) => setImmediate(resolve))
}

const database = (): Promise<Buffer> => readFile(join(world.root, 'database', 'priv1.edb'))

async function turnBits(page: number, bits: readonly number[]): Promise<void> {
  const bytes = await database()
  for (const bit of bits) {
    const at = (page + 1) * PAGE_BYTES + (bit >>> 3)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7))
  }
  await writeFile(join(world.root, 'database', 'priv1.edb'), bytes)
}

/** Thirty messages of a page each, behind which the pages of the batch that is written last lie elsewhere. */
async function aDatabase(): Promise<void> {
  const store = await start('never')
  for (let id = 0; id < 30; id++) await store.transact([transaction(insert(id, 7000))])
  await store.close()
  const again = await start('never')
  await again.transact([transaction(insert(100))])
  await again.close()
}

it('turns a bit back that the disk has turned, in the window, and tells of it', async () => {
  await aDatabase()
  const sound = await database()
  const page = 12
  await turnBits(page, [BIT])
  const store = await start('always')
  world.tick()
  await worked(store)
  await store.close()

  expect(world.events.map(([id]) => id)).toEqual([717, 399, 721])
  expect(world.events[1]).toEqual([399, page, (page + 1) * PAGE_BYTES, String(BIT)])
  const mended = (await database()).subarray((page + 1) * PAGE_BYTES, (page + 2) * PAGE_BYTES)
  expect(mended.equals(sound.subarray((page + 1) * PAGE_BYTES, (page + 2) * PAGE_BYTES))).toBe(true)
})

it('tells of a page that is bad, and the store goes on with all others', async () => {
  await aDatabase()
  await turnBits(12, [BIT, BIT + 1, BIT + 77])
  const store = await start('never')
  store.maintain(MINUTE_MS)
  await worked(store)

  expect(world.events.map(([id]) => id)).toEqual([717, 727, 721])
  expect((await store.status()).maintenance.pages).toMatchObject({ bad: 1, corrected: 0 })
  const reads = await Promise.allSettled(Array.from({ length: 30 }, (_, id) => store.read({ mailbox: 1, id })))
  const lost = reads.filter(({ status }) => status === 'rejected')
  expect(lost.length).toBeGreaterThan(0)
  expect(lost.length).toBeLessThan(4)
  for (const [id, read] of reads.entries())
    if (read.status === 'fulfilled') expect(isContent(read.value, 7000, id)).toBe(true)
})

it('takes deleted messages out of the file, while others are written', async () => {
  const store = await start('never', true)
  const secret = Buffer.from('a secret that somebody has deleted')
  const content = { bytes: new Uint8Array(Buffer.concat(Array.from({ length: 60 }, () => secret))) }
  await store.transact([transaction({ op: 'insert', mailbox: 1, id: 1, content }, insert(2))])
  await store.transact([transaction(remove(1))])
  await store.close()
  expect((await database()).includes(secret)).toBe(true)

  const again = await start('never', true)
  again.maintain(MINUTE_MS)
  await Promise.all([worked(again), again.transact([transaction(insert(3), insert(4))])])
  await again.close()

  expect((await database()).includes(secret)).toBe(false)
  expect(world.events.at(-1)?.[0]).toBe(722)
  const bytes = await database()
  for (let page = 1; (page + 2) * PAGE_BYTES <= bytes.length; page++)
    expect(
      readPage(page, new Uint8Array(bytes.subarray((page + 1) * PAGE_BYTES, (page + 2) * PAGE_BYTES))).reading,
    ).toBe('sound')
})

it('stops with the store, whatever is being read', async () => {
  await aDatabase()
  const store = await start('never')
  store.maintain(MINUTE_MS)
  await store.close()

  expect(world.events.map(([id]) => id)).toEqual([717, 725])
  expect((await start('never')).opening.outcome).toBe('clean')
})
