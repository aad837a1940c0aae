// Goal: the release that a copy is started with is the one whose status it shows, in each place where it can be said.
// Method: real services without a log, which SP1 calls Initializing and RTM Healthy; a scenario file and its configuration.
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../../bench/command.ts'
import { ApiClient } from '../../src/api-client.ts'
import { parseClusterText } from '../../src/cluster-file.ts'
import { SETTING_KEYS, SETTINGS, type Settings } from '../../src/config.ts'
import { startNodeService } from '../../src/node-service.ts'
import { parseScenario } from '../../src/scenario/scenario-file.ts'
import { serviceLog } from '../../src/service-log.ts'
import { temporaryDirectory } from './cli-harness.ts'
import { patience, ServiceWorld } from './service-world.ts'

const UNTOLD = 'RTM does not say that no log was inspected since the start'

describe('a copy', () => {
  let world: ServiceWorld
  beforeEach(async () => {
    world = await ServiceWorld.make()
  })
  afterEach(() => world.end())

  it('shows the status of the release that it is started with, and of another one when it is started again', async () => {
    const share = await world.share()
    const seen = []
    for (const release of ['sp1', 'rtm', undefined] as const) {
      const copy = await world.copy(share.url, release === undefined ? {} : { release })
      const { SummaryCopyStatus, Initializing, Remark } = await copy.whenStatus(
        ({ SourceConnected }) => SourceConnected,
        patience(),
      )
      seen.push([SummaryCopyStatus, Initializing, Remark])
      await copy.close()
    }

    expect(seen).toEqual([
      ['Initializing', true, ''],
      ['Healthy', false, UNTOLD],
      ['Initializing', true, ''],
    ])
  })
})

describe('the copies of a node', () => {
  it('show the status of the release in its settings', async () => {
    const data = temporaryDirectory()
    const text = `nodes:
  node1: { data: ${join(data, 'node1')}, listen: 127.0.0.1:${await freePort()}, manage: 127.0.0.1:0 }
  node2: { data: ${join(data, 'node2')}, listen: 127.0.0.1:0, manage: 127.0.0.1:0 }
storageGroups:
  SG1: { active: node1, copies: [node2] }
`
    const cluster = parseClusterText(text, 'x.yaml')
    // Every key of the table with its default.
    const usual = Object.fromEntries(SETTING_KEYS.map((key) => [key, SETTINGS[key].default])) as unknown as Settings
    const settings: Settings = { ...usual, 'copy.release': 'rtm' }
    const log = serviceLog('error', { write: () => undefined })
    const active = await startNodeService({ cluster, name: 'node1', settings, log })
    const passive = await startNodeService({ cluster, name: 'node2', settings, log })
    const api = new ApiClient({ server: passive.managementUrl, timeoutMs: 30_000, signal: patience() })
    try {
      await expect
        .poll(() => api.copy('SG1'), { timeout: 30_000 })
        .toMatchObject({ SourceConnected: true, SummaryCopyStatus: 'Healthy', Remark: UNTOLD })
    } finally {
      await api.close()
      await passive.close()
      await active.close()
    }
  })
})

describe('a scenario', () => {
  const world = (said: string) => parseScenario(`world: { ${said} }\nsteps: []\n`, 'f.yaml').world

  it('says the release for both worlds, and the resilience that came with it', () => {
    expect(world('copies: 1')).toMatchObject({ release: 'sp1', settings: {} })
    expect(world('release: rtm')).toMatchObject({ release: 'rtm', settings: { 'store.resilience': 'ccr-rtm-best' } })
  })
})
