import { type Generation, lowerOf } from '../generation.ts'
import type { DatabaseOrder } from './store-order.ts'

/** Logs below the checkpoint that circular logging leaves, as the engine does. */
const LOGS_KEPT = 2

/**
 * The closed logs of a store that lets them go by itself, as soon as no recovery needs them: one becomes the file of the next
 * log at each roll, further ones are deleted. Source: the engine's circular logging.
 *
 * A class, since it knows which logs lie there.
 */
export class CircularLogs {
  #lowest: Generation
  #heldFrom: Generation | null = null
  /** The checkpoint, and the lowest log that the database requires. */
  readonly #required: () => Generation

  /**
   * @param lowest the lowest closed log that lies there, or where none does the open one
   * @param required the lowest log that a recovery needs, by what is durable
   */
  constructor(lowest: Generation, required: () => Generation) {
    this.#lowest = lowest
    this.#required = required
  }

  /** A backup reads logs from this one on, which stay as long; null when it has ended. */
  holdFrom(generation: Generation | null): void {
    this.#heldFrom = generation
  }

  /** A log whose file may be used for another one, and is gone then; null when none may. */
  reuse(): Generation | null {
    if (this.#lowest >= this.#floor()) return null
    const lowest = this.#lowest
    this.#lowest++
    return lowest
  }

  /** The deletion of all logs that may go but one, which the next roll reuses. */
  deletion(): readonly DatabaseOrder[] {
    const first = this.#lowest
    const last = (this.#floor() - 2) as Generation // above the lowest generation, as is checked next
    if (last < first) return []
    this.#lowest = (last + 1) as Generation // one above a generation
    return [{ order: 'delete-logs', first, last }]
  }

  #floor(): number {
    const required = this.#required()
    return (this.#heldFrom === null ? required : lowerOf(required, this.#heldFrom)) - LOGS_KEPT
  }
}
