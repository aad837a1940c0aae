import { type Generation, higherOf, NO_GENERATION } from '../engine/generation.ts'
import type { ToyLog } from './toy-log.ts'

/**
 * The true content of every log of the present stream, and of the streams before it. Each log names the one before it, so that any of
 * them leads to all below.
 */
export class TrueLogs {
  /** By generation, ascending. */
  readonly now: Map<Generation, ToyLog> = new Map<Generation, ToyLog>()
  /** Logs that the source has truncated once: they may come back after a power cut and go again. */
  readonly truncated: Set<Generation> = new Set<Generation>()
  /** The highest edge of truncation of the streams before: what was ordered under it may still go from a copy. */
  formerEdge: Generation = NO_GENERATION
  /** What was true in another stream: right on a copy that has not looked since, and nowhere else. */
  readonly #former = new Set<ToyLog>()
  readonly #byCreateTime = new Map<string, ToyLog>()

  /** The newest log of the present stream; 0 for none. */
  get newest(): Generation {
    let newest = NO_GENERATION
    for (const generation of this.now.keys()) newest = higherOf(newest, generation)
    return newest
  }

  /** The store of the active has closed a log: that is its true content from now on. */
  closed(log: ToyLog): void {
    this.now.set(log.generation, log)
    this.#byCreateTime.set(log.identity.createTime, log)
  }

  /** The logs above this one are no longer true: a backup was restored, that has the last one itself. `edge`: how far truncation went. */
  restored(through: Generation, edge: Generation): void {
    this.truncated.delete(through)
    this.formerEdge = higherOf(this.formerEdge, edge)
    for (const [generation, log] of [...this.now]) {
      if (generation <= through) continue
      this.#former.add(log)
      this.now.delete(generation)
      this.truncated.delete(generation)
    }
  }

  /** Another node is the active: true are the logs that lead to its newest one, and those that it has not are truncated. */
  exchanged(last: ToyLog, edge: Generation, has: (generation: Generation) => boolean): void {
    this.formerEdge = higherOf(this.formerEdge, edge)
    for (const log of this.now.values()) this.#former.add(log)
    this.now.clear()
    this.truncated.clear()
    for (const log of this.#through(last)) {
      this.#former.delete(log)
      this.now.set(log.generation, log)
      if (!has(log.generation)) this.truncated.add(log.generation)
    }
  }

  /** Whether this is the content of its generation in the present stream. */
  isTrue(log: ToyLog | undefined): boolean {
    return log !== undefined && this.now.get(log.generation) === log
  }

  /** Whether it was that in another stream. */
  isFormer(log: ToyLog): boolean {
    return this.#former.has(log)
  }

  #through(last: ToyLog): readonly ToyLog[] {
    const logs: ToyLog[] = []
    let log = this.#byCreateTime.get(last.identity.createTime)
    while (log !== undefined) {
      logs.push(log)
      log = this.#byCreateTime.get(log.identity.previousCreateTime)
    }
    return logs.reverse()
  }
}
