import { type Generation, higherOf, NO_GENERATION, nextGeneration, previousGeneration } from '../generation.ts'
import type { LogIdentity } from '../log-identity.ts'

/**
 * The search for the first log in which a copy and its source differ. Streams share what comes before it and nothing after, so "the
 * same" holds up to a log and never above.
 */
export interface DivergenceSearch {
  /** The newest log that both sides had when the search began. */
  readonly newest: Generation
  /** No log below this can be had from both sides. */
  readonly lowest: Generation
  /** The highest log that is known to be the same; 0 while none is. */
  readonly same: Generation
  /** The lowest log that is known to differ, above `same`; the one above `newest` while none is. */
  readonly differs: Generation
  /** The log that is being compared, between the two. */
  readonly asked: Generation
  /** What the copy's own log `asked` is; null until that was read. */
  readonly own: LogIdentity | null
  /** Whether a log was left out that may well be compared later: its source has it, and it could not be read. */
  readonly isBlurred: boolean
}

/** How a log of the copy and the source's log of the same generation stand to each other. */
export type Comparison = 'same' | 'differs' | 'first-to-differ' | 'foreign'

/**
 * Compares two logs of one generation. `first-to-differ`: they say that the same log comes before them. `foreign`: not even the signature
 * is that of the stream, so that no log can be the same.
 */
export function compareLogs(own: LogIdentity, theirs: LogIdentity): Comparison {
  if (own.signature !== theirs.signature) return 'foreign'
  const continueTheSame = own.previousCreateTime === theirs.previousCreateTime
  if (own.createTime === theirs.createTime && continueTheSame) return 'same'
  return continueTheSame ? 'first-to-differ' : 'differs'
}

/** The newest log differs; `lowest` is the lowest one that both sides have. */
export function beginSearch(newest: Generation, lowest: Generation): DivergenceSearch {
  return { newest, lowest, same: NO_GENERATION, differs: newest, asked: newest, own: null, isBlurred: false }
}

/** The same search, with what came of the log that was asked for; `unknown` where one side does not have it, `unreadable` where it could not be read. */
export function narrowed(search: DivergenceSearch, result: Comparison | 'unknown' | 'unreadable'): DivergenceSearch {
  const { asked } = search
  switch (result) {
    case 'same':
      return { ...search, same: asked }
    case 'differs':
    case 'foreign':
      return { ...search, differs: asked }
    case 'first-to-differ':
      return { ...search, differs: asked, same: previousGeneration(asked) }
    case 'unknown':
      return { ...search, lowest: nextGeneration(asked) }
    case 'unreadable':
      return { ...search, lowest: nextGeneration(asked), isBlurred: true }
  }
}

/** Whether the log below the lowest one that differs is the same. */
export function isFound({ same, differs }: DivergenceSearch): boolean {
  return same !== NO_GENERATION && nextGeneration(same) === differs
}

/**
 * The log to be compared next, or null where there is none: down from the newest in steps that double until one is the same, then in
 * halves. What a failover loses are a few logs at the end, so that a few comparisons find them, and a long stream costs some more.
 */
export function nextToCompare({ newest, lowest, same, differs }: DivergenceSearch): Generation | null {
  const floor = higherOf(higherOf(lowest, nextGeneration(same)), nextGeneration(NO_GENERATION))
  if (floor >= differs) return null
  const middle = floor + Math.floor((differs - floor) / 2)
  const below = same === NO_GENERATION ? Math.max(floor, differs - (newest - differs + 1)) : middle
  return below as Generation // between two generations
}
