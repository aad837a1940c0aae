// Goal: what a store promises its sessions, told one promise at a time.
// Method: a new database in memory; where it matters, an operation is held up at a page that the test takes away.

import { beforeEach, describe, expect, test } from 'vitest'
import { createDatabase } from '../../../engine/database/database-creation.ts'
import { logTimeAt } from '../../../engine/database/log-time.ts'
import { MailboxStore } from '../../../engine/database/mailbox-store.ts'
import { nodeCount } from '../../../engine/database/page-node.ts'
import { MESSAGE_BYTES_MAX, STORE_TREES } from '../../../engine/database/store-layout.ts'
import type { Work } from '../../../engine/database/work.ts'
import { MOMENT_MS, SIGNATURE } from './build.ts'
import { StoreWorld } from './store-world.ts'
import { brokenInvariants } from './tree-invariants.ts'

const A = 1
const B = 2
const NAME = { mailbox: 7, id: 100 }
const MANY_PAGES = 5000

let world: StoreWorld
let store: MailboxStore

beforeEach(() => {
  world = new StoreWorld({ seed: 1, capacity: MANY_PAGES })
  const { header } = world.logs[0] ?? expect.fail()
  const database = { signature: SIGNATURE, path: 'db' }
  const creation = { environment: header.environment, time: logTimeAt(MOMENT_MS), database, trees: STORE_TREES }
  world.run(() => createDatabase(world.writer, creation))
  store = new MailboxStore(world.writer)
})

function drive<Answer>(work: Work<Answer>): Answer {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
    world.supply(step.value)
  }
}

const bytesOf = (text: string, times = 1): Uint8Array => new TextEncoder().encode(text.repeat(times))
const messageOf = (text: string, times = 1) => ({ name: NAME, bytes: bytesOf(text, times) })
const read = (reader: number | null): string | null => {
  const bytes = drive(store.read(reader, NAME))
  return bytes === null ? null : new TextDecoder().decode(bytes)
}
const listed = (reader: number | null, from = 0, limit = 100): number[] =>
  drive(store.list(reader, NAME.mailbox, { from, limit })).map(({ id }) => id)

/** Makes changes in a transaction of session A and commits it. */
function commit(...works: readonly (() => Work<unknown>)[]): void {
  drive(store.begin(A))
  for (const work of works) expect(drive(work())).toBeNull()
  drive(store.commit(A))
}

describe('a session', () => {
  test('sees its own changes; others see what was committed', () => {
    commit(() => store.insert(A, messageOf('old')))
    drive(store.begin(A))
    drive(store.replace(A, messageOf('new')))

    expect([read(A), read(B), read(null)]).toEqual(['new', 'old', 'old'])
    drive(store.remove(A, NAME))
    expect([read(A), read(B)]).toEqual([null, 'old'])
    expect([listed(A), listed(B)]).toEqual([[], [100]])
    expect([drive(store.find(A, 100)), drive(store.find(B, 100))]).toEqual([null, 7])
    drive(store.commit(A))
    expect([read(B), listed(B)]).toEqual([null, []])
  })

  test('that deletes a message and inserts it again shows others the old one until it commits', () => {
    commit(() => store.insert(A, messageOf('old', 900)))
    drive(store.begin(A))
    drive(store.remove(A, NAME))
    expect(drive(store.insert(A, messageOf('new', 700)))).toBeNull()

    expect([read(A), read(B)]).toEqual(['new'.repeat(700), 'old'.repeat(900)])
    drive(store.rollback(A))
    expect([read(A), read(B)]).toEqual(['old'.repeat(900), 'old'.repeat(900)])
  })

  test('is refused what another one has changed (-1102), until that one ends', () => {
    commit(() => store.insert(A, messageOf('old')))
    drive(store.begin(A))
    drive(store.begin(B))
    drive(store.replace(A, messageOf('new')))

    const refused = { kind: 'refused', reason: 'write-conflict', error: -1102 }
    expect(drive(store.replace(B, messageOf('other')))).toEqual(refused)
    expect(drive(store.remove(B, NAME))).toEqual(refused)
    expect(drive(store.insert(B, { ...messageOf('other'), name: { mailbox: 8, id: 100 } }))).toEqual(refused)
    drive(store.rollback(A))
    expect(drive(store.replace(B, messageOf('other')))).toBeNull()
  })

  test('is refused a second message of a number (-1605), and one that is not there (-1601), and keeps no lock for that', () => {
    commit(() => store.insert(A, messageOf('old')))
    drive(store.begin(A))
    drive(store.begin(B))
    const elsewhere = { mailbox: 8, id: 100 }

    expect(drive(store.insert(A, { ...messageOf('x'), name: elsewhere }))).toMatchObject({ error: -1605 })
    expect(drive(store.replace(A, { ...messageOf('x'), name: elsewhere }))).toMatchObject({ error: -1601 })
    expect(drive(store.remove(A, { mailbox: 7, id: 101 }))).toMatchObject({ error: -1601 })
    expect(drive(store.remove(B, NAME))).toBeNull()
  })

  test('keeps a message of a MiB, and is refused a longer one (-1026)', () => {
    const bytes = new Uint8Array(MESSAGE_BYTES_MAX).map((_, at) => at * 7 + (at >>> 8))
    commit(() => store.insert(A, { name: NAME, bytes }))

    expect(Buffer.compare(drive(store.read(null, NAME)) ?? new Uint8Array(0), bytes)).toBe(0)
    expect(world.logs.length).toBeGreaterThan(30)
    drive(store.begin(A))
    const longer = { name: { mailbox: 7, id: 101 }, bytes: new Uint8Array(MESSAGE_BYTES_MAX + 1) }
    expect(drive(store.insert(A, longer))).toMatchObject({ reason: 'too-long', error: -1026 })
  })

  test('lists a mailbox in order, from a message on, and no more than asked for', () => {
    const name = (mailbox: number, id: number) => ({ mailbox, id })
    const message = (mailbox: number, id: number) => ({ name: name(mailbox, id), bytes: bytesOf('x', 1200) })
    const ids = [9, 2 ** 40, 3, 2 ** 32 + 1]
    commit(...ids.map((id) => () => store.insert(A, message(7, id))), () => store.insert(A, message(6, 4)))

    expect(listed(null)).toEqual([3, 9, 2 ** 32 + 1, 2 ** 40])
    expect(listed(null, 4, 2)).toEqual([9, 2 ** 32 + 1])
    expect(listed(null, 0, 0)).toEqual([])
    expect(drive(store.list(null, 7, { from: 0, limit: 1 }))).toEqual([{ id: 3, bytes: 1200 }])
  })

  test('is told how far the log must be durable when it commits: to the end of its Commit0', () => {
    drive(store.begin(A))
    drive(store.insert(A, messageOf('x')))
    const end = drive(store.commit(A))

    const { header, log, end: endByte } = world.logs.at(-1) ?? expect.fail()
    expect(end.sector * header.sectorBytes + end.byte).toBe(endByte)
    expect(log.view.getUint8(endByte - 8)).toBe(9)
  })

  test('tells its owner where its transaction began, as long as it is open', () => {
    const first = drive(store.begin(B))
    drive(store.begin(A))

    expect(store.openTransactions.map(({ session }) => session)).toEqual([B, A])
    expect(store.openTransactions[0]?.begin).toEqual(first.begin)
    drive(store.commit(B))
    expect(store.openTransactions.map(({ session }) => session)).toEqual([A])
  })

  test('may give up a change half way and roll back', () => {
    drive(store.begin(A))
    const work = store.insert(A, messageOf('x', 100_000))
    while (world.logs.length < 3) {
      const step = work.next()
      if (step.done === true) expect.fail('the message takes more logs')
      world.supply(step.value)
    }
    work.return(null)

    drive(store.rollback(A))
    expect([read(A), listed(null)]).toEqual([null, []])
    expect(brokenInvariants(world.pages(), STORE_TREES)).toEqual([])
  })
})

describe('a message that is read while it changes', () => {
  test('is read as it is afterwards, when its parts are of two writings', () => {
    commit(() => store.insert(A, messageOf('old', 1000)))
    const reading = store.read(null, NAME)
    let step = reading.next()
    expect(step.done).toBe(true)
    // Now with a page taken away at a time, so that the reader waits behind each part.
    world.throwAll()
    const again = store.read(null, NAME)
    const seen: string[] = []
    for (step = again.next(); step.done !== true; step = again.next()) {
      seen.push(step.value.kind)
      world.supply(step.value)
      if (seen.length === 3) commit(() => store.replace(A, messageOf('new', 1000)))
      if (seen.length === 3) world.throwAll()
    }
    expect(new TextDecoder().decode(step.value ?? new Uint8Array(0))).toBe('new'.repeat(1000))
  })
})

describe('what was deleted', () => {
  const nodes = (): number => nodeCount(world.pageNow(2)) + nodeCount(world.pageNow(3))

  test('is taken out after the commit, not before', () => {
    commit(() => store.insert(A, messageOf('x')))
    drive(store.begin(A))
    drive(store.remove(A, NAME))
    drive(store.cleanUp(10))
    expect([nodes(), store.cleanUpsWaiting]).toEqual([2, 0])

    drive(store.commit(A))
    expect([nodes(), store.cleanUpsWaiting]).toEqual([2, 2])
    drive(store.cleanUp(10))
    expect([nodes(), store.cleanUpsWaiting]).toEqual([0, 0])
  })

  test('may be inserted again before it is taken out', () => {
    commit(() => store.insert(A, messageOf('old', 900)))
    commit(() => store.remove(A, NAME))
    commit(() => store.insert(A, messageOf('new')))
    drive(store.cleanUp(100))

    expect([read(null), nodes()]).toEqual(['new', 2])
  })

  test('waits while another transaction has the message', () => {
    commit(() => store.insert(A, messageOf('old')))
    commit(() => store.remove(A, NAME))
    commit(() => store.insert(A, messageOf('new')))
    drive(store.begin(B))
    drive(store.remove(B, NAME))

    drive(store.cleanUp(10))
    drive(store.rollback(B))
    drive(store.cleanUp(10))
    expect([read(null), store.cleanUpsWaiting]).toEqual(['new', 0])
  })
})

describe('zeroing', () => {
  const pagesWith = (text: string): number[] =>
    [...world.pages()].filter(([, bytes]) => new TextDecoder().decode(bytes).includes(text)).map(([number]) => number)

  test('takes the bytes of a message that was deleted, by a record for each page that has some', () => {
    commit(() => store.insert(A, messageOf('secret ', 500)))
    commit(() => store.remove(A, NAME))
    drive(store.cleanUp(store.cleanUpsWaiting))
    expect(pagesWith('secret')).not.toEqual([])

    const zeroed = [...world.pages().keys()].filter((page) => drive(store.zero(page)))

    expect(zeroed).not.toEqual([])
    expect(pagesWith('secret')).toEqual([])
    expect(brokenInvariants(world.pages(), STORE_TREES)).toEqual([])
    const { end } = world.logs.at(-1) ?? expect.fail()
    expect([...world.pages().keys()].filter((page) => drive(store.zero(page)))).toEqual([])
    expect(world.logs.at(-1)?.end).toBe(end)
  })

  test('leaves a transaction that is open all it needs to roll back', () => {
    commit(() => store.insert(A, messageOf('long ', 300)))
    drive(store.begin(A))
    expect(drive(store.replace(A, messageOf('short')))).toBeNull()

    for (const page of world.pages().keys()) drive(store.zero(page))
    drive(store.rollback(A))

    expect(read(null)).toBe('long '.repeat(300))
  })
})
