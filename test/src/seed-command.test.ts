// Goal: ccr seed asks, refuses, warns and does what Update-StorageGroupCopy does, in its words; what it refuses changes nothing.
// Method: two nodes in this process with real files; each test types command lines as an operator would, with and without a person to answer.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { temporaryDirectory } from './cli-harness.ts'
import { SeedNodes, WAIT } from './seed-nodes.ts'

let nodes: SeedNodes
beforeEach(async () => {
  nodes = await SeedNodes.start({ directory: temporaryDirectory() })
  await nodes.mail(45)
  await nodes.healthy()
})
afterEach(() => nodes.close())

const logsPath = (): string => nodes.path('node2', 'logs')
const checkpoint = (): string => join(logsPath(), 'E00.chk')
const tree = (): string[] => readdirSync(nodes.path('node2'), { recursive: true }).map(String).sort()

/** What a transcript of the cmdlet shows. */
const prompt = (): string =>
  `Continuous replication seeding found an obsolete checkpoint '${checkpoint()}' file for storage group copy 'SG1'. The checkpoint file will be deleted, and then the database will be seeded if you confirm now.`
const logsExist = (): string =>
  `Seeding failed : Database seeding error: Log files already exist at '${logsPath()}'. They must be removed before storage group seeding or reseeding can be performed. The '-DeleteExistingFiles' switch can be used with the 'Update-StorageGroupCopy' task to accomplish this.`
const STILL_SUSPENDED =
  "WARNING: Replication for storage group 'node2\\SG1' is still suspended. If needed, you can use the Resume-StorageGroupCopy cmdlet in the Exchange Management Shell to resume replication.\n"

/** Suspends the copy; a checkpoint lies in its folder then. */
async function suspendWithCheckpoint(): Promise<void> {
  await nodes.suspend()
  if (!existsSync(checkpoint())) writeFileSync(checkpoint(), new Uint8Array(8192))
}

function answering(...answers: string[]): {
  readonly asked: string[]
  readonly ask: (text: string) => Promise<string>
} {
  const asked: string[] = []
  return {
    asked,
    ask: async (text) => {
      asked.push(text)
      return answers.shift() ?? 'N'
    },
  }
}

describe('a seed', () => {
  it('replaces the database of a suspended copy, which is resumed and equal in all pages', async () => {
    await suspendWithCheckpoint()

    const { exitCode, stdout, stderr } = await nodes.ccr(['seed', 'SG1', '--delete-existing-files', '--force'])

    expect([exitCode, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^SG1: seed 1 is complete: .* which needs the logs \d+ to \d+\n {2}\/.*priv1\.edb\n$/)
    await nodes.healthy()
    expect(await nodes.compare()).toMatchObject({ exitCode: 0 })
    expect(existsSync(nodes.path('node2', 'seeding'))).toBe(false)
    expect(await nodes.events('node1')).toEqual(expect.arrayContaining([240, 243, 244]))
    expect(await nodes.events('node2')).toEqual(expect.arrayContaining([9001, 9023, 9024, 9002]))
  })

  it('is refused for a copy that is not suspended, for a storage group that is none, and by a node that has the active', async () => {
    const before = tree()

    expect(await nodes.ccr(['seed', 'SG1', '--force'])).toMatchObject({
      exitCode: 6,
      stderr: expect.stringContaining('is not suspended, and only a suspended one is seeded'),
    })
    expect((await nodes.ccr(['seed', 'SG2', '--force'])).exitCode).toBe(1)
    expect((await nodes.ccr(['seed', 'SG2'])).stderr).toContain('SG2')
    expect((await nodes.ccr(['seed', 'SG1'], { on: 'node1' })).exitCode).toBe(1)
    expect(tree()).toEqual(before)
    expect(await nodes.seeds()).toEqual([])
  })

  it('asks about an obsolete checkpoint first, and then says that logs exist', async () => {
    await suspendWithCheckpoint()
    const before = tree()
    const person = answering('y')

    const { exitCode, stderr } = await nodes.ccr(['seed', 'SG1'], person)

    expect(person.asked).toEqual([
      `\nConfirm\n${prompt()}\n[Y] Yes [A] Yes to All [N] No [L] No to All [S] Suspend [?] Help (default is "Y"): `,
    ])
    expect([exitCode, stderr]).toEqual([6, expect.stringContaining(logsExist())])
    expect(tree()).toEqual(before)
    expect(await nodes.status()).toMatchObject({ SummaryCopyStatus: 'Suspended' })
  })

  it.each([['N'], ['no'], ['L'], ['s'], ['perhaps']])('that is answered with %s changes nothing', async (answer) => {
    await suspendWithCheckpoint()
    const before = tree()

    const { exitCode, stderr } = await nodes.ccr(['seed', 'SG1', '--delete-existing-files'], answering(answer))

    expect([exitCode, stderr]).toEqual([6, expect.stringContaining('the seed was not confirmed')])
    expect(tree()).toEqual(before)
    expect(await nodes.status()).toMatchObject({ SummaryCopyStatus: 'Suspended' })
  })

  it.each([[''], ['Y'], ['yes'], ['a']])('that is answered with "%s" goes on', async (answer) => {
    await suspendWithCheckpoint()

    const person = answering(answer)
    const { exitCode } = await nodes.ccr(
      ['Update-StorageGroupCopy', '-Identity', 'SG1', '-DeleteExistingFiles'],
      person,
    )

    expect([exitCode, person.asked.length]).toEqual([0, 1])
  })

  it('confirms nothing by itself: where nobody can be asked, the question is the refusal', async () => {
    await suspendWithCheckpoint()
    const before = tree()

    const { exitCode, stderr } = await nodes.ccr(['seed', 'SG1', '--delete-existing-files'])

    expect([exitCode, stderr]).toEqual([6, expect.stringContaining(prompt())])
    expect(tree()).toEqual(before)
  })

  it('leaves a file alone that is of no storage group, and everything else with it', async () => {
    await suspendWithCheckpoint()
    writeFileSync(join(logsPath(), 'notes.txt'), 'mine')
    const before = tree()

    const { exitCode, stderr } = await nodes.ccr(['seed', 'SG1', '--delete-existing-files', '--force'])

    expect([exitCode, stderr]).toEqual([6, expect.stringContaining(join(logsPath(), 'notes.txt'))])
    expect(tree()).toEqual(before)
  })

  it('leaves the copy suspended with --manual-resume, and warns in the words of the cmdlet', async () => {
    await suspendWithCheckpoint()

    const { exitCode, stderr } = await nodes.ccr([
      'seed',
      'SG1',
      '--delete-existing-files',
      '--force',
      '--manual-resume',
    ])

    expect([exitCode, stderr]).toEqual([0, STILL_SUSPENDED])
    expect(await nodes.status()).toMatchObject({ SummaryCopyStatus: 'Suspended' })
    await nodes.ccr(['resume', 'SG1'])
    await nodes.healthy()
    expect((await nodes.compare()).exitCode).toBe(0)
  })

  it('follows the rules of RTM on demand: with --delete-existing-files it asks nothing and removes database and checkpoint too', async () => {
    await suspendWithCheckpoint()
    const person = answering()

    const { exitCode } = await nodes.ccr(['seed', 'SG1', '--delete-existing-files', '--profile', 'rtm'], person)

    expect([exitCode, person.asked]).toEqual([0, []])
    await nodes.healthy()
    expect((await nodes.compare()).exitCode).toBe(0)
  })

  it('says with --json what came of it', async () => {
    await suspendWithCheckpoint()

    const { stdout } = await nodes.ccr(['seed', 'SG1', '--delete-existing-files', '--force', '--json'])

    expect(JSON.parse(stdout)).toMatchObject({
      id: 1,
      storageGroup: 'SG1',
      node: 'node2',
      phase: 'completed',
      percent: 100,
      resumed: true,
      resumedBytes: 0,
      error: null,
    })
    expect((await nodes.ccr(['seed'])).stdout).toMatch(/completed +100\.0/)
    expect(JSON.parse((await nodes.ccr(['seed', '--json'])).stdout).seeds).toHaveLength(1)
  })
})

describe('--what-if', () => {
  it('says what would go, be asked and be refused, and changes nothing', async () => {
    await suspendWithCheckpoint()
    const before = tree()
    const status = await nodes.status()

    const { exitCode, stdout } = await nodes.ccr(['seed', 'SG1', '--what-if', '--link', '1M', '--rate', '64K'])

    expect(exitCode).toBe(0)
    expect(stdout).toContain('  link       1.0 MiB/s, stated')
    expect(stdout).toContain('  bound      64.0 KiB/s')
    expect(stdout).toContain(`  asks       ${prompt()}`)
    expect(stdout).toContain(`  refused    ${logsExist()}`)
    expect(stdout.endsWith('Nothing was done.\n')).toBe(true)
    expect(tree()).toEqual(before)
    expect(await nodes.status()).toEqual(status)
    expect((await nodes.ccr(['seed-rate'])).stdout).toBe('seeds of this node: no bound\n')
    const document = JSON.parse((await nodes.ccr(['seed', 'SG1', '--what-if', '--json'])).stdout)
    expect(document).toMatchObject({ storageGroup: 'SG1', linkIs: 'measured', refusal: { code: 'STATE_REFUSED' } })
  })
})

describe('--target-path', () => {
  it('puts the database elsewhere, and leaves the copy and its files alone', async () => {
    await suspendWithCheckpoint()
    const target = join(nodes.directory, 'portable')
    const before = tree()
    const database = readFileSync(nodes.path('node2', 'database', 'priv1.edb'))

    const { exitCode, stderr } = await nodes.ccr(['seed', 'SG1', '--target-path', target])

    expect([exitCode, stderr]).toEqual([0, STILL_SUSPENDED])
    expect(readdirSync(target)).toEqual(['priv1.edb'])
    expect((await nodes.ccr(['verify', join(target, 'priv1.edb')])).exitCode).toBe(0)
    expect(tree()).toEqual(before)
    expect(readFileSync(nodes.path('node2', 'database', 'priv1.edb')).equals(database)).toBe(true)
    await nodes.ccr(['resume', 'SG1'])
    await nodes.healthy()
  })

  it('takes nothing away that lies there: neither a database nor files in a directory of the name that seeds use', async () => {
    await suspendWithCheckpoint()
    const target = join(nodes.directory, 'portable')
    await mkdir(join(target, 'seeding'), { recursive: true })
    writeFileSync(join(target, 'seeding', 'thesis.txt'), 'mine')
    expect((await nodes.ccr(['seed', 'SG1', '--target-path', target])).exitCode).toBe(0)
    const first = readFileSync(join(target, 'priv1.edb'))

    const again = await nodes.ccr(['seed', 'SG1', '--target-path', target])

    expect([again.exitCode, again.stderr]).toEqual([6, expect.stringContaining(join(target, 'priv1.edb'))])
    expect(readFileSync(join(target, 'priv1.edb')).equals(first)).toBe(true)
    expect(readFileSync(join(target, 'seeding', 'thesis.txt'), 'utf8')).toBe('mine')
  })

  it('that is the directory of the copy is the seed of the copy, with all that is asked and refused', async () => {
    await suspendWithCheckpoint()

    const { exitCode, stderr } = await nodes.ccr([
      'seed',
      'SG1',
      '--force',
      '--target-path',
      nodes.path('node2', 'database'),
    ])

    expect([exitCode, stderr]).toEqual([6, expect.stringContaining(logsExist())])
  })
})

describe('where the data comes from, and who takes it', () => {
  it('falls back from hosts that lead nowhere to the next one, and to the source', async () => {
    await suspendWithCheckpoint()
    const words = ['seed', 'SG1', '--delete-existing-files', '--force', '--data-host-names']

    const { exitCode } = await nodes.ccr([...words, `127.0.0.1:1,localhost:${nodes.sharePort}`])
    expect(exitCode).toBe(0)
    await expect.poll(async () => (await nodes.status())['SummaryCopyStatus'], WAIT).toBe('Healthy')
    await nodes.suspend()
    expect((await nodes.ccr([...words, '127.0.0.1:1'])).exitCode).toBe(0)
    await nodes.suspend()
    expect((await nodes.ccr([...words, 'a,b,c'])).exitCode).not.toBe(0)
  })

  it('refuses another machine than the one that is named, before anything is done', async () => {
    await suspendWithCheckpoint()
    const before = tree()

    const words = ['seed', 'SG1', '--delete-existing-files', '--force', '--rate', '64K', '--standby-machine']
    expect(await nodes.ccr([...words, 'node1'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('this node is node2, not node1'),
    })
    expect(tree()).toEqual(before)
    expect((await nodes.ccr(['seed-rate'])).stdout).toBe('seeds of this node: no bound\n')
    expect(
      (await nodes.ccr(['seed', 'SG1', '--delete-existing-files', '--force', '--standby-machine', 'NODE2'])).exitCode,
    ).toBe(0)
  })
})
