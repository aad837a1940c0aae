/**
 * Logs of our store at full speed, as `bench/measures/redo.ts` starts it: clients that insert one message each time and delete some,
 * all of them in the thread of the store. Started with a plan in JSON; prints what it did as JSON.
 */
import { basename } from 'node:path'
import type { MailboxOperation } from '../engine/database/mailbox-session.ts'
import type { MailboxHost } from '../workers/mailbox-host.ts'
import { startBenchStore } from './bench-store.ts'

/** What is to be done. */
export interface GeneratePlan {
  /** The folder of the storage group. */
  readonly root: string
  readonly clients: number
  /** Closed logs to be made. */
  readonly logs: number
  readonly messageBytes: number
  readonly mailboxes: number
  /** Of so many messages one is deleted again. */
  readonly deleteEvery: number
}

/** What it came to. */
export interface Generated {
  readonly messages: number
  readonly logs: number
  readonly seconds: number
  /** Of all threads. */
  readonly cpuSeconds: number
}

/** How often a client looks whether there are enough logs, in messages: a look costs less than a hundredth of them. */
const LOOK_EVERY = 16

async function runClient(store: MailboxHost, plan: GeneratePlan, client: number): Promise<number> {
  const bytes = Buffer.alloc(plan.messageBytes, client)
  let messages = 0
  for (let done = false; !done; ) {
    messages += 1
    bytes.writeUInt32LE(messages)
    const nameOf = (number: number) => ({
      mailbox: (number % plan.mailboxes) + 1,
      id: number * plan.clients + client,
    })
    const operations: MailboxOperation[] = [{ op: 'insert', ...nameOf(messages), content: { bytes } }]
    const old = messages - plan.deleteEvery
    if (old > 0 && messages % plan.deleteEvery === 0) operations.push({ op: 'delete', ...nameOf(old) })
    const [result] = await store.transact([{ operations }])
    if (result?.committed !== true) throw new Error(`not committed: ${JSON.stringify(result)}`)
    done = messages % LOOK_EVERY === 0 && (await store.status()).openGeneration > plan.logs
  }
  return messages
}

async function run(plan: GeneratePlan): Promise<Generated> {
  const store = await startBenchStore(plan.root)
  const before = process.cpuUsage()
  const begun = performance.now()
  const clients = Array.from({ length: plan.clients }, (_, client) => runClient(store, plan, client + 1))
  const messages = (await Promise.all(clients)).reduce((sum, each) => sum + each, 0)
  const seconds = (performance.now() - begun) / 1000
  const { user, system } = process.cpuUsage(before)
  const logs = (await store.status()).openGeneration - 1
  await store.close()
  return { messages, logs, seconds, cpuSeconds: (user + system) / 1e6 }
}

if (basename(process.argv[1] ?? '').startsWith('generate-child')) {
  const plan = JSON.parse(process.argv[2] ?? '') as GeneratePlan // written by the measure, which has the type
  process.stdout.write(`${JSON.stringify(await run(plan))}\n`)
}
