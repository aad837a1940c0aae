import { fillWithPattern } from '../engine/database/fill-pattern.ts'
import type { Generation } from '../engine/generation.ts'
import { replaceDurably } from './durable-file.ts'
import { isDiskFull } from './file-error.ts'
import { type FileOperations, wholeOf } from './file-operations.ts'
import type { LogNames } from './log-names.ts'
import type { ReachFailpoint } from './store-failpoint.ts'
import { logPath, type StorePlaces } from './store-places.ts'

/** What the parts of a store have in common. */
export interface StoreTools {
  readonly files: FileOperations
  readonly places: StorePlaces
  readonly names: LogNames
  /** Makes ids that never repeat, of 32 hexadecimal digits. */
  readonly newId: () => string
  /** Milliseconds since 1970, for the notes beside logs that are kept. */
  readonly nowMs: () => number
  readonly reach: ReachFailpoint
}

/** Who hears of what is prepared. */
export interface PreparedLogOptions extends StoreTools {
  /** The prepared log lies there; `reserve` as in the fact `log-prepared`. */
  readonly onPrepared: (reserve: boolean) => void
  /** It could not be prepared, or a reserve log not be made. */
  readonly onFailed: (error: unknown) => void
}

/** Free space that making a reserve log must leave, in logs: a disk that is nearly full needs it for the stream. */
const ROOM_KEPT_LOGS = 8

/**
 * The prepared log (`E00tmp.log`) and the reserve logs of a stream. Each appears whole or not at all, full of the pattern, so
 * nobody ever opens a log that is half prepared. One that was not prepared by this process is not trusted: it is made anew.
 */
export class PreparedLog {
  readonly #options: PreparedLogOptions
  /** The newest preparation, resolved when it lies there; null when what lies there is not ours. */
  #preparation: Promise<void> | null = null
  #fileBytes = 0
  #restocking: Promise<void> = Promise.resolve()
  #hasReserves = false
  #pattern = new Uint8Array(0)

  constructor(options: PreparedLogOptions) {
    this.#options = options
  }

  /** Begins to prepare a log of `fileBytes`, out of the closed log `reuse` where there is one; answers at once. */
  begin(fileBytes: number, reuse: Generation | null): void {
    const before = this.#preparation ?? Promise.resolve()
    this.#fileBytes = fileBytes
    this.#preparation = before.then(() => this.#prepare(fileBytes, reuse))
    this.#preparation.catch(this.#options.onFailed)
  }

  /** Resolves when a log of `fileBytes` lies prepared; prepares it where nobody has asked for one of this length before. */
  async ready(fileBytes: number): Promise<void> {
    if (this.#preparation === null || this.#fileBytes !== fileBytes) this.begin(fileBytes, null)
    await this.#preparation
  }

  /** The prepared log has become the open one. */
  taken(): void {
    this.#preparation = null
  }

  /** Makes the reserve logs that are missing, if there is room. */
  async restock(fileBytes: number): Promise<void> {
    const { files, places } = this.#options
    for (const name of places.reserveLogNames) {
      if ((await files.lookUp(logPath(places, name))) !== null) continue
      if ((await files.freeBytes(places.logs)) < ROOM_KEPT_LOGS * fileBytes) return
      try {
        await this.#makeWhole(name, fileBytes)
      } catch (error) {
        if (isDiskFull(error)) return
        throw error
      }
    }
    this.#hasReserves = true
  }

  /** Resolves when nothing is under way any more. */
  async idle(): Promise<void> {
    await this.#preparation?.catch(() => undefined) // whoever listens for failures has heard of it
    await this.#restocking
  }

  async #prepare(fileBytes: number, reuse: Generation | null): Promise<void> {
    const { reach, onPrepared } = this.#options
    reach('prepare-log.before')
    const reserve = !(reuse !== null && (await this.#reuse(reuse, fileBytes))) && (await this.#make(fileBytes))
    reach('prepare-log.after')
    onPrepared(reserve)
    if (reserve || this.#hasReserves) return
    // Nobody waits for these: the prepared log is what the next roll needs.
    this.#restocking = this.#restocking.then(() => this.restock(fileBytes)).catch(this.#options.onFailed)
  }

  /** Makes the prepared log out of nothing. Answers whether a reserve log had to take its place. */
  async #make(fileBytes: number): Promise<boolean> {
    try {
      await this.#makeWhole(this.#options.places.preparedLogName, fileBytes)
      return false
    } catch (error) {
      if (!isDiskFull(error)) throw error
      this.#options.reach('prepare-log.disk-full')
      for (const name of this.#options.places.reserveLogNames) {
        this.#hasReserves = false
        if (await this.#take(name, fileBytes)) return true
      }
      throw error
    }
  }

  async #reuse(generation: Generation, fileBytes: number): Promise<boolean> {
    for (const name of this.#options.names.deletable(generation)) if (await this.#take(name, fileBytes)) return true
    return false
  }

  /**
   * Makes a file that lies there the prepared log. Its old name is gone for good before its content changes: a crash must not leave
   * a closed log full of the pattern. Answers whether there was such a file, of the right length.
   */
  async #take(name: string, fileBytes: number): Promise<boolean> {
    const { files, places, reach } = this.#options
    const facts = await files.lookUp(logPath(places, name))
    if (facts?.kind !== 'regular' || facts.names !== 1 || facts.sizeBytes !== fileBytes) return false
    const prepared = logPath(places, places.preparedLogName)
    await files.rename(logPath(places, name), prepared)
    reach('prepare-log.file-renamed')
    await files.syncDirectory(places.logs)
    reach('prepare-log.file-taken')
    const file = await files.open(prepared, 'overwrite-synchronous')
    try {
      await files.write(file, wholeOf(this.#patternOf(fileBytes)), 0)
    } finally {
      await files.close(file)
    }
    return true
  }

  #makeWhole(name: string, fileBytes: number): Promise<void> {
    const { files, places, newId } = this.#options
    return replaceDurably(files, {
      directory: places.logs,
      name,
      attemptId: newId(),
      bytes: this.#patternOf(fileBytes),
    })
  }

  /** Kept: it is needed again for the next log. */
  #patternOf(fileBytes: number): Uint8Array {
    if (this.#pattern.length !== fileBytes) {
      this.#pattern = new Uint8Array(fileBytes)
      fillWithPattern(this.#pattern, 0, fileBytes)
    }
    return this.#pattern
  }
}
