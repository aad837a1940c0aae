import { assert } from '../engine/assert.ts'
import { ReplicationError } from '../engine/error.ts'
import { LedgerReading, type LedgerRecord, snapshotOf } from '../engine/load/ledger-record.ts'
import { type LoadIdentity, LoadLedger, type LoadOperation, type LoadOutcome } from '../engine/load/load-ledger.ts'
import { checkedLine, recordInLine } from './checked-line.ts'
import { replaceDurably } from './durable-file.ts'
import { hasErrno } from './file-error.ts'
import { type FileOperations, type OpenFile, pathIn, wholeOf } from './file-operations.ts'

/** A ledger and the file that it is kept in. */
export interface LedgerFile {
  readonly ledger: LoadLedger
  /** Notes transactions that are about to be sent. When it resolves with their numbers, the note is durable. */
  begin(transactions: readonly (readonly LoadOperation[])[]): Promise<readonly number[]>
  /** Notes what became of a transaction. A crash may lose that: it is in doubt then. */
  end(number: number, outcome: LoadOutcome): void
  /** Makes everything durable and closes the file. May be called twice. */
  close(): Promise<void>
}

/** Where a ledger is. */
export interface LedgerFilePlace {
  readonly directory: string
  readonly name: string
  readonly files: FileOperations
  readonly storageGroup: string
}

/** What {@link openLedgerFile} needs. */
export interface LedgerFileOptions extends LedgerFilePlace {
  /** Of a ledger that is not there yet. */
  readonly identity: LoadIdentity
  /** Has a look at a ledger that is there, and throws where it is not to be gone on with. */
  readonly check: (ledger: LoadLedger) => void
  /** Makes attempt ids that never repeat. */
  readonly newId: () => string
  /** Written anew when it is longer than this, and than twice what the last writing anew left. In bytes. */
  readonly rewriteAboveBytes?: number
}

/** Some 300,000 transactions: a minute of full speed. A ledger of 50,000 messages is written anew in 30 ms. */
const REWRITE_ABOVE_BYTES = 64 * 1024 * 1024
/** The most that one write adds: 48 clients with a batch each of 8 transactions of 8 operations, four times over. */
const TORN_BYTES_MAX = 1024 * 1024
/** How much is read at a time. */
const CHUNK_BYTES = 1024 * 1024

/**
 * Opens the ledger of a load, making it durably when it is new. A torn end is cut: nothing was sent whose note was not durable.
 * What was under way when it was last closed or killed is in doubt from now on.
 *
 * Errors: `JOURNAL_CORRUPT` with `line`, `STREAM_MISMATCH` for that of another storage group, and those of the file system.
 */
export async function openLedgerFile(options: LedgerFileOptions): Promise<LedgerFile> {
  const found = await readLedger(options)
  if (found !== null) options.check(found)
  const file = new OpenLedgerFile(options, found ?? new LoadLedger(options.identity))
  await file.rewrite()
  return file
}

/** Reads a ledger and leaves its file as it is. Errors: `LOG_MISSING`, and those of {@link openLedgerFile}. */
export async function readLedgerFile(options: LedgerFilePlace): Promise<LoadLedger> {
  const found = await readLedger(options)
  if (found === null) throw missing(options)
  return found
}

/** Keeps a ledger in memory alone: for a load that nobody will check. */
export function ledgerInMemory(ledger: LoadLedger): LedgerFile {
  return {
    ledger,
    begin: async (transactions) => transactions.map((operations) => ledger.begin(operations)),
    end: (number, outcome) => ledger.end(number, outcome),
    close: async () => undefined,
  }
}

class OpenLedgerFile implements LedgerFile {
  readonly ledger: LoadLedger
  readonly #options: LedgerFileOptions
  #file: OpenFile | null = null
  #bytes = 0
  #rewriteAbove = 0
  #queue: Uint8Array[] = []
  #flushing: Promise<void> | null = null
  #failure: unknown = null

  constructor(options: LedgerFileOptions, ledger: LoadLedger) {
    this.#options = options
    this.ledger = ledger
  }

  async begin(transactions: readonly (readonly LoadOperation[])[]): Promise<readonly number[]> {
    if (this.#failure !== null) throw this.#failure
    const numbers = transactions.map((operations) => {
      const begin = this.ledger.begin(operations)
      this.#add({ begin, operations })
      return begin
    })
    await this.#flushed()
    return numbers
  }

  end(number: number, outcome: LoadOutcome): void {
    this.ledger.end(number, outcome)
    this.#add({ end: number, outcome })
  }

  async close(): Promise<void> {
    if (this.#file === null) return
    // What failed was told to whoever began a transaction; the end of a load is no reason to tell it again.
    if (this.#failure === null) await this.#flushed().catch(() => undefined)
    const file = this.#file
    this.#file = null
    await this.#options.files.close(file)
  }

  /** Writes the file anew, with what the ledger is now. */
  async rewrite(): Promise<void> {
    const { files, directory, name, newId, storageGroup, rewriteAboveBytes = REWRITE_ABOVE_BYTES } = this.#options
    // All that is queued is in the ledger, and so in the snapshot.
    this.#queue = []
    const bytes = Buffer.concat([...snapshotOf(this.ledger, storageGroup)].map(checkedLine))
    await replaceDurably(files, { directory, name, attemptId: newId(), bytes })
    if (this.#file !== null) await files.close(this.#file)
    this.#file = await files.open(pathIn(directory, name), 'extend')
    this.#bytes = bytes.length
    this.#rewriteAbove = Math.max(rewriteAboveBytes, 2 * bytes.length)
  }

  #add(record: LedgerRecord): void {
    assert(this.#file !== null, 'a closed ledger takes no record')
    this.#queue.push(checkedLine(record))
  }

  /** Resolves when everything that is queued now is durable. Calls that come meanwhile share the next write. */
  async #flushed(): Promise<void> {
    while (this.#flushing !== null) await this.#flushing
    if (this.#failure !== null) throw this.#failure
    if (this.#queue.length === 0) return
    this.#flushing = this.#flush().finally(() => {
      this.#flushing = null
    })
    await this.#flushing
  }

  async #flush(): Promise<void> {
    try {
      if (this.#bytes > this.#rewriteAbove) return await this.rewrite()
      assert(this.#file !== null, 'the file is open')
      const lines = Buffer.concat(this.#queue)
      this.#queue = []
      const { files } = this.#options
      await files.write(this.#file, wholeOf(lines), this.#bytes)
      await files.datasync(this.#file)
      this.#bytes += lines.length
    } catch (error) {
      this.#failure = error
      throw error
    }
  }
}

async function readLedger(options: LedgerFilePlace): Promise<LoadLedger | null> {
  const { files, directory, name, storageGroup } = options
  const path = pathIn(directory, name)
  let file: OpenFile
  try {
    file = await files.open(path, 'read')
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return null
    throw error
  }
  try {
    if ((await files.factsOf(file)).sizeBytes === 0) return null // somebody made the file for us
    const read = await readRecords(files, file)
    if (read === null) throw corrupt(path, 1, 'it is no ledger of a load')
    if (read.storageGroup !== storageGroup) throw otherGroup(path, read.storageGroup, storageGroup)
    return read.ledger
  } finally {
    await files.close(file)
  }
}

/**
 * Reads a file line by line; of a long one, never more than a chunk and a line are in memory. Lines from the first damaged one on
 * are a torn end: of one write, later sectors may have come to the disk and earlier ones not.
 */
async function readRecords(files: FileOperations, file: OpenFile): Promise<ReturnType<LedgerReading['finish']>> {
  const reading = new LedgerReading()
  const chunk = new Uint8Array(CHUNK_BYTES)
  let rest: Buffer = Buffer.alloc(0)
  for (let position = 0, line = 1; ; ) {
    const length = await files.read(file, wholeOf(chunk), position)
    position += length
    const bytes = Buffer.concat([rest, chunk.subarray(0, length)])
    const taken = takeLines(reading, bytes, { path: file.path, line })
    line += taken.lines
    rest = bytes.subarray(taken.bytes)
    if (rest.length > TORN_BYTES_MAX) throw corrupt(file.path, line, `line ${line} is damaged, and it is not the end`)
    if (length === 0) return reading.finish()
  }
}

/** Takes in lines up to the first that is damaged or has no end yet. */
function takeLines(
  reading: LedgerReading,
  bytes: Buffer,
  { path, line: first }: { readonly path: string; readonly line: number },
): { readonly lines: number; readonly bytes: number } {
  let lines = 0
  let at = 0
  for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, at)) {
    const record = recordInLine(bytes.subarray(at, end))
    if (record === null) break
    take(reading, record.value, { path, line: first + lines })
    lines += 1
    at = end + 1
  }
  return { lines, bytes: at }
}

function take(reading: LedgerReading, value: unknown, at: { readonly path: string; readonly line: number }): void {
  const reason = reading.take(value)
  if (reason !== null) throw corrupt(at.path, at.line, `line ${at.line} does not fit: ${reason}`)
}

function corrupt(path: string, line: number, what: string): ReplicationError {
  return new ReplicationError({
    code: 'JOURNAL_CORRUPT',
    message: `${path}: ${what}`,
    hint: 'Nothing was changed. Give another file with --ledger; what a ledger has lost cannot be checked any more.',
    fields: { path, line },
  })
}

function otherGroup(path: string, found: string, wanted: string): ReplicationError {
  return new ReplicationError({
    code: 'STREAM_MISMATCH',
    message: `${path} is the ledger of a load of ${found}, not of ${wanted}`,
    hint: 'Each storage group has a ledger of its own: give another file with --ledger.',
    fields: { path },
  })
}

function missing({ directory, name }: LedgerFilePlace): ReplicationError {
  const path = pathIn(directory, name)
  return new ReplicationError({
    code: 'LOG_MISSING',
    message: `there is no ledger ${path}`,
    hint: 'Run ccr load with --ledger first: it writes down what it is told, and --check compares that with the store.',
    fields: { path },
  })
}
