import { assert } from '../engine/assert.ts'
import { LOG_HEADER_BYTES, readLogHeader } from '../engine/database/log-header.ts'
import type { LogOrder } from '../engine/database/store-order.ts'
import { ReplicationError } from '../engine/error.ts'
import { formatGeneration, type Generation } from '../engine/generation.ts'
import { replaceDurably } from './durable-file.ts'
import { fileError } from './file-error.ts'
import { type OpenFile, wholeOf } from './file-operations.ts'
import { scanLogs } from './log-scan.ts'
import type { PreparedLog, StoreTools } from './prepared-log.ts'
import { quarantineFile } from './quarantine.ts'
import { logPath } from './store-places.ts'

/** The open log, kept open for as long as it is that. */
interface OpenLog {
  readonly file: OpenFile
  readonly generation: Generation
  readonly sizeBytes: number
}

type OrderNamed<Name extends LogOrder['order']> = Extract<LogOrder, { order: Name }>

/**
 * Executes the orders of the log's lane. A write into the open log is one system call and waits for the disk once: the file is
 * preallocated and full of the pattern, so nothing of it changes but the sectors that are written.
 *
 * Measured on an ext4 of a virtual machine (bench/log-writes.ts), two sectors a write, from a thread of the pool: write and
 * fdatasync 0.16 to 0.20 ms, a write that is synchronous by itself 0.12 ms, past the page cache or not.
 */
export class StoreLogFiles {
  readonly #tools: StoreTools
  readonly #prepared: PreparedLog
  #open: OpenLog | null = null

  constructor(tools: StoreTools, prepared: PreparedLog) {
    this.#tools = tools
    this.#prepared = prepared
  }

  /** Resolves when the order has ended. Errors: those of the file system, and `LOG_MISSING`, `LOG_CHANGED`, `FILE_EXISTS`. */
  execute(order: LogOrder): Promise<void> {
    switch (order.order) {
      case 'write-log':
        return this.#write(order)
      case 'roll-log':
        return this.#roll(order)
      case 'prepare-log':
        this.#prepared.begin(order.fileBytes, order.reuse)
        return Promise.resolve()
      case 'mend-log':
        return this.#mend(order)
      case 'discard-logs':
        return this.#discard(order)
    }
  }

  /** Throws `LOG_MISSING` when the open log has been removed. */
  async check(): Promise<void> {
    const open = this.#open
    if (open === null) return
    const { names } = await this.#tools.files.factsOf(open.file)
    // A log that a roll has closed meanwhile was looked at for nothing.
    if (names === 0 && this.#open === open)
      throw fileError({ operation: 'open', path: open.file.path, errno: 'ENOENT' })
  }

  /** Ends the use of the open log. Nothing may be under way. */
  async close(): Promise<void> {
    const open = this.#open
    this.#open = null
    if (open !== null) await this.#tools.files.close(open.file)
  }

  async #write({ generation, at, bytes }: OrderNamed<'write-log'>): Promise<void> {
    const { files, reach } = this.#tools
    const open = this.#open?.generation === generation ? this.#open : await this.#openAs(generation)
    assert(at >= LOG_HEADER_BYTES && at + bytes.length <= open.sizeBytes, 'a write lies in the body of its log')
    reach('write-log.before')
    await files.write(open.file, wholeOf(bytes), at)
    reach('write-log.after')
  }

  async #roll({ closes, opens, header, fileBytes }: OrderNamed<'roll-log'>): Promise<void> {
    const { files, places, reach } = this.#tools
    const openPath = logPath(places, places.openLogName)
    reach('roll-log.before')
    if (await this.#beginsWith(opens, header)) {
      await files.syncDirectory(places.logs) // whoever did it before us may have been killed in front of its sync
      return
    }
    await this.#prepared.ready(fileBytes)
    const file = await files.open(logPath(places, places.preparedLogName), 'overwrite-synchronous')
    try {
      await files.write(file, wholeOf(header), 0)
      reach('roll-log.header-written')
      await this.#closeOpenLog(closes)
      reach('roll-log.open-log-closed')
      await files.rename(logPath(places, places.preparedLogName), openPath)
      reach('roll-log.prepared-log-renamed')
      await files.syncDirectory(places.logs)
    } catch (error) {
      await files.close(file)
      throw error
    }
    this.#prepared.taken()
    // It was opened by the name that it had before, and errors are to name the one that it has.
    this.#open = { file: { ...file, path: openPath }, generation: opens, sizeBytes: fileBytes }
    reach('roll-log.after')
  }

  /** The open log gets the name of its generation, which nothing else may have. Where it has it already, there is nothing to do. */
  async #closeOpenLog(closes: Generation | null): Promise<void> {
    const { files, places, names, reach } = this.#tools
    const openPath = logPath(places, places.openLogName)
    const [closedName] = closes === null ? [] : names.candidates(closes)
    const openIsThere = (await files.lookUp(openPath)) !== null
    if (closes === null || closedName === undefined) {
      if (openIsThere) throw fileError({ operation: 'rename', path: openPath, errno: 'EEXIST' })
      return
    }
    const closedPath = logPath(places, closedName)
    const closedIsThere = (await files.lookUp(closedPath)) !== null
    if (!openIsThere && closedIsThere) return
    if (closedIsThere) throw fileError({ operation: 'rename', path: closedPath, errno: 'EEXIST' })
    if (this.#open?.generation !== closes) await this.#openAs(closes)
    await files.rename(openPath, closedPath)
    reach('roll-log.open-log-renamed')
    await files.syncDirectory(places.logs)
    await this.close()
  }

  async #mend({ bytes }: OrderNamed<'mend-log'>): Promise<void> {
    const { files, places, newId, reach } = this.#tools
    await this.close()
    reach('mend-log.before')
    await replaceDurably(files, { directory: places.logs, name: places.openLogName, attemptId: newId(), bytes })
    reach('mend-log.after')
  }

  async #discard({ from }: OrderNamed<'discard-logs'>): Promise<void> {
    const { files, places, names, reach } = this.#tools
    await this.close()
    reach('discard-logs.before')
    const kept = [places.openLogName]
    const { present } = await scanLogs({ directory: places.logs, names, examine: () => false }, files)
    for (const { first, last } of [...present.ranges()].reverse())
      for (let generation = last; generation >= Math.max(first, from); generation--)
        kept.push(...names.candidates(generation as Generation)) // between two generations
    for (const name of kept) await this.#keepApart(name, from)
    await files.syncDirectory(places.logs)
    reach('discard-logs.after')
  }

  /** A name that is not there is passed over. */
  async #keepApart(name: string, from: Generation): Promise<void> {
    const { files, places, newId, nowMs, reach } = this.#tools
    if ((await files.lookUp(logPath(places, name))) === null) return
    await quarantineFile(
      files,
      { fromDirectory: places.logs, fromName: name, toDirectory: places.outOfDate },
      {
        name,
        attemptId: newId(),
        reason: 'discarded',
        detail: `recovery gave up the logs from ${formatGeneration(from)} on, as the loss was accepted`,
        attempt: 1,
        atIso: new Date(nowMs()).toISOString(),
      },
    )
    reach('discard-logs.log-kept')
  }

  /** Whether the open log is `generation` and begins with `header`. */
  async #beginsWith(generation: Generation, header: Uint8Array): Promise<boolean> {
    const { files, places } = this.#tools
    if (this.#open !== null && this.#open.generation !== generation) return false
    if (this.#open === null && (await files.lookUp(logPath(places, places.openLogName))) === null) return false
    const open = this.#open ?? (await this.#openAnew())
    const bytes = new Uint8Array(header.length)
    const length = await files.read(open.file, wholeOf(bytes), 0)
    return length === header.length && bytes.every((byte, at) => byte === header[at])
  }

  async #openAs(generation: Generation): Promise<OpenLog> {
    const open = await this.#openAnew()
    if (open.generation !== generation) throw anotherLog(open, generation)
    return open
  }

  /** Opens the open log, whatever generation its header says; one that says none is 0. */
  async #openAnew(): Promise<OpenLog> {
    const { files, places } = this.#tools
    await this.close()
    const file = await files.open(logPath(places, places.openLogName), 'overwrite-synchronous')
    try {
      const { sizeBytes } = await files.factsOf(file)
      const start = new Uint8Array(LOG_HEADER_BYTES)
      await files.read(file, wholeOf(start), 0)
      const verdict = readLogHeader(start)
      const generation = verdict.verdict === 'read' ? verdict.header.generation : (0 as Generation) // no log has 0
      this.#open = { file, generation, sizeBytes }
      return this.#open
    } catch (error) {
      await files.close(file)
      throw error
    }
  }
}

function anotherLog(open: OpenLog, expected: Generation): ReplicationError {
  return new ReplicationError({
    code: 'LOG_CHANGED',
    message: `${open.file.path} is log ${formatGeneration(open.generation)}, not ${formatGeneration(expected)}`,
    hint: 'Another program has changed the directory; look at it with ccr verify before the store is mounted again.',
    fields: { path: open.file.path, generation: expected },
  })
}
