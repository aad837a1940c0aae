import { comparePositions, type LogPosition, readLogPosition, writeLogPosition } from './log-position.ts'
import { LOG_TIME_BYTES, type LogTime, readLogTime, UNSET_LOG_TIME, writeLogTime } from './log-time.ts'

/** BKINFO: what a database remembers of a backup. All zero when there was none. */
export interface BackupSlot {
  /** Where in the stream the backup began. Of two, the one with the higher mark is the newer. */
  readonly mark: LogPosition
  readonly markTime: LogTime
  /** The generations that were backed up with it, both ends included; 0 for none. */
  readonly firstGeneration: number
  readonly lastGeneration: number
}

/** How a finished backup was taken: streaming, or as one of the kinds of snapshots. `surrogate` is one of the passive copy. */
export type BackupKind = 'streaming' | 'os-snapshot' | 'snapshot' | 'surrogate'

/** What a backup takes: full and incremental ones let logs go, copies and differential ones do not; two of them take logs only. */
export type BackupScope = 'full' | 'incremental' | 'copy' | 'differential'

/** A slot of a finished backup. */
export interface FinishedBackup extends BackupSlot {
  readonly kind: BackupKind
}

/** The six slots of a database header. Those of the current backups are filled while one runs, and in what it copies. */
export interface BackupSlots {
  readonly previousFull: FinishedBackup
  readonly previousIncremental: FinishedBackup
  readonly previousCopy: FinishedBackup
  readonly previousDifferential: FinishedBackup
  readonly currentFull: BackupSlot
  readonly currentSnapshot: BackupSlot
}

const NO_BACKUP: BackupSlot = {
  mark: { generation: 0, sector: 0, byte: 0 },
  markTime: UNSET_LOG_TIME,
  firstGeneration: 0,
  lastGeneration: 0,
}
const NO_FINISHED_BACKUP: FinishedBackup = { ...NO_BACKUP, kind: 'streaming' }

/** The slots of a database that was never backed up. */
export const NO_BACKUPS: BackupSlots = {
  previousFull: NO_FINISHED_BACKUP,
  previousIncremental: NO_FINISHED_BACKUP,
  previousCopy: NO_FINISHED_BACKUP,
  previousDifferential: NO_FINISHED_BACKUP,
  currentFull: NO_BACKUP,
  currentSnapshot: NO_BACKUP,
}

const SLOT_OF = {
  full: 'previousFull',
  incremental: 'previousIncremental',
  copy: 'previousCopy',
  differential: 'previousDifferential',
} as const satisfies Record<BackupScope, keyof BackupSlots>

const KINDS: readonly BackupKind[] = ['streaming', 'os-snapshot', 'snapshot', 'surrogate']

const MARK_TIME = 8
const FIRST_GENERATION = MARK_TIME + LOG_TIME_BYTES
const LAST_GENERATION = FIRST_GENERATION + 4

/** Where the slots of a database header lie, and the kinds of those that have one. Source: real headers. */
const AT = {
  previousFull: { slot: 136, kind: 356 },
  previousIncremental: { slot: 160, kind: 360 },
  currentFull: { slot: 184 },
  currentSnapshot: { slot: 316 },
  previousCopy: { slot: 420, kind: 468 },
  previousDifferential: { slot: 444, kind: 472 },
} as const

/**
 * The slots after a backup has ended: it takes the place of the one before it of its scope, unless that is the newer one by its
 * mark. A full one clears what was incremental to the one before it; a streaming one ends a snapshot that was under way.
 *
 * Source: the engine's table of header updates at the end of a backup. The change is logged, so it reaches the passive copy.
 */
export function withBackup(slots: BackupSlots, scope: BackupScope, backup: FinishedBackup): BackupSlots {
  const slot = SLOT_OF[scope]
  if (comparePositions(slots[slot].mark, backup.mark) > 0) return slots
  if (scope !== 'full') return { ...slots, [slot]: backup }
  return {
    ...slots,
    previousFull: backup,
    previousIncremental: NO_FINISHED_BACKUP,
    previousDifferential: NO_FINISHED_BACKUP,
    currentSnapshot: backup.kind === 'streaming' ? NO_BACKUP : slots.currentSnapshot,
  }
}

/** What a backup under way of the whole database leaves in the header while it runs, and so in what it copies. */
export function withCurrent(
  slots: BackupSlots,
  slot: 'currentFull' | 'currentSnapshot',
  current: Pick<BackupSlot, 'mark' | 'markTime' | 'firstGeneration'>,
): BackupSlots {
  return { ...slots, [slot]: { ...current, lastGeneration: 0 } }
}

/** No backup is under way: the last one has ended, or was lost with the store that knew of it. */
export function withoutCurrent(slots: BackupSlots): BackupSlots {
  return { ...slots, currentFull: NO_BACKUP, currentSnapshot: NO_BACKUP }
}

/** Reads the BKINFO at `offset`. Any 24 bytes are one. */
export function readBackupSlot(view: DataView, offset: number): BackupSlot {
  return {
    mark: readLogPosition(view, offset),
    markTime: readLogTime(view, offset + MARK_TIME),
    firstGeneration: view.getUint32(offset + FIRST_GENERATION, true),
    lastGeneration: view.getUint32(offset + LAST_GENERATION, true),
  }
}

/** Writes a BKINFO at `offset`. */
export function writeBackupSlot(view: DataView, offset: number, slot: BackupSlot): void {
  writeLogPosition(view, offset, slot.mark)
  writeLogTime(view, offset + MARK_TIME, slot.markTime)
  view.setUint32(offset + FIRST_GENERATION, slot.firstGeneration, true)
  view.setUint32(offset + LAST_GENERATION, slot.lastGeneration, true)
}

/** Reads the slots of the database header that begins at byte 0 of `view`. Returns null when a kind is none that exists. */
export function readBackupSlots(view: DataView): BackupSlots | null {
  const previousFull = readFinished(view, AT.previousFull)
  const previousIncremental = readFinished(view, AT.previousIncremental)
  const previousCopy = readFinished(view, AT.previousCopy)
  const previousDifferential = readFinished(view, AT.previousDifferential)
  if (previousFull === null || previousIncremental === null || previousCopy === null || previousDifferential === null)
    return null
  return {
    previousFull,
    previousIncremental,
    previousCopy,
    previousDifferential,
    currentFull: readBackupSlot(view, AT.currentFull.slot),
    currentSnapshot: readBackupSlot(view, AT.currentSnapshot.slot),
  }
}

/** Writes the slots into the database header that begins at byte 0 of `view`. */
export function writeBackupSlots(view: DataView, slots: BackupSlots): void {
  writeFinished(view, AT.previousFull, slots.previousFull)
  writeFinished(view, AT.previousIncremental, slots.previousIncremental)
  writeFinished(view, AT.previousCopy, slots.previousCopy)
  writeFinished(view, AT.previousDifferential, slots.previousDifferential)
  writeBackupSlot(view, AT.currentFull.slot, slots.currentFull)
  writeBackupSlot(view, AT.currentSnapshot.slot, slots.currentSnapshot)
}

function readFinished(view: DataView, at: { slot: number; kind: number }): FinishedBackup | null {
  const kind = KINDS[view.getUint32(at.kind, true)]
  return kind === undefined ? null : { ...readBackupSlot(view, at.slot), kind }
}

function writeFinished(view: DataView, at: { slot: number; kind: number }, slot: FinishedBackup): void {
  writeBackupSlot(view, at.slot, slot)
  view.setUint32(at.kind, KINDS.indexOf(slot.kind), true)
}
