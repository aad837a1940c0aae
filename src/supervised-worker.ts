import type { Fault } from '../engine/fact.ts'
import { RESTART_WINDOW_MS, RestartBudget } from '../workers/restart-budget.ts'
import { type Clock, doneWithin, pause } from './clock.ts'
import type { ServiceLog } from './service-log.ts'

/** A thread that runs a long-lived task and talks over one port. */
export interface WorkerLine<Command> {
  /** Sends a command; dropped when the thread is gone. */
  readonly post: (command: Command) => void
  /** Resolves when the thread is gone: null when it ended as told, else why. Never rejects. */
  readonly ended: Promise<Fault | null>
  /** Ends the thread whatever it does. */
  readonly destroy: () => Promise<void>
}

/** Starts a thread; what it says goes to `onReport`, in order. */
export type StartWorker<Command, Report> = (onReport: (report: Report) => void) => Promise<WorkerLine<Command>>

/** What a {@link SupervisedWorker} works with. */
export interface SupervisedWorkerParts<Command, Report> {
  /** What it is called in the log. */
  readonly name: string
  readonly start: StartWorker<Command, Report>
  /** The command at which the task ends by itself. */
  readonly stop: Command
  /** How long that may take, in milliseconds; 3 s without it. */
  readonly stopMsMax?: number
  readonly onReport: (report: Report) => void
  /** A thread runs: it knows nothing yet. Called for the first one and for each that replaces a dead one. */
  readonly onStarted: () => void
  /** The thread is dead with all that it did. */
  readonly onLost: (fault: Fault) => void
  readonly clock: Clock
  readonly log: ServiceLog
}

/** How long a thread may take to end by itself, in milliseconds; a service stops within 10 s in all. */
const STOP_MS_MAX = 3_000
/** How long it may take to be ended, in milliseconds. One that a disk holds cannot be; it goes with the process. */
const DESTROY_MS_MAX = 2_000

/**
 * Keeps a worker thread alive: one that dies is replaced, but one that always dies must not eat a processor, so that after five
 * times in a minute the next one waits.
 */
export class SupervisedWorker<Command, Report> {
  readonly #parts: SupervisedWorkerParts<Command, Report>
  readonly #closing = new AbortController()
  #line: WorkerLine<Command> | null = null
  #supervision: Promise<void> = Promise.resolve()
  readonly #restarts = new RestartBudget()

  constructor(parts: SupervisedWorkerParts<Command, Report>) {
    this.#parts = parts
  }

  /** Whether a thread runs. */
  get isRunning(): boolean {
    return this.#line !== null
  }

  /** Starts the first thread. Rejects when it cannot be started at all. */
  async start(): Promise<void> {
    const line = await this.#parts.start((report) => this.#parts.onReport(report))
    this.#supervision = this.#supervise(line)
  }

  /** Sends a command to the thread. False while there is none: a new one is told everything anew. */
  post(command: Command): boolean {
    this.#line?.post(command)
    return this.#line !== null
  }

  /** Ends the thread: by itself if it does so in time. May be called twice. */
  async close(): Promise<void> {
    this.#closing.abort()
    const line = this.#line
    if (line !== null) {
      line.post(this.#parts.stop)
      const { clock, log, name, stopMsMax = STOP_MS_MAX } = this.#parts
      if (!(await doneWithin(clock, stopMsMax, line.ended))) log.warn({ worker: name }, 'worker-did-not-stop')
      await doneWithin(clock, DESTROY_MS_MAX, line.destroy())
    }
    await this.#supervision
  }

  async #supervise(first: WorkerLine<Command>): Promise<void> {
    let line: WorkerLine<Command> | null = first
    while (line !== null) {
      this.#line = line
      this.#parts.onStarted()
      const fault = await line.ended
      this.#line = null
      if (this.#closing.signal.aborted) return
      const lost = fault ?? { code: 'INTERNAL', message: `the ${this.#parts.name} ended by itself` }
      this.#parts.log.error({ worker: this.#parts.name, fault: lost }, 'worker-lost')
      await line.destroy()
      this.#parts.onLost(lost)
      line = await this.#replace()
    }
  }

  /** Null when the service closes before a thread runs again. */
  async #replace(): Promise<WorkerLine<Command> | null> {
    const { clock, log, name } = this.#parts
    while (!this.#closing.signal.aborted) {
      if (!this.#restarts.mayRestart(clock.nowMs())) {
        await pause(clock, RESTART_WINDOW_MS, this.#closing.signal)
        continue
      }
      try {
        return await this.#parts.start((report) => this.#parts.onReport(report))
      } catch (error) {
        log.error({ worker: name, error }, 'worker-not-started')
      }
    }
    return null
  }
}
