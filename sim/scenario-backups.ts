import { ERROR_CODES, type ErrorCode } from '../engine/error.ts'
import { asGeneration } from '../engine/generation.ts'
import { type Act, type ActRefusal, type BackupAct, eseErrorIn } from '../engine/scenario/step.ts'
import type { BackupTool } from './backup-tool.ts'
import type { CopyNode } from './copy-node.ts'
import type { World } from './world.ts'

/** What {@link ScenarioBackups} work with. */
export interface ScenarioBackupsParts {
  readonly world: World
  readonly tool: BackupTool
  /** Lets the world go on, in milliseconds. */
  readonly pass: (ms: number) => void
}

/** What an operator waits for an answer, in milliseconds. */
export const ANSWER_MS_MAX = 10_000

/** The backups of a scenario in the toy world, and the sets that they leave. */
export class ScenarioBackups {
  readonly #parts: ScenarioBackupsParts
  /** The last log of each set that has a name. */
  readonly #sets = new Map<string, number>()

  constructor(parts: ScenarioBackupsParts) {
    this.#parts = parts
  }

  /** Has a backup taken, and runs until the tool has ended. */
  backUp({ scope, method, of, to, outcome }: BackupAct): ActRefusal | null {
    const { world, tool } = this.#parts
    const copy = of === 'active' ? null : copyOf(world, of)
    if (!world.source.isUp || copy?.isUp === false) return refused('NODE_UNREACHABLE', 'the node is down')
    if (copy !== null && method === 'streaming')
      return refused('STATE_REFUSED', 'a passive copy is backed up as a snapshot only')
    tool.take({ scope, method, copy, ending: outcome })
    const refusal = this.#untilEnded()
    if (refusal !== null) return refusal
    if (outcome === 'completed' && to !== null) this.#sets.set(to, world.source.state.backups[scope]?.range.last ?? 0)
    const meant = { completed: 'completed', aborted: 'aborted', vanished: 'the tool has vanished' }[outcome]
    return tool.outcome === meant ? null : refused('STATE_REFUSED', tool.outcome)
  }

  /** A restore waits until the source is at rest. Rolled forward to the newest log, no log changes. */
  restore({ from, pointInTime }: Extract<Act<number>, { kind: 'restore' }>): ActRefusal | null {
    const { world, pass } = this.#parts
    const { core, source } = world
    const through = asGeneration(this.#sets.get(from.at(-1) ?? '') ?? 0)
    if (!source.isUp) return refused('NODE_UNREACHABLE', 'the active is down')
    if (!pointInTime || through >= world.generated) return null
    const givesUpMs = core.nowMs + ANSWER_MS_MAX
    while (!world.restore(through))
      if (core.nowMs < givesUpMs) pass(1)
      else return refused('STATE_REFUSED', 'the active is not at rest')
    return null
  }

  /** Runs until the tool has done what it was asked for, and tells what the source refused of it. */
  #untilEnded(): ActRefusal | null {
    const { world, tool, pass } = this.#parts
    const givesUpMs = world.core.nowMs + ANSWER_MS_MAX
    while (tool.outcome === 'under way' && world.core.nowMs < givesUpMs) pass(1)
    const { refusal } = tool
    if (refusal !== null) return refused(refusal.code, refusal.message, refusal.eseError)
    return tool.outcome === 'under way' ? refused('WAIT_TIMED_OUT', 'the backup has not ended') : null
  }
}

/** A copy by its name in the scenario. */
export function copyOf({ copies }: World, name: string): CopyNode {
  const copy = copies.find(({ label }) => label === name)
  if (copy === undefined) throw new Error(`the world has no ${name}`)
  return copy
}

/** An act that is refused, as the product would refuse it. */
export function refused(code: ErrorCode, message: string, eseError: number = eseErrorIn(message)): ActRefusal {
  return { code, eseError, message, exit: ERROR_CODES[code].exit }
}
