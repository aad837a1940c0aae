/**
 * Commits of durable transactions by SQLite, as `bench/measures/commits.ts` starts it: clients that insert one message each time,
 * every client a thread with a connection of its own. Started with a plan in JSON; prints what it did as JSON.
 */
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

/** What is to be done. */
export interface SqlitePlan {
  /** Directory in which better-sqlite3 was installed. */
  readonly modules: string
  readonly database: string
  readonly clients: number
  readonly seconds: number
  readonly messageBytes: number
}

/** What a run came to. */
export interface CommitCount {
  readonly commits: number
  readonly seconds: number
  /** Of all threads, from the first commit on. */
  readonly cpuSeconds: number
}

/** What one client did. */
type ClientCount = Omit<CommitCount, 'cpuSeconds'>

/** As much of better-sqlite3 as is used. */
interface Sqlite {
  pragma(text: string): unknown
  exec(text: string): void
  prepare(text: string): { run(...values: unknown[]): unknown }
  close(): void
}

/** A writer waits for its turn as long as it takes. */
const BUSY_MS = 60_000

function open({ modules, database }: SqlitePlan): Sqlite {
  const load = createRequire(join(modules, 'package.json'))
  // The package has no types of its own; what is used of it is above.
  const Database = load('better-sqlite3') as new (path: string, options: { timeout: number }) => Sqlite
  const opened = new Database(database, { timeout: BUSY_MS })
  opened.pragma('journal_mode = WAL')
  opened.pragma('synchronous = FULL')
  return opened
}

/** One client: a transaction of one message after the other until time is over. */
function runClient(plan: SqlitePlan, client: number): void {
  const database = open(plan)
  const insert = database.prepare('INSERT INTO messages (mailbox, id, bytes) VALUES (?, ?, ?)')
  const bytes = Buffer.alloc(plan.messageBytes, client + 1)
  parentPort?.once('message', () => {
    const begun = performance.now()
    let commits = 0
    while (performance.now() - begun < plan.seconds * 1000) {
      commits += 1
      bytes.writeUInt32LE(commits)
      insert.run(client, commits, bytes)
    }
    database.close()
    parentPort?.postMessage({ commits, seconds: (performance.now() - begun) / 1000 } satisfies ClientCount)
    parentPort?.close()
  })
  parentPort?.postMessage('ready')
}

async function runAll(plan: SqlitePlan): Promise<CommitCount> {
  const database = open(plan)
  database.exec(
    'CREATE TABLE messages (mailbox INTEGER, id INTEGER, bytes BLOB, PRIMARY KEY (mailbox, id)) WITHOUT ROWID',
  )
  database.close()
  const clients = Array.from({ length: plan.clients }, (_, client) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { plan, client } })
    return { worker, ready: nextMessage(worker) }
  })
  await Promise.all(clients.map(({ ready }) => ready))
  const before = process.cpuUsage()
  const ended = clients.map(({ worker }) => nextMessage(worker))
  for (const { worker } of clients) worker.postMessage('go')
  // Each client tells what it did; nothing else is sent then.
  const counts = (await Promise.all(ended)) as ClientCount[]
  const { user, system } = process.cpuUsage(before)
  const commits = counts.reduce((sum, count) => sum + count.commits, 0)
  return { commits, seconds: Math.max(...counts.map(({ seconds }) => seconds)), cpuSeconds: (user + system) / 1e6 }
}

function nextMessage(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

if (!isMainThread) {
  const { plan, client } = workerData as { plan: SqlitePlan; client: number } // given by runAll
  runClient(plan, client)
} else if (basename(process.argv[1] ?? '').startsWith('sqlite-child')) {
  const plan = JSON.parse(process.argv[2] ?? '') as SqlitePlan // written by the measure, which has the type
  process.stdout.write(`${JSON.stringify(await runAll(plan))}\n`)
}
