// Goal: logs that nobody asks for are hashed soon after they were closed, once each, and never while somebody is served.
// Method: a clock that is set by hand and a hash that notes what it was asked for; then the logs of a real directory, with every byte read counted.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { waitUntil } from '../../bench/command.ts'
import { asGeneration } from '../../engine/generation.ts'
import type { FileOperations } from '../../storage/file-operations.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { HashAhead } from '../../workers/hash-ahead.ts'
import { SeedSources } from '../../workers/seed-sources.ts'
import { SharedLogs } from '../../workers/shared-logs.ts'
import { createSlab } from '../../workers/slab.ts'
import { xxhashWasmFile } from '../../workers/worker-files.ts'
import { announcing, NUMBERED, noise } from './pipeline-rig.ts'

describe('logs that nobody asks for', () => {
  let hashed: string[]
  let room: number
  let ahead: HashAhead

  beforeEach(() => {
    vi.useFakeTimers()
    vi.advanceTimersByTime(10_000)
    hashed = []
    room = 100
    ahead = new HashAhead({
      hash: async (share, generation) => {
        room -= 1
        hashed.push(`${share} ${generation}`)
      },
      hasRoom: () => room > 0,
    })
  })
  afterEach(() => {
    ahead.close()
    vi.useRealTimers()
  })

  const close = (share: string, from: number, to: number): void =>
    ahead.announced(share, announcing(from), announcing(to))
  const wait = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

  it('are hashed in order, of each share those that were closed since it was opened', async () => {
    ahead.announced('SG1', null, announcing(7))
    close('SG1', 7, 8)
    close('SG2', 1, 2)
    close('SG1', 8, 10)
    await wait(499)
    const before = [...hashed]
    await wait(1)

    expect([before, hashed]).toEqual([[], ['SG1 8', 'SG1 9', 'SG1 10', 'SG2 2']])
    await wait(5_000)
    expect(hashed).toHaveLength(4)
  })

  it('wait until nobody has been served for half a second, and are left out when they are', async () => {
    close('SG1', 1, 4)
    for (const generation of [2, 3]) {
      await wait(400)
      ahead.served('SG1', asGeneration(generation))
    }
    await wait(400)
    expect(hashed).toEqual([])
    await wait(700)

    expect(hashed).toEqual(['SG1 4'])
  })

  it('of a share that is closed or restored are forgotten, and so are all when the source stops', async () => {
    close('SG1', 1, 4)
    close('SG2', 1, 2)
    ahead.announced('SG2', announcing(2), { ...announcing(2), stream: 9 })
    ahead.forget('SG1')
    await wait(1_000)
    close('SG1', 4, 5)
    ahead.close()
    await wait(1_000)

    expect(hashed).toEqual([])
  })

  it('are left to be hashed when they are asked for once what is hashed would be forgotten, and nothing looks again', async () => {
    room = 2
    close('SG1', 1, 9)
    await wait(2_000)
    expect([hashed, vi.getTimerCount()]).toEqual([['SG1 2', 'SG1 3'], 0])
    room = 100
    close('SG1', 9, 10)
    await wait(1_000)

    expect(hashed.slice(2)).toEqual(['SG1 10'])
  })
})

describe('a log that was hashed ahead', () => {
  let directory: string
  let logs: SharedLogs
  /** Logs that were read and closed. */
  let closed: number

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'ccr-ahead-'))
    const real = nodeFileOperations({ shortCalls: 'inline' })
    closed = 0
    const files: FileOperations = {
      ...real,
      close: (file) => {
        closed += 1
        return real.close(file)
      },
    }
    const slab = await createSlab(xxhashWasmFile(), 4)
    const seeds = new SeedSources(files, slab)
    logs = new SharedLogs({ files, slab, seeds, now: () => performance.now(), startedAtMs: 0 })
    logs.openShare({ share: 'SG1', directory, format: NUMBERED, store: 'external' })
    logs.announce('SG1', announcing(1))
  })
  afterEach(() => {
    logs.close()
    rmSync(directory, { recursive: true })
  })

  const put = (generation: number, seed: number): void =>
    writeFileSync(join(directory, `${String(generation).padStart(8, '0')}.log`), noise(5_000, seed))

  async function isKnown(generation: number): Promise<boolean> {
    const log = await logs.open('SG1', asGeneration(generation))
    log.close()
    return 'isKnown' in log && log.isKnown === true
  }

  it('has its checksum when it is asked for, and one that is not there does no harm', async () => {
    put(3, 3)
    logs.announce('SG1', announcing(3))
    const before = await isKnown(3)
    await waitUntil('log 3 was hashed', () => closed === 2)

    expect([before, await isKnown(3)]).toEqual([false, true])
  })

  it('and was changed after that is refused', async () => {
    put(2, 2)
    logs.announce('SG1', announcing(2))
    await waitUntil('log 2 was hashed', () => closed === 1)
    put(2, 7)

    await expect(logs.openLog('SG1', asGeneration(2))).rejects.toMatchObject({ code: 'LOG_CHANGED' })
  })
})
