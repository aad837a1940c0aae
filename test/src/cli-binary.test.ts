// Goal: the program as it is installed works: its exit codes, its signals, its start-up time, and the two nodes of npm start.
// Method: the built binary in processes of their own; npm test builds it first.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'
import { NO_CONFIG, temporaryDirectory } from './cli-harness.ts'

const BIN = resolve(import.meta.dirname, '../../dist/src/bin.js')
/** What Node itself needs to start here is part of it; the limit catches a heavy module that is loaded for nothing. */
const START_MS_MAX = 1500

interface BinaryOutcome {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

function run(line: readonly string[]): Promise<BinaryOutcome> {
  return new Promise((done) => {
    execFile(
      process.execPath,
      [BIN, ...line],
      { env: { ...process.env, CCR_CONFIG: NO_CONFIG } },
      (error, stdout, stderr) => done({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}

/** A process whose output is read line by line. */
function launch(line: readonly string[]): {
  child: ChildProcess
  lines: AsyncIterator<string>
  ended: Promise<number | null>
} {
  const child = spawn(process.execPath, [BIN, ...line], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, CCR_CONFIG: NO_CONFIG },
  })
  const ended = new Promise<number | null>((done) => child.once('close', (code) => done(code)))
  const lines = createInterface({ input: child.stdout ?? process.stdin })[Symbol.asyncIterator]()
  return { child, lines, ended }
}

describe('the binary', () => {
  it('is built', () => {
    expect(existsSync(BIN)).toBe(true)
  })

  it('keeps the exit codes', async () => {
    const outcomes = await Promise.all([
      run(['--version']),
      run(['stauts']),
      run(['status', '--server', 'http://127.0.0.1:1']),
    ])

    expect(outcomes.map(({ exitCode }) => exitCode)).toEqual([0, 2, 4])
    expect(outcomes[1]?.stderr).toBe("error: unknown command 'stauts'\nhint: Did you mean status?\n")
  })

  it('starts without loading what the verb does not need', async () => {
    const began = performance.now()
    await run(['--version'])

    expect(performance.now() - began).toBeLessThan(START_MS_MAX)
  })

  it('ends with 130 at Ctrl-C, and leaves a valid stream behind', async () => {
    const directory = join(temporaryDirectory(), 'logs')
    const { child, ended } = launch(['write-logs', directory, '--rate', '200/s'])
    await exists(join(directory, 'E0000000003.log'))
    child.kill('SIGINT')

    expect(await ended).toBe(130)
    expect((await run(['verify', directory])).exitCode).toBe(0)
  })
})

describe('two nodes and a load', () => {
  it('end by themselves with a summary: every message there, both databases the same', async () => {
    const { exitCode, stdout } = await run(['up', '--for', '5s', '--rate', '200/s', '--json'])
    const documents = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const { summary } = documents.at(-1)

    expect(exitCode).toBe(0)
    expect(documents[0].places).toMatchObject({
      temporary: true,
      active: { name: 'node1' },
      passive: { name: 'node2' },
    })
    expect(documents.some(({ moment }) => moment !== undefined)).toBe(true)
    expect(summary).toMatchObject({ whole: true, messages: { sound: true }, databases: { sound: true } })
    expect(summary.load.delivered).toBeGreaterThan(20)
    expect(existsSync(documents[0].places.data)).toBe(false)
  })

  it('say what is where first, stop cleanly at Ctrl-C, and go on in the same directory', async () => {
    const data = temporaryDirectory()
    const first = launch(['up', '--data', data, '--rate', '200/s'])
    const intro = await linesUntil(first.lines, / s {2}Healthy/)
    first.child.kill('SIGINT')
    const summary = await linesUntil(first.lines, /both databases hold the same/)

    expect(await first.ended).toBe(130)
    expect(intro.join('\n')).toContain(join(data, 'node1/SG1'))
    expect(intro.join('\n')).toContain('suspend SG1')
    expect(summary.join('\n')).toMatch(/messages delivered .*\n.*every acknowledged message/)
    const settings = join(temporaryDirectory(), 'rtm.yaml')
    writeFileSync(settings, 'copy: { release: rtm }\n')
    const second = await run(['up', '--config', settings, '--data', data, '--for', '1s', '--json'])
    expect(second.exitCode).toBe(0)
    expect(readFileSync(join(data, 'ccr.yaml'), 'utf8')).toContain('release: rtm')
  })
})

async function linesUntil(lines: AsyncIterator<string>, last: RegExp): Promise<string[]> {
  const seen: string[] = []
  for (;;) {
    const { value, done } = await lines.next()
    if (done === true) throw new Error(`the output ended before ${last}:\n${seen.join('\n')}`)
    seen.push(value)
    if (last.test(value)) return seen
  }
}

async function exists(path: string): Promise<void> {
  while (!existsSync(path)) await new Promise((again) => setImmediate(again))
}
