import { setImmediate } from 'node:timers/promises'
import { ReplicationError } from '../engine/error.ts'
import type { Fault, ReplayFault } from '../engine/fact.ts'
import { type Generation, type GenerationRange, higherOf, NO_GENERATION, nextGeneration } from '../engine/generation.ts'
import type { ReplayCommand, ReplayEvent } from './messages.ts'
import { PageDigests } from './page-digests.ts'
import { faultOfFiles, faultOfReplay } from './replay-fault.ts'
import { ReplayEnded, ReplayedDatabase, type ReplaySettings } from './replayed-database.ts'

/** What a {@link ReplayedCopy} works with. */
export interface ReplayedCopyParts extends ReplaySettings {
  /** A database that nothing was replayed into for so long is written out, in milliseconds. */
  readonly idleMs: number
  readonly tell: (event: ReplayEvent) => void
}

/**
 * How long a stop may write out what waits, in milliseconds: what is left is redone after the next opening. A service stops within
 * 10 s, and a Suspend is waited for by a person.
 */
const SETTLE_AT_STOP_MS = 1_000

/** Progress within a batch is told once in so many milliseconds: a status that is a moment old is good enough. */
const TELL_EVERY_MS = 200

const CLOSED: Fault = { code: 'STATE_REFUSED', message: 'the database was closed' }

type CommandOf<Kind extends ReplayCommand['kind']> = Extract<ReplayCommand, { readonly kind: Kind }>

/**
 * The replay of one copy: one command after the other. A stop is noticed at once and takes effect at the next boundary of a log.
 */
export class ReplayedCopy {
  readonly #copy: number
  readonly #parts: ReplayedCopyParts
  readonly #digests: PageDigests
  #last: Promise<void> = Promise.resolve()
  #database: ReplayedDatabase | null = null
  /** The session of the last opening or batch; null after its last word. */
  #session: number | null = null
  #stops = 0
  /** Commands that came and are not begun. */
  #waiting = 0
  #idle: NodeJS.Timeout | undefined

  constructor(copy: number, parts: ReplayedCopyParts) {
    this.#copy = copy
    this.#parts = parts
    this.#digests = new PageDigests(copy, parts.tell)
  }

  /** Takes a command; those that take time are done in turn. */
  obey(command: Exclude<ReplayCommand, { readonly kind: 'close-database' | 'stop' }>): void {
    switch (command.kind) {
      case 'open-database':
        this.#inTurn(() => this.#open(command))
        break
      case 'replay-logs':
        this.#inTurn(() => this.#replay(command))
        break
      case 'stop-replaying':
        this.#stops++
        this.#inTurn(() => this.#stop())
        break
      case 'abandon-database':
        this.#abandon(command.fault)
        break
      case 'digest-pages':
        this.#digests.want(command)
        this.#inTurn(() => this.#digest())
        break
      case 'cancel-digest':
        this.#digests.cancel(command.request)
        break
    }
  }

  /** Leaves the database at the next boundary of a log, as it is. Resolves when no I/O is left. */
  async close(): Promise<void> {
    this.#stops++
    clearTimeout(this.#idle)
    this.#inTurn(() => this.#drop())
    await this.#last
  }

  #inTurn(work: () => Promise<void>): void {
    clearTimeout(this.#idle)
    this.#waiting++
    this.#last = this.#last.then(async () => {
      this.#waiting--
      await work()
      this.#planSettling()
    })
  }

  get #isStopping(): boolean {
    return this.#stops > 0
  }

  async #open({ session, kept }: CommandOf<'open-database'>): Promise<void> {
    if (this.#isStopping) return
    this.#session = session
    await this.#guarded(NO_GENERATION, async () => {
      if (this.#database !== null && !(await this.#database.isUntouched())) await this.#drop()
      this.#database ??= await ReplayedDatabase.open(this.#parts, kept)
      this.#tell('database-opened', this.#database)
    })
    await this.#digest()
  }

  async #replay({ session, range }: CommandOf<'replay-logs'>): Promise<void> {
    if (this.#isStopping || this.#session !== session) return
    let toldMs = performance.now()
    for (let generation = range.first; generation <= range.last; generation = nextGeneration(generation)) {
      const replayed = await this.#replayLog(generation, range)
      if (replayed === null || this.#isStopping) return
      const isDue = performance.now() - toldMs >= TELL_EVERY_MS
      if (isDue || generation === range.last) this.#tell('logs-replayed', replayed)
      if (isDue) toldMs = performance.now()
      await this.#digest()
      if (this.#isStopping) return
      await setImmediate() // other copies have their turn, and a stop is noticed
    }
  }

  /** Null when that failed. */
  async #replayLog(generation: Generation, range: GenerationRange): Promise<ReplayedDatabase | null> {
    const database = this.#database
    if (database === null) return null
    const isDone = await this.#guarded(generation, () => database.replay(generation, range.last))
    return isDone ? database : null
  }

  /** What waits is written out as far as there is time, so that few logs are required, and every file is let go. */
  async #stop(): Promise<void> {
    this.#digests.refuseAll({ code: 'STATE_REFUSED', message: 'the replay was stopped' })
    const untilMs = performance.now() + SETTLE_AT_STOP_MS
    await this.#guarded(NO_GENERATION, async () => {
      const database = this.#database
      if (database === null) return
      while (performance.now() < untilMs && (await database.settleBatch()));
      await database.rest()
    })
    this.#session = null
    this.#stops--
    const { progress } = this.#database ?? { progress: null }
    this.#parts.tell({ kind: 'replay-stopped', copy: this.#copy, progress })
  }

  /** The fence is up when this returns; memory and files follow in turn. */
  #abandon({ code, message }: Fault): void {
    this.#database?.end(new ReplicationError({ code, message, hint: 'Let one process alone use the store.' }))
    this.#inTurn(() => this.#drop())
  }

  async #drop(why: Fault = CLOSED): Promise<void> {
    const database = this.#database
    this.#database = null
    await database?.close().catch(() => undefined) // what could not be closed was not promised to anybody either
    this.#digests.refuseAll(why)
  }

  #planSettling(): void {
    if (this.#database === null || this.#session === null || this.#isStopping || this.#waiting > 0) return
    this.#idle = setTimeout(() => this.#inTurn(() => this.#settle()), this.#parts.idleMs)
  }

  /** Nothing came for a while: what waits is written out, step by step, until it is all in the file or something comes. */
  async #settle(): Promise<void> {
    const database = this.#database
    if (database === null || this.#isStopping) return
    const before = database.progress.requiredLow
    await this.#guarded(NO_GENERATION, async () => {
      while (this.#waiting === 0 && (await database.settleBatch()));
    })
    if (this.#database !== null && database.progress.requiredLow > before) this.#tell('checkpoint-moved', database)
  }

  async #digest(): Promise<void> {
    const database = this.#database
    if (database === null || this.#isStopping) return
    const { replayedThrough: through, requiredHigh } = database.progress
    // After a start the file may have changes of logs that are about to be redone: it stands at the end of none before them.
    this.#digests.refuseBelow(higherOf(through, requiredHigh))
    if (!this.#digests.isWantedAt(through)) return
    await this.#guarded(through, async () => {
      while (!this.#isStopping && (await database.settleBatch()));
      if (!this.#isStopping) await this.#digests.answer(through, { database, isStopped: () => this.#isStopping })
    })
  }

  #tell(kind: 'database-opened' | 'logs-replayed' | 'checkpoint-moved', { progress }: ReplayedDatabase): void {
    if (this.#session === null || this.#isStopping) return
    this.#parts.tell({ kind, copy: this.#copy, session: this.#session, progress })
  }

  /** Answers whether the work ended well; else that was the last word of the session, and the database is opened anew next. */
  async #guarded(generation: Generation, work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      const fault = faultOf(error, generation)
      await this.#drop(fault)
      const session = this.#session
      this.#session = null
      if (session !== null && !this.#isStopping)
        this.#parts.tell({ kind: 'replay-failed', copy: this.#copy, session, fault })
      return false
    }
  }
}

function faultOf(error: unknown, generation: Generation): ReplayFault {
  return error instanceof ReplayEnded ? faultOfReplay(error.fault) : faultOfFiles(error, generation)
}
