// Goal: a check finds nothing where a store kept its promises, and each kind of fault where it did not, with its message.
// Method: random loads over a model store that carries unanswered transactions out or not; then one fault is planted.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { messageContent } from '../../../engine/database/message-content.ts'
import { LedgerCheck, type LoadFinding } from '../../../engine/load/ledger-check.ts'
import { LedgerReading, snapshotOf } from '../../../engine/load/ledger-record.ts'
import { LoadLedger, type OpenLoadTransaction } from '../../../engine/load/load-ledger.ts'
import { messageId, numberedMessage } from '../../../engine/load/message-number.ts'
import { contentsOf, type Fate, type ModelStore, type ModelTurn, takeTurn } from './model-store.ts'

const MAILBOXES = 3
const aFate = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Fate>('committed') },
  { weight: 1, arbitrary: fc.constantFrom<Fate>('refused', 'made-unanswered', 'lost-unanswered') },
)
const aTurn: fc.Arbitrary<ModelTurn> = fc.record({
  mailbox: fc.integer({ min: 1, max: MAILBOXES }),
  reads: fc.nat(20),
  fate: aFate,
})
const aLoad = fc.record({ seed: fc.nat(0xffff), turns: fc.array(aTurn, { maxLength: 120, size: 'max' }) })

interface Played {
  readonly ledger: LoadLedger
  readonly store: ModelStore
}

function play({ seed, turns }: { seed: number; turns: readonly ModelTurn[] }): Played {
  const ledger = new LoadLedger({ seed, mailboxes: MAILBOXES })
  const store: ModelStore = new Map()
  for (const turn of turns) takeTurn(ledger, store, turn)
  return { ledger, store }
}

function check(ledger: LoadLedger, store: ModelStore): readonly LoadFinding[] {
  const checking = new LedgerCheck(ledger)
  for (const { mailbox, id, bytes } of contentsOf(store)) checking.observe(mailbox, id, bytes)
  return checking.finish()
}

/** Goes on with a load until each kind of fault can be planted in it. */
function enriched(played: Played): Played {
  const { ledger, store } = played
  let reads = 0
  const goOn = (fate: Fate): void => {
    for (let mailbox = 1; mailbox <= MAILBOXES; mailbox++) takeTurn(ledger, store, { mailbox, reads, fate })
    reads += 1
  }
  while (!ledger.inDoubt.some(isHalvable)) goOn(reads % 3 === 0 ? 'made-unanswered' : 'committed')
  while (!ledger.inDoubt.some(({ changes }) => changes.some(({ id }) => store.has(id)))) goOn('made-unanswered')
  while (goneFrom(ledger) === null || ledger.mailbox(2).messages.length === 0) goOn('committed')
  return played
}

/** Whether one insertion of a transaction can be otherwise than the rest of it. */
function isHalvable({ changes }: OpenLoadTransaction): boolean {
  return changes.length > 1 && changes.some(({ before }) => before === null)
}

describe('a store that kept its promises', () => {
  test('has no finding, whatever became of what was not answered', () => {
    fc.assert(
      fc.property(aLoad, (load) => {
        const { ledger, store } = play(load)

        expect(check(ledger, store)).toEqual([])
      }),
    )
  })

  test('has none by a ledger that was written down and read again, as a snapshot or as it happened', () => {
    fc.assert(
      fc.property(aLoad, fc.nat(120), ({ seed, turns }, snapshotAfter) => {
        const ledger = new LoadLedger({ seed, mailboxes: MAILBOXES })
        const store: ModelStore = new Map()
        for (const turn of turns.slice(0, snapshotAfter)) takeTurn(ledger, store, turn)
        const records = [...snapshotOf(ledger, 'SG1')]
        for (const turn of turns.slice(snapshotAfter)) records.push(...takeTurn(ledger, store, turn))

        const read = reread(records)

        expect(check(read, store)).toEqual([])
        expect([...snapshotOf(read, 'SG1')]).toEqual([...snapshotOf(ledger, 'SG1')])
      }),
    )
  })
})

describe('a planted fault', () => {
  const planted = (plant: (played: Played) => readonly LoadFinding[]): void =>
    fc.assert(
      fc.property(aLoad, (load) => {
        const played = enriched(play(load))

        const expected = plant(played)

        expect(expected).not.toEqual([])
        expect(check(played.ledger, played.store)).toEqual(expected)
      }),
      { numRuns: 50 },
    )
  const anyLive = ({ ledger }: Played) => {
    const live = [1, 2, 3].flatMap((mailbox) => ledger.mailbox(mailbox).messages)
    const found = live[Math.floor(live.length / 2)]
    if (found === undefined) throw new Error('the load has messages')
    return found
  }

  test('is found where an acknowledged message is gone', () =>
    planted((played) => {
      const { id } = anyLive(played)
      played.store.delete(id)
      return [{ kind: 'missing', mailbox: numberedMessage(id).mailbox, id }]
    }))

  test('is found where one byte of a message is another', () =>
    planted((played) => {
      const { id, size } = anyLive(played)
      const bytes = played.store.get(id) ?? new Uint8Array()
      bytes[size - 1] = (bytes[size - 1] ?? 0) ^ 1
      return [{ kind: 'wrong-content', mailbox: numberedMessage(id).mailbox, id }]
    }))

  test('is found where a message has lost its end', () =>
    planted((played) => {
      const { id, size } = anyLive(played)
      played.store.set(id, played.store.get(id)?.slice(0, size - 1) ?? new Uint8Array())
      return [{ kind: 'wrong-content', mailbox: numberedMessage(id).mailbox, id }]
    }))

  test('is found where a deleted message is there again', () =>
    planted(({ ledger, store }) => {
      const id = goneFrom(ledger) ?? 0
      store.set(id, new Uint8Array(64))
      return [{ kind: 'resurrected', mailbox: numberedMessage(id).mailbox, id }]
    }))

  test('is found where the ledger is older than the store', () =>
    planted(({ ledger, store }) => {
      const id = messageId({ seed: ledger.identity.seed, mailbox: 2, number: ledger.mailbox(2).nextNumber })
      store.set(id, new Uint8Array(64))
      return [{ kind: 'never-sent', mailbox: 2, id }]
    }))

  test('is found where half a transaction was kept', () =>
    planted(({ ledger, store }) => {
      return [halved(ledger, store)]
    }))

  test('is found where a message of an unanswered transaction has bytes that it never had', () =>
    planted(({ ledger, store }) => {
      const change = ledger.inDoubt.flatMap(({ changes }) => changes).find(({ id }) => store.has(id))
      if (change === undefined) throw new Error('the load has a message in doubt')
      store.set(change.id, new Uint8Array(63))
      const { mailbox } = numberedMessage(change.id)
      return [{ kind: 'wrong-content', mailbox, id: change.id }]
    }))
})

function reread(records: Iterable<unknown>): LoadLedger {
  const reading = new LedgerReading()
  for (const record of records) expect(reading.take(JSON.parse(JSON.stringify(record)))).toBeNull()
  const read = reading.finish()
  if (read === null) throw new Error('a ledger has a head')
  return read.ledger
}

/** A name that was used up and is neither there nor in doubt, or null. */
function goneFrom(ledger: LoadLedger): number | null {
  const { seed } = ledger.identity
  const doubted = new Set(ledger.inDoubt.flatMap(({ changes }) => changes.map(({ id }) => id)))
  for (let mailbox = 1; mailbox <= MAILBOXES; mailbox++) {
    for (let number = 1; number < ledger.mailbox(mailbox).nextNumber; number++) {
      const id = messageId({ seed, mailbox, number })
      if (ledger.mailbox(mailbox).find(id) === null && !doubted.has(id)) return id
    }
  }
  return null
}

/** Takes back, or makes, one insertion of an unanswered transaction that has further changes. */
function halved(ledger: LoadLedger, store: ModelStore): LoadFinding {
  const { changes } = ledger.inDoubt.find(isHalvable) ?? { changes: [] }
  const victim = changes.find(({ before }) => before === null)
  const { id, after } = victim ?? { id: 0, after: null }
  const others = changes.filter((change) => change !== victim).map((change) => change.id)
  const wasMade = store.delete(id)
  if (!wasMade) store.set(id, messageContent(after?.size ?? 0, after?.seed ?? 0))
  const { mailbox } = numberedMessage(id)
  return { kind: 'half-transaction', mailbox, made: wasMade ? others : [id], notMade: wasMade ? [id] : others }
}
