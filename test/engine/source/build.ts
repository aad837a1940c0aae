import type { CopyReport } from '../../../engine/fact.ts'
import { asGeneration } from '../../../engine/generation.ts'
import {
  type SourceCopy,
  type SourceOptions,
  type SourceState,
  startSource,
} from '../../../engine/source/source-state.ts'

/** A copy that is running, has inspected through 7 and replayed through 4. */
export const REPORT: CopyReport = {
  inspected: asGeneration(7),
  replayed: asGeneration(4),
  requiredLow: null,
  condition: 'running',
  stream: 0,
  sinceMs: 1_000,
}

/** A connected copy that sent {@link REPORT}. */
export function aSourceCopy(change: Partial<SourceCopy> = {}): SourceCopy {
  return { copyId: 'c1', label: 'node2:/store', connected: true, report: REPORT, lastReportMs: 9_000, ...change }
}

/** A source at work that holds the logs from 1 to 10, backed up through 9. */
export function aSource(copies: readonly SourceCopy[], options: Partial<SourceOptions> = {}): SourceState {
  return {
    ...startSource('SG1', { copiesExpected: 1, passiveGate: 'inspected', ...options }),
    started: true,
    closed: { lowest: asGeneration(1), closedThrough: asGeneration(10), generated: asGeneration(10), logTimeMs: 0 },
    generated: asGeneration(10),
    mark: { through: asGeneration(9), atMs: 0 },
    copies,
  }
}
