// Measures redo alone: MB of log per second on one core, for ordinary inserts whose pages are in memory.
// One full log of inserts is redone over empty pages, again and again; then the logs of a store, with its splits, transactions
// and clean-ups. Nothing is read, verified or written.
import { LogBuffer } from '../engine/database/log-buffer.ts'
import { openRecords } from '../engine/database/log-record.ts'
import { INSERT_FIXED_BYTES, writeInsert } from '../engine/database/log-record-node.ts'
import { CREATE_SINGLE_EXTENT_BYTES, writeCreateSingleExtent } from '../engine/database/log-record-tree.ts'
import { beginStream } from '../engine/database/log-stream.ts'
import { logTimeAt } from '../engine/database/log-time.ts'
import { PAGE_BYTES, PAGE_FLAGS, setPageDbtime } from '../engine/database/page.ts'
import { headerOfNewLog } from '../engine/database/prepared-log.ts'
import { applyRecord } from '../engine/database/record-apply.ts'
import { openRedo } from '../engine/database/redo-context.ts'
import { ResidentPages, StoreStream } from './store-stream.ts'

/** MB (10^6 bytes) of log per second to reach: redo is then never what a copy waits for. */
const TO_REACH = 200
/** Rounds over the same log; the first ones warm up and do not count. */
const WARM_UP_ROUNDS = 50
const ROUNDS = 400
/** Bytes of messages that a store writes. */
const STORE_BYTES = 16_000_000
const KEY_BYTES = 14
/** A page is full before this is left, so that an insert always fits. */
const PAGE_LEFT_BYTES = 100

const CHANGE = { session: 1, databaseId: 1, transaction: 1, level: 1, flags: 0, version: 1, rootPage: 1, objectId: 2 }

interface InsertLog {
  readonly buffer: LogBuffer
  readonly records: number
}

/** A full log: pages are created and filled, one after the other, in ascending order of keys. */
function logOfInserts(dataBytes: number): InsertLog {
  const stream = beginStream({ random: 1, createTime: logTimeAt(0), computer: '' })
  const buffer = new LogBuffer(headerOfNewLog(stream))
  const data = new Uint8Array(dataBytes).fill(7)
  const key = new Uint8Array(KEY_BYTES)
  const recordBytes = INSERT_FIXED_BYTES + KEY_BYTES + dataBytes
  const perPage = Math.floor((PAGE_BYTES - PAGE_LEFT_BYTES) / (KEY_BYTES + dataBytes + 6))
  let page = 0
  let line = perPage
  let dbtime = 1
  let records = 0
  for (; buffer.room >= recordBytes + CREATE_SINGLE_EXTENT_BYTES; records++) {
    const change = { ...CHANGE, dbtime: dbtime + 1, dbtimeBefore: dbtime }
    dbtime++
    if (line === perPage) {
      page++
      line = 0
      const tree = { objectId: 2, parentPage: 1, extentPages: 1, pageFlags: PAGE_FLAGS.leaf }
      writeCreateSingleExtent(buffer.log, buffer.reserve(CREATE_SINGLE_EXTENT_BYTES), {
        ...change,
        ...tree,
        page,
        line: 0,
      })
      continue
    }
    writeInsert(buffer.log, buffer.reserve(recordBytes), { ...change, page, line, key, data })
    line++
  }
  return { buffer, records }
}

function redoLogs(logs: readonly LogBuffer[], pool: ResidentPages): void {
  const redo = openRedo({ pool, databaseId: 1 })
  for (const log of logs) {
    const cursor = openRecords(log.log, log.header, log.end)
    while (cursor.next()) {
      let step = applyRecord(redo, log, cursor)
      for (; step.kind === 'page-needed'; step = applyRecord(redo, log, cursor)) pool.make(step.page)
      if (step.kind === 'fault') throw new Error(JSON.stringify(step))
    }
  }
}

/** Seconds of CPU of the whole process, its collector included. */
function cpuSeconds(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

/** Redoes logs over pages that lack everything; MB of log per second. */
function redoRate(logs: readonly LogBuffer[], rounds: { readonly warmUp: number; readonly counted: number }): number {
  const pool = new ResidentPages()
  let seconds = 0
  for (let round = 0; round < rounds.warmUp + rounds.counted; round++) {
    for (const page of pool.pages) if (page !== undefined) setPageDbtime(page, 0)
    const took = cpuSeconds(() => redoLogs(logs, pool))
    if (round >= rounds.warmUp) seconds += took
  }
  const bytes = logs.reduce((sum, log) => sum + log.end, 0)
  return (bytes * rounds.counted) / seconds / 1e6
}

function measureInserts(dataBytes: number): number {
  const log = logOfInserts(dataBytes)
  const rate = redoRate([log.buffer], { warmUp: WARM_UP_ROUNDS, counted: ROUNDS })
  const records = Math.round((rate * 1e6 * log.records) / log.buffer.end).toLocaleString('en-US')
  console.log(
    `redo, inserts of ${String(dataBytes).padStart(4)} bytes: ${rate.toFixed(0)} MB/s of CPU, ${records} records/s`,
  )
  return rate
}

function measureStore(bytes: number): void {
  const load = { messages: STORE_BYTES / bytes, bytes, mailboxes: 50, deleteEvery: 10 }
  new StoreStream().write(load) // warms up
  const stream = new StoreStream()
  const seconds = cpuSeconds(() => stream.write(load))
  const rate = redoRate(stream.logs, { warmUp: 2, counted: 8 })
  const logBytes = stream.logs.reduce((sum, log) => sum + log.end, 0)
  console.log(
    `store, messages of ${String(bytes).padStart(5)} bytes: written at ${(logBytes / seconds / 1e6).toFixed(0)} MB of log/s, ` +
      `${Math.round(load.messages / seconds).toLocaleString('en-US')} messages/s; redone at ${rate.toFixed(0)} MB/s; ` +
      `${(logBytes / STORE_BYTES).toFixed(2)} bytes of log for a byte of message, ${stream.pool.pages.length - 1} pages`,
  )
}

const rates = [100, 1000, 4000].map(measureInserts)
for (const bytes of [500, 4000, 50_000]) measureStore(bytes)
const ordinary = rates[1] ?? 0
console.log(`to reach ${TO_REACH} MB/s with inserts of 1000 bytes: ${ordinary >= TO_REACH ? 'reached' : 'missed'}`)
process.exitCode = ordinary >= TO_REACH ? 0 : 1
