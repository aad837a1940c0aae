import type { Fault } from '../engine/fact.ts'
import type { ReplayCommand, ReplayEvent } from '../workers/messages.ts'
import type { Clock } from './clock.ts'
import type { ConnectReplayer } from './replay-work.ts'
import type { ServiceLog } from './service-log.ts'
import { type StartWorker, SupervisedWorker } from './supervised-worker.ts'
import { startReplayWorker } from './worker-tasks.ts'

/** What a {@link ReplayHost} is started with. */
export interface ReplayHostOptions {
  readonly log: ServiceLog
  readonly clock: Clock
  /** Worker threads; each replays for its share of the copies, one log after the other. */
  readonly workers: number
  /** Memory for pages of each database, in bytes. */
  readonly cacheBytes: number
  /** How a worker thread is started, where it is not the usual way. */
  readonly startWorker?: StartWorker<ReplayCommand, ReplayEvent>
}

/** Commands that may wait for the first start of a thread: some for each copy that a process may keep. */
const WAITING_MAX = 16_384

/** One thread, which is begun when it is needed: a process whose copies keep logs only has none. */
interface Seat {
  readonly worker: SupervisedWorker<ReplayCommand, ReplayEvent>
  state: 'unused' | 'starting' | 'begun'
  /** What came while the thread was starting. */
  waiting: ReplayCommand[]
  starting: Promise<void>
}

/** The threads that replay for the copies of one process, beside those that fetch for them. */
export class ReplayHost {
  /** The replayer of a copy. */
  readonly connect: ConnectReplayer
  readonly #options: ReplayHostOptions
  readonly #seats: readonly Seat[]
  readonly #tells = new Map<number, (event: ReplayEvent) => void>()
  #closing = false

  constructor(options: ReplayHostOptions) {
    this.#options = options
    this.#seats = Array.from({ length: options.workers }, (_, index) => ({
      worker: this.#worker(index),
      state: 'unused',
      waiting: [],
      starting: Promise.resolve(),
    }))
    this.connect = (copy, tell) => {
      this.#tells.set(copy, tell)
      return { post: (command) => this.#post(copy, command) }
    }
  }

  /** Whether every thread that was needed so far runs. */
  get isReady(): boolean {
    return this.#seats.every(({ state, worker }) => state !== 'begun' || worker.isRunning)
  }

  /** Ends the threads. May be called twice. */
  async close(): Promise<void> {
    this.#closing = true
    for (const { starting, worker } of this.#seats) {
      await starting
      await worker.close()
    }
  }

  /** Only a database that is to be opened is worth a thread; whatever comes before one has nothing to stop or close. */
  #post(copy: number, command: ReplayCommand): boolean {
    const seat = this.#seats[copy % this.#seats.length]
    if (seat === undefined) throw new Error('must hold: a host has at least one worker')
    if (command.kind === 'close-database') this.#tells.delete(copy)
    switch (seat.state) {
      case 'begun':
        return seat.worker.post(command)
      case 'unused':
        if (command.kind !== 'open-database' || this.#closing) return false
        this.#begin(seat)
        break
      case 'starting':
        break
    }
    if (seat.waiting.length >= WAITING_MAX) return false
    seat.waiting.push(command)
    return true
  }

  #begin(seat: Seat): void {
    seat.state = 'starting'
    seat.starting = seat.worker.start().then(
      () => {
        seat.state = 'begun'
        for (const command of seat.waiting.splice(0)) seat.worker.post(command)
      },
      (error: unknown) => {
        seat.state = 'unused'
        const copies = new Set(seat.waiting.splice(0).flatMap((one) => ('copy' in one ? [one.copy] : [])))
        this.#options.log.error({ error }, 'worker-not-started')
        this.#tellLost([...copies], { code: 'INTERNAL', message: `the replay worker cannot be started: ${error}` })
      },
    )
  }

  #worker(index: number): SupervisedWorker<ReplayCommand, ReplayEvent> {
    const { clock, log, cacheBytes, startWorker = startReplayWorker({ cacheBytes }) } = this.#options
    return new SupervisedWorker<ReplayCommand, ReplayEvent>({
      name: `replay worker ${index}`,
      start: startWorker,
      stop: { kind: 'stop' },
      onReport: (event) => {
        if (event.kind !== 'stopped') this.#tells.get(event.copy)?.(event)
      },
      // A thread that replaces a dead one is told what to open by the copies, which try again.
      onStarted: () => {},
      onLost: (fault) => {
        const copies = [...this.#tells.keys()]
        this.#tellLost(
          copies.filter((copy) => copy % this.#seats.length === index),
          fault,
        )
      },
      clock,
      log,
    })
  }

  #tellLost(copies: readonly number[], fault: Fault): void {
    for (const copy of copies) this.#tells.get(copy)?.({ kind: 'replayer-lost', copy, fault })
  }
}
