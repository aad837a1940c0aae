// Goal: the verbs for files tell sound logs from damaged ones, show them as eseutil does, and write streams that pass.
// Method: streams that write-logs makes in temporary directories, damaged on purpose, and the real logs where they are at hand.
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openLogWriter } from '../../src/log-writer.ts'
import { type CliOutcome, ccr, temporaryDirectory } from './cli-harness.ts'

/** Real logs of the engine; their base name is edb, with five digits. */
const SPECIMENS = resolve(import.meta.dirname, '../../../shared/specimens')

async function aStream(count: number): Promise<string> {
  const directory = join(temporaryDirectory(), 'logs')
  const { exitCode } = await write(directory, count)
  expect(exitCode).toBe(0)
  return directory
}

function write(directory: string, count: number): Promise<CliOutcome> {
  return ccr(['write-logs', directory, '--rate', 'max', '--count', String(count), '--seed', '7', '--json'])
}

function flipByte(path: string, offset: number): void {
  const bytes = readFileSync(path)
  bytes[offset] = (bytes[offset] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

describe('ccr write-logs', () => {
  it('closes logs by rename and leaves a valid open log behind', async () => {
    const directory = await aStream(3)

    expect(readdirSync(directory).sort()).toEqual(['E00.log', 'E0000000001.log', 'E0000000002.log', 'E0000000003.log'])
    expect((await ccr(['verify', directory])).exitCode).toBe(0)
  })

  it('continues a stream that lies there, from its open log or from its newest closed one', async () => {
    const directory = await aStream(2)
    const second = await write(directory, 1)
    rmSync(join(directory, 'E00.log'))
    const third = await write(directory, 1)

    expect([JSON.parse(second.stdout).last, JSON.parse(third.stdout).last]).toEqual([3, 4])
    expect((await ccr(['verify', directory])).exitCode).toBe(0)
  })

  it('continues after everything closed was truncated', async () => {
    const directory = await aStream(2)
    rmSync(join(directory, 'E0000000001.log'))
    rmSync(join(directory, 'E0000000002.log'))

    expect(JSON.parse((await write(directory, 1)).stdout)).toMatchObject({ first: 3, last: 3 })
  })

  it('refuses to continue from a log that it cannot read', async () => {
    const directory = await aStream(1)
    flipByte(join(directory, 'E0000000001.log'), 100)
    rmSync(join(directory, 'E00.log'))

    const { exitCode, stderr } = await write(directory, 1)

    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/no readable header/)
  })

  it('keeps a steady rate', async () => {
    const began = performance.now()
    const { exitCode } = await ccr([
      'write-logs',
      join(temporaryDirectory(), 'logs'),
      '--rate',
      '100/s',
      '--count',
      '5',
    ])

    expect(exitCode).toBe(0)
    expect(performance.now() - began).toBeGreaterThanOrEqual(49)
  })

  it('ends cleanly at a signal', async () => {
    const directory = join(temporaryDirectory(), 'logs')

    const { exitCode, stdout } = await ccr(['write-logs', directory, '--rate', '1/h'], {
      signal: AbortSignal.abort('SIGINT'),
    })

    expect(exitCode).toBe(130)
    expect(stdout).toBe('no log was closed\n')
    expect((await ccr(['verify', directory])).exitCode).toBe(0)
  })

  it('notices a second writer in the same directory before a log is lost', async () => {
    const options = { directory: join(temporaryDirectory(), 'logs'), baseName: 'E00', seed: 1, nowMs: Date.now }
    const first = await openLogWriter(options)
    const second = await openLogWriter(options)

    await expect(first.roll()).rejects.toMatchObject({ code: 'FILE_HELD' })
    await expect(second.roll()).resolves.toMatchObject({ generation: 1 })
    await Promise.all([first.close(), second.close()])
  })

  it('refuses a base name that is none', async () => {
    const { exitCode, stderr } = await ccr(['write-logs', temporaryDirectory(), '--base-name', 'E0', '--count', '1'])

    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/^error: base name "E0"/)
  })
})

describe('ccr verify', () => {
  it('prints a set as eseutil /k does', async () => {
    const directory = await aStream(2)

    const { exitCode, stdout } = await ccr(['eseutil', '/k', directory])

    expect(exitCode).toBe(0)
    expect(stdout.split('\n')).toEqual([
      'Verifying log files...',
      '     Base name: E00',
      '',
      `      Log file: ${join(directory, 'E0000000001.log')} - OK`,
      `      Log file: ${join(directory, 'E0000000002.log')} - OK`,
      `      Log file: ${join(directory, 'E00.log')} - OK`,
      '',
      'No damaged log files were found.',
      '',
      '',
    ])
  })

  it.each([
    [
      'a flipped bit in the body',
      (d: string) => flipByte(join(d, 'E0000000002.log'), 500_000),
      'corrupt-checksum',
      -501,
    ],
    ['a flipped bit in the header', (d: string) => flipByte(join(d, 'E0000000002.log'), 50), 'corrupt-checksum', -501],
    ['a log that is too short', (d: string) => writeFileSync(join(d, 'E0000000002.log'), 'short'), 'bad-size', -541],
    [
      'a log under another name',
      (d: string) => renameSync(join(d, 'E0000000003.log'), join(d, 'E0000000009.log')),
      'generation-mismatch',
      -513,
    ],
  ])('finds %s and ends with 3', async (_what, damage, reason, eseError) => {
    const directory = await aStream(3)
    damage(directory)

    const { exitCode, stdout } = await ccr(['verify', directory, '--json'])
    const [set] = JSON.parse(stdout).sets

    expect(exitCode).toBe(3)
    expect(set.logs.filter(({ state }: { state: string }) => state === 'damaged')).toMatchObject([{ reason, eseError }])
  })

  it('finds the same in threads, which many files are spread over', async () => {
    const directory = await aStream(20)
    flipByte(join(directory, 'E000000000F.log'), 500_000)
    flipByte(join(directory, 'E0000000010.log'), 50)

    const { exitCode, stdout } = await ccr(['verify', directory, '--json'])
    const [{ logs }] = JSON.parse(stdout).sets

    expect(exitCode).toBe(3)
    expect(logs).toHaveLength(21)
    expect(logs.filter(({ state }: { state: string }) => state !== 'sound')).toMatchObject([
      { generation: 15, reason: 'corrupt-checksum' },
      { generation: 16, reason: 'corrupt-checksum' },
    ])
  })

  it('finds a log that is missing between others', async () => {
    const directory = await aStream(4)
    rmSync(join(directory, 'E0000000002.log'))
    rmSync(join(directory, 'E0000000003.log'))

    const { exitCode, stdout } = await ccr(['verify', directory])

    expect(exitCode).toBe(3)
    expect(stdout).toContain('Missing log files: E00{00000002 - 00000003}.log')
    expect(stdout).not.toContain('No damaged log files')
  })

  it('finds a log of another stream', async () => {
    const [directory, other] = [await aStream(3), join(temporaryDirectory(), 'logs')]
    await ccr(['write-logs', other, '--rate', 'max', '--count', '3', '--seed', '8'])
    renameSync(join(other, 'E0000000003.log'), join(directory, 'E0000000003.log'))

    const { exitCode, stdout } = await ccr(['verify', directory])

    expect(exitCode).toBe(3)
    expect(stdout).toContain('ERROR: Invalid log signature')
  })

  it('holds nothing against the open log of a store that is writing', async () => {
    const directory = join(temporaryDirectory(), 'logs')
    const writer = await openLogWriter({ directory, baseName: 'E00', seed: 1, nowMs: Date.now })
    await writer.roll()

    const { exitCode, stdout } = await ccr(['verify', directory])
    await writer.close()

    expect(exitCode).toBe(0)
    expect(stdout).toContain('E00.log - in use, not checked (-1032)')
  })

  it('keeps to one base name, and to single files', async () => {
    const directory = await aStream(1)
    await ccr(['write-logs', directory, '--rate', 'max', '--count', '1', '--base-name', 'E01'])
    const sets = async (line: string[]) => JSON.parse((await ccr(['verify', ...line, '--json'])).stdout).sets

    expect((await sets([directory])).map(({ baseName }: { baseName: string }) => baseName)).toEqual(['E00', 'E01'])
    expect(await sets([directory, '--base-name', 'E01'])).toHaveLength(1)
    expect((await sets([join(directory, 'E0000000001.log')]))[0].logs).toHaveLength(1)
  })

  it('says so when there is nothing to verify, or nothing to read', async () => {
    expect((await ccr(['verify', temporaryDirectory()])).stderr).toContain('no ESE log in')
    expect((await ccr(['verify', '/no/such/place'])).stderr).toMatch(/^error: \/no\/such\/place cannot be read: ENOENT/)
  })

  it.skipIf(!existsSync(SPECIMENS))('accepts the real logs of the engine', async () => {
    const { exitCode, stdout } = await ccr([
      'verify',
      join(SPECIMENS, 'winmail-v7-8k-A'),
      join(SPECIMENS, 'winmail-v7-512B'),
    ])

    expect(exitCode).toBe(0)
    expect(stdout.match(/ - OK/g)).toHaveLength(4)
  })
})

describe('ccr dump log', () => {
  it('shows a log as eseutil /ml does', async () => {
    const directory = await aStream(2)

    const { exitCode, stdout } = await ccr(['dump', 'log', join(directory, 'E0000000002.log')])

    expect(exitCode).toBe(0)
    expect(stdout).toMatch(
      /^ {6}Base name: E00\n {6}Log file: .*E0000000002\.log\n {6}lGeneration: 2 \(0x2\)\n {6}Checkpoint: NOT AVAILABLE/,
    )
    expect(stdout).toMatch(/Signature: Create time:\d\d\/\d\d\/\d{4} \d\d:\d\d:\d\d Rand:7 Computer:/)
  })

  it('shows a damaged log with its fault and ends with 3', async () => {
    const directory = await aStream(1)
    flipByte(join(directory, 'E0000000001.log'), 500_000)

    const { exitCode, stdout } = await ccr(['dump', 'log', join(directory, 'E0000000001.log')])

    expect(exitCode).toBe(3)
    expect(stdout).toContain('lGeneration: 1 (0x1)')
    expect(stdout).toMatch(/ERROR: Log damaged \(unusable\): .* Error -501\./)
  })

  it('of something that is no log says what is wrong', async () => {
    const path = join(temporaryDirectory(), 'E0000000001.log')
    writeFileSync(path, Buffer.alloc(8192, 1))

    const { exitCode, stdout } = await ccr(['dump', 'log', path, '--json'])

    expect(exitCode).toBe(3)
    expect(JSON.parse(stdout).logs[0]).toMatchObject({ path, sound: false })
  })

  it.skipIf(!existsSync(SPECIMENS))('shows a real log, with the checkpoint of the file beside it', async () => {
    const { exitCode, stdout } = await ccr(['eseutil', '/ml', join(SPECIMENS, 'winmail-v7-8k-A/edb.log')])

    expect(exitCode).toBe(0)
    expect(stdout).toContain('lGeneration: 2 (0x2)')
    expect(stdout).toMatch(/Checkpoint: \(0x2,/)
    expect(stdout).toContain('WindowsMail.MSMessageStore')
  })
})
