// Goal: maintenance mends what it can in the file of a store that runs, tells of the rest, and is never in the way of what is written.
// Method: a real engine over a model disk, in which bits are turned; then random changes, turned bits, windows and crashes.
import { describe, expect, it } from 'vitest'
import { logTimeAt } from '../../engine/database/log-time.ts'
import { PAGE_BYTES } from '../../engine/database/page.ts'
import { PageCache } from '../../engine/database/page-cache.ts'
import { readPage } from '../../engine/database/page-reading.ts'
import { Replayer } from '../../engine/database/replayer.ts'
import { readScanMark } from '../../engine/database/scan-mark.ts'
import { asGeneration } from '../../engine/generation.ts'
import { seededChoices } from '../../sim/choices.ts'
import { ModelStoreDisk } from '../engine/database/store/model-store-disk.ts'
import { differingPages, naiveRedo } from '../engine/database/store/naive-redo.ts'
import { CutOff, Fuse, runMachine, type StoreRig, startRig } from '../engine/database/store/store-rig.ts'
import { MaintenanceWorld } from './maintenance-world.ts'

const EAGER = { settings: { checkpointDepthBytes: 0, resilienceDepth: 1 } }
const BIT = 8 * 3000 + 5

/** A store with a value in each of some pages, all of them in the file. */
function aStore(pages: readonly number[], disk = new ModelStoreDisk()): StoreRig {
  const rig = startRig(disk, EAGER)
  for (const page of pages) put(rig, page, page)
  rig.store.forceRoll('so that the waypoint comes to it')
  rig.settle()
  return rig
}

function put(rig: StoreRig, page: number, value: number, bytes = 400): void {
  rig.content.begin(1)
  rig.change({ session: 1, page, key: 1, value, bytes })
  rig.content.commit(1)
  rig.store.requestFlush()
}

function damage(disk: ModelStoreDisk, page: number): void {
  for (const bit of [BIT, BIT + 1, BIT + 99]) disk.turnBit(page, bit)
}

describe('a pass over a store that runs', () => {
  it('turns a bit back in the file, counts it in the header, and leaves sound pages alone', async () => {
    const world = new MaintenanceWorld(aStore([5, 6, 7]))
    const { disk, store, orders } = world.rig
    const sound = disk.page(6)
    disk.turnBit(6, BIT)
    orders.length = 0

    await world.wholeWindow()

    expect(disk.page(6)).toEqual(sound)
    const written = orders.flatMap((order) => (order.order === 'write-pages' ? order.pages : []))
    expect(written.map(({ number }) => number)).toEqual([6])
    expect(world.events).toEqual([[717], [399, 6, 7 * PAGE_BYTES, String(BIT)], [721, 0, 1, 7, 0, 1, 4]])
    expect(store.header.correctedPages).toEqual({ count: 1, time: logTimeAt(world.nowMs), earlierCount: 0 })
    expect(readScanMark(disk.scan().database?.later ?? new Uint8Array(0)).previousEnd).toEqual(logTimeAt(world.nowMs))
  })

  it('writes a bad page again that memory has, and tells of it', async () => {
    const world = new MaintenanceWorld(aStore([5, 6]))
    const { disk } = world.rig
    const sound = disk.page(5)
    damage(disk, 5)

    await world.wholeWindow()

    expect(world.eventIds()).toEqual([717, 727, 721])
    expect(disk.page(5)).toEqual(sound)
    expect(world.rig.store.header.badPages.count).toBe(1)
  })

  it('tells of a bad page that nobody has; the store goes on, and its copy stays good', async () => {
    const before = aStore([5])
    // What is written last lies beside the database too, and a start would put it back from there.
    aStore([6], before.disk).stop('term')
    const { disk } = before
    damage(disk, 5)
    const world = new MaintenanceWorld(startRig(disk, EAGER))
    const { rig } = world

    await world.wholeWindow()

    expect(world.events[1]).toEqual([727, 5, 6 * PAGE_BYTES, expect.stringContaining('checksum')])
    expect(readPage(5, disk.page(5)).reading).toBe('bad')
    rig.store.needPage(5)
    rig.take({ fact: 'page-read', number: 5, bytes: disk.page(5) })
    expect([...rig.store.badPages.keys()]).toEqual([5])
    put(rig, 6, 66)
    rig.store.forceRoll('for the copy')
    rig.settle()
    expect(rig.values([6])).toEqual([{ 1: 66 }])
    const copy = new ModelStoreDisk()
    const { closed } = disk.scan()
    for (const generation of closed) copy.letIn(generation, disk.closedLog(generation))
    const last = closed.at(-1) ?? asGeneration(0)
    const start = { files: copy.scan(), inspected: last, cache: new PageCache(32 * PAGE_BYTES) }
    const replayer = new Replayer({ ...start, checkpointDepthBytes: 0 })
    expect(runMachine(replayer.open(), copy)).toBeNull()
    expect(runMachine(replayer.replay(last), copy)).toEqual({ through: last, fault: null })
    expect(readPage(5, copy.page(5)).reading).toBe('sound')
    expect(differingPages(copy, naiveRedo(disk, last))).toEqual([])
  })

  it('zeroes what was replaced by something shorter, on the active and by its log', async () => {
    const world = new MaintenanceWorld(aStore([5, 6]), { zero: true })
    const { rig } = world
    put(rig, 5, 0x5ec2e7, 1500)
    put(rig, 5, 1, 8)
    rig.store.forceRoll('so that the waypoint comes to it')
    rig.settle()
    const bytesInUse = (): number => rig.disk.page(5).filter((byte) => byte !== 0).length
    expect(bytesInUse()).toBeGreaterThan(1000)

    await world.wholeWindow()
    rig.stop('term')

    expect(bytesInUse()).toBeLessThan(300)
    expect(world.events.at(-1)?.slice(0, 3)).toEqual([722, 0, 1])
    expect(differingPages(rig.disk, naiveRedo(rig.disk))).toEqual([])
  })
})

describe('the window', () => {
  it('opens when an operator says so, also where the pass of the day has ended', async () => {
    const world = new MaintenanceWorld(aStore([5]))
    await world.wholeWindow()
    world.runner.openFor(60_000)
    while (world.runner.status.state === 'working') await world.turn()

    expect(world.eventIds()).toEqual([717, 721, 717, 721])
    expect(world.runner.status).toEqual({
      state: 'waiting',
      nextPage: null,
      pages: { seen: 5, bad: 0, corrected: 0, empty: 4, zeroed: 0 },
      lastCompletedMs: world.nowMs,
    })
  })

  it('that was opened by hand closes when its time is over', async () => {
    const world = new MaintenanceWorld(aStore([100]), { throttleMs: 60_000 })
    world.runner.openFor(60_000)
    await world.idle()
    world.nowMs += 59_999
    world.runner.tick()
    expect(world.runner.status.state).toBe('working')
    world.nowMs += 1
    world.runner.tick()

    expect(world.runner.status).toMatchObject({ state: 'waiting', nextPage: 65 })
    expect(world.eventIds()).toEqual([717, 725])
  })

  it('that closes and opens while a read is under way begins with that read again', async () => {
    const world = new MaintenanceWorld(aStore([5, 6]))
    const { disk } = world.rig
    let release = (): void => undefined
    world.beforeRead = () =>
      new Promise((resolve) => {
        release = resolve
      })
    world.runner.openFor(60_000)
    await world.turn()
    world.nowMs += 60_000
    world.runner.tick()
    world.runner.openFor(60_000)
    world.beforeRead = () => Promise.resolve()
    disk.turnBit(5, BIT)
    release()
    while (world.runner.status.state === 'working') await world.turn()

    expect(world.eventIds()).toEqual([717, 725, 719, 399, 721])
  })

  it('does nothing where maintenance is off', () => {
    const world = new MaintenanceWorld(aStore([5]), { checksum: false })
    world.isInWindow = true
    world.runner.tick()

    expect([world.events, world.runner.status.state]).toEqual([[], 'off'])
  })
})

describe('a store that stops', () => {
  it('keeps where the pass stands, for the next start', async () => {
    const world = new MaintenanceWorld(aStore([100]), { throttleMs: 1000 })
    world.isInWindow = true
    world.runner.tick()
    await world.idle()
    await world.runner.close()
    world.rig.stop('term')

    const again = new MaintenanceWorld(startRig(world.rig.disk, EAGER))
    await again.wholeWindow()
    expect(again.events.map(([id, page]) => [id, page])).toEqual([
      [719, 65],
      [721, 0],
    ])
  })

  it('gives the file free that was being read', async () => {
    const world = new MaintenanceWorld(aStore([5]))
    world.beforeRead = () => Promise.reject(new Error('EIO: the disk is gone'))
    await world.wholeWindow()

    expect(world.events.at(-1)).toEqual([723, 1, 0, 'EIO: the disk is gone'])
    put(world.rig, 5, 9)
    world.rig.stop('term')
    expect(world.rig.store.isAtRest).toBe(true)
  })
})

describe('a bit that was turned back when an operation read its page', () => {
  it('is told of and counted', () => {
    const before = aStore([5])
    before.stop('term')
    before.disk.turnBit(5, BIT)
    const world = new MaintenanceWorld(startRig(before.disk, EAGER))
    const { rig, runner } = world
    rig.store.needPage(5)
    rig.take({ fact: 'page-read', number: 5, bytes: rig.disk.page(5) })
    runner.tick()
    rig.settle()

    expect(world.events).toEqual([[399, 5, 6 * PAGE_BYTES, String(BIT)]])
    expect(rig.disk.scan().database?.correctedPages.count).toBe(1)
  })
})

const RUNS = Number(process.env['STORE_RUNS'] ?? 20)
const SEED = Number(process.env['STORE_SEED'] ?? Math.floor(Math.random() * 1_000_000))
const PAGES = [4, 5, 6, 7, 8, 9, 70]

describe('a store that crashes on a disk that turns bits', () => {
  it(`has after one whole pass the file that its logs tell of, ${RUNS} runs from seed ${SEED}`, async () => {
    for (let seed = SEED; seed < SEED + RUNS; seed++) {
      try {
        await play(seed)
      } catch (cause) {
        throw new Error(`STORE_SEED=${seed} STORE_RUNS=1: ${cause instanceof Error ? cause.message : cause}`, { cause })
      }
    }
  })
})

async function play(seed: number): Promise<void> {
  const choices = seededChoices(seed)
  const below = (bound: number): number => choices.below(bound)
  const disk = new ModelStoreDisk()
  const rules = { zero: below(2) === 0, throttleMs: below(2) * 10 }
  for (let life = 0; life < 3; life++) {
    try {
      await live(disk, { rules, below })
    } catch (cut) {
      if (!(cut instanceof CutOff)) throw cut
    }
    disk.crash(below(2) === 0 ? 'power' : 'kill', below)
  }
  const world = new MaintenanceWorld(startRig(disk), rules)
  await world.wholeWindow()
  await world.wholeWindow()
  await world.runner.close()
  world.rig.stop('term')
  expect(differingPages(disk, naiveRedo(disk))).toEqual([])
}

interface Life {
  readonly rules: { readonly zero: boolean; readonly throttleMs: number }
  readonly below: (bound: number) => number
}

async function live(disk: ModelStoreDisk, { rules, below }: Life): Promise<void> {
  const rig = startRig(disk, { fuse: new Fuse(below(900)), choose: below })
  const world = new MaintenanceWorld(rig, rules)
  for (let act = 0; act < 120; act++) {
    const kind = below(8)
    if (kind === 0) turnOne(disk, PAGES[below(PAGES.length)] ?? 4, below(PAGE_BYTES * 8))
    else if (kind === 1) world.runner.openFor(100 + below(1000))
    else if (kind === 2) {
      world.nowMs += below(200)
      world.runner.tick()
    } else if (kind < 5) await world.turn()
    else put(rig, PAGES[below(PAGES.length)] ?? 4, below(1000), 4 + below(1500))
    for (let steps = below(12); steps > 0; steps--) rig.step()
  }
}

/** Turns a bit of a page that is sound: two bits of one page could not be turned back, and a page that is empty has no checksum. */
function turnOne(disk: ModelStoreDisk, page: number, bit: number): void {
  const reading = readPage(page, disk.page(page))
  const isTurnable = bit >= 64 && bit !== 36 * 8 + 13
  const isSound =
    reading.reading === 'sound' && reading.corrected.length === 0 && reading.bytes.some((byte) => byte !== 0)
  if (isTurnable && isSound) disk.turnBit(page, bit)
}
