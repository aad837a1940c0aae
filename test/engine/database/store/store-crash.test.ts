// Goal: after a crash at any moment exactly the acknowledged transactions are there, and nothing ever goes back.
// Method: random runs over a model disk, cut off after any of its steps, by a power cut that loses any sectors or by a kill; again and
// again, in the recovery too. STORE_RUNS says how many, STORE_SEED where to begin.
import { describe, expect, it } from 'vitest'
import type { LogPosition } from '../../../../engine/database/log-position.ts'
import { comparePositions } from '../../../../engine/database/log-position.ts'
import { type Choices, seededChoices } from '../../../../sim/choices.ts'
import { ModelStoreDisk } from './model-store-disk.ts'
import { differingPages, faultOfDatabase, naiveRedo } from './naive-redo.ts'
import type { Change } from './small-content.ts'
import { CutOff, Fuse, type StoreRig, startRig } from './store-rig.ts'

const RUNS = Number(process.env['STORE_RUNS'] ?? 60)
const SEED = Number(process.env['STORE_SEED'] ?? 1)
const PAGES_PER_SESSION = 16
const SESSIONS = [1, 2]
const PAGES = SESSIONS.flatMap((session) =>
  Array.from({ length: PAGES_PER_SESSION }, (_, index) => pageOf(session, index)),
)

describe('a store that crashes', () => {
  it(`has what it acknowledged, ${RUNS} runs from seed ${SEED}`, () => {
    for (let seed = SEED; seed < SEED + RUNS; seed++) {
      try {
        new CrashRun(seed).play()
      } catch (cause) {
        throw new Error(`STORE_SEED=${seed} STORE_RUNS=1: ${cause instanceof Error ? cause.message : cause}`, { cause })
      }
    }
  })
})

type Values = Readonly<Record<number, Readonly<Record<number, number>>>>

/** One disk, several lives of the store on it. */
class CrashRun {
  readonly #choices: Choices
  readonly #disk = new ModelStoreDisk()
  /** What was committed, after each commit. */
  #history: Values[] = [{}]
  #acknowledged = 0
  #waiting: { readonly commit: number; readonly end: LogPosition }[] = []
  #open = new Map<number, Change[]>()
  readonly #cachePages: number
  readonly #settings: { resilienceDepth: number; checkpointDepthBytes: number }

  constructor(seed: number) {
    this.#choices = seededChoices(seed)
    this.#cachePages = [16, 24, 64][this.#below(3)] ?? 16
    this.#settings = { resilienceDepth: 1 + this.#below(4), checkpointDepthBytes: 16_384 * this.#below(6) }
  }

  play(): void {
    for (let life = 0; life < 4; life++) {
      try {
        this.#live(new Fuse(this.#below(life === 0 ? 1200 : 600)))
      } catch (cut) {
        if (!(cut instanceof CutOff)) throw cut
      }
      this.#disk.crash(this.#below(2) === 0 ? 'power' : 'kill', (bound) => this.#below(bound))
      expect(faultOfDatabase(this.#disk)).toBeNull()
    }
    this.#end()
  }

  #below(bound: number): number {
    return this.#choices.below(bound)
  }

  #start(fuse: Fuse): StoreRig {
    const choose = (bound: number): number => this.#below(bound)
    const rig = startRig(this.#disk, { fuse, choose, settings: this.#settings, cachePages: this.#cachePages })
    this.#takeStock(rig)
    return rig
  }

  #live(fuse: Fuse): void {
    const rig = this.#start(fuse)
    for (let act = 0; act < 400; act++) {
      this.#act(rig)
      for (let steps = this.#below(12); steps > 0; steps--) rig.step()
      this.#acknowledge(rig)
    }
  }

  /** What a recovery found must be what was acknowledged, or some of the commits behind that. */
  #takeStock(rig: StoreRig): void {
    const found = JSON.stringify(rig.values(PAGES))
    const commit = this.#history.findIndex(
      (values, index) =>
        index >= this.#acknowledged && JSON.stringify(PAGES.map((page) => values[page] ?? {})) === found,
    )
    expect(commit).toBeGreaterThanOrEqual(this.#acknowledged)
    this.#history = this.#history.slice(0, commit + 1)
    this.#acknowledged = commit
    this.#waiting = []
    this.#open.clear()
  }

  #act(rig: StoreRig): void {
    const session = SESSIONS[this.#below(SESSIONS.length)] ?? 1
    const kind = this.#below(20)
    if (kind === 0) rig.take({ fact: 'clock-ticked', nowMs: 1_166_140_800_000 + this.#below(1000) * 60_000 })
    else if (kind === 1) rig.store.requestFlush()
    else if (!this.#open.has(session)) this.#begin(rig, session)
    else if (kind < 8) this.#commit(rig, session)
    else this.#change(rig, session)
  }

  #begin(rig: StoreRig, session: number): void {
    rig.settle(() => rig.store.mayBegin)
    rig.content.begin(session)
    this.#open.set(session, [])
  }

  #change(rig: StoreRig, session: number): void {
    const page = pageOf(session, this.#below(PAGES_PER_SESSION))
    const change = { session, page, key: this.#below(8), value: this.#below(1000), bytes: 4 + this.#below(500) }
    rig.change(change)
    this.#open.get(session)?.push(change)
  }

  #commit(rig: StoreRig, session: number): void {
    const changes = this.#open.get(session) ?? []
    const values: Record<number, Record<number, number>> = structuredClone(this.#history.at(-1) ?? {})
    for (const { page, key, value } of changes) values[page] = { ...values[page], [key]: value }
    this.#history.push(values)
    this.#open.delete(session)
    const end = rig.content.commit(session)
    this.#waiting.push({ commit: this.#history.length - 1, end })
    if (this.#below(3) > 0) rig.store.requestFlush()
  }

  #acknowledge(rig: StoreRig): void {
    for (const { commit, end } of this.#waiting) if (rig.isDurable(end)) this.#acknowledged = commit
    this.#waiting = this.#waiting.filter(({ commit }) => commit > this.#acknowledged)
  }

  /** No crash any more: the store stops clean, and its file is what all logs tell of. */
  #end(): void {
    const rig = this.#start(new Fuse())
    rig.stop('term')
    expect(differingPages(this.#disk, naiveRedo(this.#disk))).toEqual([])
    const headers = this.#disk.headers.filter(({ state }) => state === 'dirty-shutdown')
    for (const [index, { required, attach }] of headers.entries()) {
      const before = headers[index - 1]
      if (before === undefined) continue
      expect(comparePositions(attach.position, before.attach.position)).toBeGreaterThanOrEqual(0)
      expect(required.minRequired).toBeGreaterThanOrEqual(before.required.minRequired)
      expect(required.maxRequired).toBeGreaterThanOrEqual(before.required.maxRequired)
    }
  }
}

function pageOf(session: number, index: number): number {
  return 4 + index * SESSIONS.length + session
}
