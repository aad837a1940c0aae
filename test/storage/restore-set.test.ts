// Goal: a restore either changes nothing or ends with the files of the sets in their places and everything else kept; a crash between is
// finished by the same call, and no store starts meanwhile.
// Method: sets and folders on the modelled disk; each set and folder wrong in one way; each bit class turned; the power cut at every call.
import { beforeEach, describe, expect, it } from 'vitest'
import type { BackupManifest } from '../../storage/backup-manifest.ts'
import type { FileFacts, FileOperations } from '../../storage/file-operations.ts'
import { restoreUnderWay } from '../../storage/restore-note.ts'
import type { RestoreRequest, RestoreResult } from '../../storage/restore-set.ts'
import { openStoreFiles } from '../../storage/store-files.ts'
import { restoreWith } from '../../workers/set-restoring.ts'
import { turnBit } from '../engine/database/database-build.ts'
import {
  aRestore,
  contentOf,
  databaseBytes,
  makeFolder,
  newId,
  partsOver,
  put,
  takeSet,
  treeOf,
} from '../workers/set-rig.ts'
import { CrashDisk } from './crash-disk.ts'
import { operationsOver } from './crash-disk-operations.ts'
import { FATES, POLICIES } from './power-cuts.ts'

const NOW_MS = Date.UTC(2007, 2, 8, 12)
const REPLACED = 'replaced-20070308T120000Z'
const NO_LOCK = { release: () => Promise.resolve() }

let disk: CrashDisk
let files: FileOperations
beforeEach(async () => {
  disk = new CrashDisk()
  files = operationsOver(disk)
  await makeFolder(files, { root: '/old', closed: [1, 2, 3, 4, 5, 6, 7, 8], required: [3, 4] })
  await takeSet(files, { from: '/old', to: '/full', logs: [3, 5] })
})

async function restore(request: RestoreRequest, over = files): Promise<RestoreResult> {
  const others = { lock: () => Promise.resolve(NO_LOCK), newId, nowMs: () => NOW_MS, recoverStreaming: null }
  return await restoreWith(await partsOver(over), others, request)
}

const INCREMENTAL = { scope: 'incremental' } as const
const log = (generation: number): string => `logs/E000000000${generation}.log`

describe('a restore', () => {
  it('fills a folder that is not there yet', async () => {
    const result = await restore(aRestore('/SG1', ['/full']))

    expect(result).toEqual({
      wasInterrupted: false,
      files: 4,
      replaced: null,
      logs: { first: 3, last: 5 },
      rolledForward: null,
    })
    const tree = await treeOf(files, '/SG1')
    expect([...tree.keys()]).toEqual(['database/priv1.edb', log(3), log(4), log(5)])
    expect(await contentOf(files, '/SG1/database/priv1.edb')).toEqual(databaseBytes([3, 4]))
  })

  it('keeps logs that continue those of the sets, with the open one, and those that lead up to them', async () => {
    await makeFolder(files, { root: '/SG1', closed: [1, 2, 3, 4, 5, 6, 7], open: 8, required: [6, 7] })
    await put(files, '/SG1/logs/E00.chk', new Uint8Array(8192))
    await put(files, '/SG1/database/priv1.edb.saved', new Uint8Array(8192))

    const result = await restore(aRestore('/SG1', ['/full']))

    expect(result).toMatchObject({ replaced: `/SG1/${REPLACED}`, rolledForward: { first: 6, last: 7 } })
    const replaced = ['database/priv1.edb', 'database/priv1.edb.saved', log(3), log(4), log(5), 'logs/E00.chk']
    expect([...(await treeOf(files, '/SG1')).keys()].sort()).toEqual(
      [
        'database/priv1.edb',
        ...[1, 2, 3, 4, 5, 6, 7].map(log),
        'logs/E00.log',
        ...replaced.map((name) => `${REPLACED}/${name}`),
      ].sort(),
    )
    expect(await contentOf(files, `/SG1/${REPLACED}/database/priv1.edb`)).toEqual(databaseBytes([6, 7]))
  })

  it('moves every log aside that is in no set when it ends at a point in time', async () => {
    await makeFolder(files, { root: '/SG1', closed: [1, 2, 3, 4, 5, 6, 7], open: 8, required: [6, 7] })
    await put(files, '/SG1/logs/E00tmp.log', new Uint8Array(512))

    const result = await restore(aRestore('/SG1', ['/full'], { pointInTime: true }))

    expect(result.rolledForward).toBeNull()
    const tree = [...(await treeOf(files, '/SG1')).keys()]
    expect(tree.filter((name) => !name.startsWith('replaced'))).toEqual(['database/priv1.edb', log(3), log(4), log(5)])
    expect(tree.filter((name) => name.startsWith('replaced')).length).toBe(10)
  })

  it('puts incremental sets, or one differential one, behind the full one', async () => {
    await takeSet(files, { from: '/old', to: '/inc1', logs: [6, 6], description: INCREMENTAL })
    await takeSet(files, { from: '/old', to: '/inc2', logs: [7, 8], description: INCREMENTAL })
    await takeSet(files, { from: '/old', to: '/diff', logs: [4, 7], description: { scope: 'differential' } })

    expect(await restore(aRestore('/SG1', ['/full', '/inc1', '/inc2']))).toMatchObject({ logs: { first: 3, last: 8 } })
    expect(await restore(aRestore('/SG2', ['/full', '/diff']))).toMatchObject({ logs: { first: 3, last: 7 }, files: 6 })
  })

  it('replaces an open log, and a damaged one, that the sets have as closed ones', async () => {
    await makeFolder(files, { root: '/SG1', closed: [3, 4], open: 5, required: [3, 4] })
    await put(files, `/SG1/${log(4)}`, new Uint8Array(8192))

    expect(await restore(aRestore('/SG1', ['/full']))).toMatchObject({ files: 4, rolledForward: null })
  })

  it('keeps an earlier replaced folder apart', async () => {
    await restore(aRestore('/SG1', ['/full']))
    await restore(aRestore('/SG1', ['/full']))

    expect(await restore(aRestore('/SG1', ['/full']))).toMatchObject({ replaced: `/SG1/${REPLACED}-2` })
  })
})

describe('a restore changes nothing', () => {
  const incremental = (to: string, logs: readonly [number, number], changes: Partial<BackupManifest> = {}) =>
    takeSet(files, { from: '/old', to, logs, description: { ...INCREMENTAL, ...changes } })

  it.each([
    ['no set', [], {}, { code: 'USAGE' }],
    ['an incremental set first', ['/inc'], {}, { message: /the first set must have a database/ }],
    ['two full sets', ['/full', '/full'], {}, { message: /of scope full does not follow/ }],
    ['a gap', ['/full', '/late'], {}, { message: /ends? with 5: the logs between are in none/ }],
    ['sets out of order', ['/full', '/inc', '/early'], {}, { message: /ends with log 5, before the sets in front/ }],
    ['another storage group', ['/full'], { storageGroup: 'SG2' }, { message: /is of storage group SG1, not SG2/ }],
    ['another base name', ['/full'], { baseName: 'E01' }, { message: /has logs named E00/ }],
    ['another major version', ['/full'], { product: '1.0.0' }, { message: /made by version 0.1.0, this is 1.0.0/ }],
    ['a directory without a manifest', ['/old'], {}, { message: /has no manifest.json/ }],
    ['a directory that is not there', ['/none'], {}, { message: /is not there/ }],
  ] as const)('for %s', async (_, sets, changes, refusal) => {
    await incremental('/inc', [6, 7])
    await incremental('/late', [7, 8])
    await incremental('/early', [4, 5])
    await makeFolder(files, { root: '/SG1', closed: [6, 7], required: [6, 7] })
    const before = await treeOf(files, '/SG1')

    await expect(restore(aRestore('/SG1', sets, changes))).rejects.toMatchObject({
      code: 'BACKUP_REJECTED',
      ...refusal,
    })

    expect(await treeOf(files, '/SG1')).toEqual(before)
  })

  it.each([
    ['a gap', [7, 8], 9, undefined, /E0000000007.log does not continue log 00000005/],
    ['another stream', [6, 7], 8, 77, /signature/],
    ['an open log that lies behind a gap', [6], 9, undefined, /E00.log does not continue log 00000006/],
  ] as const)('when the logs of the folder do not continue: %s', async (_, closed, open, random, message) => {
    await makeFolder(files, {
      root: '/SG1',
      closed,
      open,
      required: [6, 7],
      ...(random === undefined ? {} : { random }),
    })
    const before = await treeOf(files, '/SG1')

    await expect(restore(aRestore('/SG1', ['/full']))).rejects.toMatchObject({
      code: 'BACKUP_REJECTED',
      message: expect.stringMatching(message),
      hint: expect.stringContaining('--point-in-time'),
    })
    expect(await treeOf(files, '/SG1')).toEqual(before)
    expect(await restore(aRestore('/SG1', ['/full'], { pointInTime: true }))).toMatchObject({ files: 4 })
  })

  it.each([
    ['closed ones that the sets have too', [3, 4, 5], undefined, 4, /0005.log is a log 00000005 that they do not have/],
    ['an open one that the sets have closed', [3, 4], 5, 5, /E00.log is a log 00000005 that they do not have/],
    ['an open one below those of the sets', [], 2, 2, /E00.log is a log 00000002 that they do not have/],
  ] as const)('when the logs of the folder are of another history: %s', async (_, closed, open, partedAt, message) => {
    await makeFolder(files, { root: '/SG1', closed, ...(open === undefined ? {} : { open }), partedAt })
    const before = await treeOf(files, '/SG1')

    await expect(restore(aRestore('/SG1', ['/full']))).rejects.toMatchObject({
      code: 'BACKUP_REJECTED',
      message: expect.stringMatching(message),
      hint: expect.stringContaining('--point-in-time'),
    })

    expect(await treeOf(files, '/SG1')).toEqual(before)
  })

  it('when a bit of any file of a set is turned, or a file is missing, longer or a second name of another', async () => {
    await makeFolder(files, { root: '/SG1', closed: [6, 7], required: [6, 7] })
    const before = await treeOf(files, '/SG1')
    const refused = async (what: string): Promise<void> => {
      const code = await restore(aRestore('/SG1', ['/full'])).then(
        () => 'restored',
        (error: { code: string }) => error.code,
      )
      expect(['BACKUP_REJECTED', 'FILE_NOT_REGULAR'], what).toContain(code)
      expect(await treeOf(files, '/SG1'), what).toEqual(before)
    }
    for (const name of (await treeOf(files, '/full')).keys()) {
      const path = `/full/${name}`
      const sound = await contentOf(files, path)
      for (let bit = 3; bit < sound.length * 8; bit += name.endsWith('json') ? 97 : 4099) {
        const other = sound.slice()
        turnBit(other, bit)
        await put(files, path, other)
        if (name.endsWith('json') && (await stillRestores())) continue
        await refused(`${name}, bit ${bit}`)
      }
      await put(files, path, new Uint8Array([...sound, 0]))
      if (!name.endsWith('json')) await refused(`${name}, longer`)
      await files.unlink(path)
      await refused(`${name}, missing`)
      await put(files, path, sound)
      await files.link(path, `${path}.second`)
      await refused(`${name}, with two names`)
      await files.unlink(`${path}.second`)
    }
    expect(await restore(aRestore('/SG1', ['/full']))).toMatchObject({ files: 4 })
  }, 60_000)

  /** A turned bit in a name, a time or a note of the manifest is no damage that a restore could see; elsewhere it is none to try. */
  async function stillRestores(): Promise<boolean> {
    const scratch = new CrashDisk()
    const over = operationsOver(scratch)
    for (const name of (await treeOf(files, '/full')).keys())
      await put(over, `/full/${name}`, await contentOf(files, `/full/${name}`))
    return await restore(aRestore('/SG1', ['/full']), over).then(
      () => true,
      () => false,
    )
  }

  it('when there is too little room, and says how much is missing', async () => {
    const small: FileOperations = { ...files, freeBytes: () => Promise.resolve(10_000) }

    await expect(restore(aRestore('/SG1', ['/full']), small)).rejects.toMatchObject({
      code: 'DISK_FULL',
      fields: { missingBytes: 5 * 8192 + 3 * 8192 - 10_000 },
    })
  })

  it.each(['logs', 'database'])('when %s lies on a volume of its own', async (name) => {
    await makeFolder(files, { root: '/SG1', closed: [6], required: [6, 6] })
    const before = await treeOf(files, '/SG1')
    const lookUp = async (path: string): Promise<FileFacts | null> => {
      const facts = await files.lookUp(path)
      return facts !== null && path.startsWith(`/SG1/${name}`) ? { ...facts, device: 2 } : facts
    }

    await expect(restore(aRestore('/SG1', ['/full']), { ...files, lookUp })).rejects.toMatchObject({
      code: 'DIRECTORY_CONFLICT',
      fields: { path: `/SG1/${name}` },
    })

    expect(await treeOf(files, '/SG1')).toEqual(before)
  })

  it('when the disk fills up while it copies', async () => {
    await makeFolder(files, { root: '/SG1', closed: [6], required: [6, 6] })
    const before = await treeOf(files, '/SG1')
    for (let at = 1; at <= 4; at++) {
      const full = operationsOver(disk, { faults: [{ operation: 'write', at, errno: 'ENOSPC' }] })

      await expect(restore(aRestore('/SG1', ['/full']), full)).rejects.toMatchObject({ code: 'DISK_FULL' })

      expect(await treeOf(files, '/SG1')).toEqual(before)
    }
  })
})

describe('a restore that the power cuts', () => {
  const request = aRestore('/SG1', ['/full'])

  it('is finished by the same call, and no store starts before that', async () => {
    await makeFolder(files, { root: '/SG1', closed: [1, 2, 3, 4, 5, 6], open: 7, required: [6, 6] })
    const before = await treeOf(files, '/SG1')
    const whole = disk.afterPowerCut('ordered prefix', () => 0)
    await restore(request, operationsOver(whole))
    const after = await treeOf(operationsOver(whole), '/SG1')
    let halfRestored = 0
    for (let cut = 1; ; cut++) {
      const dying = disk.afterPowerCut('ordered prefix', () => 0)
      const ended = await restore(request, operationsOver(dying, { crashAt: cut })).then(
        () => true,
        () => false,
      )
      for (const [index, fate] of FATES.entries()) {
        const policy = POLICIES[(cut + index) % POLICIES.length] ?? 'any subset'
        const survivor = operationsOver(dying.afterPowerCut(policy, fate()))
        const isUnderWay = await restoreUnderWay(survivor, '/SG1')
        const found = await treeOf(survivor, '/SG1')
        if (isUnderWay) {
          halfRestored++
          await expect(start(survivor)).rejects.toMatchObject({ code: 'DATABASE_REJECTED', hint: /ccr restore again/ })
        } else if (!ended) expect(withoutStaged(found), `cut at ${cut}`).toEqual(isDone(found) ? after : before)
        await restore(request, survivor)
        const finished = await treeOf(survivor, '/SG1')
        expect([...finished.keys()].filter((name) => name.startsWith('restor'))).toEqual([])
        for (const [name, content] of after) expect(finished.get(name), `${name}, cut at ${cut}`).toBe(content)
        for (const [name, content] of before)
          expect([finished.get(name), finished.get(`${REPLACED}/${name}`)], `${name}, cut at ${cut}`).toContain(content)
      }
      if (ended) break
    }
    expect(halfRestored).toBeGreaterThan(20)
  }, 120_000)

  it('is not mixed with another one', async () => {
    await makeFolder(files, { root: '/SG1', closed: [1, 2], required: [1, 1] })
    let cut = 1
    for (; !(await restoreUnderWay(files, '/SG1')); cut++)
      await restore(request, operationsOver(disk, { crashAt: cut })).catch(() => undefined)

    await expect(restore(aRestore('/SG1', ['/full'], { pointInTime: true }))).rejects.toMatchObject({
      code: 'STATE_REFUSED',
      hint: expect.stringContaining('ccr restore SG1 --from /full.'),
    })
    expect(await restore(request)).toMatchObject({ wasInterrupted: true, files: 4 })
  })

  const isDone = (tree: ReadonlyMap<string, string>): boolean =>
    tree.get('database/priv1.edb') === Buffer.from(databaseBytes([3, 4])).toString('latin1')

  function withoutStaged(tree: ReadonlyMap<string, string>): Map<string, string> {
    return new Map([...tree].filter(([name]) => !name.startsWith('restoring/') && !name.startsWith('restore.json.')))
  }

  async function start(over: FileOperations): Promise<void> {
    await openStoreFiles({
      root: '/SG1',
      baseName: 'E00',
      databaseName: 'priv1.edb',
      files: over,
      lock: NO_LOCK,
      mustExist: false,
      logFileBytes: 8192,
      newId,
      nowMs: () => NOW_MS,
      onFact: () => undefined,
      onFailed: () => undefined,
    })
  }
})
