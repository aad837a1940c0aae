import { asGeneration } from '../generation.ts'
import type { CheckpointFile } from './checkpoint-file.ts'
import type { DatabaseHeader } from './database-header.ts'
import { DatabaseWriter, type WriteGoal } from './database-writer.ts'
import type { LogBytes } from './log-bytes.ts'
import type { LogHeader } from './log-header.ts'
import { comparePositions, formatLogPosition, type LogPosition, positionOf } from './log-position.ts'
import { openRecords, type RecordCursor } from './log-record.ts'
import { dbtimeOf } from './log-record-page.ts'
import { RECORD } from './log-record-table.ts'
import { macroDbtimeOf } from './log-record-transaction.ts'
import type { TransactionWatch } from './open-transactions.ts'
import { PAGE_BYTES } from './page.ts'
import type { PageCache } from './page-cache.ts'
import { readPage } from './page-reading.ts'
import { touchesPages } from './page-reference.ts'
import { applyRecord } from './record-apply.ts'
import { openRedo, type RedoContext } from './redo-context.ts'
import { isMark, judgeMark } from './redo-mark.ts'
import type { PageNeeded, RedoStep, RedoStepFault } from './redo-step.ts'
import { logFault, STORE_ERROR, type StoreFault } from './store-fault.ts'
import { askPage, execute, type StoreMachine } from './store-machine.ts'

/** The files that a redo begins with. */
export interface RedoStart {
  readonly cache: PageCache
  /** In the state `just-created` where no file is yet: its CreateDB makes one. */
  readonly header: DatabaseHeader
  readonly checkpoint: CheckpointFile
  readonly transactions: TransactionWatch
}

/** A log whose bytes are proved up to `endByte`; records before `fromByte` are left out. */
export interface RedoSource {
  readonly header: LogHeader
  readonly log: LogBytes
  readonly endByte: number
  readonly fromByte: number
}

/** The only database of a stream. */
const DATABASE_ID = 1
/** Fewer pages than this that are free: a macro that needs some might not get them all. */
const FREE_PAGES_MIN = 12
/** Pages are written until so much of the memory is free again. */
const FREE_PART_AFTER = 2

const NOWHERE: LogPosition = { generation: 0, sector: 0, byte: 0 }

/**
 * Redoes logs on a database, the same way for a recovery and for a copy. It asks for the pages that it needs, and has pages
 * written when memory is short, or when its owner wants them written.
 *
 * A class, since it stands in a stream: macros and transactions go on from one log to the next.
 */
export class LogRedo {
  readonly cache: PageCache
  readonly writer: DatabaseWriter
  readonly #transactions: TransactionWatch
  #context: RedoContext
  #log: LogHeader | null = null
  #end: LogPosition = NOWHERE
  #dbtime: number

  constructor(start: RedoStart) {
    const { cache, header, checkpoint } = start
    this.cache = cache
    this.writer = new DatabaseWriter(cache, header, checkpoint)
    this.#transactions = start.transactions
    this.#context = openRedo({ pool: cache, databaseId: DATABASE_ID })
    this.#dbtime = Number(header.dbtime)
  }

  /** The end of the last record that was redone. */
  get end(): LogPosition {
    return this.#end
  }

  /** The highest dbtime that was met, or that the header knows. */
  get dbtime(): number {
    return this.#dbtime
  }

  /** Whether a macro is open, whose records an undo drops. */
  get hasOpenMacro(): boolean {
    return this.#context.macros.count > 0
  }

  /** Redoes one log, after the logs before it. Returns what ends the redo, or null. */
  *redoLog(source: RedoSource): StoreMachine<StoreFault | null> {
    const { log, header, endByte, fromByte } = source
    const misplaced = faultOfAttachments(header, this.writer.nextHeader)
    if (misplaced !== null) return misplaced
    this.#log = header
    const cursor = openRecords(log, header, endByte)
    this.#end = positionOf(header, fromByte)
    while (cursor.next()) {
      if (cursor.at < fromByte) continue
      const fault = isMark(cursor.type)
        ? yield* this.#redoMark(source, cursor)
        : yield* this.#redoRecord(source, cursor)
      if (fault !== null) return fault
      this.#transactions.note(source, cursor)
      this.#end = positionOf(header, cursor.at + cursor.bytes)
    }
    return null
  }

  /**
   * Has pages written: those whose oldest change does not lie behind `oldest`, all with null; and the header and the checkpoint that
   * follow from it.
   */
  *write(oldest: LogPosition | null): StoreMachine<void> {
    while (yield* this.writeBatch(oldest));
  }

  /** One batch or header of a {@link write}. Answers whether there was anything to write. */
  *writeBatch(oldest: LogPosition | null): StoreMachine<boolean> {
    const goal = this.goal(oldest)
    const orders = goal === null ? [] : this.writer.next(goal)
    if (orders.length === 0) return false
    yield* execute(orders)
    this.writer.ended()
    return true
  }

  /**
   * How far the file may come; null before the first log. Every log that is redone is durable with all its records, but the header
   * says that it is required only when a page of it is written: what it does not require may still be replaced.
   */
  goal(oldest: LogPosition | null): WriteGoal | null {
    const log = this.#log
    if (log === null) return null
    const { required } = this.writer.nextHeader
    return {
      durable: { generation: log.generation + 1, sector: 0, byte: 0 },
      waypoint: required.maxRequired === 0 || this.#isDue(oldest) ? log.generation : asGeneration(required.maxRequired),
      committed: log,
      redoFrom: this.#horizon(this.#end, this.#transactions.oldestBegin),
      oldest,
      dbtime: this.#dbtime,
      objectIdLast: this.writer.header.objectIdLast,
    }
  }

  /** Whether a page is to be written now. */
  #isDue(oldest: LogPosition | null): boolean {
    const { oldestDirty } = this.cache
    return oldestDirty !== null && (oldest === null || comparePositions(oldestDirty, oldest) <= 0)
  }

  /** One record. Its pages are brought in before anything is changed. */
  *#redoRecord(source: RedoSource, cursor: RecordCursor): StoreMachine<StoreFault | null> {
    for (;;) {
      const step = this.#apply(source, cursor)
      if (step.kind === 'fault') return faultOfStep(step, source, cursor)
      if (step.kind !== 'page-needed') return null
      const fault = yield* this.#bring(step, source)
      if (fault !== null) return fault
    }
  }

  #apply(source: RedoSource, cursor: RecordCursor): RedoStep {
    const { type, at } = cursor
    if (!touchesPages(type) && type !== RECORD.macroCommit) return applyRecord(this.#context, source, cursor)
    const { view } = source.log
    this.#dbtime = Math.max(this.#dbtime, type === RECORD.macroCommit ? macroDbtimeOf(view, at) : dbtimeOf(view, at))
    this.#context.attached = this.#isAttachedAt(source.header, at)
    this.#context.generationMaxRequired = this.writer.header.required.maxRequired
    const position = positionOf(source.header, at)
    this.cache.beginOperation(this.#horizon(position, null))
    const step = applyRecord(this.#context, source, cursor)
    this.cache.endOperation(position)
    return step
  }

  /** The earliest of a position, of the oldest open macro, and of another one. */
  #horizon(position: LogPosition, other: LogPosition | null): LogPosition {
    const macro = this.#context.macros.oldestBegin
    const first = macro !== null && comparePositions(macro, position) < 0 ? macro : position
    return other !== null && comparePositions(other, first) < 0 ? other : first
  }

  /** Whether the record at `at` belongs to the life of the database that its header tells of. */
  #isAttachedAt(log: LogHeader, at: number): boolean {
    const { attach, state } = this.writer.header
    if (state !== 'dirty-shutdown') return false
    if (log.generation !== attach.position.generation) return log.generation > attach.position.generation
    return at > attach.position.sector * log.sectorBytes + attach.position.byte
  }

  /** Reads a page into memory, for which others are written if need be. */
  *#bring({ page, isNew }: PageNeeded, source: RedoSource): StoreMachine<StoreFault | null> {
    if (this.cache.freeable < FREE_PAGES_MIN) yield* this.#makeRoom()
    const reading = readPage(page, yield* askPage(page))
    if (reading.reading === 'sound') return this.#admit(page, reading.bytes)
    if (isNew) return this.#admit(page, new Uint8Array(PAGE_BYTES))
    return { error: STORE_ERROR.pageBad, detail: reading.detail, generation: source.header.generation, page }
  }

  #admit(page: number, bytes: Uint8Array): StoreFault | null {
    if (this.cache.admit(page, bytes)) return null
    return logFault(STORE_ERROR.outOfMemory, this.#log?.generation ?? null, 'no page of the cache can be given free')
  }

  *#makeRoom(): StoreMachine<void> {
    while (this.cache.freeable * FREE_PART_AFTER < this.cache.capacity) {
      if (!(yield* this.writeBatch(null))) return
    }
  }

  /** A record of the database as a whole, or of the engine. */
  *#redoMark(source: RedoSource, cursor: RecordCursor): StoreMachine<StoreFault | null> {
    const effect = judgeMark(source, cursor, this.writer.nextHeader)
    switch (effect.effect) {
      case 'none':
        return null
      case 'fault':
        return effect.fault
      case 'create':
        this.writer.create(effect.header)
        yield* this.write(NOWHERE)
        return null
      case 'attach':
        // What was changed in the life before is not redone in this one, so it must be in the file.
        yield* this.write(null)
        this.writer.amend(effect.change)
        yield* this.write(NOWHERE)
        return null
      case 'amend':
        this.writer.amend(effect.change)
        return null
      case 'drop-macros':
        this.#context = openRedo({ pool: this.cache, databaseId: DATABASE_ID })
        return null
      case 'end':
        this.#context = openRedo({ pool: this.cache, databaseId: DATABASE_ID })
        if (effect.change !== null) this.writer.amend(effect.change)
        return null
    }
  }
}

/** A log that was begun in a later life of the database than the one that its header tells of: logs between are missing. */
function faultOfAttachments(
  { attachments, generation }: LogHeader,
  { state, attach }: DatabaseHeader,
): StoreFault | null {
  const [logged] = attachments
  if (logged === undefined) return null
  if (state === 'just-created')
    return logFault(STORE_ERROR.databaseMissing, generation, 'the log needs a database that is not there')
  if (comparePositions(logged.attach, attach.position) <= 0) return null
  const detail = `the log knows the database as attached at ${formatLogPosition(logged.attach)}, it was last attached at ${formatLogPosition(attach.position)}`
  return logFault(STORE_ERROR.attachedMismatch, generation, detail)
}

function faultOfStep(step: RedoStepFault, { header }: RedoSource, { at }: RecordCursor): StoreFault {
  const { fault, error, page, pageDbtime, dbtimeBefore, dbtime } = step
  const where = formatLogPosition(positionOf(header, at))
  const detail = `page ${page} has dbtime ${pageDbtime}, the record at ${where} found ${dbtimeBefore} and left ${dbtime} (${fault})`
  return { error, detail, generation: asGeneration(header.generation), page }
}
