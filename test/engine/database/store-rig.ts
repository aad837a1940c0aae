import { expect } from 'vitest'
import { createDatabase } from '../../../engine/database/database-creation.ts'
import { comparePositions, type LogPosition } from '../../../engine/database/log-position.ts'
import { logTimeAt } from '../../../engine/database/log-time.ts'
import { MailboxStore } from '../../../engine/database/mailbox-store.ts'
import { pageDbtime } from '../../../engine/database/page.ts'
import { holdsRemains } from '../../../engine/database/page-zeroing.ts'
import { undoAll } from '../../../engine/database/recovery-undo.ts'
import { STORE_TREES } from '../../../engine/database/store-layout.ts'
import { TransactionTable } from '../../../engine/database/transaction-table.ts'
import type { Work } from '../../../engine/database/work.ts'
import { MOMENT_MS, SIGNATURE } from './build.ts'
import { PagesInMemory } from './pages-in-memory.ts'
import { type Messages, StoreModel } from './store-model.ts'
import {
  cutLogs,
  Dice,
  earlierPages,
  type PageVersion,
  type ReplayedLog,
  replayLogs,
  StoreWorld,
  WORLD_PAGE_BYTES,
} from './store-world.ts'
import { brokenInvariants, flaggedNodes } from './tree-invariants.ts'

const TIME = logTimeAt(MOMENT_MS)
const LIST_LIMIT = 1000
/** Operations that go on within one another at most. */
const DEPTH_MAX = 3
/** Stands for the clean-up among the sessions that are at work. */
const CLEANER = 0

/** A change of a message, a step of a transaction, or a look at the store. */
export interface Command {
  readonly kind: 'insert' | 'replace' | 'remove' | 'commit' | 'rollback' | 'read' | 'list' | 'clean' | 'zero'
  readonly session: number
  readonly mailbox: number
  readonly id: number
  readonly bytes: number
}

/** What was committed when the log ended at a position. */
interface Commit {
  readonly end: LogPosition
  readonly committed: Messages
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** A store in a world, beside its model. Operations of several sessions go on within one another. */
export class StoreRig {
  readonly world: StoreWorld
  readonly store: MailboxStore
  readonly model = new StoreModel()
  readonly commits: Commit[] = []
  /** The logs of the lives before. */
  readonly earlierLogs: readonly ReplayedLog[]
  readonly earlierVersions: readonly PageVersion[]
  readonly #queue: Command[] = []
  readonly #busy = new Set<number>()
  #depth = 0
  #nested = 0
  #content = 0

  private constructor(
    world: StoreWorld,
    store: MailboxStore,
    before: { logs: readonly ReplayedLog[]; versions: readonly PageVersion[] },
  ) {
    this.world = world
    this.store = store
    this.earlierLogs = before.logs
    this.earlierVersions = before.versions
  }

  /** A new database. */
  static create(seed: number, capacity: number): StoreRig {
    const world = new StoreWorld({ seed, capacity })
    const environment = world.logs[0]?.header.environment ?? expect.fail()
    const database = { signature: SIGNATURE, path: 'db' }
    world.run(() => createDatabase(world.writer, { environment, time: TIME, database, trees: STORE_TREES }))
    return new StoreRig(world, new MailboxStore(world.writer), { logs: [], versions: [] })
  }

  get logs(): readonly ReplayedLog[] {
    return [...this.earlierLogs, ...this.world.logs]
  }

  get versions(): readonly PageVersion[] {
    return [...this.earlierVersions, ...this.world.versions]
  }

  /** Makes commands one after the other, some within others that wait for something. */
  make(commands: readonly Command[]): void {
    this.#queue.push(...commands)
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#makeOne(next)
  }

  /** The store as a crash at `cut` leaves it, recovered: redo on pages of any earlier moments, then undo. */
  recoverAt(cut: LogPosition): StoreRig {
    const dice = new Dice(this.world.dice.below(2 ** 31))
    const logs = cutLogs(this.logs, cut)
    const pool = earlierPages(this.versions, dice, cut)
    const table = new TransactionTable(1, STORE_TREES)
    replayLogs(logs, pool, (log, record) => table.note(log, record))
    const dbtime = Math.max(0, ...[...pool.pages.values()].map(pageDbtime))
    const world = new StoreWorld({ seed: dice.below(2 ** 31), capacity: 20, generation: cut.generation + 1, dbtime })
    for (const [number, page] of pool.pages) world.disk.set(number, page.bytes)
    const versions = this.versions.filter(({ end }) => comparePositions(end, cut) <= 0)
    const rig = new StoreRig(world, new MailboxStore(world.writer, table.flagged), { logs, versions })
    rig.#drive(undoAll(world.writer, table.open, TIME))
    rig.model.committed = new Map(this.#committedAt(cut))
    rig.commits.push(...this.commits.filter(({ end }) => comparePositions(end, cut) <= 0))
    return rig
  }

  /** Whole pages, and for each reader exactly the messages that it should see. */
  expectSound(): void {
    expect(brokenInvariants(this.world.pages(), STORE_TREES)).toEqual([])
    for (const reader of [null, ...this.model.sessions.keys()]) {
      const seen = this.model.seenBy(reader)
      for (const mailbox of [1, 2, 3]) {
        const ids = [...seen].filter(([, message]) => message.mailbox === mailbox).map(([id]) => id)
        const listed = this.#drive(this.store.list(reader, mailbox, { from: 0, limit: LIST_LIMIT }))
        const bytes = (id: number): number => (seen.get(id)?.bytes.length ?? 0) / 2
        expect(listed).toEqual(ids.sort((a, b) => a - b).map((id) => ({ id, bytes: bytes(id) })))
      }
      for (const [id, { mailbox, bytes }] of seen) {
        const read = this.#drive(this.store.read(reader, { mailbox, id }))
        expect(read === null ? null : hex(read)).toBe(bytes)
        expect(this.#drive(this.store.find(reader, id))).toBe(mailbox)
      }
    }
  }

  /** When everybody has ended and all is cleaned up, the trees hold the nodes of the messages and no others. */
  expectClean(): void {
    for (const session of [...this.model.sessions.keys()]) {
      this.#drive(this.store.rollback(session))
      this.model.rollback(session)
    }
    this.#drive(this.store.cleanUp(this.store.cleanUpsWaiting))
    expect(this.store.cleanUpsWaiting).toBe(0)
    expect(flaggedNodes(this.world.pages())).toEqual([])
    this.expectSound()
  }

  /** The log alone leads to these bytes: from nothing, once more, and from pages of any earlier moments. */
  expectReplayable(): void {
    const pages = this.world.pages()
    const fromNothing = new PagesInMemory(WORLD_PAGE_BYTES)
    for (const pool of [fromNothing, fromNothing, earlierPages(this.versions, this.world.dice)]) {
      replayLogs(this.logs, pool)
      for (const [number, bytes] of pages) expect(hex(pool.read(number).bytes), `page ${number}`).toBe(hex(bytes))
    }
  }

  #committedAt(cut: LogPosition): Messages {
    return this.commits.findLast(({ end }) => comparePositions(end, cut) <= 0)?.committed ?? new Map()
  }

  #makeOne(command: Command): void {
    const { kind, session, id, mailbox } = command
    if (kind === 'read') this.#read(this.#readerOf(command), { mailbox, id })
    else if (kind === 'list') this.#list(this.#readerOf(command), mailbox)
    else if (kind === 'clean') this.#clean()
    else if (kind === 'zero') this.#zero(id)
    else if (!this.#busy.has(session)) {
      this.#busy.add(session)
      this.#makeChange(command)
      this.#busy.delete(session)
    }
  }

  #makeChange(command: Command): void {
    const { kind, session } = command
    const isOpen = this.model.sessions.has(session)
    if (kind === 'commit' && isOpen) this.#commit(session)
    else if (kind === 'rollback' && isOpen) {
      this.#drive(this.store.rollback(session))
      this.model.rollback(session)
    } else if (kind === 'insert' || kind === 'replace' || kind === 'remove') {
      if (!isOpen) this.#drive(this.store.begin(session))
      if (!isOpen) this.model.sessions.set(session, new Map())
      this.#change({ ...command, kind })
    }
  }

  #change({ kind, session, id, mailbox, bytes }: Command & { kind: 'insert' | 'replace' | 'remove' }): void {
    const content = new Uint8Array(bytes).fill(++this.#content)
    // What is refused is decided when the operation begins; nobody else can change the message from then on.
    const error = this.model.change(session, kind, { id, message: { mailbox, bytes: hex(content) } })
    const message = { name: { mailbox, id }, bytes: content }
    if (error !== -1102) this.model.atWork.set(id, session)
    const work = kind === 'remove' ? this.store.remove(session, message.name) : this.store[kind](session, message)
    const refused = this.#drive(work)
    if (error !== -1102) this.model.atWork.delete(id)
    expect(refused?.error ?? 0, `${kind} of ${id}`).toBe(error)
  }

  #commit(session: number): void {
    const end = this.#drive(this.store.commit(session))
    this.model.commit(session)
    this.commits.push({ end, committed: this.model.committed })
  }

  /** A message that changes while it is read is read as it was before or as it is after, never half. */
  #read(reader: number | null, name: { mailbox: number; id: number }): void {
    const expected = new Set<string | null>()
    const note = (): void => {
      const message = this.model.seenBy(reader).get(name.id)
      expected.add(message?.mailbox === name.mailbox ? message.bytes : null)
    }
    note()
    const read = this.#drive(this.store.read(reader, name), note)
    expect([...expected]).toContain(read === null ? null : hex(read))
  }

  #list(reader: number | null, mailbox: number): void {
    const nested = this.#nested
    const listed = this.#drive(this.store.list(reader, mailbox, { from: 5, limit: 3 })).map(({ id }) => id)
    const ids = [...this.model.seenBy(reader)].filter(([id, of]) => of.mailbox === mailbox && id >= 5).map(([id]) => id)
    if (this.#nested === nested) expect(listed).toEqual(ids.sort((a, b) => a - b).slice(0, 3))
  }

  #clean(): void {
    if (this.#busy.has(CLEANER)) return
    this.#busy.add(CLEANER)
    this.#drive(this.store.cleanUp(5))
    this.#busy.delete(CLEANER)
  }

  #zero(page: number): void {
    if (!this.world.pages().has(page)) return
    const nested = this.#nested
    this.#drive(this.store.zero(page))
    if (this.#nested === nested) expect(holdsRemains(this.world.pageNow(page))).toBe(false)
  }

  /** A session that is at work does not read; then nobody's view is looked at. */
  #readerOf({ session }: Command): number | null {
    return this.model.sessions.has(session) && !this.#busy.has(session) ? session : null
  }

  /** Drives an operation; where it waits, another command may be made, after which `note` is called. */
  #drive<Answer>(work: Work<Answer>, note: () => void = () => {}): Answer {
    for (;;) {
      const step = work.next()
      if (step.done === true) return step.value
      this.world.supply(step.value)
      const next = this.#depth < DEPTH_MAX && this.world.dice.below(3) === 0 ? this.#queue.shift() : undefined
      if (next === undefined) continue
      this.#depth++
      this.#nested++
      this.#makeOne(next)
      this.#depth--
      note()
    }
  }
}
