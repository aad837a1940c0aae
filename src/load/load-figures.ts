import type { LoadOperation } from '../../engine/load/load-ledger.ts'
import { Latencies, type LatencyFigures } from './latency.ts'

/** What a load came to. Times in milliseconds, sizes in bytes. */
export interface LoadSummary {
  readonly durationMs: number
  readonly delivered: number
  readonly replaced: number
  readonly deleted: number
  readonly read: number
  readonly commits: number
  /** Refused transactions by the code of their refusal. */
  readonly refused: Readonly<Record<string, number>>
  /** Transactions that were never answered. */
  readonly inDoubt: number
  readonly bytesWritten: number
  readonly bytesRead: number
  readonly firstGeneration: number
  readonly lastGeneration: number
  readonly commitMs: LatencyFigures | null
  readonly readMs: LatencyFigures | null
  /** How often the store went away, and for how long in all. */
  readonly outages: number
  readonly outageMs: number
  /** Faults of the store that the load has noticed; `faults` counts all of them. */
  readonly faults: number
  readonly firstFaults: readonly string[]
}

/** Faults that are told in words; the rest is only counted. */
const FAULTS_TOLD_MAX = 20

/** Counts what a load does. */
export class LoadFigures {
  readonly #startMs: number
  readonly #commitTimes = new Latencies()
  readonly #readTimes = new Latencies()
  readonly #refused = new Map<string, number>()
  readonly #firstFaults: string[] = []
  readonly #done = { insert: 0, replace: 0, delete: 0 }
  #read = 0
  #commits = 0
  #inDoubt = 0
  #bytesWritten = 0
  #bytesRead = 0
  #firstGeneration = 0
  #lastGeneration = 0
  #outages = 0
  #outageMs = 0
  #faults = 0

  constructor(startMs: number) {
    this.#startMs = startMs
  }

  committed(operations: readonly LoadOperation[]): void {
    this.#commits += 1
    for (const operation of operations) {
      this.#done[operation.op] += 1
      if (operation.op !== 'delete') this.#bytesWritten += operation.size
    }
  }

  refused(code: string): void {
    this.#refused.set(code, (this.#refused.get(code) ?? 0) + 1)
  }

  unanswered(transactions: number): void {
    this.#inDoubt += transactions
  }

  answeredIn(kind: 'commit' | 'read', durationMs: number): void {
    if (kind === 'commit') this.#commitTimes.add(durationMs)
    else this.#readTimes.add(durationMs)
  }

  wasRead(bytes: number): void {
    this.#read += 1
    this.#bytesRead += bytes
  }

  /** The store was seen with this log open; 0 where it has none. */
  reached(generation: number): void {
    if (generation === 0) return
    if (this.#firstGeneration === 0) this.#firstGeneration = generation
    this.#lastGeneration = generation
  }

  wasAway(durationMs: number): void {
    this.#outages += 1
    this.#outageMs += durationMs
  }

  fault(inWords: string): void {
    this.#faults += 1
    if (this.#firstFaults.length < FAULTS_TOLD_MAX) this.#firstFaults.push(inWords)
  }

  summary(nowMs: number): LoadSummary {
    return {
      durationMs: Math.round(nowMs - this.#startMs),
      delivered: this.#done.insert,
      replaced: this.#done.replace,
      deleted: this.#done.delete,
      read: this.#read,
      commits: this.#commits,
      refused: Object.fromEntries([...this.#refused].sort()),
      inDoubt: this.#inDoubt,
      bytesWritten: this.#bytesWritten,
      bytesRead: this.#bytesRead,
      firstGeneration: this.#firstGeneration,
      lastGeneration: this.#lastGeneration,
      commitMs: this.#commitTimes.figures(),
      readMs: this.#readTimes.figures(),
      outages: this.#outages,
      outageMs: Math.round(this.#outageMs),
      faults: this.#faults,
      firstFaults: [...this.#firstFaults],
    }
  }
}
