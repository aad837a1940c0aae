/**
 * A process that runs a whole mailbox store under the load of some clients, and says of each transaction that it was acknowledged, one line
 * each. At the boundary that it was told it stands still: whoever reads the line kills it.
 */
import { writeSync } from 'node:fs'
import { basename } from 'node:path'
import { makeDirectoriesDurably } from '../../storage/durable-directory.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { lockStore } from '../../storage/store-lock.ts'
import type { MailboxHost } from '../../workers/mailbox-host.ts'
import { NO_MAINTENANCE, startMailboxHost } from '../../workers/mailbox-start.ts'
import { OWN_THREAD } from '../bench-store.ts'
import { CLIENTS, transactionOf } from './mailbox-script.ts'
import { standStillAt } from './store-victim.ts'

/** What a victim does. Its argument is this as JSON. */
export interface MailboxVictimPlan {
  readonly root: string
  /** Where it stands still, and at which time that this is reached; an empty name for nowhere. */
  readonly failpoint: string
  readonly count: number
  readonly circularLogging: boolean
  /** False: it only starts the store, which recovers it, and stops it in order. */
  readonly works: boolean
  /** How many rounds of each client are in the store. */
  readonly rounds: readonly number[]
}

/** Small logs, a small memory and shallow checkpoints: every boundary is met within a second. */
const LOG_BYTES = 128 * 1024
const CACHE_BYTES = 96 * 8192
const CHECKPOINT_DEPTH_BYTES = 256 * 1024
/** A run that nobody ends stops by itself. */
const ROUNDS_MAX = 400

/** Opens the store of a victim, also for whoever audits it afterwards. */
export async function startScriptedStore(
  { root, circularLogging, failpoint, count }: Omit<MailboxVictimPlan, 'rounds' | 'works'>,
  onFailed: (error: unknown) => void,
): Promise<MailboxHost> {
  const files = nodeFileOperations({ shortCalls: 'inline' })
  await makeDirectoriesDurably(files, root)
  return startMailboxHost({
    root,
    baseName: 'E00',
    databaseName: 'priv1.edb',
    files,
    lock: await lockStore({ root, files, onLost: onFailed }),
    mustExist: false,
    settings: {
      cacheBytes: CACHE_BYTES,
      checkpointDepthBytes: CHECKPOINT_DEPTH_BYTES,
      resilienceDepth: 2,
      circularLogging,
      maintenance: NO_MAINTENANCE,
    },
    logFileBytes: LOG_BYTES,
    ...OWN_THREAD,
    onBackups: () => undefined,
    onFreezeTimedOut: () => undefined,
    onBadPage: (page, detail) => onFailed(new Error(`page ${page}: ${detail}`)),
    onFailed,
    reach: standStillAt({ failpoint, count }),
  })
}

/** Straight to the descriptor: the line must be out before anything else happens. */
function say(line: string): void {
  writeSync(1, `${line}\n`)
}

async function play(plan: MailboxVictimPlan): Promise<void> {
  const store = await startScriptedStore(plan, (error) => {
    throw error
  })
  say('open')
  const clients = plan.works ? CLIENTS : 0
  await Promise.all(Array.from({ length: clients }, (_, client) => work(store, client, plan.rounds[client] ?? 0)))
  await store.close()
  say('done')
}

async function work(store: MailboxHost, client: number, from: number): Promise<void> {
  for (let round = from; round < from + ROUNDS_MAX; round++) {
    const [result] = await store.transact([transactionOf(client, round)])
    if (result?.committed !== true) throw new Error(`client ${client} round ${round}: ${JSON.stringify(result)}`)
    say(`acknowledged ${client} ${round}`)
  }
}

if (basename(process.argv[1] ?? '').startsWith('mailbox-victim'))
  // The argument comes from mailbox-kill.ts, which has the type.
  await play(JSON.parse(process.argv[2] ?? '{}') as MailboxVictimPlan)
