/**
 * A store under load while its database is copied, as `bench/measures/backup-load.ts` starts it. Started with a plan in JSON: fills a
 * store, or counts what its clients commit with a streaming backup under way and without; prints that as JSON.
 */
import { randomFillSync } from 'node:crypto'
import { statSync } from 'node:fs'
import { basename } from 'node:path'
import { BackupThread } from '../src/backup/backup-thread.ts'
import type { MailboxHost } from '../workers/mailbox-host.ts'
import { startBenchStore } from './bench-store.ts'

/** What is to be done. */
export type BackupLoadPlan = FillPlan | CountPlan

/** Messages are inserted until the database has its length. */
interface FillPlan {
  readonly act: 'fill'
  readonly root: string
  readonly database: string
  readonly bytes: number
}

/** Clients insert for a time with a backup, and for the same time without, some times in turn. */
interface CountPlan {
  readonly act: 'count'
  readonly root: string
  readonly database: string
  /** Where the set is begun; it is never finished. */
  readonly set: string
  readonly bytesPerSecond: number
  readonly clients: number
  readonly seconds: number
  readonly messageBytes: number
  /** No message had this number before, nor one of the next hundred million of each client. */
  readonly firstNumber: number
  /** How often; in every other pair the backup comes first. */
  readonly pairs: number
}

/** What the clients came to in one pair, in commits per second. */
export interface BackupLoadCount {
  readonly alone: number
  readonly withBackup: number
  /** What the backup copied meanwhile, in bytes per second. */
  readonly backupBytesPerSecond: number
}

const FILLERS = 16
const FILL_MESSAGE_BYTES = 30_000
/** A mailbox that no client of the count has. */
const FIRST_FILLED_MAILBOX = 1_000

async function insert(store: MailboxHost, mailbox: number, message: { id: number; bytes: Buffer }): Promise<void> {
  const { id, bytes } = message
  const [result] = await store.transact([{ operations: [{ op: 'insert', mailbox, id, content: { bytes } }] }])
  if (result?.committed !== true) throw new Error(`not committed: ${JSON.stringify(result)}`)
}

async function fill({ root, database, bytes }: FillPlan): Promise<null> {
  const store = await startBenchStore(root)
  const filler = async (index: number): Promise<void> => {
    const message = randomFillSync(Buffer.alloc(FILL_MESSAGE_BYTES))
    const mailbox = FIRST_FILLED_MAILBOX + index
    for (let number = 1; statSync(database).size < bytes; number++)
      await insert(store, mailbox, { id: mailbox * 2 ** 32 + number, bytes: message })
  }
  await Promise.all(Array.from({ length: FILLERS }, (_, index) => filler(index)))
  await store.close()
  return null
}

/** Counts the commits of one stretch of time, in commits per second. */
class Clients {
  readonly #store: MailboxHost
  readonly #plan: CountPlan
  #lastNumber: number

  constructor(store: MailboxHost, plan: CountPlan) {
    this.#store = store
    this.#plan = plan
    this.#lastNumber = plan.firstNumber
  }

  async perSecond(): Promise<number> {
    const begun = performance.now()
    const before = this.#lastNumber
    const deadline = begun + this.#plan.seconds * 1000
    await Promise.all(Array.from({ length: this.#plan.clients }, (_, client) => this.#run(client + 1, deadline)))
    return ((this.#lastNumber - before) * 1000) / (performance.now() - begun)
  }

  async #run(mailbox: number, deadline: number): Promise<void> {
    const bytes = Buffer.alloc(this.#plan.messageBytes, mailbox)
    while (performance.now() < deadline) {
      this.#lastNumber += 1
      bytes.writeUInt32LE(this.#lastNumber % 2 ** 32)
      await insert(this.#store, mailbox, { id: mailbox * 2 ** 32 + this.#lastNumber, bytes })
    }
  }
}

async function count(plan: CountPlan): Promise<BackupLoadCount[]> {
  const store = await startBenchStore(plan.root)
  const thread = await BackupThread.start()
  thread.setRate(plan.bytesPerSecond)
  const under = { store, thread, plan, clients: new Clients(store, plan) }
  // Both have done it before: a store runs for months, and a backup for longer than the second that is measured here.
  await countPair(under, 0)
  const counts: BackupLoadCount[] = []
  for (let pair = 0; pair < plan.pairs; pair++) counts.push(await countPair(under, pair))
  await thread.close()
  await store.close()
  return counts
}

interface UnderLoad {
  readonly store: MailboxHost
  readonly thread: BackupThread
  readonly plan: CountPlan
  readonly clients: Clients
}

async function countPair(under: UnderLoad, pair: number): Promise<BackupLoadCount> {
  const first = pair % 2 === 0 ? await under.clients.perSecond() : null
  const during = await duringBackup(under)
  return { ...during, alone: first ?? (await under.clients.perSecond()) }
}

/** The order of a streaming backup up to its middle; given up when the clients have counted. */
async function duringBackup({ store, thread, plan, clients }: UnderLoad): Promise<Omit<BackupLoadCount, 'alone'>> {
  await thread.ask({ ask: 'begin-set', directory: plan.set })
  await store.backups.begin({ scope: 'copy', method: 'streaming' })
  const copying = copyDatabase(thread, plan.database)
  await copying.begun
  const [bytes, begun] = [copying.doneBytes(), performance.now()]
  const withBackup = await clients.perSecond()
  const backupBytesPerSecond = ((copying.doneBytes() - bytes) * 1000) / (performance.now() - begun)
  if (!(await copying.giveUp())) throw new Error('the backup had ended before the clients had counted')
  await thread.ask({ ask: 'abandon-set' })
  await store.backups.end({ outcome: 'aborted', backup: null, roll: false })
  return { withBackup, backupBytesPerSecond }
}

interface Copying {
  /** Resolves when the first bytes are copied; rejects when it fails before. */
  readonly begun: Promise<void>
  doneBytes(): number
  /** Answers whether it was under way still. */
  giveUp(): Promise<boolean>
}

function copyDatabase(thread: BackupThread, path: string): Copying {
  const end = new AbortController()
  let done = 0
  let ended: Promise<boolean> = Promise.resolve(false)
  const begun = new Promise<void>((resolve, reject) => {
    const onProgress = (doneBytes: number): void => {
      done = doneBytes
      if (doneBytes > 0) resolve()
    }
    ended = thread.ask({ ask: 'copy-database', path, mode: 'streaming' }, { onProgress, signal: end.signal }).then(
      () => false,
      (error: unknown) => {
        reject(error)
        if (!end.signal.aborted) throw error
        return true
      },
    )
    ended.catch(() => undefined) // whoever gives it up has the error
  })
  return {
    begun,
    doneBytes: () => done,
    giveUp: () => {
      end.abort()
      return ended
    },
  }
}

if (basename(process.argv[1] ?? '').startsWith('backup-load-child')) {
  const plan = JSON.parse(process.argv[2] ?? '') as BackupLoadPlan // written by the measure, which has the type
  process.stdout.write(`${JSON.stringify(plan.act === 'fill' ? await fill(plan) : await count(plan))}\n`)
}
