// Goal: a set holds exactly what was asked for, verified, and is none until its manifest is there; what fails leaves nothing.
// Method: the writer over the modelled disk, which can fail, cut the power and share blocks; then bytes turned in its sources.
import { beforeEach, describe, expect, it } from 'vitest'
import { asGeneration } from '../../engine/generation.ts'
import { parseManifest } from '../../storage/backup-manifest.ts'
import type { FileOperations, OpenFile } from '../../storage/file-operations.ts'
import { CopyPace } from '../../workers/copy-pace.ts'
import { verifySet } from '../../workers/set-verification.ts'
import { SetWriter } from '../../workers/set-writer.ts'
import { turnBit } from '../engine/database/database-build.ts'
import { CrashDisk } from '../storage/crash-disk.ts'
import { operationsOver, type RunPlan } from '../storage/crash-disk-operations.ts'
import {
  aDescription,
  contentOf,
  databaseBytes,
  logBytes,
  makeFolder,
  newId,
  partsOver,
  put,
  takeSet,
  treeOf,
} from './set-rig.ts'

const DATABASE = '/SG1/database/priv1.edb'
const LOGS = { ask: 'copy-logs', directory: '/SG1/logs', baseName: 'E00' } as const
const range = (first: number, last: number) => ({ first: asGeneration(first), last: asGeneration(last) })

let disk: CrashDisk
let files: FileOperations
beforeEach(async () => {
  disk = new CrashDisk()
  files = operationsOver(disk)
  await makeFolder(files, { root: '/SG1', closed: [1, 2, 3, 4, 5, 6], required: [3, 4] })
})

async function writerOver(plan: RunPlan = {}, pace = new CopyPace()): Promise<SetWriter> {
  return await SetWriter.begin({ ...(await partsOver(operationsOver(disk, plan), pace)), newId }, '/backup/monday')
}

/** More calls of a kind than any set of two logs takes: the last sync, behind the name of the manifest, is the ninth. */
const FAULTS_AT_MAX = 12

const snapshot = { ask: 'copy-database', path: DATABASE, mode: 'snapshot' } as const

describe('a set', () => {
  it('holds the files as they were, and a manifest that says so', async () => {
    const manifest = await takeSet(files, { from: '/SG1', to: '/backup/monday', logs: [3, 6] })

    const tree = await treeOf(files, '/backup/monday')
    expect([...tree.keys()]).toEqual([
      'database/priv1.edb',
      'logs/E0000000003.log',
      'logs/E0000000004.log',
      'logs/E0000000005.log',
      'logs/E0000000006.log',
      'manifest.json',
    ])
    expect(manifest).toMatchObject({ logs: range(3, 6), required: range(3, 4), logFormat: '7,3704,10' })
    expect(parseManifest(tree.get('manifest.json') ?? '', 'manifest.json')).toEqual(manifest)
    expect(await contentOf(files, '/backup/monday/database/priv1.edb')).toEqual(databaseBytes([3, 4]))
    expect(await contentOf(files, '/backup/monday/logs/E0000000005.log')).toEqual(logBytes(5))
  })

  it.each([
    ['shares the blocks of the database where the file system can', { clones: true }],
    ['goes through the page cache where direct writes are refused', { refusesDirect: true }],
  ] as const)('%s, and tells when the file may change', async (_, plan) => {
    const writer = await writerOver(plan)
    const told: string[] = []

    const database = await writer.copyDatabase(snapshot, () => told.push('taken'))
    await writer.copyLogs({ ...LOGS, range: range(3, 4) })
    await writer.finish(aDescription({ closed: asGeneration(4) }))

    expect(told).toEqual(['taken'])
    expect(database?.bytes).toBe(databaseBytes([3, 4]).length)
    expect(await contentOf(files, '/backup/monday/database/priv1.edb')).toEqual(databaseBytes([3, 4]))
  })

  it('wants a directory that is absent or empty', async () => {
    await put(files, '/backup/monday/notes.txt', new Uint8Array(3))
    await takeSet(files, { from: '/SG1', to: '/backup/tuesday', logs: [3, 6] })

    await expect(writerOver()).rejects.toMatchObject({ code: 'STATE_REFUSED', message: /is not empty/ })
    await expect(takeSet(files, { from: '/SG1', to: '/backup/tuesday', logs: [3, 6] })).rejects.toMatchObject({
      code: 'STATE_REFUSED',
      message: /holds a backup set already/,
    })
  })

  it('is refused without a log that its database needs', async () => {
    const writer = await writerOver()
    await writer.copyDatabase(snapshot, () => undefined)
    await writer.copyLogs({ ...LOGS, range: range(4, 6) })

    await expect(writer.finish(aDescription({ closed: asGeneration(6) }))).rejects.toMatchObject({
      code: 'BACKUP_REJECTED',
      message: /needs the logs 3 to 4/,
    })
    await writer.abandon()
    expect(disk.find('/backup/monday')).toBeNull()
  })

  it('is no set before its manifest, whatever call the power fails in', async () => {
    for (let cut = 1; ; cut++) {
      const one = disk.afterPowerCut('ordered prefix', () => 0)
      const dying = operationsOver(one, { crashAt: cut })
      const outcome = await takeSet(dying, { from: '/SG1', to: '/backup/monday', logs: [3, 4] }).then(
        () => 'whole',
        () => 'cut',
      )
      const after = operationsOver(one.afterPowerCut('any subset', (bound) => cut % bound))
      if ((await after.lookUp('/backup/monday/manifest.json')) === null) {
        expect(outcome).toBe('cut')
        continue
      }
      const manifest = parseManifest(
        new TextDecoder().decode(await contentOf(after, '/backup/monday/manifest.json')),
        'manifest.json',
      )
      for (const { path, bytes } of manifest.files)
        expect((await contentOf(after, `/backup/monday/${path}`)).length).toBe(bytes)
      expect(await contentOf(after, '/backup/monday/database/priv1.edb')).toEqual(databaseBytes([3, 4]))
      if (outcome === 'whole') return
    }
  })
})

describe('what goes into a set', () => {
  it('is verified: a damaged page of a snapshot is named', async () => {
    const damaged = databaseBytes([3, 4])
    for (const bit of [40, 41, 77]) turnBit(damaged, (3 * 8192 + 100) * 8 + bit)
    await put(files, DATABASE, damaged)
    const writer = await writerOver()

    await expect(writer.copyDatabase(snapshot, () => undefined)).rejects.toMatchObject({
      code: 'PAGE_REJECTED',
      fields: { page: 2, eseError: -1018 },
    })
    expect(disk.find('/backup/monday/database/priv1.edb')).toBeNull()
  })

  it.each([
    ['a log with a turned bit', 4, () => flipped(logBytes(4)), 'corrupt-checksum'],
    ['a log of another generation', 4, () => logBytes(5), 'generation-mismatch'],
    ['a log of another stream', 4, () => logBytes(4, 77), 'bad-signature'],
  ] as const)('is verified: %s ends the backup', async (_, generation, bytes, reason) => {
    await put(files, `/SG1/logs/E000000000${generation}.log`, bytes())
    const writer = await writerOver()

    await expect(writer.copyLogs({ ...LOGS, range: range(3, 6) })).rejects.toMatchObject({
      code: 'LOG_REJECTED',
      fields: { reason },
    })
  })

  it('must be there: a missing log is named', async () => {
    const writer = await writerOver()

    await expect(writer.copyLogs({ ...LOGS, range: range(5, 7) })).rejects.toMatchObject({
      code: 'LOG_MISSING',
      message: /E0000000007|E0000007/,
    })
  })

  it('must be of one stream', async () => {
    for (const generation of [3, 4]) await put(files, `/SG1/logs/E000000000${generation}.log`, logBytes(generation, 77))
    const writer = await writerOver()
    await writer.copyDatabase(snapshot, () => undefined)
    await writer.copyLogs({ ...LOGS, range: range(3, 4) })

    await expect(writer.finish(aDescription({ closed: asGeneration(4) }))).rejects.toMatchObject({
      code: 'STREAM_MISMATCH',
    })
  })
})

describe('a backup that fails', () => {
  it.each(['write', 'create', 'datasync', 'sync directory', 'rename'] as const)(
    'leaves nothing when the disk is full at %s',
    async (operation) => {
      for (let at = 1; at <= FAULTS_AT_MAX; at++) {
        const faulty = operationsOver(disk, { faults: [{ operation, at, errno: 'ENOSPC' }] })
        const begun = await partsOver(faulty)
        const writer = await SetWriter.begin({ ...begun, newId }, '/full').catch(() => null)
        if (writer === null) {
          await removeAll('/full')
          continue
        }
        const ended = writer
          .copyDatabase(snapshot, () => undefined)
          .then(() => writer.copyLogs({ ...LOGS, range: range(3, 4) }))
          .then(() => writer.finish(aDescription({ closed: asGeneration(4) })))
        const failed = await ended.then(
          () => false,
          () => true,
        )
        await writer.abandon().catch(() => undefined)

        if (failed) expect(disk.find('/full'), `${operation} ${at}`).toBeNull()
        expect(faulty.openFiles()).toBe(0)
        await removeAll('/full')
      }
    },
  )

  it('ends within a piece when it is cancelled, and removes what was written', async () => {
    const pace = new CopyPace()
    const writer = await writerOver({}, pace)
    const cancelled = new Error('cancelled')
    pace.begin(() => pace.stop(cancelled))

    await expect(writer.copyLogs({ ...LOGS, range: range(1, 6) })).rejects.toBe(cancelled)

    await writer.abandon()
    expect(disk.find('/backup/monday')).toBeNull()
  })

  // The number of a descriptor is somebody else's file as soon as it is free: a log of the store, in the same process.
  it.each([
    ['is cancelled', 'streaming', {}],
    ['cannot sync', 'snapshot', { refusesDirect: true, faults: [{ operation: 'datasync', at: 1, errno: 'EIO' }] }],
  ] as const)('closes each file once when it %s', async (_, mode, plan) => {
    const pace = new CopyPace()
    const model = operationsOver(disk, plan)
    const closed: OpenFile[] = []
    const counted: FileOperations = {
      ...model,
      close: (file) => {
        closed.push(file)
        return model.close(file)
      },
    }
    const writer = await SetWriter.begin({ ...(await partsOver(counted, pace)), newId }, '/backup/monday')
    pace.begin(() => {
      if (mode === 'streaming') pace.stop(new Error('cancelled'))
    })

    await expect(writer.copyDatabase({ ...snapshot, mode }, () => undefined)).rejects.toThrow()
    await writer.abandon()

    expect(new Set(closed).size).toBe(closed.length)
    expect(model.openFiles()).toBe(0)
  })
})

describe('a set that is verified', () => {
  it('has a file missing that goes while the others are read', async () => {
    await takeSet(files, { from: '/SG1', to: '/full', logs: [3, 5] })
    const open: FileOperations['open'] = async (path, mode) => {
      if (path === '/full/logs/E0000000004.log') await files.unlink(path)
      return await files.open(path, mode)
    }

    const verified = await verifySet(await partsOver({ ...files, open }), '/full')

    expect(verified.files.filter(({ faults }) => faults.length > 0)).toEqual([
      { path: 'logs/E0000000004.log', faults: ['missing'] },
    ])
  })
})

function flipped(bytes: Uint8Array): Uint8Array {
  turnBit(bytes, 5000 * 8)
  return bytes
}

async function removeAll(root: string): Promise<void> {
  for (const path of (await treeOf(files, root).catch(() => new Map<string, string>())).keys())
    await files.unlink(`${root}/${path}`)
  for (const directory of [`${root}/logs`, `${root}/database`, root])
    if (disk.find(directory) !== null) await files.removeDirectory(directory)
}
