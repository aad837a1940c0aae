import type { BackupSlots } from '../engine/database/backup-slot.ts'
import type { MailboxTransaction } from '../engine/database/mailbox-session.ts'
import type { PageDigest } from '../engine/database/page-digest.ts'
import type { MessageName } from '../engine/database/store-layout.ts'
import type { ErrorDocument } from '../engine/error.ts'
import type { EventId } from '../engine/event-catalogue.ts'
import type { Generation } from '../engine/generation.ts'
import type { StoreNames } from '../storage/store-places.ts'
import type { ListQuery, MailboxStatus, MessageList, TransactionResult } from './mailbox-answers.ts'
import type { StoreOpening } from './mailbox-opening.ts'
import type { MailboxSettings } from './mailbox-start.ts'
import type { MaintenanceStatus } from './maintenance-runner.ts'
import type { BackupBeginning, BackupBegun, BackupEnded, BackupEnding, BackupPrepared } from './store-backups.ts'
import type { StoreFrozen, StoreThawed } from './store-freeze.ts'

/** A store to be started. The main thread holds its lock. */
export interface OwnedStore extends StoreNames {
  readonly mustExist: boolean
  readonly settings: MailboxSettings
  readonly ignoreLostLogs: boolean
}

/** What is asked of a store that runs. */
export type StoreQuery =
  | { readonly ask: 'transact'; readonly transactions: readonly MailboxTransaction[] }
  | { readonly ask: 'read'; readonly name: MessageName }
  | { readonly ask: 'list'; readonly query: ListQuery }
  | { readonly ask: 'roll' }
  | { readonly ask: 'status' }
  /** Digest all pages as they are at the end of this log, which is closed for it. */
  | { readonly ask: 'begin-digest'; readonly through: Generation }
  | { readonly ask: 'next-digests' }
  | { readonly ask: 'end-digest' }
  /** Open a window of maintenance now, for so many milliseconds. */
  | { readonly ask: 'maintain'; readonly durationMs: number }
  | BackupQuery

/** What a backup asks of a store, in this order: begin; prepare, or freeze and thaw, or neither for one of the copy; end. */
type BackupQuery =
  | ({ readonly ask: 'begin-backup' } & BackupBeginning)
  | { readonly ask: 'prepare-backup' }
  /** For at most so many milliseconds. */
  | { readonly ask: 'freeze'; readonly boundMs: number }
  | { readonly ask: 'thaw' }
  | ({ readonly ask: 'end-backup' } & BackupEnding)

/** The answer to each. */
export interface StoreAnswers {
  readonly transact: readonly TransactionResult[]
  readonly read: Uint8Array | null
  readonly list: MessageList
  readonly roll: Generation
  readonly status: MailboxStatus
  readonly 'begin-digest': null
  /** Null behind the last. */
  readonly 'next-digests': readonly PageDigest[] | null
  readonly 'end-digest': null
  readonly maintain: MaintenanceStatus
  readonly 'begin-backup': BackupBegun
  readonly 'prepare-backup': BackupPrepared
  readonly freeze: StoreFrozen
  readonly thaw: StoreThawed
  readonly 'end-backup': BackupEnded
}

/** Main thread → store worker, which owns one store. */
export type StoreCommand =
  /** Start the store: it was never started, or has failed. Answered by `store-opened` or `store-failed`. */
  | { readonly kind: 'open-store'; readonly store: OwnedStore }
  /** Answered by `answered` or `refused` with the number of the request, unless the store fails. */
  | { readonly kind: 'request'; readonly request: number; readonly query: StoreQuery }
  /** The lock was lost: nothing more may be written. */
  | { readonly kind: 'abandon-store'; readonly error: ErrorDocument }
  /** Stop the store in order, where one runs; another one may be started. Answered by `store-closed`, or `store-failed`. */
  | { readonly kind: 'close-store' }
  /** Stop the store in order, then end. */
  | { readonly kind: 'stop' }

/** Store worker → main thread. */
export type StoreReport =
  | { readonly kind: 'store-opened'; readonly opening: StoreOpening }
  /** The store has ended, or could not be started; its files are closed. No request that came before is answered any more. */
  | { readonly kind: 'store-failed'; readonly error: ErrorDocument }
  /** The store was stopped, as wanted. */
  | { readonly kind: 'store-closed' }
  /** The first log that the database needs, durably; also once after the store was opened. */
  | { readonly kind: 'log-required'; readonly first: Generation }
  /** What the header remembers of backups, durably; once after the store was opened, and after each change. */
  | { readonly kind: 'backups-changed'; readonly slots: BackupSlots }
  /** The bound of a freeze has passed, and the store goes on. */
  | { readonly kind: 'freeze-timed-out'; readonly frozenMs: number }
  /** Told once for each page. */
  | { readonly kind: 'page-bad'; readonly page: number; readonly detail: string }
  | { readonly kind: 'event-raised'; readonly id: EventId; readonly values: readonly (string | number)[] }
  | { readonly kind: 'answered'; readonly request: number; readonly answer: StoreAnswers[keyof StoreAnswers] }
  | { readonly kind: 'refused'; readonly request: number; readonly error: ErrorDocument }
  | { readonly kind: 'stopped' }
