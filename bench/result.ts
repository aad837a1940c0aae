import type { Spread } from './statistics.ts'

/** The whole outcome of a bench run: what is written as JSON and what docs/BENCHMARKS.md is made from. */
export interface BenchResult {
  readonly machine: MachineDescription
  /** ISO 8601, UTC. */
  readonly startedAt: string
  readonly steadyState: string
  readonly measures: readonly MeasureResult[]
}

/** Where the figures come from: they mean little on another machine. */
export interface MachineDescription {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly fileSystem: string
  readonly node: string
  readonly commit: string
}

/** One measure with a row for each contender. */
export interface MeasureResult {
  readonly name: string
  readonly title: string
  /** How it was measured, with every size that was not the full one. */
  readonly method: string
  readonly rows: readonly Row[]
  /** Ratios of ours to each peer, each within its own round. */
  readonly ratios: readonly Ratio[]
  /** What was skipped and why, and what a reader must know. */
  readonly notes: readonly string[]
}

/** One contender's figures. */
export interface Row {
  readonly contender: string
  /** Column title (with unit) to value; texts are facts that are not measured, such as what is verified. */
  readonly columns: Readonly<Record<string, Spread | string>>
  /** The raw values by column, round by round. */
  readonly raw: Readonly<Record<string, readonly number[]>>
}

/** Ours against a peer. */
export interface Ratio {
  readonly what: string
  readonly spread: Spread
  /** What the project set out to reach, or null. */
  readonly target: string | null
}
