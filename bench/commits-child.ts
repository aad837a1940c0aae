/**
 * Commits of durable transactions by our store, as `bench/measures/commits.ts` starts it: clients that insert one message each
 * time, all of them in the thread of the store. Started with a plan in JSON; prints what it did as JSON.
 */
import { basename } from 'node:path'
import type { MailboxHost } from '../workers/mailbox-host.ts'
import { startBenchStore } from './bench-store.ts'
import type { CommitCount } from './sqlite-child.ts'

/** What is to be done. */
export interface StorePlan {
  /** The folder of the storage group. */
  readonly root: string
  readonly clients: number
  readonly seconds: number
  readonly messageBytes: number
}

/** One client: a transaction of one message after the other until time is over. */
async function runClient(store: MailboxHost, plan: StorePlan, mailbox: number): Promise<number> {
  const bytes = Buffer.alloc(plan.messageBytes, mailbox)
  const deadline = performance.now() + plan.seconds * 1000
  let commits = 0
  while (performance.now() < deadline) {
    commits += 1
    bytes.writeUInt32LE(commits)
    // A number that no other client uses: a message is found by its number alone, too.
    const id = mailbox * 2 ** 32 + commits
    const [result] = await store.transact([{ operations: [{ op: 'insert', mailbox, id, content: { bytes } }] }])
    if (result?.committed !== true) throw new Error(`not committed: ${JSON.stringify(result)}`)
  }
  return commits
}

async function run(plan: StorePlan): Promise<CommitCount> {
  const store = await startBenchStore(plan.root)
  const before = process.cpuUsage()
  const begun = performance.now()
  const clients = Array.from({ length: plan.clients }, (_, client) => runClient(store, plan, client + 1))
  const commits = (await Promise.all(clients)).reduce((sum, each) => sum + each, 0)
  const seconds = (performance.now() - begun) / 1000
  const { user, system } = process.cpuUsage(before)
  await store.close()
  return { commits, seconds, cpuSeconds: (user + system) / 1e6 }
}

if (basename(process.argv[1] ?? '').startsWith('commits-child')) {
  const plan = JSON.parse(process.argv[2] ?? '') as StorePlan // written by the measure, which has the type
  process.stdout.write(`${JSON.stringify(await run(plan))}\n`)
}
