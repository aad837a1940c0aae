import { type Blocked, ChangeWriter, isBlocked } from '../../../engine/database/change-writer.ts'
import { LogBuffer } from '../../../engine/database/log-buffer.ts'
import { comparePositions, type LogPosition, positionOf } from '../../../engine/database/log-position.ts'
import { openRecords } from '../../../engine/database/log-record.ts'
import { openPage, type Page } from '../../../engine/database/page.ts'
import type { PagePool } from '../../../engine/database/page-pool.ts'
import { headerOfNewLog } from '../../../engine/database/prepared-log.ts'
import { applyRecord } from '../../../engine/database/record-apply.ts'
import { openRedo } from '../../../engine/database/redo-context.ts'
import { place } from './build.ts'
import { PagesInMemory } from './pages-in-memory.ts'

/** Small pages and logs: a tree of some levels and some rolls take few changes. */
export const WORLD_PAGE_BYTES = 2048
const LOG_BYTES = 32_768
/** More tries than a step needs whatever the pool throws out in between. */
const TRIES_MAX = 20_000

/** Random numbers from a seed: xorshift32. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = Math.imul(seed | 0, 0x9e3779b1) || 1
  }

  /** A whole number in `[0, bound)`. */
  below(bound: number): number {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return (this.#state >>> 0) % bound
  }
}

/** A page as it was after one of its changes, and the end of the log then: write-ahead lets it on a disk from there on. */
export interface PageVersion {
  readonly page: number
  readonly bytes: Uint8Array
  readonly end: LogPosition
}

/**
 * A pool of few pages over a disk, logs that are rolled and sealed at any moment, and the history of all pages. Which page is
 * thrown out is chosen at random, and between two steps only.
 */
export class StoreWorld implements PagePool {
  readonly logs: LogBuffer[] = []
  readonly versions: PageVersion[] = []
  readonly disk = new Map<number, Uint8Array>()
  readonly writer: ChangeWriter
  readonly dice: Dice
  readonly #resident = new Map<number, Page>()
  readonly #capacity: number

  constructor({ seed, capacity }: { seed: number; capacity: number }) {
    this.dice = new Dice(seed)
    this.#capacity = capacity
    const redo = openRedo({ pool: this, databaseId: 1, pageBytes: WORLD_PAGE_BYTES })
    this.writer = new ChangeWriter({ redo, log: this.#nextLog(), dbtime: 0 })
  }

  find(number: number): Page | null {
    return this.#resident.get(number) ?? null
  }

  make(number: number): Page | null {
    const present = this.#resident.get(number)
    if (present !== undefined) return present
    if (this.#resident.size >= this.#capacity) return null
    const page = openPage(new Uint8Array(WORLD_PAGE_BYTES).fill(0xaa))
    this.#resident.set(number, page)
    return page
  }

  changed(page: number): void {
    const { header, end } = this.#log()
    const bytes = this.#resident.get(page)?.bytes.slice()
    if (bytes === undefined) throw new Error('a page that was changed is in memory')
    this.versions.push({ page, bytes, end: positionOf(header, end) })
  }

  /** Makes a step until nothing is lacking. */
  run<Answer extends object | null>(step: () => Answer): Exclude<Answer, Blocked> {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const answer = step()
      if (this.dice.below(20) === 0) this.#log().seal()
      if (!isWanting(answer)) return answer as Exclude<Answer, Blocked> // just seen to be none
      if (answer.kind === 'page-needed') this.#read(answer.page)
      else if (answer.kind === 'log-full') this.roll()
      else this.#throwOne()
    }
    throw new Error('a step is made within many tries')
  }

  /** Closes the open log and begins the next. */
  roll(): void {
    this.#log().close()
    this.writer.continueIn(this.#nextLog())
  }

  /** Every page as it is now, in memory or on the disk. */
  pages(): Map<number, Uint8Array> {
    const all = new Map(this.disk)
    for (const [number, page] of this.#resident) all.set(number, page.bytes)
    return all
  }

  #log(): LogBuffer {
    const log = this.logs.at(-1)
    if (log === undefined) throw new Error('a log is open')
    return log
  }

  #nextLog(): LogBuffer {
    const layout = { sizeBytes: LOG_BYTES, update: 12 }
    const log = new LogBuffer(headerOfNewLog(place(this.logs.length + 1), layout))
    this.logs.push(log)
    return log
  }

  #read(number: number): void {
    while (this.#resident.size >= this.#capacity) this.#throwOne()
    const bytes = this.disk.get(number)?.slice() ?? new Uint8Array(WORLD_PAGE_BYTES)
    this.#resident.set(number, openPage(bytes))
  }

  #throwOne(): void {
    const numbers = [...this.#resident.keys()]
    const number = numbers[this.dice.below(numbers.length)] ?? 0
    this.disk.set(number, this.#resident.get(number)?.bytes ?? new Uint8Array(0))
    this.#resident.delete(number)
  }
}

function isWanting(answer: object | null): answer is Blocked {
  return isBlocked(answer) && ['page-needed', 'log-full', 'memory-needed'].includes(answer.kind)
}

/** Redoes all logs, up to a position where one is given, on pages that are there already or else made of zeros. */
export function replayLogs(logs: readonly LogBuffer[], pool: PagesInMemory, until: LogPosition | null = null): void {
  const redo = openRedo({ pool, databaseId: 1, pageBytes: WORLD_PAGE_BYTES })
  for (const buffer of logs) {
    const cursor = openRecords(buffer.log, buffer.header, buffer.end)
    while (cursor.next()) {
      const position = positionOf(buffer.header, cursor.at)
      if (until !== null && comparePositions(position, until) >= 0) return
      let step = applyRecord(redo, buffer, cursor)
      for (; step.kind === 'page-needed'; step = applyRecord(redo, buffer, cursor)) pool.read(step.page)
      if (step.kind === 'fault') throw new Error(JSON.stringify({ step, position }))
    }
  }
}

/** Pages of any earlier moments that write-ahead allows when the log ends at `until`: each of its own, or none yet. */
export function earlierPages(world: StoreWorld, until: LogPosition | null = null): PagesInMemory {
  const pool = new PagesInMemory(WORLD_PAGE_BYTES)
  const allowed = world.versions.filter(({ end }) => until === null || comparePositions(end, until) <= 0)
  for (const number of new Set(allowed.map(({ page }) => page))) {
    const own = allowed.filter(({ page }) => page === number)
    const chosen = own[world.dice.below(own.length + 1)]
    if (chosen !== undefined) pool.read(number).bytes.set(chosen.bytes)
  }
  return pool
}
