/** What is told of many times. In milliseconds. */
export interface LatencyFigures {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Buckets for each doubling: a figure is at most 3% too high. */
const BUCKETS_PER_DOUBLING = 24
/** The shortest time that is told apart, in milliseconds. */
const LEAST_MS = 0.01

/** Many times, in as much memory as a few hundred take. */
export class Latencies {
  readonly #counts = new Map<number, number>()
  #total = 0
  #maxMs = 0

  add(durationMs: number): void {
    const bucket = Math.ceil(Math.log2(Math.max(durationMs, LEAST_MS) / LEAST_MS) * BUCKETS_PER_DOUBLING)
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1)
    this.#total += 1
    this.#maxMs = Math.max(this.#maxMs, durationMs)
  }

  /** Null where there was none. */
  figures(): LatencyFigures | null {
    if (this.#total === 0) return null
    return { p50: this.#percentile(50), p99: this.#percentile(99), max: rounded(this.#maxMs) }
  }

  #percentile(percent: number): number {
    let left = Math.ceil((this.#total * percent) / 100)
    for (const [bucket, count] of [...this.#counts].sort(([a], [b]) => a - b)) {
      left -= count
      if (left <= 0) return rounded(Math.min(LEAST_MS * 2 ** (bucket / BUCKETS_PER_DOUBLING), this.#maxMs))
    }
    return rounded(this.#maxMs)
  }
}

function rounded(durationMs: number): number {
  return Math.round(durationMs * 100) / 100
}
