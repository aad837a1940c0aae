import { assert } from '../assert.ts'
import { asGeneration, type Generation, higherOf, lowerOf } from '../generation.ts'
import type { CheckpointFile } from './checkpoint-file.ts'
import type { DatabaseHeader } from './database-header.ts'
import { movedState } from './database-state.ts'
import { comparePositions, type LogPosition } from './log-position.ts'
import { digitsOfTime, type LogTime } from './log-time.ts'
import { NOTHING_REQUIRED } from './lost-log-resilience.ts'
import type { PageCache } from './page-cache.ts'
import { digestHeader } from './saved-page-file.ts'
import type { DatabaseOrder } from './store-order.ts'

/** How far the log is, and so how far the database file may come. */
export interface WriteGoal {
  /** The end of what is durable of the log. */
  readonly durable: LogPosition
  /** No change of a later generation goes to the file; this one and all before it are durable as far as changes were made. */
  readonly waypoint: Generation
  /** The newest log. */
  readonly committed: { readonly generation: Generation; readonly createTime: LogTime }
  /** Where a redo would have to begin if every page were written: the oldest open transaction, or the end of the log. */
  readonly redoFrom: LogPosition
  /** Pages whose oldest change lies behind this may wait; null where all are to be written. */
  readonly oldest: LogPosition | null
  /** What the header says of the changes that were made. */
  readonly dbtime: number
  readonly objectIdLast: number
}

/** What the orders make true. */
interface Outcome {
  readonly header: DatabaseHeader
  readonly checkpoint: CheckpointFile
}

interface DueOrders {
  readonly orders: readonly DatabaseOrder[]
  readonly outcome: Partial<Outcome>
}

/**
 * What goes to a database file, its header and its checkpoint, and in which order. The one who owns it asks for the next orders,
 * and says when they have ended.
 *
 * 1. A header that says that a log is required comes before the first page with a change of it.
 * 2. A batch of pages is durable before a header that requires fewer logs.
 * 3. That header is durable before the checkpoint that begins where it does.
 *
 * A class, since it follows one file through its life.
 */
export class DatabaseWriter {
  readonly cache: PageCache
  #header: DatabaseHeader
  #checkpoint: CheckpointFile
  /** What the next header is to say beside the range. */
  #amendment: Partial<DatabaseHeader> | null = null
  /** Orders that come before all others: the file is made, or closed. */
  #due: DueOrders | null = null
  /** What becomes true when the orders that were given out have ended; null when none are under way. */
  #underWay: Outcome | null = null

  constructor(cache: PageCache, header: DatabaseHeader, checkpoint: CheckpointFile) {
    this.cache = cache
    this.#header = header
    this.#checkpoint = checkpoint
  }

  /** The header that is durable. */
  get header(): DatabaseHeader {
    return this.#header
  }

  /** The header with all that the next one is to say. */
  get nextHeader(): DatabaseHeader {
    return { ...this.#header, ...this.#amendment }
  }

  /** The checkpoint file that is durable. */
  get checkpoint(): CheckpointFile {
    return this.#checkpoint
  }

  /** Whether orders were given out and have not ended. */
  get isBusy(): boolean {
    return this.#underWay !== null
  }

  /** Whether the file is to be made or closed, and the orders for it were not given out yet. */
  get hasDue(): boolean {
    return this.#due !== null
  }

  /** Whether the file has every change and the header says all that it is to say. */
  get isDone(): boolean {
    const nothingDue = this.#due === null && this.#amendment === null
    return this.#underWay === null && nothingDue && this.cache.oldestDirty === null
  }

  /** The database file comes into being with this header, which no file had before. */
  create(header: DatabaseHeader): void {
    const orders: DatabaseOrder[] = [
      { order: 'create-database', header },
      { order: 'write-checkpoint', checkpoint: this.#checkpoint },
    ]
    this.#due = { orders, outcome: { header } }
  }

  /** The next header says this too. What must be durable or written before is the caller's to wait for. */
  amend(change: Partial<DatabaseHeader>): void {
    if (change.state !== undefined) movedState(this.#header.state, change.state)
    this.#amendment = { ...this.#amendment, ...change }
  }

  /** What is to be done next; nothing when all that may be written is. Not while orders are under way. */
  next(goal: WriteGoal): readonly DatabaseOrder[] {
    assert(!this.isBusy, 'orders end before the next are given')
    if (this.#due !== null) return this.#giveDue(this.#due)
    const header = this.#dueHeader(goal)
    if (header !== null) return this.#headerOrders(header, goal)
    if (this.#header.state !== 'dirty-shutdown') return []
    const limits = {
      durable: goal.durable,
      waypoint: asGeneration(this.#header.required.maxRequired),
      oldest: goal.oldest,
    }
    if (goal.oldest !== null) this.cache.holdImages(limits)
    const pages = this.cache.takeBatch(limits)
    if (pages.length === 0) return []
    const headerDigest = digestHeader(this.#header)
    return this.#give(
      [{ order: 'save-pages', pages, headerDigest }, { order: 'write-pages', pages }, { order: 'sync-database' }],
      {},
    )
  }

  /**
   * The database needs no log any more: everything is written, and the log that says so is durable up to `end`, where a later life
   * begins.
   */
  clean(goal: WriteGoal, end: DatabaseHeader['detach']): void {
    assert(this.isDone, 'a database that needs no log has every change')
    const header: DatabaseHeader = {
      ...this.#header,
      ...contentOf(goal),
      state: movedState(this.#header.state, 'clean-shutdown'),
      consistent: end,
      detach: end,
      required: { ...NOTHING_REQUIRED, committedCreateTime: this.#header.required.committedCreateTime },
    }
    const checkpoint = { ...this.#checkpoint, checkpoint: end.position }
    const orders: DatabaseOrder[] = [
      { order: 'write-header', header },
      { order: 'write-checkpoint', checkpoint },
    ]
    this.#due = { orders, outcome: { header, checkpoint } }
  }

  /** The orders that were given out last have ended. */
  ended(): void {
    assert(this.#underWay !== null, 'what ends was begun')
    if (this.cache.isWriting) this.cache.batchWritten()
    this.#header = this.#underWay.header
    this.#checkpoint = this.#underWay.checkpoint
    this.#underWay = null
  }

  /** The header that is due, or null when the one that is durable says enough. */
  #dueHeader(goal: WriteGoal): DatabaseHeader | null {
    const amendment = this.#amendment
    const amended = this.nextHeader
    const { required } = amended
    if (amended.state !== 'dirty-shutdown') return null
    const last = higherOf(asGeneration(required.maxRequired), goal.waypoint)
    const first = higherOf(
      asGeneration(required.minRequired),
      lowerOf(asGeneration(this.#redoFrom(goal).generation), last),
    )
    if (amendment === null && last === required.maxRequired && first === required.minRequired) return null
    const lastCommitted = Math.max(last, required.maxCommitted, goal.committed.generation)
    const isNewer = lastCommitted === goal.committed.generation
    const committedCreateTime = isNewer ? digitsOfTime(goal.committed.createTime) : required.committedCreateTime
    const range = {
      minRequired: first,
      maxRequired: last,
      maxCommitted: asGeneration(lastCommitted),
      committedCreateTime,
    }
    return { ...amended, ...contentOf(goal), required: range }
  }

  #headerOrders(header: DatabaseHeader, goal: WriteGoal): readonly DatabaseOrder[] {
    this.#amendment = null
    const orders: DatabaseOrder[] = [{ order: 'write-header', header }]
    const { minRequired: first } = header.required
    if (first <= this.#header.required.minRequired || this.#header.required.minRequired === 0)
      return this.#give(orders, { header })
    const redoFrom = this.#redoFrom(goal)
    // What is held back by the waypoint is required although no page waits for it.
    const position = redoFrom.generation === first ? redoFrom : { generation: first, sector: 0, byte: 0 }
    const checkpoint: CheckpointFile = { ...this.#checkpoint, checkpoint: position }
    return this.#give([...orders, { order: 'write-checkpoint', checkpoint }], { header, checkpoint })
  }

  /** From where a redo makes every change that the file does not have. */
  #redoFrom(goal: WriteGoal): LogPosition {
    const dirty = this.cache.oldestDirty
    return dirty === null || comparePositions(goal.redoFrom, dirty) < 0 ? goal.redoFrom : dirty
  }

  #giveDue({ orders, outcome }: DueOrders): readonly DatabaseOrder[] {
    this.#due = null
    return this.#give(orders, outcome)
  }

  #give(orders: readonly DatabaseOrder[], outcome: Partial<Outcome>): readonly DatabaseOrder[] {
    this.#underWay = { header: this.#header, checkpoint: this.#checkpoint, ...outcome }
    return orders
  }
}

function contentOf(goal: WriteGoal): Pick<DatabaseHeader, 'dbtime' | 'objectIdLast'> {
  return { dbtime: BigInt(goal.dbtime), objectIdLast: goal.objectIdLast }
}
