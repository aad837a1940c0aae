import type { Refusal } from '../engine/order.ts'
import { mustBeSeeded } from '../engine/replication/copy-database.ts'
import type { CopyNode } from './copy-node.ts'
import { type SeedRequest, ToySeed } from './toy-seed.ts'
import type { World } from './world.ts'

/** Seeds copies: one seed of each at a time. A process that ends takes its seed with it. */
export class SeedTool {
  readonly #world: World
  /** Those that are not over: of one copy a second one may begin while the first only waits to let its source go on. */
  #seeds: readonly ToySeed[] = []
  #last: ToySeed | null = null

  constructor(world: World) {
    this.#world = world
    for (const copy of world.copies) copy.whenDead(() => this.#abandon(copy))
  }

  /** What became of the last seed, in words: `under way`, `held`, `completed`, or why it failed. */
  get outcome(): string {
    const last = this.#last
    if (last === null) return ''
    return last.isHeld ? 'held' : last.isOver ? last.outcome : 'under way'
  }

  /** Why the last seed was refused; null when it was not. */
  get refusal(): Refusal | null {
    return this.#last?.refusal ?? null
  }

  /** Seeds a copy. */
  take(request: SeedRequest): void {
    if (!request.copy.isUp) return
    const seed = new ToySeed(this.#world, request)
    this.#last = seed
    this.#seeds = [...this.#seeds.filter(({ isOver }) => !isOver), seed]
    seed.begin()
  }

  /** Whether a copy is being seeded. */
  isUnderWay(copy: CopyNode): boolean {
    return this.#seeds.some(({ isOver, request }) => !isOver && request.copy === copy)
  }

  /** Ends the seed that is held. Answers false where there is none. */
  release(outcome: 'completed' | 'aborted'): boolean {
    const held = this.#seeds.find(({ isHeld }) => isHeld)
    this.#last = held ?? this.#last
    if (outcome === 'completed') held?.release()
    else held?.giveUp()
    return held !== undefined
  }

  /** Gives up every seed that is under way. */
  giveUpAll(): void {
    for (const seed of this.#seeds) seed.giveUp()
  }

  #abandon(copy: CopyNode): void {
    for (const seed of this.#seeds) if (seed.request.copy === copy) seed.abandon()
  }
}

/** Whether nothing but a seed brings a copy forward: it has diverged, a log is irrecoverable or gone, or its database is bad. */
export function isBeyondRepair({ state, disk }: CopyNode): boolean {
  const { failure, database } = state
  const isBad = disk.database !== null && (disk.database.error !== null || disk.database.isLost)
  const isStuck = failure !== null && failure.kind !== 'transient'
  return isStuck || isBad || mustBeSeeded(database)
}
