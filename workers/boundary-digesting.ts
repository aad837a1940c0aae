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
 * Digests all pages of a running store as they are at the end of log `through`: closes logs until that one is closed, and
 * digests every page before it is changed after that. Transactions go on meanwhile. Pieces ascend; each `take` is waited for.
 *
 * Errors: `STATE_REFUSED` where that log is closed already or is too far ahead; `PAGE_REJECTED`.
 */
export async function digestAtBoundary(
  { store, writer, loop }: DigestedStore,
  through: Generation,
  take: (digests: readonly PageDigest[]) => Promise<void>,
): Promise<void> {
  const digests = new BoundaryDigests()
  const closeNext = (): Generation => {
    const open = store.buffer.header.generation
    if (open > through) throw closedAlready(through, open)
    if (through - open >= ROLLS_MAX) throw tooFar(through, open)
    if (open === through) store.cache.watchWith((page, bytes) => digests.note(page, bytes))
    return store.forceRoll('databases are compared')
  }
  try {
    for (let closed = 0; closed < through; ) {
      const result = await loop.when(() => store.mayBegin, attempted(closeNext))
      closed = result()
    }
    for (;;) {
      const outcome = await loop.run(oneOperation(() => digests.take(writer, PIECE_PAGES)))
      if (outcome.state === 'bad-page') throw badPage(outcome.page, outcome.detail)
      if (outcome.answer === null) return
      await take(outcome.answer)
    }
  } finally {
    store.cache.watchWith(null)
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
