// Changes for a store without trees: every session keeps its nodes in pages of its own. What a transaction did is undone from a list.
import { NO_DBTIME } from '../../../../engine/database/dbtime.ts'
import { type LogBytes, openLogBytes } from '../../../../engine/database/log-bytes.ts'
import type { LogPosition } from '../../../../engine/database/log-position.ts'
import type { LogRecord } from '../../../../engine/database/log-record.ts'
import { RECOVERY_UNDO2_BYTES, writeRecoveryUndo2 } from '../../../../engine/database/log-record-engine.ts'
import {
  OPERATION,
  readInsert,
  readReplace,
  readUndoInfo,
  writeInsert,
  writeReplace,
  writeUndo,
  writeUndoInfo,
} from '../../../../engine/database/log-record-node.ts'
import { pageOf } from '../../../../engine/database/log-record-page.ts'
import { writeScrub } from '../../../../engine/database/log-record-scrub.ts'
import { RECORD } from '../../../../engine/database/log-record-table.ts'
import {
  sessionOf,
  writeBegin0,
  writeCommit0,
  writeMacroBegin,
  writeMacroCommit,
  writeRollback,
} from '../../../../engine/database/log-record-transaction.ts'
import { writeCreateSingleExtent } from '../../../../engine/database/log-record-tree.ts'
import { logTimeAt } from '../../../../engine/database/log-time.ts'
import { OpenTransactions } from '../../../../engine/database/open-transactions.ts'
import { PAGE_FLAGS, type Page, pageDbtime } from '../../../../engine/database/page.ts'
import { compareKey, findLine, nodeCount, nodeDataBytes, nodeDataStart } from '../../../../engine/database/page-node.ts'
import { holdsRemains } from '../../../../engine/database/page-zeroing.ts'
import { applyRecord, type RedoLog } from '../../../../engine/database/record-apply.ts'
import { openRedo, type RedoContext } from '../../../../engine/database/redo-context.ts'
import type { StoreEngine } from '../../../../engine/database/store-engine.ts'
import type { StoreContent } from '../../../../engine/database/store-start.ts'
import { MOMENT_MS } from '../build.ts'

/** A change of one node of one session. */
export interface Change {
  readonly session: number
  readonly page: number
  readonly key: number
  readonly value: number
  /** Bytes of the value: a whole number that is repeated. */
  readonly bytes: number
}

/** What was done in a transaction, to undo it. */
interface Done {
  readonly page: number
  readonly key: Uint8Array
  readonly operation: number
  readonly dataBefore: Uint8Array
}

type Write = (log: LogBytes, at: number) => number

/** More than any record of these tests. */
const RECORD_BYTES_MAX = 2048
const SCRATCH = openLogBytes(new Uint8Array(RECORD_BYTES_MAX))
const LEVEL = 1
const MACRO_SESSION = 9
/** Every page has this one, from its creation on. */
const FIRST_KEY = 1000

/** Follows the transactions of a stream with all that is needed to undo them. */
export class SmallTransactions extends OpenTransactions {
  readonly done = new Map<number, Done[]>()
  #dataBefore = new Uint8Array(0)

  override note(source: RedoLog, record: LogRecord): void {
    super.note(source, record)
    const { view } = source.log
    const { type, at } = record
    if (type === RECORD.begin0) this.done.set(sessionOf(view, at), [])
    if (type === RECORD.commit0 || type === RECORD.rollback) this.done.delete(sessionOf(view, at))
    if (type === RECORD.undoInfo) this.#dataBefore = readUndoInfo(source.log, at).dataBefore.slice()
    const done = this.done.get(sessionOf(view, at))
    if (done === undefined) return
    const page = pageOf(view, at)
    if (type === RECORD.insert) {
      const key = readInsert(source.log, at).key.slice()
      done.push({ page, key, operation: OPERATION.insert, dataBefore: new Uint8Array(0) })
    }
    if (type === RECORD.undo) done.pop()
    if (type !== RECORD.replace) return
    const version = readReplace(source.log, at).version
    done.push({ page, key: keyOf(version), operation: OPERATION.replace, dataBefore: this.#dataBefore })
  }
}

/** The content of a store, and the way to change it. */
export class SmallContent implements StoreContent {
  readonly transactions: SmallTransactions
  dbtime: number
  readonly objectIdLast = 10
  #store: StoreEngine | null = null
  #redo: RedoContext | null = null
  #transactionId = 0

  constructor(transactions = new SmallTransactions(), dbtime = 0x40) {
    this.transactions = transactions
    this.dbtime = dbtime
  }

  get oldestTransaction(): LogPosition | null {
    return this.transactions.oldestBegin
  }

  /** The store that is changed from here on. */
  use(store: StoreEngine): void {
    this.#store = store
    this.#redo = openRedo({ pool: store.cache, databaseId: 1 })
  }

  /** Whether the session has a transaction open. */
  isOpen(session: number): boolean {
    return this.transactions.done.has(session)
  }

  /** Begins a transaction of the session. */
  begin(session: number): void {
    this.#operate(() => {
      this.#lay((log, at) => writeBegin0(log, at, { session, id: ++this.#transactionId, levels: LEVEL }))
    })
  }

  /** Commits it. Returns the end of the log that must be durable for it. */
  commit(session: number): LogPosition {
    this.#operate(() => {
      this.#lay((log, at) => writeCommit0(log, at, { session, id: ++this.#transactionId }))
    })
    return this.#opened.store.end
  }

  /** Makes a change in the open transaction of its session. Returns the page that must be read first, or null when it was made. */
  change(change: Change): number | null {
    return this.#operate(() => {
      const page = this.#find(change.page)
      if (page === null) return change.page
      if (pageDbtime(page) === 0) this.#createPage(change)
      const key = { from: openLogBytes(keyOf(change.key)), start: 0, bytes: 4 }
      const line = findLine(page, key)
      const isThere = line < nodeCount(page) && compareKey(page, line, key) === 0
      if (isThere) this.#replace(page, line, change)
      else
        this.#lay((log, at) =>
          writeInsert(log, at, { ...this.#at(page, line, change), key: keyOf(change.key), data: dataOf(change) }),
        )
      return null
    })
  }

  /** Zeroes the remains of a page. Returns the page that must be read first, or null when there are none any more. */
  zero(number: number): number | null {
    return this.#operate(() => {
      const page = this.#find(number)
      if (page === null) return number
      if (!holdsRemains(page)) return null
      const operations = new Uint8Array(nodeCount(page))
      const change = this.#at(page, 0, { session: MACRO_SESSION, page: number })
      this.#lay((log, at) => writeScrub(log, at, { ...change, isFreePage: false, operations }))
      return null
    })
  }

  /** Undoes the last thing that any open transaction did. Returns a page that must be read first; true when nothing is left. */
  undoOne(): number | boolean {
    const [entry] = this.transactions.done
    if (entry === undefined) return true
    const [session, done] = entry
    const last = done.at(-1)
    return this.#operate(() => {
      if (last === undefined) {
        this.#lay((log, at) => writeRollback(log, at, { session, levels: LEVEL }))
        return false
      }
      const page = this.#find(last.page)
      if (page === null) return last.page
      const line = findLine(page, { from: openLogBytes(last.key), start: 0, bytes: 4 })
      const change = { session, page: last.page, key: 0, value: 0, bytes: 0 }
      const undo = { ...last, levelUndone: LEVEL }
      this.#lay((log, at) => writeUndo(log, at, { ...this.#at(page, line, change), ...undo }))
      return false
    })
  }

  /** Says that an undo begins. */
  recoveryUndo(): void {
    const { store } = this.#opened
    store.write(RECOVERY_UNDO2_BYTES, (log, at) => writeRecoveryUndo2(log, at, logTimeAt(MOMENT_MS)))
  }

  get #opened(): { readonly store: StoreEngine; readonly redo: RedoContext } {
    if (this.#store === null || this.#redo === null) throw new Error('a store is in use')
    return { store: this.#store, redo: this.#redo }
  }

  #operate<Result>(act: () => Result): Result {
    const { store } = this.#opened
    store.beginOperation()
    const result = act()
    store.endOperation()
    return result
  }

  #find(page: number): Page | null {
    return this.#opened.store.cache.find(page)
  }

  /** The page and a first node in it, as one macro: redone together or not at all, though they may lie in two logs. */
  #createPage({ page }: Change): void {
    const dbtime = ++this.dbtime
    const macro = { session: MACRO_SESSION, dbtime }
    const change = { ...NODE, ...macro, page, line: 0, dbtimeBefore: NO_DBTIME, rootPage: page }
    const pageFlags = PAGE_FLAGS.leaf | PAGE_FLAGS.root
    const first = { key: keyOf(FIRST_KEY), data: dataOf({ value: page, bytes: 40 }) }
    this.#lay((log, at) => writeMacroBegin(log, at, macro))
    this.#lay((log, at) => writeCreateSingleExtent(log, at, { ...change, parentPage: 1, extentPages: 1, pageFlags }))
    this.#lay((log, at) => writeInsert(log, at, { ...change, ...first }))
    this.#lay((log, at) => writeMacroCommit(log, at, macro))
  }

  #replace(page: Page, line: number, change: Change): void {
    const start = nodeDataStart(page, line)
    const dataBefore = page.bytes.slice(start, start + nodeDataBytes(page, line))
    const key = keyOf(change.key)
    const info = { key, operation: OPERATION.replace, dataBefore, dataBytesMax: 0, dataBytesAdded: 0 }
    const at = { ...this.#at(page, line, change), version: change.key }
    this.#lay((log, to) => writeUndoInfo(log, to, { ...at, ...info }))
    this.#lay((log, to) => writeReplace(log, to, { ...at, dataBytesBefore: dataBefore.length, data: dataOf(change) }))
  }

  /** The next change of a page. */
  #at(page: Page, line: number, change: Pick<Change, 'session' | 'page'>) {
    const dbtimeBefore = pageDbtime(page)
    return {
      ...NODE,
      session: change.session,
      page: change.page,
      rootPage: change.page,
      line,
      dbtime: ++this.dbtime,
      dbtimeBefore,
    }
  }

  /** Lays a record and applies it. */
  #lay(write: Write): void {
    const { store, redo } = this.#opened
    const bytes = write(SCRATCH, 0)
    store.write(bytes, (log, at) => log.bytes.set(SCRATCH.bytes.subarray(0, bytes), at))
    const source = store.buffer
    const record = { type: SCRATCH.view.getUint8(0), at: source.end - bytes, bytes }
    const step = applyRecord(redo, source, record)
    if (step.kind === 'fault' || step.kind === 'page-needed') throw new Error(`${step.kind} of a record of ours`)
    this.transactions.note(source, record)
  }
}

/** What a page of {@link SmallContent} holds: value by key. */
export function valuesOf(page: Page): Record<number, number> {
  const values: Record<number, number> = {}
  for (let line = 0; line < nodeCount(page); line++) {
    const start = nodeDataStart(page, line)
    const key = page.view.getUint32(start - 4, false)
    if (key !== FIRST_KEY) values[key] = page.view.getUint32(start, true)
  }
  return values
}

const NODE = { databaseId: 1, transaction: 1, level: LEVEL, flags: 0, version: 0, objectId: 10 }

function keyOf(key: number): Uint8Array {
  return Uint8Array.of(key >>> 24, key >>> 16, key >>> 8, key)
}

function dataOf({ value, bytes }: Pick<Change, 'value' | 'bytes'>): Uint8Array {
  // Irregular: the XOR of what is regular is zero, and a checksum could not tell a torn page from a whole one.
  const data = Uint8Array.from({ length: Math.max(4, bytes) }, (_, at) => Math.imul(value + at * at, 0x9e3779b1) >>> 24)
  new DataView(data.buffer).setUint32(0, value, true)
  return data
}
