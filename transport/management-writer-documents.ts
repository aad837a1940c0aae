import type { BackupScope } from '../engine/database/backup-slot.ts'
import type { Provocation, WriterCall, WriterPhase, WriterStanding } from '../engine/source/vss-writer.ts'

/** The writer of one database on one node, and what a tool that backs it up has to know. */
export interface WriterDocument {
  /** As vssadmin has it. */
  readonly name: 'Microsoft Exchange Writer'
  readonly instance: 'Exchange Information Store' | 'Exchange Replication Service'
  readonly storageGroup: string
  readonly of: 'active' | 'passive'
  readonly node: string
  readonly state: WriterStanding['state']
  /** `[5] Waiting for completion`. */
  readonly shownState: string
  /** `No error`, `Retryable error`, `Non-retryable error`. */
  readonly lastError: string
  /** Why the last backup failed; `''` where it did not. */
  readonly reason: string
  /** Number of the engine for it; null for none. */
  readonly eseError: number | null
  readonly phase: WriterPhase
  /** What a tool may call next, besides `abort`. */
  readonly next: WriterCall
  /** What is backed up; null while nothing is. */
  readonly scope: BackupScope | null
  /** When the tool has called last, ISO 8601 UTC; null while nothing is backed up. */
  readonly since: string | null
  /** When a freeze ends by itself, ISO 8601 UTC; null while it is not frozen. */
  readonly frozenUntil: string | null
  /** The failure that is provoked in this backup, or the next one; null for none. */
  readonly provocation: Provocation | null
  readonly files: WriterFiles
}

/** What a snapshot of a database consists of: absolute paths on the machine of the node. */
export interface WriterFiles {
  /** Null where the backup takes logs only. */
  readonly database: string | null
  readonly checkpoint: string | null
  /** Directory of the logs. */
  readonly logs: string
  readonly baseName: string
  /** The logs to take, each of them, both ends included; null before the freeze, and where there are none. */
  readonly range: {
    readonly first: number
    readonly last: number
    /** Their names in the directory. */
    readonly firstName: string
    readonly lastName: string
  } | null
}
