// Goal: what a replay worker leaves on the disk is what a replay from scratch makes, and whatever is done to its files it says by number.
// Method: the logs of a real store in real directories; files damaged, exchanged and taken away between the commands.
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PAGE_BYTES } from '../../engine/database/page.ts'
import { comparePages, type PageDigest } from '../../engine/database/page-digest.ts'
import { asGeneration } from '../../engine/generation.ts'
import {
  CopyOnDisk,
  logsOfStore,
  opened,
  pagesFromScratch,
  pagesOfFile,
  ReplayRig,
  replayed,
  stopped,
} from './replay-rig.ts'

const LOGS = 24
const g = asGeneration

let rig: ReplayRig
beforeEach(() => {
  rig = new ReplayRig(new CopyOnDisk(), { cacheBytes: 32 * PAGE_BYTES, checkpointDepthBytes: 500_000 })
})
afterEach(() => rig.close())

describe('a replay worker', () => {
  it('makes the pages of a replay in one go, in whatever batches and after whatever ends', async () => {
    rig.disk.putLogs(1, LOGS)
    for (const last of [1, 7, 8, LOGS]) {
      const event = await opened(rig)
      const first = event.kind === 'database-opened' ? event.progress.replayedThrough + 1 : 0
      expect(await replayed(rig, first, last)).toMatchObject({
        kind: 'logs-replayed',
        progress: { replayedThrough: last },
      })
      await rig.restart()
    }
    const event = await opened(rig)
    const first = event.kind === 'database-opened' ? event.progress.replayedThrough + 1 : 0
    await replayed(rig, first, LOGS)
    await stopped(rig)

    const found = comparePages(pagesOfFile(rig.disk.databasePath), await pagesFromScratch(LOGS))

    expect(found.first).toBeNull()
    expect(found.pages).toBeGreaterThan(100)
  })

  it('says when the source closed the last log that it replayed', async () => {
    rig.disk.putLogs(1, 3)
    await opened(rig)

    const event = await replayed(rig, 1, 3)

    expect(event).toMatchObject({ progress: { logTimeMs: 1_200_000_180_000 } })
    await stopped(rig)
    expect(await opened(rig, 2)).toMatchObject({ progress: { replayedThrough: 3, logTimeMs: 1_200_000_180_000 } })
  })

  it('goes on after a rest with what is in memory, and begins anew when its file was exchanged meanwhile', async () => {
    rig.disk.putLogs(1, 6)
    await opened(rig)
    await replayed(rig, 1, 2)
    await stopped(rig)
    copyFileSync(rig.disk.databasePath, `${rig.disk.databasePath}.kept`)
    await opened(rig, 2)
    await replayed(rig, 3, 6, 2)
    await stopped(rig)
    renameSync(`${rig.disk.databasePath}.kept`, rig.disk.databasePath)

    const event = await opened(rig, 3)

    expect(event).toMatchObject({ kind: 'database-opened', progress: { replayedThrough: 1, requiredLow: 2 } })
  })

  it('keeps several copies at once', async () => {
    rig.disk.putLogs(1, 4)
    const other = new CopyOnDisk()
    other.putLogs(1, 4)
    rig.post({ kind: 'open-database', copy: 1, session: 9, kept: other.kept })
    await rig.next()
    await opened(rig)
    rig.post({ kind: 'replay-logs', copy: 1, session: 9, range: { first: g(1), last: g(4) } })
    rig.post({ kind: 'replay-logs', copy: 0, session: 1, range: { first: g(1), last: g(4) } })
    const through = new Map<number, number>()
    while (through.get(0) !== 4 || through.get(1) !== 4) {
      const event = await rig.next()
      if (event.kind === 'logs-replayed') through.set(event.copy, event.progress.replayedThrough)
    }

    rig.post({ kind: 'close-database', copy: 1 })
    await stopped(rig)

    other.remove()
    expect(pagesOfFile(rig.disk.databasePath).length).toBeGreaterThan(10)
  })

  it('changes nothing any more once it is told to abandon the database', async () => {
    rig.disk.putLogs(1, 6)
    await opened(rig)
    await replayed(rig, 1, 6)
    rig.post({ kind: 'abandon-database', copy: 0, fault: { code: 'STORE_LOCKED', message: 'the lock was lost' } })
    expect(await stopped(rig)).toMatchObject({ progress: null })
    const before = readFileSync(rig.disk.databasePath)

    await rig.restart()

    expect(readFileSync(rig.disk.databasePath).equals(before)).toBe(true)
    const event = await opened(rig)
    expect(event.kind === 'database-opened' && event.progress.replayedThrough).toBeLessThan(6)
  })
})

describe('a replay fails', () => {
  it.each([
    ['the log of another stream', -530, (disk: CopyOnDisk) => disk.putLogs(4, 4, 99)],
    ['a log under the name of another', -513, (disk: CopyOnDisk) => renameSync(disk.logPath(5), disk.logPath(4))],
    [
      'a log that was cut',
      -541,
      (disk: CopyOnDisk) => writeFileSync(disk.logPath(4), readFileSync(disk.logPath(4)).subarray(0, 65_536)),
    ],
    ['a log whose body has changed', -501, (disk: CopyOnDisk) => disk.turnBit(disk.logPath(4), 9000)],
    ['a log whose header has changed', -501, (disk: CopyOnDisk) => disk.turnBit(disk.logPath(4), 20)],
    ['a log that was removed', -543, (disk: CopyOnDisk) => rmSync(disk.logPath(4))],
  ])('at %s with %i, and goes on when it is mended', async (_what, eseError, harm) => {
    rig.disk.putLogs(1, 6)
    await opened(rig)
    harm(rig.disk)

    expect(await replayed(rig, 1, 6)).toMatchObject({ kind: 'replay-failed', fault: { eseError, generation: 4 } })

    rig.disk.putLogs(4, 5)
    const event = await opened(rig, 2)
    const first = event.kind === 'database-opened' ? event.progress.replayedThrough + 1 : 0
    expect(await replayed(rig, first, 6, 2)).toMatchObject({ progress: { replayedThrough: 6 } })
  })

  it('at a damaged page with -1018', async () => {
    rig.disk.putLogs(1, LOGS)
    await opened(rig)
    await replayed(rig, 1, LOGS - 1)
    await rig.restart()
    rmSync(`${rig.disk.databasePath}.saved`)
    for (let page = 1; page <= 40; page++)
      for (const byte of [100, 300]) rig.disk.turnBit(rig.disk.databasePath, (page + 1) * PAGE_BYTES + byte)
    const event = await opened(rig)
    const first = event.kind === 'database-opened' ? event.progress.replayedThrough + 1 : 0

    const failed = await replayed(rig, first, LOGS)

    expect(failed).toMatchObject({ kind: 'replay-failed', fault: { eseError: -1018, code: 'DATABASE_REJECTED' } })
  })

  it('at a header of which no copy is whole', async () => {
    rig.disk.putLogs(1, 3)
    await opened(rig)
    await replayed(rig, 1, 3)
    await stopped(rig)
    for (const byte of [200, PAGE_BYTES + 200]) rig.disk.turnBit(rig.disk.databasePath, byte)

    expect(await opened(rig, 2)).toMatchObject({ kind: 'replay-failed', session: 2, fault: { eseError: -1206 } })
  })

  it('where an open log lies among those of the copy: -611', async () => {
    rig.disk.putLogs(1, 3)
    writeFileSync(rig.disk.logPath(3).replace(/00000003(?=\.log)/, ''), logsOfStore(3)[2] ?? '')
    await opened(rig)

    expect(await replayed(rig, 1, 3)).toMatchObject({ kind: 'replay-failed', fault: { eseError: -611 } })
  })

  it('where the database was taken away while it was in use: -1811, and begins anew', async () => {
    rig.disk.putLogs(1, 6)
    await opened(rig)
    await replayed(rig, 1, 3)
    rmSync(rig.disk.databasePath)

    expect(await replayed(rig, 4, 6)).toMatchObject({ kind: 'replay-failed', fault: { eseError: -1811 } })
    expect(await opened(rig, 2)).toMatchObject({ progress: { replayedThrough: 0, requiredLow: 1 } })
    expect(await replayed(rig, 1, 6, 2)).toMatchObject({ progress: { replayedThrough: 6 } })
  })

  it('where its directory is gone, and makes none', async () => {
    rig.disk.putLogs(1, 6)
    await opened(rig)
    await replayed(rig, 1, 3)
    const directory = dirname(rig.disk.databasePath)
    renameSync(directory, `${directory}.away`)

    expect(await replayed(rig, 4, 6)).toMatchObject({ fault: { code: 'DIRECTORY_MISSING', eseError: 0 } })
    expect(await opened(rig, 2)).toMatchObject({ kind: 'replay-failed', fault: { code: 'DIRECTORY_MISSING' } })
    expect(existsSync(directory)).toBe(false)
    renameSync(`${directory}.away`, directory)
    expect(await opened(rig, 3)).toMatchObject({ kind: 'database-opened' })
  })

  it('where the logs are of a format without records', async () => {
    const kept = { root: rig.disk.root, format: { kind: 'numbered', pattern: 'postgresql' } } as const
    rig.post({ kind: 'open-database', copy: 0, session: 1, kept })

    expect(await rig.next()).toMatchObject({ kind: 'replay-failed', fault: { code: 'LOG_FORMAT_INVALID' } })
  })

  it('where a directory has the name of the database', async () => {
    mkdirSync(rig.disk.databasePath)

    expect(await opened(rig)).toMatchObject({ kind: 'replay-failed', fault: { code: 'FILE_NOT_REGULAR' } })
  })
})

describe('digests of the pages', () => {
  /** Everything that is told of a request, up to its end. */
  async function digestsOf(request: number): Promise<readonly PageDigest[] | string> {
    const digests: PageDigest[] = []
    for (;;) {
      const event = await rig.next()
      if (event.kind === 'digest-refused' && event.request === request) return event.fault.message
      if (event.kind !== 'pages-digested' || event.request !== request) continue
      if (event.digests.length === 0) return digests
      digests.push(...event.digests)
    }
  }

  it('are those of the file at the end of the log that was asked for, in the middle of a batch', async () => {
    rig.disk.putLogs(1, LOGS)
    await opened(rig)
    rig.post({ kind: 'digest-pages', copy: 0, request: 5, through: g(11) })
    rig.post({ kind: 'replay-logs', copy: 0, session: 1, range: { first: g(1), last: g(LOGS) } })

    const digests = await digestsOf(5)

    expect(comparePages(await pagesFromScratch(11), typeof digests === 'string' ? [] : digests).first).toBeNull()
    expect(digests.length).toBeGreaterThan(50)
  })

  it('end at a page that is damaged in the file, though nothing is replayed: -1018, told like a replay that fails', async () => {
    rig.disk.putLogs(1, 4)
    await opened(rig)
    await replayed(rig, 1, 4)
    await stopped(rig)
    await opened(rig, 2)
    for (const byte of [100, 300]) rig.disk.turnBit(rig.disk.databasePath, 9 * PAGE_BYTES + byte)
    rig.post({ kind: 'digest-pages', copy: 0, request: 1, through: g(4) })

    const told = [await rig.next(), await rig.next()]

    expect(told).toMatchObject([
      { kind: 'digest-refused', request: 1, fault: { code: 'DATABASE_REJECTED' } },
      { kind: 'replay-failed', session: 2, fault: { eseError: -1018, message: expect.stringContaining('page 8') } },
    ])
  })

  it('are refused where the file has changes of later logs, which are about to be redone', async () => {
    rig.disk.putLogs(1, LOGS)
    await opened(rig)
    await replayed(rig, 1, LOGS)
    await rig.restart()
    const event = await opened(rig)
    const progress = event.kind === 'database-opened' ? event.progress : expect.fail()
    expect(progress.replayedThrough).toBeLessThan(progress.requiredHigh)

    rig.post({ kind: 'digest-pages', copy: 0, request: 1, through: progress.replayedThrough })

    expect(await digestsOf(1)).toBe(`the copy has replayed log ${progress.requiredHigh} already`)
  })

  it('are answered at once where replay stands there, refused where it is beyond or stops', async () => {
    rig.disk.putLogs(1, 4)
    await opened(rig)
    await replayed(rig, 1, 3)
    rig.post({ kind: 'digest-pages', copy: 0, request: 1, through: g(3) })
    expect((await digestsOf(1)).length).toBeGreaterThan(10)

    rig.post({ kind: 'digest-pages', copy: 0, request: 2, through: g(2) })
    expect(await digestsOf(2)).toBe('the copy has replayed log 3 already')

    rig.post({ kind: 'digest-pages', copy: 0, request: 3, through: g(9) })
    rig.post({ kind: 'stop-replaying', copy: 0 })
    expect(await digestsOf(3)).toBe('the replay was stopped')
  })
})
