import { ReplicationError } from '../engine/error.ts'
import { makeDirectoriesDurably } from '../storage/durable-directory.ts'
import type { FileOperations } from '../storage/file-operations.ts'
import { lockStore, type StoreLock } from '../storage/store-lock.ts'

/** What a {@link HeldDirectory} is taken with. */
export interface HeldDirectoryParts {
  readonly path: string
  readonly files: FileOperations
  /** Whether it is made when it is not there yet. */
  readonly make: boolean
  /** False where the caller holds a lock that covers the directory. */
  readonly lock: boolean
  /** Another process may use the directory from now on: nothing more may be written there. */
  readonly onLost: (error: ReplicationError) => void
}

/** A directory that this process alone writes to. A lost lock can be taken again once its cause is gone. */
export class HeldDirectory {
  readonly #parts: HeldDirectoryParts
  #lock: StoreLock | null = null
  #taking: Promise<void> | null = null

  constructor(parts: HeldDirectoryParts) {
    this.#parts = parts
  }

  /** Takes the lock unless it is held. Errors: `STORE_LOCKED`, and those of the file system. */
  take(): Promise<void> {
    if (this.#lock !== null || !this.#parts.lock) return Promise.resolve()
    this.#taking ??= this.#acquire().finally(() => {
      this.#taking = null
    })
    return this.#taking
  }

  /** Makes the directory where that is wanted, then takes the lock. */
  async makeAndTake(): Promise<void> {
    if (this.#parts.make) await makeDirectoriesDurably(this.#parts.files, this.#parts.path)
    await this.take()
  }

  /** Gives the lock back. May be called twice. */
  async release(): Promise<void> {
    const lock = this.#lock
    this.#lock = null
    await lock?.release()
  }

  async #acquire(): Promise<void> {
    const { path, files, onLost } = this.#parts
    if ((await files.lookUp(path)) === null) throw gone(path)
    this.#lock = await lockStore({
      root: path,
      files,
      onLost: (error) => {
        if (this.#lock === null) return
        this.#lock = null
        onLost(error)
      },
    })
  }
}

function gone(path: string): ReplicationError {
  return new ReplicationError({
    code: 'DIRECTORY_MISSING',
    message: `${path} is not there`,
    hint: 'Mount the volume or put the directory back; it is not made anew by itself.',
    fields: { path },
  })
}
