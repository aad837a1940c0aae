// Goal: a node backs its store up, of each kind and by both methods, while messages come: sets that verify, headers and events that say so,
// logs that go. What is refused changes nothing, and a backup that fails leaves nothing.
// Method: a mailbox service with its share and the backup host, real files; sets are read back by the thread that verifies them.
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BackupScope } from '../../engine/database/backup-slot.ts'
import { ReplicationError } from '../../engine/error.ts'
import { activeCopy } from '../../src/backup/active-copy.ts'
import { backupsOfStore, connectStore } from '../../src/backup/active-store.ts'
import type { BackedUpCopy } from '../../src/backup/backed-up-copy.ts'
import { BackupHost } from '../../src/backup/backup-host.ts'
import { BackupThread } from '../../src/backup/backup-thread.ts'
import { systemClock } from '../../src/clock.ts'
import { EventLog } from '../../src/event-log.ts'
import { systemRandom } from '../../src/fresh-id.ts'
import { serviceLog } from '../../src/service-log.ts'
import { ShareHost } from '../../src/share-host.ts'
import type { ShareInstance } from '../../src/share-instance.ts'
import { StoreHost } from '../../src/store-host.ts'
import type { StoreInstance } from '../../src/store-instance.ts'
import type { BackupJobDocument } from '../../transport/management-backup-documents.ts'
import type { BackupOrder } from '../../transport/management-backups.ts'

let root: string
let stores: StoreHost
let shares: ShareHost
let backups: BackupHost
let store: StoreInstance
let share: ShareInstance
let events: EventLog
let lastId = 0
/** What a test does to the copy that is backed up. */
let changed: Partial<BackedUpCopy> = {}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ccr-backup-'))
  const clock = systemClock()
  const log = serviceLog('silent')
  events = new EventLog({ directory: null, clock, log }, [], null)
  const parts = { events, log, clock }
  stores = new StoreHost(parts)
  shares = new ShareHost({ ...parts, listen: { host: '127.0.0.1', port: 0 }, random: systemRandom, onCrash: fail })
  // A shallow checkpoint: pages go to the file soon, and logs may go soon.
  store = await stores.add({
    root: join(root, 'SG1'),
    name: 'SG1',
    settings: { checkpointDepthBytes: 1_048_576, resilienceDepth: 1 },
  })
  share = await shares.add({
    logs: store.logs,
    name: 'SG1',
    format: { kind: 'ese', baseName: 'E00' },
    store: 'mailbox',
    active: 'mailbox',
    copiesExpected: 0,
    backups: backupsOfStore(store),
  })
  connectStore(store, share)
  await shares.start()
  changed = {}
  const find = (): BackedUpCopy => ({ ...activeCopy({ store, backups: share.backups, node: 'node1' }), ...changed })
  backups = new BackupHost({ find, folders: () => [store.names.root], events, clock })
  lastId = 0
  await mail(40)
})

afterEach(async () => {
  await backups.close()
  await shares.close()
  await stores.close()
  await rm(root, { recursive: true, force: true })
})

function fail(error: unknown): void {
  throw error
}

/** Messages of 48 KB: some twenty fill a log. */
async function mail(messages: number): Promise<void> {
  for (let n = 0; n < messages; n++) {
    lastId += 1
    const content = { size: 48_000, seed: lastId }
    await store.ask({
      ask: 'transact',
      transactions: [{ operations: [{ op: 'insert', mailbox: 1, id: lastId, content }] }],
    })
  }
}

function order(
  scope: BackupScope,
  method: 'streaming' | 'vss',
  name: string,
  change: Partial<BackupOrder> = {},
): BackupOrder {
  return {
    storageGroup: 'SG1',
    of: 'active',
    scope,
    method,
    directory: join(root, name),
    bytesPerSecond: null,
    freezeMs: null,
    ...change,
  }
}

async function whole(wanted: BackupOrder): Promise<BackupJobDocument> {
  const begun = await backups.take(wanted)
  for (;;) {
    const job = backups.port.get(begun.id)
    if (job?.phase === 'completed') return job
    if (job?.phase === 'failed' && job.error !== null) throw ReplicationError.fromJSON(job.error)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function verified(name: string): Promise<boolean> {
  const thread = await BackupThread.start()
  try {
    return (await thread.ask({ ask: 'verify-set', directory: join(root, name) })).sound
  } finally {
    await thread.close()
  }
}

async function eventIds(): Promise<number[]> {
  return (await events.page({ after: 0, limit: 1_000, storageGroup: 'SG1' })).map(({ id }) => id)
}

describe('a backup of the active', () => {
  it.each(['streaming', 'vss'] as const)(
    'by %s, full and then incremental, lets logs go and is in the header',
    async (method) => {
      const under = mail(20)
      const full = await whole(order('full', method, 'full'))
      await under
      await mail(60)
      const incremental = await whole(order('incremental', method, 'incremental'))

      expect(await verified('full')).toBe(true)
      expect(await verified('incremental')).toBe(true)
      expect(incremental.logs?.first).toBe((full.logs?.last ?? 0) + 1)
      const kind = method === 'vss' ? 'os-snapshot' : 'streaming'
      expect(share.backups.slots?.previousFull).toMatchObject({ kind, lastGeneration: full.logs?.last })
      expect(share.backups.slots?.previousIncremental).toMatchObject({ kind, lastGeneration: incremental.logs?.last })
      expect(share.state.mark?.through).toBeGreaterThan(0)
      expect(await eventIds()).toEqual(
        expect.arrayContaining(method === 'vss' ? [2005, 2001, 2003, 2006, 2008] : [210, 220, 223, 221, 213, 211]),
      )
    },
  )

  it.each(['copy', 'differential'] as const)('of scope %s lets nothing go', async (scope) => {
    await whole(order('full', 'vss', 'full'))
    const { mark } = share.state
    await mail(30)
    await whole(order(scope, 'vss', scope))

    expect(await verified(scope)).toBe(true)
    expect(share.state.mark).toBe(mark)
  })
})

describe('a backup that cannot be', () => {
  it('is refused with the number of the engine, and leaves no directory', async () => {
    const error = await backups.take(order('incremental', 'streaming', 'set')).catch((thrown: unknown) => thrown)

    expect(error).toMatchObject({ code: 'STATE_REFUSED', fields: { eseError: -560 } })
    expect(await readdir(root)).not.toContain('set')
  })

  it('is refused while another one runs, which goes on', async () => {
    const slow = await backups.take(order('full', 'streaming', 'slow', { bytesPerSecond: 200_000 }))
    const error = await backups.take(order('copy', 'vss', 'other')).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ fields: { eseError: -505 } })
    await expect(store.dismount()).rejects.toMatchObject({ fields: { eseError: -505 } })

    backups.port.setRate(slow.id, null)
    await expect.poll(() => backups.port.get(slow.id)?.phase, { timeout: 20_000 }).toBe('completed')
    expect(await verified('slow')).toBe(true)
  })

  it('is refused into a directory that has something in it, which stays', async () => {
    await mkdir(join(root, 'full'))
    await writeFile(join(root, 'full', 'mine'), 'mine')
    await expect(backups.take(order('full', 'vss', 'full'))).rejects.toMatchObject({ code: 'STATE_REFUSED' })

    expect(await readdir(join(root, 'full'))).toEqual(['mine'])
    expect(share.state.session).toBeNull()
  })

  it('and one that is given up leaves no set, no mark and no slot, and the next one works', async () => {
    const job = await backups.take(order('full', 'streaming', 'full', { bytesPerSecond: 200_000 }))
    backups.port.giveUp(job.id)
    await expect.poll(() => backups.port.get(job.id)?.phase, { timeout: 20_000 }).toBe('failed')

    expect([share.state.mark, share.state.session, share.backups.slots?.previousFull.lastGeneration]).toEqual([
      null,
      null,
      0,
    ])
    expect(await readdir(root)).not.toContain('full')
    await whole(order('full', 'streaming', 'full'))
  })

  it('and one whose database is not there fails, names the file, and leaves nothing', async () => {
    const { files } = activeCopy({ store, backups: share.backups, node: 'node1' })
    changed = { files: { ...files, database: join(root, 'nowhere.edb') } }
    const refusal = await whole(order('full', 'streaming', 'full')).catch((thrown: unknown) => thrown)

    expect(refusal).toMatchObject({ message: expect.stringContaining('nowhere.edb'), fields: { errno: 'ENOENT' } })
    expect([share.state.mark, share.state.session]).toEqual([null, null])
    expect(await readdir(root)).not.toContain('full')
  })

  it('and one whose completion nobody confirms keeps its set, since it may count', async () => {
    const error = new ReplicationError({ code: 'NODE_UNREACHABLE', message: 'nobody answers', hint: 'Wait.' })
    changed = { complete: () => Promise.reject(error) }
    const refusal = await whole(order('full', 'vss', 'full')).catch((thrown: unknown) => thrown)

    expect(refusal).toMatchObject({ code: 'NODE_UNREACHABLE', message: expect.stringContaining('its set is whole') })
    expect(await verified('full')).toBe(true)
    expect([share.state.session, share.state.mark]).toEqual([null, null])
  })

  it('and a snapshot that takes longer than the store may stand still fails with 2004, and the store goes on', async () => {
    await mail(100)
    const wanted = order('full', 'vss', 'full', { bytesPerSecond: 1_000_000, freezeMs: 50 })
    await expect(whole(wanted)).rejects.toMatchObject({ fields: { eseError: -2402 } })

    expect(await eventIds()).toEqual(expect.arrayContaining([2004, 2007]))
    expect(share.state.mark).toBeNull()
    await mail(1)
  })
})
