// Goal: a closed log reaches the copy whole, verified and durable, through both workers and a real connection.
// Method: real worker threads over loopback, real directories; a driver in place of the main thread's engine.
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { waitUntil } from '../../bench/command.ts'
import { CLOSED_MS, copiedOf, ESE, eseLogs, NUMBERED, noise, ofKind, PipelineRig, SHARE } from './pipeline-rig.ts'

let rig: PipelineRig

afterEach(() => rig.close())

describe('numbered logs', () => {
  beforeEach(() => {
    rig = new PipelineRig(NUMBERED)
  })

  it('arrive byte for byte, with the time of their source, whatever their size', async () => {
    const sizes = [1, 4095, 4096, 4097, 65_536, 1_048_575, 1_048_576, 1_048_577, 3_000_000, 16 * 1_048_576]
    for (const [index, size] of sizes.entries()) rig.writeLog(index + 1, noise(size, index))
    rig.startCopy(await rig.startShare())
    rig.announce(sizes.length)
    await rig.events.first(ofKind('source-connected'))

    const logs = copiedOf(await rig.copyLogs(1, 1, sizes.length))
    const inspected = await rig.inspectLogs(1, logs)

    expect(logs.map(({ rejection }) => rejection)).toEqual(sizes.map(() => null))
    expect(inspected).toMatchObject({ kind: 'logs-inspected', range: { first: 1, last: sizes.length } })
    for (const [index, size] of sizes.entries())
      expect(Buffer.compare(rig.published(index + 1), noise(size, index)), `log of ${size} bytes`).toBe(0)
    expect(statSync(join(rig.logs, rig.nameOf(1))).mtimeMs).toBe(CLOSED_MS)
    expect(rig.arriving()).toEqual([])
  })

  it('come by the hundred, each once, through a slab of fewer slots', async () => {
    const count = 200
    for (let g = 1; g <= count; g++) rig.writeLog(g, noise(40_000 + g, g))
    rig.startCopy(await rig.startShare())
    rig.announce(count)
    await rig.events.first(ofKind('source-connected'))

    const logs = copiedOf(await rig.copyLogs(1, 1, count))
    await rig.inspectLogs(1, logs)

    expect(logs.map(({ generation }) => generation)).toEqual(Array.from({ length: count }, (_, index) => index + 1))
    for (let g = 1; g <= count; g++) expect(Buffer.compare(rig.published(g), noise(40_000 + g, g))).toBe(0)
  })

  it('that follow on all others come when they are announced, and are told when they are ordered', async () => {
    for (const g of [1, 2, 3]) rig.writeLog(g, noise(5000, g))
    rig.startCopy(await rig.startShare())
    rig.announce(2)
    await rig.events.first(ofKind('source-connected'))
    await rig.inspectLogs(1, copiedOf(await rig.copyLogs(1, 1, 2)))

    rig.announce(3)
    await waitUntil('log 3 arrives by itself', () => rig.arriving().length === 1)
    const told = rig.events.all.filter(ofKind('log-copied')).length
    await rig.inspectLogs(1, copiedOf(await rig.copyLogs(1, 3, 3)))

    expect(told).toBe(2)
    expect(Buffer.compare(rig.published(3), noise(5000, 3))).toBe(0)
    expect(rig.arriving()).toEqual([])
  })

  it('that are not there, or no files, fail one by one and leave the others alone', async () => {
    for (const g of [1, 2, 4, 6]) rig.writeLog(g, noise(5000, g))
    mkdirSync(join(rig.source, rig.nameOf(5)))
    rig.startCopy(await rig.startShare())
    rig.announce(6)
    await rig.events.first(ofKind('source-connected'))

    const results = await rig.copyLogs(1, 1, 7)

    expect(results.map((result) => (typeof result === 'string' ? result.split(':')[0] : 'copied'))).toEqual([
      'copied',
      'copied',
      'LOG_MISSING',
      'copied',
      'FILE_NOT_REGULAR',
      'copied',
      'LOG_MISSING',
    ])
    expect(await rig.reports.first(ofKind('log-unreadable'))).toMatchObject({ share: SHARE, generation: 3 })
  })

  it('that change after they were closed are refused and told', async () => {
    rig.writeLog(1, noise(70_000, 1))
    rig.startCopy(await rig.startShare())
    rig.announce(1)
    await rig.events.first(ofKind('source-connected'))
    copiedOf(await rig.copyLogs(1, 1, 1))
    writeFileSync(join(rig.source, rig.nameOf(1)), noise(70_000, 2))

    const [refused] = await rig.copyLogs(1, 1, 1)
    rig.writeLog(1, noise(70_000, 1))
    const restored = await rig.copyLogs(1, 1, 1)

    expect(refused).toMatch(/^LOG_CHANGED: log 00000001 of SG1 has another content/)
    expect(await rig.reports.first(ofKind('log-unreadable'))).toMatchObject({ fault: { code: 'LOG_CHANGED' } })
    expect(copiedOf(restored)).toHaveLength(1)
  })

  it('are published only once: the same content is taken as done, another one is refused', async () => {
    rig.writeLog(1, noise(9000, 1))
    rig.startCopy(await rig.startShare())
    rig.announce(1)
    await rig.events.first(ofKind('source-connected'))
    const first = copiedOf(await rig.copyLogs(1, 1, 1))
    await rig.inspectLogs(1, first)
    const again = copiedOf(await rig.copyLogs(2, 1, 1))

    const same = await rig.inspectLogs(2, again)
    writeFileSync(join(rig.logs, rig.nameOf(1)), noise(9000, 7))
    const other = await rig.inspectLogs(3, copiedOf(await rig.copyLogs(3, 1, 1)))

    expect(same.kind).toBe('logs-inspected')
    expect(other).toMatchObject({ kind: 'inspection-failed', fault: { code: 'FILE_EXISTS' } })
    expect(Buffer.compare(rig.published(1), noise(9000, 7))).toBe(0)
  })

  it('fail with the reason while the directory of arrivals is gone, and come when it is back', async () => {
    rig.writeLog(1, noise(9000, 1))
    rig.writeLog(2, noise(3_000_000, 2))
    rig.startCopy(await rig.startShare())
    rig.announce(2)
    await rig.events.first(ofKind('source-connected'))
    rmSync(rig.inspector, { recursive: true })

    const failed = await rig.copyLogs(1, 1, 2)
    mkdirSync(rig.inspector)
    const copied = await rig.copyLogs(2, 1, 2)

    expect(failed).toEqual([expect.stringMatching(/^DIRECTORY_MISSING/), expect.stringMatching(/^DIRECTORY_MISSING/)])
    expect(copiedOf(copied)).toHaveLength(2)
  })
})

describe('ESE logs', () => {
  beforeEach(() => {
    rig = new PipelineRig(ESE)
  })

  it('are verified on arrival: sound ones carry their identity, damaged ones the reason', async () => {
    const logs = eseLogs(4)
    const damaged: Uint8Array[] = logs.map((bytes) => bytes.slice())
    damaged[1]?.set([0xff, 0x00, 0xff], 300_000)
    damaged[2] = logs[0] ?? new Uint8Array(0)
    damaged[3] = (logs[3] ?? new Uint8Array(0)).subarray(0, 900_000)
    for (const [index, bytes] of damaged.entries()) rig.writeLog(index + 1, bytes)
    rig.startCopy(await rig.startShare())
    rig.announce(4)
    await rig.events.first(ofKind('source-connected'))

    const copied = copiedOf(await rig.copyLogs(1, 1, 4))

    expect(copied.map(({ rejection }) => rejection?.reason ?? 'sound')).toEqual([
      'sound',
      'corrupt-checksum',
      'generation-mismatch',
      'bad-size',
    ])
    expect(copied[0]?.identity).toMatchObject({ generation: 1, previousCreateTime: '0'.repeat(16) })
    expect(copied[0]?.identity.signature).toMatch(/^[0-9a-f]{56}$/)
    // Refused logs lie in inspector/ too: the main thread puts them into quarantine.
    expect(rig.arriving().sort()).toEqual(copied.map(({ arrivingName }) => arrivingName).sort())
  })
})
