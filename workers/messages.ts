import type { PageDigest } from '../engine/database/page-digest.ts'
import type { ErrorDocument } from '../engine/error.ts'
import type { Announcement, CopiedLog, CopyReport, DatabaseProgress, Fault, ReplayFault } from '../engine/fact.ts'
import type { Generation, GenerationRange } from '../engine/generation.ts'
import type { LogFormat } from '../engine/log-format.ts'
import type { StoreKind } from '../engine/store-kind.ts'
import type { SurrogateAnswer, SurrogateAsk } from '../transport/surrogate-backup.ts'

/**
 * What the main thread and its three kinds of long-lived worker say to each other over a MessagePort. Small values only: the
 * bytes of logs never leave the worker that reads or writes them. Generations are plain numbers here and brands again at the
 * door of the main thread's runner.
 */

/** One storage group that a share worker serves. */
export interface SharedDirectory {
  readonly share: string
  readonly directory: string
  readonly format: LogFormat
  readonly store: StoreKind
}

/** Main thread → share worker (the source's replication listener: HTTP, and frames over upgraded connections). */
export type ShareCommand =
  | { readonly kind: 'open-share'; readonly shared: SharedDirectory }
  | { readonly kind: 'close-share'; readonly share: string }
  | { readonly kind: 'announce'; readonly share: string; readonly announcement: Announcement }
  /** The enrolment of this copy is durable: its subscription may be answered. */
  | { readonly kind: 'accept-copy'; readonly share: string; readonly copyId: string }
  /** The copy may not subscribe (it was disabled); the reason is sent to it. */
  | { readonly kind: 'refuse-copy'; readonly share: string; readonly copyId: string; readonly fault: Fault }
  /** The answer to a `backup-asked`. */
  | { readonly kind: 'backup-answered'; readonly request: number; readonly answer: SurrogateAnswer }
  | { readonly kind: 'backup-refused'; readonly request: number; readonly error: ErrorDocument }
  /** A seed is under way: the database at this absolute path may be read by whoever names the session. */
  | { readonly kind: 'open-seed'; readonly share: string; readonly session: number; readonly database: string }
  /** It has ended. */
  | { readonly kind: 'close-seed'; readonly share: string; readonly session: number }
  | { readonly kind: 'stop' }

/** Share worker → main thread. */
export type ShareReport =
  | { readonly kind: 'listening'; readonly host: string; readonly port: number }
  | { readonly kind: 'listen-failed'; readonly fault: Fault }
  | { readonly kind: 'copy-subscribed'; readonly share: string; readonly copyId: string; readonly label: string }
  | { readonly kind: 'copy-reported'; readonly share: string; readonly copyId: string; readonly report: CopyReport }
  | { readonly kind: 'copy-lost'; readonly share: string; readonly copyId: string }
  /** The node of a copy asks about a backup of it; answered once. */
  | { readonly kind: 'backup-asked'; readonly share: string; readonly request: number; readonly ask: SurrogateAsk }
  /** A copy asked for a log that is not there, cannot be read, or is not a regular file. */
  | { readonly kind: 'log-unreadable'; readonly share: string; readonly generation: Generation; readonly fault: Fault }
  | { readonly kind: 'served'; readonly share: string; readonly logs: number; readonly bytes: number }
  /** Bytes of a database were sent for a seed. */
  | { readonly kind: 'seed-served'; readonly share: string; readonly bytes: number }
  /** A request failed by a fault of ours, or after its answer had begun: a line for the log. */
  | { readonly kind: 'request-failed'; readonly fault: Fault }
  | { readonly kind: 'stopped' }

/** One copy that a copy worker keeps. `copy` is a small number the main thread chose. */
export interface KeptCopy {
  readonly copy: number
  /** `http://HOST:PORT/shares/SG1`, checked. */
  readonly sourceUrl: string
  readonly copyId: string
  readonly label: string
  /** Absolute path of the copy's log directory and of its `inspector` directory. */
  readonly logsDirectory: string
  readonly inspectorDirectory: string
  /** What the store was made for, or null for a new store, which takes what the source says. */
  readonly format: LogFormat | null
}

/** Main thread → copy worker (fetches, hashes, verifies, writes, syncs, publishes). */
export type CopyCommand =
  | { readonly kind: 'open-copy'; readonly kept: KeptCopy }
  | { readonly kind: 'copy-logs'; readonly copy: number; readonly session: number; readonly range: GenerationRange }
  | {
      readonly kind: 'inspect-logs'
      readonly copy: number
      readonly session: number
      readonly logs: readonly CopiedLog[]
    }
  /** Abandon everything under way for this copy; answered by `copying-stopped` when no I/O on its store is left. */
  | { readonly kind: 'stop-copying'; readonly copy: number }
  | { readonly kind: 'report-progress'; readonly copy: number; readonly report: CopyReport }
  | { readonly kind: 'close-copy'; readonly copy: number }
  | { readonly kind: 'stop' }

/** Copy worker → main thread. */
export type CopyEvent =
  | {
      readonly kind: 'source-connected'
      readonly copy: number
      readonly format: LogFormat
      readonly store: StoreKind
    }
  /** The connection is gone; the worker tries again by itself, with backoff and jitter. */
  | { readonly kind: 'source-lost'; readonly copy: number; readonly fault: Fault; readonly retryInMs: number }
  /** The source answered, and said no (unknown share, copy disabled, another format); tried again every 30 s. */
  | { readonly kind: 'source-refused'; readonly copy: number; readonly fault: Fault }
  | { readonly kind: 'logs-announced'; readonly copy: number; readonly announcement: Announcement }
  | {
      readonly kind: 'log-copied'
      readonly copy: number
      readonly session: number
      readonly log: CopiedLog
      readonly bytes: number
    }
  | {
      readonly kind: 'copy-failed'
      readonly copy: number
      readonly session: number
      readonly generation: Generation
      readonly fault: Fault
    }
  | {
      readonly kind: 'logs-inspected'
      readonly copy: number
      readonly session: number
      readonly range: GenerationRange
    }
  | { readonly kind: 'inspection-failed'; readonly copy: number; readonly session: number; readonly fault: Fault }
  | { readonly kind: 'copying-stopped'; readonly copy: number }
  | { readonly kind: 'stopped' }

/** Where a replay worker finds what belongs to one copy. */
export interface KeptDatabase {
  /**
   * Absolute path of the copy's store: inspected logs are read in `logs/` and never changed, the checkpoint file lies beside them,
   * the database in `database/`. Whoever opens it holds the store's lock.
   */
  readonly root: string
  readonly format: LogFormat
}

/**
 * Main thread → replay worker. What each means stands with the orders of the same names. What a replayer promises for each copy:
 *
 * 1. Commands are taken in the order in which they come. There is one batch at a time, and a batch comes only after its session's
 *    `database-opened`.
 * 2. `open-database` makes the database where none is, and says of it that log 1 is the first required. It reads header and
 *    checkpoint and recovers nothing: that is what the first batches do, from `replayedThrough` + 1 on. Of a database that is open
 *    already it says how far that is.
 * 3. A log is verified when it is read, whatever the inspector found: -501 where its bytes have changed since.
 * 4. `replayedThrough` may be in memory only; `requiredLow` and `requiredHigh` are told when they are durable in the header, and
 *    before a page with changes of a later log than `requiredHigh` goes to the file, that is raised. While a database is open
 *    neither `replayedThrough` nor `requiredLow` goes down.
 * 5. `logs-replayed` comes at the end of a batch, and may come within it. Pages that wait for nothing are written out after a
 *    while, also when no log comes, and that is told by `checkpoint-moved`: the source keeps its logs until then.
 * 6. `replay-failed` is the last word of its session.
 * 7. `replay-stopped` is the answer to every `stop-replaying`, also where nothing is open. After it there is no I/O before the next
 *    command, and nothing of an earlier session is told.
 *
 * `digest-pages` stands beside all that: it is answered when the database stands exactly at the end of a log, which holds replay up for
 * as long, or refused.
 */
export type ReplayCommand =
  | { readonly kind: 'open-database'; readonly copy: number; readonly session: number; readonly kept: KeptDatabase }
  | { readonly kind: 'replay-logs'; readonly copy: number; readonly session: number; readonly range: GenerationRange }
  /**
   * Leave the database of this copy alone at the next boundary of a log; answered by `replay-stopped` when no I/O on it is left.
   * Nothing of an earlier session is told after that answer.
   */
  | { readonly kind: 'stop-replaying'; readonly copy: number }
  /** Another process may own the store: change nothing from this moment on, not even to come to rest. A stop follows. */
  | { readonly kind: 'abandon-database'; readonly copy: number; readonly fault: Fault }
  /** Digest every page when replay has come exactly to the end of this log, with every change in the file. */
  | { readonly kind: 'digest-pages'; readonly copy: number; readonly request: number; readonly through: Generation }
  /** The digests are not wanted any more. */
  | { readonly kind: 'cancel-digest'; readonly copy: number; readonly request: number }
  /** Close the database, if it is open, and forget the copy. */
  | { readonly kind: 'close-database'; readonly copy: number }
  | { readonly kind: 'stop' }

/** Replay worker → main thread. */
export type ReplayEvent =
  | {
      readonly kind: 'database-opened' | 'logs-replayed' | 'checkpoint-moved'
      readonly copy: number
      readonly session: number
      readonly progress: DatabaseProgress
    }
  | { readonly kind: 'replay-failed'; readonly copy: number; readonly session: number; readonly fault: ReplayFault }
  /** Null when the database was not open. */
  | { readonly kind: 'replay-stopped'; readonly copy: number; readonly progress: DatabaseProgress | null }
  /** Some of the digests, ascending; an empty list is the end of them. */
  | {
      readonly kind: 'pages-digested'
      readonly copy: number
      readonly request: number
      readonly digests: readonly PageDigest[]
    }
  /** There are no digests, or no further ones. */
  | { readonly kind: 'digest-refused'; readonly copy: number; readonly request: number; readonly fault: Fault }
  /** The worker itself is gone; the main thread tells it to every copy that it kept. */
  | { readonly kind: 'replayer-lost'; readonly copy: number; readonly fault: Fault }
  | { readonly kind: 'stopped' }
