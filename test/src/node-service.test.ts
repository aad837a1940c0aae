// Goal: two nodes that one file describes are a mailbox store with a copy that replays it, and what the file has wrong is told.
// Method: both nodes in this process on free ports, their management APIs, and the command line.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { freePort } from '../../bench/command.ts'
import { ApiClient } from '../../src/api-client.ts'
import { ApiConnection } from '../../src/api-connection.ts'
import { parseClusterText } from '../../src/cluster-file.ts'
import { SETTING_KEYS, SETTINGS, type Settings } from '../../src/config.ts'
import { type NodeService, startNodeService } from '../../src/node-service.ts'
import { serviceLog } from '../../src/service-log.ts'
import { ccr, temporaryDirectory } from './cli-harness.ts'

const NEVER = new AbortController().signal
// Every key of the table with its default.
const DEFAULTS = Object.fromEntries(SETTING_KEYS.map((key) => [key, SETTINGS[key].default])) as unknown as Settings
const running: NodeService[] = []

afterEach(async () => {
  for (const node of running.splice(0).reverse()) await node.close()
})

function clusterText(data: string, port: number): string {
  return `nodes:
  node1: { data: ${join(data, 'node1')}, listen: 127.0.0.1:${port}, manage: 127.0.0.1:0 }
  node2: { data: ${join(data, 'node2')}, listen: 127.0.0.1:0, manage: 127.0.0.1:0 }
storageGroups:
  SG1: { active: node1, copies: [node2] }
`
}

async function start(text: string, name: string): Promise<NodeService> {
  const log = serviceLog('error', { write: () => undefined })
  const node = await startNodeService({ cluster: parseClusterText(text, 'x.yaml'), name, settings: DEFAULTS, log })
  running.push(node)
  return node
}

async function connections(node: NodeService): Promise<{ api: ApiClient; raw: ApiConnection }> {
  const options = { server: node.managementUrl, timeoutMs: 30_000, signal: NEVER }
  return { api: new ApiClient(options), raw: new ApiConnection(options) }
}

describe('two nodes', () => {
  it('have a store on the one and a copy that replays it on the other, also after the store was started again', async () => {
    const text = clusterText(temporaryDirectory(), await freePort())
    const passive = await start(text, 'node2')
    for (const id of [1, 2]) {
      const active = await start(text, 'node1')
      const { raw, api } = await connections(active)
      const transactions = [{ operations: [{ op: 'insert', mailbox: 1, id, size: 3000, seed: id }] }]
      const answer = await raw.json('POST', '/api/v1/stores/SG1/transactions', { transactions })
      expect(answer).toEqual({ results: [{ committed: true }] })
      const rolled = (await raw.json('POST', '/api/v1/stores/SG1/roll', {})) as { closed: number }
      const { api: copies } = await connections(passive)
      await expect
        .poll(async () => (await copies.copy('SG1'))['LastLogReplayed'], { timeout: 60_000 })
        .toBeGreaterThanOrEqual(rolled.closed)
      expect(await api.store('SG1')).toMatchObject({ state: 'running', databaseState: 'Dirty Shutdown' })
      await Promise.all([raw.close(), api.close(), copies.close()])
      await active.close()
    }
  })

  it('show all that belongs to one of them on one management listener', async () => {
    const text = clusterText(temporaryDirectory(), await freePort())
    const active = await start(text, 'node1')
    const { raw, api } = await connections(active)

    expect(active).toMatchObject({ name: 'node1', copies: [], shares: [{ storageGroup: 'SG1' }] })
    expect(await raw.json('GET', '/api/v1/copies')).toEqual({ copies: [] })
    expect(await api.share('SG1')).toMatchObject({ name: 'SG1' })
    await Promise.all([raw.close(), api.close()])
  })
})

describe('ccr node', () => {
  it('refuses a node that the file does not have, and says which ones there are', async () => {
    const path = join(temporaryDirectory(), 'ccr.yaml')
    writeFileSync(path, clusterText('data', 7700))
    const { exitCode, stderr } = await ccr(['node', '--config', path, '--name', 'nod1'])

    expect(exitCode).toBe(2)
    expect(stderr).toContain('the configuration has no node nod1')
    expect(stderr).toContain('Did you mean node1?')
  })

  it('refuses to begin without a file', async () => {
    const { exitCode, stderr } = await ccr(['node', '--name', 'node1'], { env: { CCR_CONFIG: '' } })

    expect(exitCode).toBe(2)
    expect(stderr).toContain('--config FILE')
  })
})
