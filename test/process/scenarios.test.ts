// Goal: the same scenario files hold against real processes, and a run of them leaves nothing behind.
// Method: the built program runs files of labs/scenarios with nodes on loopback; crash, cut and damage are done to what it started.
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, type TestContext } from 'vitest'
import { type FinishedCommand, runCcr } from '../../bench/product.ts'

const labs = join(import.meta.dirname, '../../labs/scenarios')
/** Some of them: all are played by `npm run scenarios`, which takes minutes. */
const PLAYED = [
  '01-full-streaming-all-caught-up',
  '11-restart-during-a-backup-of-the-passive',
  '15-manual-seed-with-leftovers',
  '23b-restore-in-the-right-order',
  '23c-incremental-reseed-of-a-standby-target',
]

function bed({ onTestFinished }: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'ccr-scenarios-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

async function play(test: TestContext, steps: string, options: readonly string[] = []): Promise<FinishedCommand> {
  const path = join(bed(test), 'played.yaml')
  writeFileSync(path, steps)
  return await runCcr(['scenario', 'run', path, ...options])
}

// Nodes wait for each other and for the disk most of the time: the scenarios are played side by side.
describe('ccr scenario run, with processes', () => {
  it.concurrent.for(PLAYED)('plays %s', { timeout: 240_000 }, async (name, { expect }) => {
    const { exitCode, stdout } = await runCcr(['scenario', 'run', join(labs, `${name}.yaml`)])

    expect(stdout).toMatch(/1 scenario: 1 passed\n$/)
    expect(exitCode).toBe(0)
  })

  it.concurrent('kills nodes and starts them again, and no acknowledged message is lost', {
    timeout: 240_000,
  }, async (test) => {
    const { exitCode, stdout } = await play(
      test,
      `
steps:
  - load: {messages: 200}
  - crash: active
  - expect: {active.status: ServiceDown}
  - attempt: {close: 1, refused: NODE_UNREACHABLE}
  - start: active
  - load: {messages: 100}
  - crash: copy1
  - expect: {copy1.status: ServiceDown}
  - start: copy1
  - close: 2
  - wait: {until: {copy1.replayed: "\${active.current - 1}", copy1.status: Healthy}, within: 60s}
  - expect: {messages: all acknowledged}
`,
    )

    expect(exitCode, stdout).toBe(0)
  })

  it.concurrent('dismounts and mounts the database, and has a copy whose files are gone built anew', {
    timeout: 240_000,
  }, async (test) => {
    const { exitCode, stdout } = await play(
      test,
      `
steps:
  - close: 5
  - dismount: active
  - expect: {active.status: dismounted}
  - attempt: {close: 1, refused: STORE_UNAVAILABLE}
  - mount: active
  - close: 3
  - wait: {until: {copy1.replayed: "\${active.current - 1}"}, within: 60s}
  - attempt: {empty: copy1, refused: STATE_REFUSED}
  - suspend: copy1
  - empty: copy1
  - expect: {copy1.logs: none}
  - resume: copy1
  - wait: {until: {copy1.replayed: "\${active.current - 1}", copy1.status: Healthy}, within: 60s}
`,
    )

    expect(exitCode, stdout).toBe(0)
  })

  it.concurrent('restores a full and an incremental set, rolls forward, and loses no acknowledged message', {
    timeout: 240_000,
  }, async (test) => {
    const { exitCode, stdout } = await play(
      test,
      `
steps:
  - load: {messages: 100}
  - backup: {kind: full, method: streaming, of: active, to: monday}
  - load: {messages: 60}
  - close: 2
  - backup: {kind: incremental, method: streaming, of: active, to: tuesday}
  - load: {messages: 60}
  - dismount: active
  - restore: {from: [monday, tuesday]}
  - mount: active
  - expect: {messages: all acknowledged}
  - close: 2
  - wait: {until: {copy1.replayed: "\${active.current - 1}", copy1.status: Healthy}, within: 60s}
`,
    )

    expect(exitCode, stdout).toBe(0)
  })

  it.concurrent.for(['body', 'previous'])(
    'has a copy refuse a log with a wrong %s',
    { timeout: 240_000 },
    async (how, test) => {
      const { exitCode, stdout } = await play(
        test,
        `
steps:
  - close: 5
  - wait: {until: {copy1.replayed: 5}, within: 60s}
  - suspend: copy1
  - close: 3
  - corrupt: {log: 7, on: active, how: ${how}}
  - resume: copy1
  - wait: {until: {copy1.status: Failed, copy1.inspected: 6}, within: 90s}
`,
      )

      expect(exitCode, stdout).toBe(0)
    },
  )

  it.concurrent('keeps the files of a scenario where it is told, and refuses a directory with something in it', async (test) => {
    const data = bed(test)
    const first = await play(test, 'steps: [{close: 2}, {expect: {active.logs: 1..3}}]', ['--data', data])
    const second = await play(test, 'steps: [{close: 2}]', ['--data', data])

    expect(first.exitCode).toBe(3)
    expect(first.stdout).toContain('active.logs: expected 1..3, found 1..2')
    expect(first.stdout).toMatch(/active 2001 {2}The Replication service started/)
    expect(existsSync(join(data, 'played/active/SG1/logs/E0000000002.log'))).toBe(true)
    const third = await play(test, 'steps: [{close: 2}]', ['--data', join(data, 'played/active.yaml')])

    expect(second.exitCode).toBe(2)
    expect(third.exitCode).toBe(1)
    expect(third.stdout).toContain('cannot be made a directory')
    expect(second.stdout).toContain('played is not empty')
  })

  it('removes what it has made when nobody wants it, also where a scenario fails', async (test) => {
    const before = scenarioDirectories()
    await play(test, 'steps: [{close: 1}, {expect: {active.logs: none}}]')

    expect(scenarioDirectories()).toEqual(before)
  })
})

function scenarioDirectories(): readonly string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('ccr-scenario-'))
}
