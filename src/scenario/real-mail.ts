import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ReplicationError } from '../../engine/error.ts'
import type { Sight } from '../../engine/scenario/sight.ts'
import { StoreClient } from '../load/store-client.ts'
import { documentOf, endedWithin, startCommand } from '../up/child-command.ts'
import { numberIn } from '../up/view.ts'
import { STORAGE_GROUP } from './real-node.ts'
import type { RealWorld } from './real-world.ts'

/** The mailbox of messages that are there only so that a log has one; no load uses it. */
const CLOSING_MAILBOX = 0xffff_0000
/** Bytes of such a message: some pages. */
const CLOSING_BYTES = 8_000
/** Between two looks how far a load is, in milliseconds. */
const LOOK_MS = 50
/** As long as a load, or a check of what it left, may take, in milliseconds. */
const LOAD_MS_MAX = 600_000
/** The exit code of a check that found something. */
const CHECK_FAILED = 3

/** The mail of a scenario on the store of its active. */
export class RealMail {
  readonly #world: RealWorld
  readonly #seed: number | null
  #messages = 0

  constructor(world: RealWorld, seed: number | null) {
    this.#world = world
    this.#seed = seed
  }

  /** Closes logs, each with a message in it. Errors: those of the store. */
  async close(logs: number): Promise<void> {
    const { connection } = this.#world.active
    for (let closed = 0; closed < logs; closed++) {
      const content = { mailbox: CLOSING_MAILBOX, id: ++this.#messages, size: CLOSING_BYTES, seed: this.#messages }
      await connection.json('POST', `/api/v1/stores/${STORAGE_GROUP}/transactions`, {
        transactions: [{ operations: [{ op: 'insert', ...content }] }],
      })
      await connection.json('POST', `/api/v1/stores/${STORAGE_GROUP}/roll`, {})
    }
  }

  /** Delivers messages and remembers them: so many, or until so many logs were closed. Errors: `INTERNAL` with what the load said. */
  async load({ messages, logs }: { readonly messages: number | null; readonly logs: number | null }): Promise<void> {
    const count = messages === null ? [] : ['--count', `${messages}`]
    const seed = this.#seed === null || existsSync(this.#ledger) ? [] : ['--seed', `${this.#seed % 0x1_0000}`]
    const load = this.#command(['load', STORAGE_GROUP, '--full-speed', ...count, ...seed, '--ledger', this.#ledger])
    const over = new AbortController()
    try {
      const ended = endedWithin(load, LOAD_MS_MAX, this.#world.signal)
      if (logs !== null) await Promise.race([this.#untilClosed(logs, over.signal), ended])
      if (logs !== null) load.stop()
      documentOf(await ended, 'the load', [0, 130, 143])
    } finally {
      over.abort()
      load.stop()
      await load.ended
    }
  }

  /** Reads back every message that a load was told to be there; before the first load there are none. */
  async check(): Promise<Sight['messages']> {
    if (!existsSync(this.#ledger)) return { found: 0, faults: 0 }
    const check = this.#command(['load', STORAGE_GROUP, '--check', '--ledger', this.#ledger])
    const outcome = await endedWithin(check, LOAD_MS_MAX, this.#world.signal)
    const document = documentOf(outcome, 'the check of the messages', [0, CHECK_FAILED])
    return { found: numberIn(document, 'messages'), faults: numberIn(document, 'faults') }
  }

  async #untilClosed(logs: number, signal: AbortSignal): Promise<void> {
    const client = new StoreClient(this.#world.active.connection, STORAGE_GROUP)
    const { openGeneration } = await client.status()
    const givesUpMs = performance.now() + LOAD_MS_MAX
    while ((await client.status()).openGeneration < openGeneration + logs) {
      if (performance.now() > givesUpMs)
        throw new ReplicationError({
          code: 'WAIT_TIMED_OUT',
          message: `the load has not closed ${logs} logs within ${LOAD_MS_MAX} ms`,
          hint: 'Ask for fewer logs.',
        })
      await delay(LOOK_MS, undefined, { signal })
    }
  }

  get #ledger(): string {
    return join(this.#world.data, 'load.ledger')
  }

  #command(line: readonly string[]): ReturnType<typeof startCommand> {
    const { origin } = this.#world.active.connection
    return startCommand({ line: [...line, '--server', origin], env: this.#world.env })
  }
}
