import type { BackupScope } from '../engine/database/backup-slot.ts'
import { type Generation, type GenerationRange, higherOf, NO_GENERATION } from '../engine/generation.ts'
import type { Core } from './core.ts'

/** A set that a tool has written: what it brings back, whatever the source says of it. */
export interface ToySet {
  readonly scope: BackupScope
  /** Logs that are in the set, both ends included. */
  readonly range: GenerationRange
}

/**
 * Keeps the sets that a backup tool has written, and says what a restore of them brings back. Deliberately dumb: the newest full set brings
 * everything through its last log; each incremental one that begins no later than behind that goes on from there.
 */
export class BackupOracle {
  readonly #core: Core
  #sets: ToySet[] = []
  /** Logs that the tool of a backup under way still has to read, by the number of its session. */
  readonly #needs = new Map<number, Generation>()
  /** Sets that are whole, and whose backup the source has not recorded yet, by the number of its session. */
  readonly #written = new Map<number, ToySet>()
  /** What other products say that they have. */
  #marked: Generation = NO_GENERATION

  constructor(core: Core) {
    this.#core = core
  }

  /** A tool has begun to read, and needs the logs from here on until it has ended. */
  begun(session: number, from: Generation): void {
    this.#needs.set(session, from)
  }

  /** The tool has given up, or was told that its backup is no more. */
  ended(session: number): void {
    this.#needs.delete(session)
    this.#written.delete(session)
  }

  /** The source has died, and has forgotten what was under way. */
  forget(): void {
    this.#needs.clear()
    this.#written.clear()
  }

  /** The logs were restored: what any set has of them is of another stream. */
  restored(): void {
    this.forget()
    this.#sets = []
    this.#marked = NO_GENERATION
  }

  /** A set is whole; it counts when the source has recorded its backup. */
  written(session: number, set: ToySet): void {
    this.#written.set(session, set)
  }

  /** The source has recorded a backup, durably. */
  recorded(session: number): void {
    const set = this.#written.get(session)
    if (set === undefined) this.#core.fail('I17 backups', `backup ${session} is recorded, and its set is not whole`)
    else this.#sets.push(set)
    this.ended(session)
  }

  /** Another product says that it has everything through a log. */
  marked(through: Generation): void {
    this.#marked = higherOf(this.#marked, through)
  }

  /** Everything through here comes back from the sets. */
  get covered(): Generation {
    let covered = NO_GENERATION
    for (const { scope, range } of this.#sets) {
      if (scope === 'full') covered = range.last
      if (scope === 'incremental' && range.first <= covered + 1) covered = higherOf(covered, range.last)
    }
    return covered
  }

  /** A log of the source is deleted: everything through it has to come back from the sets, or from another product's. */
  sourceUnlinks(generation: Generation): void {
    for (const [session, from] of this.#needs)
      if (generation >= from)
        this.#core.fail('I17 backups', `log ${generation} goes, backup ${session} needs the logs from ${from} on`)
    if (generation > this.covered && generation > this.#marked)
      this.#core.fail('I17 backups', `log ${generation} goes, a restore brings back what is through ${this.covered}`)
  }
}
