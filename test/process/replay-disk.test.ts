// Goal: a disk that is full or read-only below the database of a copy stops its replay, is told, and is over by itself.
// Method: the built programs; the database directory of the copy is a small tmpfs in a mount namespace of its own. Skipped where such a
// namespace is not permitted.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Service } from '../../bench/product.ts'
import { comparePages } from '../../engine/database/page-digest.ts'
import { pagesFromScratch, pagesOfFile } from '../workers/replay-rig.ts'
import { MOUNTS_PERMITTED, onSmallDisk, remount } from './own-disk.ts'
import { ProcessBed, untilStatus } from './process-bed.ts'

const LOGS = 20
const FIRST_LOGS = 2

let bed: ProcessBed
/** Where the source of the bed listens. */
let listen = ''
beforeEach(() => {
  bed = new ProcessBed()
})
afterEach(() => bed.close())

describe.skipIf(!MOUNTS_PERMITTED)('below the database (skipped where a mount namespace is not permitted)', () => {
  it('a full disk makes the copy Failed, and it replays on once there is room', {
    timeout: 120_000,
  }, async () => {
    const copy = await aCopyWithDatabaseOnItsOwnDisk('512k')
    bed.closeStoreLogs(FIRST_LOGS + 1, LOGS)

    const failed = await untilStatus(copy, 'the replay fails', (status) => status.Failed)
    await remount(copy, databaseOf(bed), 'size=64m')

    expect(failed.FailedMessage).toMatch(/^replay failed: cannot \w+ .*: the disk is full \(ENOSPC\) \(-1808\)/)
    expect(failed.LastLogReplayed).toBeLessThan(LOGS)
    await expectWhole(copy)
  })

  it('a read-only file system makes the copy Failed, and it replays on when that is over', {
    timeout: 120_000,
  }, async () => {
    const copy = await aCopyWithDatabaseOnItsOwnDisk('64m')
    await untilStatus(copy, 'the first logs are replayed', ({ LastLogReplayed }) => LastLogReplayed === FIRST_LOGS)
    await copy.stop()
    const again = await startReplaying('64m,ro')
    bed.closeStoreLogs(FIRST_LOGS + 1, LOGS)

    const failed = await untilStatus(again, 'the replay fails', (status) => status.Failed)
    await remount(again, databaseOf(bed), 'rw')

    expect(failed.FailedMessage).toMatch(/the file system is read-only \(EROFS\)/)
    await expectWhole(again)
  })
})

/** The store is made by a first run; then its database directory is a disk of its own, and the database begins anew there. */
async function aCopyWithDatabaseOnItsOwnDisk(size: string): Promise<Service> {
  bed.closeStoreLogs(1, FIRST_LOGS)
  const share = await bed.share()
  listen = share.listen
  const first = await bed.copy(share, { arguments: ['--replay'] })
  await untilStatus(first, 'the store is made', ({ LastLogInspected }) => LastLogInspected === FIRST_LOGS)
  await first.stop()
  return startReplaying(size)
}

function startReplaying(size: string): Promise<Service> {
  const wrapper = onSmallDisk(databaseOf(bed), size)
  return bed.copy({ listen }, { wrapper, environment: { CCR_COPY_CACHE: '1MiB' } })
}

async function expectWhole(copy: Service): Promise<void> {
  await untilStatus(copy, 'everything is replayed', (status) => status.LastLogReplayed === LOGS && !status.Failed)
  await untilStatus(copy, 'everything is in the file', (status) => status.LowestRequiredLog === LOGS)
  const path = join(bed.directory, 'seen.edb')
  writeFileSync(path, readFileSync(join(`/proc/${copy.pid}/root`, databaseOf(bed), 'priv1.edb')))
  expect(comparePages(await pagesFromScratch(LOGS), pagesOfFile(path))).toMatchObject({ differing: 0, first: null })
}

function databaseOf({ store }: ProcessBed): string {
  return join(store, 'database')
}
