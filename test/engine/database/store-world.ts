import { type Blocked, ChangeWriter, isBlocked } from '../../../engine/database/change-writer.ts'
import { LogBuffer } from '../../../engine/database/log-buffer.ts'
import type { LogHeader } from '../../../engine/database/log-header.ts'
import { comparePositions, type LogPosition, positionOf } from '../../../engine/database/log-position.ts'
import type { LogRecord } from '../../../engine/database/log-record.ts'
import { openRecords } from '../../../engine/database/log-record.ts'
import { openPage, type Page } from '../../../engine/database/page.ts'
import type { PagePool } from '../../../engine/database/page-pool.ts'
import { headerOfNewLog } from '../../../engine/database/prepared-log.ts'
import { applyRecord, type RedoLog } from '../../../engine/database/record-apply.ts'
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

/** What a world begins with; where a crash left off, the next generation and the highest dbtime of its pages. */
interface WorldStart {
  readonly seed: number
  /** Pages that are in memory at once. */
  readonly capacity: number
  readonly generation?: number
  readonly dbtime?: number
}

/** A log to be redone; one that a crash has cut ends earlier. */
export interface ReplayedLog extends RedoLog {
  readonly header: LogHeader
  readonly end: number
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
  /** Whether a page can be made; it can again as soon as one was thrown out. */
  hasMemory = true
  readonly #resident = new Map<number, Page>()
  readonly #capacity: number
  readonly #firstGeneration: number

  constructor({ seed, capacity, generation = 1, dbtime = 0 }: WorldStart) {
    this.dice = new Dice(seed)
    this.#capacity = capacity
    this.#firstGeneration = generation
    const redo = openRedo({ pool: this, databaseId: 1, pageBytes: WORLD_PAGE_BYTES })
    this.writer = new ChangeWriter({ redo, log: this.#nextLog(), dbtime })
  }

  find(number: number): Page | null {
    return this.#resident.get(number) ?? null
  }

  make(number: number): Page | null {
    const present = this.#resident.get(number)
    if (present !== undefined) return present
    if (!this.hasMemory || this.#resident.size >= this.#capacity) return null
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
      if (!isBlocked(answer)) return answer as Exclude<Answer, Blocked> // just seen to be none
      this.supply(answer)
    }
    throw new Error('a step is made within many tries')
  }

  /** Gets what a step lacks, as the owner of a store does. */
  supply(blocked: Blocked): void {
    if (blocked.kind === 'page-needed') this.#read(blocked.page)
    else if (blocked.kind === 'log-full') this.roll()
    else this.#throwOne()
    if (this.dice.below(20) === 0) this.#log().seal()
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

  /** Bytes that the open log has room for. */
  get room(): number {
    return this.#log().room
  }

  /** A page as it is now. */
  pageNow(number: number): Page {
    return openPage((this.find(number)?.bytes ?? this.disk.get(number) ?? new Uint8Array(WORLD_PAGE_BYTES)).slice())
  }

  /** Throws every page out of memory. */
  throwAll(): void {
    while (this.#resident.size > 0) this.#throwOne()
  }

  /** Throws one page out of memory. */
  throwOut(number: number): void {
    this.disk.set(number, this.#resident.get(number)?.bytes ?? new Uint8Array(WORLD_PAGE_BYTES))
    this.#resident.delete(number)
    this.hasMemory = true
  }

  #log(): LogBuffer {
    const log = this.logs.at(-1)
    if (log === undefined) throw new Error('a log is open')
    return log
  }

  #nextLog(): LogBuffer {
    const layout = { sizeBytes: LOG_BYTES, update: 12 }
    const log = new LogBuffer(headerOfNewLog(place(this.#firstGeneration + this.logs.length), layout))
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
    this.throwOut(numbers[this.dice.below(numbers.length)] ?? 0)
  }
}

/** Redoes logs on pages that are there already or else made of zeros; `note` is told of each record. */
export function replayLogs(
  logs: readonly ReplayedLog[],
  pool: PagesInMemory,
  note: (log: RedoLog, record: LogRecord) => void = () => {},
): void {
  const redo = openRedo({ pool, databaseId: 1, pageBytes: WORLD_PAGE_BYTES })
  for (const buffer of logs) {
    const cursor = openRecords(buffer.log, buffer.header, buffer.end)
    while (cursor.next()) {
      let step = applyRecord(redo, buffer, cursor)
      for (; step.kind === 'page-needed'; step = applyRecord(redo, buffer, cursor)) pool.read(step.page)
      if (step.kind === 'fault') throw new Error(JSON.stringify({ step, at: positionOf(buffer.header, cursor.at) }))
      note(buffer, cursor)
    }
  }
}

/** The positions of all records. */
export function recordPositions(logs: readonly ReplayedLog[]): LogPosition[] {
  const positions: LogPosition[] = []
  for (const { log, header, end } of logs) {
    const cursor = openRecords(log, header, end)
    while (cursor.next()) positions.push(positionOf(header, cursor.at))
  }
  return positions
}

/** The logs as a crash leaves them that cuts them at a position. */
export function cutLogs(logs: readonly ReplayedLog[], cut: LogPosition): ReplayedLog[] {
  return logs
    .filter(({ header }) => header.generation <= cut.generation)
    .map(({ log, header, end }) => {
      const cutAt = cut.sector * header.sectorBytes + cut.byte
      return { log, header, end: header.generation === cut.generation ? cutAt : end }
    })
}

/** Pages of any earlier moments that write-ahead allows when the log ends at `until`: each of its own, or none yet. */
export function earlierPages(
  versions: readonly PageVersion[],
  dice: Dice,
  until: LogPosition | null = null,
): PagesInMemory {
  const pool = new PagesInMemory(WORLD_PAGE_BYTES)
  const byPage = new Map<number, PageVersion[]>()
  for (const version of versions) {
    if (until !== null && comparePositions(version.end, until) > 0) continue
    byPage.set(version.page, [...(byPage.get(version.page) ?? []), version])
  }
  for (const [number, own] of byPage) {
    const chosen = own[dice.below(own.length + 1)]
    if (chosen !== undefined) pool.read(number).bytes.set(chosen.bytes)
  }
  return pool
}
