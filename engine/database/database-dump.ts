import type { BackupKind, BackupSlot, FinishedBackup } from './backup-slot.ts'
import type { BackupTrailer } from './backup-trailer.ts'
import {
  DATABASE_FORMAT,
  DATABASE_MAGIC,
  type DatabaseHeader,
  type EventCount,
  type TimedPosition,
} from './database-header.ts'
import { formatDatabaseState } from './database-state.ts'
import { formatLogPosition } from './log-position.ts'
import { formatSignature } from './log-signature.ts'
import { formatLogTime } from './log-time.ts'

/** The update that `Engine ulVersion` shows: that of Exchange 2007, whose engine this one emulates. */
const ENGINE_UPDATE = 12
/** Labels are set against the right of this column. */
const LABEL_CHARACTERS = 17
const FLAG_NO_SHADOW = 1

/** What eseutil adds to the generations of a backup that was no streaming one. */
const KIND_SUFFIX: Readonly<Record<BackupKind, string>> = {
  streaming: '',
  'os-snapshot': ' - OSSnapshot',
  snapshot: ' - Snapshot',
  surrogate: ' - Surrogate',
}

/**
 * The lines that `eseutil /mh <file>` of Exchange 2007 prints, in its order and shape, without the banner. `Log Committed` is
 * the range up to the newest log that the database knows of, as eseutil shows it: from 0 on.
 */
export function dumpDatabaseHeader(header: DatabaseHeader): string[] {
  return [
    ...versionLines(header),
    ...stateLines(header),
    ...historyLines(header),
    ...backupLines(header),
    '',
    label('cpgUpgrade55Format', String(header.upgrade[0]), 23),
    label('cpgUpgradeFreePages', String(header.upgrade[1]), 23),
    label('cpgUpgradeSpaceMapPages', String(header.upgrade[2]), 23),
    '',
    ...countLines(header),
  ]
}

/** What eseutil prints of a backup: its generations, with `suffix` behind them, and its mark in two lines. */
export function formatBackupSlot(slot: BackupSlot, suffix: string): string[] {
  return [
    label('Log Gen', `${range(slot.firstGeneration, slot.lastGeneration)}${suffix}`, 15),
    label('Mark', formatLogPosition(slot.mark), 15),
    label('Mark', formatLogTime(slot.markTime), 15),
  ]
}

/** The trailer page of a backup, as eseutil adds it to the header of a database that was copied by one. */
export function dumpBackupTrailer(trailer: BackupTrailer): string[] {
  return slotLines('Patch Current Full Backup', trailer.backup, '')
}

function versionLines(header: DatabaseHeader): string[] {
  const { format, update, createFormat, createUpdate } = header.version
  const version = (major: number, minor: number): string => `0x${major.toString(16)},${minor}`
  return [
    label('File Type', 'Database'),
    label('Format ulMagic', `0x${DATABASE_MAGIC.toString(16)}`),
    label('Engine ulMagic', `0x${DATABASE_MAGIC.toString(16)}`),
    label('Format ulVersion', version(format, update)),
    label('Engine ulVersion', version(DATABASE_FORMAT, ENGINE_UPDATE)),
    label('Created ulVersion', version(createFormat, createUpdate)),
    label('DB Signature', formatSignature(header.signature)),
    label('cbDbPage', String(header.pageBytes)),
    label('dbtime', counter(header.dbtime)),
  ]
}

function stateLines({ state, required, flags, streamingSignature, objectIdLast }: DatabaseHeader): string[] {
  return [
    label('State', formatDatabaseState(state)),
    label('Log Required', range(required.first, required.last)),
    label('Log Committed', range(0, required.lastCommitted)),
    label('Streaming File', streamingSignature.random === 0 ? 'No' : 'Yes'),
    label('Shadowed', (flags & FLAG_NO_SHADOW) === 0 ? 'Yes' : 'No'),
    label('Last Objid', String(objectIdLast)),
  ]
}

function historyLines(header: DatabaseHeader): string[] {
  const { scrub, repairs, operatingSystem: system } = header
  return [
    label('Scrub Dbtime', counter(scrub.dbtime)),
    label('Scrub Date', formatLogTime(scrub.time)),
    label('Repair Count', String(repairs.count)),
    label('Repair Date', formatLogTime(repairs.time)),
    label('Old Repair Count', String(repairs.earlierCount)),
    label('Last Consistent', timed(header.consistent)),
    label('Last Attach', timed(header.attach)),
    label('Last Detach', timed(header.detach)),
    label('Dbid', String(header.databaseId)),
    label('Log Signature', formatSignature(header.logSignature)),
    label('OS Version', `(${system.major}.${system.minor}.${system.build} SP ${system.servicePack})`),
  ]
}

function backupLines({ backups }: DatabaseHeader): string[] {
  return [
    ...finishedLines('Previous Full Backup', backups.previousFull),
    ...finishedLines('Previous Incremental Backup', backups.previousIncremental),
    ...finishedLines('Previous Copy Backup', backups.previousCopy),
    ...finishedLines('Previous Differential Backup', backups.previousDifferential),
    ...slotLines('Current Full Backup', backups.currentFull, ''),
    ...slotLines('Current Shadow copy backup', backups.currentSnapshot, ''),
  ]
}

function finishedLines(title: string, slot: FinishedBackup): string[] {
  return slotLines(title, slot, KIND_SUFFIX[slot.kind])
}

function slotLines(title: string, slot: BackupSlot, suffix: string): string[] {
  return ['', `${title}:`, ...formatBackupSlot(slot, suffix)]
}

function countLines(header: DatabaseHeader): string[] {
  return [
    ...eventLines(header.correctedPages, [
      'ECC Fix Success Count',
      'Last ECC Fix Success Date',
      'Old ECC Fix Success Count',
    ]),
    ...eventLines(header.uncorrectedPages, [
      'ECC Fix Error Count',
      'Last ECC Fix Error Date',
      'Old ECC Fix Error Count',
    ]),
    ...eventLines(header.badPages, [
      'Bad Checksum Error Count',
      'Last Bad Checksum Error Date',
      'Old bad Checksum Error Count',
    ]),
  ]
}

function eventLines(event: EventCount, [count, last, earlier]: readonly [string, string, string]): string[] {
  const found = (times: number): string => (times === 0 ? 'none' : `found (${times})`)
  return [
    label(count, found(event.count), 28),
    ...(event.count === 0 ? [] : [label(last, formatLogTime(event.time), 28)]),
    label(earlier, found(event.earlierCount), 28),
  ]
}

function label(name: string, value: string, characters: number = LABEL_CHARACTERS): string {
  return `${name.padStart(characters)}: ${value}`
}

function counter(dbtime: bigint): string {
  return `${dbtime} (0x${dbtime.toString(16)})`
}

function range(first: number, last: number): string {
  return `${first}-${last} (0x${first.toString(16)}-0x${last.toString(16)})`
}

function timed({ position, time }: TimedPosition): string {
  return `${formatLogPosition(position)}  ${formatLogTime(time)}`
}
