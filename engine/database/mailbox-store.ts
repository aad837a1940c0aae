import { assert } from '../assert.ts'
import { rangeOf, type TreeShape } from './b-tree.ts'
import { type Blocked, type ChangeWriter, isBlocked, NO_AUTHOR } from './change-writer.ts'
import type { LogPosition } from './log-position.ts'
import { OUTER_TRANSACTION_BYTES, writeBegin0, writeCommit0 } from './log-record-transaction.ts'
import { idOfKey, type MessageName } from './store-layout.ts'
import { type ListedMessage, listMessages, lookUpMailbox, type NodeView, readMessage } from './store-reading.ts'
import { type Refused, WRITE_CONFLICT } from './store-refusal.ts'
import { rollBack } from './store-rollback.ts'
import { LEVEL, type OpenTransaction, StoreTransaction } from './store-transaction.ts'
import { insertMessage, type Message, removeMessage, replaceMessage, type StoreWriting } from './store-writing.ts'
import { zeroPage } from './store-zeroing.ts'
import { takeOutIfEmpty } from './tree-merge.ts'
import { dataOf, deleteFromTree, findNode } from './tree-node.ts'
import { untilMade, type Work } from './work.ts'

/** A node that a committed transaction has flagged as deleted: it is taken out later. */
interface CleanUp {
  readonly tree: TreeShape
  readonly key: Uint8Array
}

/** A session that reads; null where nobody does: only what is committed is seen then. */
type Reader = number | null

/**
 * The messages of a database, in mailboxes, with transactions. A session is a number from 1 to 65,535 that its owner chooses; it
 * has one transaction at a time, which locks the messages that it changes. Others see those as they were until it commits, and
 * are refused when they want to change them; also those of a change that is looked into and will be refused itself.
 *
 * Every operation is a {@link Work}, which does nothing before its first `next()`. A transaction makes one change at a time;
 * reads and the changes of other sessions may go on in between.
 */
export class MailboxStore {
  readonly #writer: ChangeWriter
  readonly #transactions = new Map<number, StoreTransaction>()
  /** Who has locked a message. */
  readonly #locks = new Map<number, StoreTransaction>()
  readonly #cleanUps: CleanUp[]
  #isCleaning = false
  #lastTransaction = 0
  #lastVersion = 0

  /** @param cleanUps what a recovery found to be cleaned up */
  constructor(writer: ChangeWriter, cleanUps: readonly CleanUp[] = []) {
    this.#writer = writer
    this.#cleanUps = [...cleanUps]
  }

  /** The transactions that are open, the oldest first. A checkpoint stays at or below the begin of the first. */
  get openTransactions(): readonly OpenTransaction[] {
    return [...this.#transactions.values()].map(({ session, id, begin }) => ({ session, id, begin }))
  }

  /** Nodes that wait to be taken out by {@link cleanUp}. */
  get cleanUpsWaiting(): number {
    return this.#cleanUps.length
  }

  /** Opens a transaction of the session, which has none. */
  *begin(session: number): Work<OpenTransaction> {
    assert(session > 0 && session <= 0xffff, 'a session is a number of 16 bits, and not 0')
    assert(!this.#transactions.has(session), 'a session has one transaction at a time')
    yield* untilMade(() => this.#writer.lacksRoom(OUTER_TRANSACTION_BYTES))
    this.#lastTransaction += 1
    const opened = { session, id: this.#lastTransaction, begin: this.#writer.position }
    const record = { session, id: opened.id, levels: LEVEL }
    this.#writer.write({ bytes: OUTER_TRANSACTION_BYTES, lay: (log, at) => writeBegin0(log, at, record) })
    this.#transactions.set(session, new StoreTransaction(opened))
    return opened
  }

  /** Adds a message. Refused: `write-conflict`, `duplicate-key` where any mailbox has it, `too-long`. */
  insert(session: number, message: Message): Work<Refused | null> {
    return this.#change(session, message.name, (writing) => insertMessage(writing, message))
  }

  /** Gives a message other bytes. Refused: `write-conflict`, `not-found`, `too-long`. */
  replace(session: number, message: Message): Work<Refused | null> {
    return this.#change(session, message.name, (writing) => replaceMessage(writing, message))
  }

  /** Deletes a message. Refused: `write-conflict`, `not-found`. */
  remove(session: number, name: MessageName): Work<Refused | null> {
    return this.#change(session, name, (writing) => removeMessage(writing, name))
  }

  /**
   * Commits the transaction of a session: others see its changes from now on.
   *
   * @returns the position that the log must be durable up to before anyone is told so
   */
  *commit(session: number): Work<LogPosition> {
    const transaction = this.#idle(session)
    yield* untilMade(() => this.#writer.lacksRoom(OUTER_TRANSACTION_BYTES))
    const record = { session, id: transaction.id }
    this.#writer.write({ bytes: OUTER_TRANSACTION_BYTES, lay: (log, at) => writeCommit0(log, at, record) })
    this.#cleanUps.push(...transaction.flaggedNodes)
    this.#end(transaction)
    return this.#writer.position
  }

  /** Undoes the transaction of a session. Its messages stay locked until it is done; other sessions may work meanwhile. */
  *rollback(session: number): Work<void> {
    const transaction = this.#idle(session)
    transaction.isBusy = true
    yield* rollBack(this.#writer, transaction)
    this.#end(transaction)
  }

  /** The bytes of a message as the reader sees it, or null. */
  read(reader: Reader, name: MessageName): Work<Uint8Array | null> {
    return readMessage(this.#viewOf(reader), name)
  }

  /** The mailbox that a message is in, or null. */
  find(reader: Reader, id: number): Work<number | null> {
    return lookUpMailbox(this.#viewOf(reader), id)
  }

  /** The messages of a mailbox from number `from` on in ascending order, `limit` at most. */
  list(
    reader: Reader,
    mailbox: number,
    range: { readonly from: number; readonly limit: number },
  ): Work<ListedMessage[]> {
    return listMessages(this.#viewOf(reader), mailbox, range)
  }

  /** Takes out nodes that were deleted, `limit` at most, and the leaves that get empty. Those of a locked message wait. */
  *cleanUp(limit: number): Work<void> {
    assert(!this.#isCleaning, 'one clean-up goes on at a time')
    this.#isCleaning = true
    try {
      for (let left = Math.min(limit, this.#cleanUps.length); left > 0; left--) yield* this.#cleanUpFirst()
    } finally {
      this.#isCleaning = false
    }
  }

  /** Zeroes what a page holds without using it; whether something stood there. */
  zero(page: number): Work<boolean> {
    return untilMade(() => zeroPage(this.#writer, page))
  }

  *#cleanUpFirst(): Work<void> {
    const [first] = this.#cleanUps
    assert(first !== undefined, 'a node waits')
    const { tree, key } = first
    const isLocked = yield* untilMade(() => this.#takeOutFlagged(first))
    if (!isLocked) yield* untilMade(() => takeOutIfEmpty(this.#writer, tree, rangeOf(key)))
    this.#cleanUps.shift()
    if (isLocked) this.#cleanUps.push(first)
  }

  #takeOutFlagged({ tree, key }: CleanUp): boolean | Blocked {
    if (this.#locks.has(idOfKey(tree, key))) return true
    const node = findNode(this.#writer, tree, key)
    if (isBlocked(node)) return node
    if (node === null || !node.isFlagged) return false
    return deleteFromTree(this.#writer, { tree, author: NO_AUTHOR }, node) ?? false
  }

  /** Locks a message for a change. A lock that was taken for a change that is refused is given back. */
  *#change(
    session: number,
    { id }: MessageName,
    make: (writing: StoreWriting) => Work<Refused | null>,
  ): Work<Refused | null> {
    const transaction = this.#idle(session)
    const holder = this.#locks.get(id)
    if (holder !== undefined && holder !== transaction) return WRITE_CONFLICT
    this.#locks.set(id, transaction)
    transaction.locked.add(id)
    transaction.isBusy = true
    const writing = { writer: this.#writer, transaction, view: this.#viewOf(session), nextVersion: this.#nextVersion }
    try {
      const refused = yield* make(writing)
      if (refused !== null && holder === undefined) {
        this.#locks.delete(id)
        transaction.locked.delete(id)
      }
      return refused
    } finally {
      // Who gives up a change half way may still roll the transaction back.
      transaction.isBusy = false
    }
  }

  readonly #nextVersion = (): number => {
    this.#lastVersion = (this.#lastVersion % 0xffffffff) + 1
    return this.#lastVersion
  }

  /** The transaction of a session, of which no operation is under way. */
  #idle(session: number): StoreTransaction {
    const transaction = this.#transactions.get(session)
    assert(transaction !== undefined, 'the session has a transaction')
    assert(!transaction.isBusy, 'a transaction does one thing at a time')
    return transaction
  }

  #end(transaction: StoreTransaction): void {
    for (const id of transaction.locked) this.#locks.delete(id)
    this.#transactions.delete(transaction.session)
  }

  /** What a reader sees of a node: what a transaction of another session has changed is seen as it was. */
  #viewOf(reader: Reader): NodeView {
    const writer = this.#writer
    const look = (tree: TreeShape, key: Uint8Array): Uint8Array | null | Blocked => {
      const holder = this.#locks.get(idOfKey(tree, key))
      const before = holder === undefined || holder.session === reader ? undefined : holder.beforeOf(tree, key)
      if (before === 'absent') return null
      if (before !== undefined && before.data !== null) return before.data
      const node = findNode(writer, tree, key)
      if (isBlocked(node)) return node
      if (node === null || (node.isFlagged && before === undefined)) return null
      return dataOf(node)
    }
    return { writer, look }
  }
}
