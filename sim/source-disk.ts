import {
  type BackupMark,
  type ClosedLogs,
  type EnrolledCopy,
  SHARED_STREAMS_MAX,
  type SharedStream,
  type TakenOver,
} from '../engine/fact.ts'
import { type Generation, lowerOf, NO_GENERATION } from '../engine/generation.ts'
import { type BackupHistory, NEVER_BACKED_UP } from '../engine/source/backup-session.ts'
import { ToyDirectory } from './toy-directory.ts'
import { type Damage, damagedLog, type ToyLog } from './toy-log.ts'

/** What a node has that is the active from now on. */
export interface NewActive {
  readonly logs: ReadonlyMap<Generation, ToyLog>
  /** The newest of them. */
  readonly last: Generation
  /** The stream that they belong to; null for none. */
  readonly stream: number | null
  /** The first that its database needs. */
  readonly required: Generation
  readonly truncatedBelow: Generation
}

/** The disk of the source: the log directory, which another program fills, and the journal of intent. */
export class SourceDisk {
  readonly logs: ToyDirectory<Generation> = new ToyDirectory<Generation>()
  /** Logs that another program holds open. */
  readonly held: Set<Generation> = new Set<Generation>()
  /** Logs that are read wrong a number of times, and are sound again after that: a story's way to spoil a transfer. */
  readonly misreads: Map<Generation, { readonly damage: Damage; readonly times: number }> = new Map()
  isGone = false
  isFull = false
  /** Journal, durable with every record. */
  mark: BackupMark | null = null
  enrolled: readonly EnrolledCopy[] = []
  disabled: readonly string[] = []
  truncatedBelow: Generation = NO_GENERATION
  backups: BackupHistory = NEVER_BACKED_UP
  stream = 0
  /** Where a change of roles began the stream; null for any other. */
  takenOver: TakenOver | null = null
  /** What each stream that began by a change of roles shares with those before it. */
  readonly #shares = new Map<number, readonly SharedStream[]>()
  /** Durable in the header of the active's database: the first log that it needs; null where no mailbox store writes the logs. */
  required: Generation | null = null
  /** In the same header: the last log of which changes may be in the file. */
  requiredHigh: Generation = NO_GENERATION
  /** Extent of the logs; null when it has to be read anew. A directory of 100,000 logs is not sorted at every scan. */
  #extent: { lowest: Generation; closedThrough: Generation; generated: Generation } | null = null

  /** A log that the writer closes, or that somebody puts back or exchanges. */
  place(log: ToyLog): void {
    this.logs.place(log.generation, log)
    const extent = this.#extent
    const continues = extent !== null && extent.generated > 0 && log.generation === extent.generated + 1
    if (!continues) this.#extent = null
    else {
      if (extent.closedThrough === extent.generated) extent.closedThrough = log.generation
      extent.generated = log.generation
    }
  }

  /** What a reader gets of a log. */
  asRead(log: ToyLog): ToyLog {
    const misread = this.misreads.get(log.generation)
    if (misread === undefined || misread.times === 0) return log
    this.misreads.set(log.generation, { ...misread, times: misread.times - 1 })
    return damagedLog(log, misread.damage)
  }

  /** Takes a log away; answers whether it was there. */
  unlink(generation: Generation): boolean {
    this.#extent = null
    return this.logs.unlink(generation)
  }

  /** The logs through this one, as a backup has them, with the journal that says so: one act, as its note makes it. */
  restore(last: ToyLog): void {
    for (const generation of this.logs.sortedNames()) if (generation > last.generation) this.unlink(generation)
    this.place(last)
    this.#extent = null
    this.truncatedBelow = NO_GENERATION
    this.requiredHigh = last.generation
    this.#beginStream(null)
  }

  /**
   * The disk of a node that was a copy until now is in its place. Who is enrolled and who was disabled stands in the configuration of the
   * cluster, and so does the number of the stream.
   */
  exchange({ logs, last, stream, required, truncatedBelow }: NewActive): void {
    this.logs.exchange(logs)
    this.#extent = null
    this.held.clear()
    this.misreads.clear()
    this.isGone = false
    this.isFull = false
    this.truncatedBelow = truncatedBelow
    this.required = required
    this.requiredHigh = last
    const shares = sharesAfter(
      stream === null ? [] : [...(this.#shares.get(stream) ?? []), { stream, through: last }],
      last,
    )
    this.#beginStream({ after: last, shares })
    this.#shares.set(this.stream, shares)
  }

  #beginStream(takenOver: TakenOver | null): void {
    this.stream++
    this.takenOver = takenOver
    this.mark = null
    this.backups = NEVER_BACKED_UP
  }

  /** Forgets what was known of the directory: after a power cut. */
  forgetExtent(): void {
    this.#extent = null
  }

  /** The lowest log that programs see; 0 when there is none. */
  get lowest(): Generation {
    return this.#known().lowest
  }

  /** The highest log that programs see; 0 when there is none. */
  get highest(): Generation {
    return this.#known().generated
  }

  /** What a scan says of the directory. */
  scan(): ClosedLogs {
    const { lowest, closedThrough, generated } = this.#known()
    return { lowest, closedThrough, generated, logTimeMs: this.logs.get(generated)?.log.logTimeMs ?? 0 }
  }

  #known(): { lowest: Generation; closedThrough: Generation; generated: Generation } {
    this.#extent ??= this.#read()
    return this.#extent
  }

  #read(): { lowest: Generation; closedThrough: Generation; generated: Generation } {
    const names = this.logs.sortedNames()
    const lowest = names[0] ?? NO_GENERATION
    let closedThrough = lowest
    for (const generation of names) if (generation === closedThrough + 1) closedThrough = generation
    return { lowest, closedThrough, generated: names.at(-1) ?? NO_GENERATION }
  }
}

/** Of each stream no more is shared than what was there when the roles changed. */
function sharesAfter(shares: readonly SharedStream[], last: Generation): readonly SharedStream[] {
  return shares.slice(-SHARED_STREAMS_MAX).map((one) => ({ ...one, through: lowerOf(one.through, last) }))
}
