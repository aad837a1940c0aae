import type { ErrorCode } from './error.ts'
import type { EventId } from './event-catalogue.ts'
import type { Announcement, BackupMark, CopiedLog, CopyReport, EnrolledCopy, Suspension } from './fact.ts'
import type { Generation, GenerationRange } from './generation.ts'
import type { RejectionReason } from './log-identity.ts'
import type { BackupSession, FinishedBackupFact } from './source/backup-session.ts'

/**
 * Orders are what has to be done, in the imperative. The orders of one step run in list order, and an order is idempotent.
 * "Awaited" below means that the next order starts only when this one's effect is durable.
 */
export type ReplicaOrder =
  /** Ask the source for these logs. Each ends in a `log-copied` or `copy-failed` of the same session. */
  | { readonly kind: 'copy-logs'; readonly session: number; readonly range: GenerationRange }
  /** Read what the copy's own log of this generation says that it is; ends in `log-identified` of the same session. */
  | { readonly kind: 'identify-log'; readonly session: number; readonly generation: Generation }
  /**
   * Ask the source once more for a log that is inspected already, only to compare; ends in `log-copied` or `copy-failed` of the same
   * session.
   */
  | { readonly kind: 'compare-log'; readonly session: number; readonly generation: Generation }
  /** Compare the bytes of a log in `inspector/` with those of the copy's own log; ends in `log-matched` of the same session. */
  | { readonly kind: 'match-log'; readonly session: number; readonly log: CopiedLog }
  /** Take a log that was compared out of `inspector/`. Awaited. */
  | { readonly kind: 'discard-log'; readonly log: CopiedLog }
  /** Make durable to which stream of the source the logs here belong; null for none. Awaited. */
  | { readonly kind: 'record-stream'; readonly stream: number | null }
  /**
   * Take logs that are other ones than those of the source, or may be, out of the log directory and keep them for the operator: the highest
   * first, each durably before the next, so that a crash leaves a run without a gap. One that is not there is none. Then as `check-store`,
   * with the same end.
   */
  | {
      readonly kind: 'set-aside-diverged'
      readonly session: number
      readonly range: GenerationRange
      /** Why, for the note beside each of them. */
      readonly detail: string
    }
  /** Give up all copying and inspecting, and touch the store no more. Awaited: returns when no I/O is left. */
  | { readonly kind: 'stop-copying' }
  /** Move these logs, whose chain was checked, from `inspector/` into the log directory, in ascending order, durably. */
  | { readonly kind: 'inspect-logs'; readonly session: number; readonly logs: readonly CopiedLog[] }
  /**
   * Open the database, making it when it is not there, and find out how far it is; ends in `database-opened` or `replay-failed`
   * of the same session. One that is open already is only told of.
   */
  | { readonly kind: 'open-database'; readonly session: number }
  /**
   * Redo these logs, in ascending order, into the open database; the first follows what is replayed. Tells `logs-replayed` at
   * least when the last is done, or `replay-failed`; both of the same session.
   */
  | { readonly kind: 'replay-logs'; readonly session: number; readonly range: GenerationRange }
  /**
   * Leave the database alone at the next boundary of a log, told by `replay-stopped`. Awaited: returns when no I/O on the
   * database is left.
   */
  | { readonly kind: 'stop-replaying' }
  /** Give the database up as a crash would: nothing more is written, and what is in memory only is lost. Awaited. */
  | { readonly kind: 'abandon-database' }
  /** Take a log that proved damaged after its inspection out of the log directory and keep it for the operator. Awaited. */
  | {
      readonly kind: 'set-aside-log'
      readonly generation: Generation
      /** How often this log decayed so far: 1 or 2. */
      readonly attempt: number
      readonly reason: RejectionReason
      readonly detail: string
    }
  /** Keep a refused log for the operator, with a note of why. Awaited. */
  | {
      readonly kind: 'quarantine-log'
      readonly log: CopiedLog
      readonly reason: RejectionReason
      readonly detail: string
    }
  /** Sweep `inspector/` and scan the log directory; ends in `store-checked` or `store-failed` of the same session. */
  | { readonly kind: 'check-store'; readonly session: number }
  /** Make the operator's will durable. Awaited. */
  | { readonly kind: 'record-suspension'; readonly suspension: Suspension | null }
  /** Tell the source how this copy stands. Only the latest report counts. */
  | { readonly kind: 'report-progress'; readonly report: CopyReport }
  | TruncateOrder
  | EventOrder
  | AnswerOrder
  | WakeOrder

/** What the source side can be told to do. */
export type SourceOrder =
  /** Tell every copy. Only the latest announcement counts. */
  | { readonly kind: 'announce'; readonly announcement: Announcement }
  /** Make a backup mark durable. Awaited. */
  | { readonly kind: 'record-mark'; readonly mark: BackupMark }
  /** Make durable that the logs were restored, with what holds of the new stream. Awaited. */
  | {
      readonly kind: 'record-restore'
      readonly stream: number
      readonly truncatedBelow: Generation
      readonly mark: BackupMark | null
    }
  /** Make an enrolment durable. Awaited: from then on the copy holds truncation. */
  | { readonly kind: 'record-enrolment'; readonly copy: EnrolledCopy }
  /** Let an enrolled copy subscribe: its enrolment is durable, so it holds truncation from its first log on. */
  | { readonly kind: 'accept-copy'; readonly copyId: string }
  /** Turn a copy away, and tell it why. */
  | { readonly kind: 'refuse-copy'; readonly copyId: string; readonly message: string }
  /** Make it durable that a copy no longer counts. Awaited. */
  | { readonly kind: 'record-disablement'; readonly copyId: string }
  /** Make durable how far truncation may go before the first file of it is deleted. Awaited. */
  | { readonly kind: 'record-truncation'; readonly below: Generation }
  /**
   * Settle which logs belong to the backup: the store closes its open log, and for a snapshot stands still from then on; ends in
   * `backup-prepared` or `backup-broken`. Where another program closes the logs, the newest closed one is the last.
   */
  | { readonly kind: 'prepare-backup'; readonly session: BackupSession }
  /**
   * Make durable that a backup has completed: a record in the log and the header of the database, or the journal; ends in
   * `backup-recorded` or `backup-broken`. A backup of the passive closes the log behind its record, so that it soon reaches the passive.
   */
  | { readonly kind: 'record-backup'; readonly session: number; readonly backup: FinishedBackupFact }
  /** A backup is given up: the store, which may stand still for it, goes on. */
  | { readonly kind: 'release-backup'; readonly session: number }
  /** Read the directory again, now. */
  | { readonly kind: 'scan-directory' }
  | TruncateOrder
  | EventOrder
  | AnswerOrder
  | WakeOrder

/** Delete these logs in ascending order; ends in `logs-deleted` or `deletion-failed`. */
export interface TruncateOrder {
  readonly kind: 'truncate-logs'
  readonly range: GenerationRange
}

/** Write an event to the event log. */
export interface EventOrder {
  readonly kind: 'raise-event'
  readonly id: EventId
  /** What the event's text names, in the order of its placeholders. */
  readonly values: readonly (string | number)[]
}

/** Answer the operator's request; `refusal` null means done. */
export interface AnswerOrder {
  readonly kind: 'answer-operator'
  readonly requestId: number
  readonly refusal: Refusal | null
  /** What a person should know although the request succeeded; `''` for nothing. */
  readonly remark: string
}

/** Why a request is refused, and what helps. */
export interface Refusal {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string
  /** The engine's number for it, where it has one. */
  readonly eseError?: number
}

/** Send `time-passed` at this time or soon after: milliseconds since 1970. The earliest wish wins. */
export interface WakeOrder {
  readonly kind: 'wake-at'
  readonly atMs: number
}
