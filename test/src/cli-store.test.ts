// Goal: ccr store says how the stores of a node stand, in a table, field by field, or as JSON.
// Method: command lines inside this process against the management API over a service in memory.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ManagementWorld, type RunningManagement, startManagement } from '../transport/management-world.ts'
import { type CliOutcome, ccr } from './cli-harness.ts'
import { managementApi } from './management-fixture.ts'

let world: ManagementWorld
let running: RunningManagement
beforeEach(async () => {
  world = new ManagementWorld()
  running = await startManagement(world)
})
afterEach(() => running.app.close())

function store(...words: readonly string[]): Promise<CliOutcome> {
  return ccr(['store', ...words, '--server', running.at.origin])
}

describe('ccr store', () => {
  it('prints a table of all stores', async () => {
    const { exitCode, stdout } = await store()

    const [header, , row, ...rest] = stdout.trimEnd().split('\n')
    expect({ exitCode, rest }).toEqual({ exitCode: 0, rest: [] })
    expect(header).toMatch(/^Name State +Open log Checkpoint Required/)
    expect(row).toMatch(/^SG1 +running 12 /)
  })

  it('prints every field of one store, or one document', async () => {
    const list = await store('SG1')
    const json = await store('SG1', '--json')

    const document = JSON.parse(json.stdout)
    expect(document).toMatchObject({ storageGroup: 'SG1', state: 'running', openGeneration: 12 })
    const labels = list.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.slice(0, line.indexOf(' ')))
    const scopes = ['full', 'incremental', 'copy', 'differential'].map((scope) => `${scope}Backup`)
    expect(labels).toEqual(Object.keys(document).flatMap((field) => (field === 'backups' ? scopes : [field])))
    expect(list.stdout).toMatch(/^fullBackup +: logs 3-9, os-snapshot, mark \(0x9,8,16\), 2006-12-15T00:00:00\.000Z$/m)
    expect(list.stdout).toMatch(/^copyBackup +: *$/m)
  })

  it('says so where there is none', async () => {
    const server = await managementApi({})

    const all = await ccr(['store', '--server', server])
    const one = await ccr(['store', 'SG1', '--server', server])

    expect({ ...all, stderr: all.stderr }).toEqual({
      exitCode: 0,
      stdout: '',
      stderr: 'This node has no mailbox store.\n',
    })
    expect([one.exitCode, (await store('SG2')).exitCode, (await store('../x')).exitCode]).toEqual([1, 1, 2])
  })
})

describe('ccr dismount and ccr mount', () => {
  it('ask the node, also by the names of the cmdlets', async () => {
    const at = ['--server', running.at.origin]

    const dismounted = await ccr(['dismount', 'SG1', ...at])
    const mounted = await ccr(['Mount-Database', '-Identity', 'SG1', ...at])
    const json = await ccr(['Dismount-Database', 'SG1', '-Confirm', '--json', ...at])

    expect([dismounted, mounted].map(({ exitCode, stdout }) => [exitCode, stdout])).toEqual([
      [0, 'SG1: running\n'],
      [0, 'SG1: running\n'],
    ])
    expect(JSON.parse(json.stdout)).toMatchObject({ storageGroup: 'SG1', state: 'running' })
    expect(world.commands).toEqual([['dismount'], ['mount'], ['dismount']])
    expect((await ccr(['mount', 'SG2', ...at])).exitCode).toBe(1)
  })
})
