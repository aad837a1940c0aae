import type { CopyReport } from '../fact.ts'
import { type Generation, lowerOf, previousGeneration } from '../generation.ts'
import type { SourceCopy } from './source-state.ts'

/** That a seed of a copy has begun which needs the logs from here on, and whether the copy has connected anew since. */
export interface PinnedBySeed {
  readonly from: Generation
  readonly isAnew: boolean
}

/**
 * A seed replaces the files of a copy. What the copy reported before that counts only as far as it holds of the new database too, until it
 * is heard of again: its word may be late or lost, and a seed that ends meanwhile would let logs go that the new database needs.
 */
export function pinnedBySeed(copy: SourceCopy, from: Generation): SourceCopy {
  const { report, pinned } = copy
  if (report === null || report.inspected < from) return copy
  const lowest = pinned === undefined ? from : lowerOf(pinned.from, from)
  return { ...copy, report: lowered(report, lowest), pinned: { from: lowest, isAnew: false } }
}

/** A copy that has connected anew says what holds of it now. */
export function connectedAnew(copy: SourceCopy): SourceCopy {
  const { pinned, ...rest } = copy
  return pinned === undefined
    ? { ...copy, connected: true }
    : { ...rest, connected: true, pinned: { ...pinned, isAnew: true } }
}

/** A report has come. One of before the seed is told by what it claims: the seeded copy stands below the first log that it needs. */
export function reportedBy(copy: SourceCopy, report: CopyReport, nowMs: number): SourceCopy {
  const { copyId, label, pinned } = copy
  const heard = { copyId, label, connected: true, lastReportMs: nowMs }
  if (pinned === undefined || pinned.isAnew || report.inspected < pinned.from) return { ...heard, report }
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
