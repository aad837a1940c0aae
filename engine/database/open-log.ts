import { assert } from '../assert.ts'
import type { Generation } from '../generation.ts'
import { LogBuffer } from './log-buffer.ts'
import { LOG_HEADER_BYTES, type LogHeader } from './log-header.ts'
import { comparePositions, type LogPosition, positionOf } from './log-position.ts'
import type { LogOrder, OrderBundle } from './store-order.ts'

/** What an open log asks its owner for when it is full. */
export interface LogSuccession {
  /** The header of the log after `previous`. */
  readonly nextHeader: (previous: LogHeader) => LogHeader
  /** A closed log whose file may become the next prepared one, or null. Asked once for each roll; it is gone then. */
  readonly reusable: () => Generation | null
  /** Where the oldest transaction began that is open after the records laid so far; null when none is. */
  readonly oldestTransaction: () => LogPosition | null
}

/** A bundle that was given out, and what is durable when it has ended. */
interface BundleUnderWay {
  readonly sequence: number
  readonly durable: LogPosition
  readonly oldestTransaction: LogPosition | null
  /** Memory of closed logs that nobody reads afterwards. */
  readonly freed: readonly Uint8Array[]
  readonly rolls: number
  /** The log that is open then. */
  readonly open: LogHeader
}

/** Closed logs whose last writes have not ended, at most: beyond 4 MiB the disk does not keep up, and operations wait. */
const ROLLS_UNDER_WAY_MAX = 4
/** Memory of closed logs that is kept for the next ones. */
const SPARE_LOGS_MAX = 2

/**
 * The log that a store writes, and its rolls. Records are laid in memory; what is wanted durable goes out with the next flush, all
 * of it in one, and the flush after it waits until that has ended: so commits that come meanwhile share a flush.
 *
 * A class, since it owns the memory of the log.
 */
export class OpenLog {
  readonly #succession: LogSuccession
  #buffer: LogBuffer
  /** Orders that wait to be given out. */
  #queue: LogOrder[] = []
  #freed: Uint8Array[] = []
  #rolls = 0
  readonly #underWay: BundleUnderWay[] = []
  readonly #spare: Uint8Array[] = []
  #sequence = 0
  #durable: LogPosition
  /** The oldest transaction that is open after what is durable, and after what is in a flush. */
  #durableTransaction: LogPosition | null
  #flushedTransaction: LogPosition | null
  #flushWanted = false
  /** The end of what is in a flush, of this log. */
  #flushedEnd: number
  /** The bundle with the last flush of this log; the next flush writes in the same memory. */
  #tailSequence = 0
  #onDisk: LogHeader

  /**
   * @param buffer what is in it is durable already
   * @param isNew whether the log does not lie on the disk yet: then its making is the first order
   */
  constructor(succession: LogSuccession, buffer: LogBuffer, isNew: boolean) {
    this.#succession = succession
    this.#buffer = buffer
    this.#flushedEnd = buffer.end
    this.#durable = isNew ? startOf(buffer.header) : this.end
    this.#flushedTransaction = succession.oldestTransaction()
    this.#durableTransaction = this.#flushedTransaction
    this.#onDisk = buffer.header
    if (isNew) this.#queueRoll(null, null)
    else this.#queue.push({ order: 'prepare-log', fileBytes: fileBytesOf(buffer.header), reuse: null })
  }

  /** The log that records are laid in. Another one after each roll. */
  get buffer(): LogBuffer {
    return this.#buffer
  }

  /** Where the next record begins, or before that. */
  get end(): LogPosition {
    return positionOf(this.#buffer.header, this.#buffer.end)
  }

  /** The end of what is durable: a record before it survives every crash. */
  get durable(): LogPosition {
    return this.#durable
  }

  /**
   * Where a redo has to begin for what is durable, so that everything open then can be undone. A transaction whose end is not durable
   * is open after a crash, however long ago it has ended.
   */
  get redoFrom(): LogPosition {
    const oldest = this.#durableTransaction
    return oldest !== null && comparePositions(oldest, this.#durable) < 0 ? oldest : this.#durable
  }

  /** The log that is open on the disk: the one before it is closed and durable, with all its records. */
  get onDisk(): LogHeader {
    return this.#onDisk
  }

  /** Whether so many closed logs wait for the disk that nothing more should be laid. */
  get isBackedUp(): boolean {
    return this.#underWay.reduce((rolls, bundle) => rolls + bundle.rolls, this.#rolls) >= ROLLS_UNDER_WAY_MAX
  }

  /** Whether a roll has not come to the disk yet. */
  get isRolling(): boolean {
    return this.#onDisk !== this.#buffer.header
  }

  /** Whether everything that was to be written is on the disk, and nothing else is wanted. */
  get isQuiet(): boolean {
    return this.#underWay.length === 0 && this.#queue.length === 0
  }

  /**
   * Takes the next `bytes` for records, in the next log where they do not fit into this one. The caller writes them before anything
   * else is asked.
   *
   * @returns where in {@link buffer} they begin
   */
  lay(bytes: number): number {
    if (bytes > this.#buffer.room) this.roll()
    return this.#buffer.reserve(bytes)
  }

  /** Closes the log, full or not, and opens the next one. */
  roll(): void {
    const closed = this.#buffer
    this.#flushedTransaction = this.#succession.oldestTransaction()
    for (const { at, bytes } of closed.close()) this.#queueWrite(closed.header.generation, at, bytes)
    const header = this.#succession.nextHeader(closed.header)
    this.#buffer = new LogBuffer(header, this.#spare.pop())
    this.#flushedEnd = this.#buffer.end
    this.#tailSequence = 0
    this.#freed.push(closed.log.bytes)
    this.#queueRoll(closed.header.generation, this.#succession.reusable())
  }

  /** Everything that was laid is wanted durable. */
  requestFlush(): void {
    this.#flushWanted = true
  }

  /** What is to be done next, or null. Bundles are given out as they come; at most one of them flushes this log. */
  work(): OrderBundle<LogOrder> | null {
    this.#flush()
    if (this.#queue.length === 0) return null
    const orders = this.#queue
    this.#sequence++
    this.#underWay.push({
      sequence: this.#sequence,
      durable: positionOf(this.#buffer.header, this.#flushedEnd),
      oldestTransaction: this.#flushedTransaction,
      freed: this.#freed,
      rolls: this.#rolls,
      open: this.#buffer.header,
    })
    this.#queue = []
    this.#freed = []
    this.#rolls = 0
    return { sequence: this.#sequence, orders }
  }

  /** All bundles up to `sequence` have ended. */
  written(sequence: number): void {
    for (;;) {
      const [bundle] = this.#underWay
      if (bundle === undefined || bundle.sequence > sequence) return
      this.#underWay.shift()
      this.#durable = bundle.durable
      this.#durableTransaction = bundle.oldestTransaction
      this.#onDisk = bundle.open
      this.#spare.push(...bundle.freed.slice(0, SPARE_LOGS_MAX - this.#spare.length))
    }
  }

  #flush(): void {
    const buffer = this.#buffer
    if (!this.#flushWanted || this.#isTailUnderWay()) return
    this.#flushWanted = false
    if (buffer.end <= this.#flushedEnd) return
    for (const { at, bytes } of buffer.seal()) this.#queueWrite(buffer.header.generation, at, bytes)
    this.#flushedEnd = buffer.end
    this.#flushedTransaction = this.#succession.oldestTransaction()
    this.#tailSequence = this.#sequence + 1
  }

  #isTailUnderWay(): boolean {
    return this.#underWay.some(({ sequence }) => sequence === this.#tailSequence)
  }

  #queueWrite(generation: Generation, at: number, bytes: Uint8Array): void {
    this.#queue.push({ order: 'write-log', generation, at, bytes })
  }

  /** The buffer's log comes to the disk, and the next one is prepared. */
  #queueRoll(closes: Generation | null, reuse: Generation | null): void {
    const { header, log } = this.#buffer
    const fileBytes = fileBytesOf(header)
    const bytes = log.bytes.subarray(0, LOG_HEADER_BYTES)
    if (closes === null) this.#queue.push({ order: 'prepare-log', fileBytes, reuse: null })
    else assert(header.generation === closes + 1, 'a log is followed by the next generation')
    this.#queue.push({ order: 'roll-log', closes, opens: header.generation, header: bytes, fileBytes })
    this.#queue.push({ order: 'prepare-log', fileBytes, reuse })
    this.#rolls++
  }
}

function fileBytesOf(header: LogHeader): number {
  return header.sectorBytes * header.fileSectors
}

/** Before the first record of a log. */
function startOf(header: LogHeader): LogPosition {
  return positionOf(header, LOG_HEADER_BYTES)
}
