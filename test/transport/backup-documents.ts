import type { BackupJobDocument, RestoreDocument } from '../../transport/management-backup-documents.ts'
import type { SeedDocument, SeedPlanDocument, SeedRateDocument } from '../../transport/management-seed-documents.ts'

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

/** A seed that reads the database. */
export const SEED_OF_A_TEST: SeedDocument = {
  id: 1,
  storageGroup: 'SG1',
  node: 'NODE2',
  source: 'http://127.0.0.1:7700/shares/SG1',
  path: '/data/SG1/database/priv1.edb',
  phase: 'database',
  doneBytes: 1_048_576,
  totalBytes: 2_097_152,
  resumedBytes: 0,
  percent: 50,
  bytesPerSecond: 26_214_400.5,
  remainingMs: 40,
  elapsedMs: 40,
  begun: '2007-06-14T16:42:01.000Z',
  remark: '',
  required: null,
  resumed: false,
  error: null,
}

/** What a seed would do. */
export const PLAN_OF_A_TEST: SeedPlanDocument = {
  storageGroup: 'SG1',
  node: 'NODE2',
  source: 'http://127.0.0.1:7700/shares/SG1',
  path: '/data/SG1/database/priv1.edb',
  databaseBytes: 2_097_152,
  resumedBytes: 0,
  linkBytesPerSecond: 26_214_400,
  linkIs: 'measured',
  bytesPerSecondMax: null,
  expectedMs: 80,
  deletes: { checkpoint: null, logs: 0, logsPath: '/data/SG1/logs', databaseBytes: 2_097_152 },
  prompts: [],
  refusal: null,
}

/** A bound by a timetable. */
export const RATE_OF_A_TEST: SeedRateDocument = {
  bytesPerSecond: 5_242_880,
  setting: '08:00,5M 19:00,off',
  changes: '2007-06-14T19:00:00.000Z',
}
