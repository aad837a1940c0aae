import type { ClosedLogs } from '../fact.ts'
import { higherOf, nextGeneration, previousGeneration } from '../generation.ts'
import type { Gap, SourceState } from './source-state.ts'

/** Logs missing at the upper end count as well as those in the middle: they were seen, so copies wait for them. */
export function gapOf(state: SourceState, closed: ClosedLogs, nowMs: number): Gap | null {
  const through = closed.lowest === 0 ? previousGeneration(state.truncatedBelow) : closed.closedThrough
  if (through >= higherOf(state.generated, closed.generated)) return null
  const generation = nextGeneration(through)
  return state.gap?.generation === generation ? state.gap : { generation, sinceMs: nowMs }
}
