/**
 * Commits of durable transactions by our store, as `bench/measures/commits.ts` starts it: clients that insert one message each
 * time, all of them in the thread of the store. Started with a plan in JSON; prints what it did as JSON.
 */
import { randomBytes } from 'node:crypto'
import { basename } from 'node:path'
import { nodeFileOperations } from '../storage/node-file-operations.ts'
import type { MailboxHost } from '../workers/mailbox-host.ts'
import { NO_MAINTENANCE, startMailboxHost } from '../workers/mailbox-start.ts'
import type { CommitCount } from './sqlite-child.ts'

/** What is to be done. */
export interface StorePlan {
  /** The folder of the storage group. */
  readonly root: string
  readonly clients: number
  readonly seconds: number
  readonly messageBytes: number
}

/** Memory for pages: what SQLite and the file system keep is not limited either below this. */
const CACHE_BYTES = 64 * 1024 * 1024
/** That of Exchange 2007. */
const CHECKPOINT_DEPTH_BYTES = 20 * 1024 * 1024

function start(root: string): Promise<MailboxHost> {
  return startMailboxHost({
    root,
    baseName: 'E00',
    databaseName: 'bench.edb',
    files: nodeFileOperations({ shortCalls: 'inline' }),
    // Nobody else is in a work directory of the bench.
    lock: { release: () => Promise.resolve() },
    mustExist: false,
    settings: {
      cacheBytes: CACHE_BYTES,
      checkpointDepthBytes: CHECKPOINT_DEPTH_BYTES,
      resilienceDepth: 1,
      circularLogging: false,
      maintenance: NO_MAINTENANCE,
    },
    clock: {
      nowMs: () => Date.now(),
      wakeAfter: (delayMs, act) => {
        const timer = setTimeout(act, delayMs)
        return () => clearTimeout(timer)
      },
    },
    newId: () => randomBytes(16).toString('hex'),
    random: () => randomBytes(4).readUInt32LE(),
    onRequired: () => undefined,
    onBadPage: (page, detail) => console.error(`page ${page}: ${detail}`),
    onEvent: () => undefined,
    onFailed: (error) => {
      throw error
    },
  })
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
  const store = await start(plan.root)
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
