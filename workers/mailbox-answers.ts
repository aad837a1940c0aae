import type { BackupSlots } from '../engine/database/backup-slot.ts'
import { formatDatabaseState } from '../engine/database/database-state.ts'
import {
  type Outcome,
  outcomeOf,
  type Refusal,
  type SessionScript,
  type TransactionOutcome,
} from '../engine/database/mailbox-session.ts'
import type { StoreEngine } from '../engine/database/store-engine.ts'
import type { ListedMessage } from '../engine/database/store-reading.ts'
import type { Work } from '../engine/database/work.ts'
import { ReplicationError } from '../engine/error.ts'
import type { StoreOpening } from './mailbox-opening.ts'
import type { MaintenanceStatus } from './maintenance-runner.ts'

/** What became of a transaction: durable, or refused and nothing of it there. */
export type TransactionResult =
  | { readonly committed: true }
  | { readonly committed: false; readonly code: Refusal['code'] | 'STORE_UNAVAILABLE'; readonly message: string }

/** Which messages of a mailbox are wanted. */
export interface ListQuery {
  readonly mailbox: number
  /** Only messages above this number; -1 for all. */
  readonly after: number
  readonly limit: number
}

/** Some messages of a mailbox, ascending. */
export interface MessageList {
  readonly messages: readonly ListedMessage[]
  /** Whether there are more behind the last. */
  readonly more: boolean
}

/** How an open store stands. */
export interface MailboxStatus {
  readonly openGeneration: number
  /** The generation that the checkpoint lies in. */
  readonly checkpointGeneration: number
  /** The first log that the database needs to recover. */
  readonly lowestRequired: number
  /** As the durable header says it: `Log Required` from low to high, `Log Committed` up to committed. */
  readonly requiredLogs: { readonly low: number; readonly high: number; readonly committed: number }
  /** How many generations changes are held back from the database file. */
  readonly waypointDepth: number
  readonly databaseState: string
  /** The highest page that is in use. */
  readonly databasePages: number
  readonly cacheBytes: number
  readonly dbtime: number
  /** Transactions since the start of the store. */
  readonly committed: number
  readonly refused: number
  readonly opening: StoreOpening
  readonly maintenance: MaintenanceStatus
  readonly backups: BackupSlots
}

/** A request that comes while a store takes none. */
export function unavailable(why: string, cause?: ReplicationError): ReplicationError {
  return new ReplicationError({
    code: 'STORE_UNAVAILABLE',
    message: `the store takes no request: ${why}${cause === undefined ? '' : `: ${cause.message}`}`,
    hint: 'Look at its state with GET /api/v1/stores, and try again when it is running.',
    cause,
  })
}

/** What is told of a transaction, after its outcome; undefined where it was not begun. */
export function resultOf(outcome: TransactionOutcome | undefined): TransactionResult {
  if (outcome === undefined)
    return { committed: false, code: 'STORE_UNAVAILABLE', message: 'the store is stopping, and made no further one' }
  return outcome.outcome === 'committed' ? { committed: true } : { committed: false, ...outcome.refusal }
}

/** What a read has found. Errors: `PAGE_REJECTED`. */
export function found<Answer>(outcome: Outcome<Answer>): Answer {
  if (outcome.state === 'done') return outcome.answer
  throw new ReplicationError({
    code: 'PAGE_REJECTED',
    message: `page ${outcome.page} is damaged: ${outcome.detail} (-1018)`,
    hint: 'Check the disk, and restore the database from a backup; a passive copy has the page whole.',
    fields: { page: outcome.page },
  })
}

/** A store that has a transaction which can neither be made nor undone. */
export function cannotUndo({ message }: Refusal): ReplicationError {
  return new ReplicationError({
    code: 'PAGE_REJECTED',
    message: `a transaction was refused and could not be undone: ${message}`,
    hint: 'The store is started again, and recovers; when that fails too, restore the database from a backup.',
  })
}

/** A comparison of pages that cannot be made now. */
export function digestRefused(why: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `the pages of the store cannot be compared: ${why}`,
    hint: 'Compare again when no other comparison is under way.',
  })
}

/** A script of one operation. */
export function* oneOperation<Answer>(work: () => Work<Answer>): SessionScript<Outcome<Answer>> {
  return yield* outcomeOf(work())
}

/** What the engine of a store says of its logs and its database. */
export function standingOf(
  store: StoreEngine,
): Pick<
  MailboxStatus,
  'openGeneration' | 'checkpointGeneration' | 'lowestRequired' | 'requiredLogs' | 'databaseState'
> {
  const { header, checkpoint, openGeneration, lowestRequired } = store
  const { minRequired: low, maxRequired: high, maxCommitted: committed } = header.required
  return {
    openGeneration,
    checkpointGeneration: checkpoint.checkpoint.generation,
    lowestRequired,
    requiredLogs: { low, high, committed },
    databaseState: formatDatabaseState(header.state),
  }
}
