import { type LiveName, liveNames } from '../../engine/scenario/sight.ts'
import type { ScenarioMode } from '../../engine/scenario/step.ts'

/** What names mean at one place of a scenario: those of the world, and those that were given above it. */
export class Scope {
  /** `copy1` and so on. */
  readonly copies: readonly string[]
  /** What can be looked at. */
  readonly live: ReadonlyMap<string, LiveName>
  /** The mode of the block that is being read; null outside of one. */
  readonly only: ScenarioMode | null
  readonly #bound: Set<string>

  constructor(copies: number, only: ScenarioMode | null = null, bound: Set<string> = new Set()) {
    this.copies = Array.from({ length: copies }, (_, index) => `copy${index + 1}`)
    this.live = liveNames(copies)
    this.only = only
    this.#bound = bound
  }

  /** A name that stands for a number from here on. */
  bind(name: string): void {
    this.#bound.add(name)
  }

  /** Whether a formula may say this name. */
  isNumber(name: string): boolean {
    return this.#bound.has(name) || this.live.get(name)?.kind === 'number'
  }

  /** All names that a formula may say. */
  numberNames(): readonly string[] {
    return [...this.#bound, ...[...this.live.keys()].filter((name) => this.isNumber(name))]
  }

  /** The scope of a block that holds in one mode only. What is bound in it stays bound behind it. */
  within(only: ScenarioMode): Scope {
    return new Scope(this.copies.length, only, this.#bound)
  }
}
