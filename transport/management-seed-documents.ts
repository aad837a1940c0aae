import type { ErrorDocument } from '../engine/error.ts'
import type { GenerationRange } from '../engine/generation.ts'

/**
 * Where a seed is. `waiting`: the source cannot be reached, or has forgotten the seed, and it goes on when that is over. It is over when it is
 * `completed` or `failed`.
 */
export type SeedPhase = 'beginning' | 'database' | 'waiting' | 'finishing' | 'completed' | 'failed'

/** A seed that a node takes, or has taken since it was started. */
export interface SeedDocument {
  /** From 1 on since the node was started. */
  readonly id: number
  readonly storageGroup: string
  readonly node: string
  /** Where the database comes from: the address of the share. */
  readonly source: string
  /** Where it goes. */
  readonly path: string
  readonly phase: SeedPhase
  readonly doneBytes: number
  /** Of the database as far as it is known; it may grow. */
  readonly totalBytes: number
  /** Of `doneBytes`: what was there from a seed that was cut off. */
  readonly resumedBytes: number
  /** 0 to 100: the counter Seeding Finished % of Exchange. */
  readonly percent: number
  /** What came over the wire lately, smoothed; null before it is known. */
  readonly bytesPerSecond: number | null
  /** At this rate; null while it is not known. */
  readonly remainingMs: number | null
  readonly elapsedMs: number
  /** ISO 8601, UTC. */
  readonly begun: string
  /** Why it waits, or why it had to begin anew; `''` for neither. */
  readonly remark: string
  /** The logs that the new database needs; null before it is whole. */
  readonly required: GenerationRange | null
  /** Whether the copy was resumed. */
  readonly resumed: boolean
  /** Why it failed; null else. */
  readonly error: ErrorDocument | null
}

/** What a seed would do. */
export interface SeedPlanDocument {
  readonly storageGroup: string
  readonly node: string
  readonly source: string
  readonly path: string
  readonly databaseBytes: number
  /** Of these, what is there from a seed that was cut off. */
  readonly resumedBytes: number
  /** What the link has carried just now, or was said to carry; null where it could not be measured. */
  readonly linkBytesPerSecond: number | null
  readonly linkIs: 'measured' | 'stated' | 'unknown'
  /** The bound of this node's seeds; null for none. */
  readonly bytesPerSecondMax: number | null
  /** How long it would take; null where nothing says it. */
  readonly expectedMs: number | null
  /** What goes, if it is confirmed or asked for. */
  readonly deletes: {
    readonly checkpoint: string | null
    readonly logs: number
    readonly logsPath: string
    readonly databaseBytes: number | null
  }
  /** What it asks before it begins, in order. */
  readonly prompts: readonly string[]
  /** Why it would be refused; null when it would begin. */
  readonly refusal: ErrorDocument | null
}

/** The bound of all seeds of a node together. */
export interface SeedRateDocument {
  /** Now; null for no bound. */
  readonly bytesPerSecond: number | null
  /** As it was set: a rate, `off`, or a timetable such as `08:00,5M 19:00,off`. */
  readonly setting: string
  /** When it changes by the timetable: ISO 8601, UTC; null where it does not. */
  readonly changes: string | null
}
