import { assert } from '../assert.ts'
import type { Generation } from '../generation.ts'
import { comparePositions, type LogPosition } from './log-position.ts'
import { openPage, PAGE_BYTES, type Page } from './page.ts'
import type { PagePool } from './page-pool.ts'
import { sealPage } from './page-seal.ts'
import type { PageImage } from './store-order.ts'

/** Which changes may go to the database file now. */
export interface WriteLimits {
  /** The end of what is durable of the log: a change goes to the file when the record of it is before this. */
  readonly durable: LogPosition
  /** No change of a later generation goes to the file. */
  readonly waypoint: Generation
  /** Pages whose oldest change lies behind this are left for later; null for none. */
  readonly oldest: LogPosition | null
}

/** Pages of one batch, at most: 1 MiB of images beside the budget. */
const BATCH_PAGES_MAX = 128
/** A split of a root and of a leaf under it changes seven pages at once; the rest is for the way down to them. */
const FRAMES_MIN = 16
/** Outside an operation no page is held in its place. */
const NO_OPERATION = 0
/** Before every log: where the changes of a page begin that has none. */
const NOWHERE: LogPosition = { generation: 0, sector: 0, byte: 0 }

/** Hears of each page that an operation comes to, before it is changed; null of one that is made and was not in memory. */
type PageWatch = (page: number, bytes: Uint8Array | null) => void

/** Memory for one page. */
interface Frame {
  readonly page: Page
  number: number
  /** The last operation that used it. */
  operation: number
  /** Whether it was used since the clock's hand came by. */
  used: boolean
  /** Made by the operation under way, and nothing written in it yet: its bytes are those of no page. */
  blank: boolean
  /** Changes that no image has. */
  changes: Debt | null
  /** Changes that wait for the waypoint in an image of their own, since the page changes all the time. */
  held: Debt | null
  /** Whether the batch under way has an image of it. */
  writing: boolean
  /** Whether it is to be written again although nothing in it has changed: the file has it wrong. */
  rewrite: boolean
}

/** Changes of one page that the database file does not have. */
interface Debt {
  readonly frame: Frame
  /** Where a redo has to begin to make them again. */
  readonly oldest: LogPosition
  newest: LogPosition
  /** The page as it was after them; null while they are in the frame alone. */
  image: Page | null
}

/**
 * The pages of a database that are in memory, within a budget.
 *
 * What makes room are clean pages only, by a clock, and never pages of the operation under way. What goes to the file are images,
 * sealed copies, so that changes may go on while a batch is written. At most one batch is under way.
 *
 * A page that is changed all the time is always newer than the waypoint, and could never be written. When its oldest change
 * holds the checkpoint back, an image of it is held until the waypoint has come to it; the page itself goes on.
 *
 * A class, since it owns its memory.
 */
export class PageCache implements PagePool {
  /** Pages that the budget allows. */
  readonly capacity: number
  readonly #frames: Frame[] = []
  readonly #free: Frame[] = []
  readonly #byNumber = new Map<number, Frame>()
  /** In the order of `oldest`: each change is later than those before it. */
  readonly #debts = new Set<Debt>()
  readonly #rewrites = new Set<Frame>()
  /** What the batch under way writes; empty when none is. */
  #batch: Debt[] = []
  #dirty = 0
  #heldImages = 0
  readonly #spareImages: Page[] = []
  readonly #blank: Frame[] = []
  /** What the operation under way has changed. */
  readonly #changed: Debt[] = []
  #hand = 0
  #operation = NO_OPERATION
  #operations = 0
  #horizon: LogPosition | null = null
  #watch: PageWatch | null = null

  /** @param budgetBytes memory for pages and held images; a batch under way takes 1 MiB beside it */
  constructor(budgetBytes: number) {
    this.capacity = Math.floor(budgetBytes / PAGE_BYTES)
    assert(this.capacity >= FRAMES_MIN, `a cache has memory for ${FRAMES_MIN} pages at least`)
  }

  /** Pages of the budget that are free, or clean and so free as soon as one is wanted. */
  get freeable(): number {
    return this.capacity - this.#dirty - this.#heldImages
  }

  /** Where a redo has to begin for all changes that the file does not have; null when it has all. It never goes back. */
  get oldestDirty(): LogPosition | null {
    for (const { oldest } of this.#debts) return oldest
    return null
  }

  /** Whether a batch was taken and is not written yet. */
  get isWriting(): boolean {
    return this.#batch.length > 0
  }

  /** How many pages have changes that may not go to the file before the waypoint has come to them. */
  heldBack(waypoint: Generation): number {
    let pages = 0
    for (const { newest } of this.#debts) if (newest.generation > waypoint) pages++
    return pages
  }

  /**
   * An operation begins: the pages that it finds stay in their places until it ends.
   *
   * @param horizon where a redo has to begin to make its changes again: before its first record, and before whatever else they
   *   need to be redone. It never goes back from one operation to the next
   */
  beginOperation(horizon: LogPosition): void {
    assert(this.#operation === NO_OPERATION, 'one operation ends before the next begins')
    assert(this.#horizon === null || comparePositions(this.#horizon, horizon) <= 0, 'the horizon never goes back')
    this.#horizon = horizon
    this.#operation = ++this.#operations
  }

  /**
   * The operation has ended. A page that it made and did not write in is forgotten.
   *
   * @param newest its last record: its changes count together, so none goes to the file before that record is durable
   */
  endOperation(newest: LogPosition): void {
    this.#operation = NO_OPERATION
    for (const debt of this.#changed.splice(0)) debt.newest = newest
    for (const frame of this.#blank.splice(0)) if (frame.blank) this.#empty(frame)
  }

  find(number: number): Page | null {
    const frame = this.#byNumber.get(number)
    if (frame === undefined) return null
    this.#tellWatch(number, frame)
    return this.#use(frame)
  }

  make(number: number): Page | null {
    assert(this.#operation !== NO_OPERATION, 'a page is made in an operation')
    const known = this.find(number)
    if (known !== null) return known
    const frame = this.#frameFor(number)
    if (frame === null) return null
    frame.blank = true
    this.#tellWatch(number, frame)
    this.#blank.push(frame)
    return this.#use(frame)
  }

  /** From now on this is called whenever an operation comes to a page; null ends it. Between two operations. */
  watchWith(watch: PageWatch | null): void {
    assert(this.#operation === NO_OPERATION, 'a watch begins before an operation, or behind it')
    this.#watch = watch
  }

  changed(number: number, position: LogPosition): void {
    const frame = this.#byNumber.get(number)
    assert(frame !== undefined && this.#horizon !== null, 'a page that is changed is in memory')
    assert(frame.operation === this.#operation && frame.operation !== NO_OPERATION, 'it was found by this operation')
    frame.blank = false
    if (frame.changes === null) {
      if (isClean(frame)) this.#dirty++
      frame.changes = { frame, oldest: this.#horizon, newest: position, image: null }
      this.#debts.add(frame.changes)
    }
    this.#changed.push(frame.changes)
  }

  /**
   * Takes in a page that was read from the file and verified; one that is there already stays as it is.
   *
   * @returns false when no memory is free for it: pages must be written first
   */
  admit(number: number, bytes: Uint8Array): boolean {
    if (this.#byNumber.has(number)) return true
    const frame = this.#frameFor(number)
    if (frame === null) return false
    frame.page.bytes.set(bytes)
    return true
  }

  /**
   * A page is written to the file again as it is in memory, in the next batch. One that has changes is left alone: it is written with
   * these. Answers whether the page is in memory.
   */
  rewrite(number: number): boolean {
    const frame = this.#byNumber.get(number)
    if (frame === undefined) return false
    if (!isClean(frame)) return true
    this.#dirty++
    frame.rewrite = true
    this.#rewrites.add(frame)
    return true
  }

  /**
   * Takes the pages to write next, those first that wait longest, in the order of their numbers. The images are the taker's until
   * {@link batchWritten}.
   *
   * @returns at most 128; none when nothing may be written
   */
  takeBatch(limits: WriteLimits): readonly PageImage[] {
    assert(!this.isWriting, 'one batch is written before the next is taken')
    const images = this.#takeRewrites()
    for (const { frame, oldest } of this.#debts) {
      if (limits.oldest !== null && comparePositions(oldest, limits.oldest) > 0) break
      if (images.length === BATCH_PAGES_MAX) break
      const image = frame.writing ? null : this.#takeImage(frame, limits)
      if (image !== null) images.push({ number: frame.number, bytes: image.bytes })
    }
    return images.sort((a, b) => a.number - b.number)
  }

  /** The batch is durable in the file. */
  batchWritten(): void {
    for (const debt of this.#batch.splice(0)) {
      const { frame, image } = debt
      this.#debts.delete(debt)
      if (image !== null && this.#spareImages.length < BATCH_PAGES_MAX) this.#spareImages.push(image)
      const wasWriting = frame.writing
      frame.writing = false
      if (wasWriting && isClean(frame)) this.#dirty--
    }
  }

  /**
   * Holds images of the pages that wait longest and are newer than the waypoint, so that later changes do not keep them waiting.
   * What memory is free for it bounds how many.
   *
   * @param limits pages whose oldest change lies behind `oldest` need none yet
   */
  holdImages(limits: Pick<WriteLimits, 'waypoint' | 'oldest'>): void {
    for (const debt of this.#debts) {
      const { frame, oldest, newest } = debt
      if (limits.oldest !== null && comparePositions(oldest, limits.oldest) > 0) return
      if (debt !== frame.changes || frame.held !== null || newest.generation <= limits.waypoint) continue
      if (!this.#hasRoom() && !this.#evict()) return
      debt.image = this.#imageOf(frame)
      frame.held = debt
      frame.changes = null
      this.#heldImages++
    }
  }

  /** What the file has wrong. One that was changed since is left to its changes. */
  #takeRewrites(): PageImage[] {
    const images: PageImage[] = []
    for (const frame of this.#rewrites) {
      if (images.length === BATCH_PAGES_MAX) break
      this.#rewrites.delete(frame)
      frame.rewrite = false
      if (!isClean(frame)) continue
      const image = this.#imageOf(frame)
      frame.writing = true
      this.#batch.push({ frame, oldest: NOWHERE, newest: NOWHERE, image })
      images.push({ number: frame.number, bytes: image.bytes })
    }
    return images
  }

  /** The newest image of a page that may go to the file: of the page itself, or the one that is held. Null when none may. */
  #takeImage(frame: Frame, limits: WriteLimits): Page | null {
    const { changes, held } = frame
    const wholePage = changes !== null && mayGo(changes, limits)
    if (!wholePage && (held === null || !mayGo(held, limits))) return null
    if (held !== null) {
      this.#batch.push(held)
      this.#heldImages--
      frame.held = null
    }
    frame.writing = true
    if (!wholePage) return held?.image ?? null
    changes.image = this.#imageOf(frame)
    this.#batch.push(changes)
    frame.changes = null
    return changes.image
  }

  #imageOf(frame: Frame): Page {
    const image = this.#spareImages.pop() ?? openPage(new Uint8Array(PAGE_BYTES))
    image.bytes.set(frame.page.bytes)
    sealPage(image, 0, { bytes: PAGE_BYTES, number: frame.number })
    return image
  }

  #tellWatch(number: number, frame: Frame): void {
    if (this.#watch !== null && this.#operation !== NO_OPERATION)
      this.#watch(number, frame.blank ? null : frame.page.bytes)
  }

  #use(frame: Frame): Page {
    frame.used = true
    frame.operation = this.#operation
    return frame.page
  }

  #hasRoom(): boolean {
    return this.#byNumber.size + this.#heldImages < this.capacity
  }

  /** Memory for a page that is not there yet. Null when all of it is taken by pages that cannot go. */
  #frameFor(number: number): Frame | null {
    if (!this.#hasRoom() && !this.#evict()) return null
    const frame = this.#free.pop() ?? this.#newFrame()
    frame.number = number
    frame.used = true
    this.#byNumber.set(number, frame)
    return frame
  }

  #newFrame(): Frame {
    const page = openPage(new Uint8Array(PAGE_BYTES))
    const nothing = { changes: null, held: null, writing: false, rewrite: false }
    const frame: Frame = { page, number: 0, operation: NO_OPERATION, used: false, blank: false, ...nothing }
    this.#frames.push(frame)
    return frame
  }

  /** Gives the frame of one clean page free, by the clock: one that was used since the hand came by is passed over once. */
  #evict(): boolean {
    const { length } = this.#frames
    for (let step = 0; step < 2 * length; step++) {
      const frame = this.#frames[this.#hand]
      this.#hand = (this.#hand + 1) % length
      if (frame === undefined || !this.#mayLeave(frame)) continue
      if (!frame.used) {
        this.#empty(frame)
        return true
      }
      frame.used = false
    }
    return false
  }

  #mayLeave(frame: Frame): boolean {
    const inUse = this.#operation !== NO_OPERATION && frame.operation === this.#operation
    return this.#byNumber.get(frame.number) === frame && isClean(frame) && !inUse
  }

  #empty(frame: Frame): void {
    this.#byNumber.delete(frame.number)
    frame.operation = NO_OPERATION
    frame.blank = false
    this.#free.push(frame)
  }
}

function isClean(frame: Frame): boolean {
  return frame.changes === null && frame.held === null && !frame.writing && !frame.rewrite
}

/** Whether changes may go to the file: the log has them, and no failover can lose it. */
function mayGo(debt: Debt, limits: WriteLimits): boolean {
  return comparePositions(debt.newest, limits.durable) < 0 && debt.newest.generation <= limits.waypoint
}
