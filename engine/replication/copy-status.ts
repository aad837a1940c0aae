import { type Generation, higherOf } from '../generation.ts'
import { outdatedRemark } from './divergence.ts'
import { type ReplayBatch, replayBatch, replayedThrough, replayQueueLength } from './replayer.ts'
import { copyQueueLength } from './replica-instance.ts'
import type { ReplicaState } from './replica-state.ts'
import { rtmStatus } from './rtm-status.ts'
import { lagRemark } from './standby-lag.ts'

/** The summary that an operator reads first. Source: SummaryCopyStatus of Get-StorageGroupCopyStatus (SP1; RTM has fewer). */
export type SummaryCopyStatus =
  | 'NotSupported'
  | 'Disabled'
  | 'NotConfigured'
  | 'ServiceDown'
  | 'Seeding'
  | 'Failed'
  | 'Suspended'
  | 'Resynchronizing'
  | 'Initializing'
  | 'Healthy'

/**
 * What Get-StorageGroupCopyStatus shows, with its field names in its order (SP1). Times are milliseconds since 1970 or null;
 * the edge prints them as ISO 8601. Fields without a meaning yet are absent here and printed empty at the edge.
 */
export interface CopyStatus {
  readonly storageGroup: string
  readonly summary: SummaryCopyStatus
  readonly failed: boolean
  readonly failedMessage: string
  /** Whether its database is being replaced by that of its source. */
  readonly seeding: boolean
  readonly initializing: boolean
  readonly resynchronizing: boolean
  readonly suspended: boolean
  readonly suspendComment: string
  /** Logs closed on the source and not yet copied and inspected. */
  readonly copyQueueLength: number
  /** Logs inspected and not yet replayed, on a standby target those on purpose too; 0 for a copy that keeps logs only. */
  readonly replayQueueLength: number
  readonly latestAvailableLogTimeMs: number | null
  readonly lastNotifiedLogTimeMs: number | null
  readonly lastCopiedLogTimeMs: number | null
  readonly lastInspectedLogTimeMs: number | null
  readonly lastReplayedLogTimeMs: number | null
  /** `generated ≥ notified ≥ copied ≥ inspected ≥ replayed`, always. */
  readonly lastLogGenerated: Generation
  readonly lastLogCopyNotified: Generation
  readonly lastLogCopied: Generation
  readonly lastLogInspected: Generation
  readonly lastLogReplayed: Generation
  /** How the batch stands that is being replayed. Counters of the performance object, not fields of the cmdlet. */
  readonly replayBatch: ReplayBatch
  /** First and last log that the database needs to recover, as its header says; null for a copy that keeps logs only. */
  readonly requiredLogs: { readonly low: Generation; readonly high: Generation } | null
  /** Lowest log on the copy; 0 when it is empty. Not a field of Exchange. */
  readonly lowestLog: Generation
  /** Whether the source answers. Not a field of Exchange. */
  readonly connected: boolean
  /** What the summary does not show and an operator should know; `''` for nothing. Not a field of Exchange. */
  readonly remark: string
}

/** Reads the status out of a replica's state, as its release shows it. */
export function copyStatus(state: ReplicaState): CopyStatus {
  const status = trueStatus(state)
  return state.release === 'rtm' ? rtmStatus(state, status) : status
}

/** The status of SP1, which hides nothing. */
function trueStatus(state: ReplicaState): CopyStatus {
  const notified = higherOf(state.announcement.closedThrough, state.copied)
  const generated = higherOf(state.announcement.generated, notified)
  const initializing = state.phase === 'unstarted' || (state.phase === 'running' && !state.sawLog)
  return {
    storageGroup: state.name,
    summary: summaryOf(state),
    failed: state.failure !== null,
    failedMessage: state.failure?.message ?? '',
    seeding: state.seeding !== null,
    initializing: initializing && state.failure === null && state.suspension === null,
    resynchronizing: isResynchronizing(state) && state.suspension === null,
    suspended: state.suspension !== null,
    suspendComment: state.suspension?.comment ?? '',
    copyQueueLength: copyQueueLength(state),
    replayQueueLength: replayQueueLength(state),
    latestAvailableLogTimeMs: timeOrNull(state.announcement.logTimeMs),
    lastNotifiedLogTimeMs: timeOrNull(state.announcement.logTimeMs),
    lastCopiedLogTimeMs: timeOrNull(state.copiedTimeMs),
    lastInspectedLogTimeMs: timeOrNull(state.inspectedTimeMs),
    lastReplayedLogTimeMs: timeOrNull(state.database?.progress.logTimeMs ?? 0),
    lastLogGenerated: generated,
    lastLogCopyNotified: notified,
    lastLogCopied: state.copied,
    lastLogInspected: state.inspected,
    lastLogReplayed: replayedThrough(state),
    replayBatch: replayBatch(state),
    requiredLogs: requiredLogs(state),
    lowestLog: state.lowest,
    connected: state.connected,
    remark: outdatedRemark(state) || lagRemark(state),
  }
}

/** Precedence of the conditions that exist so far: Seeding, Failed, Suspended, Resynchronizing, Initializing, Healthy. */
function summaryOf(state: ReplicaState): SummaryCopyStatus {
  if (state.seeding !== null) return 'Seeding'
  if (state.failure !== null) return 'Failed'
  if (state.suspension !== null) return 'Suspended'
  if (isResynchronizing(state)) return 'Resynchronizing'
  return state.phase === 'running' && state.sawLog ? 'Healthy' : 'Initializing'
}

/** The store is looked at, or compared with the source. */
function isResynchronizing({ phase, look }: ReplicaState): boolean {
  return phase === 'checking' || look === 'asked'
}

function requiredLogs({ database }: ReplicaState): CopyStatus['requiredLogs'] {
  return database === null ? null : { low: database.progress.requiredLow, high: database.progress.requiredHigh }
}

function timeOrNull(ms: number): number | null {
  return ms === 0 ? null : ms
}
