import { assert } from '../assert.ts'
import { contentSeed, type Draw, drawOf } from './load-draw.ts'
import type { LoadLedger, LoadOperation } from './load-ledger.ts'
import { type ActionKind, drawAction, drawSize, type LoadProfile } from './load-profile.ts'
import type { LiveMessage, MailboxLedger } from './mailbox-ledger.ts'
import { messageId } from './message-number.ts'

/** What a load does next in a mailbox. */
export type LoadTurn =
  | { readonly kind: 'read'; readonly message: LiveMessage }
  | { readonly kind: 'change'; readonly operations: readonly LoadOperation[] }

/** Where a turn is taken. */
export interface TurnPlace {
  readonly mailbox: number
  /** Reads since the last change of this mailbox: with the number of the next operation it decides the chance of the turn. */
  readonly reads: number
}

/** The most operations of one transaction. */
export const OPERATIONS_MAX = 8
/** One transaction in so many has a further operation, of those again one in so many, and so on. */
const FURTHER_ONE_IN = 4

type ChangeKind = Exclude<ActionKind, 'read'>

/**
 * The next turn of a mailbox. The same ledger and place give the same turn, so a load of one seed repeats itself, and one that
 * was interrupted goes on.
 */
export function nextTurn(ledger: LoadLedger, profile: LoadProfile, { mailbox, reads }: TurnPlace): LoadTurn {
  const kept = ledger.mailbox(mailbox)
  const draw = drawOf(ledger.identity.seed, mailbox, kept.nextNumber, reads)
  const changes = changesIn(kept, profile, 0)
  const first = drawAction<ActionKind>(profile, kept.messages.length > 0 ? ['read', ...changes] : changes, draw)
  if (first === 'read') return { kind: 'read', message: drawMessage(kept, new Set(), draw) }
  const operations: LoadOperation[] = []
  const touched = new Set<number>()
  for (let action: ChangeKind | null = first; action !== null; ) {
    operations.push(operationOf(action, { ledger, mailbox, profile, touched, index: operations.length }, draw))
    const isLast = operations.length >= OPERATIONS_MAX || draw.below(FURTHER_ONE_IN) > 0
    action = isLast ? null : drawAction(profile, changesIn(kept, profile, touched.size), draw)
  }
  return { kind: 'change', operations }
}

/** What may be changed in a mailbox of whose messages so many are touched already. */
function changesIn({ messages }: MailboxLedger, profile: LoadProfile, touched: number): readonly ChangeKind[] {
  if (messages.length <= touched) return ['deliver']
  return messages.length >= profile.messagesMax ? ['replace', 'delete'] : ['deliver', 'replace', 'delete']
}

interface OperationPlace {
  readonly ledger: LoadLedger
  readonly profile: LoadProfile
  readonly mailbox: number
  readonly touched: Set<number>
  /** Which operation of its transaction it is, from 0 on. */
  readonly index: number
}

function operationOf(action: ChangeKind, place: OperationPlace, draw: Draw): LoadOperation {
  const { ledger, profile, mailbox, touched, index } = place
  const { seed } = ledger.identity
  const kept = ledger.mailbox(mailbox)
  const number = kept.nextNumber + index
  const content = { size: drawSize(profile, draw), seed: contentSeed(seed, mailbox, number) }
  if (action === 'deliver') return { op: 'insert', id: messageId({ seed, mailbox, number }), ...content }
  const { id } = drawMessage(kept, touched, draw)
  return action === 'delete' ? { op: 'delete', id } : { op: 'replace', id, ...content }
}

/** A message that is not touched yet; there is one. Noted as touched. */
function drawMessage({ messages }: MailboxLedger, touched: Set<number>, draw: Draw): LiveMessage {
  const start = draw.below(messages.length)
  // Of one message more than are touched, one is free.
  const inTurn = [...messages.slice(start, start + touched.size + 1), ...messages.slice(0, touched.size + 1)]
  const free = inTurn.find(({ id }) => !touched.has(id))
  assert(free !== undefined, 'fewer messages are touched than there are')
  touched.add(free.id)
  return free
}
