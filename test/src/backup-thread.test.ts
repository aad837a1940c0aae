// Goal: the thread does with real files what its parts promise: a set of a real store is sound, damage is told, and the store goes on from it.
// Method: a mailbox store over real files is stopped, backed up, changed, and restored; the thread is the built one.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PAGE_BYTES } from '../../engine/database/page.ts'
import { asGeneration } from '../../engine/generation.ts'
import { BackupThread } from '../../src/backup/backup-thread.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { recoverStreaming } from '../../workers/streaming-recovery.ts'
import { turnBit } from '../engine/database/database-build.ts'
import { insert, isContent, MailboxWorld, transaction } from '../workers/mailbox-rig.ts'
import { aDescription, aRestore, newId } from '../workers/set-rig.ts'

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

const namesOf = (root: string) => ({ root, baseName: 'E00', databaseName: 'priv1.edb' })

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

  it('backs up a store that goes on, and puts back what it had acknowledged when its last page was read', async () => {
    const store = await world.start()
    await store.transact(Array.from({ length: 200 }, (_, id) => transaction(insert(id, 3000))))
    const acknowledged: number[] = []
    let goesOn = true
    const client = async (first: number): Promise<void> => {
      for (let id = first; goesOn; id += 2) {
        await store.transact([transaction(insert(id, 3000))])
        acknowledged.push(id)
      }
    }
    const clients = [200, 201].map(client)
    const { required: first } = await store.backups.begin({ scope: 'full', method: 'streaming' })
    const [set, logs] = [join(scratch, 'set'), join(world.root, 'logs')]
    await thread.ask({ ask: 'begin-set', directory: set })
    await thread.ask({ ask: 'copy-database', path: join(world.root, 'database', 'priv1.edb'), mode: 'streaming' })
    const known = [...acknowledged]
    const { size } = await stat(join(world.root, 'database', 'priv1.edb'))
    const { closed } = await store.backups.prepare()
    while ((await stat(join(world.root, 'database', 'priv1.edb'))).size <= size) await store.status()
    const range = { first, last: closed }
    const file = await thread.ask({ ask: 'end-database', last: closed })
    await thread.ask({ ask: 'copy-logs', directory: logs, baseName: 'E00', range })
    await thread.ask({ ask: 'finish-set', description: aDescription({ method: 'streaming', closed }) })
    goesOn = false
    await Promise.all(clients)
    await store.close()

    const verified = await thread.ask({ ask: 'verify-set', directory: set })
    await thread.ask({ ask: 'restore-sets', restore: { ...aRestore(world.root, [set]), pointInTime: true } })
    await recoverStreaming({ files: nodeFileOperations({ shortCalls: 'inline' }), newId }, namesOf(world.root))
    const restored = await world.start()

    expect(verified).toMatchObject({ sound: true, manifest: { required: range } })
    expect(file.bytes).toBeLessThanOrEqual(size + PAGE_BYTES)
    expect(restored.opening).toMatchObject({ outcome: 'recovered', redone: { last: closed } })
    for (const id of known)
      expect([id, isContent(await restored.read({ mailbox: 1, id }), 3000, id)]).toEqual([id, true])
    await restored.transact([transaction(insert(1_000_000, 3000))])
    await restored.close()
    expect((await world.start()).opening.outcome).toBe('clean')
  })

  it('does not recover a streaming backup that lacks its trailer, and changes nothing of it', async () => {
    await fill(1, 50)
    const files = nodeFileOperations({ shortCalls: 'inline' })
    const before = await readFile(join(world.root, 'database', 'priv1.edb'))

    await expect(recoverStreaming({ files, newId }, namesOf(world.root))).rejects.toMatchObject({
      code: 'DATABASE_REJECTED',
      fields: { eseError: -535 },
    })
    expect((await readFile(join(world.root, 'database', 'priv1.edb'))).equals(before)).toBe(true)
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
