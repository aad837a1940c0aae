import { assert } from '../engine/assert.ts'
import { ReplicationError } from '../engine/error.ts'
import { checkedLine, recordInLine } from './checked-line.ts'
import { isTemporaryName, replaceDurably } from './durable-file.ts'
import { asReplicationError, hasErrno } from './file-error.ts'
import { type FileOperations, type OpenFile, pathIn, wholeOf } from './file-operations.ts'

/** What {@link openIntentJournal} needs. */
export interface IntentJournalOptions<Intent> {
  readonly directory: string
  readonly name: string
  readonly files: FileOperations
  /** Takes in what JSON gave; null when it is no record of this journal. */
  readonly validate: (value: unknown) => Intent | null
  /** The records that still matter, in order: what is kept when the journal is rewritten. */
  readonly snapshot: (intents: readonly Intent[]) => readonly Intent[]
  /** Makes attempt ids that never repeat. */
  readonly newId: () => string
  /** Rewritten when it has more records than this and than twice what the last rewriting kept. */
  readonly recordsMax?: number
}

/** The journal of operator intent: what was asked for survives every crash from the moment that the answer was given. */
export interface IntentJournal<Intent> {
  /** What was asked for, in order, as far as it still matters. */
  readonly intents: readonly Intent[]
  /** Bytes of a last record that a crash tore and opening dropped; 0 for none. Nobody was told that it was kept. */
  readonly droppedBytes: number
  /**
   * Adds a record; when it returns, the record is durable. Calls queue. A failure is for good: what is in the file is then
   * unknown, so every later call is refused with `STATE_REFUSED` until the journal is opened anew.
   */
  append(intent: Intent): Promise<void>
  /** Waits for what is under way and closes the file. May be called twice. */
  close(): Promise<void>
}

/** Records are a few hundred bytes; a thousand of them are read in a millisecond. */
const RECORDS_MAX = 1000
/** The longest record: a comment of an operator and a few ids. */
const RECORD_BYTES_MAX = 64 * 1024
/** The longest journal that is read: 16 times what the records' number and usual size make. */
const JOURNAL_BYTES_MAX = 16 * 1024 * 1024

/**
 * Opens a journal, making it durably when it is new. One line per record: `{"check":"<CRC-32>","record":{…}}`. A torn end is
 * dropped and told; anything damaged before a sound record is `JOURNAL_CORRUPT`, because what follows it was built on it.
 *
 * Errors: `JOURNAL_CORRUPT` with `line`, and those of the file system.
 */
export async function openIntentJournal<Intent>(options: IntentJournalOptions<Intent>): Promise<IntentJournal<Intent>> {
  await sweepRewrites(options)
  const path = pathIn(options.directory, options.name)
  const found = await readJournal(options, path)
  if (found === null || found.droppedBytes > 0) {
    const written = await rewrite(options, found?.intents ?? [])
    return new Journal(options, await options.files.open(path, 'extend'), {
      ...written,
      droppedBytes: found?.droppedBytes ?? 0,
    })
  }
  const file = await options.files.open(path, 'extend')
  // A killed process may have left records that no sync has reached; they are acted upon from here on.
  await options.files.datasync(file)
  await options.files.syncDirectory(options.directory)
  return new Journal(options, file, found)
}

interface Content<Intent> {
  readonly intents: readonly Intent[]
  readonly bytes: number
  readonly droppedBytes: number
}

class Journal<Intent> implements IntentJournal<Intent> {
  readonly droppedBytes: number
  readonly #options: IntentJournalOptions<Intent>
  #intents: readonly Intent[]
  #file: OpenFile
  #bytes: number
  #rewriteAbove: number
  #poison: ReplicationError | null = null
  #last: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(options: IntentJournalOptions<Intent>, file: OpenFile, content: Content<Intent>) {
    this.#options = options
    this.#file = file
    this.#intents = content.intents
    this.#bytes = content.bytes
    this.droppedBytes = content.droppedBytes
    this.#rewriteAbove = Math.max(options.recordsMax ?? RECORDS_MAX, 2 * content.intents.length)
  }

  get intents(): readonly Intent[] {
    return this.#intents
  }

  append(intent: Intent): Promise<void> {
    assert(!this.#closed, 'a closed journal takes no record')
    const done = this.#last.then(() => this.#appendNow(intent))
    this.#last = done.catch(() => undefined) // its caller has the error; a later append is refused by the poison
    return done
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#last
    await this.#options.files.close(this.#file)
  }

  async #appendNow(intent: Intent): Promise<void> {
    if (this.#poison !== null) throw refused(this.#file.path, this.#poison)
    const line = checkedLine(intent)
    assert(line.length <= RECORD_BYTES_MAX, `a record of the journal has at most ${RECORD_BYTES_MAX} bytes`)
    try {
      if (this.#intents.length >= this.#rewriteAbove) await this.#compact()
      await this.#options.files.write(this.#file, wholeOf(line), this.#bytes)
      await this.#options.files.datasync(this.#file)
    } catch (error) {
      this.#poison = asReplicationError(error)
      throw error
    }
    this.#bytes += line.length
    this.#intents = [...this.#intents, intent]
  }

  async #compact(): Promise<void> {
    const { files } = this.#options
    const content = await rewrite(this.#options, this.#intents)
    await files.close(this.#file)
    this.#file = await files.open(this.#file.path, 'extend')
    this.#intents = content.intents
    this.#bytes = content.bytes
    this.#rewriteAbove = Math.max(this.#options.recordsMax ?? RECORDS_MAX, 2 * content.intents.length)
  }
}

async function rewrite<Intent>(
  options: IntentJournalOptions<Intent>,
  intents: readonly Intent[],
): Promise<Content<Intent>> {
  const { files, directory, name, newId } = options
  const kept = options.snapshot(intents)
  const bytes = Buffer.concat(kept.map(checkedLine))
  await replaceDurably(files, { directory, name, attemptId: newId(), bytes })
  return { intents: kept, bytes: bytes.length, droppedBytes: 0 }
}

async function sweepRewrites<Intent>(options: IntentJournalOptions<Intent>): Promise<void> {
  const { files, directory, name } = options
  for (const entry of await files.readDirectory(directory)) {
    if (entry.startsWith(`${name}.`) && isTemporaryName(entry)) await files.unlink(pathIn(directory, entry))
  }
}

async function readJournal<Intent>(
  options: IntentJournalOptions<Intent>,
  path: string,
): Promise<Content<Intent> | null> {
  let file: OpenFile
  try {
    file = await options.files.open(path, 'read')
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return null
    throw error
  }
  try {
    const { sizeBytes } = await options.files.factsOf(file)
    if (sizeBytes > JOURNAL_BYTES_MAX) throw corrupt(path, 1, `${sizeBytes} bytes are more than any journal has`)
    const bytes = new Uint8Array(sizeBytes)
    const length = await options.files.read(file, wholeOf(bytes), 0)
    return parseJournal(options, path, Buffer.from(bytes.buffer, 0, length))
  } finally {
    await options.files.close(file)
  }
}

function parseJournal<Intent>(options: IntentJournalOptions<Intent>, path: string, bytes: Buffer): Content<Intent> {
  const intents: Intent[] = []
  let damage: { readonly at: number; readonly line: number } | null = null
  let at = 0
  for (let line = 1; at < bytes.length; line++) {
    const end = bytes.indexOf(0x0a, at)
    const record = end < 0 ? null : recordInLine(bytes.subarray(at, end))
    if (record === null) damage ??= { at, line }
    else if (damage !== null) throw corrupt(path, damage.line, `line ${damage.line} is damaged and sound ones follow`)
    else intents.push(accepted(options.validate(record.value), { path, line }))
    at = end < 0 ? bytes.length : end + 1
  }
  const sound = damage?.at ?? bytes.length
  // One append is the most that was ever under way.
  if (damage !== null && bytes.length - sound > RECORD_BYTES_MAX)
    throw corrupt(path, damage.line, `more is damaged from line ${damage.line} on than one torn record`)
  return { intents, bytes: sound, droppedBytes: bytes.length - sound }
}

/** A sound line of another version is no torn one: the journal is refused rather than cut. */
function accepted<Intent>(intent: Intent | null, at: { readonly path: string; readonly line: number }): Intent {
  if (intent === null) throw corrupt(at.path, at.line, `line ${at.line} is no record of this version`)
  return intent
}

function corrupt(path: string, line: number, what: string): ReplicationError {
  return new ReplicationError({
    code: 'JOURNAL_CORRUPT',
    message: `${path}: ${what}`,
    hint: 'Nothing was changed. Mend or remove the line, then give the commands of the operator (suspend, marks) again.',
    fields: { path, line },
  })
}

function refused(path: string, cause: ReplicationError): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `${path} takes no record since a write failed: ${cause.message}`,
    hint: 'Mend the disk, then restart the service: it reads the journal anew.',
    cause,
    fields: { path },
  })
}
