import { type Blocked, isBlocked } from './change-writer.ts'

/**
 * An operation that may be held up: each `next()` goes on until it is done, which gives its answer, or until something is lacking.
 * Its owner then gets what is lacking and calls `next()` once more; meanwhile other sessions may work. Nothing has to be kept in
 * memory for it in between.
 */
export type Work<Answer> = Generator<Blocked, Answer, void>

/** Makes one step as soon as it can be made. What it found lies in memory until the operation is held up the next time. */
export function* untilMade<Answer>(step: () => Answer): Work<Exclude<Answer, Blocked>> {
  for (;;) {
    const answer = step()
    // The type system does not see that what is not blocked is the rest of the union.
    if (!isBlocked(answer)) return answer as Exclude<Answer, Blocked>
    yield answer
  }
}
