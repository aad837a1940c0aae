// Goal: backups of the passive copy are the active's: it decides, records and truncates, and the passive's header learns of it by replay. A
// backup that is put back gives exactly the messages of its moment, or all of them, and the copies are told apart that must look anew.
// Method: two nodes in this process, their management APIs, real files, and the command line for what operators type.
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../../bench/command.ts'
import { ApiConnection } from '../../src/api-connection.ts'
import { parseClusterText } from '../../src/cluster-file.ts'
import { SETTING_KEYS, SETTINGS, type Settings } from '../../src/config.ts'
import { type NodeService, startNodeService } from '../../src/node-service.ts'
import { serviceLog } from '../../src/service-log.ts'
import { ccr, temporaryDirectory } from './cli-harness.ts'

const NEVER = new AbortController().signal
const WAIT = { timeout: 60_000, interval: 20 }

interface Node {
  readonly service: NodeService
  readonly api: ApiConnection
}

let data: string
let text: string
let active: Node
let passive: Node
let lastId: number

async function start(name: string): Promise<Node> {
  const usual = Object.fromEntries(SETTING_KEYS.map((key) => [key, SETTINGS[key].default])) as unknown as Settings // every key has its row
  const settings = { ...usual, 'store.checkpointDepth': 1_048_576, 'store.resilience': 'standalone' } as Settings // both are values of their rows
  const log = serviceLog('error', { write: () => undefined })
  const service = await startNodeService({ cluster: parseClusterText(text, 'x.yaml'), name, settings, log })
  return { service, api: new ApiConnection({ server: service.managementUrl, timeoutMs: 60_000, signal: NEVER }) }
}

async function stop({ service, api }: Node): Promise<void> {
  await api.close()
  await service.close()
}

beforeEach(async () => {
  data = temporaryDirectory()
  text = `nodes:
  node1: { data: ${join(data, 'node1')}, listen: 127.0.0.1:${await freePort()}, manage: 127.0.0.1:0 }
  node2: { data: ${join(data, 'node2')}, listen: 127.0.0.1:0, manage: 127.0.0.1:0 }
storageGroups:
  SG1: { active: node1, copies: [node2] }
`
  active = await start('node1')
  passive = await start('node2')
  lastId = 0
})

afterEach(async () => {
  await stop(passive)
  await stop(active)
})

/** Messages of 48 KB: some twenty fill a log. */
async function mail(messages: number): Promise<void> {
  for (let n = 0; n < messages; n++) {
    lastId += 1
    const operations = [{ op: 'insert', mailbox: 1, id: lastId, size: 48_000, seed: lastId }]
    await active.api.json('POST', '/api/v1/stores/SG1/transactions', { transactions: [{ operations }] })
  }
}

async function messages(): Promise<number> {
  const path = '/api/v1/stores/SG1/mailboxes/1/messages?limit=1000'
  return ((await active.api.json('GET', path)) as { messages: unknown[] }).messages.length
}

async function status(): Promise<Readonly<Record<string, unknown>>> {
  return (await passive.api.json('GET', '/api/v1/copies/SG1')) as Record<string, unknown>
}

/** The open log is closed, and the passive has replayed it. */
async function replayed(): Promise<number> {
  const { closed } = (await active.api.json('POST', '/api/v1/stores/SG1/roll', {})) as { closed: number }
  await expect.poll(async () => (await status())['LastLogReplayed'], WAIT).toBeGreaterThanOrEqual(closed)
  return closed
}

function ask(node: Node, words: readonly string[]) {
  return ccr([...words, '--server', node.service.managementUrl])
}

async function events(node: Node): Promise<number[]> {
  const answer = (await node.api.json('GET', '/api/v1/events?limit=1000&storageGroup=SG1')) as {
    events: { id: number }[]
  }
  return answer.events.map(({ id }) => id)
}

describe('a backup of the passive', () => {
  it('lets logs go on both nodes, closes a log, and is in the header of the passive once that is replayed', async () => {
    await mail(80)
    await replayed()
    const { exitCode, stdout } = await ask(passive, [
      'backup',
      'full',
      'SG1',
      '--of',
      'passive',
      '--to',
      join(data, 'full'),
    ])
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining('of the passive) is complete')])

    const store = (await active.api.json('GET', '/api/v1/stores/SG1')) as { backups: { full: { kind: string } | null } }
    expect(JSON.stringify(store)).toContain('os-snapshot')
    expect(await events(passive)).toEqual(expect.arrayContaining([2021, 2023, 2025, 2027, 2029, 2035, 2046]))
    expect(await events(active)).toEqual(expect.arrayContaining([210, 213, 224]))
    await expect
      .poll(
        async () =>
          (await ask(passive, ['dump', 'database', join(data, 'node2', 'SG1', 'database', 'priv1.edb')])).stdout,
        WAIT,
      )
      .toMatch(/Previous Full Backup:\n\s+Log Gen: [1-9]/)
    const lowest = async (node: string) =>
      (await readdir(join(data, node, 'SG1', 'logs'))).filter((name) => /^E00[0-9A-F]{8}/.test(name)).sort()[0]
    await expect.poll(async () => await lowest('node2'), WAIT).toBe(await lowest('node1'))
    expect(await lowest('node1')).not.toBe('E0000000001.log')
    expect((await ccr(['verify', join(data, 'full')])).exitCode).toBe(0)
  })

  it('is refused by streaming, twice at a time, and where nothing was replayed; the copy goes on each time', async () => {
    await mail(10)
    await replayed()
    const backup = (...words: readonly string[]) =>
      ask(passive, ['backup', ...words, '--of', 'passive', '--to', join(data, 'set')])
    expect(await backup('full', 'SG1', '--method', 'streaming')).toMatchObject({ exitCode: 6 })
    expect((await backup('incremental', 'SG1')).stderr).toContain('-560')
    await passive.api.json('POST', '/api/v1/copies/SG1/suspend', {})
    expect(await backup('full', 'SG1')).toMatchObject({ exitCode: 6 })

    await passive.api.json('POST', '/api/v1/copies/SG1/resume', {})
    await mail(1)
    await replayed()
    expect(await readdir(data)).not.toContain('set')
    expect((await backup('full', 'SG1')).exitCode).toBe(0)
    const again = await ask(passive, ['backup', 'copy', 'SG1', '--of', 'passive', '--to', join(data, 'again')])
    expect([again.exitCode, again.stderr]).toEqual([0, ''])
  })
})

describe('a restore', () => {
  const restore = (...words: readonly string[]) => ask(active, ['restore', 'SG1', '--from', ...words])

  it.each(['streaming', 'vss'] as const)(
    'of a %s backup goes forward to the newest log, and copies go on',
    async (method) => {
      await mail(30)
      await ask(active, ['backup', 'full', 'SG1', '--method', method, '--to', join(data, 'full')])
      await mail(30)
      expect(await restore(join(data, 'full'))).toMatchObject({ exitCode: 6 })
      await ask(active, ['dismount', 'SG1'])
      expect(await restore(join(data, 'full'))).toMatchObject({ exitCode: 0 })
      await ask(active, ['mount', 'SG1'])

      expect(await messages()).toBe(60)
      await mail(1)
      await replayed()
      expect(await status()).toMatchObject({ Failed: false })
    },
  )

  it('of a backup of the passive with its incremental gives the messages of that moment', async () => {
    await mail(30)
    await replayed()
    await ask(passive, ['backup', 'full', 'SG1', '--of', 'passive', '--to', join(data, 'full')])
    await mail(30)
    await replayed()
    const made = await ask(passive, ['backup', 'incremental', 'SG1', '--of', 'passive', '--to', join(data, 'more')])
    expect(made).toMatchObject({ exitCode: 0 })
    await mail(30)
    await ask(active, ['dismount', 'SG1'])
    expect(await restore(join(data, 'full'), join(data, 'more'), '--point-in-time')).toMatchObject({ exitCode: 0 })
    await ask(active, ['mount', 'SG1'])

    expect(await messages()).toBe(60)
  })

  it('to an earlier moment leaves a copy waiting in silence, which is Failed when it is resumed', async () => {
    await mail(30)
    await ask(active, ['backup', 'full', 'SG1', '--to', join(data, 'full')])
    await mail(60)
    await replayed()
    await ask(active, ['dismount', 'SG1'])
    const done = await restore(join(data, 'full'), '--point-in-time')
    expect(done.stdout).toContain('ccr suspend SG1')
    await ask(active, ['mount', 'SG1'])
    expect(await messages()).toBe(30)
    await mail(25)
    const before = (await status())['LastLogInspected']
    await active.api.json('POST', '/api/v1/stores/SG1/roll', {})
    await expect.poll(async () => await events(passive), WAIT).toContain(9020)
    expect(await status()).toMatchObject({ SummaryCopyStatus: 'Healthy', LastLogInspected: before })

    await passive.api.json('POST', '/api/v1/copies/SG1/suspend', {})
    await passive.api.json('POST', '/api/v1/copies/SG1/resume', {})
    await expect.poll(async () => await status(), WAIT).toMatchObject({ Failed: true })
    expect(await events(passive)).toContain(2058)
  })

  it('that lacks a log of its chain changes nothing', async () => {
    await mail(30)
    await ask(active, ['backup', 'full', 'SG1', '--to', join(data, 'full')])
    await mail(30)
    await ask(active, ['backup', 'incremental', 'SG1', '--to', join(data, 'one')])
    await mail(30)
    await ask(active, ['backup', 'incremental', 'SG1', '--to', join(data, 'two')])
    await ask(active, ['dismount', 'SG1'])
    const before = (await readdir(join(data, 'node1', 'SG1'), { recursive: true })).sort()

    const { exitCode, stderr } = await restore(join(data, 'full'), join(data, 'two'), '--point-in-time')
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('the logs between are in none')])
    await rm(join(data, 'one', 'manifest.json'))
    expect((await restore(join(data, 'full'), join(data, 'one'))).stderr).toContain('manifest.json')
    expect((await readdir(join(data, 'node1', 'SG1'), { recursive: true })).sort()).toEqual(before)
    await ask(active, ['mount', 'SG1'])
    expect(await messages()).toBe(90)
  })
})
