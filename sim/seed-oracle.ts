import { type Generation, nextGeneration } from '../engine/generation.ts'
import type { Core } from './core.ts'
import type { CopySight } from './ports.ts'
import type { SeedImage } from './seed-pages.ts'
import type { ToyLog } from './toy-log.ts'

/** I30: sees the seeds. A database is exchanged whole, on a suspended copy, and for one whose logs can still be had. */
export class SeedOracle {
  readonly #core: Core
  /** Whether the source has truncated a log. */
  readonly #isGone: (generation: Generation) => boolean
  readonly #underWay = new Set<string>()

  constructor(core: Core, isGone: (generation: Generation) => boolean) {
    this.#core = core
    this.#isGone = isGone
  }

  /** The files of a copy are its seed's from now on. */
  begun(copyId: string): void {
    this.#underWay.add(copyId)
  }

  /** They are the copy's again. */
  over(copyId: string): void {
    this.#underWay.delete(copyId)
  }

  /** Whether a seed has the files of a copy. */
  isUnderWay(copyId: string): boolean {
    return this.#underWay.has(copyId)
  }

  /** A seed touches the files of a copy. */
  touches({ copyId, state, database }: CopySight): void {
    if (!this.isUnderWay(copyId)) this.#core.fail('I30 seed', `a seed touches ${copyId}, which has not let it begin`)
    if (state.suspension === null) this.#core.fail('I30 seed', `a seed touches ${copyId}, which is not suspended`)
    if (database === null) this.#core.fail('I30 seed', `${copyId} has no database that could be seeded`)
  }

  /** A new database lies in its place: its source has what it needs. */
  published({ copyId }: CopySight, { low, high }: SeedImage): void {
    for (let g = low; g <= high; g = nextGeneration(g))
      if (this.#isGone(g))
        this.#core.fail('I30 seed', `the database of ${copyId} needs log ${g}, which its source has truncated`)
  }

  /** Somebody opens a database: never a part of one. */
  opens({ copyId, database }: CopySight): void {
    if (database?.isHalf === true) this.#core.fail('I30 seed', `half a seed is opened as the database of ${copyId}`)
  }

  /** In the end a database has what the logs say, and nothing else. */
  checkHistory({ copyId, database }: CopySight, truth: ReadonlyMap<Generation, ToyLog>): void {
    const generation = database?.firstUntrue(truth) ?? null
    if (generation !== null)
      this.#core.fail('I30 seed', `the database of ${copyId} has another log ${generation} than its source`)
  }
}
