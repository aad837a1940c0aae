import type { ErrorCode } from './error.ts'
import type { Generation, GenerationRange } from './generation.ts'
import type { LogIdentity, Rejection } from './log-identity.ts'
import type { BackupHistory, BackupRequest } from './source/backup-session.ts'

/**
 * Facts are what happened, in the past tense. Each carries `nowMs`: milliseconds since 1970 (UTC) when it was noticed; the
 * engine has no other clock. Facts about work that was ordered carry the `session` of the order, so that what comes late,
 * from before a suspension or a restart of the instance, is told apart and ignored.
 */
interface Noticed {
  readonly nowMs: number
}

/** What went wrong outside, in the closed vocabulary of errors. */
export interface Fault {
  readonly code: ErrorCode
  readonly message: string
}

/**
 * Why a replay, or the opening of a database, ended. The number decides what helps: another try, another copy of the log, or
 * a seed.
 */
export interface ReplayFault extends Fault {
  /** ESE's error number, below 0; 0 for a fault that ESE has no number for, such as a worker that was lost. */
  readonly eseError: number
  /** The log that was being replayed; 0 when none was. */
  readonly generation: Generation
}

/** How far the database of a copy is. */
export interface DatabaseProgress {
  /**
   * Everything through this generation is redone, in the file or in memory; never below `requiredLow` − 1, which is what a
   * crash leaves. 0 when nothing is.
   */
  readonly replayedThrough: Generation
  /** When the source closed the log `replayedThrough`: milliseconds since 1970; 0 when that is not known. */
  readonly logTimeMs: number
  /**
   * Durable in the header: changes of all earlier generations are in the file, and this one is the first that recovery needs.
   * 1 for a database that is not made yet: it is built from the first log on.
   */
  readonly requiredLow: Generation
  /** Durable in the header: no change of a later generation is in the file. 0 when there is none. */
  readonly requiredHigh: Generation
}

/** A log whose bytes lie, synced, in `inspector/`, together with what the inspector found in them. */
export interface CopiedLog {
  readonly generation: Generation
  /** File name at the source; checked against the format's parser before this fact is made. */
  readonly name: string
  /** File name in `inspector/`, unique to this attempt. */
  readonly arrivingName: string
  readonly identity: LogIdentity
  /** When the source closed the log: milliseconds since 1970. */
  readonly logTimeMs: number
  /** Null when header, body, name and transfer checksum are sound. */
  readonly rejection: Rejection | null
}

/** What a scan found in the log directory of a copy. */
export interface StoreContents {
  /** The contiguous run of inspected logs that the copy goes on from, or null for an empty copy. */
  readonly run: GenerationRange | null
  /** The highest log that lies above the run, beyond a gap; nothing lies there when absent. */
  readonly above?: Generation
  /** Identity of the log at `run.last`, or null for an empty copy. */
  readonly identity: LogIdentity | null
  /** Log time of the log at `run.last` in milliseconds since 1970; 0 for an empty copy. */
  readonly logTimeMs: number
  /** Log times of the logs in `run`, ascending, for a standby target, which needs them; all are as new as the newest where absent. */
  readonly logTimes?: readonly { readonly generation: Generation; readonly logTimeMs: number }[]
}

/** Suspension as an operator asked for it; survives restarts and reboots. */
export interface Suspension {
  readonly comment: string
  readonly sinceMs: number
  /**
   * What was inspected, durable, when the copy was suspended. Kept because a suspended copy is not even read: after a restart
   * the status and the gate of the source rest on this value until Resume looks at the disk again.
   */
  readonly inspected: Generation
  readonly inspectedTimeMs: number
  /** How far the database was known to be then, for the same reason; null for a copy that keeps logs only. */
  readonly database: DatabaseProgress | null
}

/** Everything that can happen to the holding side of one copy. */
export type ReplicaFact =
  | (Noticed & {
      readonly kind: 'copy-started'
      /** Null when the copy is suspended: then its store is not read before Resume. */
      readonly contents: StoreContents | null
      readonly suspension: Suspension | null
      /**
       * Stream of the source that the logs here were last known to belong to, as the journal has it; 0 for one never restored, null when
       * they were known to belong to none.
       */
      readonly stream: number | null
    })
  /** The store of a new copy was made for a source whose logs are replayed: from now on the copy has a database. */
  | (Noticed & { readonly kind: 'database-wanted' })
  | (Noticed & { readonly kind: 'store-checked'; readonly session: number; readonly contents: StoreContents })
  | (Noticed & { readonly kind: 'store-failed'; readonly session: number; readonly fault: Fault })
  | (Noticed & { readonly kind: 'source-connected' })
  | (Noticed & { readonly kind: 'source-lost'; readonly fault: Fault })
  | (Noticed & { readonly kind: 'source-refused'; readonly fault: Fault })
  | (Noticed & { readonly kind: 'logs-announced'; readonly announcement: Announcement })
  | (Noticed & { readonly kind: 'log-copied'; readonly session: number; readonly log: CopiedLog })
  | (Noticed & {
      readonly kind: 'copy-failed'
      readonly session: number
      readonly generation: Generation
      readonly fault: Fault
    })
  /** What the copy's own log says that it is; null when it is not there or cannot be read. */
  | (Noticed & {
      readonly kind: 'log-identified'
      readonly session: number
      readonly generation: Generation
      readonly identity: LogIdentity | null
    })
  /** `isSame` is true as well where the copy's own log does not verify: decay is no other history. */
  | (Noticed & {
      readonly kind: 'log-matched'
      readonly session: number
      readonly log: CopiedLog
      readonly isSame: boolean
    })
  | (Noticed & { readonly kind: 'logs-inspected'; readonly session: number; readonly range: GenerationRange })
  | (Noticed & { readonly kind: 'inspection-failed'; readonly session: number; readonly fault: Fault })
  /** The database can be replayed into; one that is not there counts as one that is not made yet. */
  | (Noticed & {
      readonly kind: 'database-opened'
      readonly session: number
      readonly progress: DatabaseProgress
    })
  /** The batch that was ordered is done, or part of it: then more of these follow. */
  | (Noticed & { readonly kind: 'logs-replayed'; readonly session: number; readonly progress: DatabaseProgress })
  /** Pages were written to the file, so that fewer logs are required; no log was replayed meanwhile. */
  | (Noticed & { readonly kind: 'checkpoint-moved'; readonly session: number; readonly progress: DatabaseProgress })
  /** The opening of the database or the batch that was ordered ended before its time. */
  | (Noticed & { readonly kind: 'replay-failed'; readonly session: number; readonly fault: ReplayFault })
  /** After `stop-replaying`: this far the database came before it was left alone, at the boundary of a log. */
  | (Noticed & { readonly kind: 'replay-stopped'; readonly progress: DatabaseProgress })
  | (Noticed & { readonly kind: 'logs-deleted'; readonly range: GenerationRange; readonly alreadyMissing: number })
  | (Noticed & { readonly kind: 'deletion-failed'; readonly range: GenerationRange; readonly fault: Fault })
  | (Noticed & { readonly kind: 'operator-suspended'; readonly requestId: number; readonly comment: string | null })
  | (Noticed & { readonly kind: 'operator-resumed'; readonly requestId: number })
  /** Somebody is about to copy the files of the copy: they have to be left alone until `operator-thawed`. */
  | (Noticed & { readonly kind: 'operator-froze'; readonly requestId: number })
  | (Noticed & { readonly kind: 'operator-thawed'; readonly requestId: number })
  /** An operator wants the database of a suspended copy replaced by that of its source. */
  | (Noticed & { readonly kind: 'operator-began-seed'; readonly requestId: number })
  /** The source keeps every log from `from` on for the seed, and the files of the copy may be touched from now on. */
  | (Noticed & { readonly kind: 'seed-pinned'; readonly from: Generation })
  /** The database is another one, in its place and durable: nothing is here that it needs. */
  | (Noticed & {
      readonly kind: 'seed-completed'
      /** The logs that it needs, both ends included, by its header. */
      readonly required: GenerationRange
      /** Stream of the source that it was read from. */
      readonly stream: number
      /** Whether the copy is resumed; it stays suspended else. */
      readonly resumes: boolean
    })
  /** It came to nothing; or, without a fault, the database was put elsewhere, and nothing of the copy was touched. */
  | (Noticed & { readonly kind: 'seed-ended'; readonly fault: Fault | null })
  | (Noticed & { readonly kind: 'time-passed' })

/** What the source tells its copies, and tells again whenever it changes. */
export interface Announcement {
  /** Lowest closed generation on the source; 0 when it holds none. */
  readonly lowest: Generation
  /** Highest generation below which no closed log is missing, counted from `lowest`; what a copy may ask for. */
  readonly closedThrough: Generation
  /** Highest closed generation, whether or not one below it is missing: `LastLogGenerated`. */
  readonly generated: Generation
  /** A log that is missing although higher ones exist, once the source is sure of it; 0 for none. */
  readonly missing: Generation
  /** Logs below this have been truncated on the source and may go from the copy; 0 when nothing was truncated yet. */
  readonly truncatedBelow: Generation
  /** Log time of `generated` in milliseconds since 1970; 0 when there is none. */
  readonly logTimeMs: number
  /**
   * Number of the stream that these logs are: 0 at first, one more with each restore after which not all logs are what they
   * were, and with each change of roles. Generations of two streams do not mean the same logs.
   */
  readonly stream: number
  /** Where a change of roles began the stream; absent for any other. */
  readonly takenOver?: TakenOver
}

/** What a source had when it became the active in the place of another node. */
export interface TakenOver {
  /**
   * The newest log. As long as that is the newest generated one, the source has written nothing of its own, and nobody can see where another
   * stream parts from it.
   */
  readonly after: Generation
  /** What of the streams before is here: those that led to this one, as far as they are known, at most {@link SHARED_STREAMS_MAX}. */
  readonly shares: readonly SharedStream[]
}

/** Another stream, the logs of which are those of the present one up to a log. */
export interface SharedStream {
  readonly stream: number
  readonly through: Generation
}

/** Streams that a source knows to share logs with: more changes of roles than a copy is away for. */
export const SHARED_STREAMS_MAX = 64

/** How a copy stands, as it tells its source. The source believes the latest report, also when it says less than before. */
export interface CopyReport {
  readonly inspected: Generation
  /** Everything through here is replayed; 0 for a copy that keeps logs only. */
  readonly replayed: Generation
  /**
   * The first log that the copy's database needs to recover, durable: everything below it may go as far as the database is
   * concerned. 0 while that is not known; null for a copy that keeps logs only.
   */
  readonly requiredLow: Generation | null
  readonly condition: CopyCondition
  /**
   * The source's stream that all of this is about, seen with the copy's own eyes since the source announced it; null when its logs
   * are known to belong to no stream of the source. The source lets no log go on the word of a report about another stream.
   */
  readonly stream: number | null
  /** Since when the condition holds: milliseconds since 1970. */
  readonly sinceMs: number
  /** `scr` for a standby target, which holds its source by what it has not inspected alone; absent for any other copy. */
  readonly kind?: 'scr'
}

/** The conditions of a copy that its source distinguishes when it explains what holds a log. */
export type CopyCondition = 'running' | 'suspended' | 'failed'

/** Everything that can happen to the source side of one storage group. */
export type SourceFact =
  | (Noticed & {
      readonly kind: 'share-started'
      readonly enrolled: readonly EnrolledCopy[]
      /** Identifiers of copies that an operator disabled; they are turned away. */
      readonly disabled: readonly string[]
      readonly mark: BackupMark | null
      readonly truncatedBelow: Generation
      /** Backups that the journal keeps; those of a mailbox store come with `backups-known`. */
      readonly history?: BackupHistory
      /** The number of the stream, as the journal has it: one more with each restore and each change of roles. */
      readonly stream: number
      readonly takenOver?: TakenOver
    })
  | (Noticed & { readonly kind: 'directory-scanned'; readonly closed: ClosedLogs })
  | (Noticed & { readonly kind: 'directory-lost'; readonly fault: Fault })
  /**
   * The logs were replaced by those of a backup, and not all that were closed before are there still. A restore that goes forward
   * to the newest log leaves them as they were, and is not told. No deletion is under way.
   */
  | (Noticed & {
      readonly kind: 'stream-restored'
      readonly closed: ClosedLogs
      /** What the restored state says of truncation and backups: usually nothing, that is 0 and null. */
      readonly truncatedBelow: Generation
      readonly mark: BackupMark | null
    })
  | (Noticed & { readonly kind: 'copy-enrolled'; readonly copy: EnrolledCopy })
  | (Noticed & { readonly kind: 'copy-reported'; readonly copyId: string; readonly report: CopyReport })
  | (Noticed & { readonly kind: 'copy-lost'; readonly copyId: string })
  | (Noticed & { readonly kind: 'copy-disabled'; readonly copyId: string; readonly requestId: number })
  | (Noticed & { readonly kind: 'backup-completed'; readonly through: Generation; readonly requestId: number })
  | BackupFact
  /** The mailbox store of the active says, durably, that its database needs no log before this one to recover. */
  | (Noticed & { readonly kind: 'store-checkpointed'; readonly required: Generation })
  | (Noticed & { readonly kind: 'logs-deleted'; readonly range: GenerationRange; readonly alreadyMissing: number })
  | (Noticed & { readonly kind: 'deletion-failed'; readonly range: GenerationRange; readonly fault: Fault })
  | (Noticed & { readonly kind: 'time-passed' })

/** What happens to a backup; facts about the one under way carry its `session`, and any other is ignored. */
export type BackupFact =
  /** Somebody wants a backup; the answer comes when the session stands. */
  | (Noticed & { readonly kind: 'backup-asked'; readonly requestId: number; readonly request: BackupRequest })
  /** The database is copied, or is to be frozen: which logs belong to the backup has to be settled; ends in `backup-prepared`. */
  | (Noticed & { readonly kind: 'backup-logs-wanted'; readonly requestId: number; readonly session: number })
  /** The log was rolled, and for a snapshot the store is frozen: `closed` is the last log of the backup. */
  | (Noticed & {
      readonly kind: 'backup-prepared'
      readonly session: number
      readonly closed: Generation
      /** The first log that the database of the active needed then; 0 where no database says so. */
      readonly checkpoint: Generation
    })
  /** The freeze has ended, by itself when it lasted too long. */
  | (Noticed & {
      readonly kind: 'backup-thawed'
      readonly session: number
      readonly frozenMs: number
      readonly timedOut: boolean
    })
  /** Whoever takes a backup of a passive copy is still at it. */
  | (Noticed & { readonly kind: 'backup-continued'; readonly session: number })
  /** Whoever took the backup says how it ended. `logsRead` is false when not all logs of a streaming one were read. */
  | (Noticed & {
      readonly kind: 'backup-ended'
      readonly requestId: number
      readonly session: number
      readonly outcome: 'completed' | 'aborted'
      readonly logsRead: boolean
      /** Why it was given up, as one clause; `''` when it completed. */
      readonly reason: string
    })
  /** The backup stands durably in the header of the database, or in the journal. */
  | (Noticed & { readonly kind: 'backup-recorded'; readonly session: number })
  /** The service that did its part of the backup has ended or failed: nothing comes of it any more. */
  | (Noticed & { readonly kind: 'backup-broken'; readonly session: number; readonly fault: Fault })
  /** The header of the active's database says which backups there were; told when the store opens. */
  | (Noticed & { readonly kind: 'backups-known'; readonly history: BackupHistory })

/** What a scan, or an event that it confirmed, says of the source's log directory. Zeros when no closed log is there. */
export interface ClosedLogs {
  readonly lowest: Generation
  readonly closedThrough: Generation
  readonly generated: Generation
  readonly logTimeMs: number
}

/** A copy that has introduced itself and holds truncation from then on, until it is disabled. */
export interface EnrolledCopy {
  /** Made once when the store of the copy is created; 32 hexadecimal digits. */
  readonly copyId: string
  /** What people call it: the host name and store path of the copy. */
  readonly label: string
}

/** "Backed up through this generation", told by a backup product. */
export interface BackupMark {
  readonly through: Generation
  readonly atMs: number
}
