import type { FileOperations } from '../storage/file-operations.ts'
import type { MailboxSettings } from '../workers/mailbox-start.ts'
import type { StoreCommand, StoreReport } from '../workers/store-messages.ts'
import type { Clock } from './clock.ts'
import type { EventLog } from './event-log.ts'
import type { ServiceLog } from './service-log.ts'
import type { StartWorker } from './supervised-worker.ts'

/** What a `StoreInstance` works with. */
export interface StoreInstanceParts {
  /** Name of the storage group. */
  readonly name: string
  /** Absolute path of the folder with `logs` and `database`. */
  readonly root: string
  /** Three letters or digits that every log begins with. */
  readonly baseName: string
  /** The name of the database's file. */
  readonly databaseName: string
  readonly settings: MailboxSettings
  /** Whether committed logs that are lost are accepted at the first start. */
  readonly ignoreLostLogs: boolean
  readonly files: FileOperations
  readonly clock: Clock
  readonly log: ServiceLog
  readonly events: EventLog
  readonly startWorker: StartWorker<StoreCommand, StoreReport>
}
