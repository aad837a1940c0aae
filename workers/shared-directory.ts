import { ReplicationError } from '../engine/error.ts'
import type { Announcement } from '../engine/fact.ts'
import { formatGeneration, type Generation } from '../engine/generation.ts'
import { type FileFacts, type FileOperations, type OpenFile, pathIn } from '../storage/file-operations.ts'
import { type LogNames, logNamesOf } from '../storage/log-names.ts'
import { scanLogs } from '../storage/log-scan.ts'
import type { SharedDirectory } from './messages.ts'

/** A log that was found and opened. */
export interface FoundLog {
  readonly name: string
  readonly file: OpenFile
  readonly facts: FileFacts
}

/** How often a directory may be read as a whole because a log was not found by name, in milliseconds. */
const SCAN_MS_MIN = 1_000

/** One storage group's directory at the source: finds the file of a generation. */
export class LogFinder {
  readonly #shared: SharedDirectory
  readonly #files: FileOperations
  readonly #names: LogNames
  readonly #now: () => number
  #scannedAt: number | null = null
  #scanning: Promise<void> | null = null

  constructor(shared: SharedDirectory, files: FileOperations, now: () => number) {
    this.#shared = shared
    this.#files = files
    this.#now = now
    this.#names = logNamesOf(shared.format)
  }

  /**
   * Opens the log of a generation that was announced. Errors: `LOG_MISSING`, `FILE_NOT_REGULAR`, `FILE_HELD`, `READ_FAILED`,
   * `NAME_INVALID` for a name that cannot be told to a copy.
   */
  async open(generation: Generation, announcement: Announcement | null): Promise<FoundLog> {
    // Above a hole too: a copy that is past the hole goes on there.
    if (announcement === null || generation < announcement.lowest || generation > announcement.generated)
      throw this.#missing(generation, 'is not among the closed logs')
    const found = (await this.#openByName(generation)) ?? (await this.#openByScan(generation))
    if (found === null) throw this.#missing(generation, 'is not there')
    return found
  }

  async #openByName(generation: Generation): Promise<FoundLog | null> {
    for (const name of this.#names.candidates(generation)) {
      const found = await this.#openNamed(name, generation)
      if (found !== null) return found
    }
    return null
  }

  async #openNamed(name: string, generation: Generation): Promise<FoundLog | null> {
    let file: OpenFile
    try {
      file = await this.#files.open(pathIn(this.#shared.directory, name), 'read')
    } catch (error) {
      if (error instanceof ReplicationError && error.code === 'LOG_MISSING') return null
      throw error
    }
    try {
      this.#refuseUntellable(name)
      const parsed = this.#names.parse(name)
      if (parsed !== null && parsed.generation === generation) this.#names.accept(name, parsed)
      return { name, file, facts: await this.#files.factsOf(file) }
    } catch (error) {
      await this.#files.close(file)
      throw error
    }
  }

  #refuseUntellable(name: string): void {
    if (!/[\p{Cc}\p{Cs}]/u.test(name)) return
    throw new ReplicationError({
      code: 'NAME_INVALID',
      message: `a log's name has control characters: ${JSON.stringify(name)}`,
      hint: 'Let the pattern match names of printable characters only.',
    })
  }

  async #openByScan(generation: Generation): Promise<FoundLog | null> {
    if (this.#scannedAt !== null && this.#now() - this.#scannedAt < SCAN_MS_MIN) return null
    this.#scanning ??= this.#scan()
    await this.#scanning
    return this.#openByName(generation)
  }

  async #scan(): Promise<void> {
    try {
      const { directory } = this.#shared
      await scanLogs({ directory, names: this.#names, examine: () => false }, this.#files)
    } finally {
      this.#scannedAt = this.#now()
      this.#scanning = null
    }
  }

  #missing(generation: Generation, what: string): ReplicationError {
    return new ReplicationError({
      code: 'LOG_MISSING',
      message: `log ${formatGeneration(generation)} of ${this.#shared.share} ${what}`,
      hint: 'A log below the closed ones has been truncated, one above them is still open.',
      fields: { generation },
    })
  }
}
