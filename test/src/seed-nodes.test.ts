// Goal: whatever has happened to a copy or its source, a seed makes the copy equal to the active, or refuses and leaves the copy suspended as
// it was; sessions, logs and other copies are kept as long as they are needed, and no longer.
// Method: two nodes in this process with real files; the situations in which a seed is needed, conflicts, and cut-off seeds.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { temporaryDirectory } from './cli-harness.ts'
import { damage, SeedNodes, type SeedNodesPlan, truncate, WAIT } from './seed-nodes.ts'

let nodes: SeedNodes
afterEach(() => nodes.close())

const SEED = ['seed', 'SG1', '--delete-existing-files', '--force'] as const
const PAGE_BYTES = 8192
/** So slow that a seed is still under way when it is looked at. */
const SLOW = '64K'
const DONE = { exitCode: 0 }

async function aCluster(plan: Partial<SeedNodesPlan> = {}): Promise<void> {
  nodes = await SeedNodes.start({ directory: temporaryDirectory(), ...plan })
}

/** Begins a seed and does not wait for its end; answers its number. */
async function beginSlowly(more: object = {}): Promise<number> {
  await nodes.post('node2', 'seed-rate', { setting: SLOW })
  const order = { storageGroup: 'SG1', deleteExistingFiles: true, deleteCheckpoint: true, ...more }
  const { id } = (await nodes.post('node2', 'seeds', order)) as { id: number }
  await nodes.seed(id, ({ doneBytes }) => doneBytes > 0)
  return id
}

async function expectEqual(group = 'SG1'): Promise<void> {
  await nodes.healthy(group)
  const { exitCode, stdout, stderr } = await nodes.compare(group)
  expect({ exitCode, stdout, stderr }).toMatchObject({ exitCode: 0 })
}

describe('a seed is needed', () => {
  it('by a new copy whose source has no log 1 any more', async () => {
    await aCluster()
    await nodes.mail(70)
    await nodes.healthy()
    await truncate(nodes)
    await nodes.end('node2')
    rmSync(join(nodes.directory, 'node2'), { recursive: true })
    await nodes.begin('node2')
    await expect.poll(async () => await nodes.status(), WAIT).toMatchObject({ Failed: true })
    await nodes.suspend()

    expect(await nodes.ccr(['seed', 'SG1'])).toMatchObject(DONE)

    await expectEqual()
    expect(nodes.logs('node2')[0]).not.toBe('E0000000001.log')
  })

  it('by a copy whose database is damaged: it fails, and is healthy and equal after the seed', async () => {
    await aCluster()
    await nodes.mail(45)
    await nodes.healthy()
    await nodes.end('node2')
    // A page that new messages change is among them.
    const database = nodes.path('node2', 'database', 'priv1.edb')
    for (let page = 2; page < 40; page++) damage(database, page * PAGE_BYTES + 5_000)
    await nodes.begin('node2')
    await nodes.mail(25)
    await nodes.roll()
    await expect.poll(async () => await nodes.status(), WAIT).toMatchObject({ Failed: true })
    await nodes.suspend()

    expect(await nodes.ccr([...SEED])).toMatchObject(DONE)

    await expectEqual()
  })

  it('by a copy whose source was restored to an earlier moment: it takes over the new stream', async () => {
    await aCluster()
    await nodes.mail(30)
    const full = join(nodes.directory, 'full')
    await nodes.ccr(['backup', 'full', 'SG1', '--to', full], { on: 'node1' })
    await nodes.mail(45)
    await nodes.healthy()
    await nodes.ccr(['dismount', 'SG1'], { on: 'node1' })
    const restored = await nodes.ccr(['restore', 'SG1', '--from', full, '--point-in-time'], { on: 'node1' })
    expect(restored).toMatchObject(DONE)
    await nodes.ccr(['mount', 'SG1'], { on: 'node1' })
    await nodes.mail(25)
    await nodes.suspend()

    expect(await nodes.ccr([...SEED])).toMatchObject(DONE)

    await expectEqual()
    expect(await nodes.status()).toMatchObject({ Failed: false })
  })

  it('not by a copy whose database file was copied by hand while the active was dismounted', async () => {
    await aCluster()
    await nodes.mail(70)
    await nodes.healthy()
    await truncate(nodes)
    await nodes.suspend()
    await nodes.ccr(['dismount', 'SG1'], { on: 'node1' })
    const { copyFileSync } = await import('node:fs')
    for (const name of readdirSync(nodes.path('node2', 'logs')))
      if (name.startsWith('E00')) rmSync(nodes.path('node2', 'logs', name))
    rmSync(nodes.path('node2', 'database', 'priv1.edb.saved'), { force: true })
    copyFileSync(nodes.path('node1', 'database', 'priv1.edb'), nodes.path('node2', 'database', 'priv1.edb'))
    await nodes.ccr(['mount', 'SG1'], { on: 'node1' })
    await nodes.mail(25)

    expect(await nodes.ccr(['resume', 'SG1'])).toMatchObject(DONE)

    await expectEqual()
  })
})

describe('a seed under load', () => {
  it('ends with what was written meanwhile, and its source truncates nothing that it needs', async () => {
    await aCluster()
    await nodes.mail(60)
    await nodes.healthy()
    await nodes.suspend()
    const id = await beginSlowly()
    const before = nodes.logs('node1')[0]

    await nodes.mail(60)
    await nodes.post('node2', 'seed-rate', { setting: 'off' })
    await nodes.mail(20)
    const { phase, required } = await nodes.seed(id, (seed) => ['completed', 'failed'].includes(seed.phase))

    expect(phase).toBe('completed')
    expect(Number(required?.last)).toBeGreaterThan(Number(required?.first))
    expect(nodes.logs('node1')[0]).toBe(before)
    await expectEqual()
    await truncate(nodes)
  })

  it('of a source with circular logging keeps the logs that the copy needs', async () => {
    await aCluster({ settings: { 'store.circularLogging': 'on' } })
    await nodes.mail(60)
    await expect.poll(async () => (await nodes.status())['LastLogInspected'], WAIT).toBeGreaterThan(0)
    await nodes.suspend()
    const id = await beginSlowly()
    await nodes.mail(100)
    await nodes.post('node2', 'seed-rate', { setting: 'off' })

    const { phase, error } = await nodes.seed(id, (seed) => ['completed', 'failed'].includes(seed.phase))

    expect({ phase, error }).toEqual({ phase: 'completed', error: null })
    await expectEqual()
  })
})

describe('one session at a time', () => {
  it('a seed is refused while a backup of the active runs (-505) or of the passive (-617), and its copy stays suspended', async () => {
    await aCluster()
    await nodes.mail(60)
    await nodes.healthy()
    const slowly = ['backup', 'copy', 'SG1', '--rate', '64K', '--to']
    const stop = new AbortController()
    const running = nodes.ccr([...slowly, join(nodes.directory, 'a')], { on: 'node1', signal: stop.signal })
    await nodes.suspend()
    await expect.poll(async () => await nodes.events('node1'), WAIT).toContain(2005)
    const before = nodes.logs('node2')

    const refused = await nodes.ccr([...SEED])
    expect([refused.exitCode, refused.stderr]).toEqual([6, expect.stringContaining('(error -505)')])
    expect(await nodes.status()).toMatchObject({ SummaryCopyStatus: 'Suspended' })
    expect(nodes.logs('node2')).toEqual(before)
    stop.abort('SIGINT')
    await running
    await nodes.post('node2', 'copies/SG1/resume')
    await nodes.healthy()
    const writer = (call: string, body = {}) => nodes.post('node2', `writers/SG1/${call}`, { of: 'passive', ...body })
    await writer('prepare', { scope: 'copy' })
    await writer('freeze')
    await writer('thaw')
    await nodes.suspend()
    const blocked = await nodes.ccr([...SEED])
    expect([blocked.exitCode, blocked.stderr]).toEqual([6, expect.stringContaining('(error -617)')])
    await writer('abort')
    expect(await nodes.ccr([...SEED])).toMatchObject(DONE)
  })

  it('while a seed runs no backup begins, the store is not dismounted, the copy not resumed, and no second seed begins', async () => {
    await aCluster()
    await nodes.mail(45)
    await nodes.healthy()
    await nodes.suspend()
    const id = await beginSlowly()

    const backup = await nodes.ccr(['backup', 'full', 'SG1', '--to', join(nodes.directory, 'b')], { on: 'node1' })
    expect([backup.exitCode, backup.stderr]).toEqual([6, expect.stringContaining('(error -505)')])
    const dismount = await nodes.ccr(['dismount', 'SG1'], { on: 'node1' })
    expect([dismount.exitCode, dismount.stderr]).toEqual([6, expect.stringContaining('-505')])
    const resumed = await nodes.ccr(['resume', 'SG1'])
    expect([resumed.exitCode, resumed.stderr]).toEqual([6, expect.stringContaining('is being seeded')])
    const again = await nodes.ccr([...SEED])
    expect([again.exitCode, again.stderr]).toEqual([6, expect.stringContaining('is being seeded already')])
    expect(await nodes.status()).toMatchObject({ SummaryCopyStatus: 'Seeding' })
    await nodes.ccr(['seed', '--give-up', String(id)])
    await nodes.seed(id, ({ phase }) => phase === 'failed')

    expect(await nodes.status()).toMatchObject({ SummaryCopyStatus: 'Suspended' })
    expect(await nodes.events('node2')).toContain(9025)
    expect(await nodes.events('node1')).toContain(9022)
    await expect
      .poll(
        async () =>
          (await nodes.ccr(['backup', 'full', 'SG1', '--to', join(nodes.directory, 'c')], { on: 'node1' })).exitCode,
        WAIT,
      )
      .toBe(0)
  })

  it('a dismounted store is not read: the seed says so and leaves the copy alone', async () => {
    await aCluster()
    await nodes.mail(25)
    await nodes.healthy()
    await nodes.suspend()
    await nodes.ccr(['dismount', 'SG1'], { on: 'node1' })
    const before = readdirSync(nodes.path('node2'), { recursive: true }).sort()

    const { exitCode, stderr } = await nodes.ccr([...SEED])

    expect([exitCode, stderr]).toEqual([6, expect.stringMatching(/^error: .*mounted/)])
    expect(readdirSync(nodes.path('node2'), { recursive: true }).sort()).toEqual(before)
    expect(await nodes.status()).toMatchObject({ SummaryCopyStatus: 'Suspended' })
  })
})

describe('a seed that is cut off', () => {
  it('goes on where it was when it was given up, also behind the start of both nodes', async () => {
    await aCluster()
    await nodes.mail(110)
    await nodes.healthy()
    await nodes.suspend()
    await nodes.post('node2', 'seed-rate', { setting: '2M' })
    const order = { storageGroup: 'SG1', deleteExistingFiles: true, deleteCheckpoint: true }
    const { id } = (await nodes.post('node2', 'seeds', order)) as { id: number }
    await nodes.seed(id, ({ doneBytes }) => doneBytes > 2_000_000)
    await nodes.post('node2', `seeds/${id}/give-up`)
    await nodes.seed(id, ({ phase }) => phase === 'failed')
    await nodes.mail(40)
    await nodes.end('node2')
    await nodes.end('node1')
    await nodes.begin('node1')
    await nodes.begin('node2')
    await expect.poll(async () => await nodes.status(), WAIT).toMatchObject({ SummaryCopyStatus: 'Suspended' })
    await nodes.mail(25)
    await nodes.post('node2', 'seed-rate', { setting: 'off' })

    const { exitCode, stdout, stderr } = await nodes.ccr([
      'seed',
      'SG1',
      '--force',
      '--delete-existing-files',
      '--json',
    ])

    expect([exitCode, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout).resumedBytes).toBeGreaterThan(500_000)
    await expectEqual()
    expect(existsSync(nodes.path('node2', 'seeding'))).toBe(false)
  })

  it('goes on by itself when its source is started again', async () => {
    await aCluster()
    await nodes.mail(60)
    await nodes.healthy()
    await nodes.suspend()
    await nodes.post('node2', 'seed-rate', { setting: '1M' })
    const order = { storageGroup: 'SG1', deleteExistingFiles: true, deleteCheckpoint: true }
    const { id } = (await nodes.post('node2', 'seeds', order)) as { id: number }
    await nodes.seed(id, ({ doneBytes }) => doneBytes > 1_500_000)

    await nodes.end('node1')
    await nodes.seed(id, ({ phase }) => phase === 'waiting')
    await nodes.post('node2', 'seed-rate', { setting: 'off' })
    await nodes.begin('node1')

    const { phase, error } = await nodes.seed(id, (seed) => ['completed', 'failed'].includes(seed.phase))
    expect({ phase, error }).toEqual({ phase: 'completed', error: null })
    await expectEqual()
  })
})
