import { type Generation, higherOf } from '../generation.ts'
import { copyQueueLength } from './replica-instance.ts'
import type { ReplicaState } from './replica-state.ts'

/** The summary that an operator reads first. Source: SummaryCopyStatus of Get-StorageGroupCopyStatus (SP1). */
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
  readonly initializing: boolean
  readonly resynchronizing: boolean
  readonly suspended: boolean
  readonly suspendComment: string
  /** Logs closed on the source and not yet copied and inspected. */
  readonly copyQueueLength: number
  /** Logs inspected and not yet replayed; 0 while the copy has no database. */
  readonly replayQueueLength: number
  readonly latestAvailableLogTimeMs: number | null
  readonly lastNotifiedLogTimeMs: number | null
  readonly lastCopiedLogTimeMs: number | null
  readonly lastInspectedLogTimeMs: number | null
  /** `generated ≥ notified ≥ copied ≥ inspected ≥ replayed`, always. */
  readonly lastLogGenerated: Generation
  readonly lastLogCopyNotified: Generation
  readonly lastLogCopied: Generation
  readonly lastLogInspected: Generation
  readonly lastLogReplayed: Generation
  /** Lowest log on the copy; 0 when it is empty. Not a field of Exchange. */
  readonly lowestLog: Generation
  /** Whether the source answers. Not a field of Exchange. */
  readonly connected: boolean
}

/** Reads the status out of a replica's state. */
export function copyStatus(state: ReplicaState): CopyStatus {
  const notified = higherOf(state.announcement.closedThrough, state.copied)
  const generated = higherOf(state.announcement.generated, notified)
  const initializing = state.phase === 'unstarted' || (state.phase === 'running' && !state.sawLog)
  return {
    storageGroup: state.name,
    summary: summaryOf(state),
    failed: state.failure !== null,
    failedMessage: state.failure?.message ?? '',
    initializing: initializing && state.failure === null && state.suspension === null,
    resynchronizing: state.phase === 'checking' && state.suspension === null,
    suspended: state.suspension !== null,
    suspendComment: state.suspension?.comment ?? '',
    copyQueueLength: copyQueueLength(state),
    replayQueueLength: 0,
    latestAvailableLogTimeMs: timeOrNull(state.announcement.logTimeMs),
    lastNotifiedLogTimeMs: timeOrNull(state.announcement.logTimeMs),
    lastCopiedLogTimeMs: timeOrNull(state.copiedTimeMs),
    lastInspectedLogTimeMs: timeOrNull(state.inspectedTimeMs),
    lastLogGenerated: generated,
    lastLogCopyNotified: notified,
    lastLogCopied: state.copied,
    lastLogInspected: state.inspected,
    lastLogReplayed: state.replayed,
    lowestLog: state.lowest,
    connected: state.connected,
  }
}

/** Precedence of the conditions that exist so far: Failed, Suspended, Resynchronizing, Initializing, Healthy. */
function summaryOf(state: ReplicaState): SummaryCopyStatus {
  if (state.failure !== null) return 'Failed'
  if (state.suspension !== null) return 'Suspended'
  if (state.phase === 'checking') return 'Resynchronizing'
  return state.phase === 'running' && state.sawLog ? 'Healthy' : 'Initializing'
}

function timeOrNull(ms: number): number | null {
  return ms === 0 ? null : ms
}
