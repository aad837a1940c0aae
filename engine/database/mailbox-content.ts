import { ChangeWriter } from './change-writer.ts'
import type { LogPosition } from './log-position.ts'
import type { MailboxStore } from './mailbox-store.ts'
import type { TransactionWatch } from './open-transactions.ts'
import { openRedo } from './redo-context.ts'
import type { StoreEngine } from './store-engine.ts'
import { STORE_TREES } from './store-layout.ts'
import type { StoreContent } from './store-start.ts'
import { TransactionTable } from './transaction-table.ts'

/** The one database of a storage group. */
const DATABASE_ID = 1
/** The space, the messages and the index. */
const OBJECTS = 3

/**
 * What the engine of a mailbox store asks of those who make its changes: during a recovery the records that are redone, from then on
 * the messages.
 *
 * A class, since it goes from the one to the other.
 */
export class MailboxContent implements StoreContent, TransactionWatch {
  /** What a recovery found open, and deleted. */
  readonly table: TransactionTable = new TransactionTable(DATABASE_ID, STORE_TREES)
  readonly objectIdLast: number = OBJECTS
  #writer: ChangeWriter | null = null
  #mailbox: MailboxStore | null = null
  #dbtime = 0

  get oldestBegin(): LogPosition | null {
    return this.table.open[0]?.begin ?? null
  }

  get oldestTransaction(): LogPosition | null {
    return this.#mailbox === null ? this.oldestBegin : (this.#mailbox.openTransactions[0]?.begin ?? null)
  }

  get dbtime(): number {
    return this.#writer?.dbtime ?? this.#dbtime
  }

  note(...record: Parameters<TransactionWatch['note']>): void {
    this.table.note(...record)
  }

  /** Begins to write into a store whose highest dbtime is this. */
  write(store: StoreEngine, dbtime: number): ChangeWriter {
    this.#dbtime = dbtime
    const redo = openRedo({ pool: store.cache, databaseId: DATABASE_ID })
    this.#writer = new ChangeWriter({ redo, log: store.buffer, dbtime })
    return this.#writer
  }

  /** From now on the open transactions are those of these messages. */
  hand(mailbox: MailboxStore): void {
    this.#mailbox = mailbox
  }
}
