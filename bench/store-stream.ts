import { ChangeWriter } from '../engine/database/change-writer.ts'
import { createDatabase } from '../engine/database/database-creation.ts'
import { LogBuffer } from '../engine/database/log-buffer.ts'
import { beginStream, type LogStream, nextInStream } from '../engine/database/log-stream.ts'
import { logTimeAt } from '../engine/database/log-time.ts'
import { MailboxStore } from '../engine/database/mailbox-store.ts'
import { openPage, PAGE_BYTES, type Page } from '../engine/database/page.ts'
import type { PagePool } from '../engine/database/page-pool.ts'
import { headerOfNewLog } from '../engine/database/prepared-log.ts'
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
}

/** Lets a store write its logs in memory, rolled when they are full; nothing is flushed. */
export class StoreStream {
  readonly logs: LogBuffer[] = []
  readonly pool = new ResidentPages()
  readonly #store: MailboxStore
  readonly #writer: ChangeWriter
  #stream: LogStream = beginStream(SIGNATURE)

  constructor() {
    const redo = openRedo({ pool: this.pool, databaseId: 1 })
    const log = this.#openLog()
    this.#writer = new ChangeWriter({ redo, log, dbtime: 0 })
    const { environment } = log.header
    const database = { signature: SIGNATURE, path: 'store.edb' }
    const blocked = createDatabase(this.#writer, { environment, time: logTimeAt(0), database, trees: STORE_TREES })
    if (blocked !== null) throw new Error(`the database is not created: ${blocked.kind}`)
    this.#store = new MailboxStore(this.#writer)
  }

  write({ messages, bytes, mailboxes, deleteEvery }: StoreLoad): void {
    const content = new Uint8Array(bytes).fill(7)
    for (let id = 1; id <= messages; id++) {
      this.#drive(this.#store.begin(SESSION))
      this.#drive(this.#store.insert(SESSION, { name: { mailbox: id % mailboxes, id }, bytes: content }))
      const old = id - deleteEvery
      if (old > 0 && id % deleteEvery === 0)
        this.#drive(this.#store.remove(SESSION, { mailbox: old % mailboxes, id: old }))
      this.#drive(this.#store.commit(SESSION))
      this.#drive(this.#store.cleanUp(this.#store.cleanUpsWaiting))
    }
  }

  #drive(work: Work<unknown>): void {
    for (let step = work.next(); step.done !== true; step = work.next()) {
      if (step.value.kind !== 'log-full') throw new Error(`every page is in memory: ${step.value.kind}`)
      this.logs.at(-1)?.close()
      this.#stream = nextInStream(this.#stream, logTimeAt(this.logs.length * 1000))
      this.#writer.continueIn(this.#openLog())
    }
  }

  #openLog(): LogBuffer {
    const log = new LogBuffer(headerOfNewLog(this.#stream, { update: UPDATE_SP1 }))
    this.logs.push(log)
    return log
  }
}
