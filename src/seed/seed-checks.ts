import { ReplicationError } from '../../engine/error.ts'
import { whyNotSeeded } from '../../engine/replication/seeding.ts'
import type { StoreNames } from '../../storage/store-places.ts'
import type { LogShareClient } from '../../transport/log-share-client.ts'
import type { SeedOrder } from '../../transport/management-seeds.ts'
import { asSourceUrl, type SourceUrl } from '../../transport/source-url.ts'
import type { CopyInstance } from '../copy-instance.ts'
import { foreignFiles, logsExist, obsoleteCheckpoint } from './seed-faults.ts'

/** How long a host may take to say that it leads to the source, in milliseconds. */
const HOST_MS_MAX = 5_000

/**
 * Refuses a seed that may not begin, in this order: the state of the copy, an obsolete checkpoint that nobody has confirmed to go, logs that
 * are in the way, files that are not of a storage group. A database that goes elsewhere is in nobody's way.
 *
 * Source: the order that transcripts of Update-StorageGroupCopy show.
 */
export async function refuseSeed(copy: CopyInstance, names: StoreNames, order: SeedOrder): Promise<void> {
  const refusal = whyNotSeeded(copy.state)
  if (refusal !== null) throw new ReplicationError(refusal)
  if (order.targetPath !== null) return
  const { checkpoint, logs, logsPath, foreign } = await copy.seeding.find(names)
  const isCleared = order.profile === 'rtm' && order.deleteExistingFiles
  if (checkpoint !== null && !order.deleteCheckpoint && !isCleared) throw obsoleteCheckpoint(checkpoint, copy.name)
  if (logs > 0 && !order.deleteExistingFiles) throw logsExist(logsPath, copy.name)
  if (order.deleteExistingFiles && foreign.length > 0) throw foreignFiles(foreign, copy.name)
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
