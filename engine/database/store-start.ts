import type { Generation } from '../generation.ts'
import type { CheckpointFile } from './checkpoint-file.ts'
import type { DatabaseHeader } from './database-header.ts'
import type { LogBuffer } from './log-buffer.ts'
import type { LogPosition } from './log-position.ts'
import type { PageCache } from './page-cache.ts'
import type { DatabaseOrder, LogOrder, OrderBundle } from './store-order.ts'

/** How a store works. */
export interface StoreSettings {
  /** As the attach lists of the logs name the database. */
  readonly databasePath: string
  /** See `resilienceDepth`: 1 and more. */
  readonly resilienceDepth: number
  /** How far the checkpoint may lag behind the log, in bytes, before pages are written for its sake; 20,971,520 in Exchange 2007. */
  readonly checkpointDepthBytes: number
  readonly circularLogging: boolean
}

/** What the store asks of those who make its changes. */
export interface StoreContent {
  /** Where the oldest transaction began that is still open: an undo needs the log from there on. Null when none is open. */
  readonly oldestTransaction: LogPosition | null
  /** The last dbtime that a record was given. */
  readonly dbtime: number
  readonly objectIdLast: number
}

/** The state of a store as its start leaves it: made anew, found clean, or redone by a recovery. */
export interface StoreStart {
  readonly settings: StoreSettings
  readonly content: StoreContent
  readonly nowMs: number
  readonly log: LogBuffer
  /** Whether the log does not lie on the disk yet. */
  readonly isNewLog: boolean
  readonly cache: PageCache
  readonly header: DatabaseHeader
  readonly checkpoint: CheckpointFile
  /** The lowest closed log that lies there, or where none does the open one. */
  readonly lowestLog: Generation
}

/** What a store wants done now; null where a lane has nothing. */
export interface StoreWork {
  readonly log: OrderBundle<LogOrder> | null
  readonly database: OrderBundle<DatabaseOrder> | null
}
