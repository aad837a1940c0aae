import { assert } from '../assert.ts'
import { asGeneration } from '../generation.ts'
import { withoutCurrent } from './backup-slot.ts'
import { newCheckpointFile } from './checkpoint-file.ts'
import { type DatabaseHeader, newDatabaseHeader } from './database-header.ts'
import { LogBuffer } from './log-buffer.ts'
import { LOG_HEADER_BYTES } from './log-header.ts'
import { type LogPosition, positionOf } from './log-position.ts'
import {
  ATTACH_DATABASE_FIXED_BYTES,
  CREATE_DATABASE_FIXED_BYTES,
  pathBytesOf,
  writeAttachDatabase,
  writeCreateDatabase,
} from './log-record-database.ts'
import { INIT2_BYTES, writeInit2 } from './log-record-engine.ts'
import type { LogSignature } from './log-signature.ts'
import { beginStream } from './log-stream.ts'
import { digitsOfTime, logTimeAt } from './log-time.ts'
import type { PageCache } from './page-cache.ts'
import { headerOfNewLog, type LogLayout } from './prepared-log.ts'
import type { StoreEngine } from './store-engine.ts'
import type { StoreStart } from './store-start.ts'

/** A store that has no log yet. */
export interface NewStore extends Pick<StoreStart, 'settings' | 'content' | 'nowMs'> {
  readonly cache: PageCache
  /** Of the stream. */
  readonly signature: LogSignature
  /** The database, where a clean one lies there; null where there is none. */
  readonly database: DatabaseHeader | null
  readonly layout?: Pick<LogLayout, 'sectorBytes' | 'sizeBytes' | 'environment'>
}

/** How a database is opened. */
export interface DatabaseOpening {
  readonly path: string
  /** The signature that it gets where it has to be created first. */
  readonly signature: LogSignature
  readonly nowMs: number
  /** Lays what a new database begins with: an Init2, a CreateDB behind it, its first pages. By default the first two alone. */
  readonly create?: () => void
}

/** The first service pack: the first version of Exchange 2007 whose logs have Split2, Merge2 and ForceLogRollover. */
const UPDATE_OF_STORE = 12
/** Records of the store itself name no session. */
const NO_SESSION = 0

/** What the first start of a store begins with: generation 1 of a new stream. */
export function startOfNewStore(store: NewStore): StoreStart {
  const header = headerOfNewLog(beginStream(store.signature), { ...store.layout, update: UPDATE_OF_STORE })
  const { settings, content, nowMs, cache } = store
  return {
    settings,
    content,
    nowMs,
    cache,
    log: new LogBuffer(header),
    isNewLog: true,
    header: store.database ?? newDatabaseHeader(store.signature, store.signature),
    checkpoint: newCheckpointFile(header, positionOf(header, LOG_HEADER_BYTES)),
    lowestLog: asGeneration(1),
  }
}

/**
 * Opens the database of a store that is at rest, and creates it where it is not there yet: by records of the log first, then by its
 * header. Operations may begin when `mayBegin` says so.
 */
export function openDatabase(store: StoreEngine, opening: DatabaseOpening): void {
  const { header } = store
  const time = logTimeAt(opening.nowMs)
  const isNew = header.state === 'just-created'
  const position = isNew ? layCreation(store, opening) : layAttach(store, opening)
  const { generation, createTime, signature: logSignature } = store.buffer.header
  store.attach({
    ...header,
    signature: isNew ? opening.signature : header.signature,
    logSignature,
    state: 'dirty-shutdown',
    backups: withoutCurrent(header.backups),
    attach: { position, time },
    required: {
      minRequired: generation,
      maxRequired: generation,
      maxCommitted: generation,
      committedCreateTime: digitsOfTime(createTime),
    },
  })
}

/** What a new database begins with, in a log that has room for it. Returns where its CreateDB lies. */
function layCreation(store: StoreEngine, opening: DatabaseOpening): LogPosition {
  const position = positionOf(store.buffer.header, store.buffer.end + INIT2_BYTES)
  store.beginOperation()
  if (opening.create !== undefined) opening.create()
  else layCreate(store, opening)
  store.endOperation()
  assert(store.buffer.header.generation === position.generation, 'a new database begins in one log')
  return position
}

function layInit(store: StoreEngine, { nowMs }: DatabaseOpening): void {
  const start = { environment: store.buffer.header.environment, time: logTimeAt(nowMs) }
  store.write(INIT2_BYTES, (log, at) => writeInit2(log, at, start))
}

function layCreate(store: StoreEngine, opening: DatabaseOpening): void {
  layInit(store, opening)
  const { path, signature } = opening
  const database = {
    session: NO_SESSION,
    databaseId: store.header.databaseId,
    options: 0,
    pagesMax: 0,
    signature,
    path,
  }
  const bytes = CREATE_DATABASE_FIXED_BYTES + pathBytesOf(path)
  store.write(bytes, (log, at) => writeCreateDatabase(log, at, database))
}

function layAttach(store: StoreEngine, opening: DatabaseOpening): LogPosition {
  layInit(store, opening)
  const { path } = opening
  const { databaseId, signature, consistent: at } = store.header
  const logSignature = store.buffer.header.signature
  const database = { databaseId, pagesMax: 0, consistent: at.position, signature, logSignature, path }
  return store.write(ATTACH_DATABASE_FIXED_BYTES + pathBytesOf(path), (log, to) => {
    writeAttachDatabase(log, to, { session: NO_SESSION, ...database })
  })
}
