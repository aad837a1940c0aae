import { ChangeWriter } from '../engine/database/change-writer.ts'
import { createDatabase } from '../engine/database/database-creation.ts'
import { LogBuffer } from '../engine/database/log-buffer.ts'
import { beginStream, type LogStream, nextInStream } from '../engine/database/log-stream.ts'
import { logTimeAt } from '../engine/database/log-time.ts'
import { MailboxStore } from '../engine/database/mailbox-store.ts'
import { openPage, PAGE_BYTES, type Page } from '../engine/database/page.ts'
import type { PagePool } from '../engine/database/page-pool.ts'
import { headerOfNewLog, LOG_BYTES_2007 } from '../engine/database/prepared-log.ts'
import { openRedo } from '../engine/database/redo-context.ts'
import { STORE_TREES } from '../engine/database/store-layout.ts'
import type { Work } from '../engine/database/work.ts'

/** The first update of the format whose logs may hold splits and merges, as Exchange 2007 SP1 wrote it. */
const UPDATE_SP1 = 12
const SESSION = 1
const SIGNATURE = { random: 1, createTime: logTimeAt(0), computer: '' }

/** Pages that are all in memory; one that was never written is of zeros. */
export class ResidentPages implements PagePool {
  readonly pages: Page[] = []
  changes = 0

  find(number: number): Page | null {
    return this.pages[number] ?? null
  }

  make(number: number): Page {
    const page = this.pages[number] ?? openPage(new Uint8Array(PAGE_BYTES))
    this.pages[number] = page
    return page
  }

  changed(): void {
    this.changes++
  }
}

/** What to write: messages of a size, one transaction each, to mailboxes in turn; every so many of them one is deleted. */
export interface StoreLoad {
  readonly messages: number
  readonly bytes: number
  readonly mailboxes: number
  readonly deleteEvery: number
  /** The number of the first message; 1 without it. Messages of one store have different numbers. */
  readonly firstId?: number
}

/** Lets a store write its logs in memory, rolled when they are full; nothing is flushed. */
export class StoreStream {
  readonly logs: LogBuffer[] = []
  readonly pool = new ResidentPages()
  /** Messages so far. */
  written = 0
  /** By how much the clock of the logs to come is late, in milliseconds: two streams that begin alike go on with other logs. */
  lateMs = 0
  readonly #store: MailboxStore
  readonly #writer: ChangeWriter
  readonly #logBytes: number
  #stream: LogStream

  /** @param options the length of each log in bytes, and the random part of the stream's signature, which tells streams apart */
  constructor({ logBytes = LOG_BYTES_2007, random = SIGNATURE.random } = {}) {
    this.#logBytes = logBytes
    this.#stream = beginStream({ ...SIGNATURE, random })
    const redo = openRedo({ pool: this.pool, databaseId: 1 })
    const log = this.#openLog()
    this.#writer = new ChangeWriter({ redo, log, dbtime: 0 })
    const { environment } = log.header
    const database = { signature: SIGNATURE, path: 'store.edb' }
    const blocked = createDatabase(this.#writer, { environment, time: logTimeAt(0), database, trees: STORE_TREES })
    if (blocked !== null) throw new Error(`the database is not created: ${blocked.kind}`)
    this.#store = new MailboxStore(this.#writer)
  }

  write({ messages, bytes, mailboxes, deleteEvery, firstId = 1 }: StoreLoad): void {
    const content = new Uint8Array(bytes).fill(7)
    for (let id = firstId; id < firstId + messages; id++) {
      this.#drive(this.#store.begin(SESSION))
      this.#drive(this.#store.insert(SESSION, { name: { mailbox: id % mailboxes, id }, bytes: content }))
      const old = id - deleteEvery
      if (old > 0 && id % deleteEvery === 0)
        this.#drive(this.#store.remove(SESSION, { mailbox: old % mailboxes, id: old }))
      this.#drive(this.#store.commit(SESSION))
      this.#drive(this.#store.cleanUp(this.#store.cleanUpsWaiting))
      this.written++
    }
  }

  /** How many logs are closed. */
  get closedCount(): number {
    return this.logs.length - 1
  }

  /** The whole file of each log that is closed, from log 1 on. */
  get closedLogs(): readonly Uint8Array[] {
    return this.logs.slice(0, -1).map((log) => log.fileImage())
  }

  #drive(work: Work<unknown>): void {
    for (let step = work.next(); step.done !== true; step = work.next()) {
      if (step.value.kind !== 'log-full') throw new Error(`every page is in memory: ${step.value.kind}`)
      this.logs.at(-1)?.close()
      this.#stream = nextInStream(this.#stream, logTimeAt(this.logs.length * 1000 + this.lateMs))
      this.#writer.continueIn(this.#openLog())
    }
  }

  #openLog(): LogBuffer {
    const log = new LogBuffer(headerOfNewLog(this.#stream, { update: UPDATE_SP1, sizeBytes: this.#logBytes }))
    this.logs.push(log)
    return log
  }
}
