// Goal: the store tells what it holds, refuses what is not its own, and deletes nothing but the logs it was told to.
// Method: the real code over the modelled disk, with files planted by hand where somebody else would have put them.
import { beforeEach, describe, expect, it } from 'vitest'
import { asGeneration } from '../../engine/generation.ts'
import type { LogFormat } from '../../engine/log-format.ts'
import { type CopyStore, openCopyStore } from '../../storage/copy-store.ts'
import { arrivalsIn } from '../../storage/durable-file.ts'
import { type FileOperations, wholeOf } from '../../storage/file-operations.ts'
import { CrashDisk } from './crash-disk.ts'
import { operationsOver } from './crash-disk-operations.ts'

const ROOT = '/data/SG1'
const ESE: LogFormat = { kind: 'ese', baseName: 'E00' }
const nameOf = (generation: number): string => `E00${generation.toString(16).toUpperCase().padStart(8, '0')}.log`

describe('a store of a copy', () => {
  let disk: CrashDisk
  let files: FileOperations
  let ids: number

  beforeEach(() => {
    disk = new CrashDisk()
    files = operationsOver(disk)
    ids = 0
  })

  function open(more: { mustExist?: boolean; format?: LogFormat; sourceDirectory?: string } = {}) {
    return openCopyStore<string>({
      root: ROOT,
      format: ESE,
      files,
      newId: () => (ids++).toString(16).padStart(32, '0'),
      identityOf: (start, name) => `${name}:${Buffer.from(start).toString()}`,
      sameContent: async () => false,
      ...more,
    })
  }

  async function put(path: string, text = 'x'): Promise<void> {
    const file = await files.open(path, 'create')
    await files.write(file, wholeOf(Buffer.from(text)), 0)
    await files.close(file)
  }

  async function fill(store: CopyStore<string>, generations: readonly number[]): Promise<void> {
    for (const generation of generations) await put(`${store.paths.logs}/${nameOf(generation)}`, `log ${generation}`)
  }

  it('is laid out as a storage group and is the same store when it is opened again', async () => {
    const first = await open()

    const second = await open({ mustExist: true })

    expect(second.copyId).toBe(first.copyId)
    expect([...(await files.readDirectory(ROOT))].sort()).toEqual(['database', 'logs', 'store.json'])
    expect([...(await files.readDirectory(first.paths.ignoredLogs))].sort()).toEqual([
      'E00OutOfDate',
      'InspectionFailed',
    ])
  })

  it('reports the run it goes on from, the gap above it, and the identity of the newest log of the run', async () => {
    const store = await open()
    await fill(store, [3, 4, 5, 9, 10])

    const scan = await store.scan()

    expect(scan.run).toEqual({ first: 3, last: 5 })
    expect(scan.ranges).toEqual([
      { first: 3, last: 5 },
      { first: 9, last: 10 },
    ])
    expect(scan.gaps).toEqual([{ first: 6, last: 8 }])
    expect(scan.newest).toMatchObject({ generation: 5, identity: `${nameOf(5)}:log 5` })
  })

  it('an empty store has neither run nor newest log', async () => {
    const scan = await (await open()).scan()

    expect(scan).toMatchObject({ run: null, newest: null, ranges: [], gaps: [], swept: 0 })
  })

  it('sweeps interrupted arrivals and leaves what is not its own', async () => {
    const store = await open()
    await put(`${store.paths.inspector}/${nameOf(1)}.a1.tmp`)
    await put(`${store.paths.inspector}/notes.txt`)
    await put(`${store.paths.logs}/notes.txt`)
    await put(`${store.paths.logs}/E00.log`)
    disk.rename(directoryAt(disk, store.paths.logs), [{ name: nameOf(2), node: disk.newFile('fifo') }])

    const scan = await store.scan()

    expect(scan.swept).toBe(1)
    expect(await files.readDirectory(store.paths.inspector)).toEqual(['notes.txt'])
    expect(scan.openLogs).toEqual(['E00.log'])
    expect(scan.foreign).toEqual({
      total: 2,
      listed: [
        { name: nameOf(2), reason: 'not a regular file' },
        { name: 'notes.txt', reason: 'not a log name' },
      ],
    })
  })

  it('truncates in ascending order below the generation and nothing else', async () => {
    const store = await open()
    await fill(store, [1, 2, 3, 4, 5])
    await put(`${store.paths.logs}/E00.log`)
    await put(`${store.paths.logs}/E0000000001.bak`)
    await store.scan()
    await files.unlink(`${store.paths.logs}/${nameOf(2)}`)

    const outcome = await store.truncateBelow(asGeneration(4))

    expect(outcome).toEqual({ deleted: 2, missing: 0, through: 3, failure: null, aborted: false })
    expect([...(await files.readDirectory(store.paths.logs))].sort()).toEqual(
      ['E00.log', 'E0000000001.bak', nameOf(4), nameOf(5), 'IgnoredLogs', 'inspector'].sort(),
    )
    expect((await store.scan()).run).toEqual({ first: 4, last: 5 })
  })

  it('reads the directory for leftovers once, then deletes the range it is told, also of logs published elsewhere', async () => {
    let walks = 0
    const walkDirectory: FileOperations['walkDirectory'] = (path) => {
      walks++
      return operationsOver(disk).walkDirectory(path)
    }
    files = { ...operationsOver(disk), walkDirectory }
    const store = await open()
    await fill(store, [1, 3, 4])
    const leftovers = await store.truncateBelow(asGeneration(4), { first: asGeneration(3) })
    await fill(store, [5, 7])

    const outcome = await store.truncateBelow(asGeneration(8), { first: asGeneration(4) })

    expect(leftovers).toMatchObject({ deleted: 2, missing: 0 })
    expect(outcome).toEqual({ deleted: 3, missing: 1, through: 7, failure: null, aborted: false })
    expect(walks).toBe(1)
  })

  it('a truncation stops at the first error, and one that is aborted deletes no more', async () => {
    files = operationsOver(disk, { faults: [{ operation: 'unlink', at: 2, errno: 'EBUSY' }] })
    const store = await open()
    await fill(store, [1, 2, 3, 4])

    const failed = await store.truncateBelow(asGeneration(4))
    const aborted = await store.truncateBelow(asGeneration(4), { signal: AbortSignal.abort() })

    expect(failed).toMatchObject({ deleted: 1, through: 1, failure: { code: 'FILE_HELD' } })
    expect(aborted).toMatchObject({ deleted: 0, aborted: true, failure: null })
    expect((await store.scan()).run).toEqual({ first: 2, last: 4 })
  })

  it('what a crash left of a truncated range is not the run; a new stream forgets the truncation', async () => {
    const store = await open()
    await fill(store, [1, 2, 3, 4, 5, 6])
    await store.truncateBelow(asGeneration(5))
    await fill(store, [2])

    expect((await store.scan()).run).toEqual({ first: 5, last: 6 })
    await store.forgetTruncation()
    expect((await store.scan()).run).toEqual({ first: 2, last: 2 })
  })

  it('keeps a refused log and a note of why', async () => {
    const store = await open()
    const arrivals = arrivalsIn(store.paths.inspector, files)
    const log = { name: nameOf(7), attemptId: 'a1', lengthBytes: 3, memory: 'any' } as const
    const arrived = await arrivals.write(log, wholeOf(Buffer.from('bad')))
    const note = {
      name: nameOf(7),
      attemptId: 'a1',
      reason: 'gap',
      detail: 'why',
      attempt: 3,
      atIso: '2007-11-30T00:00:00Z',
    }

    const kept = await store.quarantine(arrived.slice(arrived.lastIndexOf('/') + 1), note)

    expect(kept).toBe(`${store.paths.inspectionFailed}/${nameOf(7)}.a1`)
    expect([...(await files.readDirectory(store.paths.inspectionFailed))].sort()).toEqual([
      `${nameOf(7)}.a1`,
      `${nameOf(7)}.a1.why.json`,
    ])
    const survivor = disk.afterPowerCut('any subset', (bound) => bound - 1)
    expect(survivor.find(kept)).toMatchObject({ content: Buffer.from('bad') })
    expect(survivor.find(`${kept}.why.json`)).not.toBeNull()
    expect(await files.readDirectory(store.paths.inspector)).toEqual([])
  })

  it('sets a log aside that decayed after it was inspected, with a note, and only once', async () => {
    const store = await open()
    await fill(store, [3, 4])
    const note = { attemptId: 'a1', reason: 'corrupt-checksum', detail: 'why', attempt: 1, atIso: '' }

    const kept = await store.setLogAside(asGeneration(4), note)
    const again = await store.setLogAside(asGeneration(4), { ...note, attemptId: 'a2' })

    expect(kept).toBe(`${store.paths.inspectionFailed}/${nameOf(4)}.a1`)
    expect(again).toBeNull()
    expect((await store.scan()).run).toEqual({ first: 3, last: 3 })
    const survivor = disk.afterPowerCut('any subset', (bound) => bound - 1)
    expect(survivor.find(`${store.paths.inspectionFailed}/${nameOf(4)}.a1`)).not.toBeNull()
  })

  it('takes a diverged log out of the way, and says before what it is', async () => {
    const store = await open()
    await fill(store, [3, 4])
    const note = { attemptId: 'a1', reason: 'diverged', detail: 'why', attempt: 1, atIso: '' }

    const [own, none] = [await store.identityOf(asGeneration(4)), await store.identityOf(asGeneration(5))]
    const kept = await store.setDivergedAside(asGeneration(4), note)

    expect(own).not.toBeNull()
    expect(none).toBeNull()
    expect(kept).toBe(`${store.paths.outOfDate}/${nameOf(4)}.a1`)
    expect((await store.scan()).run).toEqual({ first: 3, last: 3 })
    const survivor = disk.afterPowerCut('any subset', (bound) => bound - 1)
    expect(survivor.find(`${store.paths.outOfDate}/${nameOf(4)}.a1`)).not.toBeNull()
  })

  it('forgets how far it was truncated when it is empty: what comes next may have lower numbers', async () => {
    const store = await open()
    await fill(store, [5, 6, 7])
    await store.truncateBelow(asGeneration(7))
    await files.unlink(`${store.paths.logs}/${nameOf(7)}`)
    await store.scan()
    await fill(store, [2, 3])

    expect((await store.scan()).run).toEqual({ first: 2, last: 3 })
  })

  it('sets a stale open log aside', async () => {
    const store = await open()
    await put(`${store.paths.logs}/E00.log`, 'stale')
    const note = { name: 'E00.log', attemptId: 'a1', reason: 'stale', detail: '', attempt: 1, atIso: '' }

    const kept = await store.setOpenLogAside('E00.log', note)

    expect(kept).toBe(`${store.paths.outOfDate}/E00.log.a1`)
    expect((await store.scan()).openLogs).toEqual([])
  })

  it('notices that its directory was removed or exchanged, and never makes it anew', async () => {
    const store = await open()
    disk.rename(directoryAt(disk, ROOT), [{ name: 'logs', node: disk.newDirectory() }])

    const missing = expect.objectContaining({ code: 'DIRECTORY_MISSING' })
    await expect(store.checkStillThere()).rejects.toEqual(missing)
    await expect(store.publish([])).rejects.toEqual(missing)
    await expect(store.truncateBelow(asGeneration(2))).rejects.toEqual(missing)
    disk.rename(directoryAt(disk, ROOT), [{ name: 'logs', node: null }])
    await expect(open()).rejects.toEqual(missing)
    disk.rename(directoryAt(disk, '/data'), [{ name: 'SG1', node: null }])
    await expect(open({ mustExist: true })).rejects.toEqual(missing)
  })

  it('refuses a directory of somebody else, of another format, and one that is no directory', async () => {
    await files.makeDirectory('/data')
    await files.makeDirectory(ROOT)
    await put(`${ROOT}/holiday.jpg`)
    await expect(open()).rejects.toEqual(expect.objectContaining({ code: 'STORE_FOREIGN' }))
    await files.unlink(`${ROOT}/holiday.jpg`)
    await open()
    const other: LogFormat = { kind: 'numbered', pattern: 'postgresql' }
    await expect(open({ format: other })).rejects.toEqual(expect.objectContaining({ code: 'STORE_FOREIGN' }))
    disk.rename(directoryAt(disk, '/data'), [{ name: 'SG1', node: disk.newFile('symlink') }])
    await expect(open()).rejects.toEqual(expect.objectContaining({ code: 'DIRECTORY_CONFLICT' }))
  })

  it.each([ROOT, '/data', `${ROOT}/logs`])('refuses to lie in its own source: %s', async (sourceDirectory) => {
    await files.makeDirectory('/data')

    await expect(open({ sourceDirectory })).rejects.toEqual(expect.objectContaining({ code: 'DIRECTORY_CONFLICT' }))

    expect(await files.readDirectory('/data')).toEqual([])
  })

  it('refuses a marker that it cannot read rather than write beside it', async () => {
    const store = await open()
    await files.unlink(`${store.paths.root}/store.json`)
    await put(`${store.paths.root}/store.json`, '{"layout":2}')

    await expect(open()).rejects.toEqual(expect.objectContaining({ code: 'STORE_FOREIGN' }))
  })
})

function directoryAt(disk: CrashDisk, path: string) {
  const node = disk.find(path)
  if (node === null || node.kind !== 'directory' || !('entries' in node)) throw new Error(`no directory ${path}`)
  return node
}
