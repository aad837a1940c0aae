// Goal: a record that the disk does not take is told to those who wait, and is written once the disk is mended.
// Method: the real file system with one call that fails as long as the test says so; time moves when it is told to.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ReplicationError } from '../../engine/error.ts'
import { asGeneration } from '../../engine/generation.ts'
import type { Clock } from '../../src/clock.ts'
import { systemRandom } from '../../src/fresh-id.ts'
import { type IntentKeeper, openIntentKeeper } from '../../src/intent-keeper.ts'
import {
  type CopyRecord,
  compactCopyRecords,
  compactShareRecords,
  copyIntentOf,
  copyRecordIn,
  type ShareRecord,
  shareIntentOf,
  shareRecordIn,
} from '../../src/intent-records.ts'
import { serviceLog } from '../../src/service-log.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'

let directory = ''
const opened: IntentKeeper<CopyRecord>[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'intent-'))
})
afterEach(async () => {
  for (const keeper of opened.splice(0)) await keeper.close()
  await rm(directory, { recursive: true })
})

const FULL = new ReplicationError({ code: 'DISK_FULL', message: 'the disk is full', hint: 'Free space.' })

/** A keeper whose disk is full while `disk.full` says so; `wait` lets its pause end. */
async function aKeeper() {
  const disk = { full: false }
  const troubles: ReplicationError[] = []
  const waits: (() => void)[] = []
  const clock: Clock = {
    nowMs: () => 0,
    wakeAfter: (_delayMs, act) => {
      waits.push(act)
      return () => {}
    },
  }
  const files = nodeFileOperations({ shortCalls: 'pooled' })
  const keeper = await openIntentKeeper<CopyRecord>({
    directory,
    files: { ...files, datasync: (file) => (disk.full ? Promise.reject(FULL) : files.datasync(file)) },
    validate: copyRecordIn,
    compact: compactCopyRecords,
    clock,
    random: systemRandom,
    log: serviceLog('silent'),
    beforeWriting: () => Promise.resolve(),
    onTrouble: (error) => troubles.push(error),
  })
  opened.push(keeper)
  return { keeper, disk, troubles, waits }
}

const SUSPENDED: CopyRecord = {
  kind: 'suspended',
  comment: 'volume work',
  sinceMs: 5,
  inspected: asGeneration(7),
  inspectedTimeMs: 6,
  database: null,
}

/** Waits until a list has grown to a length: the disk answers in its own time. */
async function grown(list: readonly unknown[], length: number): Promise<void> {
  while (list.length < length) await new Promise((resolve) => setImmediate(resolve))
}

describe('a record', () => {
  it('is in the file when it is recorded', async () => {
    const { keeper } = await aKeeper()

    await keeper.record(SUSPENDED)

    expect(await readFile(join(directory, 'intent.ndjson'), 'utf8')).toContain('"comment":"volume work"')
    expect(copyIntentOf(keeper.records).suspension?.comment).toBe('volume work')
  })

  it('that a full disk does not take is told, tried again, and written in the end', async () => {
    const { keeper, disk, troubles, waits } = await aKeeper()
    disk.full = true
    let isDone = false
    const recorded = keeper.record(SUSPENDED).then(() => {
      isDone = true
    })

    await grown(troubles, 1)
    waits.shift()?.()
    await grown(troubles, 2)
    expect(isDone).toBe(false)
    disk.full = false
    await grown(waits, 1)
    waits.shift()?.()
    await recorded

    expect(troubles.map(({ code }) => code)).toEqual(['DISK_FULL', 'DISK_FULL'])
    const { keeper: again } = await aKeeper()
    // The failed attempt may have left its line behind; the sum of the records is what counts.
    expect(copyIntentOf(again.records)).toEqual(copyIntentOf([SUSPENDED]))
  })

  it('is given up when the service stops first', async () => {
    const { keeper, disk, troubles } = await aKeeper()
    disk.full = true
    const recorded = keeper.record(SUSPENDED)
    await grown(troubles, 1)

    keeper.giveUp()

    await expect(recorded).rejects.toBe(FULL)
  })
})

describe('the journal of a copy', () => {
  it('sums up to identity, source and suspension, and is rewritten to the fewest records', () => {
    const created: CopyRecord = { kind: 'store-created', version: 1, copyId: 'ab'.repeat(16), atMs: 1 }
    const adopted: CopyRecord = {
      kind: 'source-adopted',
      storageGroup: 'SG1',
      format: { kind: 'ese', baseName: 'E00' },
      store: 'mailbox',
    }
    const records: CopyRecord[] = [created, adopted, SUSPENDED, { kind: 'resumed' }, { ...SUSPENDED, comment: 'again' }]

    expect(copyIntentOf(records)).toMatchObject({ copyId: 'ab'.repeat(16), suspension: { comment: 'again' } })
    expect(compactCopyRecords(records)).toEqual([created, adopted, { ...SUSPENDED, comment: 'again' }])
    expect(copyIntentOf(compactCopyRecords(records))).toEqual(copyIntentOf(records))
    expect(compactCopyRecords([...records, { kind: 'resumed' }])).toEqual([created, adopted])
  })

  it('keeps what an operator chose, and takes a source of before there were mailbox stores for another program', () => {
    const early = { kind: 'source-adopted', storageGroup: 'SG1', format: { kind: 'ese', baseName: 'E00' } }
    const records = [early, { kind: 'replay-chosen' }].map(copyRecordIn).filter((record) => record !== null)

    expect(copyIntentOf(records)).toMatchObject({ adopted: { store: 'external' }, replayChosen: true })
    expect(copyIntentOf(compactCopyRecords(records))).toEqual(copyIntentOf(records))
  })

  it('keeps the lags of a standby target', () => {
    const standby = { replayLagMs: 86_400_000, truncationLagMs: 0 }
    const record = copyRecordIn({ kind: 'standby-chosen', ...standby })

    expect(copyIntentOf(record === null ? [] : [record])).toMatchObject({ standby })
    expect(compactCopyRecords(record === null ? [] : [record, record])).toEqual([record])
    expect(copyRecordIn({ kind: 'standby-chosen', replayLagMs: -1, truncationLagMs: 0 })).toBeNull()
  })

  it('takes no record that this version did not write', () => {
    expect(copyRecordIn(SUSPENDED)).toEqual(SUSPENDED)
    expect(copyRecordIn({ ...SUSPENDED, inspected: -1 })).toBeNull()
    expect(copyRecordIn({ ...SUSPENDED, comment: 7 })).toBeNull()
    expect(copyRecordIn({ kind: 'store-created', version: 2, copyId: 'ab'.repeat(16), atMs: 1 })).toBeNull()
    expect(copyRecordIn({ kind: 'seeding' })).toBeNull()
    expect(copyRecordIn(null)).toBeNull()
  })
})

describe('the journal of a share', () => {
  const one = { kind: 'copy-enrolled', copyId: '11'.repeat(16), label: 'one' } as const
  const two = { kind: 'copy-enrolled', copyId: '22'.repeat(16), label: 'two' } as const
  const records: ShareRecord[] = [
    { kind: 'share-created', version: 1, storageGroup: 'SG1', format: { kind: 'numbered', pattern: 'postgresql' } },
    one,
    two,
    { kind: 'backup-marked', through: asGeneration(4), atMs: 1 },
    { kind: 'truncation-allowed', below: asGeneration(3) },
    { kind: 'copy-disabled', copyId: one.copyId },
    { kind: 'backup-marked', through: asGeneration(9), atMs: 2 },
  ]

  it('sums up to marks, copies and edge', () => {
    expect(shareIntentOf(records)).toMatchObject({
      mark: { through: 9 },
      enrolled: [{ copyId: two.copyId, label: 'two' }],
      disabled: [one.copyId],
      truncatedBelow: 3,
    })
  })

  it('says the same after it was rewritten', () => {
    const compact = compactShareRecords(records)

    expect(shareIntentOf(compact)).toEqual(shareIntentOf(records))
    expect(compact.length).toBeLessThan(records.length)
    expect(compact.map((record) => shareRecordIn(JSON.parse(JSON.stringify(record))))).toEqual(compact)
  })
})
