import { assert } from '../engine/assert.ts'
import { ReplicationError } from '../engine/error.ts'
import type { CopiedLog } from '../engine/fact.ts'
import { PUBLISH_BATCH_MAX } from '../storage/durable-file.ts'
import { type FileFacts, type FileOperations, pathIn } from '../storage/file-operations.ts'
import { type Publisher, publisherInto } from '../storage/publisher.ts'
import { haveSameContent } from '../storage/same-content.ts'

/** The two directories that logs are published from and to. */
export interface PublishingPlaces {
  readonly logsDirectory: string
  readonly inspectorDirectory: string
}

/** Moves inspected logs into the log directory, durably, in the order given. */
export class LogPublishing {
  readonly #places: PublishingPlaces
  readonly #files: FileOperations
  #publisher: Publisher
  /** The directory that was there at first: an unmounted volume leaves another one behind, or none. */
  #directory: FileFacts | null = null

  constructor(places: PublishingPlaces, files: FileOperations) {
    this.#places = places
    this.#files = files
    this.#publisher = this.#newPublisher()
  }

  /**
   * Resolves when all of these logs are durable under their names. Errors: as `Publisher.publish` tells its failure, and
   * `DIRECTORY_MISSING` when the log directory is not the one that it was.
   */
  async publish(logs: readonly CopiedLog[]): Promise<void> {
    await this.#checkDirectory()
    const items = logs.map(({ arrivingName, name }) => {
      // The name came back from the main thread, to whom this worker told it after it had been checked.
      assert(!arrivingName.includes('/') && !name.includes('/'), 'a name is no path')
      return { temporaryPath: pathIn(this.#places.inspectorDirectory, arrivingName), finalName: name }
    })
    for (let at = 0; at < items.length; at += PUBLISH_BATCH_MAX) {
      const { failure } = await this.#publisher.publish(items.slice(at, at + PUBLISH_BATCH_MAX))
      if (failure !== null) throw failure
    }
  }

  /** After a failed sync nothing is published any more, until the store was looked at and copying begins anew. */
  reopen(): void {
    this.#directory = null
    this.#publisher = this.#newPublisher()
  }

  #newPublisher(): Publisher {
    const { logsDirectory, inspectorDirectory } = this.#places
    return publisherInto(
      {
        directory: logsDirectory,
        temporaryDirectory: inspectorDirectory,
        sameContent: (a, b) => haveSameContent(this.#files, a, b),
      },
      this.#files,
    )
  }

  async #checkDirectory(): Promise<void> {
    const { logsDirectory } = this.#places
    const facts = await this.#files.lookUp(logsDirectory)
    this.#directory ??= facts
    const known = this.#directory
    if (facts?.kind === 'directory' && facts.inode === known?.inode && facts.device === known.device) return
    throw new ReplicationError({
      code: 'DIRECTORY_MISSING',
      message: `the copy's log directory ${logsDirectory} is gone, or is another one`,
      hint: 'Mount the volume or restore the directory; it is not made anew by itself.',
      fields: { path: logsDirectory },
    })
  }
}
