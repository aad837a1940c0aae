// Goal: messages survive every crash exactly as their transactions were acknowledged, and a copy gets the same trees, byte for byte.
// Method: the mailbox store over the store engine over a model disk, cut off after any of its steps; then its logs are replayed on a copy.
// STORE_RUNS says how many runs, STORE_SEED where to begin.
import { describe, expect, it } from 'vitest'
import type { ChangeWriter } from '../../../../engine/database/change-writer.ts'
import { createDatabase } from '../../../../engine/database/database-creation.ts'
import type { LogPosition } from '../../../../engine/database/log-position.ts'
import { logTimeAt } from '../../../../engine/database/log-time.ts'
import { MailboxContent } from '../../../../engine/database/mailbox-content.ts'
import { MailboxStore } from '../../../../engine/database/mailbox-store.ts'
import { PAGE_BYTES } from '../../../../engine/database/page.ts'
import { PageCache } from '../../../../engine/database/page-cache.ts'
import { recoverStore } from '../../../../engine/database/recovery.ts'
import { undoAll } from '../../../../engine/database/recovery-undo.ts'
import { Replayer } from '../../../../engine/database/replayer.ts'
import { StoreEngine } from '../../../../engine/database/store-engine.ts'
import { STORE_TREES } from '../../../../engine/database/store-layout.ts'
import { openDatabase, startOfNewStore } from '../../../../engine/database/store-opening.ts'
import { advance } from '../../../../engine/database/store-progress.ts'
import type { StoreStart } from '../../../../engine/database/store-start.ts'
import type { Work } from '../../../../engine/database/work.ts'
import { asGeneration } from '../../../../engine/generation.ts'
import { type Choices, seededChoices } from '../../../../sim/choices.ts'
import { MOMENT_MS, SIGNATURE } from '../build.ts'
import { ModelStoreDisk } from './model-store-disk.ts'
import { differingPages, faultOfDatabase, naiveRedo } from './naive-redo.ts'
import { CutOff, Fuse, LOG_BYTES, runMachine, SETTINGS, StoreRig } from './store-rig.ts'

const RUNS = Number(process.env['STORE_RUNS'] ?? 12)
const SEED = Number(process.env['STORE_SEED'] ?? 1)
const SESSIONS = [1, 2]
const IDS = 60
/** Large logs for this: a split and its macro take more than a page. */
const MAILBOX_LOG_BYTES = 8 * LOG_BYTES
const TIME = logTimeAt(MOMENT_MS)

describe('a mailbox store that crashes', () => {
  it(`has the messages that it acknowledged, and so has its copy, ${RUNS} runs from seed ${SEED}`, () => {
    for (let seed = SEED; seed < SEED + RUNS; seed++) {
      try {
        new MailboxRun(seed).play()
      } catch (cause) {
        throw new Error(`STORE_SEED=${seed} STORE_RUNS=1: ${cause instanceof Error ? cause.message : cause}`, { cause })
      }
    }
  })
})

/** Length of a message by its number. */
type Messages = Readonly<Record<number, number>>

class MailboxRun {
  readonly #choices: Choices
  readonly #disk = new ModelStoreDisk()
  #history: Messages[] = [{}]
  #acknowledged = 0
  #waiting: { readonly commit: number; readonly end: LogPosition }[] = []
  #open = new Map<number, Map<number, number | null>>()
  readonly #cachePages: number

  constructor(seed: number) {
    this.#choices = seededChoices(seed)
    this.#cachePages = [32, 48, 96][this.#below(3)] ?? 32
  }

  play(): void {
    for (let life = 0; life < 3; life++) {
      try {
        this.#live(new Fuse(this.#below(700)))
      } catch (cut) {
        if (!(cut instanceof CutOff)) throw cut
      }
      this.#disk.crash(this.#below(2) === 0 ? 'power' : 'kill', (bound) => this.#below(bound))
      expect(faultOfDatabase(this.#disk)).toBeNull()
    }
    const { rig } = this.#start(new Fuse())
    rig.store.forceRoll('the copy gets all of it')
    rig.stop('term')
    expect(differingPages(this.#disk, naiveRedo(this.#disk))).toEqual([])
    this.#replayOnCopy()
  }

  #below(bound: number): number {
    return this.#choices.below(bound)
  }

  #live(fuse: Fuse): void {
    const living = this.#start(fuse)
    for (let act = 0; act < 150; act++) {
      this.#act(living)
      for (let steps = this.#below(10); steps > 0; steps--) living.rig.step()
      for (const { commit, end } of this.#waiting) if (living.rig.isDurable(end)) this.#acknowledged = commit
      this.#waiting = this.#waiting.filter(({ commit }) => commit > this.#acknowledged)
    }
  }

  #start(fuse: Fuse): Living {
    const living = startMailbox(this.#disk, {
      fuse,
      choose: (bound) => this.#below(bound),
      cachePages: this.#cachePages,
    })
    const found = JSON.stringify(messagesOf(living))
    const commit = this.#history.findIndex(
      (messages, index) => index >= this.#acknowledged && JSON.stringify(messages) === found,
    )
    expect(commit).toBeGreaterThanOrEqual(this.#acknowledged)
    this.#history = this.#history.slice(0, commit + 1)
    this.#acknowledged = commit
    this.#waiting = []
    this.#open.clear()
    return living
  }

  #act(living: Living): void {
    const session = SESSIONS[this.#below(SESSIONS.length)] ?? 1
    const { mailbox } = living
    const open = this.#open.get(session)
    const kind = this.#below(16)
    if (open === undefined) {
      drive(living, mailbox.begin(session))
      this.#open.set(session, new Map())
    } else if (kind < 3) this.#commit(living, session, open)
    else if (kind === 3) {
      drive(living, mailbox.rollback(session))
      this.#open.delete(session)
    } else if (kind === 4) drive(living, mailbox.cleanUp(5))
    else this.#change(living, session, open)
  }

  #change({ rig, writer, mailbox }: Living, session: number, open: Map<number, number | null>): void {
    const id = this.#below(IDS)
    const name = { mailbox: id % 3, id }
    const bytes = [20, 300, 3000, 20_000][this.#below(4)] ?? 20
    const committed = this.#history.at(-1)?.[id] ?? null
    const own = open.has(id) ? (open.get(id) ?? null) : committed
    const living = { rig, writer, mailbox }
    if (own === null) {
      const message = { name, bytes: new Uint8Array(bytes).fill(id) }
      if (drive(living, mailbox.insert(session, message)) === null) open.set(id, bytes)
    } else if (this.#below(2) === 0) {
      if (drive(living, mailbox.remove(session, name)) === null) open.set(id, null)
    } else {
      const message = { name, bytes: new Uint8Array(bytes).fill(id) }
      if (drive(living, mailbox.replace(session, message)) === null) open.set(id, bytes)
    }
  }

  #commit(living: Living, session: number, open: ReadonlyMap<number, number | null>): void {
    const messages: Record<number, number> = { ...this.#history.at(-1) }
    for (const [id, bytes] of open) {
      if (bytes === null) delete messages[id]
      else messages[id] = bytes
    }
    this.#history.push(messages)
    this.#open.delete(session)
    const end = drive(living, living.mailbox.commit(session))
    this.#waiting.push({ commit: this.#history.length - 1, end })
    if (this.#below(3) > 0) living.rig.store.requestFlush()
  }

  /** All closed logs are replayed on a copy that begins with nothing. */
  #replayOnCopy(): void {
    const copy = new ModelStoreDisk()
    const { closed } = this.#disk.scan()
    for (const generation of closed) copy.letIn(generation, this.#disk.closedLog(generation))
    const last = closed.at(-1) ?? asGeneration(0)
    const cache = new PageCache(this.#cachePages * PAGE_BYTES)
    const replayer = new Replayer({ files: copy.scan(), inspected: last, cache, checkpointDepthBytes: 0 })
    expect(runMachine(replayer.open(), copy)).toBeNull()
    expect(runMachine(replayer.replay(last), copy)).toEqual({ through: last, fault: null })
    expect(differingPages(copy, naiveRedo(this.#disk, last))).toEqual([])
  }
}

interface Living {
  readonly rig: StoreRig
  readonly writer: ChangeWriter
  readonly mailbox: MailboxStore
}

/** Goes on with an operation until it is done. */
function drive<Answer>({ rig, writer }: Pick<Living, 'rig' | 'writer'>, work: Work<Answer>): Answer {
  for (let tries = 0; tries < 100_000; tries++) {
    const progress = advance(rig.store, writer, work)
    if (progress.state === 'done') return progress.answer
    if (progress.state === 'bad-page') throw new Error(progress.detail)
    if (progress.state === 'page') rig.read(progress.page)
    if (!rig.step() && progress.state === 'room') throw new Error('something moves while an operation waits')
  }
  throw new Error('an operation is done within many tries')
}

function messagesOf(living: Living): Messages {
  const messages: Record<number, number> = {}
  for (let id = 0; id < IDS; id++) {
    const bytes = drive(living, living.mailbox.read(null, { mailbox: id % 3, id }))
    if (bytes !== null) messages[id] = bytes.length
  }
  return messages
}

/** Starts a mailbox store, whatever lies on the disk. */
function startMailbox(
  disk: ModelStoreDisk,
  options: { readonly fuse: Fuse; readonly choose: (bound: number) => number; readonly cachePages: number },
): Living {
  const content = new MailboxContent()
  const cache = new PageCache(options.cachePages * PAGE_BYTES)
  disk.open()
  const files = disk.scan()
  const start = { files, settings: SETTINGS, cache, transactions: content, ignoreLostLogs: false, nowMs: MOMENT_MS }
  const outcome = runMachine(recoverStore(start), disk, options.fuse)
  if (outcome.outcome === 'refused') throw new Error(`${outcome.fault.error} ${outcome.fault.detail}`)
  const isNew = outcome.outcome === 'nothing-there'
  const birth: StoreStart = isNew
    ? startOfNewStore({
        settings: SETTINGS,
        content,
        nowMs: MOMENT_MS,
        cache,
        signature: SIGNATURE,
        database: files.database,
        layout: { sizeBytes: MAILBOX_LOG_BYTES },
      })
    : { ...outcome.start, content }
  const store = new StoreEngine(birth)
  const rig = new StoreRig(disk, { store, ...options })
  const writer = content.write(store, isNew ? 0 : outcome.dbtime)
  if (!isNew && outcome.needsUndo) drive({ rig, writer }, undoAll(writer, content.table.open, TIME))
  const mailbox = new MailboxStore(writer, content.table.flagged)
  content.hand(mailbox)
  if (store.header.state === 'dirty-shutdown') rig.stop('recovery-quit')
  const { environment } = store.buffer.header
  const database = { signature: SIGNATURE, path: SETTINGS.databasePath }
  writer.continueIn(store.buffer)
  openDatabase(store, {
    ...database,
    nowMs: MOMENT_MS,
    create: () => expect(createDatabase(writer, { environment, time: TIME, database, trees: STORE_TREES })).toBeNull(),
  })
  rig.settle(() => store.mayBegin)
  return { rig, writer, mailbox }
}
