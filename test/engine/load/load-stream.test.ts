// Goal: a load repeats itself, goes on where it was, and keeps to its profile.
// Method: streams over a ledger, compared with themselves and counted; names and chances against their definitions.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LedgerReading, snapshotOf } from '../../../engine/load/ledger-record.ts'
import { contentSeed, drawOf } from '../../../engine/load/load-draw.ts'
import { LoadLedger } from '../../../engine/load/load-ledger.ts'
import { drawSize, LOAD_PROFILES, meanSize } from '../../../engine/load/load-profile.ts'
import { type LoadTurn, nextTurn, OPERATIONS_MAX } from '../../../engine/load/load-stream.ts'
import {
  LOAD_SEED_MAX,
  MAILBOXES_MAX,
  messageId,
  NUMBERS_MAX,
  namesOf,
  numberedMessage,
} from '../../../engine/load/message-number.ts'
import { SMALL } from './model-store.ts'

/** So many turns of one mailbox, all of which are committed. */
function turnsOf(ledger: LoadLedger, mailbox: number, count: number, profile = SMALL): LoadTurn[] {
  let reads = 0
  return Array.from({ length: count }, () => {
    const turn = nextTurn(ledger, profile, { mailbox, reads })
    reads = turn.kind === 'read' ? reads + 1 : 0
    if (turn.kind === 'change') ledger.end(ledger.begin(turn.operations), 'committed')
    return turn
  })
}

function aLedger(seed = 7): LoadLedger {
  return new LoadLedger({ seed, mailboxes: 4 })
}

describe('a load', () => {
  test('of one seed repeats itself, of another it does not', () => {
    fc.assert(
      fc.property(fc.nat(LOAD_SEED_MAX), (seed) => {
        const turns = turnsOf(aLedger(seed), 1, 40)

        expect(turnsOf(aLedger(seed), 1, 40)).toEqual(turns)
        expect(turnsOf(aLedger((seed + 1) % (LOAD_SEED_MAX + 1)), 1, 40)).not.toEqual(turns)
      }),
    )
  })

  test('goes on from a ledger as if it had never stopped', () => {
    fc.assert(
      fc.property(fc.nat(LOAD_SEED_MAX), fc.nat(60), (seed, stopAfter) => {
        const whole = aLedger(seed)
        turnsOf(whole, 2, stopAfter)
        const reading = new LedgerReading()
        for (const record of snapshotOf(whole, 'SG1')) reading.take(record)
        const read = reading.finish()?.ledger ?? aLedger()

        // Where the last turns were reads, the chance begins anew: what is read again changes nothing.
        const changes = (turns: readonly LoadTurn[]) => turns.filter(({ kind }) => kind === 'change').slice(0, 5)

        expect(changes(turnsOf(read, 2, 60))).toEqual(changes(turnsOf(clone(whole), 2, 60)))
      }),
    )
  })

  test('never asks for what its ledger refuses, and holds no more messages than it may', () => {
    fc.assert(
      fc.property(fc.nat(LOAD_SEED_MAX), (seed) => {
        const ledger = aLedger(seed)

        const turns = turnsOf(ledger, 3, 300)

        expect(ledger.mailbox(3).messages.length).toBeLessThan(SMALL.messagesMax + OPERATIONS_MAX)
        for (const turn of turns)
          if (turn.kind === 'change') expect(turn.operations.length).toBeLessThanOrEqual(OPERATIONS_MAX)
      }),
    )
  })

  test('has all kinds of operations, and transactions of several', () => {
    const turns = turnsOf(aLedger(), 1, 500)

    const operations = turns.flatMap((turn) => (turn.kind === 'change' ? turn.operations : []))
    expect(new Set(operations.map(({ op }) => op))).toEqual(new Set(['insert', 'replace', 'delete']))
    expect(turns.some(({ kind }) => kind === 'read')).toBe(true)
    expect(turns.some((turn) => turn.kind === 'change' && turn.operations.length > 2)).toBe(true)
  })

  test.each(['light', 'average', 'heavy'] as const)('of profile %s has messages of its mean size', (name) => {
    const profile = LOAD_PROFILES[name]
    const count = 20_000

    let bytes = 0
    for (let index = 0; index < count; index++) bytes += drawSize(profile, drawOf(1, index))

    expect(bytes / count / meanSize(profile)).toBeCloseTo(1, 1)
    expect({ light: 20, average: 50, heavy: 65 }[name]).toBeCloseTo(meanSize(profile) / 1024, -1)
  })
})

describe('names', () => {
  test('lead back to what they were made of, and those of a seed lie together', () => {
    const aNumbered = fc.record({
      seed: fc.nat(LOAD_SEED_MAX),
      mailbox: fc.integer({ min: 1, max: MAILBOXES_MAX }),
      number: fc.integer({ min: 1, max: NUMBERS_MAX - 1 }),
    })
    fc.assert(
      fc.property(aNumbered, (numbered) => {
        const id = messageId(numbered)

        expect(numberedMessage(id)).toEqual(numbered)
        expect(Number.isSafeInteger(id)).toBe(true)
        expect(namesOf(numbered.seed).lo).toBeLessThan(id)
        expect(namesOf(numbered.seed).hi).toBeGreaterThan(id)
      }),
    )
  })

  test('are bounded', () => {
    expect(messageId({ seed: LOAD_SEED_MAX, mailbox: MAILBOXES_MAX, number: NUMBERS_MAX - 1 })).toBe(2 ** 53 - 1)
    expect(() => messageId({ seed: 0, mailbox: 1, number: NUMBERS_MAX })).toThrow('bounded')
    expect(() => messageId({ seed: 0, mailbox: 0, number: 1 })).toThrow('bounded')
    expect(() => messageId({ seed: LOAD_SEED_MAX + 1, mailbox: 1, number: 1 })).toThrow('16 bits')
  })

  test('have contents of their own', () => {
    const seeds = new Set<number>()
    for (let number = 1; number <= 50_000; number++) seeds.add(contentSeed(7, 3, number))

    expect(seeds.size).toBe(50_000)
  })
})

describe('a draw', () => {
  test('is fair', () => {
    const counts = new Array<number>(10).fill(0)
    for (let index = 0; index < 50_000; index++) {
      const at = drawOf(3, index).below(10)
      counts[at] = (counts[at] ?? 0) + 1
    }

    for (const count of counts) expect(count / 5_000).toBeCloseTo(1, 0)
    expect(Math.min(...counts)).toBeGreaterThan(4_700)
  })
})

describe('a ledger that is read', () => {
  const head = { ledger: 1, storageGroup: 'SG1', seed: 7, mailboxes: 4, lastTransaction: 0 }
  const id = messageId({ seed: 7, mailbox: 1, number: 1 })
  const insert = { op: 'insert', id, size: 64, seed: 1 }

  test.each([
    ['no object', [7]],
    ['another version', [{ ...head, ledger: 2 }]],
    ['a seed that is none', [{ ...head, seed: 70_000 }]],
    ['no mailboxes', [{ ...head, mailboxes: 0 }]],
    ['a transaction out of turn', [head, { begin: 2, operations: [insert] }]],
    ['an empty transaction', [head, { begin: 1, operations: [] }]],
    ['a name out of turn', [head, { begin: 1, operations: [{ ...insert, id: id + MAILBOXES_MAX }] }]],
    ['a message that is not there', [head, { begin: 1, operations: [{ op: 'delete', id }] }]],
    ['one message twice', [head, { begin: 1, operations: [insert, insert] }]],
    ['a size that is none', [head, { begin: 1, operations: [{ ...insert, size: -1 }] }]],
    ['an end without a begin', [head, { end: 1, outcome: 'committed' }]],
    ['an outcome that is none', [head, { begin: 1, operations: [insert] }, { end: 1, outcome: 'perhaps' }]],
    ['a mailbox that is none', [head, { mailbox: 5, nextNumber: 2, messages: [] }]],
    ['a message of another mailbox', [head, { mailbox: 2, nextNumber: 2, messages: [[id, 64, 1]] }]],
    [
      'a message that is there twice',
      [
        head,
        {
          mailbox: 1,
          nextNumber: 2,
          messages: [
            [id, 64, 1],
            [id, 64, 1],
          ],
        },
      ],
    ],
    ['a change that is none', [head, { transaction: { number: 1, changes: [null] }, inDoubt: true }]],
    ['a record of another version', [head, { later: 1 }]],
  ])('refuses %s', (_what, records) => {
    const reading = new LedgerReading()

    const reasons = records.map((record) => reading.take(record))

    expect(reasons.slice(0, -1).every((reason) => reason === null)).toBe(true)
    expect(reasons.at(-1)).toEqual(expect.any(String))
  })

  test('holds what was under way as in doubt', () => {
    const reading = new LedgerReading()
    for (const record of [head, { begin: 1, operations: [insert] }]) reading.take(record)

    const read = reading.finish()

    expect(read?.ledger.inDoubt).toEqual([{ number: 1, changes: [{ id, before: null, after: { size: 64, seed: 1 } }] }])
    expect(read?.ledger.mailbox(1).messages).toEqual([])
  })

  test('is none without a head', () => {
    expect(new LedgerReading().finish()).toBeNull()
  })
})

function clone(ledger: LoadLedger): LoadLedger {
  const reading = new LedgerReading()
  for (const record of snapshotOf(ledger, 'SG1')) reading.take(record)
  return reading.finish()?.ledger ?? aLedger()
}
