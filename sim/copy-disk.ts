import type { CopiedLog, Fault, StoreContents, Suspension } from '../engine/fact.ts'
import { type Generation, NO_GENERATION, nextGeneration } from '../engine/generation.ts'
import type { Choices } from './choices.ts'
import { leaveCheckpoint, removeCheckpoint } from './seed-findings.ts'
import type { SeedImage, SeedPartial } from './seed-pages.ts'
import { ToyDatabase } from './toy-database.ts'
import { type NameSurvival, ToyDirectory } from './toy-directory.ts'
import type { ToyLog } from './toy-log.ts'

/** What a node has that was the active until now. */
export interface FormerActive {
  readonly logs: ReadonlyMap<Generation, ToyLog>
  /** Its database, as it left it. */
  readonly image: SeedImage
  readonly stream: number
  readonly truncatedBelow: Generation
}

/** The disk of a copy: its directories, its database, and its journal of intent. What a restart finds. */
export class CopyDisk {
  readonly logs: ToyDirectory<Generation> = new ToyDirectory<Generation>()
  readonly inspector: ToyDirectory<string> = new ToyDirectory<string>()
  /** Null for a copy that keeps logs only. */
  readonly database: ToyDatabase | null
  /** Refused logs, kept for the operator. */
  readonly quarantine: ToyLog[] = []
  /** Journal: the suspension in force, durable. */
  suspension: Suspension | null = null
  /** Journal: the stream of the source that the logs here belong to, durable; null for none. */
  stream: number | null = 0
  /** Marker of the store, durable: logs below it are leftovers of a deletion. */
  truncatedBelow: Generation = NO_GENERATION
  /** What a seed has read that is not whole, beside the place of the database; durable. */
  partial: SeedPartial | null = null
  /** Other files among the logs: a checkpoint of the time as an active, and what somebody has left there. */
  readonly leftovers: Set<string> = new Set()
  /** The volume is not mounted, or the directory was moved away. */
  isGone = false
  isFull = false
  readonly #syncsBeforeScan: boolean

  constructor({ syncsBeforeScan, replays }: { readonly syncsBeforeScan: boolean; readonly replays: boolean }) {
    this.#syncsBeforeScan = syncsBeforeScan
    this.database = replays ? new ToyDatabase() : null
  }

  /** What a power cut does to the directories; journal and marker are synced with every change. */
  losePower(choices: Choices, survival: NameSurvival): void {
    this.logs.losePower(choices, survival)
    this.inspector.losePower(choices, survival)
  }

  /** Why nothing can be done here at all, or null. */
  get fault(): Fault | null {
    return this.isGone ? { code: 'DIRECTORY_MISSING', message: 'the directory of the copy is gone' } : null
  }

  /** Why nothing can be written here, or null. */
  get writeFault(): Fault | null {
    if (this.isFull) return { code: 'DISK_FULL', message: 'no space left on the disk of the copy' }
    return this.fault
  }

  /**
   * Sweeps `inspector/` and reads the log directory. Syncs first: what is acknowledged after a kill must be durable. The run is
   * the lowest one that a deletion has not left behind, since a log below a higher run may be lost. Of an empty directory nothing is left over.
   */
  scan(): StoreContents {
    for (const name of this.inspector.sortedNames()) this.inspector.unlink(name)
    if (this.#syncsBeforeScan) this.logs.sync()
    this.inspector.sync()
    const names = this.logs.sortedNames()
    if (names.length === 0) this.truncatedBelow = NO_GENERATION
    for (let at = 0; at < names.length; at++) {
      const first = names[at] ?? NO_GENERATION
      let last = first
      while (names[at + 1] === last + 1) last = names[++at] ?? last
      if (last >= this.truncatedBelow - 1) return this.#contents(first, last)
    }
    return { run: null, identity: null, logTimeMs: 0 }
  }

  /** Gives an arrived log its final name. Answers why that is not possible, or null. */
  publish({ generation, arrivingName }: CopiedLog): Fault | null {
    const arrived = this.inspector.get(arrivingName)
    if (arrived === undefined) return { code: 'READ_FAILED', message: `${arrivingName} is gone from inspector/` }
    const there = this.logs.get(generation)
    if (there !== undefined && there.log !== arrived.log)
      return { code: 'FILE_EXISTS', message: `log ${generation} is there already with other content` }
    if (there === undefined) this.logs.link(generation, arrived)
    this.inspector.unlink(arrivingName)
    return null
  }

  /** Takes back names that a failed sync may not have made durable, the newest first: what is left never has a hole. */
  takeBack(generations: readonly Generation[]): void {
    for (const generation of generations.toReversed()) this.logs.unlink(generation)
  }

  /** Takes an inspected log out of the log directory and keeps it for the operator. */
  setAside(generation: Generation): void {
    const log = this.logs.get(generation)?.log
    if (log === undefined) return
    this.logs.unlink(generation)
    this.logs.sync()
    this.quarantine.push(log)
  }

  /** The logs that a deletion through `last` has to remove, ascending. */
  logsThrough(last: Generation): Generation[] {
    const through: Generation[] = []
    for (const generation of this.logs.sortedNames()) if (generation <= last) through.push(generation)
    return through
  }

  /** Makes the edge of a deletion durable before its first file goes. */
  allowDeletionThrough(last: Generation): void {
    if (nextGeneration(last) > this.truncatedBelow) this.truncatedBelow = nextGeneration(last)
  }

  /** The disk of a node that was the active until now is in its place. */
  exchange({ logs, image, stream, truncatedBelow }: FormerActive): void {
    this.logs.exchange(logs)
    this.inspector.exchange(new Map())
    this.database?.bringSeed(image)
    this.leftovers.clear()
    leaveCheckpoint(this)
    this.suspension = null
    this.partial = null
    this.stream = stream
    this.truncatedBelow = truncatedBelow
    this.isGone = false
    this.isFull = false
  }

  /** The checkpoint of before goes for a seed, and with the logs of before the edge of their deletion. */
  forgetBefore(withLogs: boolean): void {
    removeCheckpoint(this)
    if (withLogs) this.truncatedBelow = NO_GENERATION
  }

  #contents(first: Generation, last: Generation): StoreContents {
    const newest = this.logs.get(last)?.log
    const logTimes = this.logs
      .sortedNames()
      .filter((generation) => generation >= first && generation <= last)
      .map((generation) => ({ generation, logTimeMs: this.logs.get(generation)?.log.logTimeMs ?? 0 }))
    const highest = this.logs.sortedNames().at(-1) ?? last
    const above = highest > last ? highest : NO_GENERATION
    return {
      run: { first, last },
      above,
      identity: newest?.identity ?? null,
      logTimeMs: newest?.logTimeMs ?? 0,
      logTimes,
    }
  }
}
