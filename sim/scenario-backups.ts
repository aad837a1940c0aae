import { ERROR_CODES, type ErrorCode } from '../engine/error.ts'
import { type Generation, NO_GENERATION } from '../engine/generation.ts'
import { type Act, type ActRefusal, type BackupAct, eseErrorIn } from '../engine/scenario/step.ts'
import { whyNotDismount } from '../engine/source/backup-session.ts'
import { isRestorableVersion } from '../engine/source/restorable-version.ts'
import type { BackupTool } from './backup-tool.ts'
import type { CopyNode } from './copy-node.ts'
import type { World } from './world.ts'

/** What {@link ScenarioBackups} work with. */
export interface ScenarioBackupsParts {
  readonly world: World
  readonly tool: BackupTool
  /** Version of the product: `1.2.3`. */
  readonly product: string
  /** Lets the world go on, in milliseconds. */
  readonly pass: (ms: number) => void
}

/** A set that has a name. */
interface NamedSet {
  /** Its last log. */
  readonly through: Generation
  /** Version of the product that has made it. */
  readonly product: string
}

/** What an operator waits for an answer, in milliseconds. */
export const ANSWER_MS_MAX = 10_000

/** The backups of a scenario in the toy world, and the sets that they leave. */
export class ScenarioBackups {
  readonly #parts: ScenarioBackupsParts
  readonly #sets = new Map<string, NamedSet>()
  /** What becomes of the backup that is held. */
  #held: Pick<BackupAct, 'to' | 'scope'> = { to: null, scope: 'full' }

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
    if (tool.outcome !== (outcome === 'vanished' ? 'the tool has vanished' : outcome))
      return refused('STATE_REFUSED', tool.outcome)
    if (outcome === 'held') this.#held = { to, scope }
    if (outcome === 'completed' && to !== null) this.#keepSet(to, scope)
    return null
  }

  /** Ends the backup that is held, and runs until it has ended. */
  release(outcome: 'completed' | 'aborted'): ActRefusal | null {
    const { tool } = this.#parts
    const { to, scope } = this.#held
    if (!tool.release(outcome)) return refused('STATE_REFUSED', 'no backup is held')
    const refusal = this.#untilEnded()
    if (refusal !== null) return refusal
    if (tool.outcome !== outcome) return refused('STATE_REFUSED', tool.outcome)
    if (outcome === 'completed' && to !== null) this.#keepSet(to, scope)
    return null
  }

  /** Dismount-Database, as far as the toy world can: it is refused. */
  refuseDismount(): ActRefusal | null {
    const refusal = whyNotDismount(this.#parts.world.source.state.session)
    return refusal === null ? null : refused('STATE_REFUSED', refusal.why, refusal.error)
  }

  /** A restore waits until the source is at rest. Rolled forward to the newest log, no log changes. */
  restore({ from, pointInTime }: Extract<Act<number>, { kind: 'restore' }>): ActRefusal | null {
    const { world, pass, product } = this.#parts
    const { core, source } = world
    const sets = from.map((name) => this.#sets.get(name))
    if (!source.isUp) return refused('NODE_UNREACHABLE', 'the active is down')
    if (!sets.every((set) => set !== undefined)) return refused('BACKUP_REJECTED', 'there is no such set')
    const foreign = sets.find((set) => !isRestorableVersion(set.product, product))
    if (foreign !== undefined)
      return refused('BACKUP_REJECTED', `a set was made by version ${foreign.product}, this is ${product}`)
    const through = sets.at(-1)?.through ?? NO_GENERATION
    if (!pointInTime || through >= world.generated) return null
    const givesUpMs = core.nowMs + ANSWER_MS_MAX
    while (!world.restore(through))
      if (core.nowMs < givesUpMs) pass(1)
      else return refused('STATE_REFUSED', 'the active is not at rest')
    return null
  }

  /** A set says from now on that another version has made it. */
  age({ set: name, product }: Extract<Act<number>, { kind: 'age' }>): ActRefusal | null {
    const set = this.#sets.get(name)
    if (set === undefined) return refused('BACKUP_REJECTED', 'there is no such set')
    this.#sets.set(name, { ...set, product })
    return null
  }

  #keepSet(name: string, scope: BackupAct['scope']): void {
    const { world, product } = this.#parts
    const through = world.source.state.backups[scope]?.range.last ?? NO_GENERATION
    this.#sets.set(name, { through, product })
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
