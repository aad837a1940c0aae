import {
  asGeneration,
  type Generation,
  higherOf,
  lowerOf,
  NO_GENERATION,
  nextGeneration,
} from '../engine/generation.ts'
import type { Core } from './core.ts'
import type { SourceNode } from './source-node.ts'

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
  #restores = 0

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
    const restores = this.#restores
    this.#core.after(WRITE_MS, () => {
      // What was planned for the database before a restore is nothing for the one after it.
      if (this.#restores === restores) this.#checkpoint(asGeneration(Math.max(1, newest + 1 - this.#lagLogs)))
    })
    if (this.#core.scenario.idles === false) return
    this.#core.after(IDLE_MS, () => {
      if (this.#newest === newest && this.#restores === restores) this.#checkpoint(nextGeneration(newest))
    })
  }

  /** Another database is in its place, which needs every log that is here. */
  restored(through: Generation): void {
    this.#newest = through
    this.#restores++
    const { disk } = this.#source
    disk.required = disk.lowest === NO_GENERATION ? through : lowerOf(disk.lowest, through)
  }

  /** The header says so, durably: it never goes back. */
  #checkpoint(required: Generation): void {
    const { disk } = this.#source
    if (required <= (disk.required ?? 0)) return
    disk.required = required
    this.#source.checkpointed(required)
  }
}
