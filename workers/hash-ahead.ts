import type { Announcement } from '../engine/fact.ts'
import { type Generation, nextGeneration } from '../engine/generation.ts'

/** What hashing ahead works with. */
export interface HashAheadPorts {
  /** Reads and hashes a log, unless it was hashed before. Never rejects for a fault of the disk: whoever wants the log is told. */
  readonly hash: (share: string, generation: Generation) => Promise<void>
  /** Whether what is hashed is still remembered when it is asked for. Without room, what waits is hashed when it is asked for. */
  readonly hasRoom: () => boolean
}

/** Logs that were closed and that nobody has asked for, ascending. */
interface Waiting {
  next: Generation
  last: Generation
}

/** So long nothing may have been served, in milliseconds, before a log is read that nobody asked for: copies come first. */
const QUIET_MS = 500

/**
 * Hashes logs soon after they were closed, while nobody is served: of a copy that is suspended or cannot be reached. When it comes back, its
 * backlog is only read and sent. A copy that keeps up asks for each log before that.
 */
export class HashAhead {
  readonly #ports: HashAheadPorts
  /** By share. */
  readonly #waiting = new Map<string, Waiting>()
  #timer: NodeJS.Timeout | null = null
  #isClosed = false
  #servedAtMs = 0

  constructor(ports: HashAheadPorts) {
    this.#ports = ports
  }

  /** A source announces its logs. Those that were there when it was opened are hashed when they are asked for. */
  announced(share: string, before: Announcement | null, { closedThrough, stream }: Announcement): void {
    if (before === null || before.stream !== stream) this.#waiting.delete(share)
    else if (closedThrough > before.closedThrough) this.#add(share, nextGeneration(before.closedThrough), closedThrough)
  }

  /** A log is asked for. */
  served(share: string, generation: Generation): void {
    this.#servedAtMs = performance.now()
    const waiting = this.#waiting.get(share)
    if (waiting?.next === generation) this.#take(share, waiting)
  }

  /** The share is closed. */
  forget(share: string): void {
    this.#waiting.delete(share)
  }

  close(): void {
    this.#isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #add(share: string, first: Generation, last: Generation): void {
    const waiting = this.#waiting.get(share)
    this.#waiting.set(share, waiting === undefined ? { next: first, last } : { next: waiting.next, last })
    this.#later()
  }

  #later(): void {
    if (this.#timer !== null || this.#isClosed || this.#waiting.size === 0) return
    this.#timer = setTimeout(() => void this.#work(), QUIET_MS)
  }

  async #work(): Promise<void> {
    for (;;) {
      if (!this.#ports.hasRoom()) this.#waiting.clear()
      const [entry] = this.#waiting
      const isQuiet = performance.now() - this.#servedAtMs >= QUIET_MS
      if (entry === undefined || !isQuiet || this.#isClosed) break
      const [share, waiting] = entry
      const generation = this.#take(share, waiting)
      await this.#ports.hash(share, generation)
    }
    this.#timer = null
    this.#later()
  }

  /** The first of them waits no more. */
  #take(share: string, waiting: Waiting): Generation {
    const generation = waiting.next
    if (generation === waiting.last) this.#waiting.delete(share)
    else waiting.next = nextGeneration(generation)
    return generation
  }
}
