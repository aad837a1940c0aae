// Goal: a database that was copied while its store wrote it is brought by its logs to what had been committed when the last was closed.
// Method: pages and header are read one by one, in any order, some of them by halves, between any steps of a mailbox store; likewise frozen
// stores. STORE_RUNS says how many runs, STORE_SEED where to begin.
import { describe, expect, it } from 'vitest'
import { layBackupStep, stepOfGroup } from '../../../../engine/database/backup-record.ts'
import { withCurrent } from '../../../../engine/database/backup-slot.ts'
import { trailerOf, trailerPage } from '../../../../engine/database/backup-trailer.ts'
import { readDatabaseHeader } from '../../../../engine/database/database-header-copies.ts'
import { BACKUP_PHASE } from '../../../../engine/database/log-record-database.ts'
import { logTimeAt } from '../../../../engine/database/log-time.ts'
import { PAGE_BYTES } from '../../../../engine/database/page.ts'
import { readPage } from '../../../../engine/database/page-reading.ts'
import { asGeneration, type Generation } from '../../../../engine/generation.ts'
import { type Choices, seededChoices } from '../../../../sim/choices.ts'
import { aLog, MOMENT_MS, SIGNATURE, withFlippedBit } from '../build.ts'
import { drive, IDS, type Living, type Messages, messagesOf, startMailbox } from './mailbox-living.ts'
import { ModelStoreDisk } from './model-store-disk.ts'
import { differingPages, naiveRedo } from './naive-redo.ts'
import { CutOff, Fuse, recover } from './store-rig.ts'

const RUNS = Number(process.env['STORE_RUNS'] ?? 12)
const SEED = Number(process.env['STORE_SEED'] ?? 1)
const SESSIONS = [1, 2, 3]

/** What a streaming backup took. */
interface FuzzyCopy {
  readonly header: Uint8Array
  readonly pages: ReadonlyMap<number, Uint8Array>
  readonly trailer: Uint8Array
  readonly first: Generation
  readonly last: Generation
  /** What had been committed when the last log was closed. */
  readonly messages: Messages
}

/** A store with a load that goes on for ever. */
class Loaded {
  readonly choices: Choices
  readonly disk = new ModelStoreDisk()
  readonly living: Living
  #messages: Messages = {}
  readonly #open = new Map<number, Map<number, number | null>>()

  constructor(seed: number) {
    this.choices = seededChoices(seed)
    const cachePages = [32, 48, 96][this.below(3)] ?? 32
    this.living = startMailbox(this.disk, { fuse: new Fuse(), choose: (bound) => this.below(bound), cachePages })
  }

  /** What is committed so far. */
  get messages(): Messages {
    return this.#messages
  }

  below(bound: number): number {
    return this.choices.below(bound)
  }

  load(acts: number): void {
    for (let act = 0; act < acts; act++) {
      this.#act()
      for (let steps = this.below(10); steps > 0; steps--) this.living.rig.step()
    }
  }

  #act(): void {
    const session = SESSIONS[this.below(SESSIONS.length)] ?? 1
    const { mailbox, rig } = this.living
    const open = this.#open.get(session)
    const kind = this.below(16)
    if (open === undefined) {
      drive(this.living, mailbox.begin(session))
      this.#open.set(session, new Map())
    } else if (kind < 4) {
      drive(this.living, mailbox.commit(session))
      this.#commit(open)
      this.#open.delete(session)
      if (this.below(3) > 0) rig.store.requestFlush()
    } else if (kind === 4) {
      drive(this.living, mailbox.rollback(session))
      this.#open.delete(session)
    } else if (kind < 7) drive(this.living, mailbox.cleanUp(10))
    else this.#change(session, open)
  }

  #commit(open: ReadonlyMap<number, number | null>): void {
    const messages: Record<number, number> = { ...this.#messages }
    for (const [id, bytes] of open) {
      if (bytes === null) delete messages[id]
      else messages[id] = bytes
    }
    this.#messages = messages
  }

  #change(session: number, open: Map<number, number | null>): void {
    const { mailbox } = this.living
    const id = this.below(IDS)
    const name = { mailbox: id % 3, id }
    const size = [20, 300, 3000, 20_000][this.below(4)] ?? 20
    const own = open.has(id) ? open.get(id) : this.#messages[id]
    const message = { name, bytes: new Uint8Array(size).fill(id) }
    if (own === null || own === undefined) {
      if (drive(this.living, mailbox.insert(session, message)) === null) open.set(id, size)
    } else if (this.below(2) === 0) {
      if (drive(this.living, mailbox.remove(session, name)) === null) open.set(id, null)
    } else if (drive(this.living, mailbox.replace(session, message)) === null) open.set(id, size)
  }
}

/** Takes a streaming backup, as its steps are in a real store. */
function takeFuzzyCopy(source: Loaded): FuzzyCopy {
  const { living } = source
  const { store } = living.rig
  const first = store.lowestRequired
  const mark = { mark: store.end, markTime: logTimeAt(MOMENT_MS) }
  layBackupStep(store, stepOfGroup({ scope: 'full', method: 'streaming' }, BACKUP_PHASE.begin))
  store.amendHeader({
    backups: withCurrent(store.header.backups, 'currentFull', { ...mark, firstGeneration: first }),
  })
  living.rig.settle(() => store.header.backups.currentFull.firstGeneration === first)
  const { header, pages } = readPages(source)
  source.load(source.below(8))
  const last = store.forceRoll('a backup copies the logs')
  const { messages } = source
  living.rig.settle(() => store.openGeneration > last)
  const read = readDatabaseHeader(header)
  if (read.verdict !== 'read') throw new Error('one copy of the header is whole')
  const trailer = trailerPage(trailerOf(read.header, last), PAGE_BYTES)
  return { header, pages, trailer, first, last, messages }
}

/** Page 0 stands for the header. Whatever comes first comes first; what the file has grown by meanwhile is read too, or left out. */
function readPages(source: Loaded): Pick<FuzzyCopy, 'header' | 'pages'> {
  const { disk } = source
  const pages = new Map<number, Uint8Array>()
  let header: Uint8Array | null = null
  const end = source.below(2) === 0 ? disk.pageCount() : Number.POSITIVE_INFINITY
  for (;;) {
    const left = Array.from({ length: Math.min(end, disk.pageCount()) + 1 }, (_, number) => number).filter(
      (number) => (number === 0 && header === null) || (number > 0 && !pages.has(number)),
    )
    const number = left[source.below(Math.max(1, left.length))]
    if (number === undefined) break
    if (number === 0)
      header = halves(
        source,
        () => disk.headerCopies(),
        (copy) => readDatabaseHeader(copy).verdict === 'read',
      )
    else
      pages.set(
        number,
        halves(
          source,
          () => disk.page(number),
          (page) => readPage(number, page).reading !== 'bad' || isZero(page),
        ),
      )
    source.load(source.below(4))
  }
  return { header: header ?? disk.headerCopies(), pages }
}

/** Reads something by halves, again until it is whole. */
function halves(source: Loaded, read: () => Uint8Array, isWhole: (bytes: Uint8Array) => boolean): Uint8Array {
  for (;;) {
    const bytes = read()
    source.load(source.below(2))
    const half = bytes.length >>> 1
    bytes.set(read().subarray(half), half)
    if (isWhole(bytes)) return bytes
  }
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

/** A folder that the backup was put into. */
function restored(source: Loaded, copy: FuzzyCopy, without: readonly Generation[] = []): ModelStoreDisk {
  const disk = new ModelStoreDisk()
  const count = Math.max(0, ...copy.pages.keys())
  const bytes = new Uint8Array((count + 3) * PAGE_BYTES)
  bytes.set(copy.header)
  for (const [number, page] of copy.pages) bytes.set(page, (number + 1) * PAGE_BYTES)
  bytes.set(copy.trailer, (count + 2) * PAGE_BYTES)
  disk.putDatabase(bytes)
  for (let generation = copy.first; generation <= copy.last; generation++)
    if (!without.includes(generation))
      disk.letIn(asGeneration(generation), source.disk.closedLog(asGeneration(generation)))
  return disk
}

/** A store that is started over it, over and over as long as it is cut off. */
function started(disk: ModelStoreDisk, cut: () => Fuse): Living {
  for (;;) {
    try {
      const fuse = cut()
      const living = startMailbox(disk, { fuse, choose: () => 0, cachePages: 48 })
      fuse.left = Number.POSITIVE_INFINITY
      return living
    } catch (error) {
      if (!(error instanceof CutOff)) throw error
      disk.crash('power', () => 1)
    }
  }
}

function eachSeed(run: (seed: number) => void): void {
  for (let seed = SEED; seed < SEED + RUNS; seed++) {
    try {
      run(seed)
    } catch (cause) {
      throw new Error(`STORE_SEED=${seed} STORE_RUNS=1: ${cause instanceof Error ? cause.message : cause}`, { cause })
    }
  }
}

function sorted(messages: Messages): string {
  return JSON.stringify(Object.entries(messages).sort(([a], [b]) => Number(a) - Number(b)))
}

describe('a database that was copied page by page while its store wrote it', () => {
  it(`has every message that was committed when its last log was closed, and no other, ${RUNS} runs from seed ${SEED}`, () => {
    eachSeed((seed) => {
      const source = new Loaded(seed)
      source.load(source.below(200))
      const copy = takeFuzzyCopy(source)
      source.load(20)
      const disk = restored(source, copy)
      let cuts = source.below(4)
      const cut = (): Fuse => (cuts-- > 0 ? new Fuse(source.below(60)) : new Fuse())

      const living = started(disk, cut)
      expect(sorted(messagesOf(living))).toBe(sorted(copy.messages))
      expect(disk.scan().database?.backups.currentFull.firstGeneration).toBe(0)
      living.rig.stop('term')
      for (let generation = 1; generation < copy.first; generation++)
        disk.letIn(asGeneration(generation), source.disk.closedLog(asGeneration(generation)))
      expect(differingPages(disk, naiveRedo(disk))).toEqual([])
    })
  })

  it(`goes on to the newest message where the later logs are there, ${RUNS} runs from seed ${SEED}`, () => {
    eachSeed((seed) => {
      const source = new Loaded(seed)
      source.load(source.below(120))
      const copy = takeFuzzyCopy(source)
      source.load(60)
      const disk = restored(source, copy)
      const { store } = source.living.rig
      const last = store.forceRoll('the newest log')
      const { messages } = source
      source.living.rig.settle(() => store.openGeneration > last)
      for (let generation = copy.last + 1; generation <= last; generation++)
        disk.letIn(asGeneration(generation), source.disk.closedLog(asGeneration(generation)))

      expect(sorted(messagesOf(started(disk, () => new Fuse())))).toBe(sorted(messages))
    })
  })

  it('is refused where a log of its range is missing, damaged or of another stream, and nothing of it is changed', () => {
    const source = new Loaded(SEED)
    source.load(150)
    const copy = takeFuzzyCopy(source)
    const middle = asGeneration(copy.first + 1)
    expect(middle).toBeLessThan(copy.last)
    const errors = [
      restored(source, copy, [copy.last]),
      restored(source, copy, [copy.first]),
      restored(source, copy, [middle]),
      withLog(restored(source, copy), middle, withFlippedBit(source.disk.closedLog(middle), 8 * 5000)),
      withLog(restored(source, copy), middle, aLog(middle)),
      withLog(restored(source, copy), middle, aLog(middle, { signature: { ...SIGNATURE, random: 1 } })),
    ].map((disk) => {
      const before = disk.headerCopies()
      const outcome = recover(disk)
      expect(disk.headerCopies()).toEqual(before)
      return outcome.outcome === 'refused' ? outcome.fault.error : outcome.outcome
    })

    expect(errors).toEqual([-543, -543, -543, -501, -556, -555])
  })

  it('is refused with the trailer of another backup', () => {
    const source = new Loaded(SEED)
    source.load(60)
    const first = takeFuzzyCopy(source)
    const second = takeFuzzyCopy(source)

    const outcome = recover(restored(source, { ...second, trailer: first.trailer, first: first.first }))

    expect(outcome).toMatchObject({ outcome: 'refused', fault: { error: -535 } })
  })
})

function withLog(disk: ModelStoreDisk, generation: Generation, bytes: Uint8Array): ModelStoreDisk {
  disk.letIn(generation, bytes)
  return disk
}

describe('a store that is frozen', () => {
  it(`is copied without its open log, and recovers to what was committed, ${RUNS} runs from seed ${SEED}`, () => {
    eachSeed((seed) => {
      const source = new Loaded(seed)
      source.load(source.below(250))
      const { rig } = source.living
      rig.settle(() => rig.store.mayBegin)
      const closed = rig.store.freeze('a snapshot')
      rig.settle(() => rig.store.isStill)
      rig.take({ fact: 'clock-ticked', nowMs: MOMENT_MS + 3_600_000 })
      expect([rig.store.isStill, rig.store.mayBegin]).toEqual([true, false])
      const disk = new ModelStoreDisk()
      const database = [rig.disk.headerCopies(), ...pagesOf(rig.disk)]
      disk.putDatabase(Buffer.concat(database))
      for (const generation of rig.disk.scan().closed) disk.letIn(generation, rig.disk.closedLog(generation))
      const { messages } = source
      rig.store.thaw()
      source.load(30)

      expect(disk.scan().database?.required.maxCommitted).toBeLessThanOrEqual(closed)
      const living = startMailbox(disk, { fuse: new Fuse(), choose: () => 0, cachePages: 48 })
      expect(sorted(messagesOf(living))).toBe(sorted(messages))
      expect(living.rig.store.openGeneration).toBeGreaterThan(closed)
    })
  })
})

function pagesOf(disk: ModelStoreDisk): Uint8Array[] {
  return Array.from({ length: disk.pageCount() }, (_, index) => disk.page(index + 1))
}
