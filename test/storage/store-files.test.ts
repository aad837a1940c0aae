// Goal: a store ends at the first error of its disk, says which file and what to do, and what it promised before is there afterwards.
// Method: the real code over the modelled disk, which fails one call at a time; the failpoints of the orders; two lanes at once.
import { describe, expect, it } from 'vitest'
import {
  aPage,
  BODY,
  checkpointAt,
  databaseHeader,
  freshLog,
  LOG_BYTES,
  prepare,
  roll,
  write,
} from '../../bench/soak/store-script.ts'
import { readCheckpointFile } from '../../engine/database/checkpoint-file.ts'
import { ReplicationError } from '../../engine/error.ts'
import { asGeneration } from '../../engine/generation.ts'
import type { FileOperation } from '../../storage/file-error.ts'
import type { OpenFile } from '../../storage/file-operations.ts'
import { STORE_FAILPOINTS, type StoreFailpoint } from '../../storage/store-failpoint.ts'
import { CrashDisk, DirectoryNode, FileNode } from './crash-disk.ts'
import { Crashed, type InjectedFault, operationsOver } from './crash-disk-operations.ts'
import { FATES } from './power-cuts.ts'
import { StoreRig } from './store-rig.ts'

const LOGS = '/data/SG1/logs'
const PAGES = [aPage(1, 20), aPage(2, 20)]

/** One of each order, in an order that makes sense; the log's lane first. */
async function playAll(rig: StoreRig): Promise<boolean> {
  return (
    (await rig.log(prepare(), roll(null, 1), write(1, 0, 1), prepare(), roll(1, 2), prepare(1), roll(2, 3))) &&
    (await rig.database(
      { order: 'create-database', header: databaseHeader(20) },
      { order: 'save-pages', pages: PAGES, headerDigest: 20n },
      { order: 'write-pages', pages: PAGES },
      { order: 'sync-database' },
      { order: 'write-header', header: databaseHeader(21) },
      { order: 'write-checkpoint', checkpoint: checkpointAt(2) },
      { order: 'delete-logs', first: asGeneration(1), last: asGeneration(1) },
    )) &&
    (await rig.log({ order: 'mend-log', generation: asGeneration(3), bytes: freshLog(3) })) &&
    (await rig.log({ order: 'discard-logs', from: asGeneration(2) }))
  )
}

/** The errors that a disk has, where they make sense. */
const FAULTS: readonly (readonly [FileOperation, string, string])[] = [
  ['write', 'EIO', 'WRITE_FAILED'],
  ['datasync', 'EIO', 'SYNC_FAILED'],
  ['sync directory', 'EIO', 'SYNC_FAILED'],
  ['rename', 'EIO', 'WRITE_FAILED'],
  ['rename', 'EROFS', 'DIRECTORY_NOT_WRITABLE'],
  ['create', 'EACCES', 'DIRECTORY_NOT_WRITABLE'],
  ['open', 'EMFILE', 'READ_FAILED'],
  ['read', 'EIO', 'READ_FAILED'],
  ['link', 'EIO', 'WRITE_FAILED'],
  ['unlink', 'EPERM', 'DIRECTORY_NOT_WRITABLE'],
  ['look up', 'EIO', 'READ_FAILED'],
]

describe('an error of the disk', () => {
  it.each(FAULTS)(
    'at any %s (%s) ends the store as %s, and nothing is written after it',
    async (operation, errno, code) => {
      let met = 0
      for (let at = 1; at < 60; at++) {
        const disk = new CrashDisk()
        await (await StoreRig.open(operationsOver(disk))).store.close()
        const files = operationsOver(disk, { faults: [{ operation, at, errno }] })
        const rig = await StoreRig.open(files).catch((error: unknown) => error)
        if (!(rig instanceof StoreRig)) continue // at the opening, which tells it itself
        if (await playAll(rig)) break
        met++
        const steps = files.steps()
        rig.store.orderLog({ sequence: 1_000_000, orders: [write(1, 0, 9)] })
        await rig.store.close()

        expect(rig.failure).toBeInstanceOf(ReplicationError)
        expect(rig.failure).toMatchObject({
          code,
          message: expect.stringMatching(/the store has ended at [a-z-]+: cannot .*\/data\/SG1/),
          hint: expect.stringMatching(/; then mount the store again: it recovers from what lies there\.$/),
          fields: { errno, path: expect.stringContaining('/data/SG1') },
        })
        expect([files.steps(), files.openFiles()]).toEqual([steps, 0])
      }
      expect(met).toBeGreaterThan(0)
    },
  )

  it('in one lane stops the other one in the middle of its order', async () => {
    const disk = new CrashDisk()
    const files = operationsOver(disk, { faults: [{ operation: 'link', at: 1, errno: 'EIO' }] })
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const isDatabase = (path: string): boolean => path.includes('/database/')
    const slow = { ...files, datasync: (file: OpenFile) => (isDatabase(file.path) ? held : files.datasync(file)) }
    const rig = await StoreRig.open(slow)
    await rig.log(prepare(), roll(null, 1))
    rig.store.orderDatabase({ sequence: 900, orders: [{ order: 'create-database', header: databaseHeader(1) }] })

    await rig.log({ order: 'discard-logs', from: asGeneration(1) })
    release()
    await rig.store.close()

    expect(rig.failure).toMatchObject({ code: 'WRITE_FAILED', fields: { order: 'discard-logs' } })
    expect(rig.facts).not.toContainEqual({ fact: 'database-written', sequence: 900 })
    expect(disk.find('/data/SG1/database/priv1.edb')).toBeNull()
  })

  it.each(['removed', 'exchanged'])('of a directory that was %s is told as that', async (how) => {
    const disk = new CrashDisk()
    const rig = await StoreRig.open(operationsOver(disk))
    await rig.log(prepare(), roll(null, 1), prepare())
    const root = disk.find('/data/SG1')
    const node = how === 'removed' ? null : disk.newDirectory()
    if (root instanceof DirectoryNode) disk.rename(root, [{ name: 'logs', node }])

    await rig.log(roll(1, 2))

    expect(rig.failure).toMatchObject({
      code: 'DIRECTORY_MISSING',
      message: expect.stringContaining('/data/SG1/logs is not the directory of this store any more'),
      hint: expect.stringContaining('Mount the volume'),
    })
    await rig.store.close()
  })

  it.each([
    ['/data/SG1/logs', 'DIRECTORY_MISSING'],
    ['/data/SG1/database', 'DIRECTORY_MISSING'],
    ['/data/SG1/logs/E00.log', 'LOG_MISSING'],
  ])('that nobody meets, as %s was removed, is found by a look', async (path, code) => {
    const disk = new CrashDisk()
    const rig = await StoreRig.open(operationsOver(disk))
    await rig.log(prepare(), roll(null, 1), prepare(), roll(1, 2))
    await rig.store.checkStillThere()
    expect(rig.failure).toBeNull()
    const slash = path.lastIndexOf('/')
    const directory = disk.find(path.slice(0, slash))
    if (directory instanceof DirectoryNode) disk.rename(directory, [{ name: path.slice(slash + 1), node: null }])

    await rig.store.checkStillThere()
    await rig.store.close()

    expect(rig.failure).toMatchObject({ code, message: expect.stringContaining(path) })
  })

  it('of its lock ends it from outside', async () => {
    const files = operationsOver(new CrashDisk())
    const rig = await StoreRig.open(files)
    await rig.log(prepare(), roll(null, 1))
    const steps = files.steps()

    rig.store.abandon(new ReplicationError({ code: 'STORE_LOCKED', message: 'the lock was lost', hint: 'Restart it.' }))
    await rig.log(write(1, 0, 1))
    await rig.store.close()

    expect(rig.failure).toMatchObject({ code: 'STORE_LOCKED', hint: expect.stringContaining('Restart it; then mount') })
    expect(files.steps()).toBe(steps)
  })

  it('that is none of the world is told as it is', async () => {
    const rig = await StoreRig.open(operationsOver(new CrashDisk()))
    await rig.log(prepare(), roll(null, 1))

    await rig.log(write(1, 40, 1))
    await rig.store.close()

    expect(rig.failure).toBeInstanceOf(Error)
    expect(rig.failure).toMatchObject({ message: expect.stringContaining('must hold: a write lies in the body') })
  })
})

describe('a full disk', () => {
  /** The first calls of an operation fail. */
  function full(operation: FileOperation, count: number, errno = 'ENOSPC'): InjectedFault[] {
    return Array.from({ length: count }, (_, index) => ({ operation, at: index + 1, errno }))
  }

  it.each(['write', 'datasync', 'create'] as const)(
    'at the %s of a prepared log is bridged by two reserve logs, then it ends the store',
    async (operation) => {
      const disk = new CrashDisk()
      await (await StoreRig.open(operationsOver(disk))).store.close()
      // Between them lie the writes of a reserve log's pattern and of a header.
      const faults =
        operation === 'write'
          ? [1, 4, 7].map((at) => ({ operation, at, errno: 'ENOSPC' }))
          : full(operation, 3, operation === 'create' ? 'EDQUOT' : 'ENOSPC')
      const rig = await StoreRig.open(operationsOver(disk, { faults }))

      await rig.log(prepare(), roll(null, 1))
      await rig.log(prepare(), roll(1, 2))
      const left = (await rig.store.list()).reserveLogs
      const ended = await rig.log(prepare(), roll(2, 3))

      expect(rig.facts.filter(({ fact }) => fact === 'log-prepared')).toEqual([
        { fact: 'log-prepared', reserve: true },
        { fact: 'log-prepared', reserve: true },
      ])
      expect([left, ended]).toEqual([0, false])
      expect(rig.failure).toMatchObject({
        code: operation === 'datasync' ? 'SYNC_FAILED' : 'DISK_FULL',
        fields: { path: expect.stringContaining('E00tmp.log') },
      })
      const open = disk.find(`${LOGS}/E00.log`)
      expect(open instanceof FileNode && open.content.equals(freshLog(2))).toBe(true)
      await rig.store.close()
    },
  )

  it('that has room again gets its reserve logs back', async () => {
    const disk = new CrashDisk()
    await (await StoreRig.open(operationsOver(disk))).store.close()
    const rig = await StoreRig.open(operationsOver(disk, { faults: full('datasync', 1) }))
    await rig.log(prepare(), roll(null, 1))
    const { reserveLogs } = await rig.store.list()

    await rig.log(prepare(), roll(1, 2))
    await rig.store.close()

    const again = await StoreRig.open(operationsOver(disk))
    expect([reserveLogs, (await again.store.list()).reserveLogs]).toEqual([1, 2])
    await again.store.close()
  })

  it('leaves room for the checkpoint, which goes over the one that is there, old or new after a crash', async () => {
    const checkpointOn = (disk: CrashDisk): number => {
      const node = disk.find(`${LOGS}/E00.chk`)
      const read = readCheckpointFile(node instanceof FileNode ? node.content : new Uint8Array())
      return read.verdict === 'read' ? read.checkpoint.checkpoint.generation : 0
    }
    for (let crashAt = 1; crashAt <= 8; crashAt++)
      for (const choose of FATES) {
        const disk = new CrashDisk()
        const before = await StoreRig.open(operationsOver(disk))
        await before.database({ order: 'write-checkpoint', checkpoint: checkpointAt(4) })
        await before.store.close()
        const opening = operationsOver(disk)
        await (await StoreRig.open(opening)).store.close()
        const files = operationsOver(disk, { crashAt: opening.steps() + crashAt, faults: full('create', 1) })
        const rig = await StoreRig.open(files)

        const ended = await rig.database({ order: 'write-checkpoint', checkpoint: checkpointAt(5) })

        expect(ended ? [5] : [4, 5]).toContain(checkpointOn(disk.afterPowerCut('any subset', choose())))
        // The refused creation, then each copy written and synced.
        expect(ended).toBe(crashAt > 5)
        await rig.store.close().catch(() => undefined) // where it has crashed
      }
  })

  it('leaves a new store without reserve logs, which is no fault', async () => {
    const files = operationsOver(new CrashDisk())
    const rig = await StoreRig.open({ ...files, freeBytes: () => Promise.resolve(3 * LOG_BYTES) })

    expect((await rig.store.list()).reserveLogs).toBe(0)
    await rig.store.close()
  })
})

describe('the failpoints', () => {
  it('are all reached', async () => {
    const reached = new Set<StoreFailpoint>()
    for (const faults of [[], [{ operation: 'datasync', at: 1, errno: 'ENOSPC' }] as const]) {
      const disk = new CrashDisk()
      await (await StoreRig.open(operationsOver(disk))).store.close()
      const rig = await StoreRig.open(operationsOver(disk, { faults }), { reach: (name) => reached.add(name) })
      await playAll(rig)
      await rig.store.close()
    }

    expect([...STORE_FAILPOINTS].filter((name) => !reached.has(name))).toEqual([])
  })

  it('end a store wherever one throws', async () => {
    for (const name of STORE_FAILPOINTS) {
      const disk = new CrashDisk()
      await (await StoreRig.open(operationsOver(disk))).store.close()
      const reach = (reached: StoreFailpoint): void => {
        if (reached === name) throw new Crashed()
      }
      const faults =
        name === 'prepare-log.disk-full' ? [{ operation: 'datasync', at: 1, errno: 'ENOSPC' } as const] : []
      const rig = await StoreRig.open(operationsOver(disk, { faults }), { reach })

      const ended = await playAll(rig)

      expect([name, ended, rig.failure]).toEqual([name, false, expect.any(Crashed)])
      await rig.store.close()
    }
  })
})

describe('the lanes', () => {
  it('run side by side, each in the order in which it was given', async () => {
    const rig = await StoreRig.open(operationsOver(new CrashDisk()))
    await rig.log(prepare(), roll(null, 1))
    await rig.database({ order: 'create-database', header: databaseHeader(20) })
    for (let sequence = 100; sequence < 110; sequence++) {
      rig.store.orderLog({ sequence, orders: [write(1, 0, sequence)] })
      rig.store.orderDatabase({
        sequence,
        orders: [{ order: 'write-pages', pages: PAGES }, { order: 'sync-database' }],
      })
    }
    await rig.store.close()

    for (const fact of ['log-written', 'database-written'] as const)
      expect(rig.facts.flatMap((told) => (told.fact === fact && told.sequence >= 100 ? [told.sequence] : []))).toEqual(
        Array.from({ length: 10 }, (_, index) => 100 + index),
      )
    const interleaved = rig.facts.slice(-20).map(({ fact }) => fact)
    expect(interleaved.lastIndexOf('log-written')).toBeGreaterThan(interleaved.indexOf('database-written'))
  })

  it('take no order after the close, which gives the lock back once', async () => {
    let released = 0
    const lock = { release: () => Promise.resolve(void released++) }
    const disk = new CrashDisk()
    const rig = await StoreRig.open(operationsOver(disk), { lock })
    await rig.log(prepare(), roll(null, 1), write(1, 0, 5))

    await Promise.all([rig.store.close(), rig.store.close()])

    expect(() => rig.store.orderLog({ sequence: 99, orders: [prepare()] })).toThrow('must hold')
    expect(released).toBe(1)
    const open = disk.find(`${LOGS}/E00.log`)
    expect(open instanceof FileNode && open.content[BODY]).toBe(5)
    await expect(StoreRig.open(operationsOver(disk), { lock, root: '/none', mustExist: true })).rejects.toThrow()
    expect(released).toBe(2)
  })
})
