import { ReplicationError } from '../../engine/error.ts'
import type { LogShareClient } from '../../transport/log-share-client.ts'
import type { WriterName } from '../../transport/management-writers.ts'
import type { Clock } from '../clock.ts'
import type { CopyHost } from '../copy-host.ts'
import type { EventLog } from '../event-log.ts'
import { unknownHere } from '../service-faults.ts'
import type { ShareHost } from '../share-host.ts'
import type { StoreHost } from '../store-host.ts'
import { activeCopy } from './active-copy.ts'
import type { BackedUpCopy } from './backed-up-copy.ts'
import { passiveCopy } from './passive-copy.ts'
import type { RestoredGroup } from './restore-host.ts'

/** What a process has that can be backed up. */
export interface Holders {
  readonly stores: StoreHost
  readonly shares: ShareHost
  readonly copies: CopyHost
  /** Speaks to the sources of the copies. */
  readonly client: LogShareClient
  readonly events: EventLog
  readonly clock: Clock
  /** Name of the node. */
  readonly node: string
}

/** The copy that is to be backed up. Errors: `STORAGE_GROUP_UNKNOWN`, `STORE_UNAVAILABLE`. */
export function copyToBackUp(holders: Holders, storageGroup: string, of: 'active' | 'passive'): BackedUpCopy {
  if (of === 'passive') {
    const { client, events, clock, node } = holders
    const copy = holders.copies.copies.find(({ name }) => name === storageGroup)
    if (copy === undefined) throw unknownHere('copy', storageGroup)
    return passiveCopy({ copy, client, events, clock, node })
  }
  const store = holders.stores.stores.find(({ name }) => name === storageGroup)
  const share = holders.shares.shares.find(({ name }) => name === storageGroup)
  if (store === undefined || share === undefined) throw unknownHere('store', storageGroup)
  if (store.state === 'running') return activeCopy({ store, backups: share.backups, node: holders.node })
  throw new ReplicationError({
    code: 'STORE_UNAVAILABLE',
    message: `the store of ${storageGroup} is ${store.state}, and only a running one is backed up`,
    hint: `See "ccr store ${storageGroup}"; a dismounted one is mounted by "ccr mount ${storageGroup}".`,
    fields: { storageGroup },
  })
}

/** What can be backed up here: the stores, and the copies that have a database. */
export function databasesOf({ stores, copies }: Pick<Holders, 'stores' | 'copies'>): readonly WriterName[] {
  const replaying = copies.copies.filter(({ state }) => state.database !== null)
  return [
    ...stores.stores.map(({ name }) => ({ storageGroup: name, of: 'active' }) as const),
    ...replaying.map(({ name }) => ({ storageGroup: name, of: 'passive' }) as const),
  ]
}

/** The store that a backup is put back into; null where this process has none. */
export function groupToRestore(stores: StoreHost, shares: ShareHost, name: string): RestoredGroup | null {
  const store = stores.stores.find((each) => each.name === name)
  const share = shares.shares.find((each) => each.name === name)
  return store === undefined || share === undefined ? null : { store, share }
}

/** The folders of the storage groups that a process has, active or as a copy. */
export function foldersOf(stores: StoreHost, copies: CopyHost): string[] {
  return [...stores.stores.map(({ names }) => names.root), ...copies.copies.map(({ root }) => root)]
}
