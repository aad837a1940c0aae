// A mailbox store whose orders a test gives by hand, over any file operations.
import type { CheckpointFile } from '../../engine/database/checkpoint-file.ts'
import type { DatabaseHeader } from '../../engine/database/database-header.ts'
import { initialisePage, openPage, PAGE_BYTES } from '../../engine/database/page.ts'
import { sealPage } from '../../engine/database/page-seal.ts'
import { headerOfNewLog, prepareLog } from '../../engine/database/prepared-log.ts'
import type { DatabaseOrder, LogOrder, PageImage, StoreFact } from '../../engine/database/store-order.ts'
import { asGeneration } from '../../engine/generation.ts'
import type { FileOperations } from '../../storage/file-operations.ts'
import type { ReachFailpoint } from '../../storage/store-failpoint.ts'
import { openStoreFiles, type StoreFiles, type StoreFilesOptions } from '../../storage/store-files.ts'
import { place } from '../engine/database/build.ts'
import { FULL_CHECKPOINT, FULL_HEADER } from '../engine/database/database-build.ts'

/** The smallest log: eight sectors of header, four of body and the reserved one. */
export const LOG_BYTES: number = 13 * 512
/** Where the body of a log begins. */
export const BODY = 4096
const STORE_NAMES = { baseName: 'E00', databaseName: 'priv1.edb' } as const
const NO_LOCK = { release: () => Promise.resolve() }

let ids = 0

/** A rig that stands; its orders are given one bundle at a time. */
export class StoreRig {
  readonly facts: StoreFact[] = []
  store!: StoreFiles
  /** What the store ended with, if it has. */
  failure: unknown = null
  #sequence = 0
  #wake: () => void = () => undefined

  static async open(
    files: FileOperations,
    options: Partial<StoreFilesOptions> & { readonly root?: string; readonly reach?: ReachFailpoint } = {},
  ): Promise<StoreRig> {
    const rig = new StoreRig()
    rig.store = await openStoreFiles({
      root: '/data/SG1',
      ...STORE_NAMES,
      files,
      lock: NO_LOCK,
      mustExist: false,
      logFileBytes: LOG_BYTES,
      newId: () => (ids++).toString(16).padStart(32, '0'),
      nowMs: () => 1_195_689_600_000,
      onFact: (fact) => rig.#take(fact),
      onFailed: (error) => {
        rig.failure = error
        rig.#wake()
      },
      ...options,
    })
    return rig
  }

  /** Gives a bundle to the log's lane and waits for its end. Answers whether it has ended well. */
  log(...orders: LogOrder[]): Promise<boolean> {
    const sequence = ++this.#sequence
    this.store.orderLog({ sequence, orders })
    return this.until((fact) => fact.fact === 'log-written' && fact.sequence === sequence)
  }

  /** The same with the database's lane. */
  database(...orders: DatabaseOrder[]): Promise<boolean> {
    const sequence = ++this.#sequence
    this.store.orderDatabase({ sequence, orders })
    return this.until((fact) => fact.fact === 'database-written' && fact.sequence === sequence)
  }

  /** Waits for a fact, which may have come already, or for the end of the store. */
  async until(is: (fact: StoreFact) => boolean): Promise<boolean> {
    while (this.failure === null && !this.facts.some(is))
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    return this.failure === null
  }

  #take(fact: StoreFact): void {
    this.facts.push(fact)
    this.#wake()
  }
}

/** The header of a generation, sealed. */
export function logHeader(generation: number): Uint8Array {
  return prepareLog(headerOfNewLog(place(generation), { sizeBytes: LOG_BYTES })).subarray(0, BODY)
}

/** A log before its first write. */
export function freshLog(generation: number): Uint8Array {
  return prepareLog(headerOfNewLog(place(generation), { sizeBytes: LOG_BYTES }))
}

/** The order for a roll. */
export function roll(closes: number | null, opens: number): LogOrder {
  return {
    order: 'roll-log',
    closes: closes === null ? null : asGeneration(closes),
    opens: asGeneration(opens),
    header: logHeader(opens),
    fileBytes: LOG_BYTES,
  }
}

/** The order to prepare. */
export function prepare(reuse: number | null = null): LogOrder {
  return { order: 'prepare-log', fileBytes: LOG_BYTES, reuse: reuse === null ? null : asGeneration(reuse) }
}

/** A write of two sectors, full of `value`, into the body. */
export function write(generation: number, sector: number, value: number): Extract<LogOrder, { order: 'write-log' }> {
  const bytes = new Uint8Array(1024).fill(value)
  return { order: 'write-log', generation: asGeneration(generation), at: BODY + sector * 512, bytes }
}

/** A sealed page whose every sector differs from that of another dbtime. */
export function aPage(number: number, dbtime: number): PageImage {
  const page = openPage(new Uint8Array(PAGE_BYTES))
  initialisePage(page, { objectId: 10, flags: 2, dbtime, previous: 0, next: 0 })
  for (let at = 40; at < PAGE_BYTES - 4; at++) page.bytes[at] = dbtime
  sealPage(page, 0, { bytes: PAGE_BYTES, number })
  return { number, bytes: page.bytes }
}

/** A header that differs from others in both of its sectors that count. */
export function databaseHeader(dbtime: number): DatabaseHeader {
  return {
    ...FULL_HEADER,
    dbtime: BigInt(dbtime),
    later: Uint8Array.from({ length: 150 }, (_, at) => (at >= 191 && at < 195 ? 0 : dbtime + at)),
  }
}

/** A checkpoint at a generation. */
export function checkpointAt(generation: number): CheckpointFile {
  return { ...FULL_CHECKPOINT, checkpoint: { ...FULL_CHECKPOINT.checkpoint, generation: asGeneration(generation) } }
}
