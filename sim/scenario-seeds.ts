import type { Act, ActRefusal, SeedAct } from '../engine/scenario/step.ts'
import { ANSWER_MS_MAX, copyOf, refused } from './scenario-backups.ts'
import type { SeedTool } from './seed-tool.ts'
import type { World } from './world.ts'

/** What {@link ScenarioSeeds} work with. */
export interface ScenarioSeedsParts {
  readonly world: World
  readonly tool: SeedTool
  /** Lets the world go on, in milliseconds. */
  readonly pass: (ms: number) => void
}

/** As long as a seed may take, in milliseconds: its copy may not come to the logs that it needs. */
const SEEDED_MS_MAX = 4 * ANSWER_MS_MAX

/** The seeds of a scenario in the toy world. */
export class ScenarioSeeds {
  readonly #parts: ScenarioSeedsParts

  constructor(parts: ScenarioSeedsParts) {
    this.#parts = parts
  }

  /** Has a copy seeded, and runs until that is over or held. */
  seed({ copy: name, held, ...wishes }: SeedAct): ActRefusal | null {
    const { world, tool } = this.#parts
    const copy = copyOf(world, name)
    if (!copy.isUp) return refused('NODE_UNREACHABLE', 'the node is down')
    tool.take({ ...wishes, copy, ending: held ? 'held' : 'completed' })
    return this.#untilOver(held ? 'held' : 'completed')
  }

  /** Ends the seed that is held; undefined where there is none. */
  release(outcome: 'completed' | 'aborted'): ActRefusal | null | undefined {
    if (!this.#parts.tool.release(outcome)) return undefined
    const refusal = this.#untilOver('completed')
    return outcome === 'aborted' && this.#parts.tool.outcome !== 'completed' ? null : refusal
  }

  /** Somebody leaves a file among the logs of a copy, or removes it. */
  file({ change, file, on }: Extract<Act<number>, { kind: 'file' }>): void {
    const { leftovers } = copyOf(this.#parts.world, on).disk
    if (change === 'leave') leftovers.add(file)
    else leftovers.delete(file)
  }

  #untilOver(meant: 'held' | 'completed'): ActRefusal | null {
    const { world, tool, pass } = this.#parts
    const givesUpMs = world.core.nowMs + SEEDED_MS_MAX
    while (tool.outcome === 'under way' && world.core.nowMs < givesUpMs) pass(1)
    const { refusal, outcome } = tool
    if (refusal !== null) return refused(refusal.code, refusal.message, refusal.eseError)
    if (outcome === 'under way') return refused('WAIT_TIMED_OUT', 'the seed is not over')
    return outcome === meant ? null : refused('STATE_REFUSED', outcome)
  }
}
