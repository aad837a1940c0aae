import { type Generation, previousGeneration } from '../engine/generation.ts'
import type { ToyLog } from './toy-log.ts'

/** What a copy has read of a seed that is not whole, durable beside the place of its database. */
export interface SeedPartial {
  /** Stream of the source that it was read from. */
  readonly stream: number
  /** The first log that its header needs. */
  readonly low: Generation
  /** Every page has the changes of all logs to here, whatever the header says. */
  readonly filed: Generation
  readonly pages: number
}

/** A database that was read whole: pages of many moments, and the logs that make them one. */
export interface SeedImage {
  /** The logs that it needs, both ends included. */
  readonly low: Generation
  readonly high: Generation
  /** Every page has the changes of all logs to here. */
  readonly filed: Generation
  /** Create times of the logs whose changes every page has, and of those whose changes some page may have. */
  readonly createTimes: ReadonlyMap<Generation, string>
}

/** One page more. The header was read with the first one, and says what the active needed then. */
export function withPage(
  before: SeedPartial | null,
  { stream, required }: { readonly stream: number; readonly required: Generation },
): SeedPartial {
  const begun = before ?? { stream, low: required, filed: previousGeneration(required), pages: 0 }
  return { ...begun, pages: begun.pages + 1 }
}

/** What was read, with the log that was closed behind its last page. */
export function imageThrough(
  high: Generation,
  { low, filed }: SeedPartial,
  truth: ReadonlyMap<Generation, ToyLog>,
): SeedImage {
  const createTimes = new Map<Generation, string>()
  for (const [generation, { identity }] of truth)
    if (generation <= high) createTimes.set(generation, identity.createTime)
  return { low, high, filed, createTimes }
}
