import { ReplicationError } from '../../engine/error.ts'
import { unknownHere } from '../service-faults.ts'
import type { ShareHost } from '../share-host.ts'
import type { StoreHost } from '../store-host.ts'
import { activeCopy } from './active-copy.ts'
import type { BackedUpCopy } from './backed-up-copy.ts'

/** What a process has that can be backed up. */
export interface Holders {
  readonly stores: StoreHost
  readonly shares: ShareHost
  /** Name of the node. */
  readonly node: string
}

/** The copy that is to be backed up. Errors: `STORAGE_GROUP_UNKNOWN`, `STORE_UNAVAILABLE`. */
export function copyToBackUp(holders: Holders, storageGroup: string, of: 'active' | 'passive'): BackedUpCopy {
  if (of === 'passive') throw unknownHere('copy', storageGroup)
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
