// Goal: share and copy run in the foreground as promised: they say where they are, stop at a signal, and --once ends by itself.
// Method: both inside this process over free ports, with logs that write-logs makes.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type CliOutcome, ccr, temporaryDirectory } from './cli-harness.ts'

interface Running {
  /** The document that the service printed when it had started. */
  readonly started: Readonly<Record<string, string>>
  readonly stop: () => Promise<CliOutcome>
}

/** Starts a service and waits for its first document. */
async function start(line: readonly string[]): Promise<Running> {
  const ending = new AbortController()
  let told: (document: Record<string, string>) => void = () => {}
  const started = new Promise<Record<string, string>>((resolve) => {
    told = resolve
  })
  const outcome = ccr([...line, '--manage', '127.0.0.1:0', '--log-level', 'error', '--json'], {
    signal: ending.signal,
    onStdout: (text) => told(JSON.parse(text)),
  })
  const stop = (): Promise<CliOutcome> => {
    ending.abort('SIGTERM')
    return outcome
  }
  onTestFinished(async () => {
    await stop()
  })
  const failed = outcome.then(({ stderr }) => Promise.reject(new Error(stderr)))
  return { started: await Promise.race([started, failed]), stop }
}

async function sharedLogs(count: number): Promise<Running & { readonly logs: string }> {
  const logs = join(temporaryDirectory(), 'logs')
  await ccr(['write-logs', logs, '--rate', 'max', '--count', String(count)])
  return { logs, ...(await start(['share', logs, '--listen', '127.0.0.1:0'])) }
}

describe('ccr share and ccr copy', () => {
  it('copy what is closed and end by themselves with --once', async () => {
    const { started } = await sharedLogs(12)
    const store = join(temporaryDirectory(), 'SG1')

    const text = await ccr(['copy', started['url'] ?? '', store, '--once'])
    const json = await ccr(['copy', started['url'] ?? '', store, '--once', '--json'])

    expect(text).toEqual({
      exitCode: 0,
      stdout: 'SG1: caught up; the copy holds logs 1 to 12, all inspected\n',
      stderr: '',
    })
    expect(JSON.parse(json.stdout)).toMatchObject({ LastLogInspected: 12, CopyQueueLength: 0 })
    expect(readdirSync(join(store, 'logs')).filter((name) => name.endsWith('.log'))).toHaveLength(12)
    expect((await ccr(['verify', join(store, 'logs')])).exitCode).toBe(0)
  })

  it('are asked, suspended, resumed and explained over their management addresses', async () => {
    const source = await sharedLogs(3)
    const store = join(temporaryDirectory(), 'SG1')
    const copy = await start(['copy', source.started['url'] ?? '', store])
    const [passive, active] = [copy.started['managementUrl'] ?? '', source.started['managementUrl'] ?? '']

    const suspended = await ccr(['suspend', 'SG1', '--comment', 'why', '--server', passive])
    const status = await ccr(['status', 'SG1', '--json', '--server', passive])
    const resumed = await ccr(['resume', 'SG1', '--server', passive])
    const marked = await ccr(['backup', 'mark', 'SG1', '--through', '2', '--server', active])
    const events = await ccr(['events', '--id', '9001', '--json', '--server', passive])

    expect([suspended, status, resumed, marked].map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0])
    expect(JSON.parse(status.stdout)).toMatchObject({ SummaryCopyStatus: 'Suspended', SuspendComment: 'why' })
    expect(JSON.parse(events.stdout).events).toMatchObject([{ id: 9001, text: 'The copy of SG1 was suspended: why.' }])
  })

  it('end with 143 when they are told to stop', async () => {
    const { stop } = await sharedLogs(1)

    expect((await stop()).exitCode).toBe(143)
  })

  it('find out the base name of the logs that lie there', async () => {
    const logs = join(temporaryDirectory(), 'logs')
    await ccr(['write-logs', logs, '--rate', 'max', '--count', '1', '--base-name', 'edb'])

    const { started } = await start(['share', logs, '--listen', '127.0.0.1:0'])

    expect(started['format']).toEqual({ kind: 'ese', baseName: 'edb' })
  })
})

describe('bad input', () => {
  it.each([
    [['share', '/no/such/directory'], 1, 'DIRECTORY_MISSING'],
    [['share', '.', '--name', '../x'], 2, 'NAME_INVALID'],
    [['share', '.', '--name', 'x'.repeat(300)], 2, 'NAME_INVALID'],
    [['share', '.', '--base-name', 'E0'], 2, 'LOG_FORMAT_INVALID'],
    [['share', '.', '--format', 'numbered', '--pattern', '('], 2, 'LOG_FORMAT_INVALID'],
    [['share', '.', '--format', 'numbered'], 2, 'USAGE'],
    [['share', '.', '--pattern', 'postgresql'], 2, 'USAGE'],
    [['share', '.', '--listen', '0.0.0.0:7700'], 2, 'BIND_REFUSED'],
    [['share', '.', '--copies-expected', '-1'], 2, 'CONFIG_INVALID'],
    [['share', '.', '--passive-gate', 'maybe'], 2, 'CONFIG_INVALID'],
    [['copy', 'ftp://127.0.0.1/shares/SG1', 'store'], 2, 'URL_INVALID'],
    [['copy', 'http://127.0.0.1:1/elsewhere', 'store'], 2, 'URL_INVALID'],
    [['copy', 'http://127.0.0.1:1/shares/SG1', 'store', '--name', 'SG2'], 2, 'USAGE'],
  ])('%j ends with %d and %s', async (line, exitCode, code) => {
    const outcome = await ccr([...line.map((word) => (word === '.' ? temporaryDirectory() : word)), '--json'])

    expect(JSON.parse(outcome.stderr)).toMatchObject({ code })
    expect(outcome).toMatchObject({ exitCode, stdout: '' })
  })

  it('a store that another copy works on is refused with 6', async () => {
    const { started } = await sharedLogs(1)
    const store = join(temporaryDirectory(), 'SG1')
    await start(['copy', started['url'] ?? '', store])

    const { exitCode, stderr } = await ccr(['copy', started['url'] ?? '', store, '--once', '--json'])

    expect(exitCode).toBe(6)
    expect(JSON.parse(stderr)).toMatchObject({ code: 'STORE_LOCKED' })
  })
})
