import { assert, unreachable } from '../assert.ts'
import type { ErrorCode } from '../error.ts'
import type { LogPosition } from './log-position.ts'
import type { MailboxStore } from './mailbox-store.ts'
import { messageContent } from './message-content.ts'
import { MESSAGE_BYTES_MAX, type MessageName } from './store-layout.ts'
import type { Progress } from './store-progress.ts'
import type { ListedMessage } from './store-reading.ts'
import { type Refused, TOO_LONG } from './store-refusal.ts'
import type { Work } from './work.ts'

/** What a message is to hold: bytes, or those that `messageContent` makes of a size and a seed. */
type MessageContent = { readonly bytes: Uint8Array } | { readonly size: number; readonly seed: number }

/** One change of one message. */
export type MailboxOperation =
  | (MessageName & { readonly op: 'insert' | 'replace'; readonly content: MessageContent })
  | (MessageName & { readonly op: 'delete' })

/** Changes that are made all together, or not at all. */
export interface MailboxTransaction {
  /** In the order in which they are made. */
  readonly operations: readonly MailboxOperation[]
}

/** Bytes of all messages that transactions write, whether they are brought along or made. */
export function bytesOfTransactions(transactions: readonly MailboxTransaction[]): number {
  let bytes = 0
  for (const { operations } of transactions)
    for (const operation of operations) if (operation.op !== 'delete') bytes += contentBytes(operation.content)
  return bytes
}

/** How one operation of a session has come out: with an answer, or at a page that is damaged. */
export type Outcome<Answer> = Extract<Progress<Answer>, { state: 'done' | 'bad-page' }>

/**
 * What a session does: it yields one operation after the other, and goes on with how each has come out. Between two of them its
 * owner may let other sessions work; one that is damaged is ended by its owner before it says so.
 */
export type SessionScript<Result> = Generator<Work<unknown>, Result, Outcome<unknown>>

/** Why a transaction was refused. Nothing of it is there. */
export interface Refusal {
  readonly code: Extract<
    ErrorCode,
    'MESSAGE_EXISTS' | 'MESSAGE_MISSING' | 'MESSAGE_TOO_LONG' | 'WRITE_CONFLICT' | 'PAGE_REJECTED'
  >
  readonly message: string
}

/**
 * What became of a transaction. `committed`: it survives every crash as soon as the log is durable up to `end`. `stuck`: it was
 * refused, but what it had changed cannot be undone either, so that the store can only be started anew.
 */
export type TransactionOutcome =
  | { readonly outcome: 'committed'; readonly end: LogPosition }
  | { readonly outcome: 'refused'; readonly refusal: Refusal }
  | { readonly outcome: 'stuck'; readonly refusal: Refusal }

/** The session that works on a mailbox store. */
export interface SessionParts {
  readonly mailbox: MailboxStore
  /** 1 to 65,535, and no other session's. */
  readonly session: number
}

/** Makes the changes of a transaction, and commits it or rolls it back. */
function* runTransaction(
  { mailbox, session }: SessionParts,
  { operations }: MailboxTransaction,
): SessionScript<TransactionOutcome> {
  yield* outcomeOf(mailbox.begin(session))
  for (const operation of operations) {
    const changed = yield* change({ mailbox, session }, operation)
    const refusal = refusalOf(changed, operation)
    if (refusal === null) continue
    const undone = yield* outcomeOf(mailbox.rollback(session))
    return { outcome: undone.state === 'done' ? 'refused' : 'stuck', refusal }
  }
  const committed = yield* outcomeOf(mailbox.commit(session))
  assert(committed.state === 'done', 'a commit needs no page')
  return { outcome: 'committed', end: committed.answer }
}

/** Makes transactions one after the other, until one is stuck or `isEnding` says so; an outcome for each that was begun. */
export function* runTransactions(
  parts: SessionParts,
  transactions: readonly MailboxTransaction[],
  isEnding: () => boolean,
): SessionScript<readonly TransactionOutcome[]> {
  const outcomes: TransactionOutcome[] = []
  for (const transaction of transactions) {
    if (isEnding() || outcomes.at(-1)?.outcome === 'stuck') break
    outcomes.push(yield* runTransaction(parts, transaction))
  }
  return outcomes
}

/** Reads a message as it is committed; null where there is none. */
export function* runRead(mailbox: MailboxStore, name: MessageName): SessionScript<Outcome<Uint8Array | null>> {
  return yield* outcomeOf(mailbox.read(null, name))
}

/** Messages that a list looks up at once, before others may work: two look-ups in a tree for each. */
const LIST_PIECE = 50

/** Lists the messages of a mailbox from number `from` on, `limit` at most, as they are committed. */
export function* runList(
  mailbox: MailboxStore,
  number: number,
  { from, limit }: { readonly from: number; readonly limit: number },
): SessionScript<Outcome<readonly ListedMessage[]>> {
  const listed: ListedMessage[] = []
  for (let next = from; listed.length < limit; ) {
    const piece = Math.min(LIST_PIECE, limit - listed.length)
    const found = yield* outcomeOf(mailbox.list(null, number, { from: next, limit: piece }))
    if (found.state !== 'done') return found
    listed.push(...found.answer)
    const last = found.answer.at(-1)
    if (found.answer.length < piece || last === undefined) break
    next = last.id + 1
  }
  return { state: 'done', answer: listed }
}

/** One operation, and how it has come out. */
export function* outcomeOf<Answer>(work: Work<Answer>): SessionScript<Outcome<Answer>> {
  return (yield work) as Outcome<Answer> // the owner goes on with the outcome of the very work that it was given
}

function* change(
  { mailbox, session }: SessionParts,
  operation: MailboxOperation,
): SessionScript<Outcome<Refused | null>> {
  const name = { mailbox: operation.mailbox, id: operation.id }
  if (operation.op === 'delete') return yield* outcomeOf(mailbox.remove(session, name))
  const { content } = operation
  // Before the bytes are made: a size of any number of bytes may be asked for.
  if (contentBytes(content) > MESSAGE_BYTES_MAX) return { state: 'done', answer: TOO_LONG }
  const message = { name, bytes: 'bytes' in content ? content.bytes : messageContent(content.size, content.seed) }
  if (operation.op === 'insert') return yield* outcomeOf(mailbox.insert(session, message))
  return yield* outcomeOf(mailbox.replace(session, message))
}

function refusalOf(outcome: Outcome<Refused | null>, { op, mailbox, id }: MailboxOperation): Refusal | null {
  const cannot = `message ${id} of mailbox ${mailbox} cannot be ${DONE[op]}`
  if (outcome.state === 'bad-page')
    return { code: 'PAGE_REJECTED', message: `${cannot}: page ${outcome.page} is damaged, ${outcome.detail}` }
  if (outcome.answer === null) return null
  const { reason, error } = outcome.answer
  switch (reason) {
    case 'duplicate-key':
      return { code: 'MESSAGE_EXISTS', message: `${cannot}: a message of this number is there already (${error})` }
    case 'not-found':
      return { code: 'MESSAGE_MISSING', message: `${cannot}: it is not there (${error})` }
    case 'write-conflict':
      return { code: 'WRITE_CONFLICT', message: `${cannot}: another transaction is changing it (${error})` }
    case 'too-long':
      return { code: 'MESSAGE_TOO_LONG', message: `${cannot}: it is longer than ${MESSAGE_BYTES_MAX} bytes (${error})` }
    default:
      return unreachable(reason)
  }
}

const DONE: Readonly<Record<MailboxOperation['op'], string>> = {
  insert: 'inserted',
  replace: 'replaced',
  delete: 'deleted',
}

function contentBytes(content: MessageContent): number {
  return 'bytes' in content ? content.bytes.byteLength : content.size
}
