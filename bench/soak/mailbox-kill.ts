import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { messageContent } from '../../engine/database/message-content.ts'
import { STORE_FAILPOINTS, type StoreFailpoint } from '../../storage/store-failpoint.ts'
import type { MailboxHost } from '../../workers/mailbox-host.ts'
import { CLIENTS, messagesAfter } from './mailbox-script.ts'
import { type MailboxVictimPlan, startScriptedStore } from './mailbox-victim.ts'

/** A victim that was killed. */
export interface KilledVictim {
  /** How it came to be killed: at the failpoint, after so many acknowledgements, or it had ended by itself. */
  readonly stopped: 'reached' | 'enough' | 'done' | 'failed'
  /** How many rounds of each client were acknowledged, with those of before. */
  readonly acknowledged: readonly number[]
}

/** What a life of a store begins with. */
export interface MailboxLife extends Partial<Omit<MailboxVictimPlan, 'root'>> {
  readonly root: string
  /** Kill it after so many acknowledgements, wherever it stands. */
  readonly acknowledgements?: number
}

/** Boundaries of a recovery that loses logs, of one that finds a torn log, and of a full disk: a load comes to none of them. */
const NOT_UNDER_LOAD = /^(mend-log|discard-logs|prepare-log\.disk-full)/
/** Of these a new store has one. */
const ONCE = /^create-database/
/** Only where logs are used again. */
const CIRCULAR = /^(delete-logs|prepare-log\.file)/

/** Where a store under load can be killed, and at which time that the boundary is reached: when there is something to lose. */
export const MAILBOX_STOPS: readonly Pick<MailboxVictimPlan, 'failpoint' | 'count' | 'circularLogging'>[] =
  STORE_FAILPOINTS.filter((name) => !NOT_UNDER_LOAD.test(name)).map((failpoint: StoreFailpoint) => ({
    failpoint,
    count: ONCE.test(failpoint) ? 1 : 4,
    circularLogging: CIRCULAR.test(failpoint),
  }))

const VICTIM = fileURLToPath(new URL('../../dist/bench/soak/mailbox-victim.js', import.meta.url)).replace(
  '/dist/dist/',
  '/dist/',
)

/** Starts a victim, waits until it stands still or has acknowledged enough, and kills it. It needs the built program. */
export async function killMailboxStore(life: MailboxLife): Promise<KilledVictim> {
  const { acknowledgements = Number.POSITIVE_INFINITY, ...parts } = life
  const rounds = parts.rounds ?? Array.from({ length: CLIENTS }, () => 0)
  const plan: MailboxVictimPlan = { failpoint: '', count: 1, circularLogging: false, works: true, ...parts, rounds }
  const child = spawn(process.execPath, [VICTIM, JSON.stringify(plan)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const gone = once(child, 'exit')
  const acknowledged = [...rounds]
  let stopped: KilledVictim['stopped'] = 'failed'
  let left = acknowledgements
  // What it said before it was dead counts as well: it is read to the end.
  for await (const line of linesOf(child)) {
    const [word = '', client = '', round = ''] = line.split(' ')
    if (word === 'acknowledged') {
      acknowledged[Number(client)] = Number(round) + 1
      left -= 1
    }
    if (word === 'reached' || word === 'done') stopped = word
    else if (left <= 0 && stopped === 'failed') stopped = 'enough'
    if (stopped !== 'failed') child.kill('SIGKILL')
  }
  await gone
  return { stopped, acknowledged }
}

async function* linesOf(child: ChildProcess): AsyncGenerator<string> {
  let text = ''
  for await (const chunk of child.stdout?.setEncoding('utf8') ?? []) {
    text += String(chunk)
    const lines = text.split('\n')
    text = lines.pop() ?? ''
    yield* lines
  }
}

/** What an audit came to. */
export interface MailboxAudit {
  /** What is broken of what the victim said. */
  readonly faults: readonly string[]
  /** How many rounds of each client are in the store. */
  readonly rounds: readonly number[]
}

/**
 * Starts the store of a victim, which recovers it, and compares every mailbox: all that was acknowledged is there, and of the transaction
 * that each client had under way everything or nothing.
 */
export async function auditKilledStore(
  root: string,
  victim: KilledVictim,
  circularLogging = false,
): Promise<MailboxAudit> {
  const faults: string[] = []
  const fail = (error: unknown): void => void faults.push(String(error))
  const store = await startScriptedStore({ root, circularLogging, failpoint: '', count: 1 }, fail)
  const rounds: number[] = []
  for (const [client, acknowledged] of victim.acknowledged.entries()) {
    const found = await roundsIn(store, client, acknowledged)
    if (found === null)
      faults.push(`the mailbox of client ${client} is neither as after ${acknowledged} rounds nor as after the next`)
    rounds.push(found ?? acknowledged)
  }
  await store.close()
  return { faults, rounds }
}

async function roundsIn(store: MailboxHost, client: number, acknowledged: number): Promise<number | null> {
  const { messages } = await store.list({ mailbox: client, after: -1, limit: 100_000 })
  for (const rounds of [acknowledged, acknowledged + 1]) {
    const expected = messagesAfter(client, rounds)
    const listed = messages.map(({ id, bytes }) => `${id} ${bytes}`).join()
    if (listed !== [...expected].map(([id, { size }]) => `${id} ${size}`).join()) continue
    for (const [id, { size, seed }] of expected) {
      const bytes = await store.read({ mailbox: client, id })
      if (bytes === null || Buffer.compare(bytes, messageContent(size, seed)) !== 0) return null
    }
    return rounds
  }
  return null
}
