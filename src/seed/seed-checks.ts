import { resolve } from 'node:path'
import { ReplicationError } from '../../engine/error.ts'
import { whyNotSeeded } from '../../engine/replication/seeding.ts'
import type { FileOperations } from '../../storage/file-operations.ts'
import { seedPlaces } from '../../storage/seed-folder.ts'
import { type StoreNames, storePlaces } from '../../storage/store-places.ts'
import type { LogShareClient } from '../../transport/log-share-client.ts'
import type { SeedOrder } from '../../transport/management-seeds.ts'
import { asSourceUrl, type SourceUrl } from '../../transport/source-url.ts'
import type { CopyInstance } from '../copy-instance.ts'
import { foreignFiles, logsExist, obsoleteCheckpoint, targetTaken } from './seed-faults.ts'

/** The folder of a copy, and what looks at it. */
interface SeededFolder {
  readonly names: StoreNames
  readonly files: FileOperations
}

/** How long a host may take to say that it leads to the source, in milliseconds. */
const HOST_MS_MAX = 5_000

/**
 * Refuses a seed that may not begin, in this order: the state of the copy, an obsolete checkpoint that nobody has confirmed to go, logs that
 * are in the way, files that are not of a storage group. A database that goes elsewhere replaces none that lies there: it may be anybody's.
 *
 * Source: the order that transcripts of Update-StorageGroupCopy show.
 */
export async function refuseSeed(copy: CopyInstance, { names, files }: SeededFolder, order: SeedOrder): Promise<void> {
  const refusal = whyNotSeeded(copy.state)
  if (refusal !== null) throw new ReplicationError(refusal)
  if (order.targetPath !== null) {
    const { database } = seedPlaces(names, order.targetPath, 0)
    if ((await files.lookUp(database)) !== null) throw targetTaken(database, copy.name)
    return
  }
  const { checkpoint, logs, logsPath, foreign } = await copy.seeding.find(names)
  if (checkpoint !== null && asksForCheckpoint(order)) throw obsoleteCheckpoint(checkpoint, copy.name)
  if (logs > 0 && !order.deleteExistingFiles) throw logsExist(logsPath, copy.name)
  if (order.deleteExistingFiles && foreign.length > 0) throw foreignFiles(foreign, copy.name)
}

/** Whether a checkpoint of before needs a confirmation still: RTM removes it with the other files. */
export function asksForCheckpoint({ profile, deleteExistingFiles, deleteCheckpoint }: SeedOrder): boolean {
  return !deleteCheckpoint && !(profile === 'rtm' && deleteExistingFiles)
}

/** The order as it is carried out: the copy's own directory is no other place. */
export function orderFor(names: StoreNames, order: SeedOrder): SeedOrder {
  const isOwn = order.targetPath !== null && resolve(order.targetPath) === storePlaces(names).database
  return isOwn ? { ...order, targetPath: null } : order
}

/**
 * The address that the data comes over: the first of these hosts that leads to the share, else the source's own. Errors: `URL_INVALID` and
 * `BIND_REFUSED` for a host that is none of this machine.
 */
export async function dataSource(
  client: LogShareClient,
  source: SourceUrl,
  hosts: readonly string[],
): Promise<SourceUrl> {
  for (const host of hosts) {
    const url = asSourceUrl(
      `http://${/:\d+$/.test(host) ? host : `${host}:${source.port}`}/shares/${encodeURIComponent(source.share)}`,
    )
    const leads = await client.describeShare(url, AbortSignal.timeout(HOST_MS_MAX)).then(
      () => true,
      () => false, // whatever keeps it away, the next one may lead there
    )
    if (leads) return url
  }
  return source
}
