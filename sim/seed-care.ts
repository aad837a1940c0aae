import { isOutdated } from '../engine/replication/divergence.ts'
import type { Operator } from './operator.ts'
import { isBeyondRepair } from './seed-tool.ts'
import type { World } from './world.ts'

/** A log is closed once in so many looks. */
const LOOKS_PER_LOG = 40
/** The same while a copy waits for logs that come with the traffic of a new active. */
const LOOKS_PER_AWAITED_LOG = 2

/**
 * Whoever looks after a world with seeds in the end: what does not heal by itself is suspended and looked at again, and what that does not
 * heal is seeded, by the product itself.
 */
export class SeedCare {
  readonly #world: World
  readonly #operator: Operator
  #looks = 0

  constructor(world: World, operator: Operator) {
    this.#world = world
    this.#operator = operator
  }

  /** Looks at every copy that still counts, and begins what helps next. */
  look(): void {
    const { seeds } = this.#operator
    const { disabled } = this.#world.source.disk
    // Traffic shows whether a copy belongs to its source; one without logs that needs the next one has nothing to copy before.
    const { copies, generated } = this.#world
    const isAwaited = copies.some(({ state }) => state.inspected > generated)
    if (++this.#looks % (isAwaited ? LOOKS_PER_AWAITED_LOG : LOOKS_PER_LOG) === 0) this.#world.source.closeLog()
    for (const copy of this.#world.copies) {
      if (!copy.isUp || disabled.includes(copy.copyId) || seeds.isUnderWay(copy)) continue
      const isBad = isBeyondRepair(copy)
      if (copy.state.suspension === null) {
        if (isBad || isOutdated(copy.state) || this.#hasLostFiles(copy)) this.#operator.suspend(copy, 'repair')
      } else if (!isBad) this.#operator.resume(copy)
      else seeds.take({ copy, deleteExistingFiles: true, confirm: true, manualResume: false, ending: 'completed' })
    }
  }

  /** Only a new look at them tells a copy that its files were put back. */
  #hasLostFiles({ copyId, disk }: World['copies'][number]): boolean {
    if (this.#looks > 1) return false
    return disk.logs.sortedNames().some((generation) => this.#world.oracle.isExcused(copyId, generation))
  }
}
