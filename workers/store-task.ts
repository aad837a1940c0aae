import { randomBytes } from 'node:crypto'
import type { MessagePort } from 'node:worker_threads'
import { unreachable } from '../engine/assert.ts'
import { type ErrorDocument, ReplicationError } from '../engine/error.ts'
import { nodeFileOperations } from '../storage/node-file-operations.ts'
import type { MailboxHost } from './mailbox-host.ts'
import { startMailboxHost } from './mailbox-start.ts'
import type { OwnedStore, StoreAnswers, StoreCommand, StoreQuery, StoreReport } from './store-messages.ts'

/** What a store worker is started with. */
export interface StoreTaskSetup {
  /** {@link StoreCommand} in, arrays of {@link StoreReport} out. */
  readonly port: MessagePort
}

/** Owns one store; ends after the command `stop`, when the store was stopped in order. */
export async function runStoreTask({ port }: StoreTaskSetup): Promise<void> {
  const outbox = new StoreOutbox((reports) => port.postMessage(reports))
  const owner = new StoreOwner((report) => outbox.add(report))
  await new Promise<void>((resolve) => {
    port.on('message', (command: StoreCommand) => {
      if (command.kind === 'stop') resolve()
      else owner.obey(command)
    })
    port.postMessage([] satisfies StoreReport[]) // ready
  })
  await owner.close()
  outbox.add({ kind: 'stopped' })
  outbox.flush()
  port.close()
}

/** Collects the reports of one turn of the event loop into one message: commits that share a flush are told together. */
class StoreOutbox {
  readonly #post: (reports: readonly StoreReport[]) => void
  #reports: StoreReport[] = []

  constructor(post: (reports: readonly StoreReport[]) => void) {
    this.#post = post
  }

  add(report: StoreReport): void {
    this.#reports.push(report)
    if (this.#reports.length === 1) setImmediate(() => this.flush())
  }

  flush(): void {
    if (this.#reports.length === 0) return
    const reports = this.#reports
    this.#reports = []
    this.#post(reports)
  }
}

/** The store of a worker, through its lives. */
class StoreOwner {
  readonly #tell: (report: StoreReport) => void
  /** The store that runs, or is being started; null before the first and after one that failed. */
  #host: MailboxHost | null = null
  /** Fires when the right to use the store is lost. */
  #lost = new AbortController()
  /** What is done with the store as a whole, one after the other: start, end. */
  #working: Promise<void> = Promise.resolve()

  constructor(tell: (report: StoreReport) => void) {
    this.#tell = tell
  }

  obey(command: Exclude<StoreCommand, { kind: 'stop' }>): void {
    switch (command.kind) {
      case 'open-store':
        this.#working = this.#working.then(() => this.#open(command.store))
        break
      case 'request':
        void this.#answer(command.request, command.query) // answers failures too
        break
      case 'close-store':
        this.#working = this.#working.then(() => this.#closeStore())
        break
      case 'abandon-store':
        this.#lost.abort(errorOf(command.error))
        break
      default:
        unreachable(command)
    }
  }

  async close(): Promise<void> {
    await this.#working
    await this.#host?.close()
  }

  async #open(store: OwnedStore): Promise<void> {
    this.#lost = new AbortController()
    try {
      const host: MailboxHost = await startMailboxHost({
        ...store,
        files: nodeFileOperations({ shortCalls: 'inline' }),
        lock: { release: () => Promise.resolve() },
        lost: this.#lost.signal,
        clock: { nowMs: () => Date.now(), wakeAfter },
        newId: () => randomBytes(16).toString('hex'),
        random: () => randomBytes(4).readUInt32LE(),
        onRequired: (first) => this.#tell({ kind: 'log-required', first }),
        onBackups: (slots) => this.#tell({ kind: 'backups-changed', slots }),
        onFreezeTimedOut: (frozenMs) => this.#tell({ kind: 'freeze-timed-out', frozenMs }),
        onBadPage: (page, detail) => this.#tell({ kind: 'page-bad', page, detail }),
        onEvent: (id, values) => this.#tell({ kind: 'event-raised', id, values }),
        onFailed: (error) => {
          this.#working = this.#working.then(() => this.#end(host, error))
        },
      })
      this.#host = host
      this.#tell({ kind: 'store-opened', opening: host.opening })
    } catch (error) {
      this.#tell({ kind: 'store-failed', error: documentOf(error) })
    }
  }

  async #closeStore(): Promise<void> {
    const host = this.#host
    this.#host = null
    await host?.close()
    this.#tell({ kind: 'store-closed' })
  }

  async #end(host: MailboxHost, error: ReplicationError): Promise<void> {
    this.#host = null
    await host.close()
    this.#tell({ kind: 'store-failed', error: error.toJSON() })
  }

  async #answer(request: number, query: StoreQuery): Promise<void> {
    try {
      if (this.#host === null) throw notRunning()
      this.#tell({ kind: 'answered', request, answer: await answerOf(this.#host, query) })
    } catch (error) {
      this.#tell({ kind: 'refused', request, error: documentOf(error) })
    }
  }
}

async function answerOf(host: MailboxHost, query: StoreQuery): Promise<StoreAnswers[keyof StoreAnswers]> {
  switch (query.ask) {
    case 'transact':
      return await host.transact(query.transactions)
    case 'read':
      return await host.read(query.name)
    case 'list':
      return await host.list(query.query)
    case 'roll':
      return await host.roll()
    case 'status':
      return await host.status()
    case 'begin-digest':
      await host.beginDigest(query.through)
      return null
    case 'next-digests':
      return await host.nextDigests()
    case 'end-digest':
      host.endDigest()
      return null
    case 'maintain':
      return host.maintain(query.durationMs)
    case 'begin-backup':
      return await host.backups.begin(query)
    case 'prepare-backup':
      return await host.backups.prepare()
    case 'freeze':
      return await host.backups.freezing.begin(query.boundMs)
    case 'thaw':
      return host.backups.freezing.thaw()
    case 'end-backup':
      return await host.backups.end(query)
    default:
      return unreachable(query)
  }
}

function wakeAfter(delayMs: number, act: () => void): () => void {
  const timer = setTimeout(act, delayMs)
  return () => clearTimeout(timer)
}

/** An error of the world crosses threads as its document; a fault of the program ends the worker. */
function documentOf(error: unknown): ErrorDocument {
  if (error instanceof ReplicationError) return error.toJSON()
  throw error
}

function errorOf({ code, message, hint }: ErrorDocument): ReplicationError {
  return new ReplicationError({ code, message, hint })
}

function notRunning(): ReplicationError {
  return new ReplicationError({
    code: 'STORE_UNAVAILABLE',
    message: 'the store takes no request: it is not running',
    hint: 'Look at its state with GET /api/v1/stores, and try again when it is running.',
  })
}
