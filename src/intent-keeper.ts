import type { ReplicationError } from '../engine/error.ts'
import { asReplicationError } from '../storage/file-error.ts'
import type { FileOperations } from '../storage/file-operations.ts'
import { type IntentJournal, type IntentJournalOptions, openIntentJournal } from '../storage/intent-journal.ts'
import { type Clock, pause } from './clock.ts'
import { freshId, type RandomBytes } from './fresh-id.ts'
import type { ServiceLog } from './service-log.ts'

/** What an {@link IntentKeeper} is opened with. */
export interface IntentKeeperParts<Record> {
  readonly directory: string
  readonly files: FileOperations
  readonly validate: (value: unknown) => Record | null
  readonly compact: (records: readonly Record[]) => readonly Record[]
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: ServiceLog
  /** Called before each attempt to write: whether this process still owns the directory. What it throws is a failure to write. */
  readonly beforeWriting: () => Promise<void>
  /** Told of each failure to write: those who wait for an answer must not wait for the disk to be mended. */
  readonly onTrouble: (error: ReplicationError) => void
}

/** The journal's name, in a copy's store as in a share's state directory. */
export const INTENT_FILE = 'intent.ndjson'

/** Wait before a record that could not be written is tried again, in milliseconds. */
const RETRY_MS = 5_000

/**
 * The journal of one storage group's intent, which does not give up: a record that cannot be written is tried again, with the
 * journal opened anew, until the disk takes it or the service stops. Meanwhile everything ordered after it waits, so that
 * nothing happens that rests on what is not durable.
 */
export class IntentKeeper<Record> {
  readonly #parts: IntentKeeperParts<Record>
  readonly #closing = new AbortController()
  #journal: IntentJournal<Record>
  #stale = false

  /** Use {@link openIntentKeeper}. */
  constructor(parts: IntentKeeperParts<Record>, journal: IntentJournal<Record>) {
    this.#parts = parts
    this.#journal = journal
  }

  /** Everything recorded that still matters, oldest first. */
  get records(): readonly Record[] {
    return this.#journal.intents
  }

  /**
   * Resolves when the record is durable, at least once: an attempt that failed may have left it in the file, so records say
   * what is, not what to add. Rejects only when the service stops first.
   */
  async record(record: Record): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#parts.beforeWriting()
        if (this.#stale || attempt > 1) await this.#reopen()
        await this.#journal.append(record)
        if (attempt > 1) this.#parts.log.info({ attempt }, 'intent-recorded-at-last')
        return
      } catch (error) {
        const fault = asReplicationError(error)
        this.#parts.log.error({ error: fault, attempt }, 'intent-not-recorded')
        this.#parts.onTrouble(fault)
        await pause(this.#parts.clock, RETRY_MS, this.#closing.signal)
        if (this.#closing.signal.aborted) throw fault
      }
    }
  }

  /** The directory may have been exchanged: the next record goes to the file that has the journal's name then. */
  markStale(): void {
    this.#stale = true
  }

  /** Gives up waiting for a disk: a record under way, or a later one, is tried once. */
  giveUp(): void {
    this.#closing.abort()
  }

  /** Closes the journal. May be called twice. */
  async close(): Promise<void> {
    this.giveUp()
    await this.#journal.close()
  }

  async #reopen(): Promise<void> {
    await this.#journal.close()
    this.#journal = await openIntentJournal(journalOptions(this.#parts))
    this.#stale = false
  }
}

/** Opens the journal of a directory, making it when it is new. Errors: `JOURNAL_CORRUPT`, and those of the file system. */
export async function openIntentKeeper<Record>(parts: IntentKeeperParts<Record>): Promise<IntentKeeper<Record>> {
  const journal = await openIntentJournal(journalOptions(parts))
  if (journal.droppedBytes > 0)
    parts.log.warn({ directory: parts.directory, droppedBytes: journal.droppedBytes }, 'torn-record-dropped')
  return new IntentKeeper(parts, journal)
}

function journalOptions<Record>(parts: IntentKeeperParts<Record>): IntentJournalOptions<Record> {
  const { directory, files, validate, compact, random } = parts
  return { directory, name: INTENT_FILE, files, validate, snapshot: compact, newId: () => freshId(random) }
}
