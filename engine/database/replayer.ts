import { asGeneration, formatGeneration, type Generation, nextGeneration, previousGeneration } from '../generation.ts'
import { ESE_ERROR_OF, type LogIdentity } from '../log-identity.ts'
import { newCheckpointFile } from './checkpoint-file.ts'
import { type DatabaseHeader, newDatabaseHeader } from './database-header.ts'
import { openLogBytes } from './log-bytes.ts'
import type { SoundLog } from './log-file.ts'
import { LOG_HEADER_BYTES } from './log-header.ts'
import { comparePositions, positionBefore } from './log-position.ts'
import { LogRedo } from './log-redo.ts'
import { OpenTransactions } from './open-transactions.ts'
import type { PageCache } from './page-cache.ts'
import { mendPages } from './page-mending.ts'
import { faultOfFiles } from './recovery.ts'
import { judgeClosed, type StoreFiles } from './recovery-evidence.ts'
import { signatureDigits } from './redo-mark.ts'
import { logFault, STORE_ERROR, type StoreFault } from './store-fault.ts'
import { askLog, type StoreMachine } from './store-machine.ts'

/** The files of a copy, and how it replays. */
export interface ReplayStart {
  readonly files: StoreFiles
  /** The last log that was let in; those up to it are durable. */
  readonly inspected: Generation
  /** Empty. It stays warm from batch to batch. */
  readonly cache: PageCache
  /** How far the checkpoint may lag behind the last replayed log, in bytes; with 0 each batch ends with every change in the file. */
  readonly checkpointDepthBytes: number
}

/**
 * What of the checkpoint's depth is left when pages are written because it was reached: with 20 MB and logs of 1 MiB every fifth log has
 * pages written, and not each of them.
 */
const KEPT_PART = 0.75

/** What a batch came to. */
export interface ReplayOutcome {
  /** The last log that was replayed, of this batch or an earlier one. */
  readonly through: Generation
  /** What ended it early; nothing is replayed afterwards. Null when the whole batch was replayed. */
  readonly fault: StoreFault | null
}

/**
 * Replays closed logs into the database of a copy: a recovery without undo, in batches. The database is always in the state Dirty
 * Shutdown; what is not committed stays in it until a later log commits or undoes it, or a recovery does that makes it active.
 *
 * Lost log resilience is not for a copy: its logs were closed and shipped, so none of them can be lost any more. Its header
 * says that a log is required before the first page with a change of it is written, as everywhere.
 *
 * A copy may begin with nothing: generation 1 creates the database.
 *
 * A class, since it stands in a stream from batch to batch.
 */
export class Replayer {
  readonly #start: ReplayStart
  readonly #transactions = new OpenTransactions()
  #redo: LogRedo | null = null
  #next: Generation
  #previous: LogIdentity | null = null
  #fault: StoreFault | null = null

  constructor(start: ReplayStart) {
    this.#start = start
    this.#next = firstLogOf(start.files)
  }

  /** The header that is durable; null before the first log of a copy that begins with nothing. */
  get header(): DatabaseHeader | null {
    return this.#redo?.writer.header ?? this.#start.files.database
  }

  /** The first log of the next batch. After a start some logs are replayed once more: those that the header requires. */
  get next(): Generation {
    return this.#next
  }

  /** The first batch begins with this: what lies there is looked at, and what a crash tore is put back. */
  *open(): StoreMachine<StoreFault | null> {
    this.#fault = faultOfCopy(this.#start)
    const { database } = this.#start.files
    if (this.#fault !== null || database === null) return this.#fault
    yield* mendPages(database)
    return null
  }

  /**
   * Replays up to `through`, which is inspected.
   *
   * @param last the last log of a batch of which this is a part: the ones up to it may be read ahead
   */
  *replay(through: Generation, last: Generation = through): StoreMachine<ReplayOutcome> {
    while (this.#fault === null && this.#next <= through) {
      this.#fault = yield* this.#replayLog(this.#next, last)
      if (this.#fault === null) this.#next = nextGeneration(this.#next)
    }
    if (this.#fault === null && this.#start.checkpointDepthBytes === 0) yield* this.settle()
    return { through: previousGeneration(this.#next), fault: this.#fault }
  }

  /** Every change goes to the file, and the header requires the last log only. */
  *settle(): StoreMachine<void> {
    while (yield* this.settleBatch());
  }

  /** One step of a {@link settle} that may be broken off between two of them. Answers whether there was something to do. */
  *settleBatch(): StoreMachine<boolean> {
    return this.#redo === null ? false : yield* this.#redo.writeBatch(null)
  }

  *#replayLog(generation: Generation, last: Generation): StoreMachine<StoreFault | null> {
    const bytes = yield* askLog({ generation, open: false, last })
    if (bytes === null) return this.#missing(generation)
    const signature = this.header === null ? null : signatureDigits(this.header.logSignature)
    const { sound, rejection } = judgeClosed(bytes, { generation, previous: this.#previous, signature })
    if (rejection !== null || sound === null)
      return logFault(ESE_ERROR_OF[rejection?.reason ?? 'corrupt-checksum'], generation, rejection?.detail ?? '')
    const fault = this.#faultOfTime(sound)
    if (fault !== null) return fault
    return yield* this.#redoLog(sound, bytes)
  }

  *#redoLog({ header, identity, endByte }: SoundLog, bytes: Uint8Array): StoreMachine<StoreFault | null> {
    this.#redo ??= this.#beginRedo(header)
    const fault = yield* this.#redo.redoLog({ header, log: openLogBytes(bytes), endByte, fromByte: LOG_HEADER_BYTES })
    if (fault !== null) return fault
    this.#previous = identity
    yield* this.#writeWhatLags(header, this.#redo)
    return null
  }

  /** What lags too far is written in one go with what soon would: each time costs some syncs, however few pages there are. */
  *#writeWhatLags(log: SoundLog['header'], redo: LogRedo): StoreMachine<void> {
    const { checkpointDepthBytes, cache } = this.#start
    const { oldestDirty } = cache
    if (checkpointDepthBytes === 0 || oldestDirty === null) return
    if (comparePositions(oldestDirty, positionBefore(log, redo.end, checkpointDepthBytes)) > 0) return
    const kept = Math.ceil(checkpointDepthBytes * KEPT_PART)
    yield* redo.write(positionBefore(log, redo.end, kept))
  }

  #beginRedo(log: SoundLog['header']): LogRedo {
    const { cache, files } = this.#start
    const nowhere = { generation: 0, sector: 0, byte: 0 }
    return new LogRedo({
      cache,
      header: files.database ?? newDatabaseHeader(log.signature, log.signature),
      checkpoint: files.checkpoint ?? newCheckpointFile(log, nowhere),
      transactions: this.#transactions,
    })
  }

  #missing(generation: Generation): StoreFault {
    const isRequired = generation <= (this.header?.required.maxRequired ?? 0)
    const error = isRequired ? STORE_ERROR.requiredLogsMissing : STORE_ERROR.logMissing
    return logFault(error, generation, `log ${formatGeneration(generation)} is missing`)
  }

  /** The newest log that the header requires must be that very log, not one of the same number from another history. */
  #faultOfTime({ identity }: SoundLog): StoreFault | null {
    const required = this.header?.required
    if (
      required === undefined ||
      identity.generation !== required.maxRequired ||
      required.maxRequired !== required.maxCommitted
    )
      return null
    const known = required.committedCreateTime
    if (identity.createTime === known) return null
    const detail = `the log was created at ${identity.createTime}, the database knows it as of ${known}`
    return logFault(ESE_ERROR_OF.gap, identity.generation, detail)
  }
}

/** From the start of the first log that the header requires. */
function firstLogOf({ database }: StoreFiles): Generation {
  if (database === null) return asGeneration(1)
  const { required, consistent } = database
  return asGeneration(required.minRequired === 0 ? Math.max(1, consistent.position.generation) : required.minRequired)
}

/** What a replay looks at before its first log. Source: the replay's own checks, as far as they are known. */
function faultOfCopy({ files, inspected }: ReplayStart): StoreFault | null {
  const { database, closed, hasOpenLog } = files
  const first = firstLogOf(files)
  const last = database?.required.maxRequired ?? 0
  if (hasOpenLog) return logFault(STORE_ERROR.openLogOfCopy, null, 'an open log lies in the directory of a copy')
  const present = new Set(closed)
  // Required logs that are not inspected yet may still come: what is replayed before them only stays incomplete for longer.
  for (let generation = first; generation <= last && generation <= inspected; generation = nextGeneration(generation))
    if (!present.has(generation))
      return logFault(STORE_ERROR.requiredLogsMissing, generation, `log ${formatGeneration(generation)} is missing`)
  if (database === null && closed[0] !== undefined && closed[0] > first)
    return logFault(STORE_ERROR.databaseMissing, closed[0], 'there is no database, and no log that creates it')
  return faultOfFiles(files)
}
