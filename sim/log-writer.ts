import type { Generation } from '../engine/generation.ts'
import { isSeeded } from './fault.ts'
import type { World } from './world.ts'

/** Shortest and longest pause between two bursts, in milliseconds. */
const PAUSE_MS_MIN = 20
const PAUSE_MS_SPREAD = 400
/** Longest burst, in logs. */
const BURST_LOGS_MAX = 8
/** How late a log closes behind the ones above it, in milliseconds, at most: beyond the grace that the source gives. */
const LATE_MS_MAX = 5_000

/** The program that fills the log directory: bursts, pauses, and now and then a log that closes behind a later one. */
export class LogWriter {
  readonly #world: World
  #next = 1
  /** Logs begun and not closed: numbers are taken in order, closing is not. */
  readonly #open = new Set<number>()

  constructor(world: World) {
    this.#world = world
  }

  /** Begins to write. */
  start(): void {
    const { source } = this.#world
    source.closeLog = () => {
      this.#close(this.#next++)
      return (this.#next - 1) as Generation // counted up from 1
    }
    this.#world.onRestored = (through) => this.#restored(through)
    this.#goOn()
  }

  /** Closes whatever is left, in order. For phase two. */
  finish(): void {
    const { scenario } = this.#world.core
    for (const generation of [...this.#open].sort((a, b) => a - b)) this.#close(generation)
    while (this.#next <= scenario.logs) this.#close(this.#next++)
  }

  /** What comes next follows the last log of the backup. */
  #restored(through: Generation): void {
    this.#next = through + 1
    this.#open.clear()
  }

  #goOn(): void {
    const { core } = this.#world
    core.after(PAUSE_MS_MIN + core.choices.below(PAUSE_MS_SPREAD), () => this.#burst())
  }

  #burst(): void {
    const { core, source } = this.#world
    if (!core.areFaultsOn) return
    // Only a restore or a failover gives numbers back.
    if (this.#next > core.scenario.logs) {
      if (isSeeded(core.scenario)) this.#goOn()
      return
    }
    // A writer whose disk is full or away waits, as a database does.
    const canWrite = !source.disk.isFull && !source.disk.isGone && !this.#world.isDismounted
    const logs = canWrite ? 1 + core.choices.below(BURST_LOGS_MAX) : 0
    for (let n = 0; n < logs && this.#next <= core.scenario.logs; n++) this.#write(this.#next++)
    this.#goOn()
  }

  #write(generation: number): void {
    const { core } = this.#world
    if (!core.strikes('late-closing')) {
      this.#close(generation)
      return
    }
    this.#open.add(generation)
    core.after(core.choices.below(LATE_MS_MAX), () => {
      if (this.#open.has(generation)) this.#close(generation)
    })
  }

  #close(generation: number): void {
    this.#open.delete(generation)
    this.#world.close(generation as Generation) // counted up from 1
  }
}
