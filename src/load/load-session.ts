import { randomInt, randomUUID } from 'node:crypto'
import { basename, dirname, resolve } from 'node:path'
import { ReplicationError } from '../../engine/error.ts'
import type { LoadIdentity, LoadLedger } from '../../engine/load/load-ledger.ts'
import { LOAD_SEED_MAX } from '../../engine/load/message-number.ts'
import { holdFile } from '../../storage/file-hold.ts'
import { type LedgerFile, type LedgerFilePlace, openLedgerFile } from '../../storage/ledger-file.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import type { ApiConnection } from '../api-connection.ts'
import { StoreClient } from './store-client.ts'

/** What was said of a load's identity; undefined where nothing was. */
export interface IdentityWanted {
  readonly seed: number | undefined
  readonly mailboxes: number | undefined
}

/** As many as make a database in which pages are changed here and there. */
const MAILBOXES = 100

/** Does something with a file that this process alone uses meanwhile. Errors: `FILE_HELD`, `DIRECTORY_MISSING`. */
export async function withLedgerPlace<Result>(
  path: string,
  storageGroup: string,
  use: (place: LedgerFilePlace) => Promise<Result>,
): Promise<Result> {
  const files = nodeFileOperations({ shortCalls: 'pooled' })
  const [directory, name] = [dirname(resolve(path)), basename(path)]
  const hold = await holdFile(files, directory, name)
  try {
    return await use({ directory, name, files, storageGroup })
  } finally {
    hold.release()
  }
}

/** A new load: what was not said of it is chosen. */
export function newIdentity({ seed, mailboxes }: IdentityWanted): LoadIdentity {
  return { seed: seed ?? randomInt(LOAD_SEED_MAX + 1), mailboxes: mailboxes ?? MAILBOXES }
}

/** Opens a ledger to go on with it, or a new one. Errors: `USAGE` for that of another load, and those of `openLedgerFile`. */
export async function openLedger(place: LedgerFilePlace, wanted: IdentityWanted): Promise<LedgerFile> {
  const check = (ledger: LoadLedger): void => checkIdentity(place.name, ledger, wanted)
  return await openLedgerFile({ ...place, identity: newIdentity(wanted), check, newId: randomUUID })
}

/**
 * The store that is to be loaded. Errors: `STATE_REFUSED` where the server has a copy of the storage group and no
 * store of it, and those of the connection.
 */
export async function findStore(connection: ApiConnection, storageGroup: string): Promise<StoreClient> {
  const client = new StoreClient(connection, storageGroup)
  try {
    await client.status()
    return client
  } catch (error) {
    if (await isCopy(connection, storageGroup)) throw noStore(connection.origin, storageGroup, error)
    throw error
  }
}

async function isCopy(connection: ApiConnection, storageGroup: string): Promise<boolean> {
  try {
    await connection.json('GET', `/api/v1/copies/${encodeURIComponent(storageGroup)}`)
    return true
  } catch {
    return false // whatever it is, it is no copy of this storage group; the first error says what is wrong
  }
}

function checkIdentity(name: string, { identity }: LoadLedger, { seed, mailboxes }: IdentityWanted): void {
  if ((seed ?? identity.seed) === identity.seed && (mailboxes ?? identity.mailboxes) === identity.mailboxes) return
  throw new ReplicationError({
    code: 'USAGE',
    message: `the ledger ${name} is of a load of seed ${identity.seed} on ${identity.mailboxes} mailboxes`,
    hint: 'Leave --seed and --mailboxes away to go on with that load, or give another file with --ledger.',
  })
}

function noStore(origin: string, storageGroup: string, cause: unknown): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `${origin} holds a copy of ${storageGroup}, which takes no messages`,
    hint: 'Give the management address of the node whose store is active with --server or CCR_SERVER.',
    cause,
  })
}
