import type { BenchOptions } from '../bench-options.ts'
import type { MeasureResult } from '../result.ts'
import type { SteadyState } from '../steady-state.ts'

/** One of the things that are measured. */
export interface Measure {
  readonly name: string
  /** Makes the input, outside the limited memory: what is read stays warm whatever the contenders write. */
  prepare(bench: BenchRun): Promise<void>
  run(bench: BenchRun): Promise<MeasureResult>
}

/** What measures share. */
export interface BenchRun {
  readonly options: BenchOptions
  /** An empty directory on the disk that is measured; removed at the end. */
  readonly directory: string
  /** What stays the same between contenders. Null while the input is made. */
  readonly steadyState: SteadyState | null
  /** Tells progress on stderr. */
  tell(text: string): void
}
