import type { BackupScope } from '../engine/database/backup-slot.ts'
import type { ErrorDocument } from '../engine/error.ts'
import type { GenerationRange } from '../engine/generation.ts'

/** Where a backup is: it is over when it is `completed` or `failed`. */
export type BackupJobPhase = 'beginning' | 'database' | 'logs' | 'finishing' | 'completed' | 'failed'

/** A backup that a node takes, or has taken since it was started. */
export interface BackupJobDocument {
  /** From 1 on since the node was started. */
  readonly id: number
  readonly storageGroup: string
  readonly of: 'active' | 'passive'
  readonly node: string
  readonly scope: BackupScope
  readonly method: 'streaming' | 'vss'
  readonly directory: string
  readonly phase: BackupJobPhase
  /** Of what is known to be copied: logs add to it when they are begun with. */
  readonly doneBytes: number
  readonly totalBytes: number
  /** Bytes in a second that are copied at most; null for no bound. */
  readonly bytesPerSecondMax: number | null
  readonly elapsedMs: number
  /** ISO 8601, UTC. */
  readonly begun: string
  /** The logs of the set; null before they are settled, and where it has none. */
  readonly logs: GenerationRange | null
  /** Why it failed; null else. */
  readonly error: ErrorDocument | null
}

/** Where a restore is. */
export type RestorePhase = 'restoring' | 'completed' | 'failed'

/** A restore of a storage group: the last one since the node was started. */
export interface RestoreDocument {
  readonly storageGroup: string
  readonly sets: readonly string[]
  readonly pointInTime: boolean
  readonly phase: RestorePhase
  readonly doneBytes: number
  readonly totalBytes: number
  readonly elapsedMs: number
  /** The logs of the sets; null before they are known. */
  readonly logs: GenerationRange | null
  /** The closed logs that were there and continue them; null where there are none. */
  readonly rolledForward: GenerationRange | null
  /** Where the files lie that were there before; null where there were none. */
  readonly replaced: string | null
  /** Whether it went on with a restore that was interrupted. */
  readonly wasInterrupted: boolean
  /** Whether the stream goes on from an earlier log than before, so that its copies have to look at it anew. */
  readonly wentBack: boolean
  readonly error: ErrorDocument | null
}
