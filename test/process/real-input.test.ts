// Goal: what lies in a real log directory is shipped when it is a closed log, and is harmless when it is anything else.
// Method: the built programs on directories as they are found; every log that arrives is compared byte for byte.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runScript, waitUntil } from '../../bench/command.ts'
import { makeNumberedLogs, NUMBERED_PATTERN, numberedName } from '../../bench/log-files.ts'
import { peakResidentBytes } from '../../bench/process-usage.ts'
import { CCR_BIN, postJson, readJson, type ShareService, untilInspected } from '../../bench/product.ts'
import { ProcessBed, untilStatus } from './process-bed.ts'

const NUMBERED = { arguments: ['--format', 'numbered', '--pattern', NUMBERED_PATTERN] }
const SPECIMENS = resolve(import.meta.dirname, '../../../shared/specimens')
/** A log directory that nobody has cleaned up for long. */
const BACKLOG_LOGS = 100_000
const BURST_LOGS = 5_000
/** Small: what is under test is the number of logs. */
const SMALL_BYTES = 512
/** Neither side may grow with the number of logs. */
const MEMORY_BYTES_MAX = 200e6

let bed: ProcessBed

beforeEach(() => {
  bed = new ProcessBed()
})
afterEach(() => bed.close())

describe('a source', () => {
  it(`with ${BACKLOG_LOGS} closed logs announces and serves them all, in bounded memory`, {
    timeout: 180_000,
  }, async () => {
    makeNumberedLogs(bed.source, { first: 1, last: BACKLOG_LOGS, sizeBytes: SMALL_BYTES })

    const share = await bed.share(NUMBERED)
    const copy = await bed.copy(share)
    await untilInspected(copy, BACKLOG_LOGS / 100, 120_000)

    expect(await closedThrough(share)).toBe(BACKLOG_LOGS)
    expect(bed.differing([1, 2, BACKLOG_LOGS / 100].map(numberedName))).toEqual([])
    const answer = await fetch(`${share.listen}/shares/SG1/logs/${BACKLOG_LOGS}`)
    expect(Buffer.from(await answer.arrayBuffer()).toString()).toContain(numberedName(BACKLOG_LOGS))
    for (const { pid } of [share, copy]) expect(peakResidentBytes(pid)).toBeLessThan(MEMORY_BYTES_MAX)
  })

  it(`into which ${BURST_LOGS} logs are renamed at once and out of order ships each of them, and no stranger among them`, {
    timeout: 180_000,
  }, async () => {
    const share = await bed.share(NUMBERED)
    const copy = await bed.copy(share)
    const staging = join(bed.directory, 'staging')
    makeNumberedLogs(staging, { first: 1, last: BURST_LOGS, sizeBytes: SMALL_BYTES })
    const names = outOfOrder(BURST_LOGS)

    await placeStrangers()
    for (const name of names) renameSync(join(staging, name), join(bed.source, name))
    await untilInspected(copy, BURST_LOGS, 150_000)

    expect(bed.copiedNames()).toEqual([...names].sort())
    expect(bed.differing(names)).toEqual([])
    expect(readdirSync(bed.source)).toEqual(expect.arrayContaining(['notes.txt', 'old', numberedName(BURST_LOGS + 2)]))
  })

  it('whose writer keeps its current log open ships the closed ones alone', { timeout: 60_000 }, async () => {
    const share = await bed.share()
    const copy = await bed.copy(share)

    const writer = spawn(process.execPath, [CCR_BIN, 'write-logs', bed.source, '--rate', '200/s', '--seed', '7'])
    await untilInspected(copy, 30)
    // Between the two renames of a roll there is no current log, for an instant.
    await waitUntil('the current log lies there', () => existsSync(join(bed.source, 'E00.log')))
    writer.kill('SIGTERM')
    await once(writer, 'exit')
    await untilInspected(copy, await closedThrough(share))

    expect(bed.copiedNames()).toEqual(readdirSync(bed.source).filter((name) => /^E00[0-9A-F]{8}\.log$/.test(name)))
    expect(bed.differing(bed.copiedNames())).toEqual([])
  })

  it('that gets its logs in descending order announces them only once there is no gap', {
    timeout: 60_000,
  }, async () => {
    const share = await bed.share(NUMBERED)
    const copy = await bed.copy(share)

    makeNumberedLogs(bed.source, { first: 1, last: 1, sizeBytes: SMALL_BYTES })
    await untilInspected(copy, 1)
    makeNumberedLogs(bed.source, { first: 3, last: 3, sizeBytes: SMALL_BYTES })
    await waitUntil('the gap is noticed', async () => (await shareOf(share)).missing === 2)
    const before = bed.copiedNames()
    makeNumberedLogs(bed.source, { first: 2, last: 2, sizeBytes: SMALL_BYTES })
    await untilInspected(copy, 3)

    expect(before).toEqual([numberedName(1)])
    expect(bed.copiedNames()).toEqual([1, 2, 3].map(numberedName))
  })
})

describe('a log that changes after it was closed', () => {
  it('stays on the copy as it was closed', { timeout: 60_000 }, async () => {
    makeNumberedLogs(bed.source, { first: 1, last: 3, sizeBytes: SMALL_BYTES })
    const share = await bed.share(NUMBERED)
    const copy = await bed.copy(share)
    await untilInspected(copy, 3)

    writeFileSync(join(bed.source, numberedName(2)), 'something else')
    makeNumberedLogs(bed.source, { first: 4, last: 4, sizeBytes: SMALL_BYTES })
    await untilInspected(copy, 4)

    expect(bed.differing([1, 2, 3, 4].map(numberedName))).toEqual([numberedName(2)])
  })

  it('is refused by the inspector where the format proves it, and the copy goes on once it is put right', {
    timeout: 60_000,
  }, async () => {
    const logs = await writeEseLogs(3)
    const second = logs[1] ?? ''
    renameSync(join(bed.source, second), join(bed.directory, 'kept'))
    writeFileSync(join(bed.source, second), new Uint8Array(1024 * 1024).fill(0x42))
    const share = await bed.share()
    const copy = await bed.copy(share)

    const failed = await untilStatus(copy, 'the copy fails', ({ SummaryCopyStatus }) => SummaryCopyStatus === 'Failed')
    renameSync(join(bed.directory, 'kept'), join(bed.source, second))
    await postJson(`${copy.manage}/api/v1/copies/SG1/suspend`, {})
    await postJson(`${copy.manage}/api/v1/copies/SG1/resume`, {})
    await untilInspected(copy, 3)
    const quarantined = readdirSync(join(bed.copied, 'IgnoredLogs/InspectionFailed'))

    expect(failed.LastLogInspected).toBe(1)
    expect(failed.FailedMessage).toContain('00000002')
    expect(quarantined.filter((name) => name.startsWith(second) && !name.endsWith('.json'))).toHaveLength(3)
    expect(bed.copiedNames()).toEqual(logs)
    expect(bed.differing(logs)).toEqual([])
  })

  it('is not given to a copy that comes later', { timeout: 60_000 }, async () => {
    makeNumberedLogs(bed.source, { first: 1, last: 3, sizeBytes: SMALL_BYTES })
    const share = await bed.share(NUMBERED)
    const early = await bed.copy(share)
    await untilInspected(early, 3)
    writeFileSync(join(bed.source, numberedName(2)), 'something else')

    const late = await bed.copy(share, { store: 'late' })
    const failed = await untilStatus(
      late,
      'the late copy fails',
      ({ SummaryCopyStatus }) => SummaryCopyStatus === 'Failed',
    )

    expect(failed.FailedMessage).toContain('00000002')
    expect(failed.FailedMessage).toContain('another content')
    expect(failed.LastLogInspected).toBeLessThanOrEqual(1)
    expect(readdirSync(join(bed.directory, 'late/logs'))).not.toContain(numberedName(2))
  })
})

describe.skipIf(!existsSync(SPECIMENS))('real ESE logs (skipped where ../shared/specimens is absent)', () => {
  it.each(['winmail-v7-512B', 'winmail-v7-8k-A'])('of %s are shipped', { timeout: 60_000 }, async (stream) => {
    cpSync(join(SPECIMENS, stream), bed.source, { recursive: true })
    const share = await bed.share()

    const copy = await bed.copy(share)
    await untilInspected(copy, 1)

    expect(bed.copiedNames()).toEqual(['edb00001.log'])
    expect(bed.differing(['edb00001.log'])).toEqual([])
  })
})

/** What people and programs leave in log directories, some under names of logs that are to come. */
async function placeStrangers(): Promise<void> {
  writeFileSync(join(bed.source, 'notes.txt'), 'not a log')
  mkdirSync(join(bed.source, 'old'))
  mkdirSync(join(bed.source, numberedName(BURST_LOGS + 2)))
  symlinkSync('/etc/hostname', join(bed.source, numberedName(BURST_LOGS + 3)))
  writeFileSync(join(bed.source, numberedName(BURST_LOGS + 4)), '')
  await runScript('mkfifo "$1"', [join(bed.source, numberedName(BURST_LOGS + 5))]).done
}

/** Every generation once, in an order that is neither ascending nor descending. */
function outOfOrder(count: number): string[] {
  const stride = 1_663 // has no factor in common with the count, so that every generation comes up
  return Array.from({ length: count }, (_, index) => numberedName(((index * stride) % count) + 1))
}

async function writeEseLogs(count: number): Promise<string[]> {
  await runScript('"$1" "$2" write-logs "$3" --rate max --count "$4" --seed 3', [
    process.execPath,
    CCR_BIN,
    bed.source,
    String(count),
  ]).done
  return readdirSync(bed.source).filter((name) => /^E00[0-9A-F]{8}\.log$/.test(name))
}

interface ShareFigures {
  readonly closedThrough: number
  readonly missing: number
}

async function shareOf(share: ShareService): Promise<ShareFigures> {
  const document = await readJson(`${share.manage}/api/v1/shares/SG1`)
  return (document ?? { closedThrough: 0, missing: 0 }) as ShareFigures // its schema is tested with the API
}

async function closedThrough(share: ShareService): Promise<number> {
  return (await shareOf(share)).closedThrough
}
