import { assert, unreachable } from '../assert.ts'
import { asGeneration, type Generation, lowerOf, previousGeneration } from '../generation.ts'
import { AfterFlush } from './after-flush.ts'
import type { CheckpointFile } from './checkpoint-file.ts'
import { CircularLogs } from './circular-logs.ts'
import type { DatabaseHeader } from './database-header.ts'
import { DatabaseWriter, type WriteGoal } from './database-writer.ts'
import type { LogBuffer } from './log-buffer.ts'
import type { LogBytes } from './log-bytes.ts'
import type { LogHeader } from './log-header.ts'
import { comparePositions, type LogPosition, positionBefore, positionOf } from './log-position.ts'
import { headerOfNextLog } from './log-succession.ts'
import { logTimeAt } from './log-time.ts'
import { isRollDue, nextWaypoint } from './lost-log-resilience.ts'
import { isMemoryPressed, isMemoryScarce } from './memory-pressure.ts'
import { OpenLog } from './open-log.ts'
import type { PageCache } from './page-cache.ts'
import { type CorrectedPage, PageReads } from './page-reads.ts'
import { layBeginOfEnd, layEnd, layRollover, type StoreEnd } from './store-end.ts'
import type { DatabaseOrder, StoreFact } from './store-order.ts'
import type { StoreContent, StoreSettings, StoreStart, StoreWork } from './store-start.ts'

/** What the header says that does not follow from the log's own course. */
type HeaderAmendment = Partial<Pick<DatabaseHeader, 'backups' | 'correctedPages' | 'badPages' | 'later'>>

/**
 * Where a store stands: `resting`, its database is clean or not made yet; `attaching`, the record that opens it is on its way;
 * `running`; `stopping`, all pages go to the file; `quitting`, the last record is on its way.
 */
type Phase = 'resting' | 'attaching' | 'running' | 'stopping' | 'quitting'

/**
 * The store of an active database, below the trees: the open log, the pages in memory, and what of them may go to the disk when.
 *
 * Whoever changes something begins an operation, lays records, applies each to the pages, and ends it; asks for a flush when a
 * commit is wanted durable; and waits until {@link durable} has passed it. After operations and facts, {@link work} gives the orders
 * that have become due. Source of the rules: the engine's, as far as its headers and files show them.
 *
 * A class, since it owns the memory of the log and of the pages.
 */
export class StoreEngine {
  readonly cache: PageCache
  readonly #settings: StoreSettings
  readonly #content: StoreContent
  readonly #log: OpenLog
  readonly #writer: DatabaseWriter
  readonly #circular: CircularLogs
  #phase: Phase
  #nowMs: number
  #lastRollMs: number
  #fromReserve = false
  readonly #reads: PageReads
  /** When nothing was found to write last: while nothing of this changes, nothing else is. */
  #fruitless: { readonly durable: LogPosition; readonly isScarce: boolean } | null = null
  readonly #whenDurable = new AfterFlush()
  #stopsBy: StoreEnd = 'term'
  #databaseSequence = 0
  #databaseBusy = false
  #holds = 0
  #isFrozen = false

  constructor(start: StoreStart) {
    const { settings, content, cache, header, checkpoint } = start
    this.#settings = settings
    this.#content = content
    this.cache = cache
    this.#reads = new PageReads(cache)
    this.#nowMs = start.nowMs
    this.#lastRollMs = start.nowMs
    this.#phase = header.state === 'dirty-shutdown' ? 'running' : 'resting'
    this.#writer = new DatabaseWriter(cache, header, checkpoint)
    this.#circular = new CircularLogs(start.lowestLog, () => this.lowestRequired)
    const succession = {
      nextHeader: (log: LogHeader) => this.#nextHeader(log),
      reusable: () => (settings.circularLogging ? this.#circular.reuse() : null),
      oldestTransaction: () => content.oldestTransaction,
    }
    this.#log = new OpenLog(succession, start.log, start.isNewLog)
  }

  /** The log that records are laid in; another one after each roll, and a roll may come with each call. */
  get buffer(): LogBuffer {
    return this.#log.buffer
  }

  /** An operation needs a page. True when it has to be read, which the fact `page-read` ends; false while that is under way. */
  needPage(number: number): boolean {
    return this.#reads.need(number)
  }

  /** Pages that were found bad when they were read, and why. What needs one of them cannot be done. */
  get badPages(): ReadonlyMap<number, string> {
    return this.#reads.bad
  }

  /** Pages in which bits were turned back when they were read, since the last call; the file gets them as they should be. */
  takeCorrectedPages(): readonly CorrectedPage[] {
    return this.#reads.takeCorrected()
  }

  /**
   * A page is written to the file again, which has it wrong: as it is in memory, or else as given. Answers whether there is such a
   * page, and room for it.
   * @param sound the page as it should be; null where only memory could know
   */
  rewritePage(number: number, sound: Uint8Array | null): boolean {
    if (sound !== null) this.cache.admit(number, sound)
    this.#fruitless = null
    return this.cache.rewrite(number)
  }

  /**
   * Somebody is about to read the file, and no page of it may change meanwhile: no order of the database is given any more before
   * {@link releaseDatabase}. What was given is still carried out, until {@link isDatabaseStill}.
   */
  holdDatabase(): void {
    this.#holds++
  }

  /** Whether nothing of the database's file changes now, as it is held. */
  get isDatabaseStill(): boolean {
    return this.#holds > 0 && !this.#databaseBusy
  }

  /** The file was read. */
  releaseDatabase(): void {
    assert(this.#holds > 0, 'what is released was held')
    this.#holds--
  }

  /**
   * For a snapshot: closes the log, which is answered, and lays nothing more until {@link thaw}. As soon as {@link isStill} says so
   * nothing of the database, the checkpoint and the closed logs changes.
   */
  freeze(text: string): Generation {
    this.holdDatabase()
    this.#isFrozen = true
    return this.forceRoll(text)
  }

  /** Whether everything is durable and at rest, as the store is frozen. */
  get isStill(): boolean {
    return this.#isFrozen && this.isDatabaseStill && this.#log.isQuiet
  }

  /** The snapshot was taken. */
  thaw(): void {
    this.#isFrozen = false
    this.releaseDatabase()
  }

  /** Where the next record begins, or before that. */
  get end(): LogPosition {
    return this.#log.end
  }

  /** The end of what is durable of the log: a record before it survives every crash. */
  get durable(): LogPosition {
    return this.#log.durable
  }

  /** The log that is open on the disk; those before it are closed, durable and may be shipped. */
  get openGeneration(): Generation {
    return this.#log.onDisk.generation
  }

  /** The header that is durable. */
  get header(): DatabaseHeader {
    return this.#writer.header
  }

  /** The checkpoint file that is durable. */
  get checkpoint(): CheckpointFile {
    return this.#writer.checkpoint
  }

  /** The first log that the database needs to recover, by what is durable: none before it is read again. */
  get lowestRequired(): Generation {
    const checkpoint = asGeneration(this.checkpoint.checkpoint.generation)
    const { minRequired: first } = this.header.required
    return first === 0 ? checkpoint : lowerOf(checkpoint, asGeneration(first))
  }

  /** Whether operations may begin: the database is attached and its header says so, and the disk keeps up with the log. */
  get mayBegin(): boolean {
    const isHeldUp = this.#isFrozen || this.#log.isBackedUp
    return this.#phase === 'running' && this.header.state === 'dirty-shutdown' && !isHeldUp
  }

  /** Whether nothing is attached and nothing is under way: before the first order, and after the last. */
  get isAtRest(): boolean {
    return this.#phase === 'resting' && !this.#databaseBusy && !this.#writer.hasDue
  }

  /** An operation begins: pages that it finds stay, and redo of its changes begins here. */
  beginOperation(): void {
    assert(this.#phase === 'running' || this.isAtRest, 'changes are made while the store runs, or before it is opened')
    this.cache.beginOperation(this.#log.end)
  }

  /** The operation has ended. Its changes count together: none goes to the file before all of them are durable in the log. */
  endOperation(): void {
    const { header, end } = this.#log.buffer
    this.cache.endOperation(positionOf(header, end - 1))
  }

  /**
   * Lays a record, in the next log where it does not fit into this one. Who looks for room first lays records in {@link buffer}
   * itself, and calls {@link roll} where there is none.
   *
   * @returns where it begins
   */
  write(bytes: number, lay: (log: LogBytes, at: number) => void): LogPosition {
    const at = this.#log.lay(bytes)
    lay(this.buffer.log, at)
    return positionOf(this.buffer.header, at)
  }

  /** Closes the log, and opens the next one. */
  roll(): void {
    this.#log.roll()
  }

  /** Everything that was laid so far is wanted durable. */
  requestFlush(): void {
    this.#log.requestFlush()
  }

  /** Closes the log although it is not full: for a backup, or since changes are held back. Returns the log that is closed. */
  forceRoll(text: string): Generation {
    layRollover(this, text)
    this.#log.roll()
    return previousGeneration(this.#log.buffer.header.generation)
  }

  /** Circular logging leaves closed logs from this one on while a backup reads them; null when it has ended. */
  holdLogsFrom(generation: Generation | null): void {
    this.#circular.holdFrom(generation)
  }

  /**
   * The database is opened, by the record that was laid last: a CreateDB where no file is yet, or an AttachDB.
   *
   * @param header what its header says as soon as the record is durable: dirty, attached at the record
   */
  attach(header: DatabaseHeader): void {
    assert(
      this.#phase === 'resting' && header.state === 'dirty-shutdown',
      'a clean database is attached, and dirty then',
    )
    this.#phase = 'attaching'
    this.#afterFlush(() => {
      this.#phase = 'running'
      if (this.header.state === 'just-created') this.#writer.create(header)
      else this.#writer.amend(header)
    })
  }

  /** The header says this too, as soon as everything laid so far is durable: the backup of which the records tell, or a count. */
  amendHeader(change: HeaderAmendment): void {
    this.#afterFlush(() => this.#writer.amend(change))
  }

  /** Ends the work: no transaction is open, and no operation begins any more. The database is clean when {@link isAtRest}. */
  stop(by: StoreEnd): void {
    assert(this.#phase === 'running' && this.#content.oldestTransaction === null, 'nothing is open when a store stops')
    this.#phase = 'stopping'
    this.#stopsBy = by
    this.#fruitless = null
    layBeginOfEnd(this, by)
    this.#log.requestFlush()
  }

  /** Takes in what happened. */
  take(fact: StoreFact): void {
    switch (fact.fact) {
      case 'log-written':
        this.#log.written(fact.sequence)
        return
      case 'database-written':
        assert(fact.sequence === this.#databaseSequence, 'one bundle of the database is under way')
        this.#databaseBusy = false
        this.#fruitless = null
        if (this.#writer.isBusy) this.#writer.ended()
        return
      case 'log-prepared':
        this.#fromReserve = fact.reserve
        return
      case 'page-read':
        if (this.#reads.arrived(fact.number, fact.bytes)) this.#fruitless = null
        return
      case 'clock-ticked':
        this.#nowMs = fact.nowMs
        if (this.#isFrozen) return
        this.#log.requestFlush() // what nobody waits for holds pages back all the same
        if (this.#phase === 'running' && this.#isRollDue()) this.forceRoll('changes wait for the waypoint')
        return
      default:
        unreachable(fact)
    }
  }

  /** The orders that have become due. */
  work(): StoreWork {
    if (this.#whenDurable.run(this.durable)) this.#fruitless = null
    const orders = this.#databaseBusy || this.#holds > 0 ? [] : this.#databaseOrders()
    const database = orders.length === 0 ? null : { sequence: ++this.#databaseSequence, orders }
    if (database !== null) this.#databaseBusy = true
    return { log: this.#log.work(), database }
  }

  #databaseOrders(): readonly DatabaseOrder[] {
    if (this.#phase === 'attaching' || this.#phase === 'quitting') return []
    const orders = this.#writes()
    if (orders.length > 0 || this.#phase === 'resting') return orders
    if (this.#phase === 'stopping' && this.#writer.isDone && this.#isAllDurable) this.#quit()
    if (isMemoryPressed(this.cache)) this.#relieve()
    return this.#settings.circularLogging ? this.#circular.deletion() : []
  }

  /** Pages, and what the header says of them. Looked for again only when the log, or the want of memory, has changed. */
  #writes(): readonly DatabaseOrder[] {
    const { durable } = this.#log
    const isScarce = this.#phase === 'stopping' || isMemoryScarce(this.cache)
    if (this.#fruitless?.durable === durable && this.#fruitless.isScarce === isScarce) return []
    const { checkpointDepthBytes: depth } = this.#settings
    // Changes before that hold the checkpoint back.
    const oldest = isScarce ? null : positionBefore(this.#log.buffer.header, this.end, depth)
    const orders = this.#writer.next(this.#goal(oldest))
    this.#fruitless = orders.length === 0 ? { durable, isScarce } : null
    for (const order of orders) if (order.order === 'write-pages') this.#reads.written(order.pages)
    return orders
  }

  /** Nothing can be written and the memory is full of changes: they wait for the waypoint, or for the log. */
  #relieve(): void {
    if (this.#log.isRolling) return
    if (this.cache.heldBack(asGeneration(this.header.required.maxRequired)) > 0)
      this.forceRoll('memory is full of changes')
    else this.#log.requestFlush()
  }

  /** The file has every change: the last record is laid, and the header says so when it is durable. */
  #quit(): void {
    this.#phase = 'quitting'
    const time = logTimeAt(this.#nowMs)
    layEnd(this, this.#stopsBy, time)
    const end = this.end
    this.#afterFlush(() => {
      this.#phase = 'resting'
      this.#writer.clean(this.#goal(null), { position: end, time })
    })
  }

  #afterFlush(act: () => void): void {
    this.#whenDurable.add(this.end, act)
    this.#log.requestFlush()
  }

  get #isAllDurable(): boolean {
    return comparePositions(this.#log.durable, this.end) >= 0
  }

  /** A change waits for the waypoint, and the log was not rolled for long. */
  #isRollDue(): boolean {
    const holdsChangesBack = this.cache.heldBack(asGeneration(this.header.required.maxRequired)) > 0
    const { resilienceDepth: depth } = this.#settings
    return isRollDue({ nowMs: this.#nowMs, lastRollMs: this.#lastRollMs, depth, holdsChangesBack })
  }

  #goal(oldest: LogPosition | null): WriteGoal {
    const { dbtime, objectIdLast } = this.#content
    const { durable, redoFrom, onDisk: committed } = this.#log
    return { durable, waypoint: this.#waypoint(), committed, redoFrom, oldest, dbtime, objectIdLast }
  }

  /** Nothing is held back of a database that is opened or closed: no log of this moment may be lost for it. */
  #waypoint(): Generation {
    const { onDisk } = this.#log
    const isWhole = this.#phase === 'stopping' && this.#isAllDurable
    if (isWhole || this.header.state !== 'dirty-shutdown') return onDisk.generation
    const { resilienceDepth: depth } = this.#settings
    const log = { open: onDisk.generation, durable: previousGeneration(onDisk.generation), depth }
    return nextWaypoint(asGeneration(this.header.required.maxRequired), log)
  }

  #nextHeader(previous: LogHeader): LogHeader {
    this.#lastRollMs = this.#nowMs
    return headerOfNextLog(previous, {
      createTime: logTimeAt(this.#nowMs),
      database: this.header,
      databasePath: this.#settings.databasePath,
      dbtime: this.#content.dbtime,
      objectIdLast: this.#content.objectIdLast,
      checkpoint: this.checkpoint.checkpoint,
      circularLogging: this.#settings.circularLogging,
      reserveLog: this.#fromReserve,
    })
  }
}
