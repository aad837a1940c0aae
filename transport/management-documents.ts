import type { CopyCondition } from '../engine/fact.ts'
import type { GenerationRange } from '../engine/generation.ts'
import type { LogFormat } from '../engine/log-format.ts'
import type { CopyStatus, SummaryCopyStatus } from '../engine/replication/copy-status.ts'
import { explainInWords, type HeldBecause, type TruncationExplanation } from '../engine/source/explain-truncation.ts'
import type { SourceCopy, SourceState } from '../engine/source/source-state.ts'

/**
 * A copy's status as the API tells it: the fields of Get-StorageGroupCopyStatus under Exchange's names and in its order, then
 * ours. Generations are integers, times ISO 8601 (UTC) or null. Source: Microsoft aa997246.
 */
export interface CopyStatusDocument {
  readonly Identity: string
  readonly StorageGroupName: string
  readonly SummaryCopyStatus: SummaryCopyStatus
  readonly NotSupported: boolean
  readonly NotConfigured: boolean
  readonly Disabled: boolean
  readonly ServiceDown: boolean
  readonly Failed: boolean
  readonly Initializing: boolean
  readonly Resynchronizing: boolean
  readonly Seeding: boolean
  readonly Suspend: boolean
  readonly CCRTargetNode: string
  readonly FailedMessage: string
  readonly SuspendComment: string
  readonly CopyQueueLength: number
  readonly ReplayQueueLength: number
  readonly LatestAvailableLogTime: string | null
  readonly LastCopyNotificationedLogTime: string | null
  readonly LastCopiedLogTime: string | null
  readonly LastInspectedLogTime: string | null
  readonly LastReplayedLogTime: string | null
  readonly LastLogGenerated: number
  readonly LastLogCopyNotified: number
  readonly LastLogCopied: number
  readonly LastLogInspected: number
  readonly LastLogReplayed: number
  readonly LatestFullBackupTime: string | null
  readonly LatestIncrementalBackupTime: string | null
  readonly LatestDifferentialBackupTime: string | null
  readonly LatestCopyBackupTime: string | null
  readonly SnapshotBackup: boolean | null
  readonly SnapshotLatestFullBackup: boolean | null
  readonly SnapshotLatestIncrementalBackup: boolean | null
  readonly SnapshotLatestDifferentialBackup: boolean | null
  readonly SnapshotLatestCopyBackup: boolean | null
  readonly OutstandingDumpsterRequests: readonly string[]
  readonly DumpsterServersNotAvailable: string
  readonly DumpsterStatistics: readonly string[]
  readonly IsValid: boolean
  readonly ObjectState: 'Unchanged'
  /** Lowest log on the copy; 0 when it is empty. Ours. */
  readonly LowestLog: number
  /** Whether the source answers. Ours. */
  readonly SourceConnected: boolean
  /** First log that the copy's database needs to recover; 0 while that is not known, null for a copy without one. Ours. */
  readonly LowestRequiredLog: number | null
  /** Last log of which the file of the database may hold changes. Ours. */
  readonly HighestRequiredLog: number | null
  /** What the summary does not show and an operator should know; `''` for nothing. */
  readonly Remark: string
}

/** A source's storage group with what the source knows of its directory. */
export interface SharedGroup {
  readonly state: SourceState
  readonly directory: string
  readonly format: LogFormat
}

/** A share as the API tells it. */
export interface ShareStatus {
  readonly name: string
  readonly directory: string
  readonly format: LogFormat
  /** False while the log directory is not there or was not read yet; the numbers are then those of before. */
  readonly directoryRead: boolean
  readonly lowest: number
  readonly closedThrough: number
  readonly generated: number
  /** A log that is missing below higher ones; 0 for none. */
  readonly missing: number
  readonly truncatedBelow: number
  /** What went wrong at the last deletion; `''` when nothing did. */
  readonly truncateFailure: string
  readonly mark: { readonly through: number; readonly time: string | null } | null
  readonly copies: readonly SharedCopy[]
}

/** A copy as its source sees it. `condition` is null until it has reported since the source started. */
interface SharedCopy {
  readonly copyId: string
  readonly label: string
  readonly condition: CopyCondition | null
  readonly connected: boolean
  readonly inspected: number
  readonly replayed: number
  /** First log that the database of the copy needs; null for a copy that keeps logs only. */
  readonly requiredLow: number | null
  readonly sinceTime: string | null
  readonly lastReportTime: string | null
}

/** Why each closed log is still on the source; {@link TruncationExplanation} with times as text and each run in words. */
export interface TruncationDocument extends Omit<TruncationExplanation, 'held'> {
  readonly held: readonly HeldDocument[]
}

/** A run of logs, the rules that hold each of them, and the same as a sentence. */
interface HeldDocument {
  readonly range: GenerationRange
  readonly reasons: readonly (Omit<HeldBecause, 'sinceMs'> & { readonly sinceTime: string | null })[]
  readonly text: string
}

/** Tells a copy's status; `server` is the name of the machine that holds it. */
export function copyStatusDocument(status: CopyStatus, server: string): CopyStatusDocument {
  return {
    Identity: `${server}\\${status.storageGroup}`,
    StorageGroupName: status.storageGroup,
    SummaryCopyStatus: status.summary,
    NotSupported: false,
    NotConfigured: false,
    Disabled: false,
    ServiceDown: false,
    Failed: status.failed,
    Initializing: status.initializing,
    Resynchronizing: status.resynchronizing,
    Seeding: status.seeding,
    Suspend: status.suspended,
    CCRTargetNode: server,
    FailedMessage: status.failedMessage,
    SuspendComment: status.suspendComment,
    CopyQueueLength: status.copyQueueLength,
    ReplayQueueLength: status.replayQueueLength,
    LatestAvailableLogTime: timeText(status.latestAvailableLogTimeMs),
    LastCopyNotificationedLogTime: timeText(status.lastNotifiedLogTimeMs),
    LastCopiedLogTime: timeText(status.lastCopiedLogTimeMs),
    LastInspectedLogTime: timeText(status.lastInspectedLogTimeMs),
    LastReplayedLogTime: timeText(status.lastReplayedLogTimeMs),
    LastLogGenerated: status.lastLogGenerated,
    LastLogCopyNotified: status.lastLogCopyNotified,
    LastLogCopied: status.lastLogCopied,
    LastLogInspected: status.lastLogInspected,
    LastLogReplayed: status.lastLogReplayed,
    ...WITHOUT_DATABASE,
    IsValid: true,
    ObjectState: 'Unchanged',
    LowestLog: status.lowestLog,
    SourceConnected: status.connected,
    LowestRequiredLog: status.requiredLogs?.low ?? null,
    HighestRequiredLog: status.requiredLogs?.high ?? null,
    Remark: status.remark,
  }
}

/** What a copy without a database and a transport dumpster has to say of them. */
const WITHOUT_DATABASE = {
  LatestFullBackupTime: null,
  LatestIncrementalBackupTime: null,
  LatestDifferentialBackupTime: null,
  LatestCopyBackupTime: null,
  SnapshotBackup: null,
  SnapshotLatestFullBackup: null,
  SnapshotLatestIncrementalBackup: null,
  SnapshotLatestDifferentialBackup: null,
  SnapshotLatestCopyBackup: null,
  OutstandingDumpsterRequests: [],
  DumpsterServersNotAvailable: '',
  DumpsterStatistics: [],
} as const

/** Tells a share's status. */
export function shareStatus({ state, directory, format }: SharedGroup): ShareStatus {
  const { closed, mark } = state
  return {
    name: state.name,
    directory,
    format,
    directoryRead: closed !== null,
    lowest: closed?.lowest ?? 0,
    closedThrough: closed?.closedThrough ?? 0,
    generated: state.generated,
    missing: state.announced?.missing ?? 0,
    truncatedBelow: state.truncatedBelow,
    truncateFailure: state.truncateFailure,
    mark: mark === null ? null : { through: mark.through, time: timeText(mark.atMs) },
    copies: state.copies.map(sharedCopy),
  }
}

function sharedCopy({ copyId, label, connected, report, lastReportMs }: SourceCopy): SharedCopy {
  return {
    copyId,
    label,
    condition: report?.condition ?? null,
    connected,
    inspected: report?.inspected ?? 0,
    replayed: report?.replayed ?? 0,
    requiredLow: report?.requiredLow ?? null,
    sinceTime: timeText(report?.sinceMs ?? null),
    lastReportTime: timeText(lastReportMs),
  }
}

/** Tells an explanation of truncation. */
export function truncationDocument(explanation: TruncationExplanation): TruncationDocument {
  const held = explanation.held.map((run) => ({
    range: run.range,
    reasons: run.reasons.map(({ sinceMs, ...reason }) => ({ ...reason, sinceTime: timeText(sinceMs) })),
    text: explainInWords(explanation.storageGroup, run),
  }))
  return { ...explanation, held }
}

/** Milliseconds since 1970 as ISO 8601; 0 and null are "never". */
function timeText(ms: number | null): string | null {
  return ms === null || ms === 0 ? null : new Date(ms).toISOString()
}
