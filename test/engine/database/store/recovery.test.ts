// Goal: whatever a crash, a lost file or a damaged one leaves, a recovery does the one right thing, or says which number stands for it.
// Method: stores of a few logs on a model disk, of which files are taken away or damaged.
import { describe, expect, it } from 'vitest'
import { newDatabaseHeader } from '../../../../engine/database/database-header.ts'
import { NOTHING_REQUIRED } from '../../../../engine/database/lost-log-resilience.ts'
import type { RecoveryOutcome } from '../../../../engine/database/recovery.ts'
import { readStore } from '../../../../engine/database/store-finding.ts'
import type { StoreSettings } from '../../../../engine/database/store-start.ts'
import { asGeneration, type Generation } from '../../../../engine/generation.ts'
import { SIGNATURE, withFlippedBit } from '../build.ts'
import { headersOf } from '../database-build.ts'
import { ModelStoreDisk } from './model-store-disk.ts'
import { recover, startRig } from './store-rig.ts'

const DEPTH = 3
const SETTINGS: Partial<StoreSettings> = { resilienceDepth: DEPTH, checkpointDepthBytes: 1_000_000 }

/** A store that was killed: its logs 1 to 8, the last one open, its header as far as the waypoint. */
function aKilledStore(): ModelStoreDisk {
  const disk = new ModelStoreDisk()
  const rig = startRig(disk, { settings: SETTINGS })
  for (let value = 1; value < 8; value++) {
    rig.content.begin(1)
    rig.change({ session: 1, page: 5, key: value, value, bytes: 100 })
    rig.content.commit(1)
    rig.store.forceRoll('one log for each change')
    rig.settle()
  }
  expect(rig.store.header.required).toMatchObject({ minRequired: 1, maxRequired: 8 - DEPTH, maxCommitted: 8 })
  disk.crash('power', () => 0)
  return disk
}

function remove(disk: ModelStoreDisk, ...generations: readonly number[]): void {
  for (const generation of generations) disk.files.delete(`E000000000${generation}.log`)
}

function damage(disk: ModelStoreDisk, generation: Generation): void {
  disk.letIn(generation, withFlippedBit(disk.closedLog(generation), 8 * 4200))
}

function errorOf(outcome: RecoveryOutcome): number | string {
  return outcome.outcome === 'refused' ? outcome.fault.error : outcome.outcome
}

describe('a roll that was cut short', () => {
  it('leaves a prepared log, and the next one is made anew', () => {
    const disk = aKilledStore()
    disk.files.delete('E00.log')

    expect(disk.scan()).toMatchObject({ hasOpenLog: false, hasPreparedLog: true })
    expect(errorOf(recover(disk, { settings: SETTINGS }))).toBe(-582)
    // Its header never spoke of log 8 had the crash come between the names.
    remove(disk, 7)
    expect(errorOf(recover(disk, { settings: SETTINGS, ignoreLostLogs: true }))).toBe('redone')
  })

  it('is no loss where the header does not know the log that was to open', () => {
    const disk = new ModelStoreDisk()
    const rig = startRig(disk, { settings: SETTINGS })
    rig.content.begin(1)
    rig.change({ session: 1, page: 5, key: 1, value: 7, bytes: 100 })
    rig.content.commit(1)
    rig.store.forceRoll('cut off between two names')
    rig.settle(() => !disk.files.has('E00.log'))

    expect(disk.scan()).toMatchObject({ hasOpenLog: false, hasPreparedLog: true })
    const again = startRig(disk, { settings: SETTINGS })
    expect(again.store.buffer.header.generation).toBe(2)
    expect(again.values([5])).toEqual([{ 1: 7 }])
  })

  it('without a prepared log is no state that a crash leaves', () => {
    const disk = aKilledStore()
    disk.files.delete('E00.log')
    disk.files.delete('E00tmp.log')

    expect(errorOf(recover(disk))).toBe(-528)
  })
})

describe('lost logs', () => {
  it('that are only committed refuse the mount, unless the loss is accepted', () => {
    const disk = aKilledStore()
    disk.files.delete('E00.log')
    remove(disk, 7)
    expect(errorOf(recover(disk, { settings: SETTINGS }))).toBe(-582)

    const outcome = recover(disk, { settings: SETTINGS, ignoreLostLogs: true })
    expect(outcome).toMatchObject({ outcome: 'redone', through: 6, loss: { warning: 585 } })
    expect(outcome.outcome === 'redone' ? outcome.loss?.text : '').toContain('lost 2 committed log files (7-8)')
    expect(disk.scan().database?.required).toMatchObject({ maxRequired: 5, maxCommitted: 6 })
  })

  it('do no harm to what was committed before them', () => {
    const disk = aKilledStore()
    disk.files.delete('E00.log')
    remove(disk, 7, 6)

    const rig = startRig(disk, { settings: SETTINGS, ignoreLostLogs: true })
    expect(rig.values([5])).toEqual([{ 1: 1, 2: 2, 3: 3, 4: 4, 5: 5 }])
    rig.stop('term')
    expect(errorOf(recover(disk))).toBe('redone')
  })

  it('that are required cannot be accepted', () => {
    const disk = aKilledStore()
    disk.files.delete('E00.log')
    remove(disk, 7, 6, 5)

    expect(errorOf(recover(disk, { ignoreLostLogs: true }))).toBe(-543)
  })

  it('at the beginning of what is required are missed at once', () => {
    const disk = aKilledStore()
    remove(disk, 1)

    expect(errorOf(recover(disk, { ignoreLostLogs: true }))).toBe(-543)
  })

  it('in the middle refuse the mount, as later ones are there', () => {
    const disk = aKilledStore()
    remove(disk, 7)

    expect(recover(disk)).toMatchObject({ outcome: 'refused', fault: { error: -582, generation: 7 } })
  })
})

describe('a damaged log', () => {
  it('that is only committed is given up with those behind it, if the loss is accepted', () => {
    const disk = aKilledStore()
    damage(disk, asGeneration(6))
    expect(errorOf(recover(disk))).toBe(-586)

    const rig = startRig(disk, { settings: SETTINGS, ignoreLostLogs: true })
    expect(disk.scan().closed.filter((generation) => generation > 6)).toEqual([])
    expect(rig.values([5])).toEqual([{ 1: 1, 2: 2, 3: 3, 4: 4, 5: 5 }])
  })

  it('that is required ends the recovery with its own error', () => {
    const disk = aKilledStore()
    damage(disk, asGeneration(4))

    expect(recover(disk, { ignoreLostLogs: true })).toMatchObject({ fault: { error: -501, generation: 4 } })
  })
})

describe('a clean database', () => {
  it('needs no log: without any it begins a new stream', () => {
    const disk = aKilledStore()
    startRig(disk).stop('term')
    for (const name of [...disk.files.keys()]) if (name.startsWith('E00')) disk.files.delete(name)

    const rig = startRig(disk)
    expect(rig.store.buffer.header.generation).toBe(1)
    expect(rig.values([5])[0]).toHaveProperty('7')
    disk.crash('power', () => 0)
    expect(startRig(disk).values([5])[0]).toHaveProperty('7')
  })

  it('is not taken for the one that later logs tell of', () => {
    const disk = aKilledStore()
    startRig(disk).stop('term')
    const clean = disk.files.get('priv1.edb')?.content.slice() ?? expect.fail()
    const rig = startRig(disk)
    for (let roll = 0; roll < 3; roll++) {
      rig.store.forceRoll('a later life')
      rig.settle()
    }
    disk.files.get('priv1.edb')?.write(0, clean)
    for (const generation of disk.scan().closed.slice(0, -2)) remove(disk, generation)

    expect(errorOf(recover(disk))).toBe(-1216)
  })
})

describe('the files beside the logs', () => {
  it('may lack a checkpoint', () => {
    const disk = aKilledStore()
    disk.files.delete('E00.chk')

    expect(startRig(disk).values([5])[0]).toHaveProperty('7')
  })

  it('may not have a database whose header says nonsense: it is not begun with', () => {
    const found = { hasOpenLog: false, hasPreparedLog: false, closed: [], checkpoint: null, databaseBytes: 0 }
    const header = newDatabaseHeader(SIGNATURE, SIGNATURE)
    const [two, three] = [asGeneration(2), asGeneration(3)]
    const range = { ...NOTHING_REQUIRED, minRequired: three, maxRequired: two, maxCommitted: two }
    const errors = [
      new Uint8Array(16_384),
      headersOf(header),
      headersOf({ ...header, state: 'dirty-shutdown', required: range }),
      headersOf({ ...header, state: 'clean-shutdown', pageBytes: 4096 }),
    ].map((databaseStart) => readStore({ ...found, databaseStart }))

    expect(errors).toMatchObject([-1206, -1206, -1206, -1213].map((error) => ({ fault: { error } })))
  })

  it('may have a checkpoint that cannot be read, which counts as none', () => {
    const logs = { hasOpenLog: true, hasPreparedLog: true }
    const found = { ...logs, databaseStart: null, databaseBytes: 0, checkpoint: new Uint8Array(8192) }
    const closed = [{ first: asGeneration(2), last: asGeneration(4) }]

    expect(readStore({ ...found, closed })).toMatchObject({ files: { closed: [2, 3, 4], checkpoint: null } })
  })

  it('may not lack all logs where the database needs some', () => {
    const disk = aKilledStore()
    for (const name of [...disk.files.keys()]) if (name.endsWith('.log')) disk.files.delete(name)

    expect(errorOf(recover(disk, { ignoreLostLogs: true }))).toBe(-543)
    expect(errorOf(recover(disk))).toBe(-543)
  })

  it('may lack the database where the first log is there, which creates it', () => {
    const disk = aKilledStore()
    disk.files.delete('priv1.edb')

    expect(startRig(disk).values([5])[0]).toHaveProperty('7')
  })

  it('may not lack the database where the first log is gone', () => {
    const disk = aKilledStore()
    disk.files.delete('priv1.edb')
    remove(disk, 1)

    expect(errorOf(recover(disk))).toBe(-1811)
  })

  it('may not have a page that is damaged in its place and was written long ago', () => {
    const disk = aKilledStore()
    startRig(disk).stop('term')
    const rig = startRig(disk)
    rig.content.begin(1)
    rig.change({ session: 1, page: 5, key: 1, value: 100, bytes: 100 })
    rig.content.commit(1)
    rig.store.requestFlush()
    rig.settle()
    disk.files.delete('priv1.saved')
    const bad = withFlippedBit(withFlippedBit(disk.page(5), 8 * 500), 8 * 700)
    disk.files.get('priv1.edb')?.write(6 * 8192, bad)

    expect(recover(disk)).toMatchObject({ outcome: 'refused', fault: { error: -1018, page: 5 } })
  })
})
