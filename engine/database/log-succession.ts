import type { DatabaseHeader } from './database-header.ts'
import type { LogAttachment } from './log-attachment.ts'
import type { LogHeader } from './log-header.ts'
import type { LogPosition } from './log-position.ts'
import { nextInStream } from './log-stream.ts'
import type { LogTime } from './log-time.ts'
import { headerOfNewLog } from './prepared-log.ts'

/** What the header of a log says beside its place in the stream. */
export interface LogSuccessor {
  readonly createTime: LogTime
  /** As its header is now; a database that is not attached leaves the list empty. */
  readonly database: DatabaseHeader
  readonly databasePath: string
  readonly dbtime: number
  readonly objectIdLast: number
  readonly checkpoint: LogPosition
  readonly circularLogging: boolean
  /** Whether the file was a reserve log, as the disk is full. */
  readonly reserveLog: boolean
}

/** The header of the log after `previous`, in the same layout. A replay may begin with it: it lists the database. */
export function headerOfNextLog(previous: LogHeader, next: LogSuccessor): LogHeader {
  const { sectorBytes, fileSectors, version, environment, flags } = previous
  const attached = next.database.state === 'dirty-shutdown'
  const header = headerOfNewLog(nextInStream(previous, next.createTime), {
    sectorBytes,
    sizeBytes: sectorBytes * fileSectors,
    update: version.update,
    environment: { ...environment, circularLogging: next.circularLogging },
    checkpoint: next.checkpoint,
    attachments: attached ? [attachmentOf(next)] : [],
  })
  const circularEarlier = flags.circularEarlier || (flags.circularNow && !next.circularLogging)
  return { ...header, flags: { reserveLog: next.reserveLog, circularNow: next.circularLogging, circularEarlier } }
}

function attachmentOf({ database, databasePath, dbtime, objectIdLast }: LogSuccessor): LogAttachment {
  return {
    databaseId: database.databaseId,
    sparse: false,
    dbtime: BigInt(dbtime),
    objectIdLast,
    databasePagesMax: 0,
    attach: database.attach.position,
    consistent: database.consistent.position,
    signature: database.signature,
    path: databasePath,
    unicode: true,
  }
}
