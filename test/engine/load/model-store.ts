import { messageContent } from '../../../engine/database/message-content.ts'
import type { LedgerRecord } from '../../../engine/load/ledger-record.ts'
import type { LoadLedger, LoadOperation, LoadOutcome } from '../../../engine/load/load-ledger.ts'
import { LOAD_PROFILES, type LoadProfile, withSizes } from '../../../engine/load/load-profile.ts'
import { nextTurn } from '../../../engine/load/load-stream.ts'
import { numberedMessage } from '../../../engine/load/message-number.ts'

/** A store as dumb as can be: names and bytes. */
export type ModelStore = Map<number, Uint8Array>

/** Short messages, so that a run of many is quick. */
export const SMALL: LoadProfile = { ...withSizes(LOAD_PROFILES.average, 64, 200), messagesMax: 12 }

/** What happens to a transaction, and what its sender hears. */
export type Fate = 'committed' | 'refused' | 'made-unanswered' | 'lost-unanswered'

const OUTCOME_OF: Readonly<Record<Fate, LoadOutcome>> = {
  committed: 'committed',
  refused: 'refused',
  'made-unanswered': 'unknown',
  'lost-unanswered': 'unknown',
}

/** Carries operations out; what a real store would refuse is a fault of the load. */
function carryOut(store: ModelStore, operations: readonly LoadOperation[]): void {
  for (const operation of operations) {
    const isThere = store.has(operation.id)
    if (isThere === (operation.op === 'insert')) throw new Error(`${operation.op} of ${operation.id}`)
    if (operation.op === 'delete') store.delete(operation.id)
    else store.set(operation.id, messageContent(operation.size, operation.seed))
  }
}

/** One transaction of a mailbox with its fate. Gives the records that a ledger file would have of it; none for a read. */
export function takeTurn(ledger: LoadLedger, store: ModelStore, turn: ModelTurn): LedgerRecord[] {
  const next = nextTurn(ledger, SMALL, turn)
  if (next.kind === 'read') return []
  const number = ledger.begin(next.operations)
  if (turn.fate === 'committed' || turn.fate === 'made-unanswered') carryOut(store, next.operations)
  const outcome = OUTCOME_OF[turn.fate]
  ledger.end(number, outcome)
  return [
    { begin: number, operations: next.operations },
    { end: number, outcome },
  ]
}

/** Where, and with what fate. */
export interface ModelTurn {
  readonly mailbox: number
  readonly reads: number
  readonly fate: Fate
}

/** All messages of a store, with the mailbox of each. */
export function contentsOf(store: ModelStore): { mailbox: number; id: number; bytes: Uint8Array }[] {
  return [...store].map(([id, bytes]) => ({ mailbox: numberedMessage(id).mailbox, id, bytes }))
}
