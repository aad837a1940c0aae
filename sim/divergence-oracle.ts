import { type Generation, higherOf, NO_GENERATION, previousGeneration } from '../engine/generation.ts'
import type { ReplicaOrder } from '../engine/order.ts'
import type { ReplicaState } from '../engine/replication/replica-state.ts'
import type { Core } from './core.ts'
import type { CopySight } from './ports.ts'
import type { SourceDisk } from './source-disk.ts'
import type { ToyDatabase } from './toy-database.ts'
import type { TrueLogs } from './true-logs.ts'

/** A log that is set aside, with those from `first` on. */
export interface StrayLog {
  readonly generation: Generation
  readonly first: Generation
}

/** A step of a copy, in which it may have said that it has diverged. */
interface FoundStep {
  readonly before: ReplicaState
  readonly orders: readonly ReplicaOrder[]
}

/** I14, I31: sees which logs copies give up, and when they say that they have diverged. */
export class DivergenceOracle {
  readonly #core: Core
  readonly #logs: TrueLogs
  #source: SourceDisk | null = null

  constructor(core: Core, logs: TrueLogs) {
    this.#core = core
    this.#logs = logs
  }

  /** Lets the oracle see the source's disk. */
  watchSource(disk: SourceDisk): void {
    this.#source = disk
  }

  /**
   * I14: a copy gives up only logs that its source does not have, but for those above a gap, which never counted. Whether its database may
   * have them, the oracle of databases sees.
   */
  strays({ copyId, logs }: CopySight, { generation, first }: StrayLog): void {
    if (!this.#logs.isTrue(logs.get(generation)?.log) || !this.#isSourceTrue()) return
    for (let below = generation; below >= first; below = previousGeneration(below))
      if (logs.get(below) === undefined) return
    this.#core.fail('I14 divergence', `${copyId} sets log ${generation} aside, which its source has`)
  }

  /** I14: the database of a copy that takes the place of the active has what its logs say, and nothing else. */
  mounts(copyId: string, database: ToyDatabase | null): void {
    const untrue = database?.firstUntrue(this.#logs.now) ?? null
    if (untrue !== null) this.#core.fail('I14 divergence', `${copyId} is mounted and has another log ${untrue}`)
  }

  /** I31: where roles change, no log is redone into a database with another history, also where the engine of the database sees it. */
  misses({ copyId }: CopySight, generation: Generation): void {
    if (this.#source?.takenOver != null)
      this.#core.fail('I31 divergence is seen', `${copyId} redoes log ${generation} into the pages of another one`)
  }

  /**
   * I31: after a change of roles a copy says that it has diverged when the new active has closed a log of which the copy has another one, or
   * its database, and not before. And it calls for a seed only where the database has something of such a log, or no lower one can be compared.
   */
  found(sight: CopySight, { before, orders }: FoundStep): void {
    const isSaid = orders.some((order) => order.kind === 'raise-event' && (order.id === 2058 || order.id === 9030))
    const { state } = sight
    if (!isSaid || this.#source?.takenOver == null || state.stream !== null) return
    if (isUntellable({ ...state, stream: before.stream })) return
    const first = this.#firstOther(sight)
    const inPages = sight.database?.firstUntrue(this.#logs.now) ?? null
    if (first === null && (inPages === null || !this.#logs.now.has(inPages)))
      this.#core.fail('I31 divergence is seen', `${sight.copyId} has diverged, and its source has closed no other log`)
    const needsSeed = state.failure?.kind === 'permanent'
    if (first !== null && inPages === null && needsSeed && this.#isReparable(sight, first))
      this.#core.fail(
        'I31 divergence is seen',
        `${sight.copyId} is to be seeded, its database has nothing of log ${first}`,
      )
  }

  /** The first log of a copy that is another one than that of its source. */
  #firstOther({ logs }: CopySight): Generation | null {
    for (const generation of this.#logs.now.keys()) {
      const log = logs.get(generation)?.log
      if (log !== undefined && !this.#logs.isTrue(log)) return generation
    }
    return null
  }

  #isReparable({ database, logs }: CopySight, first: Generation): boolean {
    if (database === null) return false
    const below = previousGeneration(first)
    const isComparable = this.#source?.logs.get(below) !== undefined && this.#logs.isTrue(logs.get(below)?.log)
    const { header, content } = database
    return isComparable && higherOf(header.high, content) < first && header.low <= first
  }

  /** Where a log of the source was changed, nobody can tell from it whether a copy has diverged. */
  #isSourceTrue(): boolean {
    const logs = this.#source?.logs
    const names = logs?.sortedNames() ?? []
    const { rates } = this.#core.scenario
    return rates['rest-flip'] === 0 && names.every((name) => this.#logs.isTrue(logs?.get(name)?.log))
  }
}

/**
 * By its header the database may have changes of logs that are not here and that the source has not, as far as it knows what both share. Whether
 * it has them, nobody but this world can tell.
 */
function isUntellable({ announcement, stream, inspected, database }: ReplicaState): boolean {
  const { takenOver } = announcement
  if (takenOver === undefined || database === null || isSilent(announcement)) return false
  const { requiredLow, requiredHigh } = database.progress
  const filed = higherOf(requiredHigh, previousGeneration(requiredLow))
  const shared = takenOver.shares.find((known) => known.stream === stream)?.through ?? NO_GENERATION
  return filed > inspected && filed > shared
}

function isSilent({ takenOver, generated }: ReplicaState['announcement']): boolean {
  return generated <= (takenOver?.after ?? NO_GENERATION)
}
