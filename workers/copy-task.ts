import { randomBytes } from 'node:crypto'
import type { MessagePort } from 'node:worker_threads'
import { assert, unreachable } from '../engine/assert.ts'
import { nodeFileOperations } from '../storage/node-file-operations.ts'
import { LogStreamClient } from '../transport/log-stream-client.ts'
import type { ClientTimeouts } from '../transport/log-stream-subscription.ts'
import { asSourceUrl } from '../transport/source-url.ts'
import { CopyOutbox } from './copy-outbox.ts'
import { type CopyWorkParts, KeptCopyWork } from './kept-copy-work.ts'
import type { CopyCommand, CopyEvent, KeptCopy } from './messages.ts'
import { RoomRation } from './room-ration.ts'
import { SharedRate } from './shared-rate.ts'
import { createSlab } from './slab.ts'

/** What a copy worker is started with. */
export interface CopyTaskSetup {
  /** {@link CopyCommand} in, arrays of {@link CopyEvent} out. */
  readonly port: MessagePort
  /** See `createXxh64`. */
  readonly wasmPath: string
  /** Slots of 1 MiB: bytes fetched and not yet written. */
  readonly slots: number
  readonly timeouts?: Partial<ClientTimeouts>
  /** Memory of the rate that all copies of the process share; absent for no bound. */
  readonly rate?: SharedArrayBuffer
}

/** Fetches, hashes, verifies, writes and publishes the logs of all its copies; ends after the command `stop`. */
export async function runCopyTask(setup: CopyTaskSetup): Promise<void> {
  const slab = await createSlab(setup.wasmPath, setup.slots)
  const ration = new RoomRation(slab, setup.rate === undefined ? null : new SharedRate(setup.rate))
  const outbox = new CopyOutbox((events) => setup.port.postMessage(events))
  const attemptIds = attemptCounter()
  const copies = new Copies(setup.timeouts ?? {}, {
    slab,
    ration,
    files: nodeFileOperations({ shortCalls: 'inline' }),
    nextAttempt: attemptIds,
    tell: (event) => outbox.add(event),
  })
  await obeyUntilStop(setup.port, copies)
  await copies.close()
  ration.close()
  outbox.add({ kind: 'stopped' })
  outbox.flush()
  setup.port.close()
}

/** Ids of this process and of no other: two attempts must never share a temporary file. */
function attemptCounter(): () => string {
  const process = randomBytes(8).toString('hex')
  let count = 0
  return () => {
    count += 1
    return `${process}-${count}`
  }
}

function obeyUntilStop(port: MessagePort, copies: Copies): Promise<void> {
  return new Promise((resolve) => {
    port.on('message', (command: CopyCommand) => {
      if (command.kind === 'stop') resolve()
      else copies.obey(command)
    })
    port.postMessage([] satisfies CopyEvent[]) // ready
  })
}

/** The copies of one worker, and one client for each source that they come from. */
class Copies {
  readonly #timeouts: Partial<ClientTimeouts>
  readonly #parts: CopyWorkParts
  readonly #copies = new Map<number, KeptCopyWork>()
  readonly #clients = new Map<string, LogStreamClient>()
  readonly #closing = new Set<Promise<void>>()

  constructor(timeouts: Partial<ClientTimeouts>, parts: CopyWorkParts) {
    this.#timeouts = timeouts
    this.#parts = parts
  }

  obey(command: Exclude<CopyCommand, { kind: 'stop' }>): void {
    if (command.kind === 'open-copy') this.#open(command.kept)
    else {
      const work = this.#copies.get(command.copy)
      // A command may cross with the closing of its copy; then nothing of it is left to be stopped.
      if (work !== undefined) this.#obeyFor(work, command)
      else if (command.kind === 'stop-copying') this.#parts.tell({ kind: 'copying-stopped', copy: command.copy })
    }
  }

  /** Ends all copies and connections. Waits for the disk, never for a source. */
  async close(): Promise<void> {
    await Promise.all([...this.#copies.values()].map((work) => work.quiesce()))
    for (const client of this.#clients.values()) client.close()
    await Promise.all(this.#closing)
  }

  #obeyFor(work: KeptCopyWork, command: Exclude<CopyCommand, { kind: 'stop' | 'open-copy' }>): void {
    switch (command.kind) {
      case 'copy-logs':
        work.copyLogs(command.session, command.range)
        break
      case 'inspect-logs':
        work.inspectLogs(command.session, command.logs)
        break
      case 'stop-copying':
        void work.stop() // answered by copying-stopped
        break
      case 'report-progress':
        work.report(command.report)
        break
      case 'close-copy':
        this.#close(command.copy)
        break
      default:
        unreachable(command)
    }
  }

  #open(kept: KeptCopy): void {
    const { host, port, origin, share } = asSourceUrl(kept.sourceUrl)
    assert(!this.#copies.has(kept.copy), `copy ${kept.copy} is opened once`)
    const client = this.#clientOf(origin, host, port)
    const introduction = { share, copyId: kept.copyId, label: kept.label }
    const work = new KeptCopyWork(kept, this.#parts, (ports) => client.subscribe(introduction, ports))
    this.#copies.set(kept.copy, work)
  }

  #clientOf(origin: string, host: string, port: number): LogStreamClient {
    const known = this.#clients.get(origin)
    if (known !== undefined) return known
    const now = (): number => performance.now()
    const client = new LogStreamClient({ host, port, timeouts: this.#timeouts, random: Math.random, now })
    this.#clients.set(origin, client)
    return client
  }

  #close(number: number): void {
    const work = this.#copies.get(number)
    if (work === undefined) return
    this.#copies.delete(number)
    const closed = work.close()
    this.#closing.add(closed)
    void closed.finally(() => this.#closing.delete(closed))
  }
}
