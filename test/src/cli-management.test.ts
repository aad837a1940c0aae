// Goal: the verbs for operators say what a service says, in Exchange's shape or as JSON, and end with the promised exit code.
// Method: command lines inside this process against the real management API on a free port, with states made by hand.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { STATUS_FIELDS } from '../../src/status-fields.ts'
import { copyStatusDocument } from '../../transport/management-documents.ts'
import { type CliSetting, ccr } from './cli-harness.ts'
import {
  anEvent,
  aSource,
  aStatus,
  COPY_ID,
  copiesPort,
  eventsPort,
  managementApi,
  sharesPort,
} from './management-fixture.ts'

describe('ccr status', () => {
  it('prints the table of Get-StorageGroupCopyStatus', async () => {
    const server = await managementApi({ copies: copiesPort(aStatus()) })

    const { exitCode, stdout, stderr } = await ccr(['status', '--server', server])

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout.split('\n')).toHaveLength(5)
    expect(stdout).toMatch(/^SG1 {23}Healthy {7}3 {13}0 {13}6\/1\d\/2007/m)
  })

  it('takes the address from CCR_SERVER', async () => {
    const server = await managementApi({ copies: copiesPort(aStatus()) })

    const { exitCode } = await ccr(['status', 'SG1'], { env: { CCR_SERVER: server } })

    expect(exitCode).toBe(0)
  })

  it('lists every field of | fl in its order, and then its own', async () => {
    const server = await managementApi({ copies: copiesPort(aStatus({ suspendComment: 'new disk' })) })

    const { stdout } = await ccr(['status', 'SG1', '--format', 'list', '--server', server])
    const labels = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.slice(0, line.indexOf(' ')))

    const ours = ['LowestLog', 'SourceConnected', 'LowestRequiredLog', 'HighestRequiredLog', 'Remark']
    expect(labels).toEqual([...STATUS_FIELDS.map(({ name }) => name), ...ours])
    expect(stdout).toMatch(/^SuspendComment +: new disk$/m)
    expect(stdout).toMatch(/^Identity +: NODE2\\SG1$/m)
  })

  it('has the fields in the order in which the service sends them', () => {
    const sent = Object.keys(copyStatusDocument(aStatus(), 'NODE2'))

    expect(sent.slice(0, STATUS_FIELDS.length)).toEqual(STATUS_FIELDS.map(({ name }) => name))
  })

  it('prints one document with --json: all copies, or the one that was named', async () => {
    const server = await managementApi({ copies: copiesPort(aStatus()) })

    const all = await ccr(['status', '--json', '--server', server])
    const one = await ccr(['--json', 'Get-StorageGroupCopyStatus', '-identity', 'NODE2\\SG1', '-Server', server])

    expect(JSON.parse(all.stdout).copies).toHaveLength(1)
    expect(JSON.parse(one.stdout)).toMatchObject({ StorageGroupName: 'SG1', CopyQueueLength: 3, LastLogInspected: 42 })
  })

  it('prints a document on each line with --watch --json, until the signal', async () => {
    const server = await managementApi({ copies: copiesPort(aStatus()) })
    const { setting, seen } = untilLines(3)

    const { exitCode } = await ccr(['status', '--watch', '--interval', '5ms', '--json', '--server', server], setting)

    expect(exitCode).toBe(130)
    expect(seen().every((line) => JSON.parse(line).copies.length === 1)).toBe(true)
  })

  it('redraws the table in place where somebody watches', async () => {
    const server = await managementApi({ copies: copiesPort(aStatus()) })
    const { setting, seen } = untilLines(8)

    await ccr(['status', '--watch', '--interval', '5ms', '--server', server], { ...setting, isTerminal: true })

    expect(seen().join('\n')).toContain('\u001b[4A\u001b[J')
  })

  it('says so when the service holds no copy', async () => {
    const server = await managementApi({ shares: sharesPort(aSource()) })

    const { exitCode, stdout, stderr } = await ccr(['status', '--server', server])

    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' })
    expect(stderr).toContain('no copy')
  })

  it('ends with 4 when nobody answers, 1 for a storage group that is not there, 2 for a name that is none', async () => {
    const server = await managementApi({ copies: copiesPort(aStatus()) })

    const codes = [
      await ccr(['status', '--server', await freedAddress()]),
      await ccr(['status', 'SG2', '--server', server]),
      await ccr(['status', '../SG1', '--server', server]),
      await ccr(['status', '--server', 'ftp://x']),
    ]

    expect(codes.map(({ exitCode }) => exitCode)).toEqual([4, 1, 2, 2])
    expect(codes[0]?.stderr).toMatch(/^error: no service answers at http.*\(ECONNREFUSED\)\nhint: Start it/)
    expect(codes[1]?.stderr).toContain('named SG2')
  })

  it('ends with 5 when the service does not answer in time', async () => {
    const server = await silentServer()

    const { exitCode, stderr } = await ccr(['status', '--server', server], { env: { CCR_CLIENT_TIMEOUT: '100ms' } })

    expect(exitCode).toBe(5)
    expect(stderr).toContain('did not answer within 100 ms')
  })

  it.each([
    ['200 OK', '{"copies":[{"StorageGroupName":"SG1"}]}', 'has no Identity'],
    ['200 OK', 'hello', 'is no object'],
    ['503 Busy', '<html>', 'without a problem document'],
  ])('refuses an answer that is none of this API: %s %s', async (status, body, why) => {
    const server = await answering(Number.parseInt(status, 10), body)

    const { exitCode, stderr } = await ccr(['status', '--server', server])

    expect(exitCode).toBe(1)
    expect(stderr).toContain(why)
  })
})

describe('ccr suspend and resume', () => {
  it('suspends with a comment, in both manners of writing', async () => {
    const requests: string[] = []
    const server = await managementApi({ copies: copiesPort(aStatus(), requests) })

    const verb = await ccr(['suspend', 'SG1', '--comment', 'new disk', '--server', server])
    const cmdlet = await ccr([
      ...['SUSPEND-storagegroupcopy', '-Identity', 'SG1', '-suspendcomment', 'other', '-Confirm:$false'],
      ...['--server', server],
    ])

    expect([verb.exitCode, cmdlet.exitCode]).toEqual([0, 0])
    expect(verb.stdout).toBe('SG1: Suspended (new disk)\n')
    expect(requests).toEqual(['suspend SG1 new disk', 'suspend SG1 other'])
  })

  it('leaves the comment alone when none is given', async () => {
    const requests: string[] = []
    const server = await managementApi({ copies: copiesPort(aStatus(), requests) })

    await ccr(['suspend', 'SG1', '--server', server])

    expect(requests).toEqual(['suspend SG1 null'])
  })

  it('resumes, and passes on what the service remarks', async () => {
    const server = await managementApi({ copies: copiesPort(aStatus()) })

    const { exitCode, stdout, stderr } = await ccr(['resume', 'SG1', '--server', server])
    const json = await ccr(['resume', 'SG1', '--json', '--server', server])

    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 0,
      stdout: 'SG1: Healthy\n',
      stderr: 'the copy was not suspended\n',
    })
    expect(JSON.parse(json.stdout)).toMatchObject({ remark: 'the copy was not suspended', status: { Suspend: false } })
  })

  it('shows what the service refuses, with its code', async () => {
    const server = await managementApi({ copies: copiesPort(aStatus()) })

    const { exitCode, stderr } = await ccr(['suspend', 'SG1', '--comment', 'a\nb', '--json', '--server', server])

    expect(exitCode).toBe(2)
    expect(JSON.parse(stderr)).toMatchObject({ code: 'REQUEST_INVALID', retriable: false })
  })
})

describe('truncation', () => {
  it('is explained for each run of logs', async () => {
    const server = await managementApi({ shares: sharesPort(aSource()) })

    const { exitCode, stdout } = await ccr(['explain', 'truncation', 'SG1', '--server', server])

    expect(exitCode).toBe(0)
    expect(stdout).toContain('closed logs 00000001 (1) to 0000000A (10)')
    expect(stdout).toContain('no backup lets it go')
    expect(stdout).toMatch(/copy node2:\/store has inspected logs through 00000007\n +released by/)
  })

  it('needs the name of a storage group', async () => {
    expect((await ccr(['explain', 'truncation'])).exitCode).toBe(2)
  })

  it('is set going by a backup mark, however the generation is written', async () => {
    const requests: string[] = []
    const server = await managementApi({ shares: sharesPort(aSource(), requests) })
    const mark = (through: string) => ccr(['backup', 'mark', 'SG1', '--through', through, '--server', server])

    const outcomes = [await mark('7'), await mark('0x7'), await mark('00000007')]

    expect(requests).toEqual(['mark SG1 7', 'mark SG1 7', 'mark SG1 7'])
    expect(outcomes.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0])
    expect(outcomes[0]?.stderr).toBe('logs above 00000007 go as the copy catches up\n')
  })

  it('ends with 6 when the mark is refused, 2 when the generation is none', async () => {
    const server = await managementApi({ shares: sharesPort(aSource()) })

    expect((await ccr(['backup', 'mark', 'SG1', '--through', '11', '--server', server])).exitCode).toBe(6)
    expect((await ccr(['backup', 'mark', 'SG1', '--through', 'last', '--server', server])).exitCode).toBe(2)
    expect((await ccr(['backup', 'mark', 'SG1', '--server', server])).exitCode).toBe(2)
  })
})

describe('ccr disable', () => {
  it.each([[COPY_ID], [COPY_ID.slice(0, 6).toUpperCase()], ['node2:/store']])('finds the copy by %s', async (named) => {
    const requests: string[] = []
    const server = await managementApi({ shares: sharesPort(aSource(), requests) })

    const { exitCode } = await ccr(['Disable-StorageGroupCopy', 'SG1', '-StandbyMachine', named, '--server', server])

    expect(exitCode).toBe(0)
    expect(requests).toEqual([`disable SG1 ${COPY_ID}`])
  })

  it('refuses a text that names no copy, and tells which there are', async () => {
    const requests: string[] = []
    const server = await managementApi({ shares: sharesPort(aSource(), requests) })

    const { exitCode, stderr } = await ccr(['disable', 'SG1', '--copy', 'node9', '--server', server])

    expect(exitCode).toBe(2)
    expect(stderr).toContain(`${COPY_ID} (node2:/store)`)
    expect(requests).toEqual([])
  })
})

describe('ccr explain truncation --copy', () => {
  it('says at the copy why its logs are there, in words or as a document', async () => {
    const server = await managementApi({ copies: copiesPort(aStatus()) })

    const text = await ccr(['explain', 'truncation', 'SG1', '--copy', '--server', server])
    const json = await ccr(['explain', 'truncation', 'SG1', '--copy', '--json', '--server', server])

    expect(text.stdout).toContain('00000003 (3): held, because\n  - it is new\n    released by time')
    expect(JSON.parse(json.stdout)).toMatchObject({
      held: [{ text: 'Log 00000003 of the copy of SG1 is kept because it is new.' }],
    })
  })
})

describe('ccr events', () => {
  const past = [
    anEvent(1),
    anEvent(2, { id: 2075, level: 'error', text: 'The inspector of SG1 refused log 7.' }),
    anEvent(3, { id: 224, source: 'ESE' }),
  ]

  it('prints one line per event, or one document', async () => {
    const server = await managementApi({ events: eventsPort(past) })

    const text = await ccr(['events', '--server', server])
    const json = await ccr(['events', '--json', '--server', server])

    expect(text.stdout.split('\n')).toHaveLength(4)
    expect(text.stdout).toMatch(/^2007-06-14T12:00:02\.000Z error {7}MSExchangeRepl 2075 The inspector/m)
    expect(JSON.parse(json.stdout).events).toEqual(past)
  })

  it.each([
    [['--id', '2075'], [2]],
    [['--level', 'error'], [2]],
    [['--source', 'ese'], [3]],
    [
      ['--newest', '2'],
      [2, 3],
    ],
  ])('keeps to %j', async (options, sequences) => {
    const server = await managementApi({ events: eventsPort(past) })

    const { stdout } = await ccr(['events', ...options, '--json', '--server', server])

    expect(JSON.parse(stdout).events.map((event: { sequence: number }) => event.sequence)).toEqual(sequences)
  })

  it('takes the line that administrators type', async () => {
    const server = await managementApi({ events: eventsPort(past) })
    const line = [
      'Get-EventLog',
      '-LogName',
      'Application',
      '-Newest',
      '20',
      '-EntryType',
      'Error',
      '-InstanceId',
      '2075',
    ]

    const { exitCode, stdout } = await ccr([...line, '--server', server])

    expect(exitCode).toBe(0)
    expect(stdout.trim().split('\n')).toHaveLength(1)
  })

  it('follows events as they are raised, until the signal', async () => {
    const server = await managementApi({ events: eventsPort(past.slice(0, 1), past.slice(1)) })
    const { setting, seen } = untilLines(3)

    const { exitCode } = await ccr(['events', '--follow', '--json', '--server', server], setting)

    expect(exitCode).toBe(130)
    expect(seen().map((line) => JSON.parse(line).sequence)).toEqual([1, 2, 3])
  })
})

/** A setting whose signal fires once so many lines were printed. */
function untilLines(count: number): { setting: CliSetting; seen: () => string[] } {
  const ending = new AbortController()
  let text = ''
  const seen = (): string[] => text.trimEnd().split('\n')
  const onStdout = (piece: string): void => {
    text += piece
    if (seen().length >= count) ending.abort('SIGINT')
  }
  return { setting: { signal: ending.signal, onStdout }, seen }
}

/** The address of a server that answered once and is gone. */
async function freedAddress(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // a listening TCP server has one
  await new Promise((resolve) => server.close(resolve))
  return `http://127.0.0.1:${port}`
}

function silentServer(): Promise<string> {
  return listening(() => {})
}

function answering(status: number, body: string): Promise<string> {
  return listening((respond) => respond(status, body))
}

async function listening(onRequest: (respond: (status: number, body: string) => void) => void): Promise<string> {
  const server = createServer((_, response) =>
    onRequest((status, body) => {
      response.writeHead(status)
      response.end(body)
    }),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // a listening TCP server has one
  return `http://127.0.0.1:${port}`
}
