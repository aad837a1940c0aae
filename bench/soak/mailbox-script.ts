import type { MailboxOperation, MailboxTransaction } from '../../engine/database/mailbox-session.ts'

/** Clients that work on a victim's store side by side, each in a mailbox of its own and with one transaction at a time. */
export const CLIENTS = 8
/** Messages that a transaction inserts: the last is as long as several pages. */
const SIZES = [300, 2_500, 20_000] as const
/** A transaction replaces one message and deletes another of the transaction that lies so many before it. */
const AGE = 2

/** A message as its size and seed make it. */
export interface ScriptedMessage {
  readonly size: number
  readonly seed: number
}

/** The transaction that a client makes as its `round`th, from 0 on. It fits no state but that after the round before. */
export function transactionOf(client: number, round: number): MailboxTransaction {
  const operations: MailboxOperation[] = SIZES.map((size, index) => ({
    op: 'insert',
    mailbox: client,
    id: idOf(client, round, index),
    content: { size, seed: round },
  }))
  if (round >= AGE) {
    const old = round - AGE
    operations.push({ op: 'delete', mailbox: client, id: idOf(client, old, 0) })
    const content = { size: 4_000 + round, seed: round }
    operations.push({ op: 'replace', mailbox: client, id: idOf(client, old, 1), content })
  }
  return { operations }
}

/** The messages of a client after so many rounds, by number, ascending. */
export function messagesAfter(client: number, rounds: number): ReadonlyMap<number, ScriptedMessage> {
  const messages = new Map<number, ScriptedMessage>()
  for (let round = 0; round < rounds; round++)
    for (const operation of transactionOf(client, round).operations) {
      if (operation.op === 'delete') messages.delete(operation.id)
      else if ('size' in operation.content) messages.set(operation.id, operation.content)
    }
  return new Map([...messages].sort(([a], [b]) => a - b))
}

/** A number that no other message has. */
function idOf(client: number, round: number, index: number): number {
  return client * 1_000_000 + round * SIZES.length + index
}
