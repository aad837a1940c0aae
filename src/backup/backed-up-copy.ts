import type { Generation, GenerationRange } from '../../engine/generation.ts'
import type { BackupRequest } from '../../engine/source/backup-session.ts'
import type { SetDescription } from '../../workers/backup-messages.ts'

/** A backup as it is asked of a copy. */
export type CopyBackupRequest = Omit<BackupRequest, 'surrogate'>

/** Where the files of a copy lie. */
interface CopyFiles {
  /** Absolute paths. */
  readonly database: string
  readonly checkpoint: string
  readonly logs: string
  readonly baseName: string
}

/** What is known of a backup once its logs are settled. */
export interface PreparedBackup {
  /** The logs to read; null where there are none. */
  readonly logs: GenerationRange | null
  /** The newest log that was closed. */
  readonly closed: Generation
}

/** The active or the passive copy of a storage group, as something that is backed up. The steps come in this order, each once. */
export interface BackedUpCopy {
  readonly copy: 'active' | 'passive'
  readonly storageGroup: string
  /** Name of the node, for people. */
  readonly node: string
  readonly files: CopyFiles
  /** Begins a backup. Errors: `STATE_REFUSED`, with the engine's number in the field `eseError`. */
  readonly begin: (request: CopyBackupRequest) => Promise<void>
  /** Settles the logs; for a snapshot the copy stands still from then on. */
  readonly prepare: () => Promise<PreparedBackup>
  /** Lets it go on; false where it had gone on by itself before, so that the snapshot is worth nothing. */
  readonly thaw: () => Promise<boolean>
  /** What the manifest says of the backups before. */
  readonly history: () => Pick<SetDescription, 'mark' | 'buildsOn'>
  /** It has completed: resolves when that is recorded. */
  readonly complete: () => Promise<void>
  /** It is given up. Never rejects. May be called at any time, and twice. */
  readonly abort: (reason: string) => Promise<void>
}
