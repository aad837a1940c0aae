// Goal: a script of somebody else, wrapped by ccr writer run, is a backup: its files make a store again, with every message; what fails on the way is
// given up, and the exit code says so. The scripts of labs/backup do what they say.
// Method: two nodes in this process, the command line, and real tar.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { WriterDocument } from '../../transport/management-writer-documents.ts'
import { type CliOutcome, type CliSetting, ccr } from './cli-harness.ts'
import { type TwoNodes, twoNodes } from './writer-rig.ts'

const LABS = join(import.meta.dirname, '../../labs/backup')
const PATH = process.env['PATH'] ?? ''

type Of = 'active' | 'passive'

async function backedUp(messages: number): Promise<TwoNodes> {
  const nodes = await twoNodes()
  await nodes.mail(messages)
  return nodes
}

/** `ccr writer …` at the node of a copy. */
function writer(nodes: TwoNodes, of: Of, line: readonly string[], setting: CliSetting = {}): Promise<CliOutcome> {
  return ccr(['--server', nodes.urls[of], 'writer', ...line], { ...setting, env: { PATH } })
}

/** Every message of the store: its number and what it says. */
async function messagesOf({ active }: TwoNodes): Promise<string[]> {
  const path = '/api/v1/stores/SG1/mailboxes/1/messages'
  const { messages } = (await active.json('GET', `${path}?limit=1000`)) as { messages: { id: number }[] } // of the API
  const told: string[] = []
  for (const { id } of messages) {
    const bytes = (await active.bytesUnless('MESSAGE_MISSING', `${path}/${id}`)) ?? ''
    told.push(`${id} ${createHash('sha256').update(bytes).digest('hex')}`)
  }
  return told
}

async function restored(nodes: TwoNodes, ...sets: readonly string[]): Promise<void> {
  const server = ['--server', nodes.urls.active]
  for (const line of [
    ['dismount', 'SG1'],
    ['restore', 'SG1', '--from', ...sets, '--point-in-time'],
    ['mount', 'SG1'],
  ])
    expect(await ccr([...server, ...line])).toMatchObject({ exitCode: 0 })
}

describe('ccr writer run', () => {
  it.each(['active', 'passive'] as const)(
    'lets tar take the %s, and what is extracted elsewhere is adopted, verified, restored and mounted',
    async (of) => {
      const nodes = await backedUp(40)
      const before = await messagesOf(nodes)
      const [archive, out, set] = ['full.tar', 'out', 'set'].map((name) => join(nodes.data, name)) as [
        string,
        string,
        string,
      ] // three
      const run = await writer(nodes, of, ['run', 'SG1', '--of', of, '--', join(LABS, 'tar.sh'), archive])
      await nodes.mail(20)

      mkdirSync(out)
      execFileSync('tar', ['--extract', '--file', archive, '--directory', out], { stdio: 'ignore' })
      const adopted = await ccr(['backup', 'adopt', out, '--storage-group', 'SG1', '--to', set, '--of', of])
      const verified = await ccr(['verify', set])
      await restored(nodes, set)

      expect([run.exitCode, run.stderr]).toEqual([0, `SG1: the full backup of the ${of} is complete\n`])
      expect([adopted.exitCode, verified.exitCode]).toEqual([0, 0])
      expect(before).toHaveLength(40)
      expect(await messagesOf(nodes)).toEqual(before)
    },
  )

  it('takes full and incremental backups into a repository, of logs after the thaw, and both together are restored', async () => {
    const nodes = await backedUp(40)
    const script = join(LABS, 'repository.sh')
    const repository = join(nodes.data, 'repository')
    const take = (name: string): string[] => ['--', script, 'take', repository, name]
    const sets = ['monday', 'tuesday'].map((name) => join(nodes.data, name))

    expect((await writer(nodes, 'active', ['run', 'SG1', ...take('monday')])).exitCode).toBe(0)
    await nodes.mail(30)
    const line = ['run', 'SG1', '--scope', 'incremental', '--after-thaw', ...take('tuesday')]
    expect((await writer(nodes, 'active', line)).exitCode).toBe(0)
    const before = await messagesOf(nodes)
    await nodes.mail(5)
    for (const [index, set] of sets.entries()) {
      const name = ['monday', 'tuesday'][index] ?? ''
      const out = join(nodes.data, `${name}-out`)
      execFileSync(script, ['extract', repository, name, out], { env: { PATH } })
      const scope = index === 0 ? 'full' : 'incremental'
      const adopted = await ccr(['backup', 'adopt', out, '--storage-group', 'SG1', '--to', set, '--scope', scope])
      expect(adopted).toMatchObject({ exitCode: 0 })
    }
    await restored(nodes, ...sets)

    expect(before).toHaveLength(70)
    expect(await messagesOf(nodes)).toEqual(before)
  })

  it('gives its command the files in the environment', async () => {
    const nodes = await backedUp(40)
    const told = join(nodes.data, 'told')
    const script = `env | grep ^CCR_ > ${told}; cat "$CCR_FILE_LIST" > ${told}.list; test -e "$CCR_DATABASE"`
    const { exitCode } = await writer(nodes, 'active', ['run', 'SG1', '--', 'sh', '-c', script])

    const told1 = readFileSync(told, 'utf8')
    const list = readFileSync(`${told}.list`, 'utf8').trimEnd().split('\n')
    expect(exitCode).toBe(0)
    for (const name of [
      'DATABASE=/',
      'CHECKPOINT=/',
      'LOGS=/',
      'LOG_FIRST=E00',
      'LOG_LAST=E00',
      'SCOPE=full',
      'OF=active',
    ])
      expect(told1).toContain(`CCR_${name}`)
    expect(list.length).toBeGreaterThan(2)
    expect(list.filter((path) => !existsSync(path))).toEqual([])
  })

  it.each([
    ['a command that fails', ['--', 'sh', '-c', 'exit 7'], 1, 'ended with 7'],
    ['a command that is not there', ['--', '/nowhere/tool'], 1, 'ENOENT'],
    ['a command that outlasts the freeze', ['--freeze', '300ms', '--', 'sleep', '1'], 6, '-2402'],
    ['a database after the thaw', ['--after-thaw', '--', 'true'], 2, 'changes after the thaw'],
    ['no full backup before', ['--scope', 'incremental', '--', 'true'], 6, '-560'],
  ] as const)('ends with its own exit code for %s, and the next backup works', async (_, line, exit, text) => {
    const nodes = await backedUp(10)
    const failed = await writer(nodes, 'active', ['run', 'SG1', ...line])

    expect([failed.exitCode, failed.stderr]).toEqual([exit, expect.stringContaining(text)])
    expect(await writer(nodes, 'active', ['run', 'SG1', '--', 'true'])).toMatchObject({ exitCode: 0 })
  })

  it('ends the command and gives the backup up when it is interrupted', async () => {
    const nodes = await backedUp(10)
    const interrupt = new AbortController()
    const begun = join(nodes.data, 'begun')
    const script = `touch ${begun}; exec sleep 600`
    const running = writer(nodes, 'active', ['run', 'SG1', '--', 'sh', '-c', script], { signal: interrupt.signal })
    await expect.poll(() => existsSync(begun), { timeout: 20_000 }).toBe(true)
    interrupt.abort('SIGINT')

    expect((await running).exitCode).toBe(130)
    expect(await nodes.writer(nodes.active)).toMatchObject({ phase: 'idle', state: 'stable' })
    await nodes.mail(1)
  })

  it('says that its success was lost, and the same word later ends the backup', async () => {
    const nodes = await backedUp(10)
    await writer(nodes, 'active', ['provoke', 'SG1', 'lose-post'])
    const lost = await writer(nodes, 'active', ['run', 'SG1', '--', 'true'])
    const listed = await writer(nodes, 'active', ['list'])
    const posted = await writer(nodes, 'active', ['post', 'SG1', '--json'])

    expect([lost.exitCode, lost.stderr]).toEqual([6, expect.stringContaining('ccr writer post SG1 --of active')])
    expect(listed.stdout).toContain('State: [5] Waiting for completion')
    expect(listed.stdout).toContain('ccr writer abort SG1 --of active')
    expect((JSON.parse(posted.stdout) as WriterDocument).state).toBe('stable') // of the command
  })
})

describe('ccr writer', () => {
  it('leads through a backup step by step, and says of a step in the wrong place what comes next', async () => {
    const nodes = await backedUp(10)
    const frozen = await writer(nodes, 'active', ['freeze', 'SG1'])
    expect([frozen.exitCode, frozen.stderr]).toEqual([6, expect.stringContaining('Next comes prepare.')])

    for (const line of [
      ['prepare', 'SG1', '--scope', 'copy'],
      ['freeze', 'SG1'],
      ['thaw', 'SG1'],
      ['post', 'SG1'],
    ])
      expect(await writer(nodes, 'active', line)).toMatchObject({ exitCode: 0 })
    const { stdout } = await writer(nodes, 'active', ['list'])
    expect(stdout).toContain("Writer Instance Name: 'Exchange Information Store'")
    expect(stdout).toContain('State: [1] Stable')
  })
})

describe('ccr backup adopt', () => {
  it.each([
    ['a log between others is missing', 'incremental', (logs: readonly string[]) => logs.slice(1, 2), 'E0000'],
    ['the last log is missing', 'full', (logs: readonly string[]) => logs.slice(-1), 'its database has changes'],
    ['there is no log', 'full', (logs: readonly string[]) => logs, 'has no log'],
    ['there is no database', 'full', () => ['priv1.edb'], 'has no database'],
  ] as const)('refuses a directory where %s, and leaves no set', async (_, scope, lost, text) => {
    const nodes = await backedUp(40)
    const out = join(nodes.data, 'out')
    mkdirSync(out)
    const copy = ['--', 'sh', '-c', `xargs -I@ cp @ ${out} < "$CCR_FILE_LIST"`]
    if (scope === 'incremental') await writer(nodes, 'active', ['run', 'SG1', '--', 'true'])
    await nodes.mail(80)
    expect((await writer(nodes, 'active', ['run', 'SG1', '--scope', scope, ...copy])).exitCode).toBe(0)
    const logs = readdirSync(out).filter((name) => name.endsWith('.log'))
    for (const name of lost(logs.sort())) rmSync(join(out, name))

    const line = ['backup', 'adopt', out, '--storage-group', 'SG1', '--to', join(nodes.data, 'set'), '--scope', scope]
    const adopted = await ccr(line)
    expect([adopted.exitCode, adopted.stderr]).toEqual([1, expect.stringContaining(text)])
    expect(existsSync(join(nodes.data, 'set'))).toBe(false)
  })
})
