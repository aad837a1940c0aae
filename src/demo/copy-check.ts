import { readdirSync, watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClosedLogFile } from '../log-writer.ts'

/** What the check has found so far. */
export interface CheckResult {
  /** Everything written through this generation is the same, byte for byte, on both sides; 0 before the first. */
  readonly verifiedThrough: number
  readonly verified: number
  /** Names of logs that differ, or that the copy lacks although it says that it has them. */
  readonly different: readonly string[]
}

/** Delays from the rename at the source until a log stands in the copy's log directory, in milliseconds. */
export interface LatencyResult {
  readonly samples: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Delays kept: those of the last so many logs, so that a demonstration of days does not grow. */
const SAMPLES_MAX = 10_000
/** Logs that may wait to be seen; more of them wait only while the copy is suspended, and those are no measure of anything. */
const AWAITED_MAX = 1_000

/**
 * Looks with its own eyes at what the copy says of itself: compares each log on both sides byte for byte, and measures with a watch
 * on the copy's directory how long each one took to get there.
 */
export class CopyCheck {
  readonly #sourceLogs: string
  readonly #copyLogs: string
  readonly #written: ClosedLogFile[] = []
  readonly #awaited = new Map<string, number>()
  readonly #delaysMs: number[] = []
  readonly #different: string[] = []
  #verified = 0
  #verifiedThrough = 0
  #watcher: { close(): void } | null = null

  constructor(directories: { readonly sourceLogs: string; readonly copyLogs: string }) {
    this.#sourceLogs = directories.sourceLogs
    this.#copyLogs = directories.copyLogs
  }

  get result(): CheckResult {
    return { verified: this.#verified, verifiedThrough: this.#verifiedThrough, different: this.#different }
  }

  /** Null before the first log was seen to arrive. */
  get latency(): LatencyResult | null {
    const sorted = [...this.#delaysMs].sort((a, b) => a - b)
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
    return sorted.length === 0 ? null : { samples: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99) }
  }

  /** A log was closed at the source. */
  logClosed(log: ClosedLogFile): void {
    this.#written.push(log)
    if (this.#watcher === null || this.#awaited.size >= AWAITED_MAX) return
    this.#awaited.set(log.name, log.closedAtMs)
  }

  /** Begins to measure once the copy has made its directory; until then, and again, a call has no effect. */
  measure(): void {
    if (this.#watcher !== null || !exists(this.#copyLogs)) return
    this.#watcher = watch(this.#copyLogs, (_event, name) => this.#arrived(name ?? ''))
  }

  /** Logs that were delayed on purpose, by a suspension, say nothing of the way: forget them. */
  forgetAwaited(): void {
    this.#awaited.clear()
  }

  /** Compares everything that the copy says it has inspected. */
  async compareThrough(inspected: number): Promise<void> {
    for (let next = this.#written[0]; next !== undefined && next.generation <= inspected; next = this.#written[0]) {
      if (await this.#isSame(next.name)) this.#verified += 1
      else this.#different.push(next.name)
      this.#verifiedThrough = next.generation
      this.#written.shift()
    }
  }

  close(): void {
    this.#watcher?.close()
    this.#watcher = null
  }

  async #isSame(name: string): Promise<boolean> {
    try {
      const [source, copy] = await Promise.all([
        readFile(join(this.#sourceLogs, name)),
        readFile(join(this.#copyLogs, name)),
      ])
      return source.equals(copy)
    } catch {
      // A log that cannot be read on one side is not the same on both.
      return false
    }
  }

  #arrived(name: string): void {
    const closedAtMs = this.#awaited.get(name)
    if (closedAtMs === undefined) return
    this.#awaited.delete(name)
    this.#delaysMs.push(performance.now() - closedAtMs)
    if (this.#delaysMs.length > SAMPLES_MAX) this.#delaysMs.shift()
  }
}

function exists(directory: string): boolean {
  try {
    readdirSync(directory)
    return true
  } catch {
    return false
  }
}
