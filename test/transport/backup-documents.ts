import type { BackupJobDocument, RestoreDocument } from '../../transport/management-backup-documents.ts'

/** A backup that is complete. */
export const BACKUP_OF_A_TEST: BackupJobDocument = {
  id: 1,
  storageGroup: 'SG1',
  of: 'active',
  node: 'NODE1',
  scope: 'full',
  method: 'vss',
  directory: '/backup/monday',
  phase: 'completed',
  doneBytes: 2_097_152,
  totalBytes: 2_097_152,
  bytesPerSecondMax: null,
  elapsedMs: 70,
  begun: '2007-06-14T16:42:01.000Z',
  logs: null,
  error: null,
}

/** A restore under way. */
export const RESTORE_OF_A_TEST: RestoreDocument = {
  storageGroup: 'SG1',
  sets: ['/backup/monday'],
  pointInTime: false,
  phase: 'restoring',
  doneBytes: 0,
  totalBytes: 2_097_152,
  elapsedMs: 5,
  logs: null,
  rolledForward: null,
  replaced: null,
  wasInterrupted: false,
  wentBack: false,
  error: null,
}
