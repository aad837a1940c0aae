import { type LiveName, liveNames } from '../../engine/scenario/sight.ts'
import type { ScenarioMode } from '../../engine/scenario/step.ts'

/** Names that steps give, for the steps below them. */
interface GivenNames {
  readonly numbers: Set<string>
  /** In which modes there is a set of the name; null for both. */
  readonly sets: Map<string, Set<ScenarioMode | null>>
}

/** What names mean at one place of a scenario: those of the world, and those that were given above it. */
export class Scope {
  /** `copy1` and so on. */
  readonly copies: readonly string[]
  /** What can be looked at. */
  readonly live: ReadonlyMap<string, LiveName>
  /** The mode of the block that is being read; null outside of one. */
  readonly only: ScenarioMode | null
  readonly #given: GivenNames

  constructor(
    copies: number,
    only: ScenarioMode | null = null,
    given: GivenNames = { numbers: new Set(), sets: new Map() },
  ) {
    this.copies = Array.from({ length: copies }, (_, index) => `copy${index + 1}`)
    this.live = liveNames(copies)
    this.only = only
    this.#given = given
  }

  /** A name that stands for a number from here on. */
  bind(name: string): void {
    this.#given.numbers.add(name)
  }

  /** A name that stands for the set of a backup from here on. */
  nameSet(name: string): void {
    this.#given.sets.set(name, new Set(this.#given.sets.get(name)).add(this.only))
  }

  /** Whether a set of the same run has the name. */
  isSet(name: string): boolean {
    const modes = this.#given.sets.get(name)
    return modes !== undefined && (this.only === null || modes.has(null) || modes.has(this.only))
  }

  /** The sets that have a name. */
  get sets(): readonly string[] {
    return [...this.#given.sets.keys()]
  }

  /** Whether a formula may say this name. */
  isNumber(name: string): boolean {
    return this.#given.numbers.has(name) || this.live.get(name)?.kind === 'number'
  }

  /** All names that a formula may say. */
  numberNames(): readonly string[] {
    return [...this.#given.numbers, ...[...this.live.keys()].filter((name) => this.isNumber(name))]
  }

  /** The scope of a block that holds in one mode only. Names that are given in it stay known behind it. */
  within(only: ScenarioMode): Scope {
    return new Scope(this.copies.length, only, this.#given)
  }
}
