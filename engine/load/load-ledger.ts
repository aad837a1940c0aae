import { assert } from '../assert.ts'
import { type Content, MailboxLedger } from './mailbox-ledger.ts'
import { messageId, numberedMessage } from './message-number.ts'

/** Which load it is: what decides names and contents. */
export interface LoadIdentity {
  /** 16 bits. */
  readonly seed: number
  readonly mailboxes: number
}

/** One step of a transaction, as it is sent. */
export type LoadOperation =
  | { readonly op: 'insert' | 'replace'; readonly id: number; readonly size: number; readonly seed: number }
  | { readonly op: 'delete'; readonly id: number }

/** What a transaction does to a message: null stands for "not there". */
export interface LoadChange {
  readonly id: number
  readonly before: Content | null
  readonly after: Content | null
}

/** What became of a transaction. `unknown`: no answer came, so it happened as a whole or not at all. */
export type LoadOutcome = 'committed' | 'refused' | 'unknown'

/** A transaction that was sent and of which nothing is known: not yet, or for good. */
export interface OpenLoadTransaction {
  /** Counts the transactions of a load, from 1 on. */
  readonly number: number
  readonly changes: readonly LoadChange[]
}

/**
 * What is known of the messages of a load: which were acknowledged, with which content, and for which a transaction is under way.
 * A message whose transaction was never answered is left alone from then on, so that what it may be stays one of two things.
 */
export class LoadLedger {
  readonly identity: LoadIdentity
  readonly #mailboxes: readonly MailboxLedger[]
  readonly #underWay = new Map<number, readonly LoadChange[]>()
  readonly #inDoubt: OpenLoadTransaction[] = []
  #lastTransaction: number

  /** @param lastTransaction the newest transaction of a ledger that was written down */
  constructor(identity: LoadIdentity, lastTransaction = 0) {
    this.identity = identity
    this.#lastTransaction = lastTransaction
    this.#mailboxes = Array.from({ length: identity.mailboxes }, () => new MailboxLedger())
  }

  /** @param mailbox 1 to the number of mailboxes */
  mailbox(mailbox: number): MailboxLedger {
    const found = this.#mailboxes[mailbox - 1]
    assert(found !== undefined, 'the mailbox is one of the load')
    return found
  }

  /** Transactions that were sent and not answered yet, the oldest first. */
  get underWay(): readonly OpenLoadTransaction[] {
    return [...this.#underWay].map(([number, changes]) => ({ number, changes }))
  }

  /** Transactions that will not be answered any more, in the order in which that became clear. */
  get inDoubt(): readonly OpenLoadTransaction[] {
    return this.#inDoubt
  }

  /** The number that the next transaction gets. */
  get nextTransaction(): number {
    return this.#lastTransaction + 1
  }

  /**
   * Why a transaction is none that may come next, or null. It has operations on different messages of one mailbox; what is
   * inserted has the next numbers, what is replaced or deleted is there, and nothing is under way for it.
   */
  refusalOf(operations: readonly LoadOperation[]): string | null {
    const [first] = operations
    if (first === undefined) return 'a transaction without operations'
    const { mailbox } = numberedMessage(first.id)
    if (mailbox > this.identity.mailboxes) return `a message of mailbox ${mailbox}`
    if (new Set(operations.map(({ id }) => id)).size < operations.length) return 'two operations on one message'
    const found = operations.findIndex((operation, index) => !this.#mayCome(mailbox, operation, index))
    return found < 0 ? null : `${operations[found]?.op} of message ${operations[found]?.id}`
  }

  /** Notes that a transaction is about to be sent, and gives its number. {@link refusalOf} has nothing against it. */
  begin(operations: readonly LoadOperation[]): number {
    assert(this.refusalOf(operations) === null, 'a transaction that may come next')
    const mailbox = this.mailbox(numberedMessage(operations[0]?.id ?? 0).mailbox)
    const changes = operations.map((operation) => changeOf(mailbox, operation))
    mailbox.nextNumber += operations.length
    this.#lastTransaction += 1
    this.#underWay.set(this.#lastTransaction, changes)
    return this.#lastTransaction
  }

  /** Whether a transaction of this number is under way. */
  isUnderWay(number: number): boolean {
    return this.#underWay.has(number)
  }

  /** Notes what became of a transaction that is under way. */
  end(number: number, outcome: LoadOutcome): void {
    const changes = this.#underWay.get(number)
    assert(changes !== undefined, 'the transaction is under way')
    this.#underWay.delete(number)
    if (outcome === 'unknown') {
      this.#inDoubt.push({ number, changes })
      return
    }
    for (const { id, before, after } of changes) {
      const content = outcome === 'committed' ? after : before
      if (content !== null) this.mailbox(numberedMessage(id).mailbox).add({ id, ...content })
    }
  }

  /** Restores a transaction of a ledger that was written down; `mailbox.add` and `nextNumber` restore the rest. */
  restore(transaction: OpenLoadTransaction, isInDoubt: boolean): void {
    if (isInDoubt) this.#inDoubt.push(transaction)
    else this.#underWay.set(transaction.number, transaction.changes)
  }

  #mayCome(mailbox: number, operation: LoadOperation, index: number): boolean {
    const { seed } = this.identity
    const ledger = this.mailbox(mailbox)
    if (operation.op === 'insert')
      return operation.id === messageId({ seed, mailbox, number: ledger.nextNumber + index })
    return numberedMessage(operation.id).mailbox === mailbox && ledger.find(operation.id) !== null
  }
}

function changeOf(mailbox: MailboxLedger, operation: LoadOperation): LoadChange {
  const { op, id } = operation
  if (op === 'insert') return { id, before: null, after: { size: operation.size, seed: operation.seed } }
  const { size, seed } = mailbox.take(id)
  const after = op === 'delete' ? null : { size: operation.size, seed: operation.seed }
  return { id, before: { size, seed }, after }
}
