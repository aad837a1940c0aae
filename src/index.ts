/**
 * The public face of the package: the two services and what they are made of. The rules themselves are `ccr-emulator/engine`. A
 * snapshot test lists these names; they are added to, never renamed.
 */
export { type ErrorCode, ReplicationError } from '../engine/error.ts'
export type { LogFormat } from '../engine/log-format.ts'
export type { ListenAddress } from '../transport/loopback.ts'
export type { CopyStatusDocument, ShareStatus } from '../transport/management-documents.ts'
export { type Clock, systemClock } from './clock.ts'
export { CopyHost, type CopyHostOptions, type CopyRequest } from './copy-host.ts'
export { COPY_MANAGE_DEFAULT, type CopyService, type CopyServiceOptions, startCopyService } from './copy-service.ts'
export { EventLog, type EventLogParts, type EventQuery, type LoggedEvent, openEventLog } from './event-log.ts'
export { type RandomBytes, systemRandom } from './fresh-id.ts'
export { type MailboxService, type MailboxServiceOptions, startMailboxService } from './mailbox-service.ts'
export { type LogLevel, type ServiceLog, serviceLog } from './service-log.ts'
export { ShareHost, type ShareHostOptions, type ShareRequest } from './share-host.ts'
export {
  SHARE_LISTEN_DEFAULT,
  SHARE_MANAGE_DEFAULT,
  type ShareService,
  type ShareServiceOptions,
  startShareService,
} from './share-service.ts'
export { mailboxSettings, StoreHost, type StoreHostOptions, type StoreRequest } from './store-host.ts'
