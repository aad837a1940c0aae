import { LoadLedger, type LoadOperation, type LoadOutcome, type OpenLoadTransaction } from './load-ledger.ts'
import type { Content } from './mailbox-ledger.ts'
import { LOAD_SEED_MAX, MAILBOXES_MAX, NUMBERS_MAX, numberedMessage } from './message-number.ts'

/** One line of a ledger that is written down. The first is the head; what a snapshot says comes next, then what happened. */
export type LedgerRecord =
  | {
      readonly ledger: typeof LEDGER_VERSION
      readonly storageGroup: string
      readonly seed: number
      readonly mailboxes: number
      /** The newest transaction that the snapshot covers; 0 for none. */
      readonly lastTransaction: number
    }
  | { readonly mailbox: number; readonly nextNumber: number; readonly messages: readonly MessageRow[] }
  | { readonly transaction: OpenLoadTransaction; readonly inDoubt: boolean }
  | { readonly begin: number; readonly operations: readonly LoadOperation[] }
  | { readonly end: number; readonly outcome: LoadOutcome }

/** A message in a snapshot: id, size, seed. */
type MessageRow = readonly [number, number, number]

/** Whoever cannot read a ledger of another version refuses it. */
const LEDGER_VERSION = 1
/** Messages in one line of a snapshot: such a line has about 30 KB. */
const ROWS_MAX = 1000

/** The records that stand for a ledger as it is now. */
export function* snapshotOf(ledger: LoadLedger, storageGroup: string): Generator<LedgerRecord> {
  const { seed, mailboxes } = ledger.identity
  yield { ledger: LEDGER_VERSION, storageGroup, seed, mailboxes, lastTransaction: ledger.nextTransaction - 1 }
  for (let mailbox = 1; mailbox <= mailboxes; mailbox++) {
    const { nextNumber, messages } = ledger.mailbox(mailbox)
    if (nextNumber === 1) continue
    for (let at = 0; at === 0 || at < messages.length; at += ROWS_MAX) {
      const rows = messages.slice(at, at + ROWS_MAX).map(({ id, size, seed: content }) => [id, size, content] as const)
      yield { mailbox, nextNumber, messages: rows }
    }
  }
  for (const transaction of ledger.inDoubt) yield { transaction, inDoubt: true }
  for (const transaction of ledger.underWay) yield { transaction, inDoubt: false }
}

/** A ledger that is being read. */
export class LedgerReading {
  #ledger: LoadLedger | null = null
  #storageGroup = ''

  /** Takes in the next record, whatever it is. Gives why it is none that may stand here, or null. */
  take(value: unknown): string | null {
    if (typeof value !== 'object' || value === null) return 'no object'
    const record = value as Readonly<Record<string, unknown>> // an object that is not null; each member is checked below
    if (this.#ledger === null) return this.#takeHead(record)
    if ('begin' in record) return takeBegin(this.#ledger, record)
    if ('end' in record) return takeEnd(this.#ledger, record)
    if ('mailbox' in record) return takeMailbox(this.#ledger, record)
    return 'transaction' in record ? takeOpen(this.#ledger, record) : 'a record of another version'
  }

  /** The ledger, or null where not even a head was read. What was under way is in doubt: its answer comes to nobody. */
  finish(): { readonly ledger: LoadLedger; readonly storageGroup: string } | null {
    if (this.#ledger === null) return null
    for (const { number } of this.#ledger.underWay) this.#ledger.end(number, 'unknown')
    return { ledger: this.#ledger, storageGroup: this.#storageGroup }
  }

  #takeHead({
    ledger,
    storageGroup,
    seed,
    mailboxes,
    lastTransaction,
  }: Readonly<Record<string, unknown>>): string | null {
    if (ledger !== LEDGER_VERSION) return 'no ledger of this version'
    if (typeof storageGroup !== 'string') return 'no storage group'
    if (!isWhole(seed, 0, LOAD_SEED_MAX)) return 'no seed'
    if (!isWhole(mailboxes, 1, MAILBOXES_MAX)) return 'no number of mailboxes'
    if (!isWhole(lastTransaction, 0, Number.MAX_SAFE_INTEGER - 1)) return 'no number of a transaction'
    this.#ledger = new LoadLedger({ seed, mailboxes }, lastTransaction)
    this.#storageGroup = storageGroup
    return null
  }
}

function takeBegin(ledger: LoadLedger, { begin, operations }: Readonly<Record<string, unknown>>): string | null {
  if (begin !== ledger.nextTransaction) return 'a transaction out of turn'
  if (!Array.isArray(operations) || !operations.every(isOperation)) return 'a transaction without operations'
  const refusal = ledger.refusalOf(operations)
  if (refusal === null) ledger.begin(operations)
  return refusal
}

function takeEnd(ledger: LoadLedger, { end, outcome }: Readonly<Record<string, unknown>>): string | null {
  if (typeof end !== 'number' || !ledger.isUnderWay(end)) return 'the end of no transaction that is under way'
  if (outcome !== 'committed' && outcome !== 'refused' && outcome !== 'unknown') return 'no outcome'
  ledger.end(end, outcome)
  return null
}

function takeMailbox(ledger: LoadLedger, record: Readonly<Record<string, unknown>>): string | null {
  const { mailbox, nextNumber, messages } = record
  if (!isWhole(mailbox, 1, ledger.identity.mailboxes)) return 'no mailbox of the load'
  if (!isWhole(nextNumber, 2, NUMBERS_MAX)) return 'no number of an operation'
  if (!Array.isArray(messages)) return 'no messages'
  const kept = ledger.mailbox(mailbox)
  kept.nextNumber = nextNumber
  for (const row of messages) {
    const [id, size, seed] = Array.isArray(row) ? row : []
    if (!isName(ledger, id) || numberedMessage(id).mailbox !== mailbox) return 'a message of another mailbox'
    if (!isContent({ size, seed }) || kept.find(id) !== null) return `message ${id} is none, or is there twice`
    kept.add({ id, size, seed })
  }
  return null
}

function takeOpen(ledger: LoadLedger, { transaction, inDoubt }: Readonly<Record<string, unknown>>): string | null {
  if (typeof transaction !== 'object' || transaction === null) return 'no transaction'
  const { number, changes } = transaction as Readonly<Record<string, unknown>> // as above
  if (!isWhole(number, 1, ledger.nextTransaction - 1) || ledger.isUnderWay(number)) return 'no number of a transaction'
  if (!Array.isArray(changes) || changes.length === 0) return 'no changes'
  for (const change of changes) {
    const { id, before, after } = (change ?? {}) as Readonly<Record<string, unknown>> // any value but null and undefined has members
    if (!isName(ledger, id) || !isState(before) || !isState(after)) return 'a change that is none'
  }
  ledger.restore({ number, changes }, inDoubt === true)
  return null
}

function isOperation(value: unknown): value is LoadOperation {
  if (typeof value !== 'object' || value === null) return false
  const { op, id, size, seed } = value as Readonly<Record<string, unknown>> // an object that is not null
  if (!isWhole(id, 0, Number.MAX_SAFE_INTEGER)) return false
  return op === 'delete' || ((op === 'insert' || op === 'replace') && isContent({ size, seed }))
}

function isName(ledger: LoadLedger, id: unknown): id is number {
  if (!isWhole(id, 0, Number.MAX_SAFE_INTEGER)) return false
  const { seed, mailbox } = numberedMessage(id)
  return seed === ledger.identity.seed && mailbox <= ledger.identity.mailboxes
}

function isState(value: unknown): value is Content | null {
  return value === null || (typeof value === 'object' && isContent(value))
}

function isContent(value: object): value is Content {
  const { size, seed } = value as Readonly<Record<string, unknown>> // an object has members of unknown types
  return isWhole(size, 0, Number.MAX_SAFE_INTEGER) && isWhole(seed, 0, 0xffffffff)
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most
}
