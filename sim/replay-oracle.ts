import type { CopyReport } from '../engine/fact.ts'
import { type Generation, higherOf, NO_GENERATION } from '../engine/generation.ts'
import type { Core } from './core.ts'
import type { CopySight } from './ports.ts'
import { StandbyOracle } from './standby-oracle.ts'

/**
 * The part of the oracle that sees the databases: the true content of each, and what its header promises, whatever anybody
 * reports.
 */
export class ReplayOracle {
  /** Sees standby targets. */
  readonly standby: StandbyOracle
  readonly #core: Core
  /** The highest that a report of each copy has ever said of what is required. */
  readonly #reported = new Map<string, Generation>()
  /** Logs below are no longer owed to the database of a copy: a fault took it after it had said so. */
  readonly #forgiven = new Map<string, Generation>()

  constructor(core: Core) {
    this.#core = core
    this.standby = new StandbyOracle(core)
  }

  /** I9: each log is redone into a database that has all logs before it, and never one that was not inspected. */
  redoes(sight: CopySight, generation: Generation): void {
    const { copyId, database, state } = sight
    if (database === null) return
    this.standby.redoes(sight, generation)
    if (generation > database.content + 1)
      this.#core.fail('I9 order', `${copyId} redoes log ${generation} into a database that ends at ${database.content}`)
    if (generation > state.inspected)
      this.#core.fail('I9 order', `${copyId} redoes log ${generation}, inspected is ${state.inspected}`)
  }

  /** I3: what a report says of the database is durable there. */
  reports({ copyId, database }: CopySight, { requiredLow }: CopyReport): void {
    if ((requiredLow === null) !== (database === null))
      this.#core.fail('I16 honest status', `${copyId} reports a database that it has not, or none that it has`)
    if (requiredLow === null || database === null) return
    this.#reported.set(copyId, higherOf(this.#reported.get(copyId) ?? NO_GENERATION, requiredLow))
    if (requiredLow > this.#required(copyId, database.header.low))
      this.#core.fail('I3 ack is durable', `${copyId} reports ${requiredLow}, its header says ${database.header.low}`)
  }

  /**
   * A fault has taken a database, and it is made anew: what was reported of the old one counts until the source hears of it, and what
   * a suspended copy knows of it until it looks again.
   */
  excuse(copyId: string, known: Generation = NO_GENERATION): void {
    this.#forgiven.set(copyId, higherOf(known, this.#reported.get(copyId) ?? NO_GENERATION))
  }

  /** Another node has the place of a copy, with another database. */
  forget(copyId: string): void {
    this.#reported.delete(copyId)
    this.#forgiven.delete(copyId)
    this.standby.forget(copyId)
  }

  /** I1: the source deletes nothing that the header of a copy's database requires, with Exchange's gate; a standby target has the logs. */
  sourceUnlinks({ copyId, database, standby }: CopySight, generation: Generation): void {
    if (database === null || standby !== null || this.#core.scenario.passiveGate === 'inspected') return
    if (generation >= this.#required(copyId, database.header.low))
      this.#core.fail('I1 deletion gate', `log ${generation} goes, ${copyId} requires ${database.header.low} and above`)
  }

  /** I6: a copy deletes nothing that its own database requires. */
  copyUnlinks(sight: CopySight, generation: Generation): void {
    const { copyId, database } = sight
    this.standby.unlinks(sight, generation)
    if (database !== null && generation >= this.#required(copyId, database.header.low))
      this.#core.fail('I6 truncation bounds', `${copyId} deletes log ${generation}, which its database requires`)
  }

  /** I14: what may be in the file cannot be given up. */
  copyStrays({ copyId, database }: CopySight, generation: Generation): void {
    if (database === null) return
    if (database.isOpen) this.#core.fail('I14 divergence', `${copyId} sets log ${generation} aside under its database`)
    if (generation <= higherOf(database.header.high, database.content))
      this.#core.fail(
        'I14 divergence',
        `${copyId} sets log ${generation} aside, its database has ${database.header.high}`,
      )
  }

  #required(copyId: string, low: Generation): Generation {
    return higherOf(low, this.#forgiven.get(copyId) ?? NO_GENERATION)
  }
}
