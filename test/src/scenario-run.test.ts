// Goal: ccr scenario run says whether a scenario holds, where it does not, and ends with the exit code that CI needs.
// Method: scenarios of a few steps in the toy world, right, failing and wrong, run by the command.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ReplicationError } from '../../engine/error.ts'
import { ENGINE_RULES } from '../../sim/rules.ts'
import { realStage } from '../../src/scenario/real-stage.ts'
import { exitOf, type RunOptions, runScenarios } from '../../src/scenario/run-scenarios.ts'
import type { Stage } from '../../src/scenario/stage.ts'
import { virtualStage } from '../../src/scenario/virtual-stage.ts'
import { PLANTED_BUGS } from '../sim/planted-bugs.ts'
import { type CliOutcome, ccr, temporaryDirectory } from './cli-harness.ts'

const FULL = `
name: full backup, all caught up
world: {toy: {active: 20, copy: 0}}
steps:
  - close: 100
  - let: {chk: active.checkpoint}
  - mark: \${active.current - 1}
  - wait:
      until: {active.logs: "\${chk}..\${active.current - 1}", copy1.logs: "\${chk}..100"}
      within: 60s
  - expect:
      events: [{id: 224, of: active}]
      explain: {81..100: [checkpoint]}
      virtual: {active.logs: 81..100}
`
const FAILING =
  'name: too few logs\nsteps:\n  - close: 3\n  - expect: {active.logs: 1..2, copy1.status: Healthy}\n  - close: 1\n'

const NEVER = new AbortController().signal
const ORDINARY = { seed: null, signal: NEVER }

/** The longest path of Linux, with the zero at its end. */
const PATH_BYTES_MAX = 4096

function listening(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'TCPServerWrap').length
}

async function run(files: Readonly<Record<string, string>>, options: readonly string[] = []): Promise<CliOutcome> {
  const directory = temporaryDirectory()
  const paths = Object.entries(files).map(([name, text]) => {
    const path = join(directory, name)
    writeFileSync(path, text)
    return path
  })
  return await ccr(['scenario', 'run', '--virtual', ...paths, ...options])
}

function aRun(paths: readonly string[], stageFor: RunOptions['stageFor'], signal = NEVER): RunOptions {
  const ignore = (): void => undefined
  return { paths, mode: 'real', seed: null, signal, stageFor, onFile: ignore, onStep: ignore, onEnd: ignore }
}

describe('a run of scenarios', () => {
  it('tells why a stage could not be built, what happened last, and plays the next file', async () => {
    const directory = temporaryDirectory()
    const paths = ['one.yaml', 'two.yaml'].map((name) => join(directory, name))
    for (const path of paths) writeFileSync(path, 'steps: [{close: 1}]')
    const failure = new ReplicationError({ code: 'PORT_IN_USE', message: 'the port is taken', hint: 'Free it.' })
    let closed = 0
    const broken: Stage = {
      mode: 'real',
      answer: () => Promise.reject(failure),
      trace: () => ['active.log the last line'],
      close: async () => void closed++,
    }

    const results = await runScenarios(aRun(paths, (path) => (path === paths[0] ? broken : virtualStage(ORDINARY))))

    expect(results[0]).toMatchObject({ result: null, error: failure, trace: ['active.log the last line'] })
    expect(results[1]?.result?.outcome).toBe('passed')
    expect(closed).toBe(1)
    expect(exitOf(results)).toBe(1)
  })

  it('keeps the result of a stage that cannot tell any more what happened last', async () => {
    const path = join(temporaryDirectory(), 'few.yaml')
    writeFileSync(path, FAILING)
    const trace = (): Promise<string[]> => Promise.reject(new Error('the directory is gone'))

    const results = await runScenarios(aRun([path], () => ({ ...virtualStage(ORDINARY), trace })))

    expect(results).toMatchObject([{ result: { outcome: 'failed' }, trace: [] }])
  })

  it('tells that the files of the nodes cannot be written, and leaves no network open', async () => {
    const path = join(temporaryDirectory(), 'one.yaml')
    writeFileSync(path, 'steps: [{close: 1}]')
    // As long as the path of a directory may be, so that no file has a path in it.
    let data = temporaryDirectory()
    while (data.length < PATH_BYTES_MAX - 1) data += `/${'d'.repeat(Math.min(200, PATH_BYTES_MAX - 2 - data.length))}`
    const servers = listening()

    const stage = realStage({ data, seed: null, env: {}, signal: NEVER })
    const results = await runScenarios(aRun([path], () => stage))

    expect(results[0]?.error).toMatchObject({ code: 'WRITE_FAILED' })
    await expect.poll(listening).toBe(servers) // a handle goes some turns behind its close
  })

  it('fails the step in which a promise breaks, with the trace, and plays the next file', async () => {
    const directory = temporaryDirectory()
    const paths = ['one.yaml', 'two.yaml'].map((name) => join(directory, name))
    const steps = 'steps: [{close: 10}, {mark: 5}, {close: 1}]'
    for (const path of paths) writeFileSync(path, `world: {databases: false}\n${steps}`)
    const rules = PLANTED_BUGS['truncation goes one log too far'] ?? ENGINE_RULES

    const results = await runScenarios(
      aRun(paths, (path) => virtualStage(path === paths[0] ? { ...ORDINARY, rules } : ORDINARY)),
    )

    expect(results[0]?.result).toMatchObject({ outcome: 'failed', notPlayed: [{ title: 'close: 1' }] })
    expect(results[0]?.result?.steps.at(-1)?.mismatches[0]?.actual).toMatch(/^a promise broke: /)
    expect(results[0]?.trace.at(-1)).toContain('broken: ')
    expect(results[1]?.result?.outcome).toBe('passed')
    expect(exitOf(results)).toBe(3)
  })
})

describe('a run that is interrupted', () => {
  it('ends in the middle of a virtual step, and keeps what came of the files before', async () => {
    const directory = temporaryDirectory()
    const paths = ['short.yaml', 'endless.yaml', 'late.yaml'].map((name) => join(directory, name))
    for (const path of paths) writeFileSync(path, 'steps: [{close: 1}]')
    writeFileSync(paths[1] ?? '', 'steps: [{wait: {until: {copy1.inspected: 9}, within: 7d}}]')
    const interrupt = new AbortController()
    const { signal } = interrupt
    const stageFor = (path: string): Stage => {
      if (path === paths[1]) void setImmediate().then(() => interrupt.abort())
      return virtualStage({ seed: null, signal })
    }

    const results = await runScenarios(aRun(paths, stageFor, signal))

    expect(results.map(({ path, result }) => [path, result?.outcome])).toEqual([[paths[0], 'passed']])
  })
})

describe('ccr scenario run --virtual', () => {
  it('plays a scenario that holds', async () => {
    const { exitCode, stdout, stderr } = await run({ 'full.yaml': FULL })

    expect(stderr).toBe('')
    expect(exitCode).toBe(0)
    expect(stdout).toContain('  ok      let: {chk: active.checkpoint} (chk is 81)\n')
    expect(stdout).toMatch(/1 scenario: 1 passed\n$/)
  })

  it('holds for any delays', async () => {
    for (const seed of ['1', '2', '3'])
      expect(await run({ 'full.yaml': FULL }, ['--seed', seed])).toMatchObject({ exitCode: 0 })
  })

  it('tells what was expected and found, what happened last and what was not played, and ends with 3', async () => {
    const { exitCode, stdout } = await run({ 'few.yaml': FAILING, 'full.yaml': FULL })

    expect(exitCode).toBe(3)
    expect(stdout).toContain('          active.logs: expected 1..2, found 1..3\n')
    expect(stdout).toMatch(/at .*few\.yaml:4:5\n/)
    expect(stdout).not.toContain('copy1.status: expected')
    expect(stdout).toContain('source > announce lowest 1, through 3')
    expect(stdout).toContain('  1 more steps were not played\n')
    expect(stdout).toMatch(/2 scenarios: 1 passed, 1 failed\n$/)
  })

  it('ends with 2 when a file is wrong, and plays the others', async () => {
    const { exitCode, stdout } = await run({
      'wrong.yaml': 'steps: [{clsoe: 3}]',
      'few.yaml': FAILING,
      'full.yaml': FULL,
    })

    expect(exitCode).toBe(2)
    expect(stdout).toMatch(/wrong\.yaml:1:10: unknown verb clsoe\n +hint: Did you mean close\?/)
    expect(stdout).toMatch(/3 scenarios: 1 passed, 1 failed, 1 could not be played\n$/)
  })

  it('skips a scenario that is for real runs only', async () => {
    const { exitCode, stdout } = await run({ 'real.yaml': 'only: real\nsteps: [{close: 1}]' })

    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/1 scenario: 0 passed, 1 skipped\n$/)
  })

  it('fails when a node is asked that is down', async () => {
    const { exitCode, stdout } = await run({
      'down.yaml':
        'steps:\n  - crash: copy1\n  - advance: 60s\n  - expect: {copy1.status: ServiceDown}\n  - suspend: copy1\n',
    })

    expect(exitCode).toBe(3)
    expect(stdout).toContain('expected done, found refused (NODE_UNREACHABLE)')
  })

  it('starts a node again that was crashed', async () => {
    const { exitCode } = await run({
      'up.yaml': `steps:
  - close: 5
  - crash: copy1
  - close: 5
  - expect: {copy1.logs: 1..5}
  - start: copy1
  - wait: {until: {copy1.inspected: 10, copy1.status: Healthy}, within: 60s}
`,
    })

    expect(exitCode).toBe(0)
  })

  it('backs up, sees the slots of the header, and expects the number of a refusal', async () => {
    const { exitCode, stdout } = await run({
      'backup.yaml': `world: {toy: {active: 3, copy: 0}}
steps:
  - close: 10
  - attempt: {backup: {kind: incremental, method: vss, of: active}, refused: -560}
  - attempt: {backup: {kind: full, method: streaming, of: copy1}, refused: STATE_REFUSED}
  - backup: {kind: full, method: streaming, of: active}
  - wait: {until: {active.logs: 8..11, events: [206, 224]}, within: 10s}
  - expect: {active.slots.full.last: 11, active.slots.incremental.last: 0}
  - backup: {kind: full, method: streaming, of: active, outcome: vanished}
  - attempt: {backup: {kind: copy, method: vss, of: active}, refused: -505}
`,
    })

    expect(stdout).toContain('refused (STATE_REFUSED, -505)')
    expect(exitCode).toBe(0)
  })

  it('restores no set that another major version has made, and none that is not there', async () => {
    const { exitCode, stdout } = await run({
      'restore.yaml': `world: {toy: {active: 3, copy: 0}}
steps:
  - close: 10
  - backup: {kind: full, method: vss, of: active, to: monday}
  - backup: {kind: full, method: vss, of: active, to: tuesday, outcome: aborted}
  - attempt: {restore: {from: tuesday}, refused: BACKUP_REJECTED}
  - age: {set: monday, product: 0.9.9}
  - restore: {from: monday}
  - age: {set: monday, product: 1.0.0}
  - attempt: {restore: {from: monday}, refused: BACKUP_REJECTED}
`,
    })

    expect(exitCode, stdout).toBe(0)
  })

  it('keeps no set of a backup that has failed', async () => {
    const { exitCode, stdout } = await run({
      'failed.yaml': `world: {toy: {active: 3, copy: 0}}
steps:
  - close: 10
  - corrupt: {log: 9, on: active}
  - attempt: {backup: {kind: full, method: vss, of: active, to: monday}, refused: STATE_REFUSED}
  - attempt: {restore: {from: monday}, refused: BACKUP_REJECTED}
`,
    })

    expect(exitCode, stdout).toBe(0)
  })

  it('holds a backup until it is released, and lets nothing go before', async () => {
    const { exitCode, stdout } = await run({
      'held.yaml': `world: {toy: {active: 3, copy: 3}}
steps:
  - close: 10
  - wait: {until: {copy1.replayed: 10}, within: 60s}
  - attempt: {release: completed, refused: STATE_REFUSED}
  - backup: {kind: full, method: streaming, of: active, to: monday, held: true}
  - attempt: {dismount: active, refused: -505}
  - attempt: {restore: {from: monday}, refused: BACKUP_REJECTED}
  - advance: 1h
  - expect: {active.logs: 1..11, active.slots.full.last: 0, noEvents: [224]}
  - release: completed
  - attempt: {release: completed, refused: STATE_REFUSED}
  - wait: {until: {active.logs: 8..11, active.slots.full.last: 11, events: [224]}, within: 10s}
  - restore: {from: monday}
  - wait: {until: {copy1.replayed: 11}, within: 10s}
  - backup: {kind: full, method: vss, of: copy1, held: true}
  - attempt: {backup: {kind: copy, method: vss, of: active, held: true}, refused: -617}
  - release: aborted
  - expect: {active.logs: 8..11, active.slots.full.last: 11, noEvents: [224]}
`,
    })

    expect(exitCode, stdout).toBe(0)
  })

  it('ends a backup that is held with its node, and one of a copy that is cut off', async () => {
    const { exitCode, stdout } = await run({
      'lost.yaml': `world: {copies: 2, toy: {active: 3, copy: 3}}
steps:
  - close: 10
  - wait: {until: {copy1.replayed: 10}, within: 60s}
  - backup: {kind: full, method: vss, of: copy1, held: true}
  - crash: copy1
  - start: copy1
  - attempt: {release: completed, refused: STATE_REFUSED}
  - advance: 2m
  - backup: {kind: full, method: vss, of: copy2, held: true}
  - crash: active
  - start: active
  - attempt: {release: completed, refused: STATE_REFUSED}
  - advance: 10s
  - backup: {kind: full, method: vss, of: copy2, held: true}
  - network: {cut: copy2}
  - advance: 2m
  - attempt: {release: completed, refused: STATE_REFUSED}
  - expect: {active.logs: 1..10, active.slots.full.last: 0, noEvents: [224]}
`,
    })

    expect(exitCode, stdout).toBe(0)
  })

  it('prints one document with --json', async () => {
    const { exitCode, stdout } = await run({ 'few.yaml': FAILING, 'wrong.yaml': 'steps: 3' }, ['--json', '--seed', '7'])
    const document = JSON.parse(stdout)

    expect(exitCode).toBe(2)
    expect(document.exitCode).toBe(2)
    expect(document.scenarios).toMatchObject([
      {
        name: 'too few logs',
        outcome: 'failed',
        seed: 7,
        steps: [
          { outcome: 'passed' },
          { outcome: 'failed', mismatches: [{ subject: 'active.logs', expected: '1..2', actual: '1..3' }] },
        ],
        notPlayed: [{ title: 'close: 1' }],
      },
      { outcome: 'error', error: { code: 'SCENARIO_INVALID', line: 1, column: 8 } },
    ])
  })
})
