// The files of a store on a disk that may be cut off: sectors that no sync has reached are kept or lost one by one.
// Each order is a list of small steps, so that a test can stop between any two of them. Names are durable at once.
import { composeCheckpointFile } from '../../../../engine/database/checkpoint-file.ts'
import { type DatabaseHeader, writeDatabaseHeader } from '../../../../engine/database/database-header.ts'
import { fillWithPattern } from '../../../../engine/database/fill-pattern.ts'
import { LOG_HEADER_BYTES, readLogHeader } from '../../../../engine/database/log-header.ts'
import { PAGE_BYTES } from '../../../../engine/database/page.ts'
import type { StoreFiles } from '../../../../engine/database/recovery-evidence.ts'
import {
  BATCH_ID_BYTES,
  fillSlot,
  readSavedPages,
  SLOT_HEAD_BYTES,
} from '../../../../engine/database/saved-page-file.ts'
import { readStore } from '../../../../engine/database/store-finding.ts'
import type { StoreAnswer } from '../../../../engine/database/store-machine.ts'
import type { SavedPage, StoreOrder, StoreQuestion } from '../../../../engine/database/store-order.ts'
import { asGeneration, type Generation } from '../../../../engine/generation.ts'

/** Free decisions; 0 is the mildest. */
export type Choose = (bound: number) => number
/** One step of an order: all of it or nothing, but for the sectors that it writes. */
export type DiskStep = () => void

const SECTOR_BYTES = 512
const OPEN_LOG = 'E00.log'
const PREPARED_LOG = 'E00tmp.log'
const DATABASE = 'priv1.edb'
const SAVED_PAGES = 'priv1.saved'
const CHECKPOINT = 'E00.chk'

interface PendingSector {
  readonly at: number
  readonly bytes: Uint8Array
}

class ModelFile {
  /** What programs read. */
  content: Uint8Array
  durable: Uint8Array
  pending: PendingSector[] = []

  constructor(durable: Uint8Array) {
    this.durable = durable
    this.content = durable.slice()
  }

  write(at: number, bytes: Uint8Array): void {
    this.content = patched(this.content, at, bytes)
    for (let lo = 0; lo < bytes.byteLength; lo += SECTOR_BYTES)
      this.pending.push({ at: at + lo, bytes: bytes.slice(lo, lo + SECTOR_BYTES) })
  }

  /** Makes durable what was written in `[lo, hi)`. */
  sync(lo = 0, hi: number = Number.POSITIVE_INFINITY): void {
    const isIn = ({ at }: PendingSector): boolean => at >= lo && at < hi
    for (const sector of this.pending.filter(isIn)) this.durable = patched(this.durable, sector.at, sector.bytes)
    this.pending = this.pending.filter((sector) => !isIn(sector))
  }

  powerCut(choose: Choose): void {
    const mode = choose(3)
    this.pending = this.pending.filter(() => (mode === 2 ? choose(2) === 0 : mode === 0))
    this.sync()
    this.content = this.durable.slice()
  }
}

/** The directories of a store. */
export class ModelStoreDisk {
  readonly files = new Map<string, ModelFile>()
  /** Every header that was written, as it came to be durable. */
  readonly headers: DatabaseHeader[] = []
  #batches = 0

  /** A machine that loses power, or a process that is killed: what it wrote can be read still, durable or not. */
  crash(kind: 'power' | 'kill', choose: Choose): void {
    if (kind === 'power') for (const file of this.files.values()) file.powerCut(choose)
  }

  /** The files are opened: what lies there is made durable, and a header whose other copy is not like it is written anew. */
  open(): void {
    for (const file of this.files.values()) file.sync()
    const header = this.scan().database
    if (header !== null) for (const step of this.#headerSteps(header).slice(0, 3)) step()
    this.files.get(DATABASE)?.sync()
  }

  /** What a start finds. */
  scan(): StoreFiles {
    const closed = [...this.files.keys()].flatMap((name) => {
      const digits = /^E00([0-9A-F]{8})\.log$/.exec(name)?.[1]
      return digits === undefined ? [] : [asGeneration(Number.parseInt(digits, 16))]
    })
    const finding = readStore({
      closed: closed.sort((a, b) => a - b).map((generation) => ({ first: generation, last: generation })),
      hasOpenLog: this.files.has(OPEN_LOG),
      hasPreparedLog: this.files.has(PREPARED_LOG),
      databaseStart: this.files.get(DATABASE)?.content ?? null,
      databaseBytes: this.files.get(DATABASE)?.content.byteLength ?? 0,
      checkpoint: this.files.get(CHECKPOINT)?.content ?? null,
    })
    if (finding.finding === 'unreadable') throw new Error(finding.fault.detail)
    return finding.files
  }

  /** A closed log as it lies there. */
  closedLog(generation: Generation): Uint8Array {
    return this.#file(nameOf(generation)).content
  }

  /** The open log as it lies there. */
  openLog(): Uint8Array {
    return this.#file(OPEN_LOG).content
  }

  /** A closed log appears whole, as the inspector of a copy lets it in. */
  letIn(generation: Generation, bytes: Uint8Array): void {
    this.files.set(nameOf(generation), new ModelFile(bytes.slice()))
  }

  /** A database appears whole, as a restore puts it there. */
  putDatabase(bytes: Uint8Array): void {
    this.files.set(DATABASE, new ModelFile(bytes.slice()))
  }

  /** Both copies of the header as they lie in the file. */
  headerCopies(): Uint8Array {
    return this.#file(DATABASE).content.slice(0, 2 * PAGE_BYTES)
  }

  /** A page as it lies in the file; zeros behind its end. */
  page(number: number): Uint8Array {
    const bytes = new Uint8Array(PAGE_BYTES)
    const lo = (number + 1) * PAGE_BYTES
    bytes.set(this.files.get(DATABASE)?.content.subarray(lo, lo + PAGE_BYTES) ?? [])
    return bytes
  }

  /** The disk turns a bit of a page, counted from the first of its first byte. */
  turnBit(number: number, bit: number): void {
    const { content, durable } = this.#file(DATABASE)
    const at = (number + 1) * PAGE_BYTES + (bit >>> 3)
    for (const bytes of new Set([content, durable])) bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7))
  }

  /** Pages that the file has. */
  pageCount(): number {
    return Math.max(0, Math.floor((this.files.get(DATABASE)?.content.byteLength ?? 0) / PAGE_BYTES) - 2)
  }

  /** What is read. */
  answer(question: StoreQuestion): StoreAnswer {
    if (question.order === 'read-page') return this.page(question.number)
    if (question.order === 'read-saved-pages') return this.#savedPages()
    return this.files.get(question.open ? OPEN_LOG : nameOf(question.generation))?.content.slice() ?? null
  }

  /** The steps of an order. */
  steps(order: StoreOrder): DiskStep[] {
    switch (order.order) {
      case 'write-log':
        return [
          () => {
            if (this.#openGeneration() !== order.generation) throw new Error('a write goes to the open log')
            this.#file(OPEN_LOG).write(order.at, order.bytes)
          },
          () => this.#file(OPEN_LOG).sync(),
        ]
      case 'roll-log':
        return this.#rollSteps(order)
      case 'prepare-log':
        return this.#prepareSteps(order)
      case 'mend-log':
        return [() => this.#replace(OPEN_LOG, order.bytes.slice())]
      case 'discard-logs':
        return this.#discardSteps(order.from)
      case 'delete-logs':
        return this.#deleteSteps(order.first, order.last)
      case 'write-checkpoint':
        return [() => this.#replace(CHECKPOINT, composeCheckpointFile(order.checkpoint))]
      default:
        return this.#databaseSteps(order)
    }
  }

  #databaseSteps(
    order: Extract<
      StoreOrder,
      { order: 'create-database' | 'save-pages' | 'write-pages' | 'sync-database' | 'write-header' }
    >,
  ): DiskStep[] {
    switch (order.order) {
      case 'create-database':
        return [() => this.#create(order.header)]
      case 'save-pages':
        return [() => this.#save(order), () => this.#file(SAVED_PAGES).sync()]
      case 'write-pages':
        return order.pages.map(
          ({ number, bytes }) =>
            () =>
              this.#file(DATABASE).write((number + 1) * PAGE_BYTES, bytes),
        )
      case 'sync-database':
        return [() => this.#file(DATABASE).sync()]
      case 'write-header':
        return this.#headerSteps(order.header)
    }
  }

  #rollSteps({ closes, opens, header }: Extract<StoreOrder, { order: 'roll-log' }>): DiskStep[] {
    const close = (): void => {
      if (closes === null) return
      if (this.files.has(nameOf(closes))) throw new Error('no closed log is written over')
      this.#rename(OPEN_LOG, nameOf(closes))
    }
    return [
      () => this.#file(PREPARED_LOG).write(0, header),
      () => this.#file(PREPARED_LOG).sync(),
      close,
      () => {
        if (this.files.has(OPEN_LOG)) throw new Error('the open log was closed first')
        this.#rename(PREPARED_LOG, OPEN_LOG)
        if (this.#openGeneration() !== opens) throw new Error('the header is that of the log which opens')
      },
    ]
  }

  #prepareSteps({ fileBytes, reuse }: Extract<StoreOrder, { order: 'prepare-log' }>): DiskStep[] {
    const pattern = new Uint8Array(fileBytes)
    fillWithPattern(pattern, 0, fileBytes)
    return [
      () => {
        const reused = reuse === null ? undefined : this.files.get(nameOf(reuse))
        if (reuse !== null) this.files.delete(nameOf(reuse))
        this.files.set(PREPARED_LOG, reused ?? new ModelFile(new Uint8Array(0)))
      },
      () => this.#file(PREPARED_LOG).write(0, pattern.subarray(LOG_HEADER_BYTES)),
      () => this.#replace(PREPARED_LOG, pattern),
    ]
  }

  #discardSteps(from: Generation): DiskStep[] {
    const gone = this.scan().closed.filter((generation) => generation >= from)
    const names = [OPEN_LOG, ...gone.reverse().map(nameOf)]
    return names.map((name) => () => this.files.delete(name))
  }

  #deleteSteps(first: Generation, last: Generation): DiskStep[] {
    return Array.from({ length: last - first + 1 }, (_, index) => () => {
      this.files.delete(nameOf(asGeneration(first + index)))
    })
  }

  #create(header: DatabaseHeader): void {
    const bytes = new Uint8Array(2 * PAGE_BYTES)
    for (const lo of [0, PAGE_BYTES]) writeDatabaseHeader(bytes.subarray(lo, lo + PAGE_BYTES), header)
    this.#replace(DATABASE, bytes)
    this.headers.push(header)
  }

  #headerSteps(header: DatabaseHeader): DiskStep[] {
    const bytes = new Uint8Array(PAGE_BYTES)
    writeDatabaseHeader(bytes, header)
    return [
      () => this.#file(DATABASE).write(0, bytes),
      () => this.#syncHeader(),
      () => this.#file(DATABASE).write(PAGE_BYTES, bytes),
      () => {
        this.#syncHeader()
        this.headers.push(header)
      },
    ]
  }

  /** Only the two headers: that the pages are durable is not the header's doing. */
  #syncHeader(): void {
    this.#file(DATABASE).sync(0, 2 * PAGE_BYTES)
  }

  #save({ pages, headerDigest }: Extract<StoreOrder, { order: 'save-pages' }>): void {
    const slotBytes = SLOT_HEAD_BYTES + PAGE_BYTES
    const bytes = new Uint8Array(pages.length * slotBytes)
    const batch = new Uint8Array(BATCH_ID_BYTES)
    new DataView(batch.buffer).setUint32(0, ++this.#batches)
    for (const [index, page] of pages.entries())
      fillSlot(bytes.subarray(index * slotBytes, (index + 1) * slotBytes), page, { batch, index, headerDigest })
    const file = this.files.get(SAVED_PAGES) ?? new ModelFile(new Uint8Array(0))
    this.files.set(SAVED_PAGES, file)
    file.write(0, bytes)
  }

  #savedPages(): readonly SavedPage[] {
    return readSavedPages(this.files.get(SAVED_PAGES)?.content ?? new Uint8Array(0))
  }

  #openGeneration(): number {
    const read = readLogHeader(this.#file(OPEN_LOG).content)
    return read.verdict === 'read' ? read.header.generation : 0
  }

  #rename(from: string, to: string): void {
    this.files.set(to, this.#file(from))
    this.files.delete(from)
  }

  #replace(name: string, bytes: Uint8Array): void {
    this.files.set(name, new ModelFile(bytes))
  }

  #file(name: string): ModelFile {
    const file = this.files.get(name)
    if (file === undefined) throw new Error(`no file ${name}`)
    return file
  }
}

function nameOf(generation: Generation): string {
  return `E00${generation.toString(16).toUpperCase().padStart(8, '0')}.log`
}

function patched(bytes: Uint8Array, at: number, piece: Uint8Array): Uint8Array {
  const end = at + piece.byteLength
  const target = end <= bytes.byteLength ? bytes : new Uint8Array(end)
  if (target !== bytes) target.set(bytes)
  target.set(piece, at)
  return target
}
