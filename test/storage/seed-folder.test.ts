// Goal: at no moment lies anything but a whole database in its place: the one of before, or the one that was seeded, and never one with the saved
// pages of the other; what is not a storage group's stays.
// Method: a folder on the modelled disk; the power cut at every call of what a seed does to it, in every way that the disk may have kept it.
import { beforeEach, describe, expect, it } from 'vitest'
import type { FileOperations } from '../../storage/file-operations.ts'
import {
  beginPartial,
  clearForSeed,
  findForSeed,
  publishSeed,
  refuseTooSmall,
  seedPlaces,
} from '../../storage/seed-folder.ts'
import { contentOf, makeFolder, put, treeOf } from '../workers/set-rig.ts'
import { CrashDisk } from './crash-disk.ts'
import { Crashed, operationsOver } from './crash-disk-operations.ts'
import { FATES, POLICIES } from './power-cuts.ts'

const NAMES = { root: '/SG1', baseName: 'E00', databaseName: 'priv1.edb' } as const
const DATABASE = '/SG1/database/priv1.edb'
const SAVED = `${DATABASE}.saved`
const NEW = new Uint8Array(3 * 8192).fill(7)
const places = seedPlaces(NAMES, null, 2)

let disk: CrashDisk
let files: FileOperations
beforeEach(async () => {
  disk = new CrashDisk()
  files = operationsOver(disk)
  await makeFolder(files, { root: '/SG1', closed: [3, 4, 5], open: 6, required: [3, 4] })
  await put(files, SAVED, new Uint8Array(8192).fill(9))
  await put(files, '/SG1/logs/E00.chk', new Uint8Array(8192))
  await put(files, '/SG1/logs/E00tmp.log', new Uint8Array(512))
  await put(files, '/SG1/logs/E00res00001.jrs', new Uint8Array(512))
  await put(files, '/SG1/logs/inspector/E0000000006.log', new Uint8Array(512))
})

const LOGS = ['E00.log', 'E0000000003.log', 'E0000000004.log', 'E0000000005.log']

async function textOf(over: FileOperations, path: string): Promise<string | null> {
  const facts = await over.lookUp(path)
  // A rename into another directory may be half durable: the file has both names then, until the next seed takes one away.
  if (facts !== null && facts.names > 1) await over.unlink(places.partial)
  return facts === null ? null : Buffer.from(await contentOf(over, path)).toString('latin1')
}

/** What a seed does to the folder, from its first byte to its end. */
async function seeded(over: FileOperations, rtm: boolean): Promise<void> {
  await clearForSeed(over, NAMES, { checkpoint: true, logs: true, database: rtm })
  await beginPartial(over, places)
  if ((await over.lookUp(places.partial)) !== null) await over.unlink(places.partial)
  const file = await over.open(places.partial, 'create')
  for (let at = 0; at < NEW.length; at += 8192) await over.write(file, { bytes: NEW, offset: at, length: 8192 }, at)
  await over.datasync(file)
  await over.close(file)
  await publishSeed(over, NAMES, places)
}

describe('a seed that the power cuts', () => {
  it.each([
    ['SP1', false],
    ['RTM', true],
  ])('leaves the old database or the new one by the rules of %s, and no saved pages beside another', async (_, rtm) => {
    const [oldBytes, oldSaved] = [await textOf(files, DATABASE), await textOf(files, SAVED)]
    const newBytes = Buffer.from(NEW).toString('latin1')
    const seen = new Set<string>()
    for (let cut = 1; ; cut++) {
      const dying = disk.afterPowerCut('ordered prefix', () => 0)
      const ended = await seeded(operationsOver(dying, { crashAt: cut }), rtm).then(
        () => true,
        (error: unknown) => {
          if (error instanceof Crashed) return false
          throw error
        },
      )
      for (const [index, fate] of FATES.entries()) {
        const policy = POLICIES[(cut + index) % POLICIES.length] ?? 'any subset'
        const survivor = operationsOver(dying.afterPowerCut(policy, fate()))
        const [database, saved] = [await textOf(survivor, DATABASE), await textOf(survivor, SAVED)]
        const told = `cut at ${cut}, fate ${index}`
        const kind = database === oldBytes ? 'old' : database === newBytes ? 'new' : database === null ? 'none' : 'half'
        seen.add(kind)
        expect([...(rtm ? ['none'] : []), 'old', 'new'], told).toContain(kind)
        // Without its database, too: the one that comes there next is another one.
        expect(saved, told).toBe(kind === 'old' && saved !== null ? oldSaved : null)
        if (ended) expect(kind, told).toBe('new')
        // Whatever the cut has left, the next seed ends.
        await seeded(survivor, rtm)
        expect(await textOf(survivor, DATABASE), told).toBe(newBytes)
      }
      if (ended) break
    }
    expect([...seen].sort()).toEqual(rtm ? ['new', 'none', 'old'] : ['new', 'old'])
  })

  it('leaves a run of the logs that were removed, without a checkpoint', async () => {
    for (let cut = 1; ; cut++) {
      const dying = disk.afterPowerCut('ordered prefix', () => 0)
      const ended = await clearForSeed(operationsOver(dying, { crashAt: cut }), NAMES, {
        checkpoint: true,
        logs: true,
        database: false,
      }).then(
        () => true,
        () => false,
      )
      for (const fate of FATES) {
        const survivor = operationsOver(dying.afterPowerCut('ordered prefix', fate()))
        const names = await survivor.readDirectory('/SG1/logs')
        const there = LOGS.filter((name) => names.includes(name))
        expect(there).toEqual(LOGS.slice(LOGS.length - there.length))
        if (there.length < LOGS.length) expect(names).not.toContain('E00.chk')
      }
      if (ended) break
    }
  })
})

describe('what a seed finds', () => {
  it('are logs, the checkpoint, the database, and nothing foreign in a folder of a storage group', async () => {
    await put(files, '/SG1/logs/IgnoredLogs/x', new Uint8Array(1))

    expect(await findForSeed(files, NAMES)).toEqual({
      checkpoint: '/SG1/logs/E00.chk',
      logs: 4,
      logsPath: '/SG1/logs',
      foreign: [],
      databaseBytes: 5 * 8192,
    })
    const nothing = { checkpoint: null, logs: 0, foreign: [], databaseBytes: null }
    expect(await findForSeed(files, { ...NAMES, root: '/none' })).toMatchObject(nothing)
  })

  it('are ten strangers at most, by their paths', async () => {
    for (let n = 0; n < 12; n++) await put(files, `/SG1/logs/note-${n}.txt`, new Uint8Array(1))
    await put(files, '/SG1/logs/E0100000001.log', new Uint8Array(1))

    const { foreign, logs } = await findForSeed(files, NAMES)

    expect([foreign.length, logs]).toEqual([10, 4])
    await put(files, '/SG1/database/other.edb', new Uint8Array(1))
    for (let n = 0; n < 12; n++) await files.unlink(`/SG1/logs/note-${n}.txt`)
    expect((await findForSeed(files, NAMES)).foreign).toEqual(['/SG1/logs/E0100000001.log', '/SG1/database/other.edb'])
  })
})

describe('what a seed removes', () => {
  it('is what it was told to, and nothing of others', async () => {
    await put(files, '/SG1/logs/notes.txt', new Uint8Array(1))

    await clearForSeed(files, NAMES, { checkpoint: true, logs: false, database: false })
    expect([...(await treeOf(files, '/SG1')).keys()]).toContain('logs/E00.log')
    await clearForSeed(files, NAMES, { checkpoint: true, logs: true, database: false })

    expect([...(await treeOf(files, '/SG1')).keys()]).toEqual([
      'database/priv1.edb',
      'database/priv1.edb.saved',
      'logs/inspector/E0000000006.log',
      'logs/notes.txt',
    ])
  })

  it('of what was read before is that of other streams; the files of others in a directory of that name stay', async () => {
    for (const name of ['priv1.edb.stream-1', 'priv1.edb.stream-2', 'thesis.txt', 'priv1.edb.stream-x'])
      await put(files, `/SG1/seeding/${name}`, new Uint8Array(5))

    expect(await beginPartial(files, places)).toBe(5)

    expect([...(await files.readDirectory('/SG1/seeding'))].sort()).toEqual([
      'priv1.edb.stream-2',
      'priv1.edb.stream-x',
      'thesis.txt',
    ])
  })
})

describe('a volume that is too small', () => {
  it('is refused with what is missing', async () => {
    const small: FileOperations = { ...files, freeBytes: () => Promise.resolve(1_000) }

    await expect(refuseTooSmall(small, { directory: '/SG1', neededBytes: 5_000 })).rejects.toMatchObject({
      code: 'DISK_FULL',
      fields: { missingBytes: 4_000 },
    })
    await refuseTooSmall(small, { directory: '/SG1', neededBytes: 1_000 })
  })
})
