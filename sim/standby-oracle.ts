import { type Generation, higherOf, NO_GENERATION } from '../engine/generation.ts'
import type { Core } from './core.ts'
import type { CopySight } from './ports.ts'

/** What a standby target has come to, whatever it knows of itself. */
interface StandbyRecord {
  /** Highest log that ever got its final name here. */
  highest: Generation
  /** When each log was redone last. */
  readonly redoneMs: Map<Generation, number>
}

/** The logs that a standby target stays behind. Told once more, so that a slip of the engine's own number shows. */
const BEHIND_LOGS = 50

/** The part of the oracle that sees standby targets: from files and the clock, log by log. */
export class StandbyOracle {
  readonly #core: Core
  readonly #records = new Map<string, StandbyRecord>()

  constructor(core: Core) {
    this.#core = core
  }

  /** A log has got its final name. */
  published({ copyId }: CopySight, generation: Generation): void {
    const record = this.#record(copyId)
    record.highest = higherOf(record.highest, generation)
  }

  /** Another node has the place of a copy. */
  forget(copyId: string): void {
    this.#records.delete(copyId)
  }

  /** I29: a log is redone 50 logs below the newest one, and when it is as old as the lag says. */
  redoes({ copyId, logs, standby }: CopySight, generation: Generation): void {
    const record = this.#record(copyId)
    record.redoneMs.set(generation, this.#core.nowMs)
    if (standby === null) return
    if (record.highest - generation < BEHIND_LOGS)
      this.#core.fail('I29 standby lag', `${copyId} redoes log ${generation}, the newest is ${record.highest}`)
    const ageMs = this.#core.nowMs - (logs.get(generation)?.log.logTimeMs ?? 0)
    if (ageMs < standby.replayLagMs)
      this.#core.fail('I29 standby lag', `${copyId} redoes log ${generation}, which is ${ageMs} ms old`)
  }

  /** I29: a log goes when it is as old as both lags say, and was redone as long ago as the truncation lag says. */
  unlinks({ copyId, logs, standby }: CopySight, generation: Generation): void {
    if (standby === null) return
    const { nowMs } = this.#core
    const ageMs = nowMs - (logs.get(generation)?.log.logTimeMs ?? 0)
    if (ageMs < standby.replayLagMs + standby.truncationLagMs)
      this.#core.fail('I29 standby lag', `${copyId} deletes log ${generation}, which is ${ageMs} ms old`)
    const redoneMs = this.#record(copyId).redoneMs.get(generation)
    if (redoneMs !== undefined && nowMs - redoneMs < standby.truncationLagMs)
      this.#core.fail('I29 standby lag', `${copyId} deletes log ${generation}, redone ${nowMs - redoneMs} ms ago`)
  }

  #record(copyId: string): StandbyRecord {
    const known = this.#records.get(copyId)
    if (known !== undefined) return known
    const record = { highest: NO_GENERATION, redoneMs: new Map<Generation, number>() }
    this.#records.set(copyId, record)
    return record
  }
}
