import { join } from 'node:path'
import type { BackupSlot, BackupSlots } from '../../engine/database/backup-slot.ts'
import { asGeneration } from '../../engine/generation.ts'
import { type BackupSession, isLogOnly, logsToRead } from '../../engine/source/backup-session.ts'
import type { SetDescription } from '../../workers/backup-messages.ts'
import type { StoreInstance } from '../store-instance.ts'
import type { BackedUpCopy } from './backed-up-copy.ts'
import type { ShareBackups } from './share-backups.ts'

/** What the active copy of a storage group consists of. */
export interface ActiveCopyParts {
  readonly store: StoreInstance
  readonly backups: ShareBackups
  /** Name of the node. */
  readonly node: string
}

/** The active copy, as something that is backed up once. */
export function activeCopy({ store, backups, node }: ActiveCopyParts): BackedUpCopy {
  let session: BackupSession | null = null
  const begun = (): BackupSession => {
    if (session === null) throw new Error('must hold: a backup is begun before it goes on')
    return session
  }
  return {
    copy: 'active',
    storageGroup: store.name,
    node,
    files: {
      database: store.database,
      checkpoint: join(store.logs, `${store.baseName}.chk`),
      logs: store.logs,
      baseName: store.baseName,
    },
    begin: async (request) => {
      session = await backups.begin({ ...request, surrogate: null })
    },
    prepare: async () => {
      session = await backups.prepare(begun().id)
      return { logs: logsToRead(session), closed: session.range?.last ?? asGeneration(0) }
    },
    thaw: () => backups.thaw(begun().id),
    history: () => historyFor(begun().request.scope, backups.slots),
    complete: () => backups.end(begun().id, { outcome: 'completed', logsRead: true, reason: '' }),
    abort: async (reason) => {
      if (session === null) return
      // One that the source has given up by itself is refused here, and that is well.
      await backups.end(session.id, { outcome: 'aborted', logsRead: false, reason }).catch(() => undefined)
      session = null
    },
  }
}

/** What a manifest says of the backups that one builds on, by the header of its database. */
export function historyFor(
  scope: BackupSession['request']['scope'],
  slots: BackupSlots | null,
): Pick<SetDescription, 'mark' | 'buildsOn'> {
  if (slots === null) return { mark: null, buildsOn: null }
  if (isLogOnly(scope)) return { mark: null, buildsOn: builtOn(slots.previousFull) }
  const current = [slots.currentFull, slots.currentSnapshot].find((slot) => slot.mark.generation > 0)
  return { mark: current?.mark ?? null, buildsOn: null }
}

function builtOn({ mark, firstGeneration, lastGeneration }: BackupSlot): SetDescription['buildsOn'] {
  if (lastGeneration === 0) return null
  return { mark, first: asGeneration(firstGeneration), last: asGeneration(lastGeneration) }
}
