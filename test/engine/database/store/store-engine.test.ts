// Goal: a store writes nothing before it may, and everything when it must.
// Method: the real store over a model disk, watched order by order.
import { describe, expect, it } from 'vitest'
import { readLogHeader } from '../../../../engine/database/log-header.ts'
import { NOTHING_REQUIRED, rollPeriodMs } from '../../../../engine/database/lost-log-resilience.ts'
import { readPage } from '../../../../engine/database/page-reading.ts'
import type { StoreOrder } from '../../../../engine/database/store-order.ts'
import { asGeneration } from '../../../../engine/generation.ts'
import { MOMENT_MS } from '../build.ts'
import { ModelStoreDisk } from './model-store-disk.ts'
import { LOG_BYTES, type StoreRig, startRig } from './store-rig.ts'

/** A transaction of one change, not flushed yet. Returns the end that it waits for. */
function commitOne(rig: StoreRig, page: number, value = 1) {
  rig.content.begin(1)
  rig.change({ session: 1, page, key: 1, value, bytes: 400 })
  return rig.content.commit(1)
}

function namesOf(orders: readonly StoreOrder[]): string[] {
  return orders.map(({ order }) => order)
}

describe('commits', () => {
  it('that come while a flush is under way share the next one', () => {
    const rig = startRig(new ModelStoreDisk())
    rig.settle()
    rig.orders.length = 0
    const ends = [5, 6, 7, 8].map((page) => {
      const end = commitOne(rig, page)
      rig.store.requestFlush()
      rig.collect()
      return end
    })
    rig.settle()

    expect(ends.every((end) => rig.isDurable(end))).toBe(true)
    const writes = rig.orders.filter(({ order }) => order === 'write-log')
    // The first commit goes by itself; the other three have one flush, of three writes, together.
    expect(writes.length).toBeLessThanOrEqual(3 + 3)
  })

  it('are not durable before their flush has ended', () => {
    const rig = startRig(new ModelStoreDisk())
    const end = commitOne(rig, 5)
    rig.settle()
    expect(rig.isDurable(end)).toBe(false)

    rig.store.requestFlush()
    rig.settle()
    expect(rig.isDurable(end)).toBe(true)
  })
})

describe('what nobody waits for', () => {
  it('is durable with the next tick of the clock', () => {
    const rig = startRig(new ModelStoreDisk())
    const end = commitOne(rig, 5)
    rig.take({ fact: 'clock-ticked', nowMs: MOMENT_MS + 1000 })
    rig.settle()

    expect(rig.isDurable(end)).toBe(true)
  })
})

describe('a log', () => {
  it('that is full is closed, named and followed, then the next one is prepared', () => {
    const rig = startRig(new ModelStoreDisk())
    rig.settle()
    rig.orders.length = 0
    const before = rig.store.openGeneration
    while (rig.store.buffer.header.generation === before) commitOne(rig, 5)
    rig.collect()

    expect(namesOf(rig.orders).slice(-3)).toEqual(['write-log', 'roll-log', 'prepare-log'])
    rig.settle()
    expect(rig.store.openGeneration).toBe(before + 1)
    expect(rig.disk.scan().closed.at(-1)).toBe(before)
  })

  it('that holds changes back is rolled in time, and one that holds nothing back never', () => {
    const rig = startRig(new ModelStoreDisk(), { settings: { resilienceDepth: 10 } })
    rig.settle()
    const before = rig.store.openGeneration
    rig.take({ fact: 'clock-ticked', nowMs: MOMENT_MS + 10 * rollPeriodMs(10) })
    expect(rig.store.openGeneration).toBe(before)

    rig.store.forceRoll('nothing may be written any more')
    commitOne(rig, 5)
    rig.settle()
    const held = rig.store.buffer.header.generation
    rig.take({ fact: 'clock-ticked', nowMs: MOMENT_MS + 11 * rollPeriodMs(10) - 1 })
    expect(rig.store.buffer.header.generation).toBe(held)
    rig.take({ fact: 'clock-ticked', nowMs: MOMENT_MS + 11 * rollPeriodMs(10) })
    expect(rig.store.buffer.header.generation).toBe(held + 1)
  })

  it('says so when it was made of a reserve log', () => {
    const rig = startRig(new ModelStoreDisk())
    rig.take({ fact: 'log-prepared', reserve: true })
    rig.store.forceRoll('the next one')
    rig.settle()

    const read = readLogHeader(rig.disk.openLog())
    expect(read.verdict === 'read' && read.header.flags.reserveLog).toBe(true)
  })

  it('lists the database, so that a replay may begin with it', () => {
    const rig = startRig(new ModelStoreDisk())
    rig.store.forceRoll('the next one')

    expect(rig.store.buffer.header.attachments).toMatchObject([
      { databaseId: 1, path: 'D:\\priv1.edb', attach: rig.store.header.attach.position },
    ])
  })
})

describe('memory', () => {
  it('that is full of changes is freed by rolls, not by more memory', () => {
    const rig = startRig(new ModelStoreDisk(), { cachePages: 16, settings: { resilienceDepth: 4 } })
    const before = rig.store.openGeneration
    for (let page = 5; page < 60; page++) commitOne(rig, page, page)
    rig.settle()

    expect(rig.store.openGeneration).toBeGreaterThan(before + 4)
    expect(rig.values([5, 59])).toEqual([{ 1: 5 }, { 1: 59 }])
  })

  it('takes no page in that is bad', () => {
    const rig = startRig(new ModelStoreDisk())
    expect([rig.store.needPage(7), rig.store.needPage(7)]).toEqual([true, false])
    rig.take({ fact: 'page-read', number: 7, bytes: new Uint8Array(8192).fill(3) })

    expect([...rig.store.badPages.keys()]).toEqual([7])
    expect(rig.store.cache.find(7)).toBeNull()
  })
})

describe('a page that is read', () => {
  it('with a bit turned in the file is corrected in memory and in the file, and told of once', () => {
    const disk = new ModelStoreDisk()
    const rig = startRig(disk, { settings: { checkpointDepthBytes: 0, resilienceDepth: 1 } })
    commitOne(rig, 5, 77)
    rig.stop('term')
    const sound = disk.page(5)
    disk.turnBit(5, 8 * 1000 + 3)
    const again = startRig(disk)
    expect(disk.page(5)).not.toEqual(sound)

    again.store.needPage(5)
    again.take({ fact: 'page-read', number: 5, bytes: disk.page(5) })
    again.settle()

    expect(again.values([5])).toEqual([{ 1: 77 }])
    expect(disk.page(5)).toEqual(sound)
    expect(again.store.takeCorrectedPages()).toEqual([{ page: 5, bits: [8 * 1000 + 3] }])
    expect(again.store.takeCorrectedPages()).toEqual([])
  })

  it('does not come back as it was before it was made and written meanwhile', () => {
    const rig = startRig(new ModelStoreDisk(), { settings: { checkpointDepthBytes: 0, resilienceDepth: 1 } })
    expect(rig.store.needPage(5)).toBe(true)
    const before = rig.disk.page(5)
    commitOne(rig, 5)
    rig.store.forceRoll('so that the waypoint comes to it')
    rig.settle()
    expect(rig.disk.page(5)).not.toEqual(before)

    rig.take({ fact: 'page-read', number: 5, bytes: before })
    expect(rig.values([5])).toEqual([{ 1: 1 }])
    expect(rig.store.needPage(5)).toBe(true)
  })
})

describe('a database that somebody reads', () => {
  it('gets no page and no header until it is released, and the log goes on', () => {
    const rig = startRig(new ModelStoreDisk(), { settings: { checkpointDepthBytes: 0, resilienceDepth: 1 } })
    rig.settle()
    rig.store.holdDatabase()
    expect(rig.store.isDatabaseStill).toBe(true)
    rig.orders.length = 0
    for (let roll = 0; roll < 3; roll++) {
      commitOne(rig, 5, roll)
      rig.store.forceRoll('so that the waypoint comes to it')
    }
    rig.settle()

    expect(new Set(namesOf(rig.orders))).toEqual(new Set(['write-log', 'roll-log', 'prepare-log']))
    rig.store.releaseDatabase()
    rig.settle()
    expect(namesOf(rig.orders)).toContain('write-pages')
  })

  it('is still as soon as what is being written is written', () => {
    const rig = startRig(new ModelStoreDisk(), { settings: { checkpointDepthBytes: 0, resilienceDepth: 1 } })
    commitOne(rig, 5)
    rig.store.forceRoll('so that the waypoint comes to it')
    rig.settle(() => rig.orders.some(({ order }) => order === 'write-pages'))
    rig.store.holdDatabase()

    expect(rig.store.isDatabaseStill).toBe(false)
    rig.settle()
    expect(rig.store.isDatabaseStill).toBe(true)
  })

  it('gets a page again that it has wrong, as memory or somebody else knows it', () => {
    const disk = new ModelStoreDisk()
    const rig = startRig(disk, { settings: { checkpointDepthBytes: 0, resilienceDepth: 1 } })
    commitOne(rig, 5, 77)
    rig.store.forceRoll('so that the waypoint comes to it')
    rig.settle()
    const sound = disk.page(5)
    for (const given of [null, sound]) {
      for (const bit of [9000, 9001, 9500]) disk.turnBit(5, bit)
      expect(readPage(5, disk.page(5)).reading).toBe('bad')

      expect(rig.store.rewritePage(5, given)).toBe(true)
      rig.settle()
      expect(disk.page(5)).toEqual(sound)
    }
    expect(rig.store.rewritePage(99, null)).toBe(false)
  })
})

describe('the checkpoint', () => {
  it('follows the log at its depth, behind the header', () => {
    const rig = startRig(new ModelStoreDisk(), { settings: { checkpointDepthBytes: 2 * LOG_BYTES } })
    for (let commit = 0; commit < 200; commit++) {
      commitOne(rig, 5 + (commit % 6), commit)
      rig.settle()
    }

    const { checkpoint, header, openGeneration } = rig.store
    expect(openGeneration - checkpoint.checkpoint.generation).toBeLessThanOrEqual(2 + 1 + 3)
    expect(checkpoint.checkpoint.generation).toBeLessThanOrEqual(header.required.minRequired)
    const order = namesOf(rig.orders)
    expect(order[order.lastIndexOf('write-checkpoint') - 1]).not.toBe('write-pages')
  })

  it('waits for the oldest transaction that is open', () => {
    const rig = startRig(new ModelStoreDisk(), { settings: { checkpointDepthBytes: 0, resilienceDepth: 1 } })
    rig.content.begin(2)
    const began = rig.store.openGeneration
    for (let commit = 0; commit < 100; commit++) {
      commitOne(rig, 5, commit)
      rig.settle()
    }

    expect(rig.store.header.required.minRequired).toBe(began)
  })
})

describe('circular logging', () => {
  it('reuses and deletes logs that no recovery needs, and a crash finds the others', () => {
    const disk = new ModelStoreDisk()
    const settings = { circularLogging: true, checkpointDepthBytes: LOG_BYTES }
    const rig = startRig(disk, { settings })
    for (let commit = 0; commit < 400; commit++) {
      commitOne(rig, 5 + (commit % 6), commit)
      if (commit % 3 === 0) rig.settle()
    }
    rig.settle()

    expect(rig.store.openGeneration).toBeGreaterThan(10)
    expect(disk.scan().closed.length).toBeLessThan(8)
    expect(rig.store.buffer.header.flags.circularNow).toBe(true)
    disk.crash('power', () => 0)
    expect(startRig(disk, { settings }).values([5])[0]).toHaveProperty('1')
  })

  it('leaves the logs that a backup reads', () => {
    const disk = new ModelStoreDisk()
    const rig = startRig(disk, { settings: { circularLogging: true, checkpointDepthBytes: 0 } })
    rig.store.holdLogsFrom(asGeneration(1))
    for (let commit = 0; commit < 200; commit++) {
      commitOne(rig, 5, commit)
      rig.settle()
    }

    expect(disk.scan().closed[0]).toBe(1)
  })
})

describe('a store', () => {
  it('creates its stream and its database, stops clean, and begins again', () => {
    const disk = new ModelStoreDisk()
    const rig = startRig(disk)
    commitOne(rig, 5, 7)
    rig.stop('term')

    expect(disk.scan().database).toMatchObject({
      state: 'clean-shutdown',
      required: { ...NOTHING_REQUIRED, committedCreateTime: expect.any(String) },
    })
    const again = startRig(disk)
    expect(again.values([5])).toEqual([{ 1: 7 }])
    expect(again.store.header.attach.position).not.toEqual(rig.store.header.attach.position)
  })

  it('remembers a backup when the record of it is durable', () => {
    const rig = startRig(new ModelStoreDisk())
    const { backups } = rig.store.header
    const mark = { generation: 1, sector: 9, byte: 0 }
    const previousFull = { ...backups.previousFull, mark, firstGeneration: 1, lastGeneration: 1 }
    rig.store.amendHeader({ backups: { ...backups, previousFull } })
    rig.settle()

    expect(rig.disk.scan().database?.backups.previousFull.lastGeneration).toBe(1)
  })
})
