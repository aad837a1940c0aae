import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { CopyStatus } from '../engine/replication/copy-status.ts'
import type { SourceState } from '../engine/source/source-state.ts'

/** What one copy has done since the service started; the adapter counts, the metrics read. */
export interface CopyTally {
  /** Logs that arrived, sound or not, and their bytes. */
  logs: number
  bytes: number
  /** Logs that the inspector refused, by reason. */
  readonly rejections: Map<string, number>
  /** Last generation that was deleted here; 0 when none was. */
  truncated: number
}

/** What one share has served since the service started. */
export interface ShareTally {
  logs: number
  bytes: number
  /** Of databases that were read for seeds. */
  seedBytes: number
}

/** What the metrics of a process are read from, at the moment of a scrape. */
export interface MetricsSources {
  readonly copies: () => Iterable<{ readonly status: CopyStatus; readonly tally: CopyTally }>
  readonly shares: () => Iterable<{ readonly state: SourceState; readonly tally: ShareTally }>
  /** Seeds of the copies, the newest first; absent where none is taken. */
  readonly seeds?: () => Iterable<{ readonly storageGroup: string; readonly percent: number }>
}

/** The metrics of a process. */
export interface Metrics {
  /** Logs that one batch of the inspector moved into the log directory. */
  readonly inspectedBatch: (logs: number) => void
  /** The text of `/metrics`. */
  readonly text: () => Promise<string>
  readonly contentType: string
}

/** A tally of nothing yet. */
export function emptyCopyTally(): CopyTally {
  return { logs: 0, bytes: 0, rejections: new Map(), truncated: 0 }
}

/**
 * How finely the event loop's lag is sampled, in milliseconds: its timer is the only thing that runs in an idle process, and
 * twenty wake-ups a second cost nothing that could be measured.
 */
const LOOP_LAG_PRECISION_MS = 50

/**
 * Makes the metrics of a process. Nothing is counted per log but plain numbers; all text is made at the scrape.
 *
 * The names are those of the performance object `MSExchange Replication` in the manner of Prometheus: `CopyQueueLength` is
 * `ccr_copy_queue_length`, `InspectorGenerationNumber` is `ccr_last_log_inspected`. Label `storage_group`.
 */
export function serviceMetrics(sources: MetricsSources): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_LAG_PRECISION_MS })
  for (const [name, row] of Object.entries(COPY_GAUGES)) copyGauge({ registry, name, row, sources })
  for (const [name, row] of Object.entries(SHARE_GAUGES)) shareGauge({ registry, name, row, sources })
  copyCounters(registry, sources)
  shareCounters(registry, sources)
  copiesOfShares(registry, sources)
  seedGauge(registry, sources)
  const batch = new Histogram({
    name: 'ccr_inspected_batch_logs',
    help: 'Logs that became durable under their names with one sync of the directory.',
    buckets: [1, 2, 4, 8, 16, 24],
    registers: [registry],
  })
  return {
    inspectedBatch: (logs) => batch.observe(logs),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  }
}

interface Row<T> {
  readonly help: string
  readonly read: (from: T) => number | boolean
}

const COPY_GAUGES: Readonly<Record<string, Row<CopyStatus>>> = {
  // The counter counts from what the copier was told, the status field of the same name from what the source has closed.
  ccr_copy_queue_length: {
    help: 'Logs waiting to be copied and inspected: notified minus inspected.',
    read: (status) => Math.max(0, status.lastLogCopyNotified - status.lastLogInspected),
  },
  ccr_replay_queue_length: {
    help: 'Logs waiting to be replayed: inspected minus replayed; 0 for a copy that keeps logs only.',
    read: (status) => status.replayQueueLength,
  },
  ccr_last_log_generated: { help: 'Newest log closed on the source.', read: (status) => status.lastLogGenerated },
  ccr_last_log_copy_notified: {
    help: 'Last log that the copier knows of (CopyNotificationGenerationNumber).',
    read: (status) => status.lastLogCopyNotified,
  },
  ccr_last_log_copied: {
    help: 'Last log copied (CopyGenerationNumber).',
    read: (status) => status.lastLogCopied,
  },
  ccr_last_log_inspected: {
    help: 'Last log inspected (InspectorGenerationNumber).',
    read: (status) => status.lastLogInspected,
  },
  ccr_last_log_replayed: {
    help: 'Last log replayed (ReplayGenerationNumber).',
    read: (status) => status.lastLogReplayed,
  },
  ccr_last_log_replay_notified: {
    help: 'Last log that the replayer knows of, which is the last inspected (ReplayNotificationGenerationNumber).',
    read: (status) => (status.requiredLogs === null ? 0 : status.lastLogInspected),
  },
  ccr_replay_batch_logs: {
    help: 'Logs in the batch that is being replayed, 0 when none is (ReplayBatchSize).',
    read: (status) => status.replayBatch.size,
  },
  ccr_replay_batch_logs_complete: {
    help: 'Logs of the batch that are replayed (ReplayGenerationsComplete).',
    read: (status) => status.replayBatch.complete,
  },
  ccr_replay_batch_logs_remaining: {
    help: 'Logs of the batch that are not replayed yet (ReplayGenerationsRemaining).',
    read: (status) => status.replayBatch.remaining,
  },
  ccr_lowest_required_log: {
    help: 'First log that the database of the copy needs to recover, 0 without a database or while that is not known.',
    read: (status) => status.requiredLogs?.low ?? 0,
  },
  ccr_copy_lowest_log: { help: 'Lowest log on the copy, 0 when it is empty.', read: (status) => status.lowestLog },
  ccr_copy_failed: { help: '1 while the copy is Failed.', read: (status) => status.failed },
  ccr_copy_suspended: { help: '1 while the copy is suspended.', read: (status) => status.suspended },
  ccr_copy_initializing: { help: '1 until the first log was inspected.', read: (status) => status.initializing },
  ccr_copy_resynchronizing: {
    help: '1 while the copy is compared with its disk or source.',
    read: (status) => status.resynchronizing,
  },
  ccr_copy_source_connected: { help: '1 while the source answers.', read: (status) => status.connected },
}

const SHARE_GAUGES: Readonly<Record<string, Row<SourceState>>> = {
  ccr_share_last_log_generated: { help: 'Newest log ever closed here.', read: (state) => state.generated },
  ccr_share_closed_through: {
    help: 'Everything from the lowest log to here is there.',
    read: (state) => state.closed?.closedThrough ?? 0,
  },
  ccr_share_lowest_log: { help: 'Lowest log on disk, 0 without one.', read: (state) => state.closed?.lowest ?? 0 },
  ccr_share_missing_log: { help: 'A log missing below higher ones, 0 for none.', read: missingLog },
  ccr_share_backed_up_through: { help: 'Last log that a backup covered.', read: (state) => state.mark?.through ?? 0 },
  ccr_share_truncated_below: { help: 'Logs below this were given up.', read: (state) => state.truncatedBelow },
  ccr_share_directory_readable: { help: '1 while the log directory is there.', read: (state) => state.closed !== null },
  ccr_share_copies: { help: 'Enrolled copies.', read: (state) => state.copies.length },
}

function missingLog(state: SourceState): number {
  return state.announced?.missing ?? 0
}

interface GaugeRequest<T> {
  readonly registry: Registry
  readonly name: string
  readonly row: Row<T>
  readonly sources: MetricsSources
}

function copyGauge({ registry, name, row, sources }: GaugeRequest<CopyStatus>): void {
  new Gauge({
    name,
    help: row.help,
    labelNames: ['storage_group'],
    registers: [registry],
    collect() {
      this.reset()
      for (const { status } of sources.copies())
        this.set({ storage_group: status.storageGroup }, Number(row.read(status)))
    },
  })
}

function shareGauge({ registry, name, row, sources }: GaugeRequest<SourceState>): void {
  new Gauge({
    name,
    help: row.help,
    labelNames: ['storage_group'],
    registers: [registry],
    collect() {
      this.reset()
      for (const { state } of sources.shares()) this.set({ storage_group: state.name }, Number(row.read(state)))
    },
  })
}

function copyCounters(registry: Registry, sources: MetricsSources): void {
  const amounts = { ccr_copied_logs_total: 'logs', ccr_copied_bytes_total: 'bytes' } as const
  for (const [name, field] of Object.entries(amounts)) {
    new Counter({
      name,
      help: `Total ${field} that arrived from the source, sound or not.`,
      labelNames: ['storage_group'],
      registers: [registry],
      collect() {
        this.reset()
        for (const { status, tally } of sources.copies()) this.inc({ storage_group: status.storageGroup }, tally[field])
      },
    })
  }
  new Counter({
    name: 'ccr_rejected_logs_total',
    help: 'Total logs that the inspector refused, by reason.',
    labelNames: ['storage_group', 'reason'],
    registers: [registry],
    collect() {
      this.reset()
      for (const { status, tally } of sources.copies())
        for (const [reason, logs] of tally.rejections) this.inc({ storage_group: status.storageGroup, reason }, logs)
    },
  })
  new Gauge({
    name: 'ccr_truncated_generation',
    help: 'Last log deleted from the copy (TruncatedGenerationNumber), 0 for none since the start.',
    labelNames: ['storage_group'],
    registers: [registry],
    collect() {
      this.reset()
      for (const { status, tally } of sources.copies())
        this.set({ storage_group: status.storageGroup }, tally.truncated)
    },
  })
}

function shareCounters(registry: Registry, sources: MetricsSources): void {
  const rows = {
    ccr_served_logs_total: ['logs', 'Total logs served to copies and others.'],
    ccr_served_bytes_total: ['bytes', 'Total bytes of logs served to copies and others.'],
    ccr_seed_served_bytes_total: ['seedBytes', 'Total bytes of the database served for seeds of copies.'],
  } as const
  for (const [name, [field, help]] of Object.entries(rows)) {
    new Counter({
      name,
      help,
      labelNames: ['storage_group'],
      registers: [registry],
      collect() {
        this.reset()
        for (const { state, tally } of sources.shares()) this.inc({ storage_group: state.name }, tally[field])
      },
    })
  }
}

function copiesOfShares(registry: Registry, sources: MetricsSources): void {
  const rows = {
    ccr_share_copy_inspected: (copy: SourceState['copies'][number]) => copy.report?.inspected ?? 0,
    ccr_share_copy_replayed: (copy: SourceState['copies'][number]) => copy.report?.replayed ?? 0,
    ccr_share_copy_required: (copy: SourceState['copies'][number]) => copy.report?.requiredLow ?? 0,
    ccr_share_copy_connected: (copy: SourceState['copies'][number]) => Number(copy.connected),
  }
  for (const [name, read] of Object.entries(rows)) {
    new Gauge({
      name,
      help: 'How an enrolled copy stands, as its source knows it.',
      labelNames: ['storage_group', 'copy'],
      registers: [registry],
      collect() {
        this.reset()
        for (const { state } of sources.shares())
          for (const copy of state.copies) this.set({ storage_group: state.name, copy: copy.label }, read(copy))
      },
    })
  }
}

function seedGauge(registry: Registry, sources: MetricsSources): void {
  new Gauge({
    name: 'ccr_seeding_finished_percent',
    help: 'How much of the newest seed of the copy is done (Seeding Finished %); none before the first one.',
    labelNames: ['storage_group'],
    registers: [registry],
    collect() {
      this.reset()
      const newest = new Map<string, number>()
      for (const { storageGroup, percent } of sources.seeds?.() ?? [])
        if (!newest.has(storageGroup)) newest.set(storageGroup, percent)
      for (const [storageGroup, percent] of newest) this.set({ storage_group: storageGroup }, percent)
    },
  })
}
