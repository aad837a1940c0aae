// Goal: from the records alone it is known which transactions are open, since where, and what it takes to undo them.
// Method: a store in memory writes them; the table reads its log, up to every record where that matters.

import { beforeEach, describe, expect, test } from 'vitest'
import { createDatabase } from '../../../engine/database/database-creation.ts'
import { openRecords } from '../../../engine/database/log-record.ts'
import { OPERATION } from '../../../engine/database/log-record-node.ts'
import { logTimeAt } from '../../../engine/database/log-time.ts'
import { MailboxStore } from '../../../engine/database/mailbox-store.ts'
import { undoAll } from '../../../engine/database/recovery-undo.ts'
import { indexKey, STORE_TREES } from '../../../engine/database/store-layout.ts'
import { TransactionTable } from '../../../engine/database/transaction-table.ts'
import type { Work } from '../../../engine/database/work.ts'
import { MOMENT_MS, SIGNATURE } from './build.ts'
import { StoreWorld } from './store-world.ts'

const A = 1
const B = 2
const TIME = logTimeAt(MOMENT_MS)
const NAME = { mailbox: 7, id: 100 }

let world: StoreWorld
let store: MailboxStore

beforeEach(() => {
  world = new StoreWorld({ seed: 1, capacity: 1000 })
  const { header } = world.logs[0] ?? expect.fail()
  const database = { signature: SIGNATURE, path: 'db' }
  world.run(() =>
    createDatabase(world.writer, { environment: header.environment, time: TIME, database, trees: STORE_TREES }),
  )
  store = new MailboxStore(world.writer)
})

function drive<Answer>(work: Work<Answer>): Answer {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
    world.supply(step.value)
  }
}

const message = (text: string) => ({ name: NAME, bytes: new TextEncoder().encode(text) })

/** The table behind all records so far. */
function tableNow(databaseId = 1): TransactionTable {
  const table = new TransactionTable(databaseId, STORE_TREES)
  for (const log of world.logs) {
    const cursor = openRecords(log.log, log.header, log.end)
    while (cursor.next()) table.note(log, cursor)
  }
  return table
}

const operations = (): number[] => tableNow().open.flatMap(({ changes }) => changes.map(({ operation }) => operation))

describe('the table of transactions', () => {
  test('has those that are open, the oldest first, with what the store itself knows of them', () => {
    drive(store.begin(B))
    drive(store.begin(A))
    drive(store.insert(A, message('x')))

    expect(tableNow().open).toMatchObject(store.openTransactions)
    expect(tableNow(2).open.flatMap(({ changes }) => changes)).toEqual([])
    drive(store.commit(B))
    expect(tableNow().open).toMatchObject([{ session: A }])
    drive(store.rollback(A))
    expect(tableNow().open).toEqual([])
  })

  test('knows the key of every change, and the data that a replaced node had', () => {
    drive(store.begin(A))
    drive(store.insert(A, message('old')))
    drive(store.commit(A))
    drive(store.begin(A))
    drive(store.replace(A, message('new')))
    drive(store.remove(A, NAME))

    const changes = tableNow().open[0]?.changes ?? []
    expect(changes.map(({ operation }) => operation)).toEqual([
      OPERATION.replace,
      OPERATION.flagDelete,
      OPERATION.flagDelete,
    ])
    expect(new TextDecoder().decode(changes[0]?.dataBefore.subarray(-3))).toBe('old')
    expect(changes[1]?.key).toEqual(indexKey(NAME.id))
  })

  test('forgets what was undone: a rollback that a crash cuts goes on where it was', () => {
    drive(store.begin(A))
    drive(store.insert(A, message('x')))
    expect(operations()).toEqual([OPERATION.insert, OPERATION.insert])

    const rollback = store.rollback(A)
    drive(rollback)
    const [log] = world.logs
    const positions: number[] = []
    const cursor = openRecords(log?.log ?? expect.fail(), log?.header ?? expect.fail(), log?.end ?? 0)
    const table = new TransactionTable(1, STORE_TREES)
    while (cursor.next()) {
      table.note(log ?? expect.fail(), cursor)
      if (cursor.type === 39) positions.push(table.open[0]?.changes.length ?? 0)
    }
    expect(positions).toEqual([1, 0])
  })

  test('names the nodes that a committed transaction has deleted, for the clean-up', () => {
    drive(store.begin(A))
    drive(store.insert(A, message('x')))
    drive(store.remove(A, NAME))
    expect(tableNow().flagged).toEqual([])

    drive(store.commit(A))
    expect(tableNow().flagged.map(({ tree }) => tree.objectId)).toEqual([3, 2])
    const recovered = new MailboxStore(world.writer, tableNow().flagged)
    drive(recovered.cleanUp(10))
    expect(recovered.cleanUpsWaiting).toBe(0)
  })
})

test('a recovery says that it undoes, undoes the newest transaction first, and leaves none open', () => {
  drive(store.begin(A))
  drive(store.insert(A, message('x')))
  drive(store.begin(B))
  drive(store.insert(B, { ...message('y'), name: { mailbox: 1, id: 5 } }))
  const from = world.logs[0]?.end ?? 0

  drive(undoAll(world.writer, tableNow().open, TIME))

  const [log] = world.logs
  const types: number[] = []
  const cursor = openRecords(log?.log ?? expect.fail(), log?.header ?? expect.fail(), log?.end ?? 0)
  while (cursor.next()) if (cursor.at >= from) types.push(cursor.type)
  expect(types).toEqual([51, 39, 39, 7, 39, 39, 7])
  expect(tableNow().open).toEqual([])
  const after = new MailboxStore(world.writer)
  expect([drive(after.find(null, 5)), drive(after.find(null, NAME.id))]).toEqual([null, null])
})
