import { LedgerCheck, type LoadFinding } from '../../engine/load/ledger-check.ts'
import type { LoadLedger } from '../../engine/load/load-ledger.ts'
import { namesOf, numberedMessage } from '../../engine/load/message-number.ts'
import type { StoreClient } from './store-client.ts'

/** How a store is read back. */
export interface StoreReading {
  readonly client: StoreClient
  /** Requests at a time. */
  readonly clients: number
  readonly signal: AbortSignal
  readonly onProgress: (mailboxes: number, total: number) => void
}

/** What a check has come to. */
export interface CheckOutcome {
  /** Messages of the load that the store has. */
  readonly messages: number
  readonly bytes: number
  readonly findings: readonly LoadFinding[]
}

/**
 * Reads every message of a load back and compares it with the ledger, of which nothing is under way. Errors: those of the
 * connection; a store that goes away while it is read is no finding.
 */
export async function checkStore(ledger: LoadLedger, reading: StoreReading): Promise<CheckOutcome> {
  const outcome = await readBack(ledger, reading)
  // A transaction that nobody waits for any more may have come to its end between two messages: what stays is a fault.
  const isHalf = outcome.findings.some(({ kind }) => kind === 'half-transaction')
  return isHalf ? await readBack(ledger, reading) : outcome
}

async function readBack(ledger: LoadLedger, reading: StoreReading): Promise<CheckOutcome> {
  const check = new LedgerCheck(ledger)
  let messages = 0
  let bytes = 0
  await eachMailbox(ledger, reading, async (mailbox) => {
    for await (const id of messagesOf(ledger, reading.client, mailbox)) {
      const content = await reading.client.read(mailbox, id)
      if (content === null) continue // listed, and not to be read: missing where it should be there
      check.observe(mailbox, id, content)
      messages += 1
      bytes += content.byteLength
    }
  })
  return { messages, bytes, findings: check.finish() }
}

/** Makes a ledger that knows no messages go on behind those that a store has of its seed, so that no name is used twice. */
export async function continueBehind(ledger: LoadLedger, reading: StoreReading): Promise<void> {
  await eachMailbox(ledger, reading, async (mailbox) => {
    for await (const id of messagesOf(ledger, reading.client, mailbox))
      ledger.mailbox(mailbox).nextNumber = numberedMessage(id).number + 1
  })
}

async function eachMailbox(
  { identity }: LoadLedger,
  { clients, signal, onProgress }: StoreReading,
  visit: (mailbox: number) => Promise<void>,
): Promise<void> {
  let next = 1
  let done = 0
  const work = async (): Promise<void> => {
    while (next <= identity.mailboxes) {
      signal.throwIfAborted()
      const mailbox = next
      next += 1
      await visit(mailbox)
      done += 1
      onProgress(done, identity.mailboxes)
    }
  }
  await Promise.all(Array.from({ length: clients }, work))
}

/** The messages of the load's seed in a mailbox, ascending. */
async function* messagesOf({ identity }: LoadLedger, client: StoreClient, mailbox: number): AsyncGenerator<number> {
  const { lo, hi } = namesOf(identity.seed)
  for (let after: number | null = lo === 0 ? null : lo - 1; ; ) {
    const { messages, more } = await client.list(mailbox, after)
    for (const { id } of messages) {
      if (id >= hi) return
      yield id
      after = id
    }
    if (!more || messages.length === 0) return
  }
}
