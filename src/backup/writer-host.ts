import { ReplicationError } from '../../engine/error.ts'
import type { WriterDocument } from '../../transport/management-writer-documents.ts'
import type { WriterName, WritersPort } from '../../transport/management-writers.ts'
import type { Clock } from '../clock.ts'
import type { BackedUpCopy } from './backed-up-copy.ts'
import { CopyWriter } from './copy-writer.ts'

/** What a {@link WriterHost} works with. */
export interface WriterHostParts {
  /** The databases of this process. */
  readonly names: () => readonly WriterName[]
  /** The copy of a storage group that this process has, for one backup. Errors: `STORAGE_GROUP_UNKNOWN`, `STORE_UNAVAILABLE`. */
  readonly find: (storageGroup: string, of: WriterName['of']) => BackedUpCopy
  readonly clock: Clock
}

/**
 * The writers of one process: one for each database. They are in memory only: a service that ends gives up the backups that are under way.
 */
export class WriterHost {
  readonly #parts: WriterHostParts
  readonly #writers = new Map<string, CopyWriter>()

  constructor(parts: WriterHostParts) {
    this.#parts = parts
  }

  /** What the management API shows and does. */
  get port(): WritersPort {
    return {
      list: () => this.#parts.names().flatMap((name) => documentOrNone(() => this.#writer(name))),
      call: async (order) => {
        const writer = this.#writer(order)
        await writer.call(order)
        return writer.document
      },
      provoke: (name, provocation) => {
        const writer = this.#writer(name)
        writer.provoke(provocation)
        return writer.document
      },
    }
  }

  /** Gives up what is under way. May be called twice. */
  async close(): Promise<void> {
    await Promise.all([...this.#writers.values()].map((writer) => writer.close()))
  }

  /** Errors: those of {@link WriterHostParts.find}, for a database that was never here. */
  #writer({ storageGroup, of }: WriterName): CopyWriter {
    const key = `${of} ${storageGroup}`
    const present = this.#writers.get(key)
    if (present !== undefined) return present
    const { find, clock } = this.#parts
    find(storageGroup, of)
    const made = new CopyWriter({ name: { storageGroup, of }, find: () => find(storageGroup, of), clock })
    this.#writers.set(key, made)
    return made
  }
}

/** A store that does not run has no writer that could be asked. */
function documentOrNone(find: () => CopyWriter): readonly WriterDocument[] {
  try {
    return [find().document]
  } catch (error) {
    if (error instanceof ReplicationError) return []
    throw error
  }
}
