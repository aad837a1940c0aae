import { assert } from '../assert.ts'
import { asGeneration } from '../generation.ts'
import { type BackupSlots, NO_BACKUPS, readBackupSlots, writeBackupSlots } from './backup-slot.ts'
import { sealBlock } from './block-checksum.ts'
import { type DatabaseState, databaseStateOf, numberOfState } from './database-state.ts'
import { hexOf, type LogBytes, openLogBytes } from './log-bytes.ts'
import { type LogPosition, readLogPosition, writeLogPosition } from './log-position.ts'
import { type LogSignature, readSignature, writeSignature } from './log-signature.ts'
import { LOG_TIME_BYTES, type LogTime, readLogTime, UNSET_LOG_TIME, writeLogTime } from './log-time.ts'
import { NOTHING_REQUIRED, type RequiredRange } from './lost-log-resilience.ts'
import { PAGE_BYTES } from './page.ts'

/** A place in the stream, and when it was reached. */
export interface TimedPosition {
  readonly position: LogPosition
  readonly time: LogTime
}

/** How often something happened and when last. `earlierCount` is what was counted before the last repair of the database. */
export interface EventCount {
  readonly count: number
  readonly time: LogTime
  readonly earlierCount: number
}

/** Layout of a database. Update 12 is Exchange 2007, 17 Windows 7, 20 and above later ones. */
interface DatabaseVersion {
  /** 0x620 in every version since 1999. */
  readonly format: number
  readonly update: number
  /** Of the engine that made the file. */
  readonly createFormat: number
  readonly createUpdate: number
}

/** The first page of a database, of which the second is a copy. */
export interface DatabaseHeader {
  readonly version: DatabaseVersion
  /** Page size in bytes, one of `PAGE_SIZES`. */
  readonly pageBytes: number
  /** The dbtime of the last change that was written. A bigint as in the attach lists of logs: versions after 2007 use all its bits. */
  readonly dbtime: bigint
  readonly signature: LogSignature
  readonly state: DatabaseState
  /** Where the database was last complete without logs. */
  readonly consistent: TimedPosition
  readonly attach: TimedPosition
  readonly detach: TimedPosition
  readonly databaseId: number
  /** Of the stream that its changes are logged in. */
  readonly logSignature: LogSignature
  readonly backups: BackupSlots
  /** Bit 0: there is no copy of the header in the second page. */
  readonly flags: number
  readonly objectIdLast: number
  readonly operatingSystem: OperatingSystem
  readonly repairs: EventCount
  /** Of the streaming file (.stm) that databases of Exchange 2000 and 2003 had beside them. */
  readonly streamingSignature: LogSignature
  readonly scrub: { readonly dbtime: bigint; readonly time: LogTime }
  readonly required: RequiredRange
  /** Pages counted when a database of Exchange 5.5 was converted. */
  readonly upgrade: readonly [format: number, freePages: number, spaceMapPages: number]
  readonly correctedPages: EventCount
  readonly uncorrectedPages: EventCount
  readonly badPages: EventCount
  /** 1 is a database; 0 is tolerated for very old ones. */
  readonly fileType: number
  /** What versions after Exchange 2007 wrote from byte 476 on, as it lies there. */
  readonly later: Uint8Array
}

/** The Windows that the database was last attached under. */
interface OperatingSystem {
  readonly major: number
  readonly minor: number
  readonly build: number
  readonly servicePack: number
}

/** The file type of a database. */
export const DATABASE_FILE_TYPE = 1
/** The number that a database begins with, behind its checksum. */
export const DATABASE_MAGIC = 0x89abcdef
/** The format that every version since 1999 has. */
export const DATABASE_FORMAT = 0x620
/** Update of Exchange 2007. Source: inferred from dates of the engine's history; Vista, of the same time, writes it. */
const UPDATE_2007 = 12
const LATER_OFFSET = 476

const AT = {
  magic: 4,
  format: 8,
  dbtime: 16,
  signature: 24,
  state: 52,
  consistent: 56,
  consistentTime: 64,
  attachTime: 72,
  attach: 80,
  detachTime: 88,
  detach: 96,
  databaseId: 104,
  logSignature: 108,
  flags: 208,
  objectIdLast: 212,
  operatingSystem: 216,
  update: 232,
  pageBytes: 236,
  repairs: 240,
  streamingSignature: 252,
  scrubDbtime: 280,
  scrubTime: 288,
  requiredFirst: 296,
  requiredLast: 300,
  upgrade: 304,
  createFormat: 340,
  createUpdate: 344,
  committedTime: 348,
  earlierRepairs: 364,
  correctedPages: 368,
  uncorrectedPages: 384,
  badPages: 400,
  committed: 416,
  fileType: 667,
} as const

/** The header of a database that nothing was done with yet, as Exchange 2007 has it. */
export function newDatabaseHeader(signature: LogSignature, logSignature: LogSignature): DatabaseHeader {
  const nowhere = { position: { generation: 0, sector: 0, byte: 0 }, time: UNSET_LOG_TIME }
  const never = { count: 0, time: UNSET_LOG_TIME, earlierCount: 0 }
  return {
    version: { format: DATABASE_FORMAT, update: UPDATE_2007, createFormat: DATABASE_FORMAT, createUpdate: UPDATE_2007 },
    pageBytes: PAGE_BYTES,
    dbtime: 0x40n, // the first of every database
    signature,
    state: 'just-created',
    consistent: nowhere,
    attach: nowhere,
    detach: nowhere,
    databaseId: 1,
    logSignature,
    backups: NO_BACKUPS,
    flags: 0,
    objectIdLast: 0,
    operatingSystem: { major: 5, minor: 2, build: 3790, servicePack: 2 }, // Windows Server 2003
    repairs: never,
    streamingSignature: { random: 0, createTime: UNSET_LOG_TIME, computer: '' },
    scrub: { dbtime: 0n, time: UNSET_LOG_TIME },
    required: NOTHING_REQUIRED,
    upgrade: [0, 0, 0],
    correctedPages: never,
    uncorrectedPages: never,
    badPages: never,
    fileType: DATABASE_FILE_TYPE,
    later: new Uint8Array(0),
  }
}

/**
 * Writes one copy of a header and seals it.
 *
 * @param target `header.pageBytes` bytes, on a multiple of four in its memory
 */
export function writeDatabaseHeader(target: Uint8Array, header: DatabaseHeader): void {
  assert(target.byteLength === header.pageBytes && target.byteOffset % 4 === 0, 'a header takes one page, on a word')
  const log = openLogBytes(target)
  const { view } = log
  target.fill(0)
  target.set(header.later, LATER_OFFSET)
  view.setUint32(AT.magic, DATABASE_MAGIC, true)
  writeVersion(view, header.version)
  view.setBigUint64(AT.dbtime, header.dbtime, true)
  writeSignature(view, AT.signature, header.signature)
  view.setUint32(AT.state, numberOfState(header.state), true)
  writePositions(view, header)
  view.setUint32(AT.databaseId, header.databaseId, true)
  writeSignature(view, AT.logSignature, header.logSignature)
  writeBackupSlots(view, header.backups)
  writeNumbers(view, AT.flags, [header.flags, header.objectIdLast])
  const { major, minor, build, servicePack } = header.operatingSystem
  writeNumbers(view, AT.operatingSystem, [major, minor, build, servicePack])
  view.setUint32(AT.pageBytes, header.pageBytes, true)
  writeSignature(view, AT.streamingSignature, header.streamingSignature)
  view.setBigUint64(AT.scrubDbtime, header.scrub.dbtime, true)
  writeLogTime(view, AT.scrubTime, header.scrub.time)
  writeRequired(view, header.required)
  writeNumbers(view, AT.upgrade, header.upgrade)
  writeCounts(view, header)
  view.setUint32(AT.fileType, header.fileType, true)
  sealBlock(log, 0, header.pageBytes)
}

/**
 * Reads the fields of one copy, whose checksum, type and version are checked already.
 *
 * @param log the copy alone, one page long
 * @returns the header, or the sentence that says which field is none that exists
 */
export function readDatabaseFields(log: LogBytes): DatabaseHeader | string {
  const { bytes, view } = log
  const state = databaseStateOf(view.getUint32(AT.state, true))
  if (state === null) return `state ${view.getUint32(AT.state, true)} is none`
  const backups = readBackupSlots(view)
  if (backups === null) return 'a backup is of a kind that does not exist'
  return {
    version: readVersion(view),
    pageBytes: bytes.byteLength,
    dbtime: view.getBigUint64(AT.dbtime, true),
    signature: readSignature(bytes, view, AT.signature),
    state,
    ...readPositions(view),
    databaseId: view.getUint32(AT.databaseId, true),
    logSignature: readSignature(bytes, view, AT.logSignature),
    backups,
    flags: view.getUint32(AT.flags, true),
    objectIdLast: view.getUint32(AT.objectIdLast, true),
    operatingSystem: readOperatingSystem(view),
    streamingSignature: readSignature(bytes, view, AT.streamingSignature),
    scrub: { dbtime: view.getBigUint64(AT.scrubDbtime, true), time: readLogTime(view, AT.scrubTime) },
    required: readRequired(bytes, view),
    upgrade: [numberAt(view, AT.upgrade), numberAt(view, AT.upgrade + 4), numberAt(view, AT.upgrade + 8)],
    ...readCounts(view),
    fileType: view.getUint32(AT.fileType, true),
    later: laterOf(bytes),
  }
}

function readVersion(view: DataView): DatabaseVersion {
  return {
    format: numberAt(view, AT.format),
    update: numberAt(view, AT.update),
    createFormat: numberAt(view, AT.createFormat),
    createUpdate: numberAt(view, AT.createUpdate),
  }
}

function writeVersion(view: DataView, version: DatabaseVersion): void {
  writeNumbers(view, AT.format, [version.format])
  writeNumbers(view, AT.update, [version.update])
  writeNumbers(view, AT.createFormat, [version.createFormat, version.createUpdate])
}

function readOperatingSystem(view: DataView): OperatingSystem {
  return {
    major: numberAt(view, AT.operatingSystem),
    minor: numberAt(view, AT.operatingSystem + 4),
    build: numberAt(view, AT.operatingSystem + 8),
    servicePack: numberAt(view, AT.operatingSystem + 12),
  }
}

/** Of the first the position comes before the time, of the other two behind it. */
function readPositions(view: DataView): Pick<DatabaseHeader, 'consistent' | 'attach' | 'detach'> {
  const both = (position: number, time: number): TimedPosition => ({
    position: readLogPosition(view, position),
    time: readLogTime(view, time),
  })
  return {
    consistent: both(AT.consistent, AT.consistentTime),
    attach: both(AT.attach, AT.attachTime),
    detach: both(AT.detach, AT.detachTime),
  }
}

function writePositions(view: DataView, { consistent, attach, detach }: DatabaseHeader): void {
  writeLogPosition(view, AT.consistent, consistent.position)
  writeLogTime(view, AT.consistentTime, consistent.time)
  writeLogPosition(view, AT.attach, attach.position)
  writeLogTime(view, AT.attachTime, attach.time)
  writeLogPosition(view, AT.detach, detach.position)
  writeLogTime(view, AT.detachTime, detach.time)
}

function readRequired(bytes: Uint8Array, view: DataView): RequiredRange {
  return {
    minRequired: asGeneration(numberAt(view, AT.requiredFirst)),
    maxRequired: asGeneration(numberAt(view, AT.requiredLast)),
    maxCommitted: asGeneration(numberAt(view, AT.committed)),
    committedCreateTime: hexOf(bytes, AT.committedTime, AT.committedTime + LOG_TIME_BYTES),
  }
}

function writeRequired(view: DataView, required: RequiredRange): void {
  writeNumbers(view, AT.requiredFirst, [required.minRequired, required.maxRequired])
  writeNumbers(view, AT.committed, [required.maxCommitted])
  for (let at = 0; at < LOG_TIME_BYTES; at++)
    view.setUint8(AT.committedTime + at, Number.parseInt(required.committedCreateTime.slice(at * 2, at * 2 + 2), 16))
}

type Counts = Pick<DatabaseHeader, 'repairs' | 'correctedPages' | 'uncorrectedPages' | 'badPages'>

function readCounts(view: DataView): Counts {
  const count = (at: number, earlier: number): EventCount => ({
    count: numberAt(view, at),
    time: readLogTime(view, at + 4),
    earlierCount: numberAt(view, earlier),
  })
  return {
    repairs: count(AT.repairs, AT.earlierRepairs),
    correctedPages: count(AT.correctedPages, AT.correctedPages + 12),
    uncorrectedPages: count(AT.uncorrectedPages, AT.uncorrectedPages + 12),
    badPages: count(AT.badPages, AT.badPages + 12),
  }
}

function writeCounts(view: DataView, counts: Counts): void {
  const write = (event: EventCount, at: number, earlier: number): void => {
    writeNumbers(view, at, [event.count])
    writeLogTime(view, at + 4, event.time)
    writeNumbers(view, earlier, [event.earlierCount])
  }
  write(counts.repairs, AT.repairs, AT.earlierRepairs)
  write(counts.correctedPages, AT.correctedPages, AT.correctedPages + 12)
  write(counts.uncorrectedPages, AT.uncorrectedPages, AT.uncorrectedPages + 12)
  write(counts.badPages, AT.badPages, AT.badPages + 12)
}

/** Without the zeros at its end: in a database of Exchange 2007 nothing but the file type stands there. */
function laterOf(bytes: Uint8Array): Uint8Array {
  let end = bytes.byteLength
  while (end > LATER_OFFSET && bytes[end - 1] === 0) end--
  return bytes.slice(LATER_OFFSET, end)
}

function numberAt(view: DataView, at: number): number {
  return view.getUint32(at, true)
}

function writeNumbers(view: DataView, at: number, numbers: readonly number[]): void {
  for (const [index, number] of numbers.entries()) view.setUint32(at + index * 4, number, true)
}
