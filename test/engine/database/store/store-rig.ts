// A store over a model disk: its two lanes run side by side, step by step, and end anywhere.
import { comparePositions, type LogPosition } from '../../../../engine/database/log-position.ts'
import type { LogSignature } from '../../../../engine/database/log-signature.ts'
import { logTimeAt } from '../../../../engine/database/log-time.ts'
import { PAGE_BYTES } from '../../../../engine/database/page.ts'
import { PageCache } from '../../../../engine/database/page-cache.ts'
import { readPage } from '../../../../engine/database/page-reading.ts'
import { type RecoveryOutcome, recoverStore } from '../../../../engine/database/recovery.ts'
import { StoreEngine } from '../../../../engine/database/store-engine.ts'
import type { StoreMachine } from '../../../../engine/database/store-machine.ts'
import { openDatabase, startOfNewStore } from '../../../../engine/database/store-opening.ts'
import type { OrderBundle, StoreFact, StoreOrder } from '../../../../engine/database/store-order.ts'
import type { StoreSettings } from '../../../../engine/database/store-start.ts'
import { MOMENT_MS, SIGNATURE } from '../build.ts'
import type { Choose, DiskStep, ModelStoreDisk } from './model-store-disk.ts'
import { type Change, SmallContent, SmallTransactions, valuesOf } from './small-content.ts'

/** Thrown where a run was to end. */
export class CutOff extends Error {
  override readonly name = 'CutOff'
}

/** How many more steps the disk makes. */
export class Fuse {
  left: number

  constructor(left: number = Number.POSITIVE_INFINITY) {
    this.left = left
  }

  burn(): void {
    if (this.left-- <= 0) throw new CutOff()
  }
}

const DATABASE_PATH = 'D:\\priv1.edb'
const DATABASE_SIGNATURE = { random: 17, createTime: logTimeAt(MOMENT_MS), computer: '' }
/** Small logs and a small cache, so that rolls and pressure are common. */
export const LOG_BYTES = 16_384
const CACHE_PAGES = 20

/** Settings for small logs. */
export const SETTINGS: StoreSettings = {
  databasePath: DATABASE_PATH,
  resilienceDepth: 2,
  checkpointDepthBytes: 3 * LOG_BYTES,
  circularLogging: false,
}

interface Lane {
  readonly kind: 'log-written' | 'database-written'
  readonly steps: (DiskStep | { readonly ended: number })[]
}

/** A store that runs over a disk. */
export class StoreRig {
  readonly disk: ModelStoreDisk
  readonly store: StoreEngine
  readonly content: SmallContent
  readonly #fuse: Fuse
  readonly #choose: Choose
  readonly #lanes: readonly Lane[] = [
    { kind: 'log-written', steps: [] },
    { kind: 'database-written', steps: [] },
  ]
  /** Every order, in the order in which it was given. */
  readonly orders: StoreOrder[] = []

  constructor(
    disk: ModelStoreDisk,
    parts: {
      readonly store: StoreEngine
      readonly content?: SmallContent
      readonly fuse: Fuse
      readonly choose: Choose
    },
  ) {
    this.disk = disk
    this.store = parts.store
    this.content = parts.content ?? new SmallContent()
    this.#fuse = parts.fuse
    this.#choose = parts.choose
    this.content.use(this.store)
  }

  /** Takes in a fact, and what is to be done then. */
  take(fact: StoreFact): void {
    this.store.take(fact)
    this.collect()
  }

  /** Takes the orders that have become due. */
  collect(): void {
    const work = this.store.work()
    for (const [index, bundle] of [work.log, work.database].entries()) if (bundle !== null) this.#queue(index, bundle)
  }

  /** One step of one lane. Returns false when neither has any. */
  step(): boolean {
    this.collect()
    const busy = this.#lanes.filter(({ steps }) => steps.length > 0)
    const lane = busy[this.#choose(Math.max(1, busy.length))]
    const step = lane?.steps.shift()
    if (lane === undefined || step === undefined) return false
    if (typeof step === 'function') {
      step()
      this.#fuse.burn()
    } else this.take({ fact: lane.kind, sequence: step.ended })
    return true
  }

  /** Runs until `done`, or until nothing moves. */
  settle(done: () => boolean = () => false): void {
    for (let steps = 0; steps < 100_000; steps++) {
      if (done() || !this.step()) return
    }
    throw new Error('the store comes to rest')
  }

  /** Reads a page that an operation needs. */
  read(number: number): void {
    const reading = readPage(number, this.disk.page(number))
    if (reading.reading === 'bad') throw new Error(reading.detail)
    for (let tries = 0; !this.store.cache.admit(number, reading.bytes); tries++) {
      if (tries > 2000) throw new Error('a page comes free')
      if (!this.step()) throw new Error('something moves when memory is full')
    }
  }

  /** Makes a change, in as many tries as it takes. */
  change(change: Change): void {
    this.settle(() => this.store.mayBegin)
    for (let needed = this.content.change(change); needed !== null; needed = this.content.change(change))
      this.read(needed)
  }

  /** Whether everything before `end` survives now. */
  isDurable(end: LogPosition): boolean {
    return comparePositions(this.store.durable, end) >= 0
  }

  /** Undoes what is open, and closes the database as a recovery does. */
  undoAll(needsUndo: boolean): void {
    if (needsUndo) this.content.recoveryUndo()
    for (let step = this.content.undoOne(); step !== true; step = this.content.undoOne()) {
      this.collect()
      if (typeof step === 'number') this.read(step)
    }
    this.stop('recovery-quit')
  }

  /** Stops in order. */
  stop(by: 'term' | 'recovery-quit'): void {
    this.store.stop(by)
    this.settle(() => this.store.isAtRest)
    if (!this.store.isAtRest) throw new Error('the store is at rest')
  }

  /** Opens the database, and waits until it is open. */
  open(): void {
    openDatabase(this.store, { path: DATABASE_PATH, signature: DATABASE_SIGNATURE, nowMs: MOMENT_MS })
    this.settle(() => this.store.mayBegin)
  }

  /** The values of pages, as the memory or the disk has them. */
  values(pages: readonly number[]): Record<number, number>[] {
    return pages.map((number) => {
      this.read(number)
      const page = this.store.cache.find(number)
      return page === null ? {} : valuesOf(page)
    })
  }

  #queue(index: number, bundle: OrderBundle<StoreOrder>): void {
    const lane = this.#lanes[index]
    for (const order of bundle.orders) {
      this.orders.push(order)
      lane?.steps.push(...this.disk.steps(order))
    }
    lane?.steps.push({ ended: bundle.sequence })
  }
}

/** Executes a machine over a disk. */
export function runMachine<Result>(machine: StoreMachine<Result>, disk: ModelStoreDisk, fuse = new Fuse()): Result {
  let next = machine.next()
  while (next.done !== true) {
    const ask = next.value
    if (ask.order === 'read-page' || ask.order === 'read-log' || ask.order === 'read-saved-pages') {
      next = machine.next(disk.answer(ask))
      continue
    }
    for (const step of disk.steps(ask)) {
      step()
      fuse.burn()
    }
    next = machine.next(null)
  }
  return next.value
}

/** Options of a start. */
export interface RigStart {
  readonly fuse?: Fuse
  readonly choose?: Choose
  readonly settings?: Partial<StoreSettings>
  readonly ignoreLostLogs?: boolean
  readonly cachePages?: number
  /** Of a stream that begins. */
  readonly signature?: LogSignature
  /** The length of its logs. */
  readonly logBytes?: number
}

/** Starts a store, whatever lies on the disk, up to the point where changes may be made. */
export function startRig(disk: ModelStoreDisk, start: RigStart = {}): StoreRig {
  const { fuse = new Fuse(), choose = () => 0 } = start
  const settings = { ...SETTINGS, ...start.settings }
  const cache = new PageCache((start.cachePages ?? CACHE_PAGES) * PAGE_BYTES)
  const transactions = new SmallTransactions()
  const outcome = recover(disk, { ...start, cache, transactions })
  if (outcome.outcome === 'refused') throw new Error(`refused: ${outcome.fault.error} ${outcome.fault.detail}`)
  const nowMs = MOMENT_MS
  if (outcome.outcome === 'nothing-there') {
    const content = new SmallContent(transactions)
    const layout = { sizeBytes: start.logBytes ?? LOG_BYTES }
    const birth = startOfNewStore({
      settings,
      content,
      nowMs,
      cache,
      signature: start.signature ?? SIGNATURE,
      database: disk.scan().database,
      layout,
    })
    const rig = new StoreRig(disk, { store: new StoreEngine(birth), content, fuse, choose })
    rig.open()
    return rig
  }
  const content = new SmallContent(transactions, outcome.dbtime)
  const store = new StoreEngine({ ...outcome.start, content })
  const rig = new StoreRig(disk, { store, content, fuse, choose })
  if (store.header.state === 'dirty-shutdown') rig.undoAll(outcome.needsUndo)
  rig.open()
  return rig
}

/** The recovery alone. */
export function recover(
  disk: ModelStoreDisk,
  start: RigStart & { readonly cache?: PageCache; readonly transactions?: SmallTransactions } = {},
): RecoveryOutcome {
  disk.open()
  const machine = recoverStore({
    files: disk.scan(),
    settings: { ...SETTINGS, ...start.settings },
    cache: start.cache ?? new PageCache(CACHE_PAGES * PAGE_BYTES),
    transactions: start.transactions ?? new SmallTransactions(),
    ignoreLostLogs: start.ignoreLostLogs ?? false,
    nowMs: MOMENT_MS,
  })
  return runMachine(machine, disk, start.fuse)
}
