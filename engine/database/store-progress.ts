import { assert, unreachable } from '../assert.ts'
import type { Blocked, ChangeWriter } from './change-writer.ts'
import type { StoreEngine } from './store-engine.ts'

/**
 * How an operation of a store stands after it was gone on with:
 *
 * - `done`;
 * - `page`: it waits for a page, which is to be fetched where {@link StoreEngine.needPage} says so;
 * - `room`: it waits for memory or for the disk, until the next fact;
 * - `bad-page`: it needs a page that is damaged, and cannot be done.
 */
export type Progress<Answer> =
  | { readonly state: 'done'; readonly answer: Answer }
  | { readonly state: 'page'; readonly page: number }
  | { readonly state: 'room' }
  | { readonly state: 'bad-page'; readonly page: number; readonly detail: string }

const ROOM = { state: 'room' } as const

/**
 * Goes on with an operation as far as it comes: all that it changes until it is held up is one operation of the store, and a log
 * that is full is rolled at once. The orders that follow are for `work` to give.
 *
 * @param work an operation that yields what it lacks, and looks for it again when it is gone on with
 */
export function advance<Answer>(
  store: StoreEngine,
  writer: ChangeWriter,
  work: Generator<Blocked, Answer, void>,
): Progress<Answer> {
  while (store.mayBegin) {
    writer.continueIn(store.buffer)
    store.beginOperation()
    const next = work.next()
    store.endOperation()
    if (next.done === true) return { state: 'done', answer: next.value }
    const progress = supply(store, next.value)
    if (progress !== null) return progress
  }
  return ROOM
}

/** What it lacks is got at once, which null says, or waited for. */
function supply(store: StoreEngine, blocked: Blocked): Exclude<Progress<never>, { state: 'done' }> | null {
  switch (blocked.kind) {
    case 'log-full':
      store.roll()
      assert(blocked.bytes <= store.buffer.room, 'what is laid at once fits into an empty log')
      return null
    case 'memory-needed':
      return ROOM
    case 'page-needed': {
      const { page } = blocked
      const detail = store.badPages.get(page)
      return detail === undefined ? { state: 'page', page } : { state: 'bad-page', page, detail }
    }
    default:
      return unreachable(blocked)
  }
}
