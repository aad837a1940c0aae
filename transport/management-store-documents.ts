/**
 * What a store does: `recovering`, it is being started and redoes its logs; `running`, it takes requests; `stopping`, it closes its
 * database; `failed`, it has ended and is started again by itself after a while; `dismounted`, an operator has stopped it, and nothing but
 * an operator starts it again.
 */
export type StoreState = 'recovering' | 'running' | 'stopping' | 'failed' | 'dismounted'

/** Where online maintenance of a store stands. */
export interface MaintenanceDocument {
  /** `off`: not wanted. `waiting`: for its window. `working`: in it. */
  readonly state: 'off' | 'waiting' | 'working'
  /** The page that comes next; null where no pass is under way. */
  readonly nextPage: number | null
  /** Of the pass under way, or else of the last one; null before the first since the start of the store. */
  readonly pages: {
    readonly seen: number
    readonly bad: number
    readonly corrected: number
    readonly empty: number
    readonly zeroed: number
  } | null
  /** Milliseconds since 1970; null before the first pass has come to the end. */
  readonly lastCompletedMs: number | null
}

/** A backup as the header of the database remembers it. */
export interface BackupDocument {
  /** The logs that were backed up with it, both ends included; 0 for none. */
  readonly first: number
  readonly last: number
  readonly kind: 'streaming' | 'os-snapshot' | 'snapshot' | 'surrogate'
  /** Where the log stood when it began, as eseutil writes it. */
  readonly mark: string
  /** When it began, in milliseconds since 1970; null where the header does not say. */
  readonly atMs: number | null
}

/** A mailbox store as the API tells it. What only the store itself knows is null while it does not run. */
export interface StoreStatus {
  readonly storageGroup: string
  readonly directory: string
  readonly state: StoreState
  /** Why it failed last; `''` when it did not since it was opened. */
  readonly failure: string
  /** In eseutil's words: `Dirty Shutdown` while it is in use. */
  readonly databaseState: string | null
  /** The generation of the open log; those below are closed. */
  readonly openGeneration: number | null
  readonly checkpointGeneration: number | null
  /** The first log that is not to be deleted, as far as the database of the active is concerned. */
  readonly lowestRequired: number | null
  /** `Log Required` from low to high and `Log Committed`, as the header says. */
  readonly requiredLogs: { readonly low: number; readonly high: number; readonly committed: number } | null
  /** How many generations changes are held back from the database file. */
  readonly waypointDepth: number
  readonly databasePages: number | null
  readonly cacheBytes: number
  readonly circularLogging: boolean
  readonly dbtime: number | null
  readonly maintenance: MaintenanceDocument | null
  /** The last backup of each scope; null for none. A full one forgets the incremental and the differential before it. */
  readonly backups: Readonly<Record<'full' | 'incremental' | 'copy' | 'differential', BackupDocument | null>> | null
  /** Since the store was started last. */
  readonly transactions: { readonly committed: number; readonly refused: number } | null
  /** What the last start found and did; null before the first. */
  readonly recovery: {
    readonly outcome: 'created' | 'clean' | 'recovered'
    readonly logsRedone: number
    readonly transactionsUndone: number
    readonly mendedPages: number
    readonly durationMs: number
  } | null
}
