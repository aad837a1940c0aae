import { randomBytes } from 'node:crypto'
import type { MessagePort } from 'node:worker_threads'
import { unreachable } from '../engine/assert.ts'
import { type ErrorDocument, ReplicationError } from '../engine/error.ts'
import { nodeFileOperations } from '../storage/node-file-operations.ts'
import { endRestore } from '../storage/restore-set.ts'
import { lockStore } from '../storage/store-lock.ts'
import type { StoreNames } from '../storage/store-places.ts'
import { SeedClient } from '../transport/seed-client.ts'
import { asSourceUrl } from '../transport/source-url.ts'
import type { BackupAnswers, BackupCommand, BackupQuery, BackupReport, SeedReadAnswer } from './backup-messages.ts'
import { type CheckingParts, checkingParts } from './checked-file.ts'
import { CopyPace, type PieceSizes } from './copy-pace.ts'
import { endSeed, readSeed } from './seed-reading.ts'
import { restoreWith } from './set-restoring.ts'
import { verifySet } from './set-verification.ts'
import { SetWriter } from './set-writer.ts'
import { SharedRate } from './shared-rate.ts'
import { createSlab } from './slab.ts'
import { recoverStreaming } from './streaming-recovery.ts'

/** What a backup worker is started with. */
export interface BackupTaskSetup {
  /** {@link BackupCommand} in, arrays of {@link BackupReport} out. */
  readonly port: MessagePort
  /** Slots of 1 MiB. */
  readonly slots: number
  /** See `createXxh64`. */
  readonly wasmPath: string
}

/** Writes, verifies and restores backup sets, and reads seeds; ends after the command `stop`, and removes a set that it has not finished. */
export async function runBackupTask({ port, slots, wasmPath }: BackupTaskSetup): Promise<void> {
  const pace = new CopyPace()
  const files = nodeFileOperations({ shortCalls: 'inline' })
  const parts = checkingParts({ files, pace, slab: await createSlab(wasmPath, slots) })
  const worker = new BackupWorker(parts, (report) => port.postMessage([report]))
  await new Promise<void>((resolve) => {
    port.on('message', (command: BackupCommand) => {
      if (command.kind === 'stop') resolve()
      else worker.obey(command)
    })
    port.postMessage([] satisfies BackupReport[]) // ready
  })
  await worker.close()
  port.postMessage([{ kind: 'stopped' }] satisfies BackupReport[])
  port.close()
}

/** A seed is even within a tenth of a second: the rate is cut into so many pieces, none of them below two pages of a database. */
const SEED_PIECES: PieceSizes = { perSecond: 512, leastBytes: 16_384 }

class BackupWorker {
  readonly #parts: CheckingParts
  readonly #tell: (report: BackupReport) => void
  #writer: SetWriter | null = null
  /** The query under way; 0 for none. */
  #current = 0
  /** Of the query under way. */
  #cancelled = new AbortController()
  #working: Promise<void> = Promise.resolve()

  constructor(parts: CheckingParts, tell: (report: BackupReport) => void) {
    this.#parts = parts
    this.#tell = tell
  }

  obey(command: Exclude<BackupCommand, { kind: 'stop' }>): void {
    switch (command.kind) {
      case 'request':
        this.#working = this.#working.then(() => this.#answer(command.request, command.query))
        break
      case 'set-rate':
        this.#parts.pace.setRate(command.bytesPerSecond)
        break
      case 'cancel':
        if (command.request === this.#current) this.#stop()
        break
      default:
        unreachable(command)
    }
  }

  async close(): Promise<void> {
    this.#stop()
    await this.#working
    await this.#writer?.abandon().catch(() => undefined) // without its manifest it is no set
  }

  #stop(): void {
    const reason = cancelled()
    this.#parts.pace.stop(reason)
    this.#cancelled.abort(reason)
  }

  async #answer(request: number, query: BackupQuery): Promise<void> {
    this.#current = request
    this.#cancelled = new AbortController()
    this.#parts.pace.begin((doneBytes, totalBytes) =>
      this.#tell({ kind: 'progressed', request, doneBytes, totalBytes }),
    )
    try {
      const answer = await this.#answerOf(query, () => this.#tell({ kind: 'taken', request }))
      this.#tell({ kind: 'answered', request, answer })
    } catch (error) {
      this.#tell({ kind: 'refused', request, error: documentOf(error) })
    } finally {
      this.#current = 0
    }
  }

  async #answerOf(query: BackupQuery, onTaken: () => void): Promise<BackupAnswers[keyof BackupAnswers]> {
    switch (query.ask) {
      case 'begin-set':
        if (this.#writer !== null) throw notNow('a set is being written')
        this.#writer = await SetWriter.begin({ ...this.#parts, newId }, query.directory)
        return null
      case 'copy-database':
        return await this.#set().copyDatabase(query, onTaken)
      case 'end-database':
        return await this.#set().endDatabase(query)
      case 'copy-checkpoint':
        return await this.#set().copyCheckpoint(query)
      case 'copy-logs':
        return await this.#set().copyLogs(query)
      case 'finish-set': {
        const manifest = await this.#set().finish(query.description)
        this.#writer = null
        return manifest
      }
      case 'abandon-set':
        await this.#writer?.abandon()
        this.#writer = null
        return null
      case 'verify-set':
        return await verifySet(this.#parts, query.directory)
      case 'restore-sets':
        return await this.#restore(query)
      case 'end-restore':
        await endRestore(this.#parts.files, query.root)
        return null
      case 'read-seed':
        return await this.#readSeed(query)
      case 'end-seed':
        return await endSeed(this.#parts.files, query.path, query)
      default:
        return unreachable(query)
    }
  }

  async #restore({ restore }: Extract<BackupQuery, { ask: 'restore-sets' }>): Promise<BackupAnswers['restore-sets']> {
    const { files, pace } = this.#parts
    const lock = (root: string) => lockStore({ root, files, onLost: (error) => pace.stop(error) })
    const recover = (names: StoreNames) => recoverStreaming({ files, newId }, names)
    const others = { lock, newId, nowMs: () => Date.now(), recoverStreaming: recover }
    return await restoreWith(this.#parts, others, restore)
  }

  async #readSeed(query: Extract<BackupQuery, { ask: 'read-seed' }>): Promise<SeedReadAnswer> {
    const source = asSourceUrl(query.sourceUrl)
    const client = new SeedClient(source, query.session)
    const named = `the database of ${source.share} at ${source.origin}`
    this.#parts.pace.share({ rate: new SharedRate(query.rate), sizes: SEED_PIECES })
    try {
      const read = await readSeed(this.#parts, { client, to: query.to, named, signal: this.#cancelled.signal })
      return { bytes: read.bytes, pages: read.pages.seen, resumedBytes: read.resumedBytes }
    } finally {
      client.close() // one that failed before it read anything has not
    }
  }

  #set(): SetWriter {
    if (this.#writer === null) throw notNow('no set is being written')
    return this.#writer
  }
}

function newId(): string {
  return randomBytes(16).toString('hex')
}

/** An error of the world crosses threads as its document; a fault of the program ends the worker. */
function documentOf(error: unknown): ErrorDocument {
  if (error instanceof ReplicationError) return error.toJSON()
  throw error
}

function cancelled(): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: 'it was cancelled',
    hint: 'Nothing of it is kept; begin anew when you want to.',
  })
}

function notNow(why: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `this cannot be asked now: ${why}`,
    hint: 'This is a fault of the program that asked: report it.',
  })
}
