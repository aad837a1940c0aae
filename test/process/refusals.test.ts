// Goal: a wrong command line or a place that is taken is refused at once, with a code, a sentence and what to do about it.
// Method: the built program as people start it; exit code and the two lines on stderr.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort, waitUntil } from '../../bench/command.ts'
import { makeNumberedLogs, NUMBERED_PATTERN, numberedName } from '../../bench/log-files.ts'
import { type FinishedCommand, readJson, runCcr, untilInspected } from '../../bench/product.ts'
import { ProcessBed, untilStatus } from './process-bed.ts'

const NUMBERED = { arguments: ['--format', 'numbered', '--pattern', NUMBERED_PATTERN] }
const USAGE_EXIT = 2
const REFUSED_EXIT = 6
/** A user without rights, where the tests run as root, whom no directory refuses. */
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']

let bed: ProcessBed

beforeEach(() => {
  bed = new ProcessBed()
})
afterEach(() => bed.close())

describe('a second process', () => {
  it('on the same store is refused, and the first goes on', { timeout: 60_000 }, async () => {
    makeNumberedLogs(bed.source, { first: 1, last: 2, sizeBytes: 512 })
    const share = await bed.share(NUMBERED)
    const copy = await bed.copy(share)
    await untilInspected(copy, 2)

    const second = await runCcr(['copy', `${share.listen}/shares/SG1`, bed.store, '--manage', '127.0.0.1:0'])
    makeNumberedLogs(bed.source, { first: 3, last: 3, sizeBytes: 512 })
    await untilInspected(copy, 3)

    expect(second.exitCode).toBe(REFUSED_EXIT)
    expect(second.stderr).toContain(`error: ${bed.store} is already in use by process ${copy.pid}`)
    expect(second.stderr).toMatch(/^hint: /m)
  })

  it('on the same port is refused', { timeout: 60_000 }, async () => {
    const share = await bed.share(NUMBERED)
    const port = new URL(share.listen).port
    mkdirSync(join(bed.directory, 'other'))

    const words = ['--listen', `127.0.0.1:${port}`, '--manage', '127.0.0.1:0']
    const second = await runCcr(['share', join(bed.directory, 'other'), ...words])

    expect(second.exitCode).toBe(1)
    expectExplained(second, `127.0.0.1:${port} is in use`)
  })
})

describe('a command line', () => {
  it.each([
    ['a store without a scheme', ['copy', '127.0.0.1:7700/shares/SG1', 'STORE']],
    ['another protocol', ['copy', 'ftp://127.0.0.1/shares/SG1', 'STORE']],
    ['no share in the address', ['copy', 'http://127.0.0.1:7700/', 'STORE']],
    ['another machine', ['copy', 'http://192.0.2.1:7700/shares/SG1', 'STORE']],
    [
      'a storage group of 300 characters in the address',
      ['copy', `http://127.0.0.1:7700/shares/${'a'.repeat(300)}`, 'STORE'],
    ],
    ['a path in the address', ['copy', 'http://127.0.0.1:7700/shares/..%2F..%2Fetc', 'STORE']],
    ['a storage group of 300 characters', ['share', 'SOURCE', '--name', 'a'.repeat(300)]],
    ['a storage group with a separator', ['share', 'SOURCE', '--name', 'a/b']],
    ['a storage group that is a path', ['share', 'SOURCE', '--name', '..']],
    ['a pattern without a number', ['share', 'SOURCE', '--format', 'numbered', '--pattern', 'log-.*']],
    ['a pattern that could take for ever', ['share', 'SOURCE', '--format', 'numbered', '--pattern', '(?<hex>(a+)+)']],
    ['a base name that is none', ['share', 'SOURCE', '--base-name', 'E00/']],
    ['an address that others can reach', ['share', 'SOURCE', '--listen', '0.0.0.0:0']],
  ])('with %s is refused before anything is shared or copied', { timeout: 30_000 }, async (_what, words) => {
    const places: Readonly<Record<string, string>> = { STORE: bed.store, SOURCE: bed.source }

    const ended = await runCcr(words.map((word) => places[word] ?? word))

    expect(ended.exitCode).toBe(USAGE_EXIT)
    expectExplained(ended, '')
    expect(readdirSync(bed.directory)).toEqual(['source'])
    // The directory of its own state is all that a source may have made by then.
    expect(readdirSync(bed.source).filter((name) => name !== '.ccr')).toEqual([])
  })

  it('with a log directory that is not there is refused, and the directory is not made', {
    timeout: 30_000,
  }, async () => {
    const ended = await runCcr(['share', join(bed.directory, 'nowhere')])

    expect(ended.exitCode).toBe(1)
    expectExplained(ended, 'nowhere is not there')
    expect(readdirSync(bed.directory)).toEqual(['source'])
  })

  it('with a store that holds something else is refused, and nothing of it is touched', {
    timeout: 30_000,
  }, async () => {
    mkdirSync(bed.store)
    writeFileSync(join(bed.store, 'thesis.txt'), 'years of work')
    const share = await bed.share(NUMBERED)

    const ended = await runCcr(['copy', `${share.listen}/shares/SG1`, bed.store, '--once'])

    expect(ended.exitCode).toBe(REFUSED_EXIT)
    expectExplained(ended, 'is no store of a copy')
    expect(readdirSync(bed.store)).toEqual(['thesis.txt'])
  })

  it('with a share that does not exist is refused', { timeout: 60_000 }, async () => {
    const share = await bed.share(NUMBERED)

    const ended = await runCcr(['copy', `${share.listen}/shares/SG2`, bed.store, '--once'])

    expect(ended.exitCode).toBe(1)
    expectExplained(ended, 'no share named "SG2"')
  })

  it('with a source that is not there ends with the exit code of an unreachable node', {
    timeout: 120_000,
  }, async () => {
    const port = await freePort()

    const ended = await runCcr(['copy', `http://127.0.0.1:${port}/shares/SG1`, bed.store, '--once'])

    expect(ended.exitCode).toBe(4)
    expectExplained(ended, String(port))
  })
})

describe('a directory', () => {
  it.skipIf(process.getuid?.() !== 0)(
    'that may not be written refuses the copy (skipped without root)',
    { timeout: 60_000 },
    async () => {
      const share = await bed.share(NUMBERED)

      const ended = await runCcr(['copy', `${share.listen}/shares/SG1`, bed.store, '--once'], { wrapper: NOBODY })

      expect(ended.exitCode).toBe(1)
      expectExplained(ended, 'store')
      expect(readdirSync(bed.directory)).toEqual(['source'])
    },
  )

  it('that vanishes below a copy makes it Failed, and is never made anew by itself', { timeout: 90_000 }, async () => {
    makeNumberedLogs(bed.source, { first: 1, last: 3, sizeBytes: 512 })
    const share = await bed.share(NUMBERED)
    const copy = await bed.copy(share)
    await untilInspected(copy, 3)

    rmSync(bed.copied, { recursive: true })
    makeNumberedLogs(bed.source, { first: 4, last: 4, sizeBytes: 512 })
    const failed = await untilStatus(copy, 'the copy fails', ({ SummaryCopyStatus }) => SummaryCopyStatus === 'Failed')

    expect(failed.FailedMessage).toContain('logs')
    expect(readdirSync(bed.store)).not.toContain('logs')
    // What the copy has lost may not go on the source.
    expect(readdirSync(bed.source)).toEqual(expect.arrayContaining([1, 2, 3, 4].map(numberedName)))
  })

  it('of logs that vanishes below a source is told, and comes back with its logs', { timeout: 120_000 }, async () => {
    makeNumberedLogs(bed.source, { first: 1, last: 3, sizeBytes: 512 })
    const state = ['--state', join(bed.directory, 'state')]
    const share = await bed.share({
      arguments: [...NUMBERED.arguments, ...state],
      environment: { CCR_SHARE_SCAN_INTERVAL: '200ms' },
    })
    const copy = await bed.copy(share)
    await untilInspected(copy, 3)

    rmSync(bed.source, { recursive: true })
    const read = async (): Promise<unknown> => readJson(`${share.manage}/api/v1/shares/SG1`)
    await waitUntil('the loss is noticed', async () => isRead(await read()) === false)
    makeNumberedLogs(bed.source, { first: 1, last: 4, sizeBytes: 512 })
    await untilInspected(copy, 4)

    expect(bed.copiedNames()).toEqual([1, 2, 3, 4].map(numberedName))
  })
})

function isRead(document: unknown): boolean | undefined {
  return (document as { directoryRead?: boolean } | null)?.directoryRead // the schema is tested with the API
}

/** One line that says what, one that says what to do. */
function expectExplained({ stderr }: FinishedCommand, what: string): void {
  expect(stderr).toMatch(/^error: .+$/m)
  expect(stderr).toMatch(/^hint: .+$/m)
  expect(stderr).toContain(what)
  expect(stderr).not.toMatch(/^\s+at /m)
}
