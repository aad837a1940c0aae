import type { CopyReport } from '../fact.ts'
import { type Generation, lowerOf, previousGeneration } from '../generation.ts'
import type { SourceCopy } from './source-state.ts'

/** That a seed of a copy has begun which needs the logs from here on, and whether the copy has connected anew since. */
export interface PinnedBySeed {
  readonly from: Generation
  readonly sinceMs: number
  readonly isAnew: boolean
}

/** A report that was on its way when a seed began has come by now, or its connection is lost: in milliseconds. */
const ON_ITS_WAY_MS_MAX = 60_000

/**
 * A seed replaces the files of a copy. What the copy reported before that counts only as far as it holds of the new database too, until it
 * is heard of again: its word may be late or lost, and a seed that ends meanwhile would let logs go that the new database needs.
 */
export function pinnedBySeed(copy: SourceCopy, from: Generation, nowMs: number): SourceCopy {
  const { report, pinned } = copy
  const lowest = pinned === undefined ? from : lowerOf(pinned.from, from)
  const known = report === null ? null : lowered(report, lowest)
  return { ...copy, report: known, pinned: { from: lowest, sinceMs: nowMs, isAnew: false } }
}

/** A copy that has connected anew says what holds of it now. */
export function connectedAnew(copy: SourceCopy): SourceCopy {
  const { pinned, ...rest } = copy
  return pinned === undefined
    ? { ...copy, connected: true }
    : { ...rest, connected: true, pinned: { ...pinned, isAnew: true } }
}

/**
 * A report has come. The first one of the seed is known by what it says: the copy is suspended, and stands below the first log that the new
 * database needs. Those of before, which may come late, say one or the other.
 */
export function reportedBy(copy: SourceCopy, report: CopyReport, nowMs: number): SourceCopy {
  const { copyId, label, pinned } = copy
  const heard = { copyId, label, connected: true, lastReportMs: nowMs }
  const isOfSeed = report.condition === 'suspended' && report.inspected < (pinned?.from ?? report.inspected)
  const isLater = pinned === undefined || pinned.isAnew || nowMs >= pinned.sinceMs + ON_ITS_WAY_MS_MAX
  if (isLater || isOfSeed) return { ...heard, report }
  return { ...heard, report: lowered(report, pinned.from), pinned }
}

function lowered(report: CopyReport, from: Generation): CopyReport {
  const below = previousGeneration(from)
  const { inspected, replayed, requiredLow } = report
  return {
    ...report,
    inspected: lowerOf(inspected, below),
    replayed: lowerOf(replayed, below),
    requiredLow: requiredLow === null ? null : lowerOf(requiredLow, from),
  }
}
