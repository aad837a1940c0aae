import type { CopyReport, Fault } from '../engine/fact.ts'
import type { Generation } from '../engine/generation.ts'
import type { ShareReport } from './messages.ts'

/** How often counters and faults go to the main thread, in milliseconds: often enough for a rate on a screen. */
const FLUSH_MS = 500
/** Unreadable logs told per flush. More of them have one cause, and each is asked for again anyway. */
const UNREADABLE_PER_FLUSH_MAX = 32

/**
 * What the share worker tells the main thread, so that no peer can flood it: of the reports of a copy only the latest counts,
 * served logs and bytes are added up, and unreadable logs are told once per interval.
 */
export class ShareReports {
  readonly #tell: (report: ShareReport) => void
  readonly #timer: NodeJS.Timeout
  readonly #reports = new Map<string, { share: string; copyId: string; report: CopyReport }>()
  readonly #served = new Map<string, { logs: number; bytes: number }>()
  readonly #seeded = new Map<string, number>()
  readonly #unreadable = new Set<string>()
  #scheduled = false

  constructor(tell: (report: ShareReport) => void) {
    this.#tell = tell
    this.#timer = setInterval(() => this.#flushServed(), FLUSH_MS)
  }

  /** At once, after the copy reports that came before it. */
  tell(report: ShareReport): void {
    this.#flushReports()
    this.#tell(report)
  }

  /** Told in this turn of the event loop; of several only the latest. */
  copyReported(share: string, copyId: string, report: CopyReport): void {
    this.#reports.set(`${share}/${copyId}`, { share, copyId, report })
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#flushReports())
  }

  served(share: string, bytes: number): void {
    const sum = this.#served.get(share) ?? { logs: 0, bytes: 0 }
    this.#served.set(share, { logs: sum.logs + 1, bytes: sum.bytes + bytes })
  }

  /** Bytes of a database were sent for a seed. */
  seeded(share: string, bytes: number): void {
    this.#seeded.set(share, (this.#seeded.get(share) ?? 0) + bytes)
  }

  unreadable(share: string, generation: Generation, fault: Fault): void {
    const key = `${share}/${generation}/${fault.code}`
    if (this.#unreadable.has(key) || this.#unreadable.size >= UNREADABLE_PER_FLUSH_MAX) return
    this.#unreadable.add(key)
    this.tell({ kind: 'log-unreadable', share, generation, fault })
  }

  /** Tells what is left, and stops. */
  close(): void {
    clearInterval(this.#timer)
    this.#flushReports()
    this.#flushServed()
  }

  #flushReports(): void {
    this.#scheduled = false
    for (const { share, copyId, report } of this.#reports.values())
      this.#tell({ kind: 'copy-reported', share, copyId, report })
    this.#reports.clear()
  }

  #flushServed(): void {
    this.#unreadable.clear()
    for (const [share, sum] of this.#served) this.#tell({ kind: 'served', share, ...sum })
    this.#served.clear()
    for (const [share, bytes] of this.#seeded) this.#tell({ kind: 'seed-served', share, bytes })
    this.#seeded.clear()
  }
}
