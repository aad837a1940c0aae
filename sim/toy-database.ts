import type { DatabaseProgress } from '../engine/fact.ts'
import {
  asGeneration,
  type Generation,
  higherOf,
  NO_GENERATION,
  nextGeneration,
  previousGeneration,
} from '../engine/generation.ts'
import type { SeedImage } from './seed-pages.ts'
import type { ToyLog } from './toy-log.ts'

/** What the next replays of a story or a fault meet: an error of the engine, so many times. */
export interface ToyReplayError {
  readonly eseError: number
  readonly message: string
  readonly times: number
}

const FIRST = asGeneration(1)

/**
 * The database of a copy in the toy world: a number instead of pages. The content is what a chain of logs has left; some of it
 * is in the file, the rest in memory, and the header says which logs bring it back after a crash.
 */
export class ToyDatabase {
  /** Whether somebody has it open; what is in memory lives as long. */
  isOpen = false
  /** The file is gone: whoever has it open does not notice, and the next opening makes a new one. */
  isLost = false
  /** What the next replays meet; null for nothing. */
  error: ToyReplayError | null = null
  /** Durable: the first log that recovery needs, and the last whose changes may be in the file. */
  header: { readonly low: Generation; readonly high: Generation } = { low: FIRST, high: NO_GENERATION }
  /** Durable: the logs whose changes are all in the file. */
  #filed: Generation = NO_GENERATION
  /** The logs whose changes are in memory or in the file. */
  #content: Generation = NO_GENERATION
  #replayed: Generation = NO_GENERATION
  #logTimeMs = 0
  /** Whether the file is a part of a database only, which nobody may open. */
  isHalf = false
  /** Create times of the logs in it, as far as it was not brought with them. */
  readonly #history = new Map<Generation, string>()
  /** Create times of the logs whose changes some pages of a seeded file may have already. */
  #inPages: ReadonlyMap<Generation, string> = new Map()

  /** The logs whose changes are really there, whatever anybody says. */
  get content(): Generation {
    return this.#content
  }

  /** What the owner of the database knows of it. */
  get progress(): DatabaseProgress {
    const { low, high } = this.header
    return { replayedThrough: this.#replayed, logTimeMs: this.#logTimeMs, requiredLow: low, requiredHigh: high }
  }

  /** Opens it, or makes it anew; what the header says is believed. */
  open(): void {
    if (this.isOpen) return
    if (this.isLost) this.bring(NO_GENERATION)
    this.isOpen = true
    this.#content = this.#filed
    this.#replayed = previousGeneration(this.header.low)
    this.#logTimeMs = 0
  }

  /** Pages of these logs may reach the file from now on. */
  expect(last: Generation): void {
    this.header = { ...this.header, high: higherOf(this.header.high, last) }
  }

  /** Redoes one log. What is there already stays as it is. */
  redo({ generation, identity, logTimeMs }: ToyLog): void {
    this.#content = higherOf(this.#content, generation)
    this.#replayed = generation
    this.#logTimeMs = logTimeMs
    this.#history.set(generation, identity.createTime)
  }

  /** Whether a log goes on with the history that is in the pages: another one finds other pages than it was made for. */
  continues({ generation, identity }: ToyLog): boolean {
    const before = this.#history.get(previousGeneration(generation))
    const inPages = this.#inPages.get(generation)
    if (inPages !== undefined && inPages !== identity.createTime) return false
    return before === undefined || before === identity.previousCreateTime
  }

  /** Whether the pages have changes of another log of its generation. */
  contradicts({ generation, identity }: ToyLog): boolean {
    return generation <= this.#content && (this.#history.get(generation) ?? identity.createTime) !== identity.createTime
  }

  /** The first log of which the pages have the changes although it is not among the true ones; null where there is none. */
  firstUntrue(truth: ReadonlyMap<Generation, ToyLog>): Generation | null {
    const isUntrue = ([log, createTime]: readonly [Generation, string]): boolean =>
      createTime !== truth.get(log)?.identity.createTime
    const untrue = [...this.#history, ...this.#inPages].filter(isUntrue).map(([log]) => log)
    return untrue.sort((a, b) => a - b)[0] ?? null
  }

  /** Writes pages to the file, all but those of the newest `lag` logs, then the header that needs fewer logs. */
  checkpoint(lag: number, isFlushed = true): void {
    const filed = asGeneration(Math.max(this.#filed, this.#replayed - lag))
    if (isFlushed) this.#filed = filed
    this.header = { low: higherOf(this.header.low, nextGeneration(filed)), high: higherOf(this.header.high, filed) }
  }

  /** The process ended, or the file was closed in the middle: what was in memory only is lost. */
  close(): void {
    this.isOpen = false
    this.#content = this.#filed
    for (const generation of [...this.#history.keys()]) if (generation > this.#filed) this.#history.delete(generation)
  }

  /** Somebody puts another file in its place, which holds everything through this log; 0 for an empty one. */
  bring(through: Generation): void {
    this.#exchange()
    this.header = { low: nextGeneration(through), high: through }
    this.#filed = through
    this.#content = through
    this.#replayed = through
  }

  /** A database whose pages are of many moments is put into its place: it was read page by page while its active went on, or was that of an active. */
  bringSeed({ low, high, filed, createTimes }: SeedImage): void {
    this.#exchange()
    this.header = { low, high }
    this.#filed = filed
    this.#content = filed
    this.#replayed = previousGeneration(low)
    this.#inPages = createTimes
    for (const [generation, createTime] of createTimes) if (generation < low) this.#history.set(generation, createTime)
  }

  /** The first pages of one are put into its place, by a careless seed. */
  bringHalf(low: Generation): void {
    this.bring(previousGeneration(low))
    this.isHalf = true
  }

  #exchange(): void {
    this.isOpen = false
    this.isLost = false
    this.isHalf = false
    this.error = null
    this.#logTimeMs = 0
    this.#history.clear()
    this.#inPages = new Map()
  }

  /** The error that a replay meets now, or null; one of several times is used up. */
  meetError(): ToyReplayError | null {
    const { error } = this
    if (error === null) return null
    this.error = error.times > 1 ? { ...error, times: error.times - 1 } : null
    return error
  }
}
