// Goal: the thread does with real files what its parts promise: a set of a real store is sound, damage is told, and the store goes on from it.
// Method: a mailbox store over real files is stopped, backed up, changed, and restored; the thread is the built one.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { asGeneration } from '../../engine/generation.ts'
import { BackupThread } from '../../src/backup/backup-thread.ts'
import { turnBit } from '../engine/database/database-build.ts'
import { insert, isContent, MailboxWorld, transaction } from '../workers/mailbox-rig.ts'
import { aDescription, aRestore } from '../workers/set-rig.ts'

let world: MailboxWorld
let scratch: string
let thread: BackupThread
beforeEach(async () => {
  world = await MailboxWorld.make()
  scratch = await mkdtemp(join(tmpdir(), 'ccr-set-'))
  thread = await BackupThread.start()
})
afterEach(async () => {
  await thread.close()
  await world.end()
  await rm(scratch, { recursive: true })
})

/** Lets a store take messages, and stops it. Answers the last closed log. */
async function fill(from: number, through: number): Promise<number> {
  const store = await world.start()
  for (let id = from; id <= through; id += 10)
    await store.transact(Array.from({ length: 10 }, (_, index) => transaction(insert(id + index, 3000))))
  await store.roll()
  await store.close()
  const names = (await readdir(join(world.root, 'logs'))).filter((name) => /^E00[0-9A-F]{8}\.log$/.test(name))
  return Math.max(...names.map((name) => Number.parseInt(name.slice(3, 11), 16)))
}

async function backUp(to: string, last: number): Promise<void> {
  await thread.ask({ ask: 'begin-set', directory: to })
  await thread.ask({ ask: 'copy-checkpoint', path: join(world.root, 'logs', 'E00.chk') })
  await thread.ask({ ask: 'copy-database', path: join(world.root, 'database', 'priv1.edb'), mode: 'snapshot' })
  const range = { first: asGeneration(1), last: asGeneration(last) }
  await thread.ask({ ask: 'copy-logs', directory: join(world.root, 'logs'), baseName: 'E00', range })
  await thread.ask({ ask: 'finish-set', description: aDescription({ closed: range.last }) })
}

describe('a backup thread', () => {
  it('backs a store up, verifies the set, and puts it back: the logs since then are redone', async () => {
    const last = await fill(1, 200)
    const set = join(scratch, 'set')
    await backUp(set, last)
    await fill(201, 300)

    const verified = await thread.ask({ ask: 'verify-set', directory: set })
    const result = await thread.ask({ ask: 'restore-sets', restore: aRestore(world.root, [set]) })
    const store = await world.start()

    expect(verified).toMatchObject({ sound: true, manifest: { closed: last } })
    expect(verified.files.length).toBe(last + 2)
    expect(result).toMatchObject({ wasInterrupted: false, logs: { first: 1, last } })
    expect(result.rolledForward?.first).toBe(last + 1)
    for (const id of [1, 200, 201, 300]) expect(isContent(await store.read({ mailbox: 1, id }), 3000, id)).toBe(true)
  })

  it('names what is wrong with a set', async () => {
    const last = await fill(1, 50)
    const set = join(scratch, 'set')
    await backUp(set, last)
    const database = join(set, 'database', 'priv1.edb')
    const bytes = await readFile(database)
    for (const bit of [7, 8]) turnBit(bytes, (5 * 8192 + 900) * 8 + bit)
    await writeFile(database, bytes)
    await rm(join(set, 'logs', 'E0000000001.log'))
    await writeFile(join(set, 'notes.txt'), 'mine')

    const { sound, files } = await thread.ask({ ask: 'verify-set', directory: set })

    expect(sound).toBe(false)
    expect(files.filter(({ faults }) => faults.length > 0)).toEqual([
      {
        path: 'database/priv1.edb',
        faults: [expect.stringMatching(/^page 4: damaged/), expect.stringMatching(/^checksum .* the manifest says/)],
      },
      { path: 'logs/E0000000001.log', faults: ['missing'] },
      { path: 'notes.txt', faults: ['not in the manifest'] },
    ])
  })

  it('ends a query that is cancelled, and removes what it has written when it is closed', async () => {
    await fill(1, 400)
    const set = join(scratch, 'set')
    const cancel = new AbortController()
    thread.setRate(100_000)
    await thread.ask({ ask: 'begin-set', directory: set })

    const copying = thread.ask(
      { ask: 'copy-database', path: join(world.root, 'database', 'priv1.edb'), mode: 'snapshot' },
      { onProgress: () => cancel.abort(), signal: cancel.signal },
    )

    await expect(copying).rejects.toMatchObject({ code: 'STATE_REFUSED', message: 'it was cancelled' })
    await thread.close()
    expect(await readdir(scratch)).toEqual([])
  })
})
