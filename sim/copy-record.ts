import { type Generation, NO_GENERATION } from '../engine/generation.ts'
import type { CopySight } from './ports.ts'

/** What the oracle remembers of one copy, whatever the copy itself knows. */
export interface CopyRecord {
  readonly sight: CopySight
  /** The source has told the copy that it holds truncation from here on. */
  isAccepted: boolean
  /** Logs below were given up for deletion before the copy was let in: they are not owed to it. */
  owedFrom: Generation
  /** First log that ever got its final name here; what is below was never owed. 0 for none. */
  first: Generation
  /** Highest log that a report has called inspected, ever. */
  reported: Generation
  /** Highest log that a report has called inspected since the store was last empty: what a crash must leave. */
  owed: Generation
  /** A request to suspend was answered and none to resume was made since. */
  isQuiet: boolean
  /** A request to freeze was answered and none to thaw was made since. */
  isFrozen: boolean
  /** Comment that the last answered suspension has to keep. */
  comment: string | null
  /** Logs that a fault of the world took or spoilt: nobody owes them. */
  readonly excused: Set<Generation>
  /** Logs that the copy has deleted after its source, rightly. */
  readonly released: Set<Generation>
  /** It has begun anew by a seed, of which its source was told before: it is owed what it has said. */
  isTold: boolean
  /** Everything to here was found durable and true. */
  checkedThrough: Generation
}

/** A copy of which nothing is known yet. */
export function newRecord(sight: CopySight): CopyRecord {
  return {
    sight,
    isAccepted: false,
    owedFrom: NO_GENERATION,
    first: NO_GENERATION,
    reported: NO_GENERATION,
    owed: NO_GENERATION,
    isQuiet: false,
    isFrozen: false,
    comment: null,
    excused: new Set(),
    released: new Set(),
    isTold: false,
    checkedThrough: NO_GENERATION,
  }
}

/** Its files are being replaced by a seed: what it had is no longer owed, and what was taken from it before is no excuse any more. */
export function beginsAnew(copy: CopyRecord): void {
  copy.isTold = true
  for (const generation of [...copy.excused]) if (generation >= copy.owedFrom) copy.excused.delete(generation)
  copy.first = NO_GENERATION
  copy.owed = NO_GENERATION
  copy.checkedThrough = NO_GENERATION
}
