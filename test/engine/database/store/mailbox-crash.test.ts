// Goal: messages survive every crash exactly as their transactions were acknowledged, and a copy gets the same trees, byte for byte.
// Method: the mailbox store over the store engine over a model disk, cut off after any of its steps; then its logs are replayed on a copy.
// STORE_RUNS says how many runs, STORE_SEED where to begin. Seeds that broke a promise once are kept.
import { describe, expect, it } from 'vitest'
import type { LogPosition } from '../../../../engine/database/log-position.ts'
import { PAGE_BYTES } from '../../../../engine/database/page.ts'
import { PageCache } from '../../../../engine/database/page-cache.ts'
import { Replayer } from '../../../../engine/database/replayer.ts'
import { asGeneration } from '../../../../engine/generation.ts'
import { type Choices, seededChoices } from '../../../../sim/choices.ts'
import { drive, IDS, type Living, type Messages, messagesOf, startMailbox } from './mailbox-living.ts'
import { ModelStoreDisk } from './model-store-disk.ts'
import { differingPages, faultOfDatabase, naiveRedo } from './naive-redo.ts'
import { CutOff, Fuse, runMachine } from './store-rig.ts'

const RUNS = Number(process.env['STORE_RUNS'] ?? 12)
const SEED = Number(process.env['STORE_SEED'] ?? 1)
const SESSIONS = [1, 2]

/** What they found: pages torn between sectors of one letter, which their own checksums do not see; a saved page that was torn. */
const KEPT_SEEDS = [30_069, 30_120, 30_158, 30_193, 30_005]

describe('a mailbox store that crashes', () => {
  it(`has the messages that it acknowledged, and so has its copy, ${RUNS} runs from seed ${SEED}`, () => {
    for (let seed = SEED; seed < SEED + RUNS; seed++) play(seed)
  })

  it.each(KEPT_SEEDS)('keeps what it promised with seed %i', (seed) => play(seed))
})

function play(seed: number): void {
  try {
    new MailboxRun(seed).play()
  } catch (cause) {
    throw new Error(`STORE_SEED=${seed} STORE_RUNS=1: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}

class MailboxRun {
  readonly #choices: Choices
  readonly #disk = new ModelStoreDisk()
  #history: Messages[] = [{}]
  #acknowledged = 0
  #waiting: { readonly commit: number; readonly end: LogPosition }[] = []
  #open = new Map<number, Map<number, number | null>>()
  readonly #cachePages: number

  constructor(seed: number) {
    this.#choices = seededChoices(seed)
    this.#cachePages = [32, 48, 96][this.#below(3)] ?? 32
  }

  play(): void {
    for (let life = 0; life < 3; life++) {
      try {
        this.#live(new Fuse(this.#below(700)))
      } catch (cut) {
        if (!(cut instanceof CutOff)) throw cut
      }
      this.#disk.crash(this.#below(2) === 0 ? 'power' : 'kill', (bound) => this.#below(bound))
      expect(faultOfDatabase(this.#disk)).toBeNull()
    }
    const { rig } = this.#start(new Fuse())
    rig.store.forceRoll('the copy gets all of it')
    rig.stop('term')
    expect(differingPages(this.#disk, naiveRedo(this.#disk))).toEqual([])
    this.#replayOnCopy()
  }

  #below(bound: number): number {
    return this.#choices.below(bound)
  }

  #live(fuse: Fuse): void {
    const living = this.#start(fuse)
    for (let act = 0; act < 150; act++) {
      this.#act(living)
      for (let steps = this.#below(10); steps > 0; steps--) living.rig.step()
      for (const { commit, end } of this.#waiting) if (living.rig.isDurable(end)) this.#acknowledged = commit
      this.#waiting = this.#waiting.filter(({ commit }) => commit > this.#acknowledged)
    }
  }

  #start(fuse: Fuse): Living {
    const living = startMailbox(this.#disk, {
      fuse,
      choose: (bound) => this.#below(bound),
      cachePages: this.#cachePages,
    })
    const found = JSON.stringify(messagesOf(living))
    const commit = this.#history.findIndex(
      (messages, index) => index >= this.#acknowledged && JSON.stringify(messages) === found,
    )
    expect(commit).toBeGreaterThanOrEqual(this.#acknowledged)
    this.#history = this.#history.slice(0, commit + 1)
    this.#acknowledged = commit
    this.#waiting = []
    this.#open.clear()
    return living
  }

  #act(living: Living): void {
    const session = SESSIONS[this.#below(SESSIONS.length)] ?? 1
    const { mailbox } = living
    const open = this.#open.get(session)
    const kind = this.#below(16)
    if (open === undefined) {
      drive(living, mailbox.begin(session))
      this.#open.set(session, new Map())
    } else if (kind < 3) this.#commit(living, session, open)
    else if (kind === 3) {
      drive(living, mailbox.rollback(session))
      this.#open.delete(session)
    } else if (kind === 4) drive(living, mailbox.cleanUp(5))
    else this.#change(living, session, open)
  }

  #change({ rig, writer, mailbox }: Living, session: number, open: Map<number, number | null>): void {
    const id = this.#below(IDS)
    const name = { mailbox: id % 3, id }
    const bytes = [20, 300, 3000, 20_000][this.#below(4)] ?? 20
    const committed = this.#history.at(-1)?.[id] ?? null
    const own = open.has(id) ? (open.get(id) ?? null) : committed
    const living = { rig, writer, mailbox }
    if (own === null) {
      const message = { name, bytes: new Uint8Array(bytes).fill(id) }
      if (drive(living, mailbox.insert(session, message)) === null) open.set(id, bytes)
    } else if (this.#below(2) === 0) {
      if (drive(living, mailbox.remove(session, name)) === null) open.set(id, null)
    } else {
      const message = { name, bytes: new Uint8Array(bytes).fill(id) }
      if (drive(living, mailbox.replace(session, message)) === null) open.set(id, bytes)
    }
  }

  #commit(living: Living, session: number, open: ReadonlyMap<number, number | null>): void {
    const messages: Record<number, number> = { ...this.#history.at(-1) }
    for (const [id, bytes] of open) {
      if (bytes === null) delete messages[id]
      else messages[id] = bytes
    }
    this.#history.push(messages)
    this.#open.delete(session)
    const end = drive(living, living.mailbox.commit(session))
    this.#waiting.push({ commit: this.#history.length - 1, end })
    if (this.#below(3) > 0) living.rig.store.requestFlush()
  }

  /** All closed logs are replayed on a copy that begins with nothing. */
  #replayOnCopy(): void {
    const copy = new ModelStoreDisk()
    const { closed } = this.#disk.scan()
    for (const generation of closed) copy.letIn(generation, this.#disk.closedLog(generation))
    const last = closed.at(-1) ?? asGeneration(0)
    const cache = new PageCache(this.#cachePages * PAGE_BYTES)
    const replayer = new Replayer({ files: copy.scan(), inspected: last, cache, checkpointDepthBytes: 0 })
    expect(runMachine(replayer.open(), copy)).toBeNull()
    expect(runMachine(replayer.replay(last), copy)).toEqual({ through: last, fault: null })
    expect(differingPages(copy, naiveRedo(this.#disk, last))).toEqual([])
  }
}
