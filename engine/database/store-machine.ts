import { assert } from '../assert.ts'
import type { Generation } from '../generation.ts'
import type { SavedPage, StoreOrder, StoreQuestion } from './store-order.ts'

/** The answer to a question: a page, a log or null, saved pages; null to an order, when it has ended. */
export type StoreAnswer = Uint8Array | readonly SavedPage[] | null

/**
 * Work on the files of a store in which each step needs the outcome of the one before: a recovery, a replay. It yields a
 * question or an order; its owner answers, or executes the order and then says null. Nothing is done side by side.
 */
export type StoreMachine<Result> = Generator<StoreOrder | StoreQuestion, Result, StoreAnswer>

/** A log to read. */
export interface LogQuestion {
  readonly generation: Generation
  readonly open: boolean
  /** The last one that will be asked for. */
  readonly last: Generation
}

/** A whole log, or null where it does not lie there. */
export function* askLog(question: LogQuestion): StoreMachine<Uint8Array | null> {
  const answer = yield { order: 'read-log', ...question }
  assert(answer === null || answer instanceof Uint8Array, 'a log is bytes')
  return answer
}

/** A page as it lies in the file, unverified. */
export function* askPage(number: number): StoreMachine<Uint8Array> {
  const answer = yield { order: 'read-page', number }
  assert(answer instanceof Uint8Array, 'a page is bytes')
  return answer
}

/** The images of the last batch of pages, as far as they are whole. */
export function* askSavedPages(): StoreMachine<readonly SavedPage[]> {
  const answer = yield { order: 'read-saved-pages' }
  assert(Array.isArray(answer), 'saved pages are a list')
  return answer
}

/** Has orders executed, one after the other. */
export function* execute(orders: readonly StoreOrder[]): StoreMachine<void> {
  for (const order of orders) yield order
}
