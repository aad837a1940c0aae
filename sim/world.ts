import { type Generation, NO_GENERATION, nextGeneration, previousGeneration } from '../engine/generation.ts'
import type { Choices } from './choices.ts'
import { CopyNode } from './copy-node.ts'
import { Core } from './core.ts'
import type { Scenario } from './fault.ts'
import { Link, unreachable } from './link.ts'
import { Oracle } from './oracle.ts'
import { ENGINE_RULES, type Rules } from './rules.ts'
import { SourceNode } from './source-node.ts'
import { ToyActive } from './toy-active.ts'
import { type ToyLog, trueLog } from './toy-log.ts'

/** What a world is made of. */
export interface WorldParts {
  readonly scenario: Scenario
  readonly choices: Choices
  /** The engine's rules when absent. */
  readonly rules?: Rules
  /** Takes the lines of the trace; absent costs nothing. */
  readonly tell?: (line: string) => void
  /** False leaves the guarantees out, to measure speed alone. */
  readonly isGuarded?: boolean
}

/**
 * The toy world: one source with its writer, one to three copies with their links, an oracle that sees all of it. Virtual
 * time passes only from happening to happening, so hours cost what their happenings cost.
 */
export class World {
  readonly core: Core
  readonly oracle: Oracle
  readonly source: SourceNode
  readonly copies: readonly CopyNode[]
  readonly links: readonly Link[]
  readonly leftOut: Rules['leftOut']
  /** The database of the active; null where no mailbox store writes the logs. */
  readonly active: ToyActive | null
  /** The store of the active is dismounted, or its node is down: no log is closed. */
  isDismounted = false
  /** Told of each restore and change of roles with the last log that is left: set by whoever writes the logs. */
  onRestored: (through: Generation) => void = () => undefined
  /** Highest log that the writer has closed. */
  generated: Generation = NO_GENERATION

  constructor({ scenario, choices, rules = ENGINE_RULES, tell, isGuarded = true }: WorldParts) {
    const core = new Core(scenario, choices, tell ?? null)
    const oracle = new Oracle(core)
    this.core = core
    this.oracle = oracle
    this.leftOut = rules.leftOut
    this.source = new SourceNode({ core, oracle, step: rules.stepSource, isGuarded })
    this.source.closeLog = () => {
      this.close(nextGeneration(this.generated))
      return this.generated
    }
    oracle.watchSource(this.source.disk)
    this.active = scenario.activeLag === null ? null : new ToyActive(core, this.source, scenario.activeLag)
    this.copies = Array.from({ length: scenario.copies }, (_, index) => {
      const copyId = `copy${index + 1}`
      const standby = scenario.standby?.[index] ?? null
      const copy = new CopyNode({ core, oracle, rules, copyId, label: copyId, isGuarded, standby })
      oracle.watchCopy(copy)
      return copy
    })
    this.links = this.copies.map((copy) => this.#connect(copy))
  }

  /** Starts the source and every copy. */
  start(): void {
    this.source.start()
    for (const copy of this.copies) copy.start()
  }

  /** The writer closes this log; its true content is on record from now on. */
  close(generation: Generation): void {
    const previous = this.oracle.truth.get(previousGeneration(generation))
    const log = trueLog(generation, this.core.nowMs, { stream: this.source.disk.stream, previous })
    this.oracle.logs.closed(log)
    if (generation > this.generated) this.generated = generation
    this.source.disk.place(log)
    this.source.directoryChanged()
    this.active?.closed(generation)
  }

  /**
   * A backup is restored that ends with this log: the logs above it are gone, and the writer goes on with other ones. False where
   * the source is not at rest: a restore waits for that.
   */
  restore(through: Generation): boolean {
    const { source, oracle } = this
    const last = oracle.truth.get(through)
    if (last === undefined || !source.isAtRest) return false
    oracle.restored(through)
    this.generated = through
    this.onRestored(through)
    this.active?.restored(through)
    source.restored(last)
    return true
  }

  /** The node of a copy has become the active, with this newest log, and that of the active a copy in its place. */
  rolesChanged(copy: CopyNode, last: ToyLog, known: Parameters<Oracle['rolesChanged']>[2]): void {
    this.oracle.rolesChanged(copy, last, known)
    this.generated = last.generation
    this.onRestored(last.generation)
    this.active?.exchanged(last.generation)
  }

  /** Lets everything happen up to a virtual time, in milliseconds since the world began. False when a promise broke. */
  runUntil(atMs: number): boolean {
    const { core } = this
    while (core.violation === null && (core.nextMs ?? Number.POSITIVE_INFINITY) <= atMs) this.#advance()
    if (core.violation === null && core.nowMs < atMs) core.nowMs = atMs
    return core.violation === null
  }

  /** A broken rule of the program is a broken promise too: the run tells it instead of ending all runs. */
  #advance(): void {
    try {
      this.core.advance()
    } catch (error) {
      this.core.fail('assertion', error instanceof Error ? error.message : String(error))
    }
  }

  #connect(copy: CopyNode): Link {
    const link = new Link(this.core, this.source, copy)
    copy.plugIn(link)
    this.source.whenDead(() => link.break(unreachable('the source closed the connection')))
    copy.whenDead(() => link.break(unreachable('the copy is gone')))
    return link
  }
}
