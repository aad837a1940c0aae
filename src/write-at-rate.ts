import { setTimeout as delay } from 'node:timers/promises'
import type { ClosedLogFile, LogWriter } from './log-writer.ts'

/** How many logs are written, and how fast. */
export interface WritePace {
  /** Logs per second; `Infinity` for as fast as they can be written. */
  readonly rate: number
  /** Logs to write; `Infinity` for no end. */
  readonly count: number
  readonly signal: AbortSignal
  readonly onClosed: (log: ClosedLogFile) => void
  /** Awaited before each log: holds the writer back where what it wrote must first go somewhere. */
  readonly admit?: () => Promise<void>
}

/** A writer that fell further behind than this does not try to make up for it: a steady rate is what was asked for. */
const BEHIND_MS_MAX = 1000

/** Closes logs at a steady rate until the count is reached or the signal fires. Returns how many were closed. */
export async function writeAtRate(writer: LogWriter, pace: WritePace): Promise<number> {
  const intervalMs = 1000 / pace.rate
  let dueMs = performance.now()
  let written = 0
  while (written < pace.count && !pace.signal.aborted) {
    dueMs = Math.max(dueMs + intervalMs, performance.now() - BEHIND_MS_MAX)
    const waitMs = dueMs - performance.now()
    if (waitMs > 0) await delay(waitMs, undefined, { signal: pace.signal }).catch(() => undefined)
    await pace.admit?.()
    if (pace.signal.aborted) break
    pace.onClosed(await writer.roll())
    written += 1
  }
  return written
}
