import { randomUUID } from 'node:crypto'
import type { MessagePort } from 'node:worker_threads'
import { nodeFileOperations } from '../storage/node-file-operations.ts'
import type { ReplayCommand, ReplayEvent } from './messages.ts'
import { ReplayedCopy, type ReplayedCopyParts } from './replayed-copy.ts'

/** What a replay worker is started with. */
export interface ReplayTaskSetup {
  /** {@link ReplayCommand} in, arrays of {@link ReplayEvent} out. */
  readonly port: MessagePort
  /** Memory for pages of each database, in bytes; taken as pages are read, and kept while the database is open. */
  readonly cacheBytes: number
  /** See `ReplayedCopyParts`. */
  readonly idleMs: number
  /** See `ReplaySettings`. */
  readonly checkpointDepthBytes: number
}

/** Replays logs into the databases of all its copies; ends after the command `stop`. */
export async function runReplayTask({ port, ...settings }: ReplayTaskSetup): Promise<void> {
  const copies = new Copies({
    ...settings,
    files: nodeFileOperations({ shortCalls: 'inline' }),
    newId: () => randomUUID().replaceAll('-', ''),
    tell: (event) => port.postMessage([event] satisfies ReplayEvent[]),
  })
  await obeyUntilStop(port, copies)
  await copies.close()
  port.postMessage([{ kind: 'stopped' }] satisfies ReplayEvent[])
  port.close()
}

function obeyUntilStop(port: MessagePort, copies: Copies): Promise<void> {
  return new Promise((resolve) => {
    port.on('message', (command: ReplayCommand) => {
      if (command.kind === 'stop') resolve()
      else copies.obey(command)
    })
    port.postMessage([] satisfies ReplayEvent[]) // ready
  })
}

/** The copies of one worker. */
class Copies {
  readonly #parts: ReplayedCopyParts
  readonly #copies = new Map<number, ReplayedCopy>()
  readonly #closing = new Set<Promise<void>>()

  constructor(parts: ReplayedCopyParts) {
    this.#parts = parts
  }

  obey(command: Exclude<ReplayCommand, { readonly kind: 'stop' }>): void {
    const { copy } = command
    if (command.kind === 'close-database') {
      this.#close(copy)
      return
    }
    const known = this.#copies.get(copy)
    const replayed = known ?? new ReplayedCopy(copy, this.#parts)
    if (known === undefined) this.#copies.set(copy, replayed)
    replayed.obey(command)
  }

  /** Ends all copies at the next boundary of a log. */
  async close(): Promise<void> {
    for (const copy of [...this.#copies.keys()]) this.#close(copy)
    await Promise.all(this.#closing)
  }

  #close(number: number): void {
    const copy = this.#copies.get(number)
    if (copy === undefined) return
    this.#copies.delete(number)
    const closed = copy.close()
    this.#closing.add(closed)
    void closed.finally(() => this.#closing.delete(closed)) // it never fails: what went wrong was told
  }
}
