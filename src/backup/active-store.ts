import type { BackupSlots, FinishedBackup } from '../../engine/database/backup-slot.ts'
import { unixMsOf } from '../../engine/database/log-time.ts'
import { FREEZE_MS_DEFAULT } from '../../engine/freeze-bound.ts'
import { asGeneration } from '../../engine/generation.ts'
import { type BackupHistory, type FinishedBackupFact, whyNotDismount } from '../../engine/source/backup-session.ts'
import type { ShareInstance } from '../share-instance.ts'
import type { StoreInstance } from '../store-instance.ts'
import type { ActiveBackups } from './share-backups.ts'

/** What a mailbox store does for the backups of its storage group. */
export function backupsOfStore(store: StoreInstance): ActiveBackups {
  return {
    database: store.database,
    begin: async ({ request }) => {
      const { scope, method, surrogate } = request
      await store.ask({ ask: 'begin-backup', scope, method: surrogate === null ? method : 'surrogate' })
    },
    prepare: async ({ request }) => {
      if (request.method === 'streaming') return await store.ask({ ask: 'prepare-backup' })
      const { closed, checkpoint } = await store.ask({ ask: 'freeze', boundMs: request.freezeMs ?? FREEZE_MS_DEFAULT })
      return { closed, checkpoint }
    },
    thaw: () => store.ask({ ask: 'thaw' }),
    record: async (backup) => {
      const ending = { outcome: 'completed', backup: slotOf(backup), roll: backup.surrogate } as const
      await store.ask({ ask: 'end-backup', ...ending })
    },
    release: async () => {
      // A store that does not run holds nothing.
      if (store.state === 'running')
        await store.ask({ ask: 'end-backup', outcome: 'aborted', backup: null, roll: false })
    },
  }
}

/** Tells a share what the store that writes its logs says: what it needs, what was backed up, and that it has ended. */
export function connectStore(store: StoreInstance, share: ShareInstance): void {
  store.watchRequired((required) => share.storeNeeds(required))
  store.watchBackups((slots) => share.backups.known(slots))
  store.watchEnded((error) => share.backups.storeEnded(error))
  store.guardDismount(() => whyNotDismount(share.backups.session))
}

function slotOf({ scope, method, surrogate, range }: FinishedBackupFact) {
  const kind = surrogate ? 'surrogate' : method === 'vss' ? 'os-snapshot' : 'streaming'
  return { scope, kind, ...range } as const
}

/** The backups that the header of a database remembers. Whether one was of the passive it does not tell. */
export function historyOf(slots: BackupSlots): BackupHistory {
  return {
    full: finished('full', slots.previousFull),
    incremental: finished('incremental', slots.previousIncremental),
    copy: finished('copy', slots.previousCopy),
    differential: finished('differential', slots.previousDifferential),
  }
}

function finished(scope: FinishedBackupFact['scope'], slot: FinishedBackup): FinishedBackupFact | null {
  if (slot.lastGeneration === 0) return null
  return {
    scope,
    method: slot.kind === 'streaming' ? 'streaming' : 'vss',
    surrogate: slot.kind === 'surrogate',
    range: { first: asGeneration(slot.firstGeneration), last: asGeneration(slot.lastGeneration) },
    atMs: unixMsOf(slot.markTime) ?? 0,
  }
}
