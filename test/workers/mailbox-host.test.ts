// Goal: a running mailbox store answers many clients, each when its messages are durable, and is found whole by the next start.
// Method: the store over real files without a thread of its own; a small memory, so that pages are written, dropped and read again.
import { copyFile, open, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readDatabaseHeader } from '../../engine/database/database-header-copies.ts'
import { PAGE_BYTES } from '../../engine/database/page.ts'
import { ReplicationError } from '../../engine/error.ts'
import { fileError } from '../../storage/file-error.ts'
import type { FileOperations } from '../../storage/file-operations.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { digestOf } from '../src/service-world.ts'
import { insert, isContent, MailboxWorld, remove, replace, transaction, words } from './mailbox-rig.ts'

let world: MailboxWorld
beforeEach(async () => {
  world = await MailboxWorld.make()
})
afterEach(() => world.end())

describe('a mailbox store', () => {
  it('keeps what it said committed, and is clean after a stop in order', async () => {
    const first = await world.start()
    expect(first.opening.outcome).toBe('created')
    const results = await first.transact([transaction(insert(1, 20_000), insert(2)), transaction(insert(3))])
    await first.transact([transaction(replace(3, 9_000, 77), remove(2))])
    await first.close()

    const second = await world.start()

    expect(words(results)).toEqual(['committed', 'committed'])
    expect(second.opening).toMatchObject({ outcome: 'clean', redone: null, undone: 0 })
    expect(isContent(await second.read({ mailbox: 1, id: 1 }), 20_000, 1)).toBe(true)
    expect(isContent(await second.read({ mailbox: 1, id: 3 }), 9_000, 77)).toBe(true)
    expect(await second.read({ mailbox: 1, id: 2 })).toBeNull()
    expect(await second.list({ mailbox: 1, after: -1, limit: 1 })).toEqual({
      messages: [{ id: 1, bytes: 20_000 }],
      more: true,
    })
    expect(await second.list({ mailbox: 1, after: 1, limit: 5 })).toEqual({
      messages: [{ id: 3, bytes: 9_000 }],
      more: false,
    })
  })

  it('refuses a transaction with the reason, does nothing of it, and goes on with the next one', async () => {
    const store = await world.start()
    await store.transact([transaction(insert(1))])

    const results = await store.transact([
      transaction(insert(5), insert(1)),
      transaction(insert(6), remove(9)),
      transaction(insert(7), replace(1, 2 ** 20 + 1, 0)),
      transaction(insert(8)),
    ])

    expect(words(results)).toEqual(['MESSAGE_EXISTS', 'MESSAGE_MISSING', 'MESSAGE_TOO_LONG', 'committed'])
    const { messages } = await store.list({ mailbox: 1, after: -1, limit: 10 })
    expect(messages.map(({ id }) => id)).toEqual([1, 8])
    expect(await store.status()).toMatchObject({ committed: 2, refused: 3, databaseState: 'Dirty Shutdown' })
  })

  it('serves 16 clients at a time, and one of two that want the same message is refused', async () => {
    const store = await world.start()
    const client = async (number: number): Promise<void> => {
      for (let round = 0; round < 20; round++) {
        const id = number * 1000 + round
        expect(words(await store.transact([transaction(insert(id, 3_000, number))]))).toEqual(['committed'])
        expect(isContent(await store.read({ mailbox: number, id }), 3_000, id)).toBe(true)
        if (round % 3 === 2) await store.transact([transaction(remove(id - 1, number))])
      }
    }

    await Promise.all(Array.from({ length: 16 }, (_, number) => client(number)))
    const both = await Promise.all([
      store.transact([transaction(insert(99_999, 50_000))]),
      store.transact([transaction(insert(99_999, 50_000))]),
    ])

    const conflict = expect.stringMatching(/^(WRITE_CONFLICT|MESSAGE_EXISTS)$/)
    expect(both.flatMap(words).sort((a) => (a === 'committed' ? -1 : 1))).toEqual(['committed', conflict])
    const lists = await Promise.all(
      Array.from({ length: 16 }, (_, number) => store.list({ mailbox: number, after: -1, limit: 100 })),
    )
    // The message that both wanted is in mailbox 1.
    expect(lists.map(({ messages }) => messages.length)).toEqual(
      Array.from({ length: 16 }, (_, n) => (n === 1 ? 15 : 14)),
    )
    expect((await store.status()).databasePages).toBeGreaterThan(64)
  })

  it('takes deleted messages out before it stops, and uses their pages again', async () => {
    const store = await world.start()
    const ids = Array.from({ length: 40 }, (_, id) => id)
    await store.transact(ids.map((id) => transaction(insert(id, 30_000))))
    await store.transact(ids.map((id) => transaction(remove(id))))
    const before = (await store.status()).databasePages
    await store.close()

    const again = await world.start()
    await again.transact(ids.map((id) => transaction(insert(id, 20_000))))

    expect((await again.status()).databasePages).toBeLessThanOrEqual(before)
  })

  it('closes its log when it is told to, and tells which logs it needs no more', async () => {
    const store = await world.start()
    const before = await store.status()

    await store.transact([transaction(insert(1))])
    const closed = await store.roll()
    for (let id = 2; id < 60; id++) await store.transact([transaction(insert(id, 30_000))])

    const after = await store.status()
    const told = world.required.at(-1)
    expect(closed).toBe(before.openGeneration)
    expect(await readdir(join(world.root, 'logs'))).toContain('E0000000001.log')
    expect(after.openGeneration).toBeGreaterThan(closed + 8)
    expect(after.lowestRequired).toBeGreaterThan(closed)
    expect(told).toBe(after.lowestRequired)
    expect([...world.required].sort((a, b) => a - b)).toEqual(world.required)
  })

  it('refuses what comes when it stops, and ends what it has begun', async () => {
    const store = await world.start()

    const begun = store.transact(Array.from({ length: 50 }, (_, id) => transaction(insert(id, 2_000))))
    const closed = store.close()
    const late = store.transact([transaction(insert(999))])

    await expect(late).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retriable: true })
    const results = words(await begun)
    await closed
    const committed = results.filter((word) => word === 'committed').length
    expect(results).toEqual(results.map((_, at) => (at < committed ? 'committed' : 'STORE_UNAVAILABLE')))
    const again = await world.start()
    expect((await again.list({ mailbox: 1, after: -1, limit: 100 })).messages).toHaveLength(committed)
  })

  it('refuses requests beyond what it keeps, before anything of them is done', async () => {
    const store = await world.start()

    const asked = Array.from({ length: 1100 }, (_, id) => store.transact([transaction(insert(id, 10))]))
    const answers = await Promise.allSettled(asked)

    const refused = answers.filter((answer) => answer.status === 'rejected')
    expect(refused).toHaveLength(1100 - 1024)
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'STORE_BUSY', retriable: true })
    expect((await store.list({ mailbox: 1, after: -1, limit: 2000 })).messages).toHaveLength(1024)
  })

  it('ends when its open log is taken away, tells everybody, and recovers when it is put back', async () => {
    const store = await world.start()
    await store.transact([transaction(insert(1))])
    const open = join(world.root, 'logs', 'E00.log')
    await copyFile(open, `${open}.kept`)
    await unlink(open)
    world.tick()
    await world.failed

    expect(world.failures).toMatchObject([{ code: 'LOG_MISSING' }])
    await expect(store.transact([transaction(insert(2))])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await store.close()
    await rename(`${open}.kept`, open)
    const again = await world.start()
    expect(again.opening.outcome).toBe('recovered')
    expect(isContent(await again.read({ mailbox: 1, id: 1 }), 500, 1)).toBe(true)
  })

  it('refuses what lies on a damaged page, tells of it once, and does everything else', async () => {
    const store = await world.start()
    const ids = Array.from({ length: 60 }, (_, id) => id)
    await store.transact(ids.map((id) => transaction(insert(id, 6_000))))
    await store.close()
    await spoilPage(40)

    const again = await world.start()
    const read = await Promise.allSettled(ids.map((id) => again.read({ mailbox: 1, id })))
    const lost = ids.filter((id) => read[id]?.status === 'rejected')
    const replaced = words(await again.transact(ids.map((id) => transaction(replace(id, 9_000, id + 1)))))

    expect(lost.length).toBeGreaterThan(0)
    expect(lost.length).toBeLessThan(10)
    for (const id of lost) expect(read[id]).toMatchObject({ reason: { code: 'PAGE_REJECTED', fields: { page: 40 } } })
    // A transaction may also be refused for a neighbour on that page, whose message it does not change.
    const refused = replaced.filter((word) => word !== 'committed')
    expect(new Set(refused)).toEqual(new Set(['PAGE_REJECTED']))
    for (const id of lost) expect(replaced[id]).toBe('PAGE_REJECTED')
    expect(world.badPages).toEqual([40])
    expect(await again.status()).toMatchObject({ committed: 60 - refused.length, refused: refused.length })
  })

  it('ends when its disk refuses a write, and has all that it said committed when it is started again', async () => {
    const disk = new FailingDisk()
    const store = await world.start({ files: disk.files })
    const committed: number[] = []
    const client = async (first: number): Promise<void> => {
      for (let id = first; ; id += 4) {
        const [result] = await store.transact([transaction(insert(id, 4_000))])
        if (result?.committed === true) committed.push(id)
        if (committed.length > 50) disk.isBroken = true
      }
    }

    const ends = await Promise.allSettled([0, 1, 2, 3].map(client))
    await store.close()

    for (const end of ends)
      expect(end).toMatchObject({ reason: { code: expect.stringMatching(/^(WRITE_FAILED|STORE_UNAVAILABLE)$/) } })
    const again = await world.start()
    for (const id of committed) expect(isContent(await again.read({ mailbox: 1, id }), 4_000, id)).toBe(true)
  })

  it('writes nothing more when the right to use it is lost, whatever is under way', async () => {
    const right = new AbortController()
    const store = await world.start({ lost: right.signal })
    const asked = Array.from({ length: 20 }, (_, id) => store.transact([transaction(insert(id, 30_000))]))
    const settled = Promise.allSettled(asked)

    right.abort(new ReplicationError({ code: 'STORE_LOCKED', message: 'another process has it', hint: 'Look there.' }))
    await world.failed
    const before = await digestOf(world.root)
    await settled
    await store.close()

    expect(await digestOf(world.root)).toBe(before)
    expect(world.failures).toMatchObject([{ code: 'STORE_LOCKED' }])
  })

  it('is refused with the number of the engine when a log that it requires is gone', async () => {
    const store = await world.start()
    for (let id = 0; id < 30; id++) await store.transact([transaction(insert(id, 30_000))])
    store.fail(new Error('the process dies') as never)
    await store.close()
    const low = await firstRequiredLog()
    await unlink(join(world.root, 'logs', `E00${low.toString(16).toUpperCase().padStart(8, '0')}.log`))

    await expect(world.start()).rejects.toMatchObject({
      code: 'DATABASE_REJECTED',
      fields: { eseError: expect.any(Number) },
    })
  })
})

/** By the header in the file: what a store says that runs may be less, since a header may be on its way. */
async function firstRequiredLog(): Promise<number> {
  const bytes = await readFile(join(world.root, 'database', 'priv1.edb'))
  const read = readDatabaseHeader(bytes.subarray(0, 2 * PAGE_BYTES))
  if (read.verdict !== 'read') throw new Error('the header can be read')
  return read.header.required.minRequired
}

/** Turns two bits of a page in the file, which no checksum turns back, and takes the image away that a start would put in its place. */
async function spoilPage(page: number): Promise<void> {
  const file = await open(join(world.root, 'database', 'priv1.edb'), 'r+')
  const bytes = new Uint8Array(PAGE_BYTES)
  await file.read(bytes, 0, PAGE_BYTES, (page + 1) * PAGE_BYTES)
  for (const at of [100, 300]) bytes[at] = (bytes[at] ?? 0) ^ 1
  await file.write(bytes, 0, PAGE_BYTES, (page + 1) * PAGE_BYTES)
  await file.close()
  await unlink(join(world.root, 'database', 'priv1.edb.saved'))
}

/** A disk that refuses every write from some moment on. */
class FailingDisk {
  readonly files: FileOperations
  isBroken = false

  constructor() {
    const files = nodeFileOperations({ shortCalls: 'inline' })
    this.files = {
      ...files,
      write: (file, piece, position) => {
        if (this.isBroken) return Promise.reject(fileError({ operation: 'write', path: file.path, errno: 'EIO' }))
        return files.write(file, piece, position)
      },
    }
  }
}
