// Goal: a copy replays what continues its database and nothing else, and says which number stands for what it refuses.
// Method: the logs of a small active store, of which some are withheld, damaged or taken from another history.
import { describe, expect, it } from 'vitest'
import { layBackupStep, stepOfHeader } from '../../../../engine/database/backup-record.ts'
import { fillWithPattern } from '../../../../engine/database/fill-pattern.ts'
import { LogBuffer } from '../../../../engine/database/log-buffer.ts'
import { openLogBytes } from '../../../../engine/database/log-bytes.ts'
import { verifyLog } from '../../../../engine/database/log-file.ts'
import { LOG_HEADER_BYTES } from '../../../../engine/database/log-header.ts'
import { openRecords } from '../../../../engine/database/log-record.ts'
import { QUIT_BYTES, TEXT_FIXED_BYTES, writeTrace } from '../../../../engine/database/log-record-engine.ts'
import { RECORD } from '../../../../engine/database/log-record-table.ts'
import { MACRO_BYTES } from '../../../../engine/database/log-record-transaction.ts'
import { sealChain } from '../../../../engine/database/log-seal.ts'
import { UNSET_LOG_TIME } from '../../../../engine/database/log-time.ts'
import { PAGE_BYTES } from '../../../../engine/database/page.ts'
import { PageCache } from '../../../../engine/database/page-cache.ts'
import { Replayer, type ReplayOutcome } from '../../../../engine/database/replayer.ts'
import { asGeneration } from '../../../../engine/generation.ts'
import { SIGNATURE, withFlippedBit } from '../build.ts'
import { ModelStoreDisk } from './model-store-disk.ts'
import { differingPages, naiveRedo } from './naive-redo.ts'
import { runMachine, startRig } from './store-rig.ts'

const LOGS = 6

/** The closed logs 1 to 6 of an active store, with one change each. */
function anActive(stream: { readonly random?: number; readonly value?: number } = {}): ModelStoreDisk {
  const disk = new ModelStoreDisk()
  const rig = startRig(disk, { signature: { ...SIGNATURE, random: stream.random ?? SIGNATURE.random } })
  for (let value = 1; value <= LOGS; value++) {
    rig.content.begin(1)
    rig.change({ session: 1, page: 5, key: value, value: value + (stream.value ?? 0), bytes: 100 })
    rig.content.commit(1)
    rig.store.forceRoll('one log for each change')
    rig.settle()
  }
  return disk
}

/** A copy of the logs `[first, last]`. */
function aCopy(active: ModelStoreDisk, first: number, last: number, disk = new ModelStoreDisk()): ModelStoreDisk {
  for (let generation = first; generation <= last; generation++)
    disk.letIn(asGeneration(generation), active.closedLog(asGeneration(generation)))
  return disk
}

/** The store is killed when a macro has begun in the log that is closed, and its other records in the next are not written. */
function cutInMacro(active: ModelStoreDisk): void {
  const rig = startRig(active)
  rig.content.begin(1)
  const filler = rig.store.buffer.room - MACRO_BYTES
  const text = { session: 0, text: ' '.repeat(filler - TEXT_FIXED_BYTES - 1) }
  rig.store.write(filler, (log, at) => writeTrace(log, at, text))
  rig.change({ session: 1, page: 6, key: 1, value: 6, bytes: 100 })
  rig.settle()
  active.crash('kill', () => 0)
  const closed = active.scan().closed.at(-1) ?? expect.fail()
  expect(placesOf(active.closedLog(closed), RECORD.macroBegin)).toHaveLength(1)
  expect(placesOf(active.closedLog(closed), RECORD.macroCommit)).toEqual([])
}

/** Opens the copy and replays up to `through`. */
function replay(disk: ModelStoreDisk, through: number): ReplayOutcome {
  const one = replayer(disk, through, 0)
  const fault = runMachine(one.open(), disk)
  return fault === null ? runMachine(one.replay(asGeneration(through)), disk) : { through: asGeneration(0), fault }
}

function replayer(disk: ModelStoreDisk, through: number, checkpointDepthBytes: number): Replayer {
  disk.open()
  const cache = new PageCache(32 * PAGE_BYTES)
  return new Replayer({ files: disk.scan(), inspected: asGeneration(through), cache, checkpointDepthBytes })
}

function errorOf({ fault }: ReplayOutcome): number | undefined {
  return fault?.error
}

/** Where the records of a type lie. */
function placesOf(bytes: Uint8Array, type: number): number[] {
  const { header, endByte, log } = opened(bytes)
  const cursor = openRecords(log, header, endByte)
  const places: number[] = []
  while (cursor.next()) if (cursor.type === type) places.push(cursor.at)
  return places
}

/** The same log with a RecoveryQuit2 that tells nothing: a trace of its length stands there. */
function withoutRecord(bytes: Uint8Array, at: number): Uint8Array {
  const { header, endByte, log } = opened(bytes)
  const buffer = LogBuffer.resume(header, log.bytes.slice(), { checksumAt: LOG_HEADER_BYTES, endByte })
  writeTrace(buffer.log, at, { session: 0, text: ' '.repeat(QUIT_BYTES - TEXT_FIXED_BYTES - 1) })
  const places: number[] = []
  const cursor = openRecords(log, header, endByte)
  while (cursor.next()) if (cursor.type === 42) places.push(cursor.at)
  sealChain(buffer.log, header, { places, endByte })
  fillWithPattern(buffer.log.bytes, endByte, buffer.log.bytes.length)
  return buffer.log.bytes
}

function opened(bytes: Uint8Array) {
  const verdict = verifyLog(bytes)
  if (verdict.verdict !== 'sound') throw new Error(verdict.rejection.detail)
  return { header: verdict.header, endByte: verdict.endByte, log: openLogBytes(bytes) }
}

describe('a copy', () => {
  it('begins with nothing: the first log creates its database', () => {
    const active = anActive()
    const copy = aCopy(active, 1, LOGS)

    expect(replay(copy, LOGS)).toEqual({ through: LOGS, fault: null })
    expect(differingPages(copy, naiveRedo(active, LOGS))).toEqual([])
    expect(copy.scan().database).toMatchObject({
      state: 'dirty-shutdown',
      required: { minRequired: LOGS, maxRequired: LOGS, maxCommitted: LOGS },
    })
    expect(copy.scan().checkpoint?.checkpoint.generation).toBe(LOGS)
  })

  it('replays the last log once more after a start, and then goes on', () => {
    const active = anActive()
    const copy = aCopy(active, 1, 3)
    replay(copy, 3)
    aCopy(active, 4, LOGS, copy)

    expect(replay(copy, LOGS)).toEqual({ through: LOGS, fault: null })
    expect(differingPages(copy, naiveRedo(active, LOGS))).toEqual([])
  })

  it('goes on through a crash of the active, its recovery and its next start', () => {
    const active = anActive()
    const rig = startRig(active)
    rig.store.forceRoll('behind the record that opens the database again')
    rig.settle()
    const copy = aCopy(active, 1, 7)

    expect(replay(copy, 7)).toEqual({ through: 7, fault: null })
    expect(copy.scan().database?.attach).toEqual(rig.store.header.attach)
    expect(copy.scan().database?.consistent.position).toEqual(rig.store.header.consistent.position)
  })

  it('drops a macro that a crash of the active cut, and redoes what its session changes later', () => {
    const active = anActive()
    cutInMacro(active)
    const rig = startRig(active)
    expect(rig.values([5, 6])).toEqual([{ 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6 }, {}])
    rig.content.begin(1)
    rig.change({ session: 1, page: 5, key: 1, value: 7, bytes: 20 })
    rig.content.commit(1)
    expect(rig.content.zero(5)).toBeNull()
    rig.store.forceRoll('behind what the session of the macro changes')
    rig.settle()
    rig.stop('term')
    const last = active.scan().closed.at(-1) ?? expect.fail()
    const copy = aCopy(active, 1, last)

    expect(replay(copy, last)).toEqual({ through: last, fault: null })
    expect(differingPages(copy, naiveRedo(active, last))).toEqual([])
    expect(copy.page(5)).toEqual(active.page(5))
  })

  it('begins before all logs are inspected again that its database needs', () => {
    const active = anActive()
    const copy = aCopy(active, 1, LOGS)
    replay(copy, 3)
    const later = replayer(copy, LOGS, 1 << 20)
    runMachine(later.replay(asGeneration(LOGS)), copy)
    runMachine(later.settleBatch(), copy)
    expect(copy.scan().database?.required).toMatchObject({ minRequired: 4, maxRequired: LOGS })

    expect(replay(copy, 4)).toEqual({ through: 4, fault: null })
    expect(replay(copy, LOGS)).toEqual({ through: LOGS, fault: null })
    expect(differingPages(copy, naiveRedo(active, LOGS))).toEqual([])
  })

  it('learns of a backup by the log that tells of it', () => {
    const active = anActive()
    const rig = startRig(active)
    const made = { scope: 'full', method: 'surrogate', mark: rig.store.end, markTime: UNSET_LOG_TIME } as const
    layBackupStep(rig.store, stepOfHeader(made, { databaseId: 1, first: 2, last: 5 }))
    rig.store.forceRoll('so that it ships soon')
    rig.settle()
    const copy = aCopy(active, 1, 7)
    replay(copy, 7)

    const backup = { firstGeneration: 2, lastGeneration: 5, kind: 'os-snapshot' }
    expect(copy.scan().database?.backups.previousFull).toMatchObject(backup)
  })

  it('becomes the active one by a recovery of its own files', () => {
    const copy = aCopy(anActive(), 1, LOGS)
    replay(copy, 3)

    const rig = startRig(copy)
    expect(rig.values([5])).toEqual([{ 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6 }])
    expect(rig.store.buffer.header.generation).toBe(LOGS + 1)
  })
})

describe('a replay is refused', () => {
  it('where a log is missing: -528, or -543 if the database needs it', () => {
    const active = anActive()
    expect(errorOf(replay(aCopy(active, 1, 3), LOGS))).toBe(-528)

    const copy = aCopy(active, 1, 3)
    replay(copy, 3)
    copy.files.delete('E0000000003.log')
    expect(errorOf(replay(copy, LOGS))).toBe(-543)
  })

  it('where no log creates the database: -1811', () => {
    expect(errorOf(replay(aCopy(anActive(), 2, LOGS), LOGS))).toBe(-1811)
  })

  it('where an open log lies in the directory: -611', () => {
    const copy = aCopy(anActive(), 1, 3)
    copy.files.set('E00.log', copy.files.get('E0000000003.log') ?? expect.fail())

    expect(errorOf(replay(copy, 3))).toBe(-611)
  })

  it('where a log is damaged: -501, after those before it', () => {
    const copy = aCopy(anActive(), 1, LOGS)
    copy.letIn(asGeneration(4), withFlippedBit(copy.closedLog(asGeneration(4)), 8 * 4200))

    expect(replay(copy, LOGS)).toMatchObject({ through: 3, fault: { error: -501, generation: 4 } })
  })

  it('where a log is of another stream: -530', () => {
    const copy = aCopy(anActive(), 1, 3)
    aCopy(anActive({ random: 99 }), 4, 4, copy)

    expect(errorOf(replay(copy, 4))).toBe(-530)
  })

  it('where the database was closed at another place than the log says: -551', () => {
    const active = anActive()
    const rig = startRig(active)
    rig.store.forceRoll('behind the record that opens the database again')
    rig.settle()
    const copy = aCopy(active, 1, 3)
    replay(copy, 3)
    aCopy(active, 4, 7, copy)
    const log = copy.closedLog(asGeneration(7))
    const [quit] = placesOf(log, RECORD.recoveryQuit2)
    expect(quit).toBeDefined()
    copy.letIn(asGeneration(7), withoutRecord(log, quit ?? 0))

    expect(errorOf(replay(copy, 7))).toBe(-551)
  })

  it('where a page is damaged: -1018', () => {
    const active = anActive()
    const copy = aCopy(active, 1, 3)
    replay(copy, 3)
    copy.files.delete('priv1.saved')
    const bad = withFlippedBit(withFlippedBit(copy.page(5), 8 * 500), 8 * 700)
    copy.files.get('priv1.edb')?.write(6 * PAGE_BYTES, bad)

    expect(replay(aCopy(active, 4, 4, copy), 4)).toMatchObject({ fault: { error: -1018, page: 5 } })
  })

  it('where a page lacks a change that no log brings any more: -566', () => {
    const active = anActive()
    const copy = aCopy(active, 1, 3)
    replay(copy, 3)
    const before = copy.page(5)
    replay(aCopy(active, 4, 5, copy), 5)
    copy.files.delete('priv1.saved')
    copy.files.get('priv1.edb')?.write(6 * PAGE_BYTES, before)

    expect(errorOf(replay(aCopy(active, 6, 6, copy), 6))).toBe(-566)
  })

  it('where a page has a change of a log that the database does not know of: -625', () => {
    const active = anActive()
    const copy = aCopy(active, 1, 3)
    replay(copy, 3)
    const later = aCopy(active, 1, LOGS)
    replay(later, LOGS)
    copy.files.get('priv1.edb')?.write(6 * PAGE_BYTES, later.page(5))

    expect(errorOf(replay(aCopy(active, 4, 5, copy), 5))).toBe(-625)
  })
})
