import { formatShellTime } from './format-time.ts'

/** One field of Get-StorageGroupCopyStatus. */
export interface StatusField {
  readonly name: string
  readonly meaning: string
}

/** Every field in the order of `Get-StorageGroupCopyStatus | fl` (SP1), with what it means here. Source: Microsoft aa997246. */
export const STATUS_FIELDS: readonly StatusField[] = [
  field('Identity', 'The server and the storage group, as SERVER\\NAME.'),
  field('StorageGroupName', 'The name of the storage group.'),
  field('SummaryCopyStatus', 'The one word to read first; ccr explain knows each of its values.'),
  field('NotSupported', 'True when this configuration cannot have a copy.'),
  field('NotConfigured', 'True when the copy is only partly configured.'),
  field('Disabled', 'True when no copy is configured.'),
  field('ServiceDown', 'True when the service that holds the copy does not answer.'),
  field('Failed', 'True when the copy cannot go on; FailedMessage says why.'),
  field(
    'Initializing',
    'True until the first log was inspected after a start or a resume: before that nothing is proved. Never with copy.release rtm.',
  ),
  field(
    'Resynchronizing',
    'True while the copy is compared with what lies on its disk and on its source. Never with copy.release rtm.',
  ),
  field('Seeding', 'True while the database is copied whole.'),
  field('Suspend', 'True while an operator has suspended the copy.'),
  field('CCRTargetNode', 'The node that holds the copy.'),
  field('FailedMessage', 'What set the copy to Failed; empty otherwise.'),
  field('SuspendComment', 'What the operator wrote when suspending; kept until the copy is resumed.'),
  field(
    'CopyQueueLength',
    'Logs that the source has closed and that are not yet copied and inspected: LastLogGenerated − LastLogInspected. What would be lost if the source died now.',
  ),
  field(
    'ReplayQueueLength',
    'Logs that are inspected and not yet replayed: LastLogInspected − LastLogReplayed. With copy.release rtm also those above a gap of the source.',
  ),
  field('LatestAvailableLogTime', 'When the newest log known on the source was closed.'),
  field(
    'LastCopyNotificationedLogTime',
    'When the newest log that the copier was told about was closed (spelled as Exchange spells it).',
  ),
  field('LastCopiedLogTime', 'When the source closed the last log that was copied.'),
  field('LastInspectedLogTime', 'When the source closed the last log that passed inspection.'),
  field('LastReplayedLogTime', 'When the source closed the last log that was replayed.'),
  field(
    'LastLogGenerated',
    'The newest closed generation on the source. With copy.release rtm no more than LastLogCopied while the source does not answer.',
  ),
  field('LastLogCopyNotified', 'The newest generation that the copier was told about.'),
  field('LastLogCopied', 'Everything through this generation has arrived, durable, at the copy.'),
  field('LastLogInspected', 'Everything through this generation is verified and durable in the copy’s log directory.'),
  field('LastLogReplayed', 'Everything through this generation is replayed into the copy’s database.'),
  field('LatestFullBackupTime', 'When the last full backup was made, as the copy’s database header says.'),
  field(
    'LatestIncrementalBackupTime',
    'When the last incremental backup was made, as the copy’s database header says.',
  ),
  field(
    'LatestDifferentialBackupTime',
    'When the last differential backup was made, as the copy’s database header says.',
  ),
  field('LatestCopyBackupTime', 'When the last copy backup was made, as the copy’s database header says.'),
  field('SnapshotBackup', 'True when the last backup was a snapshot (VSS), false when it was streamed.'),
  field('SnapshotLatestFullBackup', 'True when the last full backup was a snapshot.'),
  field('SnapshotLatestIncrementalBackup', 'True when the last incremental backup was a snapshot.'),
  field('SnapshotLatestDifferentialBackup', 'True when the last differential backup was a snapshot.'),
  field('SnapshotLatestCopyBackup', 'True when the last copy backup was a snapshot.'),
  field('OutstandingDumpsterRequests', 'Redelivery requests to the transport dumpster that were not honoured yet.'),
  field('DumpsterServersNotAvailable', 'Transport servers that could not be asked for redelivery.'),
  field('DumpsterStatistics', 'What lies in the transport dumpster.'),
  field('IsValid', 'True: the object was read without fault (a field of every Exchange object).'),
  field('ObjectState', 'Unchanged: nobody edited the object (a field of every Exchange object).'),
]

/** A status as label and text, Exchange's fields first and in Exchange's order, then what else the service says. */
export function statusRows(status: Readonly<Record<string, unknown>>): [label: string, value: string][] {
  const known = STATUS_FIELDS.map(({ name }) => name)
  const more = Object.keys(status).filter((name) => !known.includes(name))
  return [...known, ...more].map((name) => [name, shellValue(status[name])])
}

/** A value as the Exchange Management Shell prints it: `True`, `6/14/2007 4:42:01 PM`, `{}`, nothing for null. */
function shellValue(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (Array.isArray(value)) return `{${value.map(shellValue).join(', ')}}`
  if (typeof value === 'object') return JSON.stringify(value)
  const text = String(value)
  return /^\d{4}-\d\d-\d\dT/.test(text) ? formatShellTime(text) || text : text
}

function field(name: string, meaning: string): StatusField {
  return { name, meaning }
}
