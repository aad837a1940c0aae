import { MessageChannel } from 'node:worker_threads'
import { Piscina } from 'piscina'
import type { Fault } from '../engine/fact.ts'
import type { WorkerLine } from './supervised-worker.ts'

/** Which task a thread runs. */
export interface ThreadTask {
  /** Path of the built, bundled file. */
  readonly filename: string
  /** Name of the exported function. */
  readonly name: string
  /** What the function is given, beside the port. */
  readonly setup: object
}

/**
 * How long a thread may take to leave when it is told to, in milliseconds. The long-lived tasks have ended by themselves before;
 * this is for one that hangs.
 */
const CLOSE_MS_MAX = 2_000

/**
 * Starts a thread for one long-lived task that owns sockets. `atomics: 'disabled'`: otherwise Piscina would freeze the
 * thread's event loop while it waits for another task.
 */
export async function startThread<Command, Report>(
  task: ThreadTask,
  onReport: (report: Report) => void,
): Promise<WorkerLine<Command>> {
  const pool = new Piscina({
    filename: task.filename,
    name: task.name,
    minThreads: 1,
    maxThreads: 1,
    maxQueue: 1,
    atomics: 'disabled',
    closeTimeout: CLOSE_MS_MAX,
    recordTiming: false,
  })
  const { port1, port2 } = new MessageChannel()
  port1.on('message', (report: Report | readonly Report[]) => {
    if (isBatch(report)) for (const one of report) onReport(one)
    else onReport(report)
  })
  const ended: Promise<Fault | null> = pool
    .run({ ...task.setup, port: port2 }, { transferList: [port2] })
    .then(() => null, faultOfThread)
    .finally(() => port1.close())
  return {
    post: (command) => port1.postMessage(command),
    ended,
    destroy: async () => {
      port1.close()
      await pool.destroy()
    },
  }
}

function isBatch<Report>(report: Report | readonly Report[]): report is readonly Report[] {
  return Array.isArray(report)
}

function faultOfThread(error: unknown): Fault {
  return {
    code: 'INTERNAL',
    message: `a worker thread died: ${error instanceof Error ? error.message : String(error)}`,
  }
}
