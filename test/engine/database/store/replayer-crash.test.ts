// Goal: a copy that replays in any batches, and crashes anywhere, ends with the pages of the active, byte for byte.
// Method: random streams with crashes, recoveries and orderly ends of the active; batches of any size over a model disk that is cut off
// after any step; the pages are held against a redo of all logs on pages in a map. STORE_RUNS says how many, STORE_SEED where to begin.
import { describe, expect, it } from 'vitest'
import { PAGE_BYTES } from '../../../../engine/database/page.ts'
import { PageCache } from '../../../../engine/database/page-cache.ts'
import { Replayer } from '../../../../engine/database/replayer.ts'
import type { StoreMachine } from '../../../../engine/database/store-machine.ts'
import { asGeneration, type Generation } from '../../../../engine/generation.ts'
import { type Choices, seededChoices } from '../../../../sim/choices.ts'
import { ModelStoreDisk } from './model-store-disk.ts'
import { differingPages, faultOfDatabase, naiveRedo } from './naive-redo.ts'
import { CutOff, Fuse, LOG_BYTES, runMachine, startRig } from './store-rig.ts'

const RUNS = Number(process.env['STORE_RUNS'] ?? 40)
const SEED = Number(process.env['STORE_SEED'] ?? 1)
const PAGES = 30

describe('a copy that crashes', () => {
  it(`has the pages of the active, ${RUNS} runs from seed ${SEED}`, () => {
    for (let seed = SEED; seed < SEED + RUNS; seed++) {
      try {
        new ReplayRun(seed).play()
      } catch (cause) {
        throw new Error(`STORE_SEED=${seed} STORE_RUNS=1: ${cause instanceof Error ? cause.message : cause}`, { cause })
      }
    }
  })
})

class ReplayRun {
  readonly #choices: Choices
  readonly #active = new ModelStoreDisk()
  readonly #copy = new ModelStoreDisk()
  readonly #cachePages: number
  readonly #checkpointDepthBytes: number
  #inspected = asGeneration(0)
  #lowestRequired = 0

  constructor(seed: number) {
    this.#choices = seededChoices(seed)
    this.#cachePages = [16, 24, 64][this.#below(3)] ?? 16
    this.#checkpointDepthBytes = LOG_BYTES * this.#below(4)
  }

  play(): void {
    for (let life = 0; life < 3; life++) this.#liveActive()
    const { closed } = this.#active.scan()
    const last = closed.at(-1) ?? asGeneration(1)
    expect(last).toBeGreaterThan(3)
    for (let crash = 0; crash < 6; crash++) this.#liveCopy(closed, new Fuse(this.#below(250)))
    this.#inspect(closed, last)
    this.#liveCopy(closed, new Fuse())
    expect(differingPages(this.#copy, naiveRedo(this.#active, last))).toEqual([])
    expect(this.#copy.scan().database?.state).toBe('dirty-shutdown')
  }

  #below(bound: number): number {
    return this.#choices.below(bound)
  }

  /** The active works for a while, and is stopped or killed. */
  #liveActive(): void {
    const choose = (bound: number): number => this.#below(bound)
    const rig = startRig(this.#active, { choose, cachePages: this.#cachePages })
    for (let act = 0; act < 60; act++) {
      const session = 1 + this.#below(2)
      rig.settle(() => rig.store.mayBegin)
      if (!rig.content.isOpen(session)) rig.content.begin(session)
      else if (this.#below(4) === 0) rig.content.commit(session)
      const page = 4 + 2 * this.#below(PAGES / 2) + session
      const change = { session, page, key: this.#below(8), value: this.#below(1000), bytes: 4 + this.#below(500) }
      if (rig.content.isOpen(session)) rig.change(change)
      for (let steps = this.#below(12); steps > 0; steps--) rig.step()
    }
    for (const session of [1, 2]) if (rig.content.isOpen(session) && this.#below(2) === 0) rig.content.commit(session)
    rig.store.forceRoll('the end of a life')
    rig.settle()
    if (!rig.content.isOpen(1) && !rig.content.isOpen(2)) rig.stop('term')
    else this.#active.crash('power', choose)
  }

  /** The copy replays batches until it is cut off; what it has settled is what the active had then. */
  #liveCopy(closed: readonly Generation[], fuse: Fuse): void {
    try {
      this.#copy.open()
      const replayer = new Replayer({
        files: this.#copy.scan(),
        inspected: this.#inspected,
        cache: new PageCache(this.#cachePages * PAGE_BYTES),
        checkpointDepthBytes: this.#checkpointDepthBytes,
      })
      expect(this.#run(replayer.open(), fuse)).toBeNull()
      while (this.#inspected < (closed.at(-1) ?? 0) || replayer.next <= this.#inspected)
        this.#batch(closed, replayer, fuse)
      this.#run(replayer.settle(), fuse)
    } catch (cut) {
      if (!(cut instanceof CutOff)) throw cut
      this.#copy.crash(this.#below(2) === 0 ? 'power' : 'kill', (bound) => this.#below(bound))
    }
    expect(faultOfDatabase(this.#copy)).toBeNull()
    const required = this.#copy.scan().database?.required.minRequired ?? 0
    expect(required).toBeGreaterThanOrEqual(this.#lowestRequired)
    this.#lowestRequired = required
  }

  #batch(closed: readonly Generation[], replayer: Replayer, fuse: Fuse): void {
    this.#inspect(closed, asGeneration(Math.max(this.#inspected, replayer.next + this.#below(5))))
    const through = asGeneration(Math.min(this.#inspected, replayer.next + this.#below(5)))
    expect(this.#run(replayer.replay(through), fuse)).toEqual({ through, fault: null })
    if (this.#below(3) > 0) return
    this.#run(replayer.settle(), fuse)
    // A life before this one may have come further than this batch, which then is replayed again.
    if ((replayer.header?.required.maxRequired ?? 0) > through) return
    expect(differingPages(this.#copy, naiveRedo(this.#active, through))).toEqual([])
  }

  /** Further logs come to the copy. */
  #inspect(closed: readonly Generation[], through: Generation): void {
    for (const generation of closed.filter((one) => one > this.#inspected && one <= through)) {
      this.#copy.letIn(generation, this.#active.closedLog(generation))
      this.#inspected = generation
    }
  }

  #run<Result>(machine: StoreMachine<Result>, fuse: Fuse): Result {
    return runMachine(machine, this.#copy, fuse)
  }
}
