// Goal: a full disk on either side stops what needs it, is told as what it is, loses nothing, and is over when there is room.
// Method: one of the two processes gets a small tmpfs in a mount namespace of its own, which is then filled or grown. Skipped
// where such a namespace is not permitted.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { waitUntil } from '../../bench/command.ts'
import { makeEseLogs } from '../../bench/log-files.ts'
import { copyFigures, postJson, type Service, untilInspected } from '../../bench/product.ts'
import { asGeneration } from '../../engine/generation.ts'
import { eseLogName } from '../../engine/log-format.ts'
import { MOUNTS_PERMITTED, onSmallDisk, remount } from './own-disk.ts'
import { ProcessBed, untilStatus } from './process-bed.ts'

const LOGS = 12
/** More marks than fit into what is left of one block of the journal. */
const MARKED_LOGS = 150
const SMALL_BYTES = 16_384

let bed: ProcessBed

beforeEach(() => {
  bed = new ProcessBed()
})
afterEach(() => bed.close())

describe.skipIf(!MOUNTS_PERMITTED)('a full disk (skipped where a mount namespace is not permitted)', () => {
  it('below the copy makes it Failed with the logs it holds, and it catches up once there is room', {
    timeout: 120_000,
  }, async () => {
    const names = makeEseLogs({ directory: bed.source, count: LOGS, seed: 5 })
    const share = await bed.share()
    mkdirSync(bed.store)
    const copy = await bed.copy(share, { wrapper: onSmallDisk(bed.store, '6m') })

    const failed = await untilStatus(copy, 'the copy fails', ({ SummaryCopyStatus }) => SummaryCopyStatus === 'Failed')
    const held = seenBy(copy, join(bed.store, 'logs')).filter((name) => name.endsWith('.log'))
    await remount(copy, bed.store, 'size=64m')
    await untilInspected(copy, LOGS, 60_000)

    expect(failed.FailedMessage).toMatch(/ENOSPC|full/)
    expect(held).toEqual(names.slice(0, held.length))
    expect(held.length).toBeGreaterThanOrEqual(failed.LastLogInspected)
    expect(held.length).toBeLessThan(LOGS)
    expect(seenBy(copy, join(bed.store, 'logs')).filter((name) => name.endsWith('.log'))).toEqual(names)
    expect((await copyFigures(copy))?.SummaryCopyStatus).toBe('Healthy')
  })

  it('below the state of the source refuses backup marks, and nothing goes that no durable mark covers', {
    timeout: 120_000,
  }, async () => {
    makeEseLogs({ directory: bed.source, count: MARKED_LOGS, seed: 5, sizeBytes: SMALL_BYTES })
    const state = join(bed.directory, 'state')
    mkdirSync(state)
    const share = await bed.share({ arguments: ['--state', state], wrapper: onSmallDisk(state, '256k') })
    const copy = await bed.copy(share)
    await untilInspected(copy, MARKED_LOGS)
    const filler = join(`/proc/${share.pid}/root`, state, 'filler')

    fillUp(filler)
    const refused = await markUntilRefused(share)
    const firstKept = eseLogName('E00', asGeneration(refused.through))
    const whileFull = closedLogs(bed.source)
    rmSync(filler)
    const taken = await mark(share, MARKED_LOGS - 1)
    const last = eseLogName('E00', asGeneration(MARKED_LOGS))
    await waitUntil('the rest is gone', () => closedLogs(bed.source)[0] === last)

    expect(refused.status).toBeGreaterThanOrEqual(500)
    expect(refused.body).toMatchObject({ code: 'DISK_FULL' })
    // How far it deletes has to be durable first, too: what was marked last may still be there.
    expect(whileFull.filter((name) => name >= firstKept)).toHaveLength(MARKED_LOGS - refused.through + 1)
    expect(taken.status).toBe(200)
    expect(closedLogs(bed.source)).toEqual([last])
  })
})

interface Answer {
  readonly status: number
  readonly body: unknown
}

function mark(share: Service, through: number): Promise<Answer> {
  return postJson(`${share.manage}/api/v1/shares/SG1/backup-mark`, { through })
}

/** Marks one log after the other: the journal has room in its last block for some. */
async function markUntilRefused(share: Service): Promise<Answer & { readonly through: number }> {
  for (let through = 1; through < MARKED_LOGS; through++) {
    const answer = await mark(share, through)
    if (answer.status !== 200) return { ...answer, through }
  }
  throw new Error('every mark was taken: the disk was not full')
}

function closedLogs(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.endsWith('.log'))
}

function seenBy(service: Service, path: string): string[] {
  return readdirSync(join(`/proc/${service.pid}/root`, path)).sort()
}

/** Writes until there is no room for another byte. */
function fillUp(path: string): void {
  for (const size of [4096, 1]) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(size), { flag: 'a' })
    } catch {
      // It is as full as pieces of this size make it.
    }
  }
}
