import {
  asGeneration,
  type Generation,
  higherOf,
  lowerOf,
  NO_GENERATION,
  nextGeneration,
  previousGeneration,
} from '../engine/generation.ts'
import type { Core } from './core.ts'
import type { SeedImage } from './seed-pages.ts'
import type { SourceNode } from './source-node.ts'
import { type ToyLog, trueLog } from './toy-log.ts'

/** Between the closing of a log and the moment when the database file has the changes of older ones, in milliseconds. */
const WRITE_MS = 40
/** After so long without a log everything is written, in milliseconds: the store is idle. */
const IDLE_MS = 2_000

/** The database of a toy active: its checkpoint follows the newest closed log so many logs behind, and comes up to it in quiet times. */
export class ToyActive {
  readonly #core: Core
  readonly #source: SourceNode
  readonly #lagLogs: number
  #newest: Generation = asGeneration(0)
  #exchanges = 0

  constructor(core: Core, source: SourceNode, lagLogs: number) {
    this.#core = core
    this.#source = source
    this.#lagLogs = lagLogs
    source.disk.required = asGeneration(1)
  }

  /** The store has closed a log. */
  closed(generation: Generation): void {
    this.#newest = higherOf(this.#newest, generation)
    const newest = this.#newest
    const exchanges = this.#exchanges
    this.#core.after(WRITE_MS, () => {
      // What was planned for the database before another took its place is nothing for that one.
      if (this.#exchanges === exchanges) this.#checkpoint(asGeneration(Math.max(1, newest + 1 - this.#lagLogs)))
    })
    if (this.#core.scenario.idles === false) return
    this.#core.after(IDLE_MS, () => {
      if (this.#newest === newest && this.#exchanges === exchanges) this.#checkpoint(nextGeneration(newest))
    })
  }

  /** Another database is in its place, which needs every log that is here. */
  restored(through: Generation): void {
    this.exchanged(through)
    const { disk } = this.#source
    disk.required = disk.lowest === NO_GENERATION ? through : lowerOf(disk.lowest, through)
  }

  /** Another database is in its place, whose header lies on the disk already. */
  exchanged(newest: Generation): void {
    this.#newest = newest
    this.#exchanges++
  }

  /**
   * The database as its node leaves it. Lost log resilience keeps the newest logs out of the file, the open one among them; one that was
   * dismounted in order has everything.
   */
  left(truth: ReadonlyMap<Generation, ToyLog>, isDismounted: boolean): SeedImage {
    const { stream, required, requiredHigh } = this.#source.disk
    const newest = this.#newest
    const low = isDismounted ? nextGeneration(newest) : (required ?? nextGeneration(newest))
    const filed = previousGeneration(low)
    const high = isDismounted ? newest : higherOf(higherOf(requiredHigh, filed), this.#waypoint)
    const createTimes = new Map([...truth].map(([generation, { identity }]) => [generation, identity.createTime]))
    const open = trueLog(nextGeneration(newest), 0, { stream, previous: truth.get(newest) })
    createTimes.set(open.generation, open.identity.createTime)
    for (const generation of createTimes.keys()) if (generation > high) createTimes.delete(generation)
    return { low, high, filed, createTimes }
  }

  /** The last log of which changes may be written to the file. */
  get #waypoint(): Generation {
    const { lostLogDepth = 1 } = this.#core.scenario
    return asGeneration(Math.max(0, this.#newest + 1 - lostLogDepth))
  }

  /** The header says so, durably: it never goes back, and never beyond what may be written. */
  #checkpoint(wanted: Generation): void {
    const { disk } = this.#source
    const required = lowerOf(wanted, nextGeneration(this.#waypoint))
    if (required <= (disk.required ?? 0)) return
    disk.required = required
    this.#source.checkpointed(required)
  }
}
