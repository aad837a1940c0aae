import type { Generation } from '../engine/generation.ts'
import type { StreamedLog } from './log-sender.ts'
import type { PiecePlace } from './place-queue.ts'

/** A log of one piece, open and read. */
export interface ReadLog {
  readonly log: StreamedLog
  readonly place: PiecePlace
}

/** What reads a log and gives it up again. */
export interface UnaskedPorts {
  /** Null when there is no room to spare, or the log cannot be read as one piece. Never rejects for a fault of the disk. */
  readonly read: (generation: Generation) => Promise<ReadLog | null>
  readonly drop: (read: ReadLog) => void
}

/** Longer than a round trip around the world; a copy that has not asked by then is suspended, or busy with other logs. */
const KEPT_MS = 1_000

/**
 * The newest log of a copy that keeps up: it is read when it is announced, because the copy asks for it as soon as it has heard
 * of it. Saves the time of the read, about a tenth of the whole way of a single log (measured).
 */
export class UnaskedLog {
  readonly #ports: UnaskedPorts
  #kept: {
    readonly generation: Generation
    readonly read: Promise<ReadLog | null>
    readonly timer: NodeJS.Timeout
  } | null = null

  constructor(ports: UnaskedPorts) {
    this.#ports = ports
  }

  /** Reads that log, and drops any other. */
  read(generation: Generation): void {
    this.drop()
    const timer = setTimeout(() => this.drop(), KEPT_MS)
    this.#kept = { generation, read: this.#ports.read(generation), timer }
  }

  /** The log, if it is this one: the caller has it then. Any other is dropped. */
  async take(generation: Generation): Promise<ReadLog | null> {
    const kept = this.#kept
    if (kept?.generation !== generation) {
      this.drop()
      return null
    }
    this.#kept = null
    clearTimeout(kept.timer)
    return await kept.read
  }

  /** Gives up what was read. */
  drop(): void {
    const kept = this.#kept
    if (kept === null) return
    this.#kept = null
    clearTimeout(kept.timer)
    void kept.read.then((read) => {
      if (read !== null) this.#ports.drop(read)
    })
  }
}
