import { BoundaryDigests } from '../engine/database/boundary-digests.ts'
import type { ChangeWriter } from '../engine/database/change-writer.ts'
import { type Outcome, outcomeOf, type SessionScript } from '../engine/database/mailbox-session.ts'
import type { PageDigest } from '../engine/database/page-digest.ts'
import type { StoreEngine } from '../engine/database/store-engine.ts'
import type { Work } from '../engine/database/work.ts'
import { ReplicationError } from '../engine/error.ts'
import type { Generation } from '../engine/generation.ts'
import type { StoreLoop } from './store-loop.ts'

/** A store whose pages are digested. */
export interface DigestedStore {
  readonly store: StoreEngine
  readonly writer: ChangeWriter
  readonly loop: StoreLoop
}

/** Pages that are digested in one go: 512 KiB, about 1 ms of work. */
const PIECE_PAGES = 64
/** Logs that are closed early to come to the boundary: as many MiB of a copy's disk, and no more, are spent on a comparison. */
const ROLLS_MAX = 64

/**
 * The pages of a running store as they are at the end of one log, although transactions go on. From `begin` to `end` every page is
 * digested before it is changed for the first time.
 */
export class BoundaryDigesting {
  readonly #parts: DigestedStore
  readonly #digests = new BoundaryDigests()

  constructor(parts: DigestedStore) {
    this.#parts = parts
  }

  /** Closes logs until `through` is closed. Errors: `STATE_REFUSED` where it is closed already, or too far ahead. */
  async begin(through: Generation): Promise<void> {
    const { store, loop } = this.#parts
    for (let closed = 0; closed < through; ) {
      const result = await loop.when(
        () => store.mayBegin,
        attempted(() => this.#closeNext(through)),
      )
      closed = result()
    }
  }

  /** Some digests, ascending; null behind the last. One call at a time. Errors: `PAGE_REJECTED`. */
  async next(): Promise<readonly PageDigest[] | null> {
    const { loop, writer } = this.#parts
    const outcome = await loop.run(oneOperation(() => this.#digests.take(writer, PIECE_PAGES)))
    if (outcome.state === 'bad-page') throw badPage(outcome.page, outcome.detail)
    return outcome.answer
  }

  end(): void {
    this.#parts.store.cache.watchWith(null)
  }

  #closeNext(through: Generation): Generation {
    const { store } = this.#parts
    const open = store.buffer.header.generation
    if (open > through) throw closedAlready(through, open)
    if (through - open >= ROLLS_MAX) throw tooFar(through, open)
    if (open === through) store.cache.watchWith((page, bytes) => this.#digests.note(page, bytes))
    return store.forceRoll('databases are compared')
  }
}

/** What an act throws is for who asked for it, not for the loop. */
function attempted<Result>(act: () => Result): () => () => Result {
  return () => {
    try {
      const result = act()
      return () => result
    } catch (error) {
      return () => {
        throw error
      }
    }
  }
}

function* oneOperation<Answer>(work: () => Work<Answer>): SessionScript<Outcome<Answer>> {
  return yield* outcomeOf(work())
}

function closedAlready(through: Generation, open: Generation): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `log ${through} is closed already: the store writes log ${open}`,
    hint: 'Pages as they were at the end of a closed log do not exist any more; ask for them at the end of the open log, or of a later one.',
    fields: { generation: through, open },
  })
}

function tooFar(through: Generation, open: Generation): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `log ${through} is too far ahead: the store writes log ${open}`,
    hint: `Ask for one of the next ${ROLLS_MAX} logs; those before it are closed for it.`,
    fields: { generation: through, open },
  })
}

function badPage(page: number, detail: string): ReplicationError {
  return new ReplicationError({
    code: 'PAGE_REJECTED',
    message: `page ${page} is damaged: ${detail} (-1018)`,
    hint: 'Check the disk, and restore the database from a backup; a passive copy has the page whole.',
    fields: { page },
  })
}
