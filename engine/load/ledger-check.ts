import { assert } from '../assert.ts'
import { messageContent } from '../database/message-content.ts'
import type { LoadChange, LoadLedger } from './load-ledger.ts'
import type { Content } from './mailbox-ledger.ts'
import { numberedMessage } from './message-number.ts'

/**
 * What a store has and must not have, or has not and must have.
 *
 * | kind | what is wrong |
 * |---|---|
 * | `missing` | the message was acknowledged, and is not there |
 * | `resurrected` | it is there, though its deletion was acknowledged, or its insertion never |
 * | `never-sent` | it is there, and this load has not got that far, or not in this mailbox: the ledger is older than the store |
 * | `wrong-content` | it is there with bytes that it never had, or has no more |
 * | `half-transaction` | of a transaction that was never answered, some changes are there and others are not |
 */
export type LoadFinding =
  | {
      readonly kind: 'missing' | 'resurrected' | 'never-sent' | 'wrong-content'
      readonly mailbox: number
      readonly id: number
    }
  | {
      readonly kind: 'half-transaction'
      readonly mailbox: number
      readonly made: readonly number[]
      readonly notMade: readonly number[]
    }

/**
 * Compares what is in a store with a ledger of which nothing is under way. Its owner calls {@link observe} once for each message
 * that the store has of this load; what was not observed when {@link finish} is called is not there.
 */
export class LedgerCheck {
  readonly #ledger: LoadLedger
  readonly #doubts = new Map<number, LoadChange>()
  readonly #observed = new Set<number>()
  readonly #made = new Set<LoadChange>()
  readonly #wrong = new Set<LoadChange>()
  readonly #findings: LoadFinding[] = []

  constructor(ledger: LoadLedger) {
    assert(ledger.underWay.length === 0, 'a check begins when nothing is under way')
    this.#ledger = ledger
    for (const { changes } of ledger.inDoubt) for (const change of changes) this.#doubts.set(change.id, change)
  }

  /** What the store has under a name of this load in `mailbox`. */
  observe(mailbox: number, id: number, bytes: Uint8Array): void {
    if (!this.#isSent(mailbox, id)) {
      this.#findings.push({ kind: 'never-sent', mailbox, id })
      return
    }
    assert(!this.#observed.has(id), 'a message is observed once')
    this.#observed.add(id)
    const doubt = this.#doubts.get(id)
    if (doubt !== undefined) this.#observeDoubt(doubt, bytes)
    else this.#observeSettled(mailbox, id, bytes)
  }

  /** All that is wrong: by mailbox, message and kind. */
  finish(): readonly LoadFinding[] {
    for (let mailbox = 1; mailbox <= this.#ledger.identity.mailboxes; mailbox++)
      for (const { id } of this.#ledger.mailbox(mailbox).messages)
        if (!this.#observed.has(id)) this.#findings.push({ kind: 'missing', mailbox, id })
    for (const change of this.#doubts.values()) if (!this.#observed.has(change.id)) this.#observeAbsence(change)
    for (const { changes } of this.#ledger.inDoubt) this.#judgeDoubt(changes)
    return this.#findings.sort((a, b) => a.mailbox - b.mailbox || firstOf(a) - firstOf(b))
  }

  #isSent(mailbox: number, id: number): boolean {
    const named = numberedMessage(id)
    if (named.mailbox !== mailbox || mailbox > this.#ledger.identity.mailboxes) return false
    return named.number < this.#ledger.mailbox(mailbox).nextNumber
  }

  #observeSettled(mailbox: number, id: number, bytes: Uint8Array): void {
    const live = this.#ledger.mailbox(mailbox).find(id)
    if (live === null) this.#findings.push({ kind: 'resurrected', mailbox, id })
    else if (!hasContent(bytes, live)) this.#findings.push({ kind: 'wrong-content', mailbox, id })
  }

  #observeDoubt(change: LoadChange, bytes: Uint8Array): void {
    if (change.after !== null && hasContent(bytes, change.after)) this.#made.add(change)
    else if (change.before === null || !hasContent(bytes, change.before)) this.#blame(change, 'wrong-content')
  }

  #observeAbsence(change: LoadChange): void {
    if (change.after === null) this.#made.add(change)
    else if (change.before !== null) this.#blame(change, 'missing')
  }

  #blame(change: LoadChange, kind: 'missing' | 'wrong-content'): void {
    this.#wrong.add(change)
    this.#findings.push({ kind, mailbox: numberedMessage(change.id).mailbox, id: change.id })
  }

  #judgeDoubt(changes: readonly LoadChange[]): void {
    const told = changes.filter((change) => !this.#wrong.has(change))
    const made = told.filter((change) => this.#made.has(change)).map(({ id }) => id)
    const notMade = told.filter((change) => !this.#made.has(change)).map(({ id }) => id)
    if (made.length === 0 || notMade.length === 0) return
    const { mailbox } = numberedMessage(made[0] ?? 0)
    this.#findings.push({ kind: 'half-transaction', mailbox, made, notMade })
  }
}

/** Whether bytes are exactly this content. */
export function hasContent(bytes: Uint8Array, { size, seed }: Content): boolean {
  if (bytes.byteLength !== size) return false
  const content = messageContent(size, seed)
  for (let at = 0; at < size; at++) if (content[at] !== bytes[at]) return false
  return true
}

function firstOf(finding: LoadFinding): number {
  return finding.kind === 'half-transaction' ? (finding.made[0] ?? 0) : finding.id
}
