import type { ErrorDocument } from '../engine/error.ts'
import type { Generation, GenerationRange } from '../engine/generation.ts'
import type { BackupManifest, SetFile } from '../storage/backup-manifest.ts'
import type { RestoreRequest, RestoreResult } from '../storage/restore-set.ts'

/**
 * What a backup worker does: it writes one set at a time, file after file, and verifies what it copies. Each query is answered once;
 * one at a time. The usual orders of them:
 *
 * 1. snapshot: `begin-set`, freeze, `copy-checkpoint`, `copy-database` (`taken` is told when the file may change again), thaw,
 *    `copy-logs`, `finish-set`;
 * 2. streaming: `begin-set`, `copy-database`, roll of the log, `end-database`, `copy-logs`, `finish-set`;
 * 3. logs only: `begin-set`, `copy-logs`, `finish-set`.
 *
 * After a refusal the set is worth nothing: `abandon-set` removes it. A worker that is stopped does so by itself.
 */
export type BackupQuery =
  /** The directory of the set: absent or empty. Errors: `STATE_REFUSED`. */
  | { readonly ask: 'begin-set'; readonly directory: string }
  /**
   * Copies a database, each page verified.
   *
   * `snapshot`: the file stays as it is until `taken` is told. A page that does not verify is damaged: `PAGE_REJECTED`, with the fields `page`
   * and `eseError` -1018. Where the file system shares blocks, that is at once; the shared file is verified after that.
   *
   * `streaming`: the file is in use. A page that does not verify is read again, as the store may be writing it. The file stays open for
   * `end-database`.
   */
  | { readonly ask: 'copy-database'; readonly path: string; readonly mode: 'snapshot' | 'streaming' }
  /**
   * Makes a streaming copy durable. No page is read any more, since the log is closed. The page behind it says which logs it needs: those from the one that
   * its header has as the first of the backup under way, through `last`, which was closed when the last page had been read.
   */
  | { readonly ask: 'end-database'; readonly last: Generation }
  /** Copies a checkpoint file. */
  | { readonly ask: 'copy-checkpoint'; readonly path: string }
  /**
   * Copies closed logs, each verified, and that each continues the one before. Errors: `LOG_REJECTED`, `LOG_MISSING`, `STREAM_MISMATCH` for logs
   * of another stream than the database's.
   */
  | {
      readonly ask: 'copy-logs'
      readonly directory: string
      readonly baseName: string
      readonly range: GenerationRange
    }
  /** Writes the manifest: from then on it is a set. Errors: `BACKUP_REJECTED` when it would lack a log that its database needs. */
  | { readonly ask: 'finish-set'; readonly description: SetDescription }
  /** Removes what was written. */
  | { readonly ask: 'abandon-set' }
  /** Verifies every byte of a set. */
  | { readonly ask: 'verify-set'; readonly directory: string }
  /** Puts sets back into the folder of a storage group. */
  | { readonly ask: 'restore-sets'; readonly restore: RestoreRequest }
  /**
   * Reads the database of a source into a file for a seed; see `readSeed`. `rate` is the memory of the rate that all seeds of a process
   * share.
   */
  | {
      readonly ask: 'read-seed'
      readonly sourceUrl: string
      readonly session: number
      readonly to: string
      readonly rate: SharedArrayBuffer
    }
  /** Makes an ordinary database of what was read, durably; see `endSeed`. */
  | { readonly ask: 'end-seed'; readonly path: string; readonly last: Generation; readonly createTime: string }
  /** Ends a restore that was asked to stay open. */
  | { readonly ask: 'end-restore'; readonly root: string }

/** What the files themselves do not say of a set. */
export type SetDescription = Pick<
  BackupManifest,
  | 'storageGroup'
  | 'baseName'
  | 'scope'
  | 'method'
  | 'of'
  | 'product'
  | 'closed'
  | 'mark'
  | 'buildsOn'
  | 'begunMs'
  | 'endedMs'
>

/** What came of one file of a set. */
export interface VerifiedSetFile {
  readonly path: string
  /** What is wrong, for a person; empty when nothing is. */
  readonly faults: readonly string[]
}

/** What came of verifying a set. */
export interface VerifiedBackupSet {
  readonly directory: string
  readonly manifest: BackupManifest
  /** Every file of the manifest in its order, then what lies there beside them. */
  readonly files: readonly VerifiedSetFile[]
  readonly sound: boolean
}

/** What was read for a seed. */
export interface SeedReadAnswer {
  readonly bytes: number
  readonly pages: number
  /** How much of it was there before, and was verified only. */
  readonly resumedBytes: number
}

/** The answers by their questions. */
export interface BackupAnswers {
  readonly 'begin-set': null
  /** The file as it will stand in the manifest; null while a streaming copy is not ended. */
  readonly 'copy-database': SetFile | null
  readonly 'end-database': SetFile
  readonly 'copy-checkpoint': SetFile
  readonly 'copy-logs': readonly SetFile[]
  readonly 'finish-set': BackupManifest
  readonly 'abandon-set': null
  readonly 'verify-set': VerifiedBackupSet
  readonly 'restore-sets': RestoreResult
  readonly 'end-restore': null
  readonly 'read-seed': SeedReadAnswer
  /** The logs that the database needs. */
  readonly 'end-seed': GenerationRange
}

/** Main thread → backup worker. */
export type BackupCommand =
  | { readonly kind: 'request'; readonly request: number; readonly query: BackupQuery }
  /** From now on so many bytes in a second are copied; null for no bound. Also within a query. */
  | { readonly kind: 'set-rate'; readonly bytesPerSecond: number | null }
  /** The query under way ends with `STATE_REFUSED`, or has ended already. */
  | { readonly kind: 'cancel'; readonly request: number }
  | { readonly kind: 'stop' }

/** Backup worker → main thread. */
export type BackupReport =
  | { readonly kind: 'answered'; readonly request: number; readonly answer: BackupAnswers[keyof BackupAnswers] }
  | { readonly kind: 'refused'; readonly request: number; readonly error: ErrorDocument }
  /** The database may change again: of a snapshot, before its query is answered. */
  | { readonly kind: 'taken'; readonly request: number }
  /** Ten times in a second at most. Of a file that grows the total does too. */
  | { readonly kind: 'progressed'; readonly request: number; readonly doneBytes: number; readonly totalBytes: number }
  | { readonly kind: 'stopped' }
