// Goal: what is restored is a store: it starts, recovers, and has every message that was committed when the backup ended; it goes on in its stream.
// Method: mailbox stores over real files are backed up while clients write, by streaming and frozen, restored into an empty folder, and started.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Generation, GenerationRange } from '../../engine/generation.ts'
import { BackupThread } from '../../src/backup/backup-thread.ts'
import type { MailboxHost } from '../../workers/mailbox-host.ts'
import { insert, isContent, MailboxWorld, transaction } from '../workers/mailbox-rig.ts'
import { aDescription, aRestore } from '../workers/set-rig.ts'

let world: MailboxWorld
let scratch: string
let thread: BackupThread
beforeEach(async () => {
  world = await MailboxWorld.make()
  scratch = await mkdtemp(join(tmpdir(), 'ccr-restore-'))
  thread = await BackupThread.start()
})
afterEach(async () => {
  await thread.close()
  await world.end()
  await rm(scratch, { recursive: true })
})

/** Clients that write until they are told to end; they answer how many messages were committed. */
class Clients {
  readonly #store: MailboxHost
  readonly #working: Promise<void>
  #ended = false
  committed = 0

  constructor(store: MailboxHost, first: number) {
    this.#store = store
    this.committed = first
    this.#working = this.#work()
  }

  async end(): Promise<void> {
    this.#ended = true
    await this.#working
  }

  async #work(): Promise<void> {
    while (!this.#ended) {
      const ids = Array.from({ length: 5 }, (_, index) => this.committed + index)
      await this.#store.transact(ids.map((id) => transaction(insert(id, 2500))))
      this.committed += ids.length
    }
  }
}

async function aFilledStore(): Promise<MailboxHost> {
  const store = await world.start()
  for (let id = 0; id < 300; id += 10)
    await store.transact(Array.from({ length: 10 }, (_, index) => transaction(insert(id + index, 2500))))
  return store
}

const databasePath = (): string => join(world.root, 'database', 'priv1.edb')

async function finish(range: GenerationRange, method: 'vss' | 'streaming'): Promise<void> {
  await thread.ask({ ask: 'copy-logs', directory: join(world.root, 'logs'), baseName: 'E00', range })
  await thread.ask({ ask: 'finish-set', description: aDescription({ closed: range.last, method }) })
}

/** Answers how many messages were committed before the set ended. */
async function stream(set: string, store: MailboxHost): Promise<number> {
  const clients = new Clients(store, 300)
  await thread.ask({ ask: 'begin-set', directory: set })
  const { required } = await store.backups.begin({ scope: 'full', method: 'streaming' })
  thread.setRate(20_000_000)
  await thread.ask({ ask: 'copy-database', path: databasePath(), mode: 'streaming' })
  thread.setRate(null)
  const { committed } = clients
  const { closed } = await store.backups.prepare()
  await store.roll()
  await store.roll()
  await thread.ask({ ask: 'end-database', last: closed })
  await finish({ first: required, last: closed }, 'streaming')
  await clients.end()
  return committed
}

async function freeze(set: string, store: MailboxHost): Promise<number> {
  const clients = new Clients(store, 300)
  await thread.ask({ ask: 'begin-set', directory: set })
  await store.backups.begin({ scope: 'full', method: 'vss' })
  const { committed } = clients
  const { closed, required } = await store.backups.freezing.begin(60_000)
  await thread.ask({ ask: 'copy-checkpoint', path: join(world.root, 'logs', 'E00.chk') })
  await thread.ask({ ask: 'copy-database', path: databasePath(), mode: 'snapshot' })
  store.backups.freezing.thaw()
  const first = Math.min(required.low, closed) as Generation // both are generations
  await finish({ first, last: closed }, 'vss')
  await clients.end()
  return committed
}

describe('a store that was restored', () => {
  it.each([
    ['a streaming backup under load', stream],
    ['a snapshot of a frozen store', freeze],
  ])('from %s has what was committed by then, and goes on', async (_, backUp) => {
    const set = join(scratch, 'set')
    const committed = await backUp(set, await aFilledStore())
    const verified = await thread.ask({ ask: 'verify-set', directory: set })
    const root = join(scratch, 'SG1')
    await thread.ask({ ask: 'restore-sets', restore: aRestore(root, [set], { pointInTime: true }) })

    const store = await world.start({ root })

    expect(verified.files.filter(({ faults }) => faults.length > 0)).toEqual([])
    expect(store.opening.outcome).toBe('recovered')
    for (let id = 0; id < committed; id++)
      expect(isContent(await store.read({ mailbox: 1, id }), 2500, id), `message ${id}`).toBe(true)
    const results = await store.transact([transaction(insert(99_999))])
    expect(results).toMatchObject([{ committed: true }])
    expect((await store.status()).openGeneration).toBeGreaterThan(verified.manifest.closed)
  })

  it('rolls forward over the logs that its folder still has', async () => {
    const set = join(scratch, 'set')
    const first = await aFilledStore()
    await stream(set, first)
    const ids = [50_001, 50_002, 50_003]
    await first.transact(ids.map((id) => transaction(insert(id, 2500))))
    await first.close()

    const result = await thread.ask({ ask: 'restore-sets', restore: aRestore(world.root, [set]) })
    const store = await world.start()

    expect(result.rolledForward).not.toBeNull()
    for (const id of ids) expect(isContent(await store.read({ mailbox: 1, id }), 2500, id)).toBe(true)
  })
})
