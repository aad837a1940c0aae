// Goal: the digests of a store that goes on working are those of its copy at the end of the same log, page by page.
// Method: clients change a store over real files while it is digested; a replay worker redoes its logs up to that one, and digests.
import { copyFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { comparePages, type PageDigest } from '../../engine/database/page-digest.ts'
import { asGeneration } from '../../engine/generation.ts'
import type { MailboxHost } from '../../workers/mailbox-host.ts'
import { insert, MailboxWorld, remove, replace, transaction } from './mailbox-rig.ts'
import { ReplayRig } from './replay-rig.ts'

let world: MailboxWorld
let rig: ReplayRig
beforeEach(async () => {
  world = await MailboxWorld.make()
  rig = new ReplayRig()
})
afterEach(async () => {
  await rig.close()
  await world.end()
})

let ids = 0

/** Delivers messages, replaces one and deletes one. */
async function work(store: MailboxHost, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    ids += 4
    await store.transact([
      transaction(insert(ids, 4_000), insert(ids + 1, 700)),
      transaction(insert(ids + 2, 12_000), replace(ids, 2_000, ids), remove(ids + 1)),
      transaction(...(ids > 40 ? [replace(ids - 40, 5_000, ids)] : [])),
    ])
  }
}

/** All digests at the end of a log, with two clients at work between the pieces. */
async function digestsOf(store: MailboxHost, through: number, rounds: number): Promise<PageDigest[]> {
  const digests: PageDigest[] = []
  await store.beginDigest(asGeneration(through))
  for (let piece = await store.nextDigests(); piece !== null; piece = await store.nextDigests()) {
    digests.push(...piece)
    await Promise.all([work(store, rounds), work(store, rounds)])
  }
  store.endDigest()
  return digests
}

/** The digests of a copy at the end of a log, of which it has been given nothing yet. */
async function digestsOfCopy(through: number): Promise<PageDigest[]> {
  for (let generation = 1; generation <= through; generation++) {
    const path = rig.disk.logPath(generation)
    await copyFile(join(world.root, 'logs', basename(path)), path)
  }
  rig.post({ kind: 'open-database', copy: 0, session: 1, kept: rig.disk.kept })
  rig.post({ kind: 'digest-pages', copy: 0, request: 1, through: asGeneration(through) })
  const range = { first: asGeneration(1), last: asGeneration(through) }
  rig.post({ kind: 'replay-logs', copy: 0, session: 1, range })
  const digests: PageDigest[] = []
  for (;;) {
    const event = await rig.next()
    if (event.kind === 'digest-refused' || event.kind === 'replay-failed') throw new Error(JSON.stringify(event))
    if (event.kind !== 'pages-digested') continue
    if (event.digests.length === 0) return digests
    digests.push(...event.digests)
  }
}

describe('a store that is digested while it works', () => {
  it('gives the pages of the end of that log, whatever is changed meanwhile', async () => {
    const store = await world.start()
    await work(store, 80)
    const through = (await store.status()).openGeneration + 2

    const digests = await digestsOf(store, through, 10)
    const after = await digestsOf(store, (await store.status()).openGeneration, 0)

    const copy = await digestsOfCopy(through)
    expect(comparePages(digests, copy)).toEqual({ pages: copy.length, differing: 0, first: null })
    expect(copy.length).toBeGreaterThan(128)
    // The pages were changed in between: whoever had digested them late would have found others.
    expect(comparePages(after, copy).differing).toBeGreaterThan(10)
  })

  it('notices one byte that is other on the copy', async () => {
    const store = await world.start()
    await work(store, 10)
    const through = (await store.status()).openGeneration
    const digests = await digestsOf(store, through, 1)

    const copy = await digestsOfCopy(through)
    const changed = copy.map((digest) => (digest.page === 5 ? { ...digest, hash: '0'.repeat(16) } : digest))

    expect(comparePages(digests, copy).first).toBeNull()
    expect(comparePages(digests, changed)).toMatchObject({ differing: 1, first: { page: 5 } })
  })

  it('refuses a log that is closed or far ahead, and a second wish; and works on', async () => {
    const store = await world.start()
    const open = (await store.status()).openGeneration
    await store.roll()
    await store.beginDigest(asGeneration(open + 1))
    const second = await digestsOf(store, open + 3, 0).catch((error: unknown) => error)
    store.endDigest()
    const none = await store.nextDigests().catch((error: unknown) => error)
    const late = await digestsOf(store, open, 0).catch((error: unknown) => error)
    const far = await digestsOf(store, open + 1_000, 0).catch((error: unknown) => error)

    for (const refusal of [second, none, late, far]) expect(refusal).toMatchObject({ code: 'STATE_REFUSED' })
    expect((await digestsOf(store, open + 5, 2)).length).toBeGreaterThan(0)
  })
})
