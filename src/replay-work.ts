import type { PageDigest } from '../engine/database/page-digest.ts'
import type { Fault, ReplicaFact } from '../engine/fact.ts'
import { type Generation, NO_GENERATION } from '../engine/generation.ts'
import type { KeptDatabase, ReplayCommand, ReplayEvent } from '../workers/messages.ts'
import type { CopyOrder, UntimedFact } from './copy-work.ts'
import { PageDigestRequests } from './page-digest-requests.ts'

/** Who replays logs into the databases of copies: a worker thread, or in tests whoever answers as one. */
export interface Replayer {
  /** Sends a command; false while nobody is there who would take it. */
  readonly post: (command: ReplayCommand) => boolean
}

/**
 * Connects a copy with its replayer: from then on every event with the number of the copy is told. The number is the one in
 * its commands.
 */
export type ConnectReplayer = (copy: number, tell: (event: ReplayEvent) => void) => Replayer

/** What a {@link ReplayWork} works with. */
export interface ReplayWorkParts {
  /** The number under which the replayer knows the copy. */
  readonly copy: number
  readonly connect: ConnectReplayer
  readonly tell: (fact: UntimedFact<ReplicaFact>) => void
}

type ReplayOrder = Extract<CopyOrder, { kind: 'replay-logs' | 'stop-replaying' | 'abandon-database' }>

/** Nobody is there to replay: the instance starts anew after a wait, as after a fault of a disk. */
const NO_REPLAYER: Fault = { code: 'INTERNAL', message: 'the replay worker is not running' }

/** What whoever waits for the database is told. */
const ABANDONED: Fault = {
  code: 'STATE_REFUSED',
  message: 'what the database has in memory is of another stream of logs',
}

/** Does the orders about a copy's database, all of them by its replayer. */
export class ReplayWork {
  readonly #parts: ReplayWorkParts
  readonly #replayer: Replayer
  /** The session of the opening or batch that was ordered last, which a lost replayer cannot end any more; null for none. */
  #session: number | null = null
  #stopped: (() => void)[] = []
  readonly #digests: PageDigestRequests

  constructor(parts: ReplayWorkParts) {
    this.#parts = parts
    this.#replayer = parts.connect(parts.copy, (event) => this.#take(event))
    this.#digests = new PageDigestRequests(parts.copy, this.#replayer)
  }

  /** Does one order. A promise: the next one waits for it. */
  perform(order: ReplayOrder): Promise<void> | undefined {
    switch (order.kind) {
      case 'replay-logs':
        this.#order({ ...order, copy: this.#parts.copy })
        return undefined
      case 'stop-replaying':
        return this.stop()
      case 'abandon-database':
        this.abandon(ABANDONED)
        return this.stop()
    }
  }

  /** Has the database opened, or made in its directory. */
  open(session: number, kept: KeptDatabase): void {
    this.#order({ kind: 'open-database', copy: this.#parts.copy, session, kept })
  }

  /** Resolves when no I/O on the database is left. */
  stop(): Promise<void> {
    this.#session = null
    return new Promise<void>((resolve) => {
      this.#stopped.push(resolve)
      if (!this.#replayer.post({ kind: 'stop-replaying', copy: this.#parts.copy })) this.#rested()
    })
  }

  /** The digests of all pages at the end of this log; see `PageDigestRequests`. */
  digestPages(through: Generation, signal: AbortSignal): AsyncGenerator<readonly PageDigest[]> {
    return this.#digests.ask(through, signal)
  }

  /**
   * The store may belong to another process, or memory must not come to the file: nothing more is written, whatever is under way. A stop
   * follows.
   */
  abandon(fault: Fault): void {
    this.#replayer.post({ kind: 'abandon-database', copy: this.#parts.copy, fault })
  }

  /** Gives the database up, after a stop. */
  close(): void {
    this.#replayer.post({ kind: 'close-database', copy: this.#parts.copy })
  }

  /** The replayer is gone, with all that was under way in it. */
  lost(fault: Fault): void {
    const session = this.#session
    this.#session = null
    this.#digests.lost(fault)
    this.#rested()
    if (session === null) return
    this.#parts.tell({ kind: 'replay-failed', session, fault: { ...fault, eseError: 0, generation: NO_GENERATION } })
  }

  #order(command: Extract<ReplayCommand, { readonly session: number }>): void {
    this.#session = command.session
    if (!this.#replayer.post(command)) this.lost(NO_REPLAYER)
  }

  #take(event: ReplayEvent): void {
    const { tell } = this.#parts
    switch (event.kind) {
      case 'database-opened':
      case 'logs-replayed':
      case 'checkpoint-moved':
        tell({ kind: event.kind, session: event.session, progress: event.progress })
        return
      case 'replay-failed':
        tell({ kind: 'replay-failed', session: event.session, fault: event.fault })
        return
      case 'replay-stopped':
        if (event.progress !== null) tell({ kind: 'replay-stopped', progress: event.progress })
        this.#rested()
        return
      case 'pages-digested':
      case 'digest-refused':
        this.#digests.take(event)
        return
      case 'replayer-lost':
        this.lost(event.fault)
        return
      case 'stopped':
        return
    }
  }

  #rested(): void {
    for (const resolve of this.#stopped.splice(0)) resolve()
  }
}
