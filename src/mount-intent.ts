import type { FileOperations } from '../storage/file-operations.ts'
import { openIntentJournal } from '../storage/intent-journal.ts'

/** What a {@link MountIntent} is kept with. */
export interface MountIntentParts {
  /** The folder of the storage group. Whoever holds its lock may write. */
  readonly directory: string
  readonly files: FileOperations
  /** Makes ids that never repeat. */
  readonly newId: () => string
}

/** What an operator wants of a database, from then on. */
interface MountRecord {
  readonly kind: 'mounted' | 'dismounted'
}

/** The journal's name. It is no copy's `intent.ndjson`: a folder may be a copy's at one time and a store's at another. */
const MOUNT_FILE = 'mount.ndjson'

/** Whether an operator has dismounted a database: that outlives the service. Nothing is kept where nobody ever has. */
export class MountIntent {
  readonly #parts: MountIntentParts

  constructor(parts: MountIntentParts) {
    this.#parts = parts
  }

  /** Errors: `JOURNAL_CORRUPT`, and those of the file system. */
  async isDismounted(): Promise<boolean> {
    const { directory, files } = this.#parts
    if (!(await files.readDirectory(directory)).includes(MOUNT_FILE)) return false
    const journal = await this.#open()
    await journal.close()
    return journal.intents.at(-1)?.kind === 'dismounted'
  }

  /** Resolves when it is durable. Errors: `JOURNAL_CORRUPT`, and those of the file system. */
  async record(kind: MountRecord['kind']): Promise<void> {
    const journal = await this.#open()
    try {
      await journal.append({ kind })
    } finally {
      await journal.close()
    }
  }

  #open() {
    return openIntentJournal<MountRecord>({
      ...this.#parts,
      name: MOUNT_FILE,
      validate: recordIn,
      snapshot: (records) => records.slice(-1),
    })
  }
}

function recordIn(value: unknown): MountRecord | null {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return null
  return value.kind === 'mounted' || value.kind === 'dismounted' ? { kind: value.kind } : null
}
